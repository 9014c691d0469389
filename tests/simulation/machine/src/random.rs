//! A seeded generator.

/// A xorshift generator (G. Marsaglia, *Xorshift RNGs*, Journal of Statistical Software 2003).
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// A generator; other seeds give other sequences.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        // Neighbouring seeds shall not begin alike, and the state must not be 0.
        let mut random = Self(seed.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        random.next();
        random
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// A number below `bound`, which is not 0 and below 2 to the 32nd.
    pub fn below(&mut self, bound: u64) -> u64 {
        ((self.next() >> 32) * bound) >> 32
    }

    /// An index below `bound`.
    pub fn index(&mut self, bound: usize) -> usize {
        #[expect(clippy::cast_possible_truncation, reason = "below `bound`")]
        let index = self.below(bound as u64) as usize;
        index
    }
}
