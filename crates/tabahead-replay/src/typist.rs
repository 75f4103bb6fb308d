//! The times that people take: drawn from distributions that were measured on people.
//!
//! The same seed gives the same times on every machine: the generator and all arithmetic are
//! defined to the last bit (`libm` instead of the system's mathematics), and times are whole
//! milliseconds, as in recordings.
//!
//! A number "of the session" was measured over the 92-minute session `EditSourceTracker.test1` of
//! microsoft/vscode-copilot-chat (MIT): one expert who writes TypeScript with suggestions switched
//! on, 3,247 changes, 87 accepts. That is a fast typist. Over 136 million keystrokes of 168,000
//! people who copied sentences, the mean time between two keys is 239 ms (Dhakal et al.,
//! "Observations on Typing from 136 Million Keystrokes", CHI 2018); the session's is 157 ms. Both
//! have a heavy tail. So times are log-normal, with a separate width on either side of the median,
//! and longer pauses are a separate part of a mixture.

use std::time::Duration;

/// Time between two keys of a burst. The session: consecutive insertions of one character, p10 45,
/// p50 92, p90 247 ms.
const KEY: LogNormal = LogNormal {
    p10: 45.0,
    p50: 92.0,
    p90: 247.0,
};

/// Time from the moment a suggestion can be seen to its accept. The session: p10 377, p50 740, p90
/// 2872 ms over 80 accepts.
const ACCEPT: LogNormal = LogNormal {
    p10: 377.0,
    p50: 740.0,
    p90: 2872.0,
};

/// Time from an accept to the next change. The session: p10 406, p50 1197 ms. The slow half was not
/// measured; it is assumed to be as wide as the fast one.
const AFTER_ACCEPT: LogNormal = LogNormal {
    p10: 406.0,
    p50: 1197.0,
    p90: 1197.0 * 1197.0 / 406.0,
};

/// How much a pause exceeds [`LEAST_PAUSE`]. The session: of all times between two changes, 12.7 %
/// are over 1 s, 8.1 % over 2 s and 5 % over 3.736 s; so 63.8 % of the pauses last more than
/// another second and 39.4 % more than another 2.736 s. The log-normal distribution with exactly
/// these shares has its median at 1.77 s and the width 1.618; these are its deciles.
const BEYOND_LEAST_PAUSE: LogNormal = LogNormal {
    p10: 222.5,
    p50: 1770.0,
    p90: 14_080.0,
};

/// Shortest pause; shorter times lie between two keys of one burst. Milliseconds.
const LEAST_PAUSE: f64 = 1000.0;

/// Longest pause. A user who stays away longer has left the keyboard, and such a time does not
/// distinguish policies. Milliseconds.
const LONGEST_PAUSE: f64 = 60_000.0;

/// Share of the times between two changes that are pauses. The session: 12.7 % are over 1 s.
const PAUSES: f64 = 0.127;

/// Chance, at each word that begins on a line, that the rest of the line is taken from a
/// suggestion. The session: 21 % of all inserted characters came from accepts. If each of seven
/// words on a line is taken with this chance, unless one before it was, 21 % of the line is taken.
const TAKEN: f64 = 0.06;

/// Time from a request to a suggestion that can be seen: Copilot's median in the session when its
/// cache held nothing. Milliseconds.
const APPEARS: u64 = 244;

/// Draws times, always the same ones for a seed.
#[derive(Debug, Clone)]
pub struct Typist {
    random: Draws,
}

impl Typist {
    /// Creates a typist whose times depend only on the seed.
    pub fn new(seed: u64) -> Self {
        Self {
            random: Draws(seed),
        }
    }

    /// Draws the time between two keys of a burst.
    pub fn next_key(&mut self) -> Duration {
        milliseconds(KEY.quantile(self.random.share()))
    }

    /// Draws how long a suggestion is visible before it is accepted.
    pub fn accepts_after(&mut self) -> Duration {
        milliseconds(ACCEPT.quantile(self.random.share()))
    }

