//! The pool of heapless: a push takes a block with a value in it, a pop puts it back. Where the block is meanwhile adds two
//! instructions to either.

#![no_std]
#![no_main]
#![expect(missing_docs, reason = "what the macro makes is public")]

use core::ptr;
use core::sync::atomic::{AtomicPtr, Ordering::Relaxed};
use heapless::box_pool;
use heapless::pool::boxed::{Box, BoxBlock};

box_pool!(Blocks: u16);

/// The block that is out: one at most.
static OUT: AtomicPtr<u16> = AtomicPtr::new(ptr::null_mut());

planner::image!(
    1,
    || {
        let blocks = board_cortex_m::cortex_m::singleton!(: [BoxBlock<u16>; 64] = [const { BoxBlock::new() }; 64]);
        blocks.expect("taken once").iter_mut().for_each(|block| Blocks.manage(block));
    },
    |value| match Blocks.alloc(value) {
        Ok(block) => {
            OUT.store(Box::into_raw(block), Relaxed);
            true
        }
        Err(_) => false,
    },
    || {
        // SAFETY: a push has made it a pointer of that type, and no other pop comes before the next push.
        let block = unsafe { Box::<Blocks>::from_raw(OUT.load(Relaxed)) };
        Some(*block)
    },
    // The head of the list is one word.
    [64 * size_of::<BoxBlock<u16>>() + 4, 64 * size_of::<BoxBlock<u32>>() + 4]
);
