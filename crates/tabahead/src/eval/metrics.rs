//! Compares a prediction with the original text: exact match, edit similarity, kept characters.
//!
//! Pure functions of two texts. Both lose their trailing white space first, because it is invisible
//! and editors strip it.

/// The rating of one prediction.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rating {
    /// Whether anything was predicted.
    pub suggested: bool,
    /// Whether the prediction equals the original text.
    pub exact: bool,
    /// Edit similarity; see [`edit_similarity`].
    pub similarity: f64,
    /// Number of characters before the first wrong one: what a user keeps who accepts up to there.
    pub kept: usize,
}

impl Rating {
    /// Compares a prediction with the original text.
    pub fn new(predicted: &str, expected: &str) -> Self {
        let (text, wanted) = (predicted.trim_end(), expected.trim_end());
        let pairs = text.chars().zip(wanted.chars());
        Self {
            suggested: !text.is_empty(),
            exact: exact_match(predicted, expected),
            similarity: edit_similarity(predicted, expected),
            kept: pairs.take_while(|(a, b)| a == b).count(),
        }
    }
}

/// Reports whether both texts are equal except for trailing white space.
pub fn exact_match(predicted: &str, expected: &str) -> bool {
    predicted.trim_end() == expected.trim_end()
}

/// Returns 1 − Levenshtein distance / length of the longer text, in characters, without trailing
/// white space; 1 when both are empty.
pub fn edit_similarity(predicted: &str, expected: &str) -> f64 {
    let predicted: Vec<char> = predicted.trim_end().chars().collect();
    let expected: Vec<char> = expected.trim_end().chars().collect();
    let longer = predicted.len().max(expected.len());
    if longer == 0 {
        return 1.0;
    }
    1.0 - levenshtein(&predicted, &expected) as f64 / longer as f64
}

/// Returns the least number of inserted, deleted and replaced characters between two texts.
fn levenshtein(from: &[char], to: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in to.iter().enumerate() {
            let substituted = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[to.len()]
}

/// The figures of one predictor over some rows.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Score {
    /// Number of rows.
    pub rows: usize,
    /// Number of rows predicted exactly.
    pub exact: usize,
    /// Sum of the edit similarities.
    pub similarity: f64,
    /// Number of rows with a prediction.
    pub suggested: usize,
    /// Sum of the kept characters.
    pub kept: usize,
}

impl Score {
    /// Counts one more row.
    pub fn add(&mut self, rating: Rating) {
        self.rows += 1;
        self.exact += usize::from(rating.exact);
        self.similarity += rating.similarity;
        self.suggested += usize::from(rating.suggested);
        self.kept += rating.kept;
    }

    /// Returns the mean number of kept characters per suggestion; 0 without suggestions.
    pub fn kept_per_suggestion(&self) -> f64 {
        share(self.kept as f64, self.suggested)
    }

    /// Returns the share of exact rows, 0 to 1; 0 without rows.
    pub fn exact_share(&self) -> f64 {
        share(self.exact as f64, self.rows)
    }

    /// Returns the mean edit similarity, 0 to 1; 0 without rows.
    pub fn mean_similarity(&self) -> f64 {
        share(self.similarity, self.rows)
    }
}

fn share(sum: f64, rows: usize) -> f64 {
    if rows == 0 { 0.0 } else { sum / rows as f64 }
}

/// Predictions by confidence, highest first: mean log-probability and exactness.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Confidence(Vec<(f32, bool)>);

impl Confidence {
    /// Sorts `rows`; rows of equal confidence keep their order.
    pub fn new(mut rows: Vec<(f32, bool)>) -> Self {
        rows.sort_by(|a, b| b.0.total_cmp(&a.0));
        Self(rows)
    }

    /// Returns the share of exact rows among the most confident rows, which are a share `part` of
    /// all.
    pub fn exact_among(&self, part: f64) -> f64 {
        let count = (self.0.len() as f64 * part).round() as usize;
        let surest = &self.0[..count.min(self.0.len())];
        share(
            surest.iter().filter(|(_, exact)| *exact).count() as f64,
            surest.len(),
        )
    }

    /// Returns the lowest mean log-probability such that at least a share `right` of the rows at or
    /// above it is exact, and what share of all rows that is. `None` if there is none.
    pub fn least_for(&self, right: f64) -> Option<(f32, f64)> {
        let (mut exact, mut least) = (0_u32, None);
        for (shown, (mean_log_prob, is_exact)) in (1_u32..).zip(&self.0) {
            exact += u32::from(*is_exact);
            if mean_log_prob.is_finite() && f64::from(exact) >= right * f64::from(shown) {
                least = Some((*mean_log_prob, share(f64::from(shown), self.0.len())));
            }
        }
        least
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn trailing_white_space_is_not_compared() {
        assert!(exact_match("a + b", "a + b \n"));
        assert!(exact_match("", "\n  "));
        assert!(!exact_match(" a + b", "a + b"));
    }

    #[test]
    fn similarity_counts_characters_not_bytes() {
        assert_eq!(edit_similarity("héé", "héa"), 1.0 - 1.0 / 3.0);
        assert_eq!(edit_similarity("", ""), 1.0);
        assert_eq!(edit_similarity("abc", ""), 0.0);
        assert_eq!(edit_similarity("kitten", "sitting"), 1.0 - 3.0 / 7.0);
    }

    #[test]
    fn the_curve_takes_the_most_confident_first() {
        let rows = vec![(-2.0, false), (-0.1, true), (-1.0, true), (-3.0, false)];
        let confidence = Confidence::new(rows);
        assert_eq!(
            [0.25, 0.5, 1.0].map(|part| confidence.exact_among(part)),
            [1.0, 1.0, 0.5]
        );
        assert_eq!(Confidence::default().exact_among(0.3), 0.0);
    }

    #[test]
    fn the_lowest_threshold_shows_as_many_as_may_be_wrong() {
        let rows = vec![(-2.0, false), (-0.1, true), (-1.0, true), (-3.0, false)];
        let confidence = Confidence::new(rows);
        assert_eq!(confidence.least_for(0.9), Some((-1.0, 0.5)));
        assert_eq!(confidence.least_for(0.6), Some((-2.0, 0.75)));
        assert_eq!(confidence.least_for(0.5), Some((-3.0, 1.0)));
        assert_eq!(Confidence::new(vec![(-1.0, false)]).least_for(0.1), None);
    }

    #[test]
    fn characters_are_kept_up_to_the_first_wrong_one() {
        let rating = Rating::new("é, c);", "é, b);");
        assert_eq!((rating.kept, rating.exact), (3, false));
        assert_eq!(Rating::new("ab  ", "ab").kept, 2);
        assert!(!Rating::new(" ", "ab").suggested);
    }

    /// Computes the distance by its definition, without a table.
    fn naive(from: &[char], to: &[char]) -> usize {
        match (from, to) {
            ([], rest) | (rest, []) => rest.len(),
            ([a, from_rest @ ..], [b, to_rest @ ..]) if a == b => naive(from_rest, to_rest),
            ([_, from_rest @ ..], [_, to_rest @ ..]) => {
                1 + naive(from_rest, to)
                    .min(naive(from, to_rest))
                    .min(naive(from_rest, to_rest))
            }
        }
    }

    proptest! {
        #[test]
        fn distance_is_the_textbook_one(from in "[abé]{0,6}", to in "[abé]{0,6}") {
            let from: Vec<char> = from.chars().collect();
            let to: Vec<char> = to.chars().collect();
            prop_assert_eq!(levenshtein(&from, &to), naive(&from, &to));
        }
    }
}
