//! The workload of the engines that need no allocator: the main loop, or each of several, and the timer interrupt use one
//! `static` stack.
//!
//! At first nobody else is there: the stack is filled until it refuses a value, and emptied in order. Then interrupts come, while
//! the main loops let the stack fill up and run empty again and again.

use crate::console::println;
use crate::handler::{Handler, Interrupted};
use crate::ledger::{Ledger, Totals};
use crate::random::Random;
use crate::{Board, hart};
use core::ops::{Add, RangeInclusive};
use elimination_stack::{Engine, NoBackoff, PushError, PushErrorKind, Stack};
use portable_atomic::{
    AtomicBool, AtomicU16, AtomicU32, AtomicUsize,
    Ordering::{AcqRel, Acquire, Relaxed},
};

/// The values that the stack has room for at least: `Fixed<64, N>`, `Masked<64>`.
const CAPACITY: u16 = 64;
/// Values that a main loop pushes at once.
const CHAIN: usize = 3;
/// Operations of a main loop after which it pushes more than it pops, or pops more than it pushes.
const TIDE: u32 = 128;
/// Nanoseconds between interrupts that are not in a burst; an instruction takes 16.
const INTERVAL: core::ops::Range<u32> = 500..20_000;

/// The interrupts are so many times fewer than those of a phase of [`one_hart`](Board::INTERRUPTS): where the emulator leaves its
/// translated code for each critical section, and each access is one, it takes long.
const SHARE: u32 = 4;

/// So many times as many come, if need be, until enough of them have hit an operation: where they come by the host's clock, and the
/// host is busy, the next one may be due when the handler ends.
const MOST: u32 = 20;

/// How many interrupts have to come, and how many of these have to hit an operation, which is shorter than what is noted about it,
/// and most of all where it is a critical section.
fn wanted<M: Board>() -> (u32, u32) {
    let interrupts = M::INTERRUPTS / SHARE;
    (interrupts, interrupts / 100 * M::HITS / 4)
}

fn is_done<M: Board>() -> bool {
    let (interrupts, (least, hits)) = (hart::interrupts(), wanted::<M>());
    interrupts >= least && (hart::hits() >= hits || interrupts >= MOST * least)
}

/// One hart's part. Only that hart writes it, so loads and stores suffice.
struct Context {
    main: Ledger,
    handler: Ledger,
    state: Handler,
    /// The last value made by the main loop, and by the handler.
    last_of_main: AtomicU16,
    last_of_handler: AtomicU16,
    /// Pushes of the main loop and the handler that found the stack full.
    refusals: AtomicU32,
    /// Whether the handler has work to do. It comes even if not, so that an emulator whose harts take turns, which change with
    /// every interrupt, does not let one of them wait for the others in vain.
    active: AtomicBool,
}

/// The stack and all that the checks need.
pub struct InPlace<E: Engine, const HARTS: usize> {
    stack: Stack<u16, E, NoBackoff>,
    /// How many values there have to be before one is refused, and when one has to be.
    room: RangeInclusive<u16>,
    contexts: [Context; HARTS],
    arrivals: AtomicUsize,
}

impl<E: Engine, const HARTS: usize> InPlace<E, HARTS> {
    /// An empty stack, and how many values it may and must refuse at.
    pub const fn new(room: RangeInclusive<u16>) -> Self {
        Self {
            stack: Stack::custom(),
            room,
            contexts: [const {
                Context {
                    main: Ledger::new(),
                    handler: Ledger::new(),
                    state: Handler::new(),
                    last_of_main: AtomicU16::new(0),
                    last_of_handler: AtomicU16::new(0),
                    refusals: AtomicU32::new(0),
                    active: AtomicBool::new(false),
                }
            }; HARTS],
            arrivals: AtomicUsize::new(0),
        }
    }

    /// What must hold as long as nobody else is there.
    fn check_alone(&self) {
        // Each time the nodes are in another order.
        for count in [*self.room.end(), CAPACITY / 2, *self.room.end(), 1, *self.room.end()] {
            let filled = self.fill(count);
            self.empty_one_by_one(filled);
            let filled = self.fill_at_once(count);
            self.empty_at_once(filled);
        }
    }

