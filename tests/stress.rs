//! Threads that call a stack at random, as fast as they can, optimised: for what goes wrong once in a million operations.
//!
//! The other suites check more after each call, and so leave less room for a race. Here a value is checked when it comes out,
//! and the sums when all threads are done. The threads work in phases, in each of which they use a stack in one way:
//! most often pushes and pops in turn through a handle, which is what the fast paths are made for.
//!
//! Meant for `cargo test --release --test stress`, which takes some seconds; without `--release` it takes less time, and sees
//! less.

#[macro_use]
mod common;
#[path = "common/ledger.rs"]
mod ledger;

use common::*;
use ledger::Ledger;
use std::hint;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

for_each_stack! { stress }

const THREADS: [usize; 4] = [1, 2, 8, 32];
/// Values that each thread may have put in and not taken out again, where it pushes and pops at random.
const BACKLOG: isize = 40;
/// How long so many threads work on one stack, in milliseconds: longest where each may have a core.
const TIME: [usize; 4] = if cfg!(debug_assertions) { [5, 40, 20, 20] } else { [20, 400, 150, 100] };

/// A value that says what it is six times, so that its node has a layout that nothing else has.
struct Value([u64; 6]);

impl Value {
    fn new(id: u64) -> Self {
        Self([id; 6])
    }

    fn id(self) -> u64 {
        assert!(self.0.iter().all(|&word| word == self.0[0]), "torn: {:x?}", self.0);
        self.0[0]
    }
}

/// Values, as how many they are and the sum of their hashes: two lots with the same sum hold the same values, each as often,
/// but for once in 2^64.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Lot {
    values: isize,
    sum: u64,
}

impl Lot {
    fn hash(id: u64) -> u64 {
        let mixed = (id ^ (id >> 31)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        (mixed ^ (mixed >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9)
    }

    fn add(&mut self, id: u64) {
        self.values += 1;
        self.sum = self.sum.wrapping_add(Self::hash(id));
    }

    fn take(&mut self, value: Option<Value>) {
        if let Some(id) = value.map(Value::id) {
            self.values -= 1;
            self.sum = self.sum.wrapping_sub(Self::hash(id));
        }
    }

    fn join(&mut self, other: Self) {
        self.values += other.values;
        self.sum = self.sum.wrapping_add(other.sum);
    }
}

/// One thread, what it has put in, less what it has taken out.
struct Worker<'a, R: Engine, B: Backoff> {
    stack: &'a Stack<Value, R, B>,
    lot: Lot,
    random: Random,
    next: u64,
}

impl<R: Engine, B: Backoff> Worker<'_, R, B> {
    fn value(&mut self) -> Value {
        self.next += 1;
        self.lot.add(self.next);
        Value::new(self.next)
    }

    /// Some work of the thread's own, of random length, and often none.
    fn own_work(&mut self) {
        let length = self.random.below(64);
        for _ in 24..length {
            hint::spin_loop();
        }
    }

    /// Some operations, all of one kind or mixed.
    fn phase(&mut self) {
        match self.random.below(8) {
            0..3 => self.pairs(),
            3..5 => self.mixed_by_handle(),
            5 => self.pairs_without_handle(),
            6 => self.mixed(),
            _ => self.everything(),
        }
    }

    fn pairs(&mut self) {
        let works = [1, 3, 16][self.random.below(3)];
        let mut handle = self.stack.handle();
        for i in 0..400 {
            let value = self.value();
            handle.push(value);
            if i % works == 0 {
                self.own_work();
            }
            self.lot.take(handle.pop());
        }
    }

    fn mixed_by_handle(&mut self) {
        let stack = self.stack;
        let mut handle = stack.handle();
        for _ in 0..300 {
            match self.random.below(64) {
                0 => handle.push_all([self.value(), self.value(), self.value()]),
                1 => {
                    let value = self.value();
                    let refused = handle.push_spare(value);
                    self.lot.take(refused.err().map(PushError::into_value));
                }
                2 => self.own_work(),
                // As often as not, but no more than the backlog.
                3..34 if self.lot.values < BACKLOG => handle.push(self.value()),
                _ => self.lot.take(handle.pop()),
            }
        }
    }

