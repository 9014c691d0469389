//! An allocator that counts, and fails on demand.
//!
//! Each thread says which [`Ledger`] its calls go to, so that tests run side by side, and what the test harness
//! allocates is not counted. Including this file makes its allocator the program's.

#![allow(dead_code, reason = "each suite uses a part of this")]

use crate::common::{Backoff, Engine, Stack, scaled, with_local};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::ptr;
use std::sync::atomic::{AtomicIsize, AtomicUsize, Ordering::Relaxed, Ordering::SeqCst};
use std::thread;

/// The system's allocator, with a ledger.
struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

thread_local! {
    static LEDGER: Cell<*const Ledger> = const { Cell::new(ptr::null()) };
    static IN_ALLOCATOR: Cell<bool> = const { Cell::new(false) };
    static ON_ALLOCATION: Cell<Option<fn()>> = const { Cell::new(None) };
    static ON_REFUSAL: Cell<Option<fn(Layout)>> = const { Cell::new(None) };
}

/// What this thread does whenever it is refused memory; it must not allocate.
pub fn on_refusals(action: fn(Layout)) {
    ON_REFUSAL.set(Some(action));
}

/// Whether this thread is inside of the system's allocator, and may have its locks: for signal handlers.
pub fn in_allocator() -> bool {
    IN_ALLOCATOR.get()
}

/// What this thread does in the middle of its next allocation that succeeds.
pub fn on_next_allocation(action: fn()) {
    ON_ALLOCATION.set(Some(action));
}

fn inside<O>(call: impl FnOnce() -> O) -> O {
    IN_ALLOCATOR.set(true);
    let result = call();
    IN_ALLOCATOR.set(false);
    result
}

// SAFETY: the system's allocator, or null.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if Ledger::current().is_some_and(|ledger| !ledger.permits(layout)) {
            if let Ok(Some(action)) = ON_REFUSAL.try_with(Cell::get) {
                action(layout);
            }
            return ptr::null_mut();
        }
        if let Ok(Some(action)) = ON_ALLOCATION.try_with(Cell::take) {
            action();
        }
        // SAFETY: the caller's contract.
        inside(|| unsafe { System.alloc(layout) })
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if let Some(ledger) = Ledger::current() {
            ledger.freed(layout);
        }
        // SAFETY: the caller's contract.
        inside(|| unsafe { System.dealloc(block, layout) });
    }
}

/// What the calls of the allocator in one test add up to.
#[derive(Debug)]
pub struct Ledger {
    /// The layout of the test's nodes: no other block has it.
    pub node: Layout,
    allocations: AtomicUsize,
    frees: AtomicUsize,
    nodes: AtomicIsize,
    most_nodes: AtomicIsize,
    /// Slots beyond the first `N`: the only blocks aligned to a cache line.
    slots: AtomicIsize,
    /// Blocks that are neither.
    others: AtomicIsize,
    bytes: AtomicIsize,
    /// Allocations that succeed before one fails.
    until_failure: AtomicIsize,
    /// Allocations that fail then.
    failures: AtomicIsize,
    refused: AtomicUsize,
}

impl Ledger {
    /// A ledger for a stack of `T`, which must be as large as a pointer at least.
    pub fn new<T>() -> Self {
        #[repr(C)]
        struct LikeNode<T>(*mut (), T);

        // Reads the environment now, which allocates.
        scaled(1);
        let zero = || AtomicIsize::new(0);
        Self {
            node: Layout::new::<LikeNode<T>>(),
            allocations: AtomicUsize::new(0),
            frees: AtomicUsize::new(0),
            nodes: zero(),
            most_nodes: zero(),
            slots: zero(),
            others: zero(),
            bytes: zero(),
            until_failure: AtomicIsize::new(isize::MAX),
            failures: zero(),
            refused: AtomicUsize::new(0),
        }
    }

    /// Counts what this thread allocates and frees in `action`.
    pub fn during<O>(&self, action: impl FnOnce() -> O) -> O {
        with_local(&LEDGER, self, action)
    }

    /// Does not count what this thread allocates and frees in `action`.
    pub fn paused<O>(action: impl FnOnce() -> O) -> O {
        with_local(&LEDGER, ptr::null(), action)
    }

    fn current<'a>() -> Option<&'a Self> {
        // SAFETY: null, or set by `during`, which borrows the ledger for as long.
        LEDGER.try_with(|ledger| unsafe { ledger.get().as_ref() }).ok()?
    }

    /// Which column a block belongs in.
    fn column(&self, layout: Layout) -> &AtomicIsize {
        if layout == self.node {
            &self.nodes
        } else if layout.align() >= 64 {
            &self.slots
        } else {
            &self.others
        }
    }

    fn permits(&self, layout: Layout) -> bool {
        self.allocations.fetch_add(1, Relaxed);
        let column = self.column(layout);
        // A thread that panics allocates its message, and shall be heard.
        let may_fail = !thread::panicking() || !ptr::eq(column, &raw const self.others);
        let now = self.until_failure.fetch_sub(1, Relaxed) <= 0 && may_fail;
        if now && self.failures.fetch_sub(1, Relaxed) > 0 {
            self.refused.fetch_add(1, Relaxed);
            return false;
        }
        let now = column.fetch_add(1, Relaxed) + 1;
        if layout == self.node {
            self.most_nodes.fetch_max(now, Relaxed);
        }
        self.bytes.fetch_add(signed(layout.size()), Relaxed);
        true
    }

