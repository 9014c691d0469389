//! The pools. Those with a cap have one that is above the number of users, so none has to drop an object.

use crossbeam_utils::CachePadded;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// The example, with what it does at each step.
#[allow(dead_code, reason = "its `main` is the example's, and the benchmark needs a part")]
#[path = "../../../../../examples/pool.rs"]
mod example;

/// What is pooled: 1 KiB.
pub struct Scratch {
    pub words: [u64; 128],
    /// Set while somebody uses it, where that is checked.
    pub is_used: bool,
}

/// Objects that were made, of all pools of the process.
pub static MADE: AtomicUsize = AtomicUsize::new(0);

fn make() -> Box<Scratch> {
    MADE.fetch_add(1, Relaxed);
    Box::new(Scratch { words: [0; 128], is_used: false })
}

/// More than any workload has users.
const CAP: usize = 64;

pub trait Pool: Sync {
    fn new() -> Self;

    /// Gets an object, or makes it; puts it back afterwards.
    fn with(&self, action: impl FnOnce(&mut Scratch));
}

pub struct Example(example::Pool<Box<Scratch>>);

impl Pool for Example {
    fn new() -> Self {
        Self(example::Pool::new(CAP, make))
    }

    #[inline]
    fn with(&self, action: impl FnOnce(&mut Scratch)) {
        action(&mut self.0.get());
    }
}

#[expect(clippy::vec_box, reason = "an object is used outside of the lock, where it stays")]
pub struct Std(Mutex<Vec<Box<Scratch>>>);

impl Std {
    #[inline]
    fn get(&self) -> Box<Scratch> {
        let idle = self.0.lock().expect("nobody panics").pop();
        idle.unwrap_or_else(make)
    }

    /// What is too much is dropped outside of the lock.
    #[inline]
    fn put(&self, object: Box<Scratch>) {
        let mut idle = self.0.lock().expect("nobody panics");
        if idle.len() < CAP {
            idle.push(object);
        }
    }
}

impl Pool for Std {
    fn new() -> Self {
        Self(Mutex::default())
    }

    #[inline]
    fn with(&self, action: impl FnOnce(&mut Scratch)) {
        let mut object = self.get();
        action(&mut object);
        self.put(object);
    }
}

#[expect(clippy::vec_box, reason = "as above")]
pub struct ParkingLot(parking_lot::Mutex<Vec<Box<Scratch>>>);

impl Pool for ParkingLot {
    fn new() -> Self {
        Self(parking_lot::Mutex::default())
    }

    #[inline]
    fn with(&self, action: impl FnOnce(&mut Scratch)) {
        let idle = self.0.lock().pop();
        let mut object = idle.unwrap_or_else(make);
        action(&mut object);
        let mut idle = self.0.lock();
        if idle.len() < CAP {
            idle.push(object);
        }
    }
}

/// A mutex and a `Vec` for each of eight groups of threads, as the pool of regex-automata has them.
pub struct Sharded([CachePadded<Std>; 8]);

/// A number for each thread.
fn thread_number() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local!(static NUMBER: usize = NEXT.fetch_add(1, Relaxed));
    NUMBER.with(|number| *number)
}

impl Pool for Sharded {
    fn new() -> Self {
        Self(std::array::from_fn(|_| CachePadded::new(Std::new())))
    }

    #[inline]
    fn with(&self, action: impl FnOnce(&mut Scratch)) {
        let shard = &self.0[thread_number() % self.0.len()];
        let mut object = shard.get();
        action(&mut object);
        shard.put(object);
    }
}

/// As it is: its first user has an object of its own, others do not wait for a lock, but make one and drop it.
pub struct RegexAutomata(regex_automata::util::pool::Pool<Box<Scratch>, fn() -> Box<Scratch>>);

impl Pool for RegexAutomata {
    fn new() -> Self {
        Self(regex_automata::util::pool::Pool::new(make))
    }

    #[inline]
    fn with(&self, action: impl FnOnce(&mut Scratch)) {
        action(&mut self.0.get());
    }
}