    /// Pushes so many values, or fewer if the stack is full before; says how many.
    fn fill(&self, count: u16) -> u16 {
        for value in 0..count {
            if let Err(error) = self.stack.push_spare(value) {
                assert!(error.kind() == PushErrorKind::NoSpareNode, "there is a slot");
                assert!(error.into_value() == value, "another value came back");
                assert!(self.room.contains(&value), "refused although there is room");
                return value;
            }
        }
        assert!(count < *self.room.end() || self.stack.push_spare(count).is_err(), "not refused");
        assert!(!self.stack.is_empty(), "empty although there are values");
        count
    }

    /// The same at once.
    fn fill_at_once(&self, count: u16) -> u16 {
        let Err(error) = self.stack.try_push_all(0..count + 1) else {
            assert!(count < *self.room.end(), "not refused");
            return count + 1;
        };
        let refused = error.into_value().next().expect("a value was refused");
        assert!(self.room.contains(&refused), "refused although there is room");
        refused
    }

    fn empty_one_by_one(&self, count: u16) {
        for value in (0..count).rev() {
            assert!(self.stack.try_pop() == Ok(Some(value)), "not the newest value");
        }
        assert!(self.stack.try_pop() == Ok(None) && self.stack.is_empty(), "not empty");
    }

    fn empty_at_once(&self, count: u16) {
        assert!(self.stack.take_all().eq((0..count).rev()), "other values");
        assert!(self.stack.is_empty(), "not empty");
    }

    /// What each hart does, with interrupts on; returns when all have finished and nothing was wrong.
    pub fn run<M: Board>(&self) {
        let hart = hart::number();
        let context = &self.contexts[hart];
        let seed = 1 + 2 * hart as u32;
        context.state.seed(seed + 1);
        M::arm(INTERVAL.start);
        if hart == 0 {
            self.check_alone();
        }
        self.barrier();
        context.active.store(true, Relaxed);
        self.main_loop::<M>(context, &Random::new(seed));
        context.active.store(false, Relaxed);
        self.barrier();
        M::disarm();
        if hart == 0 {
            self.check();
            self.report::<M>();
        }
    }

    /// The timer interrupt.
    pub fn interrupt<M: Board>(&self) {
        let context = &self.contexts[hart::number()];
        if context.active.load(Relaxed) {
            hart::handler(|| context.state.disturb(&View(self, context)));
        }
        M::arm(context.state.interval(INTERVAL, M::BACK));
    }

    fn main_loop<M: Board>(&self, context: &Context, random: &Random) {
        let mut operations = 0_u32;
        while !is_done::<M>() {
            operations = operations.wrapping_add(1);
            let rising = operations % (2 * TIDE) < TIDE;
            match random.within(0..64) {
                0 if !rising => self.take_all(context),
                0..4 => self.push_all(context),
                // As many pops as possible in little time; the value is out only for the moment. On several harts another one may
                // take its place.
                4..20 => hart::operation(|| {
                    for _ in 0..16 {
                        let Some(value) = self.stack.pop() else { break };
                        if let Err(error) = self.stack.try_push(value) {
                            context.main.pop(error.into_value().into());
                            break;
                        }
                    }
                }),
                number if (number < 50) == rising => {
                    let value = self.new_value(context, false);
                    self.push(context, &context.main, value, || hart::operation(|| self.stack.push_spare(value)));
                }
                _ => drop(hart::operation(|| self.stack.pop()).map(|value| context.main.pop(value.into()))),
            }
        }
    }

    /// What all contexts have noted.
    fn ledgers(&self) -> impl Iterator<Item = &Ledger> {
        self.contexts.iter().flat_map(|context| [&context.main, &context.handler])
    }