    /// Draws whether a suggestion for the rest of the line is taken at the beginning of a word.
    pub fn takes_suggestion(&mut self) -> bool {
        self.random.share() < TAKEN
    }

    /// Returns how long a suggestion takes to appear.
    pub fn suggestion_appears(&self) -> Duration {
        Duration::from_millis(APPEARS)
    }

    /// Draws the time between an accept and the next change.
    pub fn edits_after_accept(&mut self) -> Duration {
        milliseconds(AFTER_ACCEPT.quantile(self.random.share()))
    }

    /// Draws how long the user thinks before going on: more than a second.
    pub fn pause(&mut self) -> Duration {
        let pause = LEAST_PAUSE + BEYOND_LEAST_PAUSE.quantile(self.random.share());
        milliseconds(pause.min(LONGEST_PAUSE))
    }

    /// Draws the time between two changes of any kind: mostly that between two keys, sometimes a
    /// pause.
    pub fn next_change(&mut self) -> Duration {
        if self.random.share() < PAUSES {
            self.pause()
        } else {
            self.next_key().min(milliseconds(LEAST_PAUSE))
        }
    }
}

fn milliseconds(value: f64) -> Duration {
    // Positive and at most about 60,000, so the cast of the rounded value is exact.
    Duration::from_millis(value.round() as u64)
}

/// A distribution of times whose logarithm is normal on either side of the median, with two widths,
/// so that three quantiles are as given. In milliseconds.
struct LogNormal {
    p10: f64,
    p50: f64,
    p90: f64,
}

impl LogNormal {
    /// Returns the time that a `share` of all times does not exceed.
    fn quantile(&self, share: f64) -> f64 {
        let deviation = standard_normal(share);
        let decile = if deviation < 0.0 { self.p10 } else { self.p90 };
        let reach = libm::log(decile / self.p50).abs();
        self.p50 * libm::exp(deviation / standard_normal(0.9) * reach)
    }
}

/// Returns the quantile of the standard normal distribution, to nine digits: P. J. Acklam, "An
/// algorithm for computing the inverse normal cumulative distribution function" (2003).
fn standard_normal(share: f64) -> f64 {
    const A: [f64; 6] = [
        -3.969683028665376e1,
        2.209460984245205e2,
        -2.759285104469687e2,
        1.38357751867269e2,
        -3.066479806614716e1,
        2.506628277459239,
    ];
    const B: [f64; 6] = [
        -5.447609879822406e1,
        1.615858368580409e2,
        -1.556989798598866e2,
        6.680131188771972e1,
        -1.328068155288572e1,
        1.0,
    ];
    const C: [f64; 6] = [
        -7.784894002430293e-3,
        -3.223964580411365e-1,
        -2.400758277161838,
        -2.549732539343734,
        4.374664141464968,
        2.938163982698783,
    ];
    const D: [f64; 5] = [
        7.784695709041462e-3,
        3.224671290700398e-1,
        2.445134137142996,
        3.754408661907416,
        1.0,
    ];
    /// The tails, closer to 0 or 1 than this, have a formula of their own.
    const TAIL: f64 = 0.02425;
    let polynomial = |coefficients: &[f64], x: f64| {
        let add = |sum: f64, coefficient: &f64| sum * x + coefficient;
        coefficients.iter().fold(0.0, add)
    };
    let tail = |share: f64| {
        let q = libm::sqrt(-2.0 * libm::log(share));
        polynomial(&C, q) / polynomial(&D, q)
    };
    if share < TAIL {
        tail(share)
    } else if share > 1.0 - TAIL {
        -tail(1.0 - share)
    } else {
        let q = share - 0.5;
        q * polynomial(&A, q * q) / polynomial(&B, q * q)
    }
}

/// SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA
/// 2014): 64 bits of state, any seed, and defined by integers alone. The product has its own copy,
/// because that of the tests is in a crate on which it must not depend.
#[derive(Debug, Clone)]
struct Draws(u64);

impl Draws {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Returns a number strictly between 0 and 1: 52 random bits plus a half, scaled.
    fn share(&mut self) -> f64 {
        ((self.next() >> 12) as f64 + 0.5) / (1_u64 << 52) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DRAWS: usize = 200_000;

    fn drawn(mut draw: impl FnMut(&mut Typist) -> Duration) -> Vec<u128> {
        let mut typist = Typist::new(7);
        let mut times: Vec<u128> = (0..DRAWS).map(|_| draw(&mut typist).as_millis()).collect();
        times.sort_unstable();
        times
    }

    /// Checks that the quantile is `expected` to within 2 %.
    #[track_caller]
    fn check(times: &[u128], share: f64, expected: f64) {
        let found = times[(share * DRAWS as f64) as usize] as f64;
        assert!(
            (found / expected - 1.0).abs() < 0.02,
            "{found} is not {expected}"
        );
    }

    #[test]
    fn times_have_the_quantiles_that_were_measured() {
        let keys = drawn(Typist::next_key);
        check(&keys, 0.1, 45.0);
        check(&keys, 0.5, 92.0);
        check(&keys, 0.9, 247.0);
        let accepts = drawn(Typist::accepts_after);
        check(&accepts, 0.1, 377.0);
        check(&accepts, 0.5, 740.0);
        check(&accepts, 0.9, 2872.0);
        let after = drawn(Typist::edits_after_accept);
        check(&after, 0.1, 406.0);
        check(&after, 0.5, 1197.0);
    }

    #[test]
    fn as_many_changes_as_were_measured_come_after_a_pause() {
        let times = drawn(Typist::next_change);
        for (limit, share) in [(1000, 0.127), (2000, 0.081), (3736, 0.05)] {
            let longer = times.iter().filter(|&&time| time > limit).count();
            let found = longer as f64 / DRAWS as f64;
            assert!((found - share).abs() < 0.002, "{found} over {limit} ms");
        }
        assert_eq!(times.last(), Some(&60_000));
        let pauses = drawn(Typist::pause);
        assert!(pauses[0] >= 1000);
    }

    #[test]
    fn given_quantiles_are_hit_exactly() {
        for law in [KEY, ACCEPT, AFTER_ACCEPT, BEYOND_LEAST_PAUSE] {
            for (share, expected) in [(0.1, law.p10), (0.5, law.p50), (0.9, law.p90)] {
                assert!((law.quantile(share) / expected - 1.0).abs() < 1e-12);
            }
        }
    }

    #[test]
    fn the_normal_quantile_is_that_of_tables() {
        for (share, expected) in [
            (0.5, 0.0),
            (0.9, 1.281_551_566),
            (0.975, 1.959_963_985),
            (0.99, 2.326_347_874),
            (0.999_99, 4.264_890_794),
        ] {
            assert!((standard_normal(share) - expected).abs() < 1e-8);
            assert!((standard_normal(1.0 - share) + expected).abs() < 1e-8);
        }
    }

    #[test]
    fn a_seed_gives_the_same_times_everywhere() {
        let mut typist = Typist::new(1);
        let drawn: Vec<u128> = (0..4)
            .flat_map(|_| {
                [
                    typist.next_key(),
                    typist.accepts_after(),
                    typist.edits_after_accept(),
                    typist.pause(),
                ]
            })
            .map(|time| time.as_millis())
            .collect();
        let expected = [
            [105, 1490, 5925, 2411],
            [85, 1578, 3190, 2944],
            [67, 1763, 975, 3728],
            [86, 802, 1045, 1371],
        ];
        assert_eq!(drawn, expected.concat());
        // The number that other implementations give for this seed.
        assert_eq!(Draws(1234567).next(), 6_457_827_717_110_365_317);
    }
}
