//! The workload of a machine with several harts: all of them share one work stack.
//!
//! A job is a range of numbers to add up. Who takes a large one pushes its two halves, who takes a small one adds
//! it up; the answer is known. Meanwhile timer interrupts on each hart push jobs of their own, and take and
//! return others. Rounds repeat until enough interrupts have hit the middle of an operation.

use crate::console::println;
use crate::handler::{Handler, Interrupted};
use crate::ledger::{Ledger, Totals};
use crate::{Board, Operations, hart, heap};
use elimination_stack::{Backoff, PushErrorKind, Reclaim, Stack};
use portable_atomic::{
    AtomicBool, AtomicU32, AtomicU64, AtomicUsize,
    Ordering::{AcqRel, Acquire, Relaxed},
};

/// At least so many rounds, whatever happened in them, each of which adds up the numbers from 0 to `NUMBERS`,
const ROUNDS: u32 = 8;
const NUMBERS: u32 = 1 << 14;
/// and as many longer ones as it takes to be interrupted often enough, up to a limit.
const LONG_NUMBERS: u32 = 1 << 19;
const MOST_ROUNDS: u32 = 200;
/// Ranges up to this long are added up, longer ones cut in half.
const LEAF: u32 = 8;
/// The jobs that the handler of each hart may make in a round.
const QUOTA: u32 = 500;
/// The interrupts that must have hit an operation of a worker.
const HITS: u32 = 400;
/// Nanoseconds between a hart's interrupts.
const INTERVAL: core::ops::Range<u32> = 2_000..100_000;

/// The numbers from `first` up to, but without, `end`.
#[derive(Clone, Copy)]
pub struct Job {
    first: u32,
    end: u32,
}

impl Job {
    fn sum(self) -> u64 {
        let (first, end) = (u64::from(self.first), u64::from(self.end));
        (first + end).saturating_sub(1) * (end - first) / 2
    }

    /// For the ledgers.
    fn number(self) -> u32 {
        self.first.wrapping_mul(0x0100_0193) ^ self.end
    }

    /// For the handler.
    fn packed(self) -> usize {
        (self.first as usize) << 32 | self.end as usize
    }

    #[expect(clippy::cast_possible_truncation, reason = "the two halves")]
    fn unpacked(packed: usize) -> Self {
        Self { first: (packed >> 32) as u32, end: packed as u32 }
    }
}

fn numbers(round: u32) -> u32 {
    if round < ROUNDS { NUMBERS } else { LONG_NUMBERS }
}

/// What to expect of the engine.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// Interrupt handlers push and pop, and nothing but nodes is allocated.
    Slots,
    /// Interrupt handlers must not call it, so they leave their jobs to their hart's worker. It allocates records.
    Haphazard,
}

/// How a worker goes about its jobs.
#[derive(Clone, Copy)]
struct Manner {
    /// Pushes both halves of a job at once.
    at_once: bool,
    /// Takes everything now and then, and pushes it again.
    turns_over: bool,
}

/// One hart's part. Between the barriers only that hart uses it, so loads and stores suffice.
struct Context {
    worker: Ledger,
    handler: Ledger,
    /// The sum of the jobs that this hart has done.
    sum: AtomicU64,
    /// The sum of the jobs that this hart's handler has made.
    made: AtomicU64,
    /// Whether the handler has work to do. It comes even if not, so that an emulator whose harts take turns, which
    /// change with every interrupt, does not let one of them wait for the others in vain.
    active: AtomicBool,
    /// The jobs that this hart's handler may still make in this round.
    quota: AtomicU32,
    state: Handler,
}

/// The stack and all that the checks need.
pub struct ManyHarts<R: Reclaim, B: Backoff, const HARTS: usize> {
    stack: Stack<Job, R, B>,
    engine: Engine,
    contexts: [Context; HARTS],
    /// Jobs pushed and not yet done.
    open: AtomicU32,
    most_open: AtomicU32,
    rounds: AtomicU32,
    finished: AtomicBool,
    arrivals: AtomicUsize,
    reserved: usize,
}

impl<R: Reclaim, B: Backoff, const HARTS: usize> ManyHarts<R, B, HARTS> {
    /// An empty stack.
    pub const fn new(engine: Engine) -> Self {
        Self {
            stack: Stack::custom(),
            engine,
            contexts: [const {
                Context {
                    worker: Ledger::new(),
                    handler: Ledger::new(),
                    sum: AtomicU64::new(0),
                    made: AtomicU64::new(0),
                    active: AtomicBool::new(false),
                    quota: AtomicU32::new(0),
                    state: Handler::new(),
                }
            }; HARTS],
            open: AtomicU32::new(0),
            most_open: AtomicU32::new(0),
            rounds: AtomicU32::new(0),
            finished: AtomicBool::new(false),
            arrivals: AtomicUsize::new(0),
            reserved: HARTS * 8,
        }
    }

