//! Characters and words that have a meaning next to a number.

/// Dashes that are printed as a minus sign. Programs print the first, typesetting the others.
pub(crate) const MINUS: [char; 8] =
    ['-', '\u{2212}', '\u{2013}', '\u{2010}', '\u{2011}', '\u{2012}', '\u{fe63}', '\u{ff0d}'];
/// Spaces that separate thousands. An ordinary space does so only in a Ukrainian text.
pub(super) const THIN: [char; 3] = ['\u{a0}', '\u{202f}', '\u{2009}'];
/// Signs that compare: `< 0.01` is not a printed number.
pub(super) const COMPARING: [char; 10] = ['<', '>', '≤', '≥', '≲', '≳', '≪', '≫', '≠', '±'];
/// Words that multiply the number before them: whole words, then beginnings of words.
pub(super) const MULTIPLES: [&str; 14] =
    ["k", "K", "M", "G", "T", "B", "к", "К", "М", "bn", "mil", "mln", "mio", "Mio"];
pub(super) const MULTIPLE_STEMS: [&str; 14] = [
    "thousand",
    "million",
    "billion",
    "trillion",
    "hundred",
    "dozen",
    "тис",
    "млн",
    "млрд",
    "мільйон",
    "мільярд",
    "сот",
    "десят",
    "дюжин",
];
/// Words that change the meaning of a number.
pub(super) const QUALIFIERS: [&str; 22] = [
    "minus",
    "less",
    "more",
    "least",
    "most",
    "under",
    "over",
    "above",
    "below",
    "than",
    "up",
    "log",
    "ln",
    "exp",
    "sqrt",
    "мінус",
    "менше",
    "більше",
    "понад",
    "щонайменше",
    "щонайбільше",
    "до",
];
/// Beginnings of words for percent.
pub(super) const PERCENT_STEMS: [&str; 7] = ["percent", "pct", "permille", "prozent", "pp", "відс", "процент"];
/// Signs that change the number beside them.
pub(super) const OPERATIONS: [char; 9] = ['√', '!', '^', '⁻', '⁺', '%', '\u{fe6a}', '\u{ff05}', '\u{66a}'];
