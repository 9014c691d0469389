//! One thread's work on a stack.

use crate::contender::{Access, Value};
use hdrhistogram::Histogram;
use std::hint::{black_box, spin_loop};
use std::marker::PhantomData;
use std::ops::Add;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// Rounds between two looks at the clock, which costs about 25 ns.
const ROUNDS: u32 = 128;
/// Values of a burst.
const BURST: usize = 64;
/// How far ahead of the pops a push may be when calls of the allocator are counted, so that there is a steady state.
const AHEAD: u64 = 128;

/// What went in, less what came out: how many values, and the sum of their ids. The sum tells whether a value was lost or
/// doubled: no two ids are the same, and their differences are those of a random sequence.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    values: i64,
    sum: u64,
}

impl Tally {
    #[inline]
    fn pushed(&mut self, id: u64) {
        self.values += 1;
        self.sum = self.sum.wrapping_add(id);
    }

    #[inline]
    pub fn popped(&mut self, id: u64) {
        self.values -= 1;
        self.sum = self.sum.wrapping_sub(id);
    }

    /// Whether all that went in came out.
    #[must_use]
    pub fn is_even(&self) -> bool {
        (self.values, self.sum) == (0, 0)
    }
}

impl Add for Tally {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { values: self.values + other.values, sum: self.sum.wrapping_add(other.sum) }
    }
}

/// What a thread notes of its work.
#[derive(Clone, Copy)]
struct Record {
    tally: Tally,
    /// Pairs, values or operations done.
    counted: u64,
    index: u64,
    id: u64,
    state: u64,
}

impl Record {
    /// Odd, so that the sequence comes back after 2^64 ids.
    const STEP: u64 = 0x9E37_79B9_7F4A_7C15;

    fn new(index: u64) -> Self {
        Self { tally: Tally::default(), counted: 0, index, id: Self::STEP.wrapping_mul(index << 48), state: index }
    }

    /// An id that no other value has: of one Weyl sequence, in which each thread begins 2^48 ids after the last one.
    #[inline]
    fn next_id(&mut self) -> u64 {
        self.id = self.id.wrapping_add(Self::STEP);
        self.id
    }

    #[inline]
    fn push<T: Value>(&mut self, access: &mut impl Access<T>) {
        let id = self.next_id();
        self.tally.pushed(id);
        access.push(T::new(id));
    }

    #[inline]
    fn pop<T: Value>(&mut self, access: &mut impl Access<T>) -> bool {
        match access.pop() {
            Some(value) => {
                self.tally.popped(value.id());
                true
            }
            None => false,
        }
    }

    #[inline]
    fn some_pairs<T: Value>(&mut self, access: &mut impl Access<T>, pairs: u64) {
        for _ in 0..pairs {
            self.push(access);
            self.pop(access);
        }
        self.counted += pairs;
    }
}

/// One thread with its access to the stack.
pub struct Worker<'a, A, T> {
    access: A,
    record: Record,
    /// Values that came out of a `one_way`.
    received: &'a AtomicU64,
    values: PhantomData<T>,
}

impl<'a, A: Access<T>, T: Value> Worker<'a, A, T> {
    pub fn new(access: A, index: u64, received: &'a AtomicU64) -> Self {
        Self { access, record: Record::new(index), received, values: PhantomData }
    }

    pub fn tally(&self) -> Tally {
        self.record.tally
    }

    /// Pairs, values or operations done.
    pub fn counted(&self) -> u64 {
        self.record.counted
    }

    /// Gives `action` the record as a variable of its own, which can be in registers: in memory, to write it took 0.4 ns of each
    /// pair, where the fastest ones take 12.
    #[inline]
    fn work(&mut self, action: impl FnOnce(&mut A, &mut Record)) {
        let mut record = self.record;
        action(&mut self.access, &mut record);
        self.record = record;
    }

    fn until(&mut self, time: Duration, mut round: impl FnMut(&mut A, &mut Record)) {
        let begin = Instant::now();
        while begin.elapsed() < time {
            self.work(|access, record| {
                for _ in 0..ROUNDS {
                    round(access, record);
                }
            });
        }
    }

    pub fn pairs(&mut self, time: Duration) {
        self.pairs_with(time, |_| ());
    }

    pub fn pairs_with(&mut self, time: Duration, mut own_work: impl FnMut(&mut u64)) {
        self.until(time, |access, record| {
            record.push(access);
            own_work(&mut record.state);
            record.pop(access);
            own_work(&mut record.state);
            record.counted += 1;
        });
        black_box(self.record.state);
    }

    /// To read the clock takes about as long as two operations. So `untimed` pairs go before each one that is timed: else the
    /// clock would be own work between all operations.
    pub fn timed_pairs(&mut self, time: Duration, latencies: &mut Histogram<u32>, untimed: u32) {
        let mut note = |begin: Instant| {
            let nanoseconds = u64::try_from(begin.elapsed().as_nanos()).unwrap_or(u64::MAX);
            latencies.saturating_record(nanoseconds);
        };
        self.until(time, |access, record| {
            record.some_pairs(access, untimed.into());
            let begin = Instant::now();
            record.push(access);
            note(begin);
            let begin = Instant::now();
            record.pop(access);
            note(begin);
            record.counted += 1;
        });
    }

    pub fn some_pairs(&mut self, pairs: u64) {
        self.work(|access, record| record.some_pairs(access, pairs));
    }

    pub fn bursts(&mut self, time: Duration) {
        self.until(time, |access, record| {
            for _ in 0..BURST {
                record.push(access);
            }
            for _ in 0..BURST {
                record.pop(access);
            }
            record.counted += BURST as u64;
        });
    }

    pub fn bulk(&mut self, time: Duration) {
        self.until(time, |access, record| {
            let ids: [u64; BURST] = std::array::from_fn(|_| record.next_id());
            for id in ids {
                record.tally.pushed(id);
            }
            access.push_all(ids.into_iter().map(T::new));
            let tally = &mut record.tally;
            access.take_all(|value| tally.popped(value.id()));
            record.counted += BURST as u64;
        });
    }

    /// The first thread pushes so many values, the other one pops as many; `before` as many as that have gone the same way.
    pub fn one_way(&mut self, values: u64, before: u64) {
        let received = self.received;
        self.work(|access, record| {
            let numbers = before + 1..=before + values;
            if record.index == 0 {
                for number in numbers {
                    record.push(access);
                    // The other one may be ahead: it pops what was piled, too.
                    while cfg!(feature = "count") && number > received.load(Relaxed) + AHEAD {
                        std::thread::yield_now();
                    }
                }
            } else {
                for number in numbers {
                    while !record.pop(access) {
                        spin_loop();
                    }
                    if cfg!(feature = "count") {
                        received.store(number, Relaxed);
                    }
                }
                record.counted += values;
            }
        });
    }

    /// Pushes more values than are in the stack at once later, and pops them: afterwards there are spare nodes, and to make
    /// the last of them is no part of the steady state.
    pub fn pile(&mut self) {
        const VALUES: usize = 8 * BURST;
        self.work(|access, record| {
            for _ in 0..VALUES {
                record.push(access);
            }
            for _ in 0..VALUES {
                record.pop(access);
            }
        });
    }

    /// So many operations, of which `pushes` of 10 push.
    pub fn mixed(&mut self, operations: u64, pushes: u64) {
        self.work(|access, record| {
            for operation in 0..operations {
                if operation % 10 < pushes {
                    record.push(access);
                } else {
                    record.pop(access);
                }
            }
            record.counted += operations;
        });
    }
}
