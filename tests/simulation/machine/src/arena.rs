//! The memory of a simulated machine: everything that its cores share lies here.
//!
//! Where a block lies depends on the sequence of requests alone, and lines are numbered from the start of the arena. So
//! neither the host's heap nor its randomised addresses have a part in any result.

use std::alloc::{Layout, handle_alloc_error};
use std::collections::HashMap;
use std::ptr::{self, NonNull};

/// The bytes of a cache line, of all processors in question.
pub(crate) const LINE: usize = 64;

/// Blocks begin at multiples of this.
const UNIT: usize = 16;

/// The bytes that a general allocator keeps before each block, and the least that it gives (glibc's `malloc`).
const HEADER: usize = 8;
const LEAST: usize = 24;

pub(crate) struct Arena {
    base: NonNull<u8>,
    used: usize,
    /// Freed blocks, the last one on top.
    free: HashMap<Layout, Vec<usize>>,
    /// Whether each unit of memory is part of a freed block.
    freed: Vec<bool>,
    /// Blocks that were given and not yet taken back.
    live: HashMap<Layout, usize>,
}

impl Arena {
    /// Reserved, not used: the operating system gives pages when they are touched.
    const BYTES: usize = 1 << 30;

    fn layout() -> Layout {
        Layout::from_size_align(Self::BYTES, LINE).expect("a power of two")
    }

    pub(crate) fn new() -> Self {
        // SAFETY: the layout is not of size zero.
        let Some(base) = NonNull::new(unsafe { std::alloc::alloc(Self::layout()) }) else {
            handle_alloc_error(Self::layout())
        };
        Self { base, used: 0, free: HashMap::new(), freed: Vec::new(), live: HashMap::new() }
    }

    /// A block; null if there is no memory left.
    pub(crate) fn alloc(&mut self, layout: Layout) -> *mut u8 {
        let Some(offset) = self.free.get_mut(&layout).and_then(Vec::pop).or_else(|| self.extend(layout)) else {
            return ptr::null_mut();
        };
        self.mark(offset, layout, false);
        *self.live.entry(layout).or_default() += 1;
        // SAFETY: the offset is within the arena.
        unsafe { self.base.as_ptr().add(offset) }
    }

    fn extend(&mut self, layout: Layout) -> Option<usize> {
        let offset = (self.used + HEADER).next_multiple_of(layout.align().max(UNIT));
        self.used = offset + layout.size().max(LEAST);
        (self.used <= Self::BYTES).then_some(offset)
    }

    /// Takes back a block that [`Arena::alloc`] gave.
    pub(crate) fn dealloc(&mut self, block: *mut u8, layout: Layout) {
        let offset = self.offset(block.addr()).expect("the block is the arena's");
        *self.live.get_mut(&layout).expect("such a block was given") -= 1;
        self.free.entry(layout).or_default().push(offset);
        self.mark(offset, layout, true);
    }

    fn mark(&mut self, offset: usize, layout: Layout, free: bool) {
        let units = offset / UNIT..(offset + layout.size()).div_ceil(UNIT);
        if units.end > self.freed.len() {
            self.freed.resize(units.end, false);
        }
        self.freed[units].fill(free);
    }

    /// Whether what lies there was given back.
    pub(crate) fn is_free(&self, offset: usize) -> bool {
        self.freed.get(offset / UNIT).copied().unwrap_or_default()
    }

    /// Where `address` lies from the start of the arena, if it lies there.
    pub(crate) fn offset(&self, address: usize) -> Option<usize> {
        let offset = address.wrapping_sub(self.base.as_ptr().addr());
        (offset < Self::BYTES).then_some(offset)
    }

    /// Blocks that were given and not yet taken back: of this layout, and of all others.
    pub(crate) fn live(&self, layout: Layout) -> (usize, usize) {
        let these = self.live.get(&layout).copied().unwrap_or_default();
        (these, self.live.values().sum::<usize>() - these)
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        // SAFETY: allocated in `new` with this layout.
        unsafe { std::alloc::dealloc(self.base.as_ptr(), Self::layout()) };
    }
}
