//! Random printed figures.

use minijinja::Value;
use proptest::prelude::*;

use super::{CASES, check};
use crate::claims::compare::{self, Verdict, Wording};
use crate::study::Claim;
use crate::text::{Lang, printed};

const ENGLISH: Wording = Wording { study: Lang::En, report: Lang::En };

/// A decimal number: `digits` times 10 to the power of minus `decimals`.
#[derive(Clone, Copy, Debug)]
struct Decimal {
    digits: i128,
    decimals: i32,
}

impl Decimal {
    fn value(self) -> f64 {
        format!("{}e{}", self.digits, -self.decimals).parse().unwrap()
    }

    /// The number in units of 10 to the power of minus `decimals`, which must be at least as fine.
    fn scaled(self, decimals: i32) -> i128 {
        self.digits * 10i128.pow((decimals - self.decimals) as u32)
    }
}

#[derive(Clone, Debug)]
struct Figure {
    printed: Decimal,
    /// The measured value's distance from the printed one, and its decimals beyond the printed ones.
    distance: i64,
    more: i32,
    notation: usize,
    sign: usize,
    how: usize,
    tolerance: i64,
}

const NOTATIONS: usize = 6;

impl Figure {
    /// The printed text, in one of several notations, and the decimals that it shows.
    fn text(&self) -> (String, i32) {
        let Decimal { digits, decimals } = self.printed;
        let sign = match (digits < 0, self.sign) {
            (true, n) => ["-", "\u{2212}", "\u{2013}"][n % 3],
            (false, 2) => "+",
            (false, _) => "",
        };
        let all = digits.unsigned_abs().to_string();
        let plain = |decimals: i32| {
            let padded = format!("{all:0>width$}", width = decimals.max(0) as usize + 1);
            let (whole, fraction) = padded.split_at(padded.len() - decimals.max(0) as usize);
            (whole.to_owned(), fraction.to_owned())
        };
        let point = |(whole, fraction): (String, String)| {
            if fraction.is_empty() { whole } else { format!("{whole}.{fraction}") }
        };
        let text = match self.notation {
            0 => point(plain(decimals)),
            1 => {
                let (whole, fraction) = plain(decimals);
                let mut grouped = String::new();
                for (i, digit) in whole.chars().enumerate() {
                    if i > 0 && (whole.len() - i) % 3 == 0 {
                        grouped.push(',');
                    }
                    grouped.push(digit);
                }
                point((grouped, fraction))
            }
            2 => format!("{all}e{}", -decimals),
            3 => format!("{}E{:+03}", point(plain(2)), 2 - decimals),
            4 => format!("{} %", point(plain(decimals - 2))),
            _ => format!("{all} × 10^{}", -decimals),
        };
        (format!("{sign}{text}"), decimals)
    }

    fn measured(&self) -> Decimal {
        let decimals = self.printed.decimals + self.more;
        Decimal { digits: self.printed.scaled(decimals) + i128::from(self.distance), decimals }
    }

    /// The verdict by arithmetic on whole numbers.
    fn matches(&self) -> bool {
        let fine = self.printed.decimals + self.more + 3;
        let difference = (self.printed.scaled(fine) - self.measured().scaled(fine)).abs();
        match self.how {
            0 => difference == 0,
            1 => 2 * difference <= 10i128.pow((self.more + 3) as u32),
            2 => difference <= i128::from(self.tolerance) * 10i128.pow(3),
            _ => 100 * difference <= i128::from(self.tolerance) * self.printed.scaled(fine).abs(),
        }
    }

    fn compare(&self) -> String {
        // An absolute tolerance is a number of the measured value's last decimals, a relative one a number of percent.
        let measured = self.measured().decimals - if self.notation == 4 { 2 } else { 0 };
        match self.how {
            0 => "exact".to_owned(),
            1 => "printed".to_owned(),
            2 => format!("{{absolute: {}e{}}}", self.tolerance, -measured),
            _ => format!("{{relative: {}e-2}}", self.tolerance),
        }
    }
}

fn figures() -> impl Strategy<Value = Figure> {
    let digits = prop_oneof![-99i128..100, -99_999i128..100_000, 1_000_000i128..9_999_999];
    let distance = prop_oneof![Just(0i64), -12i64..12, -600i64..600, Just(5), Just(-5), Just(50), Just(500)];
    (digits, 0i32..5, distance, 0i32..4, 0..NOTATIONS, 0usize..3, 0usize..4, 0i64..60).prop_map(
        |(digits, decimals, distance, more, notation, sign, how, tolerance)| {
            // A percentage shows at least whole points.
            let decimals = if notation == 4 { decimals + 2 } else { decimals };
            Figure { printed: Decimal { digits, decimals }, distance, more, notation, sign, how, tolerance }
        },
    )
}

#[test]
fn verdicts_agree_with_whole_number_arithmetic() {
    let verdicts = std::cell::Cell::new([0u32; 2]);
    check(&figures(), |figure| {
        let (text, _) = figure.text();
        let how = figure.compare();
        let claim = Claim {
            id: "c".into(),
            group: "g".into(),
            quote: "q".into(),
            printed: text.clone(),
            measured: "x".into(),
            compare: serde_yaml::from_str(&how).unwrap(),
            why: None,
        };
        prop_assert!(compare::check(&claim, Lang::En).is_ok(), "{text}: {:?}", compare::check(&claim, Lang::En));
        let measured = figure.measured().value();
        let (verdict, shown) = compare::compare(&claim, Some(&Value::from(measured)), ENGLISH);
        let expected = if figure.matches() { Verdict::Matches } else { Verdict::Differs };
        prop_assert_eq!(verdict, expected, "`{}` {} {}, shown as {}", text, how, measured, shown);
        // The value shown, compared as if it had been measured, gives the same verdict.
        let read = printed::read(&shown, Lang::En).unwrap().numbers[0].value;
        let (again, _) = compare::compare(&claim, Some(&Value::from(read)), ENGLISH);
        prop_assert_eq!(again, expected, "`{}` {} {} is shown as {}", text, how, measured, shown);
        let mut counts = verdicts.get();
        counts[usize::from(figure.matches())] += 1;
        verdicts.set(counts);
        Ok(())
    });
    assert!(verdicts.get().iter().all(|n| *n > CASES / 10), "{:?}", verdicts.get());
}
