//! One sample: a contender under a workload, in a process of its own.

use crate::contender::{Access, Contender, Value};
use crate::machine::{Resident, uneven_work};
use crate::worker::{Tally, Worker};
use crate::workload::{Kind, Workload};
use hdrhistogram::Histogram;
use std::process;
use std::sync::Barrier;
use std::sync::atomic::AtomicU64;
use std::thread;
use std::time::{Duration, Instant};

/// How to take a sample.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    pub workload: Workload,
    /// How long, where a workload has no end of its own.
    pub time: Duration,
    /// How many values or operations for each thread, where it has.
    pub values: u64,
    /// Steps of own work that take a microsecond.
    pub steps: u32,
}

impl Plan {
    /// Before what is measured. Where calls of the allocator are counted it is longer: the steady state begins when the
    /// stack has been through its worst.
    fn warm_up(self) -> Self {
        if cfg!(feature = "count") {
            Self { time: self.time * 4, values: self.values * 4, ..self }
        } else {
            Self { time: self.time / 4, values: self.values / 4, ..self }
        }
    }
}

/// What a sample has measured: names and figures.
pub type Sample = Vec<(&'static str, f64)>;

/// What one thread has to say at its end.
pub struct Done {
    tally: Tally,
    /// Of the measured part alone.
    counted: u64,
    begin: Instant,
    end: Instant,
    latencies: Option<Histogram<u32>>,
    /// What the measured part has called, and the bytes that the thread has got and not given back.
    #[cfg(feature = "count")]
    allocator: crate::allocator::Count,
}

/// Takes one sample. Ends the process if a value was lost or came out twice.
#[must_use]
pub fn sample<S: Contender<T>, T: Value>(plan: &Plan) -> Sample {
    let stack = S::new();
    let threads = plan.workload.threads;
    // Whether memory grows is asked of what the pairs themselves have made.
    #[cfg(feature = "count")]
    if plan.workload.kind != Kind::Memory {
        stack.prepare(threads);
    }
    let start = Barrier::new(threads + 1);
    let end = Barrier::new(threads + 1);
    let popped = AtomicU64::new(0);
    let mut resident = (Resident::now(), Resident::now());
    let done: Vec<Done> = thread::scope(|scope| {
        let spawn = |index| {
            let (stack, start, end, popped) = (&stack, &start, &end, &popped);
            scope.spawn(move || {
                let mut worker = Worker::new(stack.access(), index, popped);
                let done = measure(&mut worker, plan, start);
                end.wait();
                end.wait();
                done
            })
        };
        let threads: Vec<_> = (0..threads as u64).map(spawn).collect();
        // Nobody works while memory is looked at.
        start.wait();
        resident.0 = Resident::now();
        start.wait();
        end.wait();
        resident.1 = Resident::now();
        end.wait();
        threads.into_iter().map(|thread| thread.join().expect("the thread ends")).collect()
    });
    check(&stack, &done);
    let mut sample = figures(&done);
    if plan.workload.kind == Kind::Memory {
        sample.push(("resident", resident.1.since(resident.0)));
    }
    #[cfg(feature = "count")]
    sample.extend(counts(&stack, &done));
    sample
}

/// One thread's part: warms up, waits for the others, and works.
fn measure<A: Access<T>, T: Value>(worker: &mut Worker<'_, A, T>, plan: &Plan, start: &Barrier) -> Done {
    let Plan { workload, time, values, steps } = *plan;
    let warm_up = plan.warm_up();
    let own_work = |nanoseconds| {
        let steps = steps * nanoseconds / 1000;
        move |state: &mut u64| uneven_work(state, steps)
    };
    if cfg!(feature = "count") {
        worker.pile();
    }
    let mut latencies = None;
    match workload.kind {
        Kind::Pairs | Kind::Large => worker.pairs(warm_up.time),
        Kind::Memory => worker.some_pairs(warm_up.values),
        Kind::OwnWork { nanoseconds } => worker.pairs_with(warm_up.time, own_work(nanoseconds)),
        Kind::Latency { untimed } => {
            // Up to a minute; does not grow, for it would call the allocator.
            let mut histogram = Histogram::new_with_bounds(1, 60_000_000_000, 3).expect("valid bounds");
            worker.timed_pairs(warm_up.time, &mut histogram, untimed);
            histogram.reset();
            latencies = Some(histogram);
        }
        Kind::Bursts => worker.bursts(warm_up.time),
        Kind::Bulk => worker.bulk(warm_up.time),
        Kind::OneWay => worker.one_way(warm_up.values, 0),
        Kind::PushHeavy => {
            worker.mixed(warm_up.values, 9);
            worker.mixed(warm_up.values, 1);
        }
        Kind::PopHeavy => worker.mixed(values, 9),
    }
    // Between the two, memory is looked at.
    start.wait();
    start.wait();
    let before = worker.counted();
    #[cfg(feature = "count")]
    let calls = crate::allocator::Count::of_thread().calls;
    let begin = Instant::now();
    match workload.kind {
        Kind::Pairs | Kind::Large => worker.pairs(time),
        Kind::Memory => worker.some_pairs(values),
        Kind::OwnWork { nanoseconds } => worker.pairs_with(time, own_work(nanoseconds)),
        Kind::Latency { untimed } => worker.timed_pairs(time, latencies.as_mut().expect("made above"), untimed),
        Kind::Bursts => worker.bursts(time),
        Kind::Bulk => worker.bulk(time),
        Kind::OneWay => worker.one_way(values, warm_up.values),
        Kind::PushHeavy => worker.mixed(values, 9),
        Kind::PopHeavy => worker.mixed(values, 1),
    }
    let end = Instant::now();
    Done {
        tally: worker.tally(),
        counted: worker.counted() - before,
        begin,
        end,
        latencies,
        #[cfg(feature = "count")]
        allocator: crate::allocator::Count::of_thread().less_calls(calls),
    }
}

/// Takes out what is left, and compares what came out with what went in.
fn check<S: Contender<T>, T: Value>(stack: &S, done: &[Done]) {
    let mut tally = done.iter().fold(Tally::default(), |sum, done| sum + done.tally);
    let mut access = stack.access();
    while let Some(value) = access.pop() {
        tally.popped(value.id());
    }
    if !tally.is_even() {
        eprintln!("values were lost or doubled: {tally:?}");
        process::exit(1);
    }
}

/// What every sample measures: nanoseconds, the slowest thread's share of its fair share, percentiles.
#[expect(clippy::cast_precision_loss, reason = "there are fewer than 2 to the 52nd")]
fn figures(done: &[Done]) -> Sample {
    let first = done.iter().map(|done| done.begin).min().expect("there is a thread");
    let last = done.iter().map(|done| done.end).max().expect("there is a thread");
    let counted: u64 = done.iter().map(|done| done.counted).sum();
    let slowest = done.iter().map(|done| done.counted).min().expect("there is a thread");
    let mut figures = vec![
        ("ns", (last - first).as_secs_f64() * 1e9 / counted as f64),
        ("share", slowest as f64 * done.len() as f64 / counted as f64),
    ];
    let mut latencies = done.iter().filter_map(|done| done.latencies.clone());
    if let Some(mut all) = latencies.next() {
        latencies.for_each(|more| all += more);
        for (name, quantile) in PERCENTILES {
            figures.push((name, all.value_at_quantile(quantile) as f64));
        }
    }
    figures
}

/// Of one operation's latency, in nanoseconds.
pub const PERCENTILES: [(&str, f64); 5] =
    [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999), ("p99.99", 0.9999)];

/// What the counting build says: calls of the allocator for each unit, bytes held, and the library's own counters.
#[cfg(feature = "count")]
#[expect(clippy::cast_precision_loss, reason = "there are fewer than 2 to the 52nd")]
fn counts<S: Contender<T>, T: Value>(stack: &S, done: &[Done]) -> Sample {
    let counted: u64 = done.iter().map(|done| done.counted).sum();
    let calls: u64 = done.iter().map(|done| done.allocator.calls).sum();
    let bytes: i64 = done.iter().map(|done| done.allocator.bytes).sum();
    let mut counts = vec![("allocator calls", calls as f64 / counted as f64), ("bytes held", bytes as f64)];
    if let Some(stats) = stack.stats() {
        let operations = (stats.pushes + stats.pops) as f64;
        let million = |count: usize| count as f64 * 1e6 / operations;
        counts.extend([
            ("lost races", million(stats.lost_races)),
            ("eliminations", million(stats.eliminated_pushes + stats.eliminated_pops)),
            ("withdrawals", million(stats.withdrawals)),
            ("scans", million(stats.scans)),
        ]);
    }
    counts
}
