//! What the project wants to reach, as ratios of medians within one run.

use crate::contenders::{DIRECT, FLOOR, HANDLE, NO_BACKOFF, PARKING_LOT, STD, Side, all};
use crate::results::{Results, Spread};
use crate::workload::{self, Kind, Workload};
use elimination_stack::Stack;
use std::mem;

/// What one of our stacks has to be at a workload.
struct Target {
    workload: &'static str,
    ours: &'static str,
    goal: Goal,
}

#[derive(Clone, Copy)]
enum Goal {
    /// Takes at most so many times what this one takes.
    Within(&'static str, f64),
    /// Takes at most so many times what it takes itself with one thread.
    Scales(f64),
    /// Takes at most so many times what the best other contender takes.
    Best(f64),
    /// Takes less than every peer.
    Ahead,
    /// The slowest thread does at least so much of its fair share.
    Share(f64),
    /// This percentile of an operation's latency is at most so many times that one's.
    Latency(&'static str, &'static str, f64),
}

impl Goal {
    /// How many rounds have to be measured before it is judged: the last percentiles differ much from round to round.
    fn rounds(self) -> usize {
        match self {
            Self::Latency("p99.9" | "p99.99", ..) => TAIL_ROUNDS,
            _ => 1,
        }
    }
}

const TAIL_ROUNDS: usize = 15;

const fn target(workload: &'static str, ours: &'static str, goal: Goal) -> Target {
    Target { workload, ours, goal }
}

const TARGETS: [Target; 33] = [
    // What `Handle` executes with one thread is counted by `ci/instructions`.
    target("pairs-1", HANDLE, Goal::Within(FLOOR, 1.2)),
    target("pairs-1", DIRECT, Goal::Within(STD, 1.0)),
    target("pairs-1", DIRECT, Goal::Within(PARKING_LOT, 1.0)),
    target("pairs-2", HANDLE, Goal::Scales(1.5)),
    target("pairs-2", DIRECT, Goal::Scales(1.5)),
    target("pairs-8", HANDLE, Goal::Scales(1.6)),
    target("pairs-8", DIRECT, Goal::Scales(1.8)),
    target("pairs-32", HANDLE, Goal::Scales(1.6)),
    target("pairs-32", DIRECT, Goal::Scales(1.8)),
    target("latency", HANDLE, Goal::Latency("p99", PARKING_LOT, 1.5)),
    target("latency", DIRECT, Goal::Latency("p99", PARKING_LOT, 1.5)),
    target("latency", HANDLE, Goal::Latency("p99.9", PARKING_LOT, 1.0)),
    target("latency", DIRECT, Goal::Latency("p99.9", PARKING_LOT, 1.0)),
    target("latency", HANDLE, Goal::Latency("p99.99", PARKING_LOT, 1.0)),
    target("latency", DIRECT, Goal::Latency("p99.99", PARKING_LOT, 1.0)),
    target("latency", HANDLE, Goal::Latency("p99.99", FLOOR, 6.0)),
    target("latency", DIRECT, Goal::Latency("p99.99", FLOOR, 6.0)),
    target("pairs-2", HANDLE, Goal::Share(0.9)),
    target("pairs-2", DIRECT, Goal::Share(0.9)),
    target("pairs-8", HANDLE, Goal::Share(0.7)),
    target("pairs-8", DIRECT, Goal::Share(0.7)),
    target("own-work-20", HANDLE, Goal::Best(1.05)),
    target("own-work-20", DIRECT, Goal::Best(1.15)),
    target("own-work-50", HANDLE, Goal::Best(1.05)),
    target("own-work-50", DIRECT, Goal::Best(1.15)),
    target("own-work-100", HANDLE, Goal::Best(1.05)),
    target("own-work-100", DIRECT, Goal::Best(1.15)),
    target("own-work-300", HANDLE, Goal::Best(1.05)),
    target("own-work-300", DIRECT, Goal::Best(1.15)),
    target("own-work-1000", HANDLE, Goal::Best(1.05)),
    target("own-work-1000", DIRECT, Goal::Best(1.15)),
    target("one-way", HANDLE, Goal::Ahead),
    target("one-way", DIRECT, Goal::Ahead),
];

/// In how many of three rounds a workload takes part: in all if the last percentiles are judged, in two if something else is,
/// in one if nothing is.
#[must_use]
pub fn rounds_of_three(workload: Workload) -> usize {
    let targets = TARGETS.iter().filter(|target| target.workload == workload.name);
    match targets.map(|target| target.goal.rounds()).max() {
        Some(TAIL_ROUNDS) => 3,
        Some(_) => 2,
        None if workload.kind == Kind::Memory => 2,
        None => 1,
    }
}

/// One line of the report.
pub struct Line {
    pub workload: &'static str,
    pub ours: &'static str,
    /// Against whom: the best one, if there are several.
    pub against: String,
    pub wanted: String,
    pub measured: Spread,
    /// Digits after the point.
    pub digits: usize,
    pub verdict: Verdict,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Reached,
    Missed,
    /// So many rounds of one class are needed.
    TooFew(usize),
}

impl Verdict {
    fn of(reached: bool) -> Self {
        if reached { Self::Reached } else { Self::Missed }
    }
}

/// All lines that there are figures for.
#[must_use]
pub fn lines(results: &Results) -> Vec<Line> {
    let timed = TARGETS.iter().filter_map(|target| line(results, target));
    timed.chain(memory(results)).chain(allocator(results)).collect()
}

fn line(results: &Results, target: &Target) -> Option<Line> {
    let Target { workload, ours, goal } = *target;
    let at_most = |times: f64| if times > 1.0 { format!("at most {times} times") } else { "not above".to_owned() };
    let (against, measured, wanted) = match goal {
        Goal::Within(other, times) => (other.to_owned(), results.ratio(workload, "ns", other, ours)?, at_most(times)),
        Goal::Scales(times) => {
            ("itself on 1 thread".to_owned(), results.growth(ours, "pairs-1", workload)?, at_most(times))
        }
        Goal::Best(times) => {
            let (best, measured) = best(results, workload, ours, others())?;
            (format!("the best other: {best}"), measured, at_most(times))
        }
        Goal::Ahead => {
            let (best, measured) = best(results, workload, ours, peers())?;
            (format!("the best peer: {best}"), measured, "less".to_owned())
        }
        Goal::Share(share) => {
            let measured = results.spread(workload, ours, "share")?;
            ("its fair share, the slowest thread".to_owned(), measured, format!("at least {share}"))
        }
        Goal::Latency(percentile, other, times) => {
            let measured = results.ratio(workload, percentile, other, ours)?;
            (format!("{percentile} of {other}"), measured, at_most(times))
        }
    };
    let reached = match goal {
        Goal::Within(_, most) | Goal::Scales(most) | Goal::Best(most) | Goal::Latency(.., most) => {
            measured.median <= most
        }
        Goal::Ahead => measured.median < 1.0,
        Goal::Share(least) => measured.median >= least,
    };
    let verdict = if measured.samples < goal.rounds() { Verdict::TooFew(goal.rounds()) } else { Verdict::of(reached) };
    Some(Line { workload, ours, against, wanted, measured, digits: 2, verdict })
}

fn peers() -> impl Iterator<Item = &'static str> {
    all().into_iter().filter(|entry| entry.side == Side::Peer).map(|entry| entry.name)
}

