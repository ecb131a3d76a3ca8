//! What to say of a value of another type than expected.

use crate::text::short_number;
use crate::text::terminal::cut;

/// What to do about a decimal comma.
pub(super) const POINT: &str = "; decimals are written with a point, as 0.01";

/// How much of a value an error quotes, in characters.
const LONGEST_QUOTED: usize = 64;

/// For each type, the setting that PyTorch accepts without its name.
const FIRST_SETTINGS: &[(&str, &str)] = &[
    ("Augment", "shift"),
    ("Dropout", "p"),
    ("EarlyStopping", "patience"),
    ("Linear", "out_features"),
    ("TypedConv2d", "out_channels"),
    ("MaxPool2d", "kernel_size"),
    ("AvgPool2d", "kernel_size"),
    ("LeakyRelu", "negative_slope"),
    ("Sgd", "lr"),
    ("Adam", "lr"),
    ("AdamW", "lr"),
    ("Adadelta", "lr"),
    ("RmsProp", "lr"),
    ("StepLr", "step_size"),
    ("Warmup", "steps"),
    ("ReduceOnPlateau", "factor"),
    ("Cosine", "min_lr"),
];

/// What to do about a list or map where a text is expected.
pub(super) const TEXT_IN_QUOTES: &str = "; put a text that starts with `[` or `{` in quotes";

/// The message for a value of another type than expected, from both parts of serde's.
pub(super) fn mismatch(found: &str, expected: &str) -> String {
    let setting = expected.strip_prefix("struct ").map(|name| name.split_whitespace().next().unwrap_or(name));
    let words = match expected {
        "usize" | "u64" | "u32" => "a whole number, 0 or more",
        "f64" => "a number",
        "a boolean" => "true or false",
        "a sequence" => "a list",
        "a map" => "a map of names and values",
        "a string" | "path string" => "text",
        "an array of length 2" => "a list of 2 numbers",
        "an array of length 3" => "a list of 3 numbers",
        _ if setting.is_some() => "a map of settings",
        other => other,
    };
    let value = value_in(found);
    let is_number = expected.starts_with(['u', 'f']) || words.contains("number");
    let numbers: Vec<&str> = value.split([',', ' ']).filter(|part| !part.is_empty()).collect();
    let hint = if words == "a list" && !numbers.is_empty() && numbers.iter().all(|part| part.parse::<f64>().is_ok()) {
        match numbers[..] {
            // `seeds: 3` may mean seed 3 or three seeds.
            [one] => format!("; write [{one}] for {one} alone, or a list such as [1, 2, 3]"),
            _ => format!("; write [{}]", numbers.join(", ")),
        }
    } else if has_decimal_comma(value) {
        POINT.to_owned()
    } else if is_number && value.parse::<f64>().is_err() && is_number_with_separators(value) {
        "; write a number without spaces or separators".to_owned()
    } else if is_number && found.contains(": string ") && value.parse::<f64>().is_ok_and(f64::is_finite) {
        "; remove its quotes".to_owned()
    } else if ["None", "none", "default"].contains(&value) && words != "text" {
        "; for the default, leave the key out".to_owned()
    } else if words == "text" && (found.contains("sequence") || found.contains("map")) {
        TEXT_IN_QUOTES.to_owned()
    } else if words == "text" && found.contains("nothing") {
        "; put a text that starts with `#` or `&` in quotes".to_owned()
    } else if setting == Some("Residual") && found.contains("sequence") {
        "; write {layers: [...]}".to_owned()
    } else if let Some(first) = first_setting(setting).filter(|_| value.parse::<f64>().is_ok()) {
        format!("; write {{{first}: {value}}}")
    } else {
        String::new()
    };
    match in_words(found, value) {
        Some(found) => format!("expected {words}, found {found}{hint}"),
        None => format!("{found}, expected {words}{hint}"),
    }
}

/// The value in serde's words on it, such as `string "abc"`.
fn value_in(found: &str) -> &str {
    let text = found.split_once(": string \"").and_then(|(_, text)| text.strip_suffix('"'));
    text.or_else(|| found.split(['"', '`']).nth(1)).unwrap_or_default()
}

/// What was found: the value, or the kind of a value that has no short form.
fn in_words(found: &str, value: &str) -> Option<String> {
    let kind = found.strip_prefix("invalid type: ").or_else(|| found.strip_prefix("invalid value: "))?;
    Some(match kind {
        "sequence" => "a list".to_owned(),
        "map" => "a map".to_owned(),
        "nothing" => kind.to_owned(),
        "string \"\"" => "an empty text".to_owned(),
        _ if value.is_empty() => return None,
        _ => format!("`{}`", cut(&short_number(value), LONGEST_QUOTED)),
    })
}

fn first_setting(of: Option<&str>) -> Option<&'static str> {
    FIRST_SETTINGS.iter().find(|(name, _)| Some(*name) == of).map(|(_, first)| *first)
}

/// Whether a text is a number whose decimals follow a comma; YAML reads `lr: 0,01` as text.
fn has_decimal_comma(text: &str) -> bool {
    text.matches(',').count() == 1 && text.replacen(',', ".", 1).parse::<f64>().is_ok()
}

/// Whether a text is a number apart from spaces, commas, points and underscores between digits.
fn is_number_with_separators(text: &str) -> bool {
    let is_separator = |c: char| c.is_whitespace() || matches!(c, ',' | '.' | '_' | '\'');
    let digits: String = text.chars().filter(|c| !is_separator(*c)).collect();
    !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
}
