//! Dates as a study and a manifest write them.

/// Whether a text is a day, written YYYY-MM-DD, or a year, YYYY. There was no year 0.
pub fn is_date(text: &str) -> bool {
    let is_year = text.len() == 4 && text.bytes().all(|b| b.is_ascii_digit());
    let is_day = || text.len() == 10 && chrono::NaiveDate::parse_from_str(text, "%Y-%m-%d").is_ok();
    !text.starts_with("0000") && (is_year || is_day())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_a_day_or_a_year() {
        assert!(["2026-01-31", "2026", "0001"].into_iter().all(is_date));
        for text in ["2026-02-31", "2026-01", "26", "0000", "0000-01-01", "+202", "2026 ", "٢٠٢٦", ""] {
            assert!(!is_date(text), "{text}");
        }
    }
}
