//! Medians, percentiles, and how figures are written.

/// The value below which this share of `values` lies; 0 if there are none.
pub(crate) fn percentile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    of_sorted(&sorted, share)
}

fn of_sorted(sorted: &[f64], share: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else {
        return 0.0;
    };
    let place = as_f64(last) * share;
    let (below, above) = (sorted[as_index(place.floor())], sorted[as_index(place.ceil())]);
    below + (above - below) * place.fract()
}

/// A median with the tenth and the ninetieth percentile.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) p10: f64,
    pub(crate) p90: f64,
}

impl Spread {
    pub(crate) fn of(values: &[f64]) -> Self {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let [median, p10, p90] = [0.5, 0.1, 0.9].map(|share| of_sorted(&sorted, share));
        Self { median, p10, p90 }
    }

    /// The spread of the quotients of figures that belong together, round by round.
    pub(crate) fn of_ratios(above: &[f64], below: &[f64]) -> Self {
        let ratios: Vec<f64> = above.iter().zip(below).map(|(above, below)| above / below).collect();
        Self::of(&ratios)
    }

    pub(crate) fn range(self) -> String {
        format!("{}–{}", figure(self.p10), figure(self.p90))
    }
}

/// Three digits that count, without an exponent.
pub(crate) fn figure(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => grouped(value),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 0.1 || size == 0.0 => format!("{value:.2}"),
        _ => format!("{value:.4}"),
    }
}

fn grouped(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        let left = digits.len() - index;
        if index > 0 && left.is_multiple_of(3) && !text.ends_with('-') {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[allow(clippy::cast_precision_loss)] // Counts of a benchmark are far below 2^52.
pub(crate) fn as_f64(count: usize) -> f64 {
    count as f64
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // A place in a list, so small and not negative.
fn as_index(place: f64) -> usize {
    place as usize
}

#[cfg(test)]
mod tests {
    use super::{Spread, figure, percentile};

    #[test]
    fn takes_the_middle_and_what_lies_between_two() {
        assert!((percentile(&[3.0, 1.0, 2.0], 0.5) - 2.0).abs() < 1e-9);
        assert!((percentile(&[4.0, 1.0], 0.5) - 2.5).abs() < 1e-9);
        assert!((percentile(&[0.0, 10.0], 0.9) - 9.0).abs() < 1e-9);
        assert!(percentile(&[], 0.5).abs() < 1e-9);
    }

    #[test]
    fn divides_round_by_round() {
        let spread = Spread::of_ratios(&[2.0, 9.0, 8.0], &[1.0, 3.0, 2.0]);
        assert!((spread.median - 3.0).abs() < 1e-9);
    }

    #[test]
    fn writes_three_digits() {
        let written = [1_234_567.0, 123.4, 12.34, 1.234, 0.0123].map(figure);
        assert_eq!(written, ["1,234,567", "123", "12.3", "1.23", "0.0123"]);
    }
}
