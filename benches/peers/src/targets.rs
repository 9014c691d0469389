//! What the project wants to reach, as ratios of medians within one run.

use crate::contenders::{
    CDS, CDS_ELIMINATION, CK, DIRECT, EPOCH, FLOOR, HANDLE, HAPHAZARD, NO_BACKOFF, PARKING_LOT, STD, Side, all,
};
use crate::results::{LOCKED, Results, Spread};
use crate::workload;
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
    /// So many times as fast as each of these.
    Faster(&'static [&'static str], f64),
    /// At most so many times as slow.
    Within(&'static str, f64),
    /// At least as fast as every peer.
    Ahead,
    /// The slowest thread does at least so much of its fair share.
    Share(f64),
    /// This percentile of an operation's latency is not above that one's.
    Latency(&'static str, &'static str),
}

const fn target(workload: &'static str, ours: &'static str, goal: Goal) -> Target {
    Target { workload, ours, goal }
}

const TARGETS: [Target; 27] = [
    target("pairs-1", HANDLE, Goal::Faster(&[EPOCH], 5.0)),
    target("pairs-1", HANDLE, Goal::Faster(&[HAPHAZARD], 5.0)),
    target("pairs-1", HANDLE, Goal::Faster(&[STD], 1.0)),
    target("pairs-1", HANDLE, Goal::Within(FLOOR, 1.2)),
    target("pairs-1", DIRECT, Goal::Faster(&[EPOCH], 4.5)),
    target("pairs-2", HANDLE, Goal::Faster(&[EPOCH], 6.0)),
    target("pairs-2", HANDLE, Goal::Faster(&[CK], 3.0)),
    target("pairs-2", HANDLE, Goal::Faster(&[PARKING_LOT], 1.9)),
    target("pairs-2", HANDLE, Goal::Within(FLOOR, 1.5)),
    target("one-way", HANDLE, Goal::Ahead),
    target("pairs-8", HANDLE, Goal::Faster(&[EPOCH], 6.0)),
    target("pairs-8", HANDLE, Goal::Faster(&[CDS, CDS_ELIMINATION], 4.0)),
    target("pairs-8", HANDLE, Goal::Faster(&[PARKING_LOT], 1.3)),
    target("pairs-32", HANDLE, Goal::Faster(&[EPOCH], 6.0)),
    target("pairs-32", HANDLE, Goal::Faster(&[CDS, CDS_ELIMINATION], 4.0)),
    target("pairs-32", HANDLE, Goal::Faster(&[PARKING_LOT], 1.3)),
    target("own-work-50", HANDLE, Goal::Ahead),
    target("own-work-8", HANDLE, Goal::Ahead),
    target("pairs-2", HANDLE, Goal::Share(0.5)),
    target("pairs-2", DIRECT, Goal::Share(0.5)),
    target("pairs-8", HANDLE, Goal::Share(0.5)),
    target("pairs-8", DIRECT, Goal::Share(0.5)),
    target("latency", HANDLE, Goal::Latency("p99.9", STD)),
    target("latency", DIRECT, Goal::Latency("p99.9", STD)),
    // What waits least, at the price of time.
    target("latency", NO_BACKOFF, Goal::Latency("p99.9", STD)),
    // With own work in between, here the clock, nobody waits through a handle either.
    target("latency-each", HANDLE, Goal::Latency("p99.9", STD)),
    target("latency-each", DIRECT, Goal::Latency("p99.9", STD)),
];

/// One line of the report.
pub struct Line {
    pub workload: &'static str,
    pub ours: &'static str,
    /// Against whom: the nearest one, if there are several.
    pub against: String,
    pub wanted: String,
    pub measured: Option<Spread>,
    /// Digits after the point.
    pub digits: usize,
    pub reached: bool,
    /// For a goal that is so many times a peer: what the machine allows.
    pub limit: Option<Limit>,
    /// For a goal that is of latency: what is measured for the floor, which neither waits nor reclaims.
    pub floor: Option<f64>,
}

