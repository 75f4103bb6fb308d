//! How close a prediction comes to what stood there: exact match and edit similarity.
//!
//! Pure functions of two texts. Both sides lose their trailing white space first, because nobody
//! sees it and editors strip it.

/// Whether both texts are equal but for trailing white space.
pub fn exact_match(predicted: &str, expected: &str) -> bool {
    predicted.trim_end() == expected.trim_end()
}

/// 1 − Levenshtein distance / length of the longer text, in characters, without trailing white
/// space; 1 when both are empty.
pub fn edit_similarity(predicted: &str, expected: &str) -> f64 {
    let predicted: Vec<char> = predicted.trim_end().chars().collect();
    let expected: Vec<char> = expected.trim_end().chars().collect();
    let longer = predicted.len().max(expected.len());
    if longer == 0 {
        return 1.0;
    }
    1.0 - levenshtein(&predicted, &expected) as f64 / longer as f64
}

/// Least number of inserted, deleted and replaced characters between two texts.
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

/// Figures of one predictor over some rows.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Score {
    /// Rows.
    pub rows: usize,
    /// Rows predicted exactly.
    pub exact: usize,
    /// Sum of the edit similarities.
    pub similarity: f64,
}

impl Score {
    /// Counts one more row.
    pub fn add(&mut self, exact: bool, similarity: f64) {
        self.rows += 1;
        self.exact += usize::from(exact);
        self.similarity += similarity;
    }

    /// Share of exact rows, 0 to 1; 0 without rows.
    pub fn exact_share(&self) -> f64 {
        share(self.exact as f64, self.rows)
    }

    /// Mean edit similarity, 0 to 1; 0 without rows.
    pub fn mean_similarity(&self) -> f64 {
        share(self.similarity, self.rows)
    }
}

fn share(sum: f64, rows: usize) -> f64 {
    if rows == 0 { 0.0 } else { sum / rows as f64 }
}

/// Exact match among the most confident rows: one point per share, `rows` being (confidence,
/// exact). Rows of equal confidence keep their order.
pub fn confidence_curve(mut rows: Vec<(f32, bool)>, shares: &[f64]) -> Vec<(f64, f64)> {
    rows.sort_by(|a, b| b.0.total_cmp(&a.0));
    shares
        .iter()
        .map(|&part| {
            let count = ((rows.len() as f64 * part).round() as usize).min(rows.len());
            let exact = rows[..count].iter().filter(|(_, exact)| *exact).count();
            (part, share(exact as f64, count))
        })
        .collect()
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
        assert_eq!(
            confidence_curve(rows, &[0.25, 0.5, 1.0]),
            [(0.25, 1.0), (0.5, 1.0), (1.0, 0.5)]
        );
        assert_eq!(confidence_curve(Vec::new(), &[0.3]), [(0.3, 0.0)]);
    }

    /// The definition, without the table.
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