    /// To be called by hart 0 before the others start.
    pub fn init(&self) {
        heap::init();
        self.stack.reserve(1).expect("the heap is large enough");
        heap::learn_node_size();
        self.stack.reclaim();
        self.stack.reserve(self.reserved).expect("the heap is large enough");
        for (seed, context) in (3..).zip(&self.contexts) {
            context.state.seed(seed);
        }
    }

    /// What each hart does; returns when all have finished and nothing was wrong.
    pub fn run<M: Board>(&self) {
        let hart = hart::number();
        M::arm(INTERVAL.start);
        while !self.finished.load(Relaxed) {
            let round = self.rounds.load(Relaxed);
            self.round::<M>(hart, round);
            self.barrier();
            if hart == 0 {
                self.drain();
                self.check(round + 1);
                self.rounds.store(round + 1, Relaxed);
                let enough = round + 1 >= ROUNDS && hart::hits() >= HITS;
                self.finished.store(enough || round + 1 >= MOST_ROUNDS, Relaxed);
            }
            self.barrier();
        }
        M::disarm();
        if hart == 0 {
            self.report();
        }
    }

    /// The timer interrupt of a hart.
    pub fn interrupt<M: Board>(&self) {
        let context = &self.contexts[hart::number()];
        if context.active.load(Relaxed) {
            hart::handler(|| match self.engine {
                Engine::Slots => context.state.disturb(&View(self, context)),
                Engine::Haphazard => context.state.offer(&View(self, context)),
            });
        }
        M::arm(context.state.interval(INTERVAL, M::BACK));
    }

    /// Notes jobs before they are pushed.
    fn opened(&self, jobs: u32) {
        let open = self.open.fetch_add(jobs, AcqRel) + jobs;
        if open > self.most_open.load(Relaxed) {
            self.most_open.fetch_max(open, Relaxed);
        }
    }

    fn push(&self, stack: &mut impl Operations<Job>, ledger: &Ledger, job: Job) {
        self.opened(1);
        ledger.push(job.number());
        hart::operation(|| stack.push(job));
    }

    fn round<M: Board>(&self, hart: usize, round: u32) {
        let context = &self.contexts[hart];
        context.quota.store(QUOTA, Relaxed);
        if hart == 0 {
            self.push(&mut &self.stack, &self.contexts[0].worker, Job { first: 0, end: numbers(round) });
        }
        self.barrier();
        context.active.store(true, Relaxed);
        // A handle is a context, so its hart must not be in the stack by another way at the same time.
        let direct = (round as usize + hart) % 2 == 0;
        let manner = Manner { at_once: round % 2 == 1, turns_over: direct && round % 3 == 1 };
        if direct {
            self.work(&mut &self.stack, manner);
        } else {
            self.work(&mut self.stack.handle(), manner);
        }
        context.active.store(false, Relaxed);
    }

    /// Does jobs until there are none.
    fn work(&self, stack: &mut impl Operations<Job>, manner: Manner) {
        let context = &self.contexts[hart::number()];
        let mut jobs = 0_u32;
        while self.open.load(Acquire) != 0 {
            if self.engine == Engine::Haphazard {
                self.push_kept(stack, context, context);
            }
            let Some(job) = hart::operation(|| stack.pop()) else {
                core::hint::spin_loop();
                continue;
            };
            context.worker.pop(job.number());
            self.finish(context, stack, job, manner.at_once);
            jobs += 1;
            if manner.turns_over && jobs % 1024 == 0 {
                self.turn_over(context);
            }
        }
    }

    fn finish(&self, context: &Context, stack: &mut impl Operations<Job>, job: Job, at_once: bool) {
        if job.end - job.first <= LEAF {
            context.sum.store(context.sum.load(Relaxed) + job.sum(), Relaxed);
        } else {
            let middle = job.first + (job.end - job.first) / 2;
            let halves = [Job { first: job.first, end: middle }, Job { first: middle, end: job.end }];
            if at_once {
                self.opened(2);
                halves.iter().for_each(|half| context.worker.push(half.number()));
                hart::operation(|| stack.push_all(halves));
            } else {
                halves.into_iter().for_each(|half| self.push(stack, &context.worker, half));
            }
        }
        self.open.fetch_sub(1, AcqRel);
    }

    /// Takes everything and pushes it again, one by one.
    fn turn_over(&self, context: &Context) {
        let mut all = hart::operation(|| self.stack.take_all());
        while let Some(job) = hart::operation(|| all.next()) {
            context.worker.pop(job.number());
            context.worker.push(job.number());
            hart::operation(|| self.stack.push(job));
        }
        hart::operation(|| drop(all));
    }

    /// Pushes what the handler of `from` has kept.
    fn push_kept(&self, stack: &mut impl Operations<Job>, context: &Context, from: &Context) {
        while let Some(job) = from.state.take_kept() {
            self.push(stack, &context.worker, Job::unpacked(job));
        }
    }

