//! Counts calls of the allocator, each thread its own.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// Calls, and the bytes got less those given back.
#[derive(Clone, Copy, Debug, Default)]
pub struct Count {
    pub calls: u64,
    pub bytes: i64,
}

thread_local! {
    static COUNT: Cell<Count> = const { Cell::new(Count { calls: 0, bytes: 0 }) };
}

impl Count {
    /// Of this thread since it began.
    #[must_use]
    pub fn of_thread() -> Self {
        COUNT.get()
    }

    /// The same, without so many calls.
    #[must_use]
    pub fn less_calls(self, calls: u64) -> Self {
        Self { calls: self.calls - calls, ..self }
    }

    #[expect(clippy::cast_possible_wrap, reason = "no more than there is memory")]
    fn add(got: usize, given_back: usize) {
        let Self { calls, bytes } = COUNT.get();
        COUNT.set(Self { calls: calls + 1, bytes: bytes + got as i64 - given_back as i64 });
    }
}

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: `System` does it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        Count::add(layout.size(), 0);
        // SAFETY: the caller's contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        Count::add(0, layout.size());
        // SAFETY: the caller's contract.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        Count::add(size, layout.size());
        // SAFETY: the caller's contract.
        unsafe { System.realloc(pointer, layout, size) }
    }
}
