//! The workload of a machine with one hart: the main loop and the timer interrupt use one `static` stack.
//!
//! Four phases: the main loop calls the stack, then a handle; first with the allocator behind it, then with
//! reserved nodes, when neither it nor the handler may need the allocator any more.

use crate::console::println;
use crate::handler::{Handler, Interrupted};
use crate::ledger::Ledger;
use crate::random::Random;
use crate::{Board, Operations, hart, heap};
use elimination_stack::{Backoff, PushErrorKind, Reclaim, Stack};
use portable_atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};

/// The main loop pushes while there are fewer values than this.
const MAIN_LIMIT: u32 = 24;
/// The handler pushes while there are fewer values than this.
const HANDLER_LIMIT: u32 = 32;
/// The longest chain that the main loop pushes at once.
const CHAIN: u32 = 3;
/// So there are never more values than this.
const MOST_VALUES: u32 = HANDLER_LIMIT + CHAIN;
/// Nanoseconds between interrupts that are not in a burst; an instruction takes 16.
const INTERVAL: core::ops::Range<u32> = 500..20_000;

/// The stack and all that the checks need.
pub struct OneHart<R: Reclaim, B: Backoff> {
    stack: Stack<u32, R, B>,
    main: Ledger,
    handler: Ledger,
    state: Handler,
    /// The last value made: the main loop's are even, the handler's odd.
    last_of_main: AtomicU32,
    last_of_handler: AtomicU32,
    /// `push_spare` had no node for the handler.
    refusals: AtomicU32,
    /// Whether nodes are reserved, so that nothing may be refused.
    reserved: AtomicBool,
}

impl<R: Reclaim, B: Backoff> OneHart<R, B> {
    /// An empty stack.
    pub const fn new() -> Self {
        Self {
            stack: Stack::custom(),
            main: Ledger::new(),
            handler: Ledger::new(),
            state: Handler::new(),
            last_of_main: AtomicU32::new(0),
            last_of_handler: AtomicU32::new(1),
            refusals: AtomicU32::new(0),
            reserved: AtomicBool::new(false),
        }
    }

    /// Runs all phases and checks everything; returns if nothing was wrong.
    pub fn run<M: Board>(&self) {
        heap::init();
        let random = Random::new(1);
        self.state.seed(2);
        self.stack.reserve(1).expect("the heap is large enough");
        heap::learn_node_size();
        self.stack.reclaim();

        self.phase::<M>(&random, &mut &self.stack, true);
        self.phase::<M>(&random, &mut self.stack.handle(), false);
        self.check(0);
        let most_nodes = heap::counts().nodes_peak;
        self.stack.reclaim();
        assert_eq!(heap::counts().nodes, 0, "nodes left after the empty stack gave all of them back");

        let reserved = MOST_VALUES as usize + Stack::<u32, R, B>::IDLE_NODES;
        self.stack.reserve(reserved).expect("the heap is large enough");
        self.reserved.store(true, Relaxed);
        let calls = heap::counts().calls;
        self.phase::<M>(&random, &mut &self.stack, true);
        self.phase::<M>(&random, &mut self.stack.handle(), false);
        assert_eq!(heap::counts().calls, calls, "the allocator was called although nodes were reserved");
        self.check(reserved);
        self.report::<M>(most_nodes, reserved);
    }

    /// The timer interrupt.
    pub fn interrupt<M: Board>(&self) {
        hart::handler(|| self.state.disturb(self));
        M::arm(self.state.interval(INTERVAL, M::BACK));
    }

    /// The values in the stack, or a few more while an operation is going on.
    fn values(&self) -> u32 {
        let popped = self.main.popped() + self.handler.popped();
        let pushed = self.main.pushed() + self.handler.pushed();
        pushed.count.wrapping_sub(popped.count)
    }

