//! Checks of the names of models, runs and comparisons, which become parts of file names on every system.

use std::collections::HashMap;

use super::Place;
use crate::study::only::ONLY;
use crate::study::{Source, StudyError};

/// Names that Windows reserves for devices, with any ending and in any case. `com` and `lpt` with a digit are reserved,
/// too.
const DEVICES: [&str; 6] = ["con", "prn", "aux", "nul", "conin", "conout"];

/// Checks all names of the study's `part` (`models`).
pub(in crate::study) fn check<'a>(
    source: &Source,
    part: &str,
    names: impl Iterator<Item = &'a String>,
) -> Result<(), StudyError> {
    let mut seen = HashMap::new();
    for name in names {
        let place = Place::new(source, format!("{part}.{name}"));
        check_characters(&place, name)?;
        if part == "runs" && name == ONLY {
            return place.refuse(format!(
                "name `{name}`: in a study that extends another one, it lists the runs to keep: choose another"
            ));
        }
        let lower = name.to_ascii_lowercase();
        if is_device(&lower) {
            return place.refuse(format!("name `{name}`: Windows cannot store files of this name: choose another"));
        }
        if let Some(other) = seen.insert(lower, name) {
            return place.refuse(format!(
                "name `{name}` differs from `{other}` only by case, and some systems cannot store both files: rename one"
            ));
        }
    }
    Ok(())
}

fn check_characters(place: &Place, name: &str) -> Result<(), StudyError> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if (1..=64).contains(&name.len()) && name.chars().all(allowed) && !name.starts_with('-') {
        return Ok(());
    }
    place.refuse(format!("name `{name}`: 1 to 64 Latin letters, digits, `-` or `_`, and not `-` first"))
}

pub(in crate::study) fn is_device(lower: &str) -> bool {
    let numbered = lower.strip_prefix("com").or_else(|| lower.strip_prefix("lpt"));
    DEVICES.contains(&lower) || numbered.is_some_and(|n| n.len() == 1 && n.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::is_device;

    #[test]
    fn names_that_windows_reserves() {
        for name in ["con", "nul", "aux", "prn", "com1", "com9", "lpt1", "lpt9"] {
            assert!(is_device(name), "{name}");
        }
        for name in ["cone", "null", "com", "com10", "lpt-1", "small-con", "auxiliary"] {
            assert!(!is_device(name), "{name}");
        }
    }
}