    /// Pushes a value by `push`; says whether it was not refused, which it may be only if the stack is full.
    fn push(
        &self,
        context: &Context,
        ledger: &Ledger,
        value: u16,
        push: impl FnOnce() -> Result<(), PushError<u16>>,
    ) -> bool {
        ledger.push(value.into());
        let popped: u32 = self.ledgers().map(|ledger| ledger.counts().1).sum();
        let Err(error) = push() else { return true };
        assert!(error.kind() == PushErrorKind::NoSpareNode, "there is a slot for each context");
        assert!(error.into_value() == value, "another value came back");
        // Whatever was in there when it was refused was pushed before now, and popped after then. This one was not in there.
        let pushed: u32 = self.ledgers().map(|ledger| ledger.counts().0).sum();
        assert!(pushed.wrapping_sub(popped + 1) >= CAPACITY.into(), "refused although there is room");
        ledger.refused(value.into());
        context.refusals.store(context.refusals.load(Relaxed) + 1, Relaxed);
        false
    }

    fn push_all(&self, context: &Context) {
        let values = [(); CHAIN].map(|()| self.new_value(context, false));
        values.iter().for_each(|value| context.main.push((*value).into()));
        if let Err(error) = hart::operation(|| self.stack.try_push_all(values)) {
            error.into_value().for_each(|value| context.main.refused(value.into()));
        }
    }

    fn take_all(&self, context: &Context) {
        let mut all = hart::operation(|| self.stack.take_all());
        while let Some(value) = hart::operation(|| all.next()) {
            context.main.pop(value.into());
        }
        hart::operation(|| drop(all));
    }

    /// A value that this context has not made for long, and no other one makes. None is 0, which the handler takes for none.
    #[expect(clippy::cast_possible_truncation, reason = "a few harts")]
    fn new_value(&self, context: &Context, for_handler: bool) -> u16 {
        let (last, first) = if for_handler { (&context.last_of_handler, 1) } else { (&context.last_of_main, 2) };
        let step = 2 * HARTS as u16;
        let value = match last.load(Relaxed) {
            0 => first + 2 * hart::number() as u16,
            value => value.checked_add(step).unwrap_or(first + 2 * hart::number() as u16),
        };
        last.store(value, Relaxed);
        value
    }

    /// Waits until all harts have come here.
    fn barrier(&self) {
        let arrival = self.arrivals.fetch_add(1, AcqRel);
        let all = (arrival / HARTS + 1) * HARTS;
        while self.arrivals.load(Acquire) < all {
            core::hint::spin_loop();
        }
    }

    /// What must hold when no interrupt comes and no other hart does anything.
    fn check(&self) {
        self.take_all(&self.contexts[0]);
        let totals = |of: fn(&Ledger) -> Totals| self.ledgers().map(of).fold(Totals::default(), Add::add);
        assert!(totals(Ledger::pushed) == totals(Ledger::popped), "not every value came out exactly once");
        // No node is lost, either.
        let filled = self.fill(*self.room.end());
        self.empty_one_by_one(filled);
    }

    fn report<M: Board>(&self) {
        let (hits, interrupts) = (hart::hits(), hart::interrupts());
        assert!(hits >= wanted::<M>().1, "only {hits} of {interrupts} interrupts hit an operation");
        let values: u32 = self.ledgers().map(|ledger| ledger.counts().1).sum();
        let refusals: u32 = self.contexts.iter().map(|context| context.refusals.load(Relaxed)).sum();
        assert!(refusals > 0, "the stack was never full");
        println!(
            "ok: {} values; {} interrupts, {} inside an operation; {} bytes, {} pushes refused, none with fewer than {} values",
            values,
            interrupts,
            hits,
            size_of_val(&self.stack),
            refusals,
            CAPACITY,
        );
    }
}

/// The stack as the handler of one hart sees it.
struct View<'a, E: Engine, const HARTS: usize>(&'a InPlace<E, HARTS>, &'a Context);

impl<E: Engine, const HARTS: usize> Interrupted for View<'_, E, HARTS> {
    #[expect(clippy::cast_possible_truncation, reason = "it was a `u16` before")]
    fn push_spare(&self, value: usize) -> bool {
        let Self(all, context) = self;
        let value = value as u16;
        all.push(context, &context.handler, value, || all.stack.push_spare(value))
    }

    fn try_pop(&self) -> Option<usize> {
        let Self(all, context) = self;
        let value = all.stack.try_pop().expect("there is a slot for each context")?;
        context.handler.pop(value.into());
        Some(value.into())
    }

    fn make(&self) -> Option<usize> {
        let Self(all, context) = self;
        Some(all.new_value(context, true).into())
    }
}
