//! What an interrupt handler does to a stack: what breaks a careless one.
//!
//! A pop reads the top node's link and then exchanges the head. It must not succeed if that node was popped, used
//! again and is the top once more in between, above another node (ABA). So the handler makes just that happen: it
//! pops two values, pushes the first one back and keeps the second for later; or it pops many and pushes them back
//! in the same order, so that the list looks the same and consists of other nodes. And its interrupts come in
//! bursts, a few dozen instructions apart, so that several hit the same operation.

use crate::random::Random;
use core::ops::Range;
use portable_atomic::{AtomicU32, AtomicUsize, Ordering::Relaxed};

/// The most values that the handler pops at once: enough to make a slot scan the hazards.
const DEEPEST: usize = 40;
/// Nanoseconds for which the interrupted code goes on in a burst; an instruction takes 16 where it takes a fixed time.
const BURST: Range<u32> = 0..480;

/// No value.
const NONE: usize = 0;

/// The stack as a handler sees it. No value is 0.
pub trait Interrupted {
    /// Pushes a value without the allocator; false if that cannot be.
    fn push_spare(&self, value: usize) -> bool;
    /// Pops a value.
    fn try_pop(&self) -> Option<usize>;
    /// Makes a value, unless there are enough.
    fn make(&self) -> Option<usize>;
}

/// The state of one hart's handler; it alone uses it while interrupts come.
pub struct Handler {
    /// Popped or made, and to be pushed by a later interrupt.
    kept: [AtomicUsize; DEEPEST],
    /// Interrupts that are still to come in a burst.
    burst: AtomicU32,
    random: Random,
}

impl Handler {
    /// A handler that keeps no value.
    pub const fn new() -> Self {
        Self { kept: [const { AtomicUsize::new(NONE) }; DEEPEST], burst: AtomicU32::new(0), random: Random::new(0) }
    }

    /// Lets handlers differ.
    pub fn seed(&self, seed: u32) {
        self.random.seed(seed);
    }

    /// Does one interrupt's work.
    pub fn disturb(&self, stack: &impl Interrupted) {
        if !self.give_back(stack) {
            return;
        }
        let (pops, keeps) = match self.random.within(0..8) {
            0 => {
                self.kept[0].store(stack.make().unwrap_or(NONE), Relaxed);
                (0, 0)
            }
            1..4 => (2, 1),
            4..6 => (self.random.within(1..8), 0),
            _ => (self.random.within(8..DEEPEST as u32 + 1), 0),
        };
        for kept in &self.kept[..pops as usize] {
            let Some(value) = stack.try_pop() else { break };
            kept.store(value, Relaxed);
        }
        if keeps == 0 {
            self.give_back(stack);
        } else {
            self.push(stack, &self.kept[0]);
        }
    }

    /// Leaves a value for the worker, if it has taken the last one.
    pub fn offer(&self, stack: &impl Interrupted) {
        if self.kept[0].load(Relaxed) == NONE {
            self.kept[0].store(stack.make().unwrap_or(NONE), Relaxed);
        }
    }

    /// Takes a value that the handler keeps; for the worker of the same hart, or when no interrupt comes.
    pub fn take_kept(&self) -> Option<usize> {
        let kept = self.kept.iter().find(|kept| kept.load(Relaxed) != NONE)?;
        let value = kept.load(Relaxed);
        kept.store(NONE, Relaxed);
        Some(value)
    }

    /// Nanoseconds to the next interrupt: a random number from `usual`, or in a burst little more than `back`, which is
    /// how long it takes to get back to the interrupted code.
    pub fn interval(&self, usual: Range<u32>, back: u32) -> u32 {
        let left = self.burst.load(Relaxed);
        if left > 0 {
            self.burst.store(left - 1, Relaxed);
        } else if self.random.within(0..2) == 0 {
            self.burst.store(self.random.within(0..6), Relaxed);
        } else {
            return self.random.within(usual);
        }
        back + self.random.within(BURST)
    }

    /// Pushes what is kept, the value popped first last; false if something is left.
    fn give_back(&self, stack: &impl Interrupted) -> bool {
        self.kept.iter().rev().all(|kept| self.push(stack, kept))
    }

    fn push(&self, stack: &impl Interrupted, kept: &AtomicUsize) -> bool {
        let value = kept.load(Relaxed);
        let done = value == NONE || stack.push_spare(value);
        if done {
            kept.store(NONE, Relaxed);
        }
        done
    }
}

impl Default for Handler {
    fn default() -> Self {
        Self::new()
    }
}
