//! Which generations the next pass computes, and how many tokens of each: one pure function, which
//! works the same whether a real engine or a model of its costs computes.
//!
//! Generations that the user waits for lead, the newest first because the older ones are about to
//! be superseded; then speculative ones, in the order in which they were requested, because that is
//! the Speculator's ranking. Others ride along if that costs less than a pass of their own.

use std::{cmp::Reverse, time::Duration};

use tabahead_context::Priority;

/// Target for the maximum duration of a pass, so that the plan can change between passes.
pub const PASS: Duration = Duration::from_millis(10);

/// Minimum number of prompt tokens that are computed together, even if that takes longer: with
/// fewer, most of the time goes into reading weights. An engine can leave such a pass between two
/// layers.
const LEAST_CHUNK: usize = 16;

/// Maximum number of prompt tokens that are computed together; more brings no further gain.
const LARGEST_CHUNK: usize = 256;

/// Maximum number of generations that are computed together.
const COMPANY: usize = 8;

/// Maximum number of tokens of a generation that rides along: one that was decoded, or a few that
/// were drafted.
const RIDER: usize = 8;

/// Fraction by which a pass that the user waits for may take longer because of riders.
const PATIENCE: f64 = 1.0 / 8.0;

/// The costs of a pass on this machine: `fixed`, and `row` for each token.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Costs {
    /// Seconds that every pass takes.
    pub fixed: f64,
    /// Seconds that each token adds.
    pub row: f64,
}

/// A generation that could compute something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Candidate {
    /// Priority of the generation.
    pub priority: Priority,
    /// Order of the latest start or change of priority: it grows with each, and no two are equal.
    pub rank: u64,
    /// Number of tokens to compute before the next one can be chosen; at least 1.
    pub missing: usize,
    /// True if prompt tokens are among them.
    pub prefills: bool,
    /// True if it must be computed alone, because a pass shared with other generations panicked.
    pub alone: bool,
}

/// Tokens of a candidate that the next pass computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// Index of the candidate in the list.
    pub candidate: usize,
    /// Number of tokens; at least 1.
    pub tokens: usize,
}

/// Returns the sort key of a candidate: the one with the greatest key comes first.
pub fn precedence(priority: Priority, rank: u64) -> impl Ord {
    match priority {
        Priority::Foreground => (1, rank, Reverse(0)),
        Priority::Speculative => (0, 0, Reverse(rank)),
    }
}

/// Returns what the next pass computes, the leader first; empty if there are no candidates.
pub fn schedule(candidates: &[Candidate], costs: Costs) -> Vec<Part> {
    let mut order: Vec<usize> = (0..candidates.len()).collect();
    order.sort_by_key(|&index| {
        Reverse(precedence(
            candidates[index].priority,
            candidates[index].rank,
        ))
    });
    let Some((&leader, others)) = order.split_first() else {
        return Vec::new();
    };
    let (leading, chunk) = (&candidates[leader], chunk(costs));
    let mut parts = vec![Part {
        candidate: leader,
        tokens: leading.missing.min(chunk),
    }];
    if leading.alone {
        return parts;
    }
    let urgent = leading.priority == Priority::Foreground;
    let alone = costs.fixed + costs.row * parts[0].tokens as f64;
    // Number of rows that may be added. Nothing waits for a speculative pass: there, a rider always
    // pays for itself, because it saves the fixed costs of a pass of its own.
    let mut room = if urgent {
        (alone * PATIENCE / costs.row.max(f64::MIN_POSITIVE)) as usize
    } else {
        chunk.saturating_sub(parts[0].tokens).max(COMPANY)
    };
    let willing = |index: &&usize| !candidates[**index].alone;
    for &index in others.iter().filter(willing) {
        let rider = &candidates[index];
        let rides = !rider.prefills && rider.missing <= RIDER;
        if rides && rider.missing <= room && parts.len() < COMPANY {
            room -= rider.missing;
            parts.push(Part {
                candidate: index,
                tokens: rider.missing,
            });
        }
    }
    // If nothing waits, the remaining time goes to one more prompt.
    let next = others.iter().filter(willing).find(|&&index| {
        let candidate = &candidates[index];
        candidate.prefills || candidate.missing > RIDER
    });
    if let Some(&index) = next
        && !urgent
        && !leading.prefills
        && room >= LEAST_CHUNK
    {
        parts.push(Part {
            candidate: index,
            tokens: candidates[index].missing.min(room),
        });
    }
    parts
}