    fn freed(&self, layout: Layout) {
        self.frees.fetch_add(1, Relaxed);
        self.column(layout).fetch_sub(1, Relaxed);
        self.bytes.fetch_sub(signed(layout.size()), Relaxed);
    }

    /// The next `failures` allocations after `successes` more fail.
    pub fn fail(&self, successes: usize, failures: usize) {
        self.refused.store(0, Relaxed);
        self.failures.store(isize::try_from(failures).unwrap_or(isize::MAX), Relaxed);
        self.until_failure.store(isize::try_from(successes).unwrap_or(isize::MAX), Relaxed);
    }

    /// There is memory again.
    pub fn end_failures(&self) {
        self.failures.store(0, Relaxed);
    }

    /// Allocations that failed since [`Ledger::fail`].
    pub fn refused(&self) -> usize {
        self.refused.load(Relaxed)
    }

    /// Allocations, those that failed too, and frees.
    pub fn calls(&self) -> (usize, usize) {
        (self.allocations.load(Relaxed), self.frees.load(Relaxed))
    }

    pub fn nodes(&self) -> usize {
        usize::try_from(self.nodes.load(SeqCst)).expect("a node was freed twice")
    }

    pub fn most_nodes(&self) -> usize {
        usize::try_from(self.most_nodes.load(SeqCst)).unwrap()
    }

    pub fn slots(&self) -> usize {
        usize::try_from(self.slots.load(SeqCst)).expect("a slot was freed twice")
    }

    pub fn bytes(&self) -> isize {
        self.bytes.load(SeqCst)
    }

    /// Fails if `action` calls the allocator.
    #[track_caller]
    pub fn no_calls<O>(&self, what: &str, action: impl FnOnce() -> O) -> O {
        let before = self.calls();
        let result = self.during(action);
        assert_eq!(self.calls(), before, "{what} called the allocator (to allocate, to free)");
        result
    }

    /// Fails if `action` still calls the allocator when it is done again.
    ///
    /// Both times from the same depth of the thread's stack: that is what a call finds its slot by, and in a slot that
    /// was not used before there are no nodes yet.
    #[track_caller]
    pub fn steady(&self, what: &str, mut action: impl FnMut()) {
        for again in [false, true] {
            let before = self.calls();
            self.during(&mut action);
            assert!(!again || self.calls() == before, "{what} called the allocator in the steady state");
        }
    }

    /// Fails if `action` allocates.
    #[track_caller]
    pub fn no_allocation<O>(&self, what: &str, action: impl FnOnce() -> O) -> O {
        let before = self.calls().0;
        let result = self.during(action);
        assert_eq!(self.calls().0, before, "{what} allocated");
        result
    }

    /// Drops the stack and fails if it leaves anything behind.
    #[track_caller]
    pub fn nothing_after<T, R: Engine, B: Backoff>(&self, stack: Stack<T, R, B>) {
        self.during(|| drop(stack));
        self.assert_nothing_left();
    }

    /// Fails unless everything that was allocated was freed.
    #[track_caller]
    pub fn assert_nothing_left(&self) {
        assert_eq!((self.bytes(), self.nodes(), self.slots()), (0, 0, 0), "left behind by drop(stack)");
    }

    /// Fails if the stack has more nodes than its bound says, in a moment in which nobody is inside. `values`
    /// are nodes that the bound counts besides: live values, reserved nodes.
    #[track_caller]
    pub fn assert_bound<R: Engine, B: Backoff>(&self, values: usize) {
        let bound = values + held_back::<R, B>(self.slots());
        assert!(self.nodes() <= bound, "{} nodes, bound {bound}, {} further slots", self.nodes(), self.slots());
    }
}

pub fn signed(size: usize) -> isize {
    isize::try_from(size).unwrap()
}

/// A value whose node has a size that nothing else has.
#[derive(Debug, PartialEq, Eq)]
pub struct Block(pub usize, [usize; 20]);

pub fn block(id: usize) -> Block {
    Block(id, [id; 20])
}

impl Drop for Block {
    fn drop(&mut self) {
        assert!(self.1.iter().all(|&word| word == self.0) || thread::panicking(), "torn");
    }
}

pub fn idle<R: Engine, B: Backoff>() -> usize {
    Stack::<Block, R, B>::IDLE_NODES
}

pub fn slot<R: Engine, B: Backoff>() -> usize {
    Stack::<Block, R, B>::SLOT_NODES
}

/// What slots and the depot hold back at most, where there are so many further slots.
pub fn held_back<R: Engine, B: Backoff>(further: usize) -> usize {
    // Each slot may have retired two nodes more for each of these.
    let more = if R::FOR_HANDLERS { (R::SLOTS + further) * 2 * further } else { 0 };
    idle::<R, B>() + slot::<R, B>() * further + more
}

pub fn ledger() -> Ledger {
    Ledger::new::<Block>()
}
