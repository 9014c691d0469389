//! One run: what the cores did, and what came of it.

use crate::contenders::{Counts, Shared, Worker};
use crate::workload::{Setting, Steps, Workload};
use machine::{Body, Policy, Report, Simulation};
use std::cell::{Cell, RefCell};

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
    let workers: Vec<_> = (0..setting.cores).map(|_| RefCell::new(stack.worker())).collect();
    let warm = warm_up(&simulation, &workers);
    (0..setting.workload.prefill(setting.cycles)).for_each(|value| workers[0].borrow_mut().push(value));
    let done = RefCell::new(vec![Done::default(); setting.cores]);
    let body = |core: usize| -> Body<'_> {
        let (worker, done) = (&workers[core], &done);
        Box::new(move || {
            let result = work(&mut *worker.borrow_mut(), setting);
            done.borrow_mut()[core] = result;
        })
    };
    let before = stack.counts();
    let report = simulation.run((0..setting.cores).map(body).collect());
    sample(&done.into_inner(), &warm, &report, before, stack.counts())
}

/// Lets one core after the other push and pop alone until it has a node, and the lines that it needs in its cache, as they are
/// in the long run. What more nodes a workload needs it gets as it goes on.
fn warm_up<W: Worker>(simulation: &Simulation, workers: &[RefCell<W>]) -> Report {
    /// No push and pop takes less.
    const LEAST_CYCLES: usize = 40;
    let pairs = 5 * workers.len().max(8);
    let turn = Cell::new(0);
    let body = |core: usize| -> Body<'_> {
        let (worker, turn) = (&workers[core], &turn);
        Box::new(move || {
            while turn.get() < core {
                machine::work(((core - turn.get()) * pairs * LEAST_CYCLES) as u64);
                machine::pass();
            }
            for _ in 0..pairs {
                worker.borrow_mut().push(0);
                worker.borrow_mut().pop();
            }
            turn.set(core + 1);
        })
    };
    simulation.run((0..workers.len()).map(body).collect())
}

/// What one core does until the time is over.
fn work(worker: &mut impl Worker, setting: &Setting) -> Done {
    let start = machine::now();
    let mut steps = Steps::new(setting);
    let mut done = Done::default();
    loop {
        let push = steps.next_is_push();
        let begin = machine::now() - start;
        let success = if push {
            worker.push(begin);
            true
        } else {
            worker.pop().is_some()
        };
        let end = machine::now() - start;
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

fn sample(done: &[Done], warm: &Report, report: &Report, before: Counts, after: Counts) -> Sample {
    Sample {
        operations: done.iter().map(|done| done.operations).collect(),
        all: done.iter().map(|done| done.all).sum(),
        longest: done.iter().map(|done| done.longest).max().unwrap_or_default(),
        counts: Counts {
            lost_races: after.lost_races - before.lost_races,
            eliminated: after.eliminated - before.eliminated,
            withdrawals: after.withdrawals - before.withdrawals,
        },
        transfers: report.transfers - warm.transfers,
        far_transfers: report.far_transfers - warm.far_transfers,
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

    /// What the cores did that are compared with each other: the producer is not, with the consumers.
    fn shares(&self, setting: &Setting) -> &[u64] {
        &self.operations[usize::from(setting.workload == Workload::OneProducer)..]
    }

    /// What the slowest core did, of what each would do if all did the same.
    pub fn slowest(&self, setting: &Setting) -> f64 {
        let shares = self.shares(setting);
        ratio(shares.iter().min().copied().unwrap_or_default() * shares.len() as u64, shares.iter().sum())
    }

    /// R. Jain's index of the cores' shares: 1 if all did the same, 1/n if one of n did everything.
    pub fn fairness(&self, setting: &Setting) -> f64 {
        let shares = self.shares(setting);
        let squares = shares.iter().map(|share| share * share).sum::<u64>();
        let sum = shares.iter().sum::<u64>();
        ratio(sum * sum, squares * shares.len() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contenders::CONTENDERS;
    use machine::Machine;

    /// Where nearly all operations are of one kind hardly one of them meets a partner. All of them come back to the list, but not
    /// so many at once that each is in the other's way.
    #[test]
    fn the_list_is_not_overrun() {
        let default = CONTENDERS.iter().find(|contender| contender.name == "default").expect("it is measured");
        for machine in Machine::PRESETS {
            for pushes in [10, 90] {
                let throughput = |cores| {
                    let setting = Setting::new(machine, cores, Workload::Mixed { pushes });
                    (default.measure)(&setting).throughput(&setting)
                };
                let (some, many) = (throughput(16), throughput(64));
                assert!(many >= some / 3.0, "{}, {pushes} % pushes: {many} operations/us, {some} on 16", machine.name);
            }
        }
    }
}