/// Returns how many tokens of a prompt fit into a pass.
fn chunk(costs: Costs) -> usize {
    let fitting = (PASS.as_secs_f64() - costs.fixed) / costs.row.max(f64::MIN_POSITIVE);
    (fitting.max(0.0) as usize).clamp(LEAST_CHUNK, LARGEST_CHUNK)
}

/// Costs measured from the passes so far.
#[derive(Debug, Clone, Copy)]
pub struct Measured {
    /// Seconds of a pass of one row.
    single: f64,
    /// Seconds that each further row adds.
    further: f64,
}

impl Default for Measured {
    /// Returns a guess for a small model on a slow machine, used until passes are measured.
    fn default() -> Self {
        Self {
            single: 1e-3,
            further: 2e-4,
        }
    }
}

impl Measured {
    /// Records an uninterrupted pass of `rows` rows that took `taken`.
    pub fn add(&mut self, rows: usize, taken: Duration) {
        /// Weight of the new measurement: about the last ten passes count.
        const NEW: f64 = 0.2;

        let taken = taken.as_secs_f64();
        match rows {
            0 => {}
            1 => self.single += NEW * (taken - self.single),
            rows => {
                let further = (taken - self.single).max(0.0) / (rows - 1) as f64;
                // A few rows say little about the cost of each.
                let weight = NEW * (rows as f64 / LEAST_CHUNK as f64).min(1.0);
                self.further += weight * (further - self.further);
            }
        }
    }

    /// Returns the current costs.
    pub fn costs(self) -> Costs {
        Costs {
            fixed: (self.single - self.further).max(0.0),
            row: self.further,
        }
    }
}

#[cfg(test)]
mod tests {
    use Priority::{Foreground, Speculative};
    use proptest::prelude::*;

    use super::*;

    const COSTS: Costs = Costs {
        fixed: 2.5e-4,
        row: 1e-4,
    };

    fn decodes(priority: Priority, rank: u64) -> Candidate {
        Candidate {
            priority,
            rank,
            missing: 1,
            prefills: false,
            alone: false,
        }
    }

    fn prefills(priority: Priority, rank: u64, missing: usize) -> Candidate {
        Candidate {
            missing,
            prefills: true,
            ..decodes(priority, rank)
        }
    }

    #[track_caller]
    fn check(candidates: &[Candidate], costs: Costs, expected: &[(usize, usize)]) {
        let parts = schedule(candidates, costs);
        let parts: Vec<_> = parts
            .iter()
            .map(|part| (part.candidate, part.tokens))
            .collect();
        assert_eq!(parts, expected);
    }

    #[test]
    fn requests_come_before_speculation_and_the_newest_request_first() {
        check(&[], COSTS, &[]);
        let long = |priority, rank| prefills(priority, rank, 1000);
        check(
            &[long(Speculative, 1), long(Speculative, 2)],
            COSTS,
            &[(0, 97)],
        );
        check(
            &[long(Speculative, 2), long(Speculative, 1)],
            COSTS,
            &[(1, 97)],
        );
        check(
            &[long(Speculative, 1), long(Foreground, 2)],
            COSTS,
            &[(1, 97)],
        );
        check(
            &[
                long(Foreground, 2),
                long(Foreground, 5),
                long(Speculative, 9),
            ],
            COSTS,
            &[(1, 97)],
        );
    }

