//! The date that a report prints.

use super::BuildError;
use crate::study::Study;

/// The study's date, otherwise the day (UTC) of SOURCE_DATE_EPOCH, otherwise none. Never today's date, so that builds
/// are reproducible.
///
/// # Errors
/// SOURCE_DATE_EPOCH is malformed (<https://reproducible-builds.org/specs/source-date-epoch/> 1.1).
pub fn report_date(study: &Study) -> Result<Option<String>, BuildError> {
    if study.date.is_some() {
        return Ok(study.date.clone());
    }
    let Some(epoch) = std::env::var_os("SOURCE_DATE_EPOCH") else { return Ok(None) };
    let epoch = epoch.to_string_lossy();
    let digits = !epoch.is_empty() && epoch.bytes().all(|b| b.is_ascii_digit());
    let seconds = if digits { epoch.parse::<i64>().ok() } else { None };
    match seconds.and_then(|s| chrono::DateTime::from_timestamp(s, 0)) {
        Some(date) => Ok(Some(date.format("%Y-%m-%d").to_string())),
        None => Err(BuildError::SourceDateEpoch(epoch.into_owned())),
    }
}
