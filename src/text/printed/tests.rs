//! Tests of the reader of printed numbers.

use super::*;

fn one(text: &str, lang: Lang) -> (f64, i32) {
    let printed = read(text, lang).unwrap_or_else(|e| panic!("{text}: {e}"));
    assert_eq!(printed.numbers.len(), 1, "{text}: {printed:?}");
    (printed.numbers[0].value, printed.numbers[0].decimals)
}

fn values(text: &str, lang: Lang) -> Vec<f64> {
    let printed = read(text, lang).unwrap_or_else(|e| panic!("{text}: {e}"));
    printed.numbers.iter().map(|n| n.value).collect()
}

#[test]
fn notations_of_one_number() {
    for (text, value, decimals) in [
        ("640", 640.0, 0),
        ("0.50", 0.5, 2),
        (".5", 0.5, 1),
        ("5.", 5.0, 0),
        ("+3", 3.0, 0),
        ("-0.5", -0.5, 1),
        ("\u{2212}0.5", -0.5, 1),
        ("\u{2013}0.5", -0.5, 1),
        ("1e-3", 1e-3, 3),
        ("1.50E-03", 1.5e-3, 5),
        ("1.5e3", 1500.0, -2),
        ("12e2", 1200.0, -2),
        ("1e\u{2212}3", 1e-3, 3),
        ("3 × 10^-4", 3e-4, 4),
        ("3·10⁻⁴", 3e-4, 4),
        ("2x10**3", 2000.0, -3),
        ("7,850", 7850.0, 0),
        ("1,200,074", 1_200_074.0, 0),
        ("1,200.25", 1200.25, 2),
        ("7_850", 7850.0, 0),
        ("1\u{a0}200\u{a0}074", 1_200_074.0, 0),
        ("97 %", 0.97, 2),
        ("97.03%", 0.9703, 4),
        ("conv1: 640", 640.0, 0),
        ("slim-2 has 5 layers.", 5.0, 0),
        ("2.20 MB", 2.2, 2),
        ("(0.98)", 0.98, 2),
        ("loss = 0.0181.", 0.0181, 4),
        ("1.e-03", 1e-3, 3),
        ("1.e3", 1e3, -3),
        ("**97**", 97.0, 0),
        ("loss - approx. 3", 3.0, 0),
        ("10k", 10_000.0, -3),
        ("338.06k", 338_060.0, -1),
        ("1.2M", 1_200_000.0, -5),
        ("7.85 KMac", 7850.0, -1),
        ("Total params: 7,850", 7850.0, 0),
        ("final accuracy = 97 %", 0.97, 2),
        ("7850 parameters", 7850.0, 0),
        ("0e-3", 0.0, 3),
        ("0.001e5", 100.0, -2),
    ] {
        assert_eq!(one(text, Lang::En), (value, decimals), "{text}");
    }
    for (text, value, decimals) in [
        ("0,97", 0.97, 2),
        ("97,03 %", 0.9703, 4),
        ("1 200 074", 1_200_074.0, 0),
        ("1 200,5", 1200.5, 1),
        ("0,123", 0.123, 3),
        ("0.97", 0.97, 2),
        ("1,200,074", 1_200_074.0, 0),
        ("2,20 МБ", 2.2, 2),
        ("7850 параметрів", 7850.0, 0),
        ("Точність на тесті: 97 %", 0.97, 2),
    ] {
        assert_eq!(one(text, Lang::Uk), (value, decimals), "{text}");
    }
}

#[test]
fn lists() {
    for (text, expected) in [
        ("[128, 64, 26, 26]", vec![128.0, 64.0, 26.0, 26.0]),
        ("[7,850]", vec![7.0, 850.0]),
        ("[0.99 0.98]", vec![0.99, 0.98]),
        ("[1., -2., 3.]", vec![1.0, -2.0, 3.0]),
        ("0.99, 0.98", vec![0.99, 0.98]),
        ("64 × 26 × 26", vec![64.0, 26.0, 26.0]),
        ("9703/10000", vec![9703.0, 10000.0]),
        ("torch.Size([128, 10])", vec![128.0, 10.0]),
    ] {
        assert_eq!(values(text, Lang::En), expected, "{text}");
    }
    assert_eq!(values("[0,97; 0,98]", Lang::Uk), [0.97, 0.98]);
    assert_eq!(values("[0,97, 0,98]", Lang::Uk), [0.97, 0.98]);
    assert_eq!(values("[128, 10]", Lang::Uk), [128.0, 10.0]);
}

/// Texts that are refused in an English study.
#[rustfmt::skip]
const REFUSED: &[&str] = &[
    "half", "", "0,05", "1,2", "12,34", "0,123", "1.2.3", "1'000", "3-5", "0.5\u{2013}0.7", "- 0.5", "--5",
    "+-5", "1.2 M", "< 0.01", "97 ± 1", "10²", "½", "٣", "1e999", "1e-999", "2^10", "97 percent", "5 ‰",
    "7,85,000", "1.200,5", "1e5.5", "1,200,07", "3x10-4", "3 × 10\u{2212}4", "1.5 e-3", "3 e4", "1.5d-3",
    "1.5\u{435}-3", "acc97.03", "v97.03 %", "0x1EAA", "7.85 thousands", "7.85 Thousand", "1.2 millions", "1.2B",
    "1.2 bn", "7.85 Mio.", "2 dozen", "18.92 per cent", "18.92 (%)", "Accuracy, %: 18.92", "18.92\\%",
    "18.92 \u{fe6a}", "[18.92] %", "97.03-%", "% 97.03", "97.03 Prozent", "5 pp", "-$0.5", "\u{2212}(3)",
    "- approx. 3", "minus 3", "⁻3", "less than 3", "up to 3", "3+", "3 or more", "≲3", "√4", "5!", "1/",
    "not 15.29 %", "no 3", "accuracy is not: 15 %", "half of 7850", "twice 3", "double: 3", "7850 squared", "7850 KB",
    "Size (KB): 3", "Mult-adds (M): 3", "7850 x2", "3x3", "ten 3", "3 times", "3 dozen images", "un-3", "¬3", "÷3", "0e400", "0e1",
    "0.0e2 %", "0.00k", "7850 log10", "3 squared: yes",
    "log 3", "...5", "1__0", "9,007,199,254,740,993", "[20 %, 3]",
];

#[test]
fn ambiguous_and_unreadable_texts_are_refused() {
    for text in REFUSED {
        assert!(read(text, Lang::En).is_err(), "{text}: {:?}", read(text, Lang::En));
    }
    for text in [
        "7,850",
        "[1,2]",
        "1.200,5",
        "3\u{445}10-4",
        "1,5\u{435}-3",
        "7,85 тисячі",
        "2 мільйони",
        "5 сотень",
        "10К",
        "10 М",
        "18,92 відс.",
        "мінус 3",
        "менше 3",
        "не 3",
        "точність: не 3",
        "половина від 3",
        "тисяча 3",
        "3 у квадраті",
        "3 КБ",
        "двічі 3",
        "0,5 123",
    ] {
        assert!(read(text, Lang::Uk).is_err(), "{text}: {:?}", read(text, Lang::Uk));
    }
}
