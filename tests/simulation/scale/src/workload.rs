//! What the cores do.

use machine::{Machine, Random};
use std::fmt;

/// What the cores do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Workload {
    /// Each core pushes and pops by turns, and computes for so many cycles, more or less, before each.
    Pairs {
        /// Cycles of own work.
        own_work: u64,
    },
    /// Each operation is a push with this probability; the stack never runs empty.
    Mixed {
        /// In percent.
        pushes: u64,
    },
    /// One core pushes, all others pop.
    OneProducer,
}

impl Workload {
    /// All that are measured.
    pub const ALL: [Self; 6] = [
        Self::Pairs { own_work: 0 },
        Self::Pairs { own_work: 100 },
        Self::Pairs { own_work: 1000 },
        Self::Mixed { pushes: 90 },
        Self::Mixed { pushes: 10 },
        Self::OneProducer,
    ];

    /// Values that are in the stack before, for a run of so many cycles. More than pops exceed pushes by.
    pub fn prefill(self, cycles: u64) -> u64 {
        // No operation takes less.
        const LEAST_CYCLES: u64 = 20;
        match self {
            Self::Mixed { pushes } if pushes < 50 => cycles / LEAST_CYCLES,
            _ => 0,
        }
    }

    /// The fewest cores that it is for.
    pub fn least_cores(self) -> usize {
        if self == Self::OneProducer { 2 } else { 1 }
    }
}

/// Its name in tables and files.
impl fmt::Display for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pairs { own_work: 0 } => f.write_str("pairs"),
            Self::Pairs { own_work } => write!(f, "pairs-work-{own_work}"),
            Self::Mixed { pushes } => write!(f, "push-{pushes}"),
            Self::OneProducer => f.write_str("one-producer"),
        }
    }
}

/// One point to measure.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// What accesses cost.
    pub machine: Machine,
    /// How many cores.
    pub cores: usize,
    /// What they do.
    pub workload: Workload,
    /// For how long, in virtual time.
    pub cycles: u64,
    /// Of the generators.
    pub seed: u64,
}

impl Setting {
    /// Long enough for each core to come by often, at any number of cores.
    pub fn new(machine: Machine, cores: usize, workload: Workload) -> Self {
        Self { machine, cores, workload, cycles: 6_000_000 + 150_000 * cores as u64, seed: 0 }
    }

    /// From when on operations count: the waits have adapted by then.
    pub fn begin(&self) -> u64 {
        self.cycles / 2
    }
}

/// What one core does next.
pub struct Steps {
    workload: Workload,
    producer: bool,
    pushed: bool,
    random: Random,
}

impl Steps {
    /// The steps of the core that runs. Cores begin at different moments.
    pub fn new(setting: &Setting) -> Self {
        const HEAD_START: u64 = 1000;
        let core = machine::core_number();
        let mut random = Random::new((setting.seed << 8) + core as u64);
        machine::work(random.below(HEAD_START));
        Self { workload: setting.workload, producer: core == 0, pushed: false, random }
    }

    /// Whether the next operation is a push. Before that the core does its own work.
    pub fn next_is_push(&mut self) -> bool {
        match self.workload {
            Workload::Pairs { own_work } => {
                machine::work(own_work / 2 + self.random.below(own_work + 1));
                self.pushed = !self.pushed;
                self.pushed
            }
            Workload::Mixed { pushes } => self.random.below(100) < pushes,
            Workload::OneProducer => self.producer,
        }
    }
}
