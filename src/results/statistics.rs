//! Statistics: means and accuracies with their intervals, differences of two networks. All intervals are two-sided, 95 %.
//!
//! The last bits may differ between machines, because statrs uses the system's logarithm. Reports print few digits, so
//! they do not show it.

use std::sync::OnceLock;

use serde::{Deserialize, Serialize};
use statrs::distribution::{Binomial, ContinuousCDF, DiscreteCDF, Normal, StudentsT};

/// The confidence level: the share of repetitions in which an interval contains the true value.
pub const LEVEL: f64 = 0.95;

/// The fewest seeds that have an interval. With two, Student's t has one degree of freedom: the interval is 12.7 standard
/// errors wide on each side, which excludes almost nothing.
pub const LEAST_SEEDS: usize = 3;

/// A closed interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "self-evident")]
pub struct Interval {
    pub lower: f64,
    pub upper: f64,
}

impl Interval {
    fn around(mean: f64, half: f64) -> Self {
        Self { lower: mean - half, upper: mean + half }
    }
}

/// A sample's mean and spread.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[expect(missing_docs, reason = "self-evident")]
pub struct Summary {
    pub n: usize,
    pub mean: f64,
    /// Standard deviation with n - 1 in its denominator; none for one value.
    pub sd: Option<f64>,
    /// Student's t interval of the mean; none for one value.
    pub interval: Option<Interval>,
}

impl Summary {
    /// Summarises at least one value.
    ///
    /// # Panics
    /// On no values.
    pub fn of(values: &[f64]) -> Self {
        assert!(!values.is_empty(), "at least one value is needed");
        let (n, mean) = (values.len(), mean(values));
        let variance = variance(values);
        let interval = variance.map(|v| Interval::around(mean, t_quantile((n - 1) as f64) * (v / n as f64).sqrt()));
        Self { n, mean, sd: variance.map(f64::sqrt), interval }
    }

    /// Summarises one value for each seed: the same, with an interval from [`LEAST_SEEDS`] seeds on if the values differ.
    ///
    /// # Panics
    /// On no values.
    pub fn over_seeds(values: &[f64]) -> Self {
        let summary = Self::of(values);
        Self { interval: summary.interval.filter(|_| values.len() >= LEAST_SEEDS && differ(values)), ..summary }
    }
}

/// Wilson's interval of a proportion, `k` of `n` (Wilson 1927; `proportion_confint(method="wilson")` of statsmodels).
/// Reports use it for an accuracy, with the test images as a random sample.
pub fn wilson(k: usize, n: usize) -> Interval {
    let z = Normal::standard().inverse_cdf(f64::midpoint(1.0, LEVEL));
    let (k, n) = (k as f64, n as f64);
    let (p, z2) = (k / n, z * z);
    let center = (p + z2 / (2.0 * n)) / (1.0 + z2 / n);
    let half = z / (1.0 + z2 / n) * (p * (1.0 - p) / n + z2 / (4.0 * n * n)).sqrt();
    let Interval { lower, upper } = Interval::around(center, half);
    Interval { lower: lower.max(0.0), upper: upper.min(1.0) }
}

/// A difference of two means.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[expect(missing_docs, reason = "self-evident")]
pub struct Difference {
    pub mean: f64,
    pub interval: Interval,
}

/// The difference of the means of two independent samples, `a` minus `b`, with Welch's interval (Welch 1947;
/// `ttest_ind(equal_var=False).confidence_interval()` of SciPy). `None` if a sample has one value, or if the
/// variances are too small or too large to compute with. Reports use it for accuracies over seeds.
pub fn welch(a: &[f64], b: &[f64]) -> Option<Difference> {
    let of_mean = |x: &[f64]| Some((variance(x)? / x.len() as f64, (x.len() - 1) as f64));
    let ((va, da), (vb, db)) = (of_mean(a)?, of_mean(b)?);
    let mean = mean(a) - mean(b);
    let sum = va + vb;
    if sum == 0.0 {
        return Some(Difference { mean, interval: Interval::around(mean, 0.0) });
    }
    let degrees = sum * sum / (va * va / da + vb * vb / db);
    if !degrees.is_finite() {
        return None;
    }
    Some(Difference { mean, interval: Interval::around(mean, t_quantile(degrees) * sum.sqrt()) })
}

/// [`welch`] for samples with one value for each seed: none unless both have [`LEAST_SEEDS`] seeds, and values of one differ.
pub fn welch_over_seeds(a: &[f64], b: &[f64]) -> Option<Difference> {
    let enough = a.len().min(b.len()) >= LEAST_SEEDS;
    if enough && (differ(a) || differ(b)) { welch(a, b) } else { None }
}