/// What no stack of this kind can be faster than on this machine.
///
/// All pairs, of however many threads, go through one head, one after the other: the compare-exchange of a push, and that
/// of a pop, each of which has to wait for the one before. So no stack takes less than the floor does with one thread,
/// whose head never leaves its core; or than a handle takes so, which may be less. In the elimination array a pair takes no turn
/// at the head, but two cache lines' transfers at least, which is more.
///
/// Nor does one thread take less than all read-modify-writes of its pair: the processor executes them one after the other.
#[derive(Clone, Copy, Debug)]
pub struct Limit {
    /// How many times as fast as the peer, and what the peer takes, in nanoseconds.
    pub wanted: f64,
    pub peer: f64,
    /// What ours takes; the floor with one thread, and a handle.
    pub ours: f64,
    pub floor: f64,
    pub handle: f64,
    /// Read-modify-writes that one pair of ours makes, which are locked instructions on x86, and what one takes.
    pub operations: u32,
    pub locked: f64,
    /// Of a pair, on one thread: those of several threads overlap but for the head's.
    pub alone: bool,
}

impl Limit {
    /// What a pair takes at least, in nanoseconds.
    fn least(self) -> f64 {
        let list = self.floor.min(self.handle);
        if self.alone { list.max(f64::from(self.operations) * self.locked) } else { list }
    }

    /// How many times as fast as the peer a stack may be.
    #[must_use]
    pub fn most(self) -> f64 {
        self.peer / self.least()
    }

    #[must_use]
    pub fn is_beyond(self) -> bool {
        self.most() < self.wanted
    }
}

/// Read-modify-writes of a pair of the list alone: one links the node, one unlinks it.
pub const LIST_OPERATIONS: u32 = 2;

/// A handle makes no more of them: its push shows the hazard for the pop, by a plain store. Without one each of the two
/// operations claims a slot, by which the pop publishes its hazard. Leaving a slot is a plain store.
fn operations(ours: &str) -> u32 {
    LIST_OPERATIONS + if ours == DIRECT { 2 } else { 0 }
}

fn limit(results: &Results, workload: &str, ours: &str, peer: &str, wanted: f64) -> Option<Limit> {
    let takes = |workload, name| results.spread(workload, name, "ns").map(|spread| spread.median);
    Some(Limit {
        wanted,
        peer: takes(workload, peer)?,
        ours: takes(workload, ours)?,
        floor: takes("pairs-1", FLOOR)?,
        handle: takes("pairs-1", HANDLE)?,
        operations: operations(ours),
        locked: results.machine(LOCKED)?.median,
        alone: workload::named(workload)?.threads == 1,
    })
}

/// All lines.
#[must_use]
pub fn lines(results: &Results) -> Vec<Line> {
    let timed = TARGETS.iter().map(|target| line(results, target));
    timed.chain(memory(results)).chain(allocator(results)).filter(|line| line.measured.is_some()).collect()
}

fn line(results: &Results, target: &Target) -> Line {
    let Target { workload, ours, goal } = *target;
    let (against, measured, wanted, reached): (_, _, _, fn(f64, f64) -> bool) = match goal {
        Goal::Faster(peers, times) => {
            let (against, measured) = nearest(results, workload, ours, peers);
            (against, measured, (times, format!("{times} times as fast")), at_least)
        }
        Goal::Ahead => {
            let peers: Vec<_> =
                all().into_iter().filter(|entry| entry.side == Side::Peer).map(|entry| entry.name).collect();
            let (against, measured) = nearest(results, workload, ours, &peers);
            (format!("every peer; nearest: {against}"), measured, (1.0, "1 times as fast".to_owned()), at_least)
        }
        Goal::Within(peer, times) => {
            let measured = results.ratio(workload, "ns", peer, ours);
            (peer.to_owned(), measured, (times, format!("at most {times} times as slow")), at_most)
        }
        Goal::Share(share) => {
            let measured = results.spread(workload, ours, "share");
            ("its fair share, the slowest thread".to_owned(), measured, (share, share.to_string()), at_least)
        }
        Goal::Latency(percentile, peer) => {
            let measured = results.ratio(workload, percentile, peer, ours);
            (format!("{percentile} of {peer}"), measured, (1.0, "at most 1 times as slow".to_owned()), at_most)
        }
    };
    let reached = measured.is_some_and(|measured| reached(measured.median, wanted.0));
    let (mut limit_of_time, mut floor) = (None, None);
    match goal {
        Goal::Faster(..) => limit_of_time = limit(results, workload, ours, &against, wanted.0),
        Goal::Latency(percentile, peer) => {
            floor = results.ratio(workload, percentile, peer, FLOOR).map(|spread| spread.median);
        }
        _ => {}
    }
    Line { workload, ours, against, wanted: wanted.1, measured, digits: 2, reached, limit: limit_of_time, floor }
}