    /// Does what the handlers have kept or pushed since the workers stopped.
    fn drain(&self) {
        let mine = &self.contexts[0];
        for context in &self.contexts {
            self.push_kept(&mut &self.stack, mine, context);
        }
        self.work(&mut &self.stack, Manner { at_once: false, turns_over: false });
    }

    /// What must hold after `rounds` rounds, when the stack is empty and no hart does anything.
    fn check(&self, rounds: u32) {
        assert!(self.stack.is_empty());
        let mut pushed = Totals::default();
        let mut popped = Totals::default();
        let mut sum = 0;
        let mut made = 0;
        for context in &self.contexts {
            pushed = pushed + context.worker.pushed() + context.handler.pushed();
            popped = popped + context.worker.popped() + context.handler.popped();
            sum += context.sum.load(Relaxed);
            made += context.made.load(Relaxed);
        }
        assert_eq!(pushed, popped, "not every job came out exactly once");
        let known = (0..rounds).map(|round| Job { first: 0, end: numbers(round) }.sum()).sum::<u64>() + made;
        assert_eq!(sum, known, "the wrong answer");
        let counts = heap::counts();
        let (now, peak) = (counts.nodes as usize, counts.nodes_peak as usize);
        let (idle, bound) = (self.idle(), self.bound());
        assert!(peak <= bound, "{peak} nodes, but at most {bound} allowed");
        // What stalls held back is back, and was freed.
        assert!(self.engine == Engine::Slots || now <= idle, "{now} nodes at rest, but at most {idle} allowed");
        assert!(self.engine != Engine::Slots || counts.others == 0, "more contexts than slots?");
    }

    /// The documented bound on the nodes without a value.
    fn idle(&self) -> usize {
        Stack::<Job, R, B>::IDLE_NODES + self.reserved
    }

    /// The documented bound on the nodes that the stack holds.
    fn bound(&self) -> usize {
        let stalled = match self.engine {
            Engine::Slots => 0,
            // A hart is interrupted anywhere, and an emulated one stalls wherever the host has other work.
            Engine::Haphazard => HARTS - 1,
        };
        self.most_open.load(Relaxed) as usize + (1 + stalled) * self.idle()
    }

    /// Waits until all harts have come here.
    fn barrier(&self) {
        let arrival = self.arrivals.fetch_add(1, AcqRel);
        let all = (arrival / HARTS + 1) * HARTS;
        while self.arrivals.load(Acquire) < all {
            core::hint::spin_loop();
        }
    }

    fn report(&self) {
        assert!(hart::hits() >= HITS, "only {} interrupts hit an operation", hart::hits());
        let jobs = self.contexts.iter().fold(Totals::default(), |sum, context| sum + context.worker.popped());
        let counts = heap::counts();
        println!(
            "ok: {} rounds, {} jobs, sum {:08x}; {} interrupts, {} inside an operation; at most {} nodes of {} \
             bytes (bound {}, {} of it reserved), {} other allocations",
            self.rounds.load(Relaxed),
            jobs.count,
            jobs.sum,
            hart::interrupts(),
            hart::hits(),
            counts.nodes_peak,
            counts.node_size,
            self.bound(),
            self.reserved,
            counts.others,
        );
        crate::print_statistics(&self.stack);
    }
}

/// The stack as the handler of one hart sees it.
struct View<'a, R: Reclaim, B: Backoff, const HARTS: usize>(&'a ManyHarts<R, B, HARTS>, &'a Context);

impl<R: Reclaim, B: Backoff, const HARTS: usize> Interrupted for View<'_, R, B, HARTS> {
    fn push_spare(&self, value: usize) -> bool {
        let Self(all, context) = self;
        let job = Job::unpacked(value);
        all.opened(1);
        context.handler.push(job.number());
        let pushed = all.stack.push_spare(job);
        if let Err(error) = &pushed {
            assert!(error.kind() == PushErrorKind::NoSpareNode, "{error:?}");
            all.open.fetch_sub(1, AcqRel);
            context.handler.refused(job.number());
        }
        pushed.is_ok()
    }

    fn try_pop(&self) -> Option<usize> {
        let Self(all, context) = self;
        let job = all.stack.try_pop().expect("there is a slot for each hart and for each handler")?;
        context.handler.pop(job.number());
        all.open.fetch_sub(1, AcqRel);
        Some(job.packed())
    }

    fn make(&self) -> Option<usize> {
        let context = self.1;
        let quota = context.quota.load(Relaxed).checked_sub(1)?;
        context.quota.store(quota, Relaxed);
        let first = quota * 3 + 1;
        let job = Job { first, end: first + 3 };
        context.made.store(context.made.load(Relaxed) + job.sum(), Relaxed);
        Some(job.packed())
    }
}
