//! The cost of a pass as a function of its rows: a line fitted to the measurements.

use std::time::Duration;

/// A pass of `n` rows takes `fixed + n * row`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FittedCosts {
    /// Seconds that every pass takes.
    pub fixed: f64,
    /// Seconds that each row adds.
    pub row: f64,
    /// Largest deviation of a measurement from the line, relative to the measurement.
    pub error: f64,
}

impl FittedCosts {
    /// Fits the line with the least relative errors; neither of its parts is negative.
    pub fn fit(passes: &[(usize, Duration)]) -> Self {
        let points: Vec<(f64, f64)> = passes
            .iter()
            .map(|(rows, taken)| (*rows as f64, taken.as_secs_f64()))
            .filter(|(_, taken)| *taken > 0.0)
            .collect();
        let sum = |term: fn(f64, f64) -> f64| points.iter().map(|&(n, t)| term(n, t)).sum::<f64>();
        // Normal equations for the errors (fixed + n row - t) / t.
        let (ones, rows, squares) = (
            sum(|_, t| 1.0 / (t * t)),
            sum(|n, t| n / (t * t)),
            sum(|n, t| n * n / (t * t)),
        );
        let (constant, linear) = (sum(|_, t| 1.0 / t), sum(|n, t| n / t));
        let determinant = ones * squares - rows * rows;
        let fixed = (constant * squares - linear * rows) / determinant;
        let row = (linear * ones - constant * rows) / determinant;
        let (fixed, row) = match (fixed >= 0.0, row >= 0.0) {
            (true, true) => (fixed, row),
            (true, false) => (constant / ones, 0.0),
            _ if squares > 0.0 => (0.0, linear / squares),
            _ => (0.0, 0.0),
        };
        let errors = points
            .iter()
            .map(|(n, t)| ((fixed + n * row) / t - 1.0).abs());
        Self {
            fixed,
            row,
            error: errors.fold(0.0, f64::max),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fit(passes: &[(usize, u64)]) -> FittedCosts {
        let passes: Vec<_> = passes
            .iter()
            .map(|&(rows, micros)| (rows, Duration::from_micros(micros)))
            .collect();
        FittedCosts::fit(&passes)
    }

    #[test]
    fn a_line_is_found_again() {
        let costs = fit(&[(1, 1100), (2, 1200), (4, 1400), (128, 13_800)]);
        assert!((costs.fixed - 1e-3).abs() < 1e-9, "{costs:?}");
        assert!((costs.row - 1e-4).abs() < 1e-9, "{costs:?}");
        assert!(costs.error < 1e-6, "{costs:?}");
    }

    #[test]
    fn no_part_is_negative() {
        assert_eq!(fit(&[(1, 100), (2, 300)]).fixed, 0.0);
        assert_eq!(fit(&[(1, 300), (2, 100)]).row, 0.0);
        let one = fit(&[(1, 300)]);
        assert!(one.fixed.is_finite() && one.row.is_finite(), "{one:?}");
        assert_eq!(fit(&[]).row, 0.0);
    }
}
