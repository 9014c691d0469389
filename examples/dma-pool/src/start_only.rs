//! An allocator for the start of the program. Then it is closed, and what allocates nevertheless ends as if there were no memory.

use core::alloc::{GlobalAlloc, Layout};
use core::ptr;
use core::sync::atomic::{AtomicBool, Ordering::Relaxed};
use embedded_alloc::LlffHeap;

struct StartOnly;

#[global_allocator]
static ALLOCATOR: StartOnly = StartOnly;

/// For the nodes: each is one link and one address, 8 bytes.
static HEAP: LlffHeap = LlffHeap::empty();
static CLOSED: AtomicBool = AtomicBool::new(false);

// SAFETY: all memory comes from `HEAP` and goes back there, with the same layout.
unsafe impl GlobalAlloc for StartOnly {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if CLOSED.load(Relaxed) {
            return ptr::null_mut();
        }
        // SAFETY: the caller promises what `HEAP` asks for.
        unsafe { HEAP.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { HEAP.dealloc(memory, layout) }
    }
}

/// To be called once, before anything is allocated.
pub fn init() {
    // SAFETY: the caller does that.
    unsafe {
        embedded_alloc::init!(HEAP, 1536);
    }
}

pub fn close() {
    CLOSED.store(true, Relaxed);
}