/// Everybody but the same stack with other settings. With `NoBackoff` it counts as another one: nobody waits there, so it shows
/// whether waiting was worth it.
fn others() -> impl Iterator<Item = &'static str> {
    let ours = |name: &str, side: Side| side == Side::Ours && name != NO_BACKOFF;
    all().into_iter().filter(move |entry| !ours(entry.name, entry.side)).map(|entry| entry.name)
}

/// The one of the others that takes least in the class that most samples of `ours` have, and how many times that `ours`
/// takes.
fn best<'a>(
    results: &Results,
    workload: &str,
    ours: &str,
    others: impl Iterator<Item = &'a str>,
) -> Option<(&'a str, Spread)> {
    let class = results.class_of(workload, ours);
    let ratios = others.filter_map(|other| Some((other, results.ratio_in(class, workload, "ns", other, ours)?)));
    ratios.max_by(|one, other| one.1.median.total_cmp(&other.1.median))
}

/// Bytes held at the end of the workload `memory`, and those that the process got meanwhile; and what the documentation
/// allows.
fn memory(results: &Results) -> Vec<Line> {
    let workload = workload::named("memory").expect("there is one");
    // A node has a link and a value. A further slot has its nodes and a few cache lines; and for it each of the slots may have
    // two nodes more.
    let nodes = |nodes: usize| nodes * mem::size_of::<[u64; 2]>();
    let values = nodes(Stack::<u64>::IDLE_NODES + workload.threads);
    let slot = nodes(Stack::<u64>::SLOT_NODES + 2 * (8 + 1)) + 3 * 128;
    // The handles take all slots, so one more is made.
    let bounds = [(DIRECT, values), (HANDLE, values + slot)];
    let kinds = [
        ("bytes held", "the bound: bytes that its nodes and slots have"),
        ("resident", "the bound: bytes by which the resident memory grows"),
    ];
    let lines = bounds.into_iter().flat_map(|(ours, bound)| {
        kinds.into_iter().filter_map(move |(memory, against)| {
            let measured = results.count(workload.name, ours, memory)?;
            Some(count_line(workload.name, ours, against.to_owned(), measured, bound))
        })
    });
    lines.collect()
}

