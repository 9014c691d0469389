//! What all images have in common: an allocator, a panic handler and opaque values.
//!
//! Everything here is linked into the image without a stack too, so that the difference between two images is
//! what the stack costs, and not what an allocator does.
#![no_std]

extern crate alloc;

use alloc::alloc::{alloc, dealloc, handle_alloc_error};
use core::alloc::{GlobalAlloc, Layout};
use core::cell::UnsafeCell;
use core::hint::black_box;
use core::panic::PanicInfo;
use core::ptr;

const HEAP_BYTES: usize = 1024;

/// A trivial allocator. Its functions are never inlined, so that an image calls them instead of repeating them.
struct Bump {
    heap: UnsafeCell<[u8; HEAP_BYTES]>,
    used: UnsafeCell<usize>,
}

// SAFETY: an image has one thread and no interrupt handlers (and does not run).
unsafe impl Sync for Bump {}

// SAFETY: returns aligned parts of the heap, each once, or null.
unsafe impl GlobalAlloc for Bump {
    #[inline(never)]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: there is only one thread.
        let used = unsafe { &mut *self.used.get() };
        let heap = self.heap.get().cast::<u8>();
        let start = *used + heap.wrapping_add(*used).align_offset(layout.align());
        if start > HEAP_BYTES || layout.size() > HEAP_BYTES - start {
            return ptr::null_mut();
        }
        *used = start + layout.size();
        heap.wrapping_add(start)
    }

    /// Frees nothing, but the optimiser may not know it: the calls stay in the image.
    #[inline(never)]
    unsafe fn dealloc(&self, memory: *mut u8, _: Layout) {
        black_box(memory);
    }
}

#[global_allocator]
static ALLOCATOR: Bump = Bump { heap: UnsafeCell::new([0; HEAP_BYTES]), used: UnsafeCell::new(0) };

#[cfg(feature = "critical-section")]
mod critical_section {
    use critical_section::{Impl, RawRestoreState, set_impl};

    struct Nothing;

    set_impl!(Nothing);

    // SAFETY: an image has one thread and no interrupt handlers (and does not run).
    unsafe impl Impl for Nothing {
        unsafe fn acquire() -> RawRestoreState {}
        unsafe fn release(_: RawRestoreState) {}
    }
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    loop {}
}

/// Declares the image's entry. `$body` gets a value that the optimiser knows nothing about. On AVR the entry is the one of
/// the C library, which comes with the linker.
#[macro_export]
macro_rules! image {
    ($body:expr) => {
        #[cfg_attr(target_arch = "avr", unsafe(export_name = "main"))]
        #[cfg_attr(not(target_arch = "avr"), unsafe(export_name = "_start"))]
        extern "C" fn start() -> ! {
            $crate::use_allocator();
            let body: fn(u32) = $body;
            body(core::hint::black_box(1));
            loop {}
        }
    };
}

/// Links both functions of the allocator, and the end of a program that has no memory. The layout is opaque, so
/// that no image has an allocator for one size only.
pub fn use_allocator() {
    let layout = black_box(Layout::new::<u32>());
    // SAFETY: the layout is not of size zero.
    let memory = unsafe { alloc(layout) };
    if memory.is_null() {
        handle_alloc_error(layout);
    }
    // SAFETY: allocated above with the same layout.
    unsafe { dealloc(memory, layout) };
}
