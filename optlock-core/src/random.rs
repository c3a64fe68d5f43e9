//! Chance, for delays.

use std::hash::{BuildHasher, RandomState};

/// `SplitMix64` (<https://prng.di.unimi.it/splitmix64.c>): enough for jitter, and for nothing that must not be guessed.
pub(crate) struct Random(u64);

impl Random {
    /// Another one each time. The keys of the standard library's hash maps come from the system.
    pub(crate) fn new() -> Self {
        Self(RandomState::new().hash_one(()))
    }

    /// The same one each time.
    pub(crate) fn with_seed(seed: u64) -> Self {
        Self(seed)
    }

    /// Anything from zero to this, included.
    pub(crate) fn up_to(&mut self, most: u64) -> u64 {
        // The bias is one in 2⁶⁴ for each value.
        let product = u128::from(self.next()) * (u128::from(most) + 1);
        u64::try_from(product >> u64::BITS).unwrap_or(most)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_the_reference() {
        let mut random = Random::with_seed(1_234_567);
        assert_eq!(random.next(), 6_457_827_717_110_365_317);
        assert_eq!(random.next(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn all_of_a_range_is_reached_about_as_often() {
        let mut random = Random::with_seed(1);
        let mut counts = [0_u32; 10];
        for _ in 0..10_000 {
            counts[usize::try_from(random.up_to(9)).unwrap()] += 1;
        }
        assert!(counts.iter().all(|count| (800..1_200).contains(count)), "{counts:?}");
        assert_eq!(random.up_to(0), 0);
        assert!((0..100).any(|_| random.up_to(u64::MAX) > u64::MAX / 2));
    }

    #[test]
    fn two_without_a_seed_differ() {
        assert_ne!(Random::new().next(), Random::new().next());
    }
}