    fn pairs_without_handle(&mut self) {
        for _ in 0..300 {
            let value = self.value();
            self.stack.push(value);
            self.own_work();
            self.lot.take(self.stack.pop());
        }
    }

    fn mixed(&mut self) {
        for _ in 0..300 {
            match self.random.below(4) {
                0 => self.own_work(),
                1 if self.lot.values < BACKLOG => self.stack.push(self.value()),
                2 if self.lot.values < BACKLOG => self.push_spare(),
                3 => self.lot.take(self.stack.try_pop().unwrap_or_default()),
                _ => self.lot.take(self.stack.pop()),
            }
        }
    }

    fn push_spare(&mut self) {
        let value = self.value();
        let refused = self.stack.push_spare(value);
        self.lot.take(refused.err().map(PushError::into_value));
    }

    /// All methods, with and without a handle.
    fn everything(&mut self) {
        let stack = self.stack;
        let mut handle = stack.handle();
        for _ in 0..100 {
            match self.random.below(16) {
                0..3 => handle.push(self.value()),
                3 => stack.push(self.value()),
                4 => self.push_spare(),
                5 => {
                    let values = self.random.below(20);
                    stack.push_all((0..values).map(|_| self.value()));
                }
                6 => {
                    // What comes in between finds the iterator's nodes in nobody's hands.
                    let mut taken = stack.take_all();
                    (0..3).for_each(|_| self.lot.take(taken.next()));
                    handle.push(self.value());
                    self.lot.take(handle.pop());
                    taken.for_each(|value| self.lot.take(Some(value)));
                }
                7 => self.lot.take(stack.try_pop().unwrap_or_default()),
                8 => _ = stack.reclaim(),
                9 => self.own_work(),
                10 => self.lot.take(stack.pop()),
                _ => self.lot.take(handle.pop()),
            }
        }
    }
}

fn stress<R: Engine, B: Backoff>() {
    // Who shares the cores with others is interrupted more often, but seldom works at the same time as somebody else.
    let _one = one_at_a_time();
    for (threads, milliseconds) in THREADS.into_iter().zip(TIME) {
        run::<R, B>(threads, Duration::from_millis(scaled(milliseconds) as u64));
    }
}

/// So many threads use a stack for so long.
fn run<R: Engine, B: Backoff>(threads: usize, time: Duration) {
    let ledger = Ledger::new::<Value>();
    let stack = Stack::<Value, R, B>::custom();
    let (stop, start) = (AtomicBool::new(false), Barrier::new(threads + 1));
    let work = |thread: usize| {
        let mut worker =
            Worker { stack: &stack, lot: Lot::default(), random: Random::new(thread), next: (thread as u64) << 40 };
        start.wait();
        ledger.during(|| {
            while !stop.load(Relaxed) {
                worker.phase();
            }
            // What the calls for interrupt handlers have left, an ordinary one gives back.
            let value = worker.value();
            worker.stack.push(value);
            worker.lot.take(worker.stack.pop());
        });
        worker.lot
    };
    let mut left = Lot::default();
    thread::scope(|scope| {
        let work = &work;
        let workers: Vec<_> = (0..threads).map(|thread| scope.spawn(move || work(thread))).collect();
        start.wait();
        thread::sleep(time);
        stop.store(true, Relaxed);
        for worker in workers {
            left.join(worker.join().unwrap());
        }
    });
    ledger.assert_bound::<R, B>(usize::try_from(left.values).expect("a value came out twice"));
    ledger.during(|| stack.into_iter().for_each(|value| left.take(Some(value))));
    assert_eq!(left, Lot::default(), "{threads} threads: some values were lost, or came twice");
    ledger.assert_nothing_left();
}