    #[test]
    fn speculation_shares_a_pass_with_a_request_only_where_that_is_nearly_free() {
        let candidates = [decodes(Foreground, 1), decodes(Speculative, 2)];
        check(&candidates, COSTS, &[(0, 1)]);
        // A large model: most of the time goes into reading the weights.
        let large = Costs {
            fixed: 50e-3,
            row: 2e-3,
        };
        check(&candidates, large, &[(0, 1), (1, 1)]);
    }

    #[test]
    fn speculation_is_computed_together() {
        let candidates = [1, 2, 3, 4].map(|rank| decodes(Speculative, rank));
        check(&candidates, COSTS, &[(0, 1), (1, 1), (2, 1), (3, 1)]);
        let mut alone = candidates;
        alone[1].alone = true;
        check(&alone, COSTS, &[(0, 1), (2, 1), (3, 1)]);
        alone[0].alone = true;
        check(&alone, COSTS, &[(0, 1)]);
    }

    #[test]
    fn what_is_left_of_a_speculative_pass_goes_to_a_prompt() {
        let candidates = [
            decodes(Speculative, 1),
            prefills(Speculative, 2, 500),
            decodes(Speculative, 3),
        ];
        check(&candidates, COSTS, &[(0, 1), (2, 1), (1, 95)]);
    }

    #[test]
    fn a_chunk_takes_ten_milliseconds_or_is_as_small_as_is_sensible() {
        let of = |row| Costs { fixed: 0.0, row };
        let leader = [prefills(Foreground, 1, 10_000)];
        check(&leader, of(1e-4), &[(0, 100)]);
        check(&leader, of(1e-9), &[(0, LARGEST_CHUNK)]);
        check(&leader, of(1.0), &[(0, LEAST_CHUNK)]);
        check(&[prefills(Foreground, 1, 3)], of(1.0), &[(0, 3)]);
    }

    #[test]
    fn costs_are_learned_from_passes() {
        let mut measured = Measured::default();
        for _ in 0..60 {
            measured.add(1, Duration::from_micros(500));
            measured.add(101, Duration::from_micros(5_500));
        }
        let Costs { fixed, row } = measured.costs();
        assert!((fixed - 450e-6).abs() < 2e-6, "{fixed}");
        assert!((row - 50e-6).abs() < 1e-6, "{row}");
    }

    proptest! {
        #[test]
        fn a_plan_is_led_by_the_first_and_stays_within_its_time(
            candidates in prop::collection::vec((any::<bool>(), 1usize..600, any::<bool>(), any::<bool>()), 0..12),
            fixed in 0.0f64..0.05,
            row in 1e-6f64..0.01,
        ) {
            let costs = Costs { fixed, row };
            let candidates: Vec<_> = candidates
                .iter()
                .zip(1..)
                .map(|(&(foreground, missing, prefills, alone), rank)| Candidate {
                    priority: if foreground { Foreground } else { Speculative },
                    rank,
                    missing,
                    prefills,
                    alone,
                })
                .collect();
            let parts = schedule(&candidates, costs);
            prop_assert_eq!(parts.is_empty(), candidates.is_empty());
            let first = candidates.iter().enumerate().max_by_key(|(_, c)| precedence(c.priority, c.rank));
            prop_assert_eq!(parts.first().map(|part| part.candidate), first.map(|(index, _)| index));
            let mut seen = std::collections::HashSet::new();
            for part in &parts {
                prop_assert!(seen.insert(part.candidate));
                prop_assert!((1..=candidates[part.candidate].missing).contains(&part.tokens));
                prop_assert!(parts.len() == 1 || !candidates[part.candidate].alone);
            }
            let rows: usize = parts.iter().map(|part| part.tokens).sum();
            let time = fixed + row * rows as f64;
            if let Some((_, leader)) = first {
                let own = fixed + row * parts[0].tokens as f64;
                match leader.priority {
                    Foreground => prop_assert!(time <= own * (1.0 + PATIENCE) + 1e-12),
                    Speculative => prop_assert!(rows <= chunk(costs).max(parts[0].tokens + COMPANY)),
                }
            }
        }
    }
}
