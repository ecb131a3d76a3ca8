//! Finds the file that is probably meant where one is missing: another ending, or a typo.

use std::path::Path;

use crate::text::closest::{DID_YOU_MEAN, closest};

/// The end of a message on a study that is missing.
pub(super) fn near_study(file: &Path) -> String {
    if file.exists() {
        return String::new();
    }
    near(file, &["yaml", "yml"])
        .map_or_else(String::new, |name| format!("; {DID_YOU_MEAN} `{}`?", file.with_file_name(name).display()))
}

/// The end of a message on an image that is missing in a folder.
pub(super) fn near_image(folder: &Path, file: &str) -> String {
    near(&folder.join(file), &["png", "jpg", "jpeg"]).map_or_else(String::new, |name| {
        let before = file.rsplit_once('/').map_or_else(String::new, |(before, _)| format!("{before}/"));
        format!("; {DID_YOU_MEAN} `{before}{name}`?")
    })
}

/// The name of a file beside a missing one.
fn near(file: &Path, endings: &[&str]) -> Option<String> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let has_ending = |name: &String| {
        let ending = name.rsplit_once('.').map(|(_, ending)| ending);
        ending.is_some_and(|ending| endings.iter().any(|known| ending.eq_ignore_ascii_case(known)))
    };
    let mut names: Vec<String> =
        entries.filter_map(|entry| entry.file_name().into_string().ok()).filter(has_ending).collect();
    names.sort();
    let stem = |name: &str| {
        let parts = name.rsplit_once('.').filter(|(_, ending)| endings.iter().any(|e| ending.eq_ignore_ascii_case(e)));
        parts.map_or(name, |(stem, _)| stem).to_owned()
    };
    let typed = stem(&file.file_name().unwrap_or_default().to_string_lossy());
    let stems: Vec<String> = names.iter().map(|name| stem(name)).collect();
    let meant = stems.iter().find(|stem| **stem == typed).map(String::as_str);
    let meant = meant.or_else(|| closest(&typed, stems.iter().map(String::as_str)))?;
    let place = stems.iter().position(|stem| stem == meant)?;
    Some(names.swap_remove(place))
}
