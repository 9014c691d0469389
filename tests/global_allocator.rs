//! A global allocator that keeps free blocks in a stack. The calls for interrupt handlers neither allocate nor wait, so it may
//! use them; any other call of the stack may come back to the allocator, from within a slot.

#![cfg(all(unix, not(miri)))]

#[path = "common/process.rs"]
mod process;

use elimination_stack::{NoBackoff, Slots, Stack};
use process::{End, in_child};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::thread;

/// The address of a free block.
struct Block(*mut u8);

// SAFETY: a free block belongs to nobody else.
unsafe impl Send for Block {}

/// As few slots as can be, so that threads find all of them claimed.
type Free<const N: usize> = Stack<Block, Slots<N>, NoBackoff>;

/// The system's allocator, with a list of free blocks for one layout.
struct Recycling;

#[global_allocator]
static ALLOCATOR: Recycling = Recycling;
static FREE: Free<2> = Stack::custom();
/// Blocks that came out of the list.
static RECYCLED: AtomicUsize = AtomicUsize::new(0);

/// Calls of the allocator from within the list's.
static RECURSIONS: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static IN_LIST: Cell<bool> = const { Cell::new(false) };
}

/// Runs a call of the list.
fn in_list<O>(call: impl FnOnce() -> O) -> O {
    IN_LIST.set(true);
    let result = call();
    IN_LIST.set(false);
    result
}

/// Counts a call of the allocator, if it comes from within the list's.
fn count_recursion() {
    RECURSIONS.fetch_add(IN_LIST.get().into(), Relaxed);
}

/// Whether each allocation pops from this stack, in a way that it may not.
static POPS: AtomicBool = AtomicBool::new(false);
static POPPED: Stack<u32, Slots<1>, NoBackoff> = Stack::custom();

/// Blocks of this layout are kept. None of the stack's nodes has it.
const KEPT: Layout = Layout::new::<[u64; 16]>();
/// So many at most.
const BLOCKS: usize = 32;

// SAFETY: each block is the system's, or one of the same layout that was freed.
unsafe impl GlobalAlloc for Recycling {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count_recursion();
        if POPS.load(Relaxed) {
            POPPED.pop();
        }
        if layout == KEPT {
            if let Ok(Some(Block(block))) = in_list(|| FREE.try_pop()) {
                RECYCLED.fetch_add(1, Relaxed);
                return block;
            }
        }
        // SAFETY: the caller's contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        count_recursion();
        // Without a spare node or a free slot, the block is the system's again.
        if layout == KEPT && in_list(|| FREE.push_spare(Block(block)).is_ok()) {
            return;
        }
        // SAFETY: the caller's contract.
        unsafe { System.dealloc(block, layout) };
    }
}

#[test]
fn an_allocator_may_use_the_calls_for_handlers() {
    // Refused, for there are no nodes yet.
    drop(Box::new([0_u64; 16]));
    assert!(FREE.is_empty());
    // Calls the allocator, for nodes, which have another layout.
    FREE.reserve(BLOCKS + Free::<2>::IDLE_NODES).unwrap();
    let checked = |value: u64| {
        let block = Box::new([value; 16]);
        // Others would overwrite it if they had the same one.
        thread::yield_now();
        assert_eq!(*block, [value; 16]);
        block
    };
    thread::scope(|scope| {
        for thread in 0..4 {
            scope.spawn(move || {
                for round in 0..500 {
                    let blocks: Vec<_> = (0..8).map(|block| checked(thread << 32 | round << 8 | block)).collect();
                    drop(blocks);
                }
            });
        }
    });
    assert_ne!(RECYCLED.load(Relaxed), 0);
    assert_eq!(RECURSIONS.load(Relaxed), 0);
}

/// A push that allocates is in a slot, the only one here; and a pop that waits for it, on the same thread, waits for ever.
#[test]
fn an_allocator_may_not_use_pop() {
    POPPED.push(1);
    let end = in_child(1000, || {
        POPS.store(true, Relaxed);
        POPPED.push(2);
        0
    });
    assert_eq!(end, End::Hangs);
}