fn at_least(measured: f64, wanted: f64) -> bool {
    measured >= wanted
}

fn at_most(measured: f64, wanted: f64) -> bool {
    measured <= wanted
}

/// The peer that is nearest to `ours`, and how many times faster `ours` is.
fn nearest(results: &Results, workload: &str, ours: &str, peers: &[&'static str]) -> (String, Option<Spread>) {
    let ratios = peers.iter().filter_map(|peer| Some((*peer, results.ratio(workload, "ns", ours, peer)?)));
    let nearest = ratios.min_by(|one, other| one.1.median.total_cmp(&other.1.median));
    (nearest.map_or(peers[0], |pair| pair.0).to_owned(), nearest.map(|pair| pair.1))
}

/// Bytes held at the end of the workload `memory`, and those that the process got meanwhile; and what the documentation
/// allows.
fn memory(results: &Results) -> Vec<Line> {
    let workload = workload::named("memory").expect("there is one");
    // A node has a link and a value. A further slot has its nodes and a few cache lines.
    let nodes = |nodes: usize| nodes * mem::size_of::<[u64; 2]>();
    let values = nodes(Stack::<u64>::IDLE_NODES + workload.threads);
    let slot = nodes(Stack::<u64>::SLOT_NODES) + 3 * 128;
    // The handles take all slots, so one more is made.
    let bounds = [(DIRECT, values), (HANDLE, values + slot)];
    let lines = bounds.into_iter().flat_map(|(ours, bound)| {
        ["bytes held", "resident"].map(|memory| count_line(results, workload.name, ours, memory, bound))
    });
    lines.collect()
}

/// Calls of the allocator for each unit of work in the steady state.
fn allocator(results: &Results) -> Vec<Line> {
    use workload::Kind::{Memory, PopHeavy, PushHeavy};
    // With many more pushes than pops there is no steady state. And where memory is measured, slots and nodes are made as it
    // comes; these pairs are in the steady state at the workload `pairs-8`.
    let steady = workload::ALL.iter().filter(|workload| !matches!(workload.kind, PushHeavy | PopHeavy | Memory));
    let line = |(workload, ours)| count_line(results, workload, ours, "allocator calls", 0);
    steady.flat_map(|workload| [(workload.name, DIRECT), (workload.name, HANDLE)]).map(line).collect()
}

fn against(count: &str) -> &str {
    match count {
        "bytes held" => "the bound: bytes that its nodes and slots have",
        "resident" => "the bound: bytes added to the resident memory",
        _ => "calls of the allocator, each",
    }
}

#[expect(clippy::cast_precision_loss, reason = "there are fewer than 2 to the 52nd")]
fn count_line(results: &Results, workload: &'static str, ours: &'static str, count: &str, most: usize) -> Line {
    let measured = results.count(workload, ours, count);
    let reached = measured.is_some_and(|measured| measured.median <= most as f64);
    let digits = if most == 0 { 6 } else { 0 };
    Line {
        workload,
        ours,
        against: against(count).to_owned(),
        wanted: format!("at most {most}"),
        measured,
        digits,
        reached,
        limit: None,
        floor: None,
    }
}
