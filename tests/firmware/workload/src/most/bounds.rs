//! What the calls may take at most: the one place that says so.
//!
//! The constants are of the code that the compiler makes. Those of a push on `Slots` are somewhat more than what is counted with
//! one context inside and no interrupt: the slot that the push scans first may have a node that is protected, and is scanned
//! twice then, before another one that has all it can have; or it has that because an interrupt has popped meanwhile.

use super::Call::{self, IsEmpty, Pop, Push};
use core::fmt;
use core::ops::RangeInclusive;

/// What a call may take, in `N` and in `I`, how often it is interrupted.
pub struct Bound {
    /// The engine, as a user writes it, and for which `N`; without slots that is 0.
    pub engine: &'static str,
    pub slots: RangeInclusive<usize>,
    pub call: Call,
    /// Instructions, for each `N`, and for each square of it.
    alone: [u32; 3],
    /// Instructions for each interrupt, and for each of it and `N`.
    interrupted: [u32; 2],
    /// Of stack.
    pub bytes: u32,
}

impl Bound {
    /// The most instructions.
    pub fn instructions(&self, n: usize, interrupts: usize) -> u32 {
        let [n, interrupts] = [n, interrupts].map(|number| number as u32);
        let [base, once, squared] = self.alone;
        let [each, for_slots] = self.interrupted;
        base + once * n + squared * n * n + interrupts * (each + for_slots * n)
    }
}

/// A row of a table, without its ends.
impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` | ", self.engine)?;
        match (self.slots.start(), self.slots.end()) {
            (0, _) => f.write_str("none")?,
            (first, last) => write!(f, "{first} to {last}")?,
        }
        write!(f, " | `{}` | ", self.call.name())?;
        let [base, once, squared] = self.alone;
        let [each, for_slots] = self.interrupted;
        let mut sign = "";
        for (number, of) in [(base, ""), (once, " N"), (squared, " N²")] {
            if number > 0 {
                write!(f, "{sign}{number}{of}")?;
                sign = " + ";
            }
        }
        match (each, for_slots) {
            (0, 0) => {}
            (_, 0) => write!(f, " + {each} I")?,
            _ => write!(f, " + ({each} + {for_slots} N) I")?,
        }
        write!(f, " | {}", self.bytes)
    }
}

type Instructions = ([u32; 3], [u32; 2]);

const fn slots(call: Call, (alone, interrupted): Instructions, bytes: u32) -> Bound {
    Bound { engine: "Slots<N>", slots: 1..=8, call, alone, interrupted, bytes }
}

const fn fixed(slots: RangeInclusive<usize>, call: Call, (alone, interrupted): Instructions, bytes: u32) -> Bound {
    Bound { engine: "Fixed<CAP, N>", slots, call, alone, interrupted, bytes }
}

#[cfg(feature = "critical-section")]
const fn masked(call: Call, instructions: u32, bytes: u32) -> Bound {
    Bound { engine: "Masked<CAP>", slots: 0..=0, call, alone: [instructions, 0, 0], interrupted: [0, 0], bytes }
}

/// Of a processor with compare-exchange.
#[cfg(target_has_atomic = "ptr")]
pub const BOUNDS: &[Bound] = &[
    slots(Push, ([30, 207, 42], [22, 9]), 128),
    slots(Pop, ([128, 147, 36], [22, 9]), 72),
    slots(IsEmpty, ([6, 0, 0], [0, 0]), 0),
    fixed(1..=2, Push, ([49, 9, 0], [22, 0]), 24),
    fixed(1..=2, Pop, ([35, 21, 0], [22, 0]), 16),
    fixed(3..=8, Push, ([50, 10, 0], [22, 0]), 24),
    fixed(3..=5, Pop, ([28, 31, 0], [22, 0]), 36),
    fixed(6..=8, Pop, ([0, 55, 0], [22, 0]), 88),
    fixed(1..=8, IsEmpty, ([6, 0, 0], [0, 0]), 0),
    #[cfg(feature = "critical-section")]
    masked(Push, 30, 16),
    #[cfg(feature = "critical-section")]
    masked(Pop, 27, 16),
    #[cfg(feature = "critical-section")]
    masked(IsEmpty, 10, 0),
];

/// Of one without it, where only what has to be is in a critical section.
#[cfg(not(any(target_has_atomic = "ptr", feature = "critical-section")))]
pub const BOUNDS: &[Bound] = &[
    slots(Push, ([52, 167, 56], [24, 0]), 136),
    slots(Pop, ([243, 93, 48], [24, 0]), 80),
    slots(IsEmpty, ([6, 0, 0], [0, 0]), 0),
    fixed(1..=2, Push, ([54, 13, 0], [20, 0]), 36),
    fixed(1..=2, Pop, ([42, 25, 0], [20, 0]), 28),
    fixed(3..=8, Push, ([69, 9, 0], [20, 0]), 36),
    fixed(3..=5, Pop, ([35, 34, 0], [20, 0]), 44),
    fixed(6..=8, Pop, ([0, 60, 0], [20, 0]), 104),
    fixed(1..=8, IsEmpty, ([6, 0, 0], [0, 0]), 0),
];

/// Of one without it, where every access is in a critical section.
#[cfg(all(not(target_has_atomic = "ptr"), feature = "critical-section"))]
pub const BOUNDS: &[Bound] = &[
    slots(Push, ([50, 248, 69], [36, 0]), 148),
    slots(Pop, ([274, 159, 60], [36, 0]), 84),
    slots(IsEmpty, ([10, 0, 0], [0, 0]), 0),
    fixed(1..=2, Push, ([72, 19, 0], [32, 0]), 32),
    fixed(1..=2, Pop, ([63, 32, 0], [32, 0]), 28),
    fixed(3..=8, Push, ([93, 10, 0], [32, 0]), 36),
    fixed(3..=5, Pop, ([60, 39, 0], [32, 0]), 44),
    fixed(6..=8, Pop, ([0, 64, 0], [32, 0]), 92),
    fixed(1..=8, IsEmpty, ([10, 0, 0], [0, 0]), 0),
    masked(Push, 32, 16),
    masked(Pop, 29, 16),
    masked(IsEmpty, 10, 0),
];
