//! A stack under a ticket lock, as a stand-in for mutexes: fair, and without an operating system to sleep in.

use crate::contenders::{Counts, Shared, Worker};
use machine::AtomicUsize;
use std::cell::UnsafeCell;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

/// On a cache line of its own.
#[repr(align(64))]
struct Line(AtomicUsize);

/// A `Vec` under a ticket lock (J. Mellor-Crummey, M. Scott, *Algorithms for scalable synchronization on shared-memory
/// multiprocessors*, TOCS 1991), which waits in proportion to its place in the queue.
pub struct TicketStack {
    next: Line,
    serving: Line,
    /// Stands for the line that holds the length.
    length: Line,
    /// Stand for the lines of the array that hold the values; the machine sees atomics only.
    tops: [Line; 64],
    values: UnsafeCell<Vec<u64>>,
}

impl TicketStack {
    fn locked<O>(&self, action: impl FnOnce(&mut Vec<u64>) -> O) -> O {
        let ticket = self.next.0.fetch_add(1, Relaxed);
        loop {
            // As long as there are others before, about.
            match ticket - self.serving.0.load(Acquire) {
                0 => break,
                before => (0..before).for_each(|_| machine::spin_loop()),
            }
        }
        let length = self.length.0.load(Relaxed);
        let values_in_a_line = size_of::<Line>() / size_of::<u64>();
        self.tops[length / values_in_a_line % self.tops.len()].0.store(0, Relaxed);
        // SAFETY: under the lock.
        let result = action(unsafe { &mut *self.values.get() });
        // SAFETY: as above.
        self.length.0.store(unsafe { &*self.values.get() }.len(), Relaxed);
        self.serving.0.store(ticket + 1, Release);
        result
    }
}

impl Shared for TicketStack {
    type Worker<'a> = &'a Self;

    fn new() -> Self {
        let line = || Line(AtomicUsize::new(0));
        Self {
            next: line(),
            serving: line(),
            length: line(),
            tops: std::array::from_fn(|_| line()),
            values: UnsafeCell::new(Vec::new()),
        }
    }

    fn worker(&self) -> &Self {
        self
    }

    fn counts(&self) -> Counts {
        Counts::default()
    }
}

impl Worker for &TicketStack {
    fn push(&mut self, value: u64) {
        self.locked(|values| values.push(value));
    }

    fn pop(&mut self) -> Option<u64> {
        self.locked(Vec::pop)
    }
}
