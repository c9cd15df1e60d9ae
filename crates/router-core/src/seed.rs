//! Chance and identity without a random source: a seed comes in as an argument.

/// A stream of pseudo-random numbers that depends on nothing but its seed (`SplitMix64`).
#[derive(Clone, Debug)]
pub struct Seed(u64);

impl Seed {
    /// A stream that starts at `seed`.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub const fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// The next number of the half-open unit interval.
    pub const fn unit(&mut self) -> f64 {
        crate::num::real(self.draw() >> 11) / 9_007_199_254_740_992.0
    }
}

/// A 64-bit name for some bytes: the same on every platform and in every release, and not meant
/// to resist an attacker.
#[derive(Clone, Debug)]
pub struct Digest(u64);

impl Default for Digest {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Digest {
    /// Adds `bytes`, and their length, so that pieces cannot run into each other.
    #[must_use]
    pub fn with(mut self, bytes: &[u8]) -> Self {
        let mut words = bytes.chunks_exact(8);
        for word in words.by_ref() {
            let mut eight = [0; 8];
            eight.copy_from_slice(word);
            self.mix(u64::from_le_bytes(eight));
        }
        let rest = words.remainder();
        let mut eight = [0; 8];
        for (to, from) in eight.iter_mut().zip(rest) {
            *to = *from;
        }
        self.mix(u64::from_le_bytes(eight));
        self.mix(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        self
    }

    const fn mix(&mut self, word: u64) {
        self.0 = (self.0 ^ word).wrapping_mul(0xff51_afd7_ed55_8ccd).rotate_left(29);
    }

    /// The name of everything added.
    #[must_use]
    pub const fn value(&self) -> u64 {
        Seed::new(self.0).draw()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_do_not_run_into_each_other() {
        let name = |pieces: &[&str]| {
            pieces.iter().fold(Digest::default(), |all, piece| all.with(piece.as_bytes())).value()
        };
        assert_ne!(name(&["ab", "c"]), name(&["a", "bc"]));
        assert_ne!(name(&["", "a"]), name(&["a", ""]));
        assert_ne!(name(&["12345678"]), name(&["12345678\0"]));
        assert_eq!(name(&["ab", "c"]), name(&["ab", "c"]));
    }

    #[test]
    fn the_same_seed_gives_the_same_numbers() {
        let (mut a, mut b) = (Seed::new(7), Seed::new(7));
        for _ in 0..100 {
            let unit = a.unit();
            assert!((0.0..1.0).contains(&unit));
            assert_eq!(unit.to_bits(), b.unit().to_bits());
        }
    }
}
