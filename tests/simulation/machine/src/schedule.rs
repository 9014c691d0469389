//! Which core goes on: in virtual time, at random, or by random priorities.

use crate::cache::{Cache, Kind, Outcome, Transfers};
use crate::costs::Machine;
use crate::random::Random;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// What decides which core goes on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Policy {
    /// Virtual time, as this machine would take it.
    Timed {
        /// What accesses cost.
        machine: Machine,
        /// Of the generator that varies the transfers.
        seed: u64,
    },
    /// After each access any core, with equal probability.
    Random {
        /// Of the generator.
        seed: u64,
    },
    /// Always the core of the highest priority; the priorities are random, and change at random moments. Finds a
    /// fault that needs `changes + 1` particular switches with a guaranteed probability (S. Burckhardt and others, *A
    /// randomized scheduler with probabilistic guarantees of finding bugs*, ASPLOS 2010).
    Priorities {
        /// Of the generator.
        seed: u64,
        /// How often the running core falls behind all others.
        changes: usize,
        /// Accesses of the whole run, about; the changes are spread over them.
        length: u64,
    },
    /// At random, but core 0 stops now and then while the others make some accesses. Finds faults that need one core to
    /// be late at several particular moments.
    Slow {
        /// Of the generator.
        seed: u64,
    },
}

/// Whether the current core goes on, or the scheduler has to choose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    GoOn,
    Suspend,
}

pub(crate) enum Scheduler {
    Timed(Box<Timed>),
    Untimed(Untimed),
}

impl Scheduler {
    pub(crate) fn new(policy: Policy) -> Self {
        match policy {
            Policy::Timed { machine, seed } => Self::Timed(Box::new(Timed {
                now: 0,
                ahead: 0,
                end: 0,
                sequence: 0,
                events: BinaryHeap::new(),
                cache: Cache::new(machine, seed),
                machine,
            })),
            Policy::Random { seed } => Self::Untimed(Untimed::new(seed, Order::Any)),
            Policy::Slow { seed } => Self::Untimed(Untimed::new(seed, Order::Slow { until: 0 })),
            Policy::Priorities { seed, changes, length } => {
                let mut untimed = Untimed::new(seed, Order::Any);
                let mut steps: Vec<_> = (0..changes).map(|_| untimed.random.below(length.max(1))).collect();
                steps.sort_unstable_by_key(|&step| Reverse(step));
                untimed.order = Order::Priorities { changes: steps };
                Self::Untimed(untimed)
            }
        }
    }

    /// Begins with `cores` cores.
    pub(crate) fn start(&mut self, cores: usize) {
        match self {
            Self::Timed(timed) => (0..cores).for_each(|core| timed.at(timed.now, Event::Core(core))),
            Self::Untimed(untimed) => untimed.start(cores),
        }
    }

    /// The core to go on with.
    pub(crate) fn next(&mut self) -> Option<usize> {
        match self {
            Self::Timed(timed) => timed.next(),
            Self::Untimed(untimed) => untimed.next(),
        }
    }

    /// The current core's next access comes up.
    pub(crate) fn arrive(&mut self, core: usize) -> Next {
        match self {
            Self::Timed(timed) => timed.arrive(core),
            Self::Untimed(untimed) => untimed.arrive(core),
        }
    }

    /// The current core accesses a line, now.
    pub(crate) fn access(&mut self, core: usize, line: usize, kind: Kind) -> Next {
        match self {
            Self::Timed(timed) => timed.access(core, line, kind),
            Self::Untimed(_) => Next::GoOn,
        }
    }

    /// The current core waits for somebody else, one step.
    pub(crate) fn relax(&mut self, core: usize) -> Next {
        match self {
            Self::Timed(timed) => {
                timed.ahead += timed.machine.costs.relax;
                Next::GoOn
            }
            Self::Untimed(untimed) => untimed.relax(core),
        }
    }

    /// The current core computes, or calls the allocator.
    pub(crate) fn spend(&mut self, cycles: impl FnOnce(&Machine) -> u64) {
        if let Self::Timed(timed) = self {
            timed.ahead += cycles(&timed.machine);
        }
    }

    /// The current core does not go on any more.
    pub(crate) fn leave(&mut self, core: usize) {
        match self {
            // What it computed last takes its time, too.
            Self::Timed(timed) => timed.end = timed.end.max(timed.now + std::mem::take(&mut timed.ahead)),
            Self::Untimed(untimed) => untimed.runnable.retain(|&other| other != core),
        }
    }

    /// The current core's time, in cycles or accesses.
    pub(crate) fn now(&self) -> u64 {
        match self {
            Self::Timed(timed) => timed.now + timed.ahead,
            Self::Untimed(untimed) => untimed.steps,
        }
    }

    /// When the last core left.
    pub(crate) fn end(&self) -> u64 {
        match self {
            Self::Timed(timed) => timed.end,
            Self::Untimed(untimed) => untimed.steps,
        }
    }

