//! The allocator of every image: it counts, and it panics in an interrupt handler.

use crate::hart;
use core::alloc::{GlobalAlloc, Layout};
use core::cell::{Cell, UnsafeCell};
use core::mem::MaybeUninit;
use critical_section::Mutex;
use embedded_alloc::LlffHeap;

/// Bytes of the heap: most of the memory of the smallest machine of 32 bits, which has no compare-exchange; more where
/// there is more; and on one of 16 bits little more than the nodes need.
const SIZE: usize = if cfg!(target_pointer_width = "16") {
    1536
} else if cfg!(not(target_has_atomic = "ptr")) {
    9 << 10
} else if cfg!(target_pointer_width = "32") {
    256 << 10
} else {
    4 << 20
};

/// What the allocator has seen.
#[derive(Clone, Copy, Debug)]
pub struct Counts {
    /// Allocations and deallocations.
    pub calls: u32,
    /// Nodes allocated and not freed.
    pub nodes: u32,
    /// The most that `nodes` ever was.
    pub nodes_peak: u32,
    /// Allocations of anything else: an engine's records, or slots beyond those that the stack came with.
    pub others: u32,
    /// Bytes of a node; see [`learn_node_size`].
    pub node_size: usize,
    last_size: usize,
}

impl Counts {
    fn allocated(mut self, size: usize) -> Self {
        self.calls += 1;
        self.last_size = size;
        if size == self.node_size {
            self.nodes += 1;
            self.nodes_peak = self.nodes_peak.max(self.nodes);
        } else {
            self.others += 1;
        }
        self
    }

    fn freed(mut self, size: usize) -> Self {
        self.calls += 1;
        if size == self.node_size {
            self.nodes -= 1;
        }
        self
    }
}

struct CountingHeap {
    heap: LlffHeap,
    counts: Mutex<Cell<Counts>>,
}

struct Memory(UnsafeCell<MaybeUninit<[u8; SIZE]>>);

// SAFETY: used once, by `init`.
unsafe impl Sync for Memory {}

static MEMORY: Memory = Memory(UnsafeCell::new(MaybeUninit::uninit()));

#[global_allocator]
static HEAP: CountingHeap = CountingHeap {
    heap: LlffHeap::empty(),
    counts: Mutex::new(Cell::new(Counts { calls: 0, nodes: 0, nodes_peak: 0, others: 0, node_size: 0, last_size: 0 })),
};

/// Makes the allocator usable. To be called once, before anything is allocated.
pub fn init() {
    // SAFETY: the memory is used for nothing else, and a second call panics.
    unsafe { HEAP.heap.init(MEMORY.0.get() as usize, SIZE) }
}

/// Takes the size of the last allocation for that of a node, and starts counting. To be called when that one was
/// the first node.
pub fn learn_node_size() {
    critical_section::with(|token| {
        let counts = HEAP.counts.borrow(token);
        let node_size = counts.get().last_size;
        counts.set(Counts { nodes: 1, nodes_peak: 1, others: 0, node_size, ..counts.get() });
    });
}

/// What the allocator has seen so far.
pub fn counts() -> Counts {
    critical_section::with(|token| HEAP.counts.borrow(token).get())
}

impl CountingHeap {
    fn note(&self, change: impl FnOnce(Counts) -> Counts) {
        assert!(!hart::in_handler(), "the allocator was called in an interrupt handler");
        critical_section::with(|token| {
            let counts = self.counts.borrow(token);
            counts.set(change(counts.get()));
        });
    }
}

// SAFETY: passes everything on to an allocator.
unsafe impl GlobalAlloc for CountingHeap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.note(|counts| counts.allocated(layout.size()));
        // SAFETY: the caller's contract.
        let memory = unsafe { self.heap.alloc(layout) };
        assert!(!memory.is_null(), "the heap is exhausted: {:?}", counts());
        memory
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        self.note(|counts| counts.freed(layout.size()));
        // So that who still reads it reads nonsense; the allocator itself writes over no more than two words.
        // SAFETY: the caller's contract: the memory is no longer used.
        unsafe { memory.write_bytes(0xA5, layout.size()) };
        // SAFETY: the caller's contract.
        unsafe { self.heap.dealloc(memory, layout) };
    }
}
