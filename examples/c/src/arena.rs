//! The allocator of the library: it hands out an array from its front to its end. Nothing comes back, as the stack keeps its
//! nodes.

use core::alloc::{GlobalAlloc, Layout};
use core::cell::UnsafeCell;
use core::ptr;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Bytes: a node is one link and one pointer.
const SIZE: usize = crate::NODES * 2 * size_of::<usize>();

/// As aligned as anything that is allocated here.
#[repr(C, align(8))]
struct Arena {
    memory: UnsafeCell<[u8; SIZE]>,
    /// How much of it is given out.
    used: AtomicUsize,
}

// SAFETY: no byte of the memory is given out twice.
unsafe impl Sync for Arena {}

#[global_allocator]
static ARENA: Arena = Arena { memory: UnsafeCell::new([0; SIZE]), used: AtomicUsize::new(0) };

// SAFETY: each call gets a part of the memory of its own, aligned as it asks for, or null.
unsafe impl GlobalAlloc for Arena {
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