/// Calls of the allocator for each unit of work in the steady state: of each stack the workload with most of them.
fn allocator(results: &Results) -> Vec<Line> {
    use Kind::{Memory, PopHeavy, PushHeavy};
    // With many more pushes than pops there is no steady state. And where memory is measured, slots and nodes are made as it
    // comes; these pairs are in the steady state at the workload `pairs-8`.
    let steady = |workload: &Workload| !matches!(workload.kind, PushHeavy | PopHeavy | Memory);
    let line = |ours| {
        let steady = workload::ALL.into_iter().filter(steady);
        let calls = |workload: Workload| Some((workload.name, results.count(workload.name, ours, "allocator calls")?));
        let counted: Vec<_> = steady.filter_map(calls).collect();
        let worst =
            counted.iter().copied().reduce(|worst, one| if one.1.median > worst.1.median { one } else { worst });
        let (workload, measured) = worst?;
        let against = format!("calls of the allocator, each; the worst of {} workloads", counted.len());
        Some(count_line(workload, ours, against, measured, 0))
    };
    [DIRECT, HANDLE].into_iter().filter_map(line).collect()
}

#[expect(clippy::cast_precision_loss, reason = "there are fewer than 2 to the 52nd")]
fn count_line(workload: &'static str, ours: &'static str, against: String, measured: Spread, most: usize) -> Line {
    let verdict = Verdict::of(measured.median <= most as f64);
    let digits = if most == 0 { 6 } else { 0 };
    Line { workload, ours, against, wanted: format!("at most {most}"), measured, digits, verdict }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::Row;

    const NEAR: f64 = 50.0;

    /// Adds a figure of each of so many rounds.
    fn add(results: &mut Results, workload: &str, contender: &str, metric: &str, value: f64, rounds: usize) {
        let transfer = if workload.ends_with("-1") { 0.0 } else { NEAR };
        let line = format!("{metric},{value},{transfer},{transfer}");
        let row = |round| Row::from_sample(workload, contender, round, &line).expect("a row");
        results.add(Ok((0..rounds).map(row).collect()));
    }

    fn times(workload: &str, contenders: &[(&str, f64)]) -> Results {
        let mut results = Results::default();
        for (contender, time) in contenders {
            add(&mut results, workload, contender, "ns", *time, 3);
        }
        results
    }

    fn judge(results: &Results, workload: &'static str, ours: &'static str, goal: Goal) -> Line {
        line(results, &target(workload, ours, goal)).expect("it was measured")
    }

    #[test]
    fn the_best_other_may_be_a_peer_the_floor_or_without_back_off() {
        for best in [PARKING_LOT, FLOOR, NO_BACKOFF] {
            let mut results = times("own-work-50", &[(HANDLE, 10.0)]);
            for other in [STD, PARKING_LOT, FLOOR, NO_BACKOFF] {
                add(&mut results, "own-work-50", other, "ns", if other == best { 8.0 } else { 12.0 }, 3);
            }
            let line = judge(&results, "own-work-50", HANDLE, Goal::Best(1.05));
            assert_eq!(line.against, format!("the best other: {best}"));
            assert_eq!((line.measured.median, line.verdict), (1.25, Verdict::Missed));
        }
    }

    #[test]
    fn the_best_other_is_so_in_the_class_of_ours() {
        let mut results = times("own-work-50", &[(HANDLE, 10.0), (STD, 10.0)]);
        let far = |contender, time, round| {
            Row::from_sample("own-work-50", contender, round, &format!("ns,{time},200,200")).expect("a row")
        };
        // Of two rounds, and of five.
        results.add(Ok((3..5).map(|round| far(HANDLE, 10.0, round)).collect()));
        results.add(Ok((3..8).map(|round| far(FLOOR, 5.0, round)).collect()));
        let line = judge(&results, "own-work-50", HANDLE, Goal::Best(1.05));
        assert_eq!((line.against.as_str(), line.verdict), ("the best other: std Mutex<Vec>", Verdict::Reached));
    }

    #[test]
    fn the_best_other_is_not_the_same_stack_with_other_settings() {
        let contenders =
            [(HANDLE, 10.0), (DIRECT, 11.0), ("Handle + Exponential", 5.0), ("Handle + Haphazard", 5.0), (STD, 10.0)];
        let results = times("own-work-50", &contenders);
        let handle = judge(&results, "own-work-50", HANDLE, Goal::Best(1.05));
        assert_eq!((handle.measured.median, handle.verdict), (1.0, Verdict::Reached));
        let direct = judge(&results, "own-work-50", DIRECT, Goal::Best(1.15));
        assert_eq!((direct.measured.median, direct.verdict), (1.1, Verdict::Reached));
    }

    #[test]
    fn ahead_is_of_the_peers_alone_and_by_something() {
        let results = times("one-way", &[(HANDLE, 10.0), (DIRECT, 20.0), (STD, 20.0), (FLOOR, 5.0), (NO_BACKOFF, 5.0)]);
        let handle = judge(&results, "one-way", HANDLE, Goal::Ahead);
        assert_eq!((handle.against.as_str(), handle.verdict), ("the best peer: std Mutex<Vec>", Verdict::Reached));
        assert_eq!(judge(&results, "one-way", DIRECT, Goal::Ahead).verdict, Verdict::Missed);
    }

    #[test]
    fn more_threads_are_compared_with_one() {
        let mut results = times("pairs-1", &[(HANDLE, 10.0)]);
        add(&mut results, "pairs-8", HANDLE, "ns", 16.0, 3);
        let line = judge(&results, "pairs-8", HANDLE, Goal::Scales(1.6));
        assert_eq!((line.measured.median, line.verdict), (1.6, Verdict::Reached));
        assert_eq!(judge(&results, "pairs-8", HANDLE, Goal::Scales(1.5)).verdict, Verdict::Missed);
    }

    #[test]
    fn the_last_percentiles_need_rounds() {
        for (rounds, tail) in [(TAIL_ROUNDS - 1, Verdict::TooFew(TAIL_ROUNDS)), (TAIL_ROUNDS, Verdict::Missed)] {
            let mut results = Results::default();
            for percentile in ["p99", "p99.9", "p99.99"] {
                add(&mut results, "latency", HANDLE, percentile, 20.0, rounds);
                add(&mut results, "latency", FLOOR, percentile, 10.0, rounds);
                // By this the class is chosen.
                add(&mut results, "latency", HANDLE, "ns", 20.0, rounds);
            }
            let verdict =
                |percentile| judge(&results, "latency", HANDLE, Goal::Latency(percentile, FLOOR, 1.0)).verdict;
            assert_eq!(["p99", "p99.9", "p99.99"].map(verdict), [Verdict::Missed, tail, tail]);
        }
    }

    #[test]
    fn a_share_has_to_be_large() {
        let mut results = times("pairs-2", &[(HANDLE, 10.0)]);
        add(&mut results, "pairs-2", HANDLE, "share", 0.9, 3);
        assert_eq!(judge(&results, "pairs-2", HANDLE, Goal::Share(0.9)).verdict, Verdict::Reached);
        assert_eq!(judge(&results, "pairs-2", HANDLE, Goal::Share(0.95)).verdict, Verdict::Missed);
    }

    #[test]
    fn of_the_calls_of_the_allocator_the_worst_workload_is_named() {
        let mut results = Results::default();
        for (workload, calls) in [("pairs-1", 0.0), ("pairs-8", 0.25), ("large", 0.125), ("push-heavy", 1.0)] {
            add(&mut results, workload, DIRECT, "allocator calls", calls, 1);
            add(&mut results, workload, HANDLE, "allocator calls", 0.0, 1);
        }
        let [direct, handle] = allocator(&results).try_into().ok().expect("one line for each stack");
        assert_eq!((direct.workload, direct.measured.median, direct.verdict), ("pairs-8", 0.25, Verdict::Missed));
        assert_eq!((handle.ours, handle.verdict), (HANDLE, Verdict::Reached));
        assert!(handle.against.ends_with("the worst of 3 workloads"));
    }

    #[test]
    fn what_is_judged_takes_part_in_more_rounds() {
        let rounds = |name| rounds_of_three(workload::named(name).expect("there is one"));
        assert_eq!(["latency", "pairs-2", "memory", "latency-each", "bulk-2"].map(rounds), [3, 2, 2, 1, 1]);
    }

    #[test]
    fn every_target_is_of_something_that_is_measured() {
        for target in TARGETS {
            assert!(workload::named(target.workload).is_some(), "{}", target.workload);
            assert!(all().iter().any(|entry| entry.name == target.ours), "{}", target.ours);
            if let Goal::Within(other, _) | Goal::Latency(_, other, _) = target.goal {
                assert!(all().iter().any(|entry| entry.name == other), "{other}");
            }
        }
    }
}
