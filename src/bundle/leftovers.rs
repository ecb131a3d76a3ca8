//! Files that operating systems leave in folders and zips. They never belong to a bundle: they are reported and
//! ignored, so no list, hash or report of a bundle can contain them.

use super::SUMS;
use super::limits::MAX_DEPTH;

/// Names of files, in any folder, in any mixture of upper and lower case.
const FILES: [&str; 9] = [
    ".DS_Store",
    ".directory",
    ".localized",
    ".apdisk",
    ".VolumeIcon.icns",
    "desktop.ini",
    "Thumbs.db",
    "ehthumbs.db",
    "ehthumbs_vista.db",
];

/// How the mark of the web ends.
const ZONE: &str = ":Zone.Identifier";

/// Names of folders, in any folder. All their contents are leftovers, too.
const FOLDERS: [&str; 11] = [
    "__MACOSX",
    ".AppleDouble",
    ".DocumentRevisions-V100",
    ".fseventsd",
    ".ipynb_checkpoints",
    ".Spotlight-V100",
    ".TemporaryItems",
    ".Trashes",
    "$RECYCLE.BIN",
    "@eaDir",
    "System Volume Information",
];

/// Whether a path is that of a leftover. A folder's path ends with `/`.
pub(super) fn is_leftover(path: &str) -> bool {
    let is_folder = path.ends_with('/');
    let parts: Vec<&str> = path.trim_end_matches('/').split('/').collect();
    let is_one_of = |names: &[&str], part: &str| names.iter().any(|name| name.eq_ignore_ascii_case(part));
    let (last, folders) = parts.split_last().unwrap_or((&"", &[]));
    let in_folder = folders.iter().any(|part| is_one_of(&FOLDERS, part) || part.starts_with(".Trash-"));
    let itself = is_one_of(&FOLDERS, last) || last.starts_with(".Trash-");
    // Windows marks a file from elsewhere so, which becomes a file of its own on other systems.
    let is_mark = last.len() > ZONE.len()
        && last.is_char_boundary(last.len() - ZONE.len())
        && last[last.len() - ZONE.len()..].eq_ignore_ascii_case(ZONE);
    let file = !is_folder && (is_one_of(&FILES, last) || last.starts_with("._") || is_mark);
    in_folder || itself || file
}

/// The length of the path of the folder that contains the bundle in a zip made by hand, such as `quick (1)/`; 0 if the
/// bundle is at the top of the zip, or if a file outside that folder is not a leftover.
pub(super) fn top_folder(names: &[Vec<u8>]) -> usize {
    let own = names.iter().filter(|name| !is_leftover(&String::from_utf8_lossy(name)));
    let own: Vec<&[u8]> = own.map(Vec::as_slice).collect();
    let depth = |top: &[u8]| top.split(|b| *b == b'/').count() - 1;
    let folders = own.iter().filter_map(|name| name.strip_suffix(SUMS.as_bytes()));
    let folders = folders.filter(|top| top.is_empty() || top.ends_with(b"/"));
    let Some(top) = folders.min_by_key(|top| depth(top)) else { return 0 };
    // `../` and `/` lead out of the zip. They stay part of the names, which are then refused.
    let is_plain = |part: &[u8]| !part.is_empty() && part != b"." && part != b".." && !part.contains(&b'\\');
    let folders = top.strip_suffix(b"/").unwrap_or_default();
    let is_safe = depth(top) <= MAX_DEPTH && folders.split(|b| *b == b'/').all(is_plain);
    let is_below = |name: &[u8]| name.starts_with(top) || (name.ends_with(b"/") && top.starts_with(name));
    if is_safe && own.iter().all(|name| is_below(name)) { top.len() } else { 0 }
}

/// One line that names the leftovers of a bundle; `None` if it has none.
pub(crate) fn leftovers_line(leftovers: &[String]) -> Option<String> {
    const MOST: usize = 5;
    let named = leftovers.iter().take(MOST).map(String::as_str).collect::<Vec<_>>().join(", ");
    let more = leftovers.len().saturating_sub(MOST);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    (!leftovers.is_empty()).then(|| format!("ignored, left by an operating system: {named}{more}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leftovers_are_recognised_in_every_folder_and_other_files_are_not() {
        for path in [
            ".DS_Store",
            "figures/.DS_Store",
            "weights/thumbs.db",
            "Desktop.ini",
            "__MACOSX/",
            "__MACOSX/quick (1)/._report.html",
            "._report.html",
            "figures/._a.svg",
            ".Spotlight-V100/Store-V2/x",
            ".Trashes",
            ".Trash-1000/files/x",
            "$RECYCLE.BIN/S-1/desktop.ini",
            "report.html:Zone.Identifier",
            ".ipynb_checkpoints/report-checkpoint.md",
        ] {
            assert!(is_leftover(path), "{path}");
        }
        for path in [
            "report.html",
            "report.html._",
            "desktop.ini/report.html",
            ".DS_Store/report.html",
            "._x/report.html",
            ".hidden",
            "figures/x.db",
            "__MACOSX2/x",
            "Thumbs.db.exe",
            "Zone.Identifier",
            "",
        ] {
            assert!(!is_leftover(path), "{path}");
        }
    }

    #[test]
    fn only_a_folder_above_the_whole_bundle_is_removed() {
        let top = |names: &[&str]| top_folder(&names.iter().map(|name| name.as_bytes().to_vec()).collect::<Vec<_>>());
        assert_eq!(top(&["SHA256SUMS", "report.html"]), 0);
        assert_eq!(top(&["quick (1)/SHA256SUMS", "quick (1)/report.html", "__MACOSX/quick (1)/._x"]), 10);
        assert_eq!(top(&["a/", "a/b/", "a/b/SHA256SUMS", "a/b/figures/x.svg", ".DS_Store"]), 4);
        for names in [
            &["a/SHA256SUMS", "b/report.html"][..],
            &["a/SHA256SUMS", "a/../report.html", "report.html"],
            &["../SHA256SUMS", "../report.html"],
            &["/SHA256SUMS", "/report.html"],
            &["a\\b/SHA256SUMS"],
            &["a/b/c/d/e/SHA256SUMS"],
            &["a/report.html"],
            &["aSHA256SUMS"],
        ] {
            assert_eq!(top(names), 0, "{names:?}");
        }
    }
}