    fn phase<M: Board>(&self, random: &Random, stack: &mut impl Operations<u32>, take_all: bool) {
        M::arm(INTERVAL.start);
        let end = hart::interrupts() + M::INTERRUPTS;
        while hart::interrupts() < end {
            match random.within(0..64) {
                0..24 if self.values() < MAIN_LIMIT => {
                    let value = self.new_value();
                    hart::operation(|| stack.push(value));
                }
                24..28 if self.values() < MAIN_LIMIT => {
                    let values = [(); CHAIN as usize].map(|()| self.new_value());
                    hart::operation(|| stack.push_all(values));
                }
                63 if take_all => {
                    let mut all = hart::operation(|| self.stack.take_all());
                    while let Some(value) = hart::operation(|| all.next()) {
                        self.main.pop(value);
                    }
                    hart::operation(|| drop(all));
                }
                // As many pops as possible in little time; the value is out only for the moment.
                40..52 => hart::operation(|| {
                    for _ in 0..8 {
                        let Some(value) = stack.pop() else { break };
                        stack.push(value);
                    }
                }),
                _ => drop(hart::operation(|| stack.pop()).map(|value| self.main.pop(value))),
            }
        }
        M::disarm();
        while let Some(value) = stack.pop() {
            self.main.pop(value);
        }
    }

    fn new_value(&self) -> u32 {
        let value = next(self.last_of_main.load(Relaxed));
        self.last_of_main.store(value, Relaxed);
        self.main.push(value);
        value
    }

    /// What must hold when the stack is empty and no interrupt comes.
    fn check(&self, reserved: usize) {
        assert!(self.stack.is_empty());
        assert_eq!(
            self.main.pushed() + self.handler.pushed(),
            self.main.popped() + self.handler.popped(),
            "not every value came out exactly once"
        );
        let counts = heap::counts();
        let bound = bound::<R, B>(reserved);
        assert!(counts.nodes_peak as usize <= bound, "{} nodes, but at most {bound} allowed", counts.nodes_peak);
        assert_eq!(counts.others, 0, "more contexts than slots?");
    }

    fn report<M: Board>(&self, most_nodes: u32, reserved: usize) {
        let (hits, interrupts) = (hart::hits(), hart::interrupts());
        assert!(hits >= interrupts / 100 * M::HITS, "only {hits} of {interrupts} interrupts hit an operation");
        let totals = self.main.popped() + self.handler.popped();
        println!(
            "ok: {} values, sum {:08x}; {} interrupts, {} inside an operation; at most {} nodes of {} bytes (bound \
             {}), {} pushes refused; with {} reserved, no call of the allocator, none refused",
            totals.count,
            totals.sum,
            interrupts,
            hits,
            most_nodes,
            heap::counts().node_size,
            bound::<R, B>(0),
            self.refusals.load(Relaxed),
            reserved,
        );
        crate::print_statistics(&self.stack);
    }
}

impl<R: Reclaim, B: Backoff> Default for OneHart<R, B> {
    fn default() -> Self {
        Self::new()
    }
}

impl<R: Reclaim, B: Backoff> Interrupted for OneHart<R, B> {
    fn push_spare(&self, value: usize) -> bool {
        if self.values() >= HANDLER_LIMIT {
            return false;
        }
        let value = value as u32;
        self.handler.push(value);
        let pushed = self.stack.push_spare(value);
        if let Err(error) = &pushed {
            assert!(error.kind() == PushErrorKind::NoSpareNode, "{error:?}");
            assert!(!self.reserved.load(Relaxed), "refused although nodes were reserved");
            self.handler.refused(value);
            self.refusals.store(self.refusals.load(Relaxed) + 1, Relaxed);
        }
        pushed.is_ok()
    }

    fn try_pop(&self) -> Option<usize> {
        let value = self.stack.try_pop().expect("there is a slot for the main loop and for the handler")?;
        self.handler.pop(value);
        Some(value as usize)
    }

    fn make(&self) -> Option<usize> {
        let value = next(self.last_of_handler.load(Relaxed));
        self.last_of_handler.store(value, Relaxed);
        Some(value as usize)
    }
}

/// The value of a context after `value`: as that one even or odd, not 0, and small enough for the handler to keep in a
/// word. On a machine of 16 bits they begin again.
fn next(value: u32) -> u32 {
    if value as usize > usize::MAX - 3 { 2 + (value & 1) } else { value + 2 }
}

/// The documented bound on the nodes that the stack holds.
fn bound<R: Reclaim, B: Backoff>(reserved: usize) -> usize {
    MOST_VALUES as usize + Stack::<u32, R, B>::IDLE_NODES + reserved
}
