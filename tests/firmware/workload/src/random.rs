//! Numbers that look random and repeat exactly.

use portable_atomic::{AtomicU32, Ordering::Relaxed};

/// Marsaglia's 32-bit xorshift. Only one context uses a generator, so loads and stores suffice.
pub struct Random(AtomicU32);

impl Random {
    /// A generator; equal seeds give equal numbers.
    pub const fn new(seed: u32) -> Self {
        Self(AtomicU32::new(Self::start(seed)))
    }

    /// Starts again.
    pub fn seed(&self, seed: u32) {
        self.0.store(Self::start(seed), Relaxed);
    }

    const fn start(seed: u32) -> u32 {
        seed.wrapping_mul(0x9E37_79B9) | 1
    }

    /// The next number.
    pub fn next(&self) -> u32 {
        let mut state = self.0.load(Relaxed);
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        self.0.store(state, Relaxed);
        state
    }

    /// The next number from `range`.
    pub fn within(&self, range: core::ops::Range<u32>) -> u32 {
        // The high half: xorshift's low bits are its worst.
        range.start + (self.next() >> 8) % (range.end - range.start)
    }
}
