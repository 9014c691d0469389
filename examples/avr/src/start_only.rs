//! An allocator for the start of the program, which hands out an array from its front to its end. Nothing comes back: the stack
//! keeps its nodes.

use core::alloc::{GlobalAlloc, Layout};
use core::cell::UnsafeCell;
use core::ptr;
use portable_atomic::{AtomicUsize, Ordering::Relaxed};

/// Bytes: a node is one link and one reading, 4 bytes.
pub const SIZE: usize = 256;

/// As aligned as anything that is allocated here.
#[repr(C, align(4))]
struct StartOnly {
    memory: UnsafeCell<[u8; SIZE]>,
    /// How much of it is given out.
    used: AtomicUsize,
}

// SAFETY: no byte of the memory is given out twice.
unsafe impl Sync for StartOnly {}

#[global_allocator]
static ALLOCATOR: StartOnly = StartOnly { memory: UnsafeCell::new([0; SIZE]), used: AtomicUsize::new(0) };

// SAFETY: each call gets a part of the memory of its own, aligned as it asks for, or null.
unsafe impl GlobalAlloc for StartOnly {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let mut start = 0;
        let taken = self.used.fetch_update(Relaxed, Relaxed, |used| {
            start = used.checked_next_multiple_of(layout.align())?;
            start.checked_add(layout.size()).filter(|end| *end <= SIZE && layout.align() <= align_of::<Self>())
        });
        // SAFETY: `start` is inside of the memory, which lies at the front of this type.
        if taken.is_ok() { unsafe { self.memory.get().cast::<u8>().add(start) } } else { ptr::null_mut() }
    }

    unsafe fn dealloc(&self, _memory: *mut u8, _layout: Layout) {}
}

/// How many bytes are given out.
pub fn used() -> usize {
    ALLOCATOR.used.load(Relaxed)
}
