//! One run: what the cores did, and what came of it.

use crate::contenders::{Counts, Shared, Worker};
use crate::workload::{Setting, Steps, Workload};
use machine::{Body, Policy, Report, Simulation};
use std::cell::RefCell;

/// What a run gave, in whole numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// Operations of each core that count: pushes, and pops of a value.
    pub operations: Vec<u64>,
    /// All operations of the run, also those before they count; what is counted below belongs to these.
    pub all: u64,
    /// The longest of them, in cycles.
    pub longest: u64,
    pub counts: Counts,
    pub transfers: u64,
    pub far_transfers: u64,
}

/// What one core did.
#[derive(Clone, Copy, Default)]
struct Done {
    operations: u64,
    all: u64,
    longest: u64,
}

/// Runs the setting on a stack of this type.
pub fn measure<S: Shared>(setting: &Setting) -> Sample {
    let simulation = Simulation::new(Policy::Timed { machine: setting.machine, seed: setting.seed }, u64::MAX);
    let stack = simulation.place(S::new());
    {
        let mut worker = stack.worker();
        (0..setting.workload.prefill(setting.cycles)).for_each(|value| worker.push(value));
    }
    let done = RefCell::new(vec![Done::default(); setting.cores]);
    let body = |core: usize| -> Body<'_> {
        let (stack, done) = (&*stack, &done);
        Box::new(move || done.borrow_mut()[core] = work(stack, setting))
    };
    let before = stack.counts();
    let report = simulation.run((0..setting.cores).map(body).collect());
    sample(&done.into_inner(), &report, before, stack.counts())
}

/// What one core does until the time is over.
fn work<S: Shared>(stack: &S, setting: &Setting) -> Done {
    let mut worker = stack.worker();
    let mut steps = Steps::new(setting);
    let mut done = Done::default();
    loop {
        let push = steps.next_is_push();
        let begin = machine::now();
        let success = if push {
            worker.push(begin);
            true
        } else {
            worker.pop().is_some()
        };
        let end = machine::now();
        if end > setting.cycles {
            return done;
        }
        if success {
            done.all += 1;
            if begin >= setting.begin() {
                done.operations += 1;
                done.longest = done.longest.max(end - begin);
            }
        } else {
            // Nothing to do for a consumer.
            machine::spin_loop();
        }
    }
}

fn sample(done: &[Done], report: &Report, before: Counts, after: Counts) -> Sample {
    Sample {
        operations: done.iter().map(|done| done.operations).collect(),
        all: done.iter().map(|done| done.all).sum(),
        longest: done.iter().map(|done| done.longest).max().unwrap_or_default(),
        counts: Counts {
            lost_races: after.lost_races - before.lost_races,
            eliminated: after.eliminated - before.eliminated,
            withdrawals: after.withdrawals - before.withdrawals,
        },
        transfers: report.transfers,
        far_transfers: report.far_transfers,
    }
}

#[expect(clippy::cast_precision_loss, reason = "there are fewer than 2 to the 52nd")]
fn ratio(part: u64, whole: u64) -> f64 {
    part as f64 / whole.max(1) as f64
}

impl Sample {
    pub fn total(&self) -> u64 {
        self.operations.iter().sum()
    }

    /// Operations in a microsecond.
    pub fn throughput(&self, setting: &Setting) -> f64 {
        ratio(self.total(), setting.cycles - setting.begin()) * setting.machine.gigahertz * 1e3
    }

    /// So many of something for each operation.
    pub fn per_operation(&self, count: u64) -> f64 {
        ratio(count, self.all)
    }

    /// The longest operation, in nanoseconds.
    pub fn longest_nanoseconds(&self, setting: &Setting) -> f64 {
        ratio(self.longest, 1) / setting.machine.gigahertz
    }

    /// R. Jain's index of the cores' shares: 1 if all did the same, 1/n if one of n did everything. The producer is not
    /// compared with the consumers.
    pub fn fairness(&self, setting: &Setting) -> f64 {
        let skip = usize::from(setting.workload == Workload::OneProducer);
        let shares = &self.operations[skip..];
        let squares = shares.iter().map(|share| share * share).sum::<u64>();
        let sum = shares.iter().sum::<u64>();
        ratio(sum * sum, squares * shares.len() as u64)
    }
}
