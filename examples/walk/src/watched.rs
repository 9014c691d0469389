//! A stack whose operations are watched: how long one takes, or how often it calls the allocator.

use crate::stacks::{Counters, WorkStack, Worker};
use fastrand::Rng;
use hdrhistogram::Histogram;
use serde::Serialize;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// What is watched. One at a time, since each disturbs the other.
#[derive(Clone, Copy, PartialEq)]
pub enum Watch {
    /// How long an operation takes: one of [`PERIOD`], since to look at the clock takes as long as an operation.
    Time,
    /// Each operation's calls of the allocator.
    Allocator,
}

/// Of so many operations one is timed, on average; which one is random, for a pattern in the load not to matter.
const PERIOD: u32 = 16;

/// What was seen of pushes, and of pops that found a job.
#[derive(Clone)]
pub struct Seen {
    /// In nanoseconds.
    times: Histogram<u64>,
    /// To get and to give back memory.
    pub allocator_calls: u64,
}

impl Default for Seen {
    fn default() -> Self {
        let times = Histogram::new(3).expect("three digits are a valid precision");
        Self { times, allocator_calls: 0 }
    }
}

impl Seen {
    pub fn add(&mut self, other: &Self) {
        self.times.add(&other.times).expect("a histogram that grows has room for any time");
        self.allocator_calls += other.allocator_calls;
    }

    pub fn latency(&self) -> Latency {
        let at = |quantile| self.times.value_at_quantile(quantile);
        Latency { p50: at(0.5), p99: at(0.99), p99_9: at(0.999), max: self.times.max(), timed: self.times.len() }
    }
}

/// How long an operation took, in nanoseconds, with the look at the clock.
#[derive(Serialize)]
pub struct Latency {
    pub p50: u64,
    pub p99: u64,
    pub p99_9: u64,
    pub max: u64,
    /// How many operations were timed.
    pub timed: u64,
}

pub struct Watched<'s, S> {
    stack: &'s S,
    watch: Watch,
    /// By workers that have ended.
    seen: Mutex<Seen>,
}

impl<'s, S> Watched<'s, S> {
    pub fn new(stack: &'s S, watch: Watch) -> Self {
        Self { stack, watch, seen: Mutex::default() }
    }

    pub fn seen(self) -> Seen {
        self.seen.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<J, S: WorkStack<J>> WorkStack<J> for Watched<'_, S> {
    type Worker<'a>
        = WatchedWorker<'a, S::Worker<'a>>
    where
        Self: 'a;

    fn worker(&self) -> Self::Worker<'_> {
        WatchedWorker {
            worker: self.stack.worker(),
            watch: self.watch,
            random: Rng::new(),
            left: PERIOD,
            seen: Seen::default(),
            all: &self.seen,
        }
    }

    fn is_empty(&self) -> bool {
        self.stack.is_empty()
    }

    fn counters(&self) -> Option<Counters> {
        self.stack.counters()
    }
}

pub struct WatchedWorker<'a, W> {
    worker: W,
    watch: Watch,
    random: Rng,
    /// Operations until one is timed.
    left: u32,
    seen: Seen,
    all: &'a Mutex<Seen>,
}

impl<W> WatchedWorker<'_, W> {
    /// Does an operation, and watches it. It counts unless its result says otherwise.
    fn operation<R>(&mut self, operation: impl FnOnce(&mut W) -> R, counts: impl FnOnce(&R) -> bool) -> R {
        if self.watch == Watch::Allocator {
            let mut result = None;
            let calls = allocation_counter::measure(|| result = Some(operation(&mut self.worker)));
            let given_back = calls.count_total.wrapping_add_signed(-calls.count_current);
            self.seen.allocator_calls += calls.count_total + given_back;
            return result.expect("it was done");
        }
        self.left -= 1;
        if self.left > 0 {
            return operation(&mut self.worker);
        }
        self.left = self.random.u32(1..2 * PERIOD);
        let began = Instant::now();
        let result = operation(&mut self.worker);
        let took = began.elapsed();
        if counts(&result) {
            self.seen.times.saturating_record(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
        }
        result
    }
}

impl<J, W: Worker<J>> Worker<J> for WatchedWorker<'_, W> {
    fn push(&mut self, job: J) {
        self.operation(|worker| worker.push(job), |()| true);
    }

    fn pop(&mut self) -> Option<J> {
        self.operation(W::pop, Option::is_some)
    }
}

impl<W> Drop for WatchedWorker<'_, W> {
    fn drop(&mut self) {
        self.all.lock().unwrap_or_else(PoisonError::into_inner).add(&self.seen);
    }
}
