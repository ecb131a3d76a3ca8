//! Dates as a study and a manifest write them.

/// Whether a text is a day, written YYYY-MM-DD. There was no year 0.
pub fn is_date(text: &str) -> bool {
    text.len() == 10 && !text.starts_with("0000") && chrono::NaiveDate::parse_from_str(text, "%Y-%m-%d").is_ok()
}