    pub(crate) fn transfers(&self) -> Transfers {
        match self {
            Self::Timed(timed) => timed.cache.transfers,
            Self::Untimed(_) => Transfers::default(),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    /// The core goes on.
    Core(usize),
    /// The queue at the line moves on.
    Line(usize),
}

/// Virtual time.
pub(crate) struct Timed {
    now: u64,
    /// What the current core has spent since `now` without anybody noticing.
    ahead: u64,
    /// When the last core left.
    end: u64,
    /// Numbers the events, so that of two at the same time the older one comes first.
    sequence: u64,
    events: BinaryHeap<Reverse<(u64, u64, Event)>>,
    cache: Cache,
    machine: Machine,
}

impl Timed {
    fn at(&mut self, time: u64, event: Event) {
        self.sequence += 1;
        self.events.push(Reverse((time, self.sequence, event)));
    }

    fn next(&mut self) -> Option<usize> {
        loop {
            let Reverse((time, _, event)) = self.events.pop()?;
            self.now = time;
            match event {
                Event::Core(core) => return Some(core),
                Event::Line(line) => {
                    let (core, done, again) = self.cache.serve(line, time);
                    self.at(done, Event::Core(core));
                    if let Some(time) = again {
                        self.at(time, Event::Line(line));
                    }
                }
            }
        }
    }

    /// Others whose time comes first go first.
    fn arrive(&mut self, core: usize) -> Next {
        let time = self.now + std::mem::take(&mut self.ahead);
        if self.events.peek().is_some_and(|Reverse((first, ..))| *first <= time) {
            self.at(time, Event::Core(core));
            return Next::Suspend;
        }
        self.now = time;
        Next::GoOn
    }

    fn access(&mut self, core: usize, line: usize, kind: Kind) -> Next {
        match self.cache.access(core, line, kind, self.now) {
            Outcome::Hit(cost) => {
                self.ahead = cost;
                return Next::GoOn;
            }
            Outcome::Done(time) => self.at(time, Event::Core(core)),
            Outcome::Queued(None) => {}
            Outcome::Queued(Some(time)) => self.at(time, Event::Line(line)),
        }
        Next::Suspend
    }
}

/// Which core is next, where time does not say.
enum Order {
    /// Any.
    Any,
    /// Any, but not [`Untimed::SLOW`] until so many steps were made.
    Slow { until: u64 },
    /// The last one of the list. It falls behind the others at these steps, the last one first.
    Priorities { changes: Vec<u64> },
}

/// Every order of accesses is as good as any other.
pub(crate) struct Untimed {
    random: Random,
    order: Order,
    runnable: Vec<usize>,
    steps: u64,
    /// Steps since another core ran.
    alone: usize,
    chosen: Option<usize>,
}

impl Untimed {
    /// With priorities: steps after which a core falls behind the others as if it had waited. It may be
    /// waiting for them without saying so.
    const PATIENCE: usize = 2000;
    /// The slow core, how often it does not stop, and how many steps the others make at most when it does.
    const SLOW: usize = 0;
    const GOES_ON: usize = 4;
    const MOST_STEPS: u64 = 80;

    fn new(seed: u64, order: Order) -> Self {
        Self { random: Random::new(seed), order, runnable: Vec::new(), steps: 0, alone: 0, chosen: None }
    }

    fn start(&mut self, cores: usize) {
        self.runnable = (0..cores).collect();
        for index in (1..cores).rev() {
            self.runnable.swap(index, self.random.index(index + 1));
        }
    }

    fn next(&mut self) -> Option<usize> {
        self.chosen.take().or_else(|| self.choose())
    }

    fn choose(&mut self) -> Option<usize> {
        let last = *self.runnable.last()?;
        match self.order {
            Order::Priorities { .. } => return Some(last),
            Order::Slow { until } if self.steps < until => {
                let others = || self.runnable.iter().copied().filter(|&core| core != Self::SLOW);
                if let Some(choices) = others().count().checked_sub(1) {
                    return others().nth(self.random.index(choices + 1));
                }
            }
            Order::Any | Order::Slow { .. } => {}
        }
        Some(self.runnable[self.random.index(self.runnable.len())])
    }

    fn arrive(&mut self, core: usize) -> Next {
        self.steps += 1;
        self.alone += 1;
        match &mut self.order {
            Order::Any => {}
            Order::Slow { until } => {
                if core == Self::SLOW && self.random.index(Self::GOES_ON) == 0 {
                    *until = self.steps + self.random.below(Self::MOST_STEPS);
                }
            }
            Order::Priorities { changes } => {
                let mut behind = self.alone >= Self::PATIENCE;
                while changes.last().is_some_and(|step| *step <= self.steps) {
                    changes.pop();
                    behind = true;
                }
                if behind {
                    self.fall_behind(core);
                }
            }
        }
        self.switch(core)
    }

    fn relax(&mut self, core: usize) -> Next {
        if matches!(self.order, Order::Priorities { .. }) {
            self.fall_behind(core);
        }
        self.switch(core)
    }

    fn fall_behind(&mut self, core: usize) {
        self.alone = 0;
        self.runnable.retain(|&other| other != core);
        self.runnable.insert(0, core);
    }

    fn switch(&mut self, core: usize) -> Next {
        self.chosen = self.choose();
        if self.chosen == Some(core) {
            self.chosen = None;
            return Next::GoOn;
        }
        self.alone = 0;
        Next::Suspend
    }
}
