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
/// Words that change the meaning of a number, in a label before it, too.
pub(super) const QUALIFIERS: [&str; 50] = [
    "not",
    "no",
    "never",
    "without",
    "negative",
    "half",
    "third",
    "quarter",
    "twice",
    "thrice",
    "double",
    "triple",
    "squared",
    "cubed",
    "kb",
    "kib",
    "gb",
    "gib",
    "bytes",
    "не",
    "ні",
    "без",
    "половина",
    "третина",
    "чверть",
    "двічі",
    "кб",
    "гб",
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
/// Words and beginnings of words that may stand beside a number without changing it. All others are refused, because no list of
/// those that change it would be complete: `twice`, `ten`, `squared`, `KB`.
#[rustfmt::skip]
pub(super) const HARMLESS: [&str; 54] = [
    "a", "an", "the", "of", "on", "in", "out", "is", "was", "are", "and", "with", "for", "has", "have", "at", "my", "our",
    "about", "approx", "ca", "mb", "s", "np", "lr", "set", "avg", "max", "min", "sec", "int", "x", "х", "і", "й", "та", "в",
    "у", "на", "з", "із", "для", "це", "є", "має", "мають", "мб", "с", "сек", "близько", "приблизно", "всього", "усього",
    "разом",
];
#[rustfmt::skip]
pub(super) const HARMLESS_STEMS: [&str; 90] = [
    "accurac", "loss", "error", "param", "weight", "image", "digit", "epoch", "batch", "step", "layer", "channel", "class",
    "seed", "run", "model", "network", "test", "train", "valid", "point", "second", "minute", "hour", "neuron", "unit", "bias",
    "conv", "linear", "relu", "pool", "drop", "norm", "flatten", "size", "shape", "mean", "average", "total", "correct",
    "predict", "sample", "momentum", "learning", "rate", "score", "precision", "recall", "value", "filter", "kernel", "feature",
    "input", "output", "torch", "tensor", "array", "numpy", "float", "mac", "mult", "точн", "втрат", "похибк", "помилк",
    "параметр", "ваг", "зображен", "цифр", "епох", "пакет", "крок", "шар", "канал", "клас", "зер", "запуск", "модел", "мереж",
    "тест", "навч", "валідац", "пункт", "секунд", "хвилин", "нейрон", "розмір", "середн", "правильн", "значен",
];
/// Words after a number for thousands, millions and billions of multiply-adds, as ptflops prints them.
pub(super) const MULT_ADDS: [(&str, i32); 3] = [("kmac", 3), ("mmac", 6), ("gmac", 9)];
/// Beginnings of words for percent.
pub(super) const PERCENT_STEMS: [&str; 7] = ["percent", "pct", "permille", "prozent", "pp", "відс", "процент"];
/// Signs that change the number beside them.
pub(super) const OPERATIONS: [char; 15] =
    ['¬', '÷', '∛', '∑', '∞', '∓', '√', '!', '^', '⁻', '⁺', '%', '\u{fe6a}', '\u{ff05}', '\u{66a}'];
