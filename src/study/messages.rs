//! Translates serde's error messages for people who write YAML, not Rust.

/// Translates one of serde's messages.
pub(super) fn plain(message: &str) -> String {
    let mut message =
        message.replace("invalid type: unit value", "invalid type: nothing").replace("unknown variant", "unknown word");
    if let Some((found, expected)) = message.rsplit_once(", expected ") {
        let expected = match expected {
            "usize" | "u64" | "u32" => "a whole number, 0 or more",
            "f64" => "a number",
            "a boolean" => "true or false",
            "a sequence" => "a list",
            "a map" => "a map of names and values",
            other if other.starts_with("struct ") => "a map of settings",
            other => other,
        };
        message = format!("{found}, expected {expected}");
    }
    // YAML reads `lr: 0,01` as text and `{lr: 0,01}` as lr 0 and a key `01`.
    let quoted = message.split(['"', '`']).nth(1).unwrap_or_default();
    let is_key =
        message.starts_with("unknown field") && !quoted.is_empty() && quoted.bytes().all(|b| b.is_ascii_digit());
    let is_value = quoted.contains(',') && quoted.replacen(',', ".", 1).parse::<f64>().is_ok();
    if is_key || is_value {
        message.push_str("; decimals are written with a point, as 0.01");
    }
    message
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn rusts_types_are_told_in_words() {
        for (message, expected) in [
            (
                "invalid type: string \"x\", expected usize",
                "invalid type: string \"x\", expected a whole number, 0 or more",
            ),
            ("invalid type: unit value, expected struct Run", "invalid type: nothing, expected a map of settings"),
            ("invalid type: integer `1`, expected a sequence", "invalid type: integer `1`, expected a list"),
            ("unknown variant `a`, expected `b` or `c`", "unknown word `a`, expected `b` or `c`"),
            ("missing field `group`", "missing field `group`"),
        ] {
            assert_eq!(plain(message), expected);
        }
    }

    #[test]
    fn a_comma_in_a_number_is_pointed_out() {
        let hint = "; decimals are written with a point, as 0.01";
        for message in ["invalid type: string \"0,5\", expected f64", "unknown field `01`, expected `lr`"] {
            assert!(plain(message).ends_with(hint), "{message}");
        }
        for message in
            ["invalid type: string \"a,5\", expected f64", "unknown field `lr1`, expected `lr`", "unknown field ``"]
        {
            assert!(!plain(message).ends_with(hint), "{message}");
        }
    }
}