/// The p-value of Welch's test, two-sided: the probability of a difference of the means at least this large, if the samples come
/// from normal distributions with equal means (Welch 1947; `ttest_ind(equal_var=False)` of SciPy). `None` where [`welch`] has no
/// interval, or both samples have no spread.
pub fn welch_p(a: &[f64], b: &[f64]) -> Option<f64> {
    let of_mean = |x: &[f64]| Some((variance(x)? / x.len() as f64, (x.len() - 1) as f64));
    let ((va, da), (vb, db)) = (of_mean(a)?, of_mean(b)?);
    let sum = va + vb;
    let degrees = sum * sum / (va * va / da + vb * vb / db);
    let t = StudentsT::new(0.0, 1.0, degrees).ok().filter(|_| sum > 0.0 && degrees.is_finite())?;
    Some((2.0 * t.cdf(-((mean(a) - mean(b)) / sum.sqrt()).abs())).min(1.0))
}

/// Holm's adjustment of several p-values (Holm 1979, A simple sequentially rejective multiple test procedure;
/// `multipletests(method="holm")` of statsmodels). If every adjusted value below 0.05 is taken as a difference, the probability
/// that at least one of these is wrong is at most 0.05, even if the tests depend on each other.
pub fn holm(ps: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..ps.len()).collect();
    order.sort_by(|i, j| ps[*i].total_cmp(&ps[*j]));
    let (mut adjusted, mut largest) = (vec![0.0; ps.len()], 0.0f64);
    for (rank, i) in order.into_iter().enumerate() {
        largest = largest.max(((ps.len() - rank) as f64 * ps[i]).min(1.0));
        adjusted[i] = largest;
    }
    adjusted
}

/// Whether values have any spread. Rounding gives equal values a variance that is not always 0.
pub fn differ(values: &[f64]) -> bool {
    values.iter().any(|x| *x != values[0])
}

/// The difference of two networks' accuracies on the same `n` images, of which `only_a` are classified correctly by the first
/// network alone and `only_b` by the second alone: Student's t interval of the images' differences, each 1, 0 or -1
/// (`ttest_1samp` of SciPy). It treats the images as a random sample and the networks as fixed.
pub fn paired(only_a: usize, only_b: usize, n: usize) -> Difference {
    let (a, b, count) = (only_a as f64, only_b as f64, n as f64);
    let mean = (a - b) / count;
    let variance = (a + b - count * mean * mean) / (count - 1.0);
    let half = if variance > 0.0 { t_quantile(count - 1.0) * (variance / count).sqrt() } else { 0.0 };
    Difference { mean, interval: Interval::around(mean, half) }
}

/// The difference of two accuracies, each `(correct, images)`, on samples that are treated as independent: Newcombe's interval from
/// Wilson's (Newcombe 1998, method 10; `confint_proportions_2indep(method="newcomb")` of statsmodels). For two networks on the same
/// images it is wider than [`paired`], which needs to know on which images they differ.
pub fn newcombe(a: (usize, usize), b: (usize, usize)) -> Difference {
    let share = |(k, n): (usize, usize)| k as f64 / n as f64;
    let (p, q, of_a, of_b) = (share(a), share(b), wilson(a.0, a.1), wilson(b.0, b.1));
    let root = |x: f64, y: f64| (x * x + y * y).sqrt();
    let mean = p - q;
    let interval = Interval {
        lower: mean - root(p - of_a.lower, of_b.upper - q),
        upper: mean + root(of_a.upper - p, q - of_b.lower),
    };
    Difference { mean, interval }
}

