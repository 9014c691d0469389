//! Which values went in and which came out.

use core::ops::Add;
use portable_atomic::{AtomicU32, Ordering::Relaxed};

/// A sum of values: in any order the same, and another if one is lost, invented or out twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// How many.
    pub count: u32,
    /// Their sum, modulo 2^32.
    pub sum: u32,
    /// The sum of a hash of each, so that two errors do not cancel out.
    pub mix: u32,
}

impl Totals {
    fn of(value: u32) -> Self {
        let hash = (value ^ (value >> 15)).wrapping_mul(0x2C1B_3C6D);
        Self { count: 1, sum: value, mix: (hash ^ (hash >> 12)).wrapping_mul(0x297A_2D39) }
    }

    fn negative(self) -> Self {
        Self { count: self.count.wrapping_neg(), sum: self.sum.wrapping_neg(), mix: self.mix.wrapping_neg() }
    }
}

impl Add for Totals {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            count: self.count.wrapping_add(other.count),
            sum: self.sum.wrapping_add(other.sum),
            mix: self.mix.wrapping_add(other.mix),
        }
    }
}

/// The values that one context has seen. Only that context writes, so loads and stores suffice.
struct Tally {
    count: AtomicU32,
    sum: AtomicU32,
    mix: AtomicU32,
}

impl Tally {
    const fn new() -> Self {
        Self { count: AtomicU32::new(0), sum: AtomicU32::new(0), mix: AtomicU32::new(0) }
    }

    fn totals(&self) -> Totals {
        Totals { count: self.count.load(Relaxed), sum: self.sum.load(Relaxed), mix: self.mix.load(Relaxed) }
    }

    fn add(&self, values: Totals) {
        let totals = self.totals() + values;
        self.count.store(totals.count, Relaxed);
        self.sum.store(totals.sum, Relaxed);
        self.mix.store(totals.mix, Relaxed);
    }
}

/// What one context pushed and popped.
pub struct Ledger {
    pushed: Tally,
    popped: Tally,
}

impl Ledger {
    /// An empty ledger.
    pub const fn new() -> Self {
        Self { pushed: Tally::new(), popped: Tally::new() }
    }

    /// To be noted before the push, so that the ledgers never show fewer values than the stack holds.
    pub fn push(&self, value: u32) {
        self.pushed.add(Totals::of(value));
    }

    /// The push noted last was refused.
    pub fn refused(&self, value: u32) {
        self.pushed.add(Totals::of(value).negative());
    }

    /// To be noted after the pop.
    pub fn pop(&self, value: u32) {
        self.popped.add(Totals::of(value));
    }

    /// Everything pushed so far.
    pub fn pushed(&self) -> Totals {
        self.pushed.totals()
    }

    /// How many were pushed so far, and how many popped.
    pub fn counts(&self) -> (u32, u32) {
        (self.pushed.count.load(Relaxed), self.popped.count.load(Relaxed))
    }

    /// Everything popped so far.
    pub fn popped(&self) -> Totals {
        self.popped.totals()
    }
}

impl Default for Ledger {
    fn default() -> Self {
        Self::new()
    }
}