/// The p-value of McNemar's exact test, two-sided (McNemar 1947; `mcnemar(exact=True)` of statsmodels): the probability that
/// the images on which only one network is right are split at least this unevenly, if both networks are equally accurate.
pub fn mcnemar(only_a: usize, only_b: usize) -> f64 {
    let n = (only_a + only_b) as u64;
    let tail = Binomial::new(0.5, n).map_or(1.0, |b| b.cdf(only_a.min(only_b) as u64));
    (2.0 * tail).min(1.0)
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn variance(values: &[f64]) -> Option<f64> {
    let mean = mean(values);
    let squares: f64 = values.iter().map(|x| (x - mean) * (x - mean)).sum();
    (values.len() > 1).then(|| squares / (values.len() - 1) as f64)
}

/// Student's t that a value stays below with a probability of 97.5 %. It is searched for, and a study may ask for it for each epoch of
/// each comparison, so those of few degrees of freedom are kept.
fn t_quantile(degrees: f64) -> f64 {
    static KNOWN: [OnceLock<f64>; 64] = [const { OnceLock::new() }; 64];
    let quantile = || {
        let t = StudentsT::new(0.0, 1.0, degrees).expect("degrees of freedom are above 0");
        t.inverse_cdf(f64::midpoint(1.0, LEVEL))
    };
    match KNOWN.get(degrees as usize).filter(|_| degrees.fract() == 0.0) {
        Some(known) => *known.get_or_init(quantile),
        None => quantile(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn fixtures() -> Value {
        serde_json::from_str(include_str!("../../tests/fixtures/statistics/statistics.json")).unwrap()
    }

    fn close(found: f64, expected: &Value, what: &str) {
        let expected = expected.as_f64().unwrap();
        let off = (found - expected).abs();
        assert!(off <= 1e-9 * expected.abs().max(1.0), "{what}: {found} is not {expected}");
        // Below 1 the limit is tighter: 1e-9 of the expected value, or 1e-12 if that is more.
        assert!(off <= 1e-9 * expected.abs() || expected.abs() < 1e-300 || off < 1e-12, "{what}: {found}, {expected}");
    }

    fn close_interval(found: Interval, expected: &Value, what: &str) {
        close(found.lower, &expected[0], what);
        close(found.upper, &expected[1], what);
    }

    fn list(value: &Value) -> Vec<f64> {
        value.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
    }

    #[test]
    fn agrees_with_scipy_and_statsmodels() {
        let fixtures = fixtures();
        let cases = |name: &str| fixtures[name].as_array().unwrap().clone();
        for case in cases("summaries") {
            let (what, found) = (format!("summary {}", case["sample"]), Summary::of(&list(&case["sample"])));
            close(found.mean, &case["mean"], &what);
            close(found.sd.unwrap(), &case["sd"], &what);
            close_interval(found.interval.unwrap(), &case["interval"], &what);
        }
        let count = |x: &Value| x.as_u64().unwrap() as usize;
        for case in cases("wilson") {
            let what = format!("wilson {case}");
            close_interval(wilson(count(&case["k"]), count(&case["n"])), &case["interval"], &what);
        }
        for case in cases("welch") {
            let (what, found) = (format!("welch {case}"), welch(&list(&case["a"]), &list(&case["b"])).unwrap());
            close(found.mean, &case["mean"], &what);
            close_interval(found.interval, &case["interval"], &what);
            close(welch_p(&list(&case["a"]), &list(&case["b"])).unwrap(), &case["p"], &what);
        }
        for case in cases("holm") {
            let found = holm(&list(&case["p"]));
            assert_eq!(found.len(), list(&case["adjusted"]).len());
            found.iter().zip(case["adjusted"].as_array().unwrap()).for_each(|(p, q)| close(*p, q, "holm"));
        }
        for case in cases("paired") {
            let what = format!("paired {case}");
            let (a, b) = (count(&case["only_a"]), count(&case["only_b"]));
            let found = paired(a, b, count(&case["n"]));
            close(found.mean, &case["mean"], &what);
            close_interval(found.interval, &case["interval"], &what);
            let p = mcnemar(a, b);
            let expected = case["p"].as_f64().unwrap();
            assert!((p - expected).abs() <= 1e-9 * expected, "{what}: {p}");
        }
    }

    #[test]
    fn one_value_has_no_interval() {
        assert_eq!(Summary::of(&[0.97]), Summary { n: 1, mean: 0.97, sd: None, interval: None });
        assert_eq!(welch(&[0.97], &[0.98, 0.99]), None);
        assert_eq!(welch_p(&[0.97], &[0.98, 0.99]), None);
        assert_eq!(welch_p(&[0.5, 0.5], &[0.25, 0.25]), None);
    }

    #[test]
    fn values_without_spread_have_no_interval_over_seeds() {
        // The sum of three times 0.1, divided by 3, is not 0.1.
        for same in [[0.1; 3], [0.9153; 3]] {
            assert_eq!(Summary::over_seeds(&same).interval, None);
            assert_eq!(welch_over_seeds(&same, &[0.5; 4]), None);
            assert!(welch_over_seeds(&same, &[0.1, 0.2, 0.3]).is_some());
        }
    }

    #[test]
    fn an_interval_over_seeds_needs_three_of_them() {
        let values = [0.97, 0.98, 0.975, 0.96];
        for n in 1..=values.len() {
            let (all, seeds) = (Summary::of(&values[..n]), Summary::over_seeds(&values[..n]));
            assert_eq!((seeds.n, seeds.mean, seeds.sd), (all.n, all.mean, all.sd));
            assert_eq!(seeds.interval, all.interval.filter(|_| n >= 3));
            for m in 1..=values.len() {
                let (a, b) = (&values[..n], &values[..m]);
                assert_eq!(welch_over_seeds(a, b), welch(a, b).filter(|_| n >= 3 && m >= 3), "{n} and {m}");
            }
        }
        // What the reports print about two seeds.
        assert_eq!(format!("{:.1}", t_quantile(1.0)), "12.7");
    }

    /// Table II of Newcombe 1998, method 10: 56 of 70 against 48 of 80, and 9 of 10 against 3 of 10.
    #[test]
    fn newcombe_gives_the_published_intervals() {
        for (a, b, lower, upper) in [((56, 70), (48, 80), 0.0524, 0.3339), ((9, 10), (3, 10), 0.1705, 0.8090)] {
            let Difference { interval, .. } = newcombe(a, b);
            assert!((interval.lower - lower).abs() < 5e-5 && (interval.upper - upper).abs() < 5e-5, "{interval:?}");
        }
    }
}
