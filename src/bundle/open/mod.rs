//! Opens a bundle from a possibly untrusted author. Trusts nothing in the bundle, and writes nothing to disk.

mod archive;
mod bytes;
mod entry;
mod folder;
mod zip;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::leftovers::is_leftover;
use super::limits::Budget;
use super::ro_crate::stated_sizes;
use super::{Bundle, CRATE, Error, FileInfo, Files, INDEX, Listing, MANIFEST, OPTIONAL, REPORT, RESULTS, SUMS, Sums};

/// Why a folder is not read, after its name.
const TOO_DEEP: &str = "is nested deeper than any folder of a bundle, and was not read";

/// Opens a folder or a zip.
pub(super) fn open(path: &Path) -> Result<Bundle, Error> {
    let meta = fs::metadata(path).map_err(Error::read(path))?;
    let (mut found, mut place) = (Found::default(), path.to_owned());
    if meta.is_dir() {
        place = folder::locate(path, &mut found.leftovers);
        folder::read(&place, &mut found)?;
    } else if let Some(reason) = not_a_bundle(path) {
        return Err(Error::refused(path, reason));
    } else if meta.is_file() {
        zip::read(path, &mut found)?;
    } else {
        return Err(Error::refused(path, "is neither a folder nor a zip file"));
    }
    let Found { mut files, mut problems, leftovers, is_ambiguous, has_backslashes } = found;
    if !is_ambiguous && ![SUMS, MANIFEST, RESULTS].iter().any(|name| files.contains_key(*name)) {
        let advice =
            if has_backslashes { zip::BACKSLASHES } else { "name a folder that `mnist-report build` made, or its zip" };
        let reason = match inside(path, meta.is_dir(), files.keys()) {
            Some(inside) => format!("is not a bundle: {inside}"),
            None => format!("is not a bundle: it has none of {SUMS}, {MANIFEST}, {RESULTS}; {advice}"),
        };
        return Err(Error::refused(path, reason));
    }
    // SHA256SUMS does not list the copy of the report for static hosts.
    if let Some(index) = files.remove(INDEX)
        && files.get(REPORT) != Some(&index)
    {
        problems.push(format!("{INDEX} is not a copy of {REPORT}"));
    }
    let left_out = left_out(&files);
    Ok(Bundle { path: place, files, problems, leftovers, left_out })
}

/// The folders in files of office programs, which are zips, and what such a file is.
const OFFICE: [(&str, &str); 3] =
    [("word/", "it is a Word document"), ("xl/", "it is an Excel table"), ("ppt/", "it is a PowerPoint presentation")];

/// Names the bundles in a folder or zip that is not one itself, and says what to do.
fn inside<'a>(path: &Path, is_folder: bool, names: impl Iterator<Item = &'a String>) -> Option<String> {
    let names: Vec<&str> = names.map(String::as_str).collect();
    let folders: Vec<&str> =
        names.iter().filter_map(|name| name.strip_suffix(SUMS)).filter(|folder| folder.ends_with('/')).collect();
    let zips: Vec<&str> = names.iter().copied().filter(|name| name.to_ascii_lowercase().ends_with(".zip")).collect();
    let place = path.display();
    let is_office = |(folder, _): &&(&str, &str)| !is_folder && names.iter().any(|name| name.starts_with(folder));
    if folders.is_empty()
        && let Some((_, what)) = OFFICE.iter().find(is_office)
    {
        return Some(format!("{what}: ask for the zip"));
    }
    Some(match (folders.as_slice(), zips.as_slice()) {
        ([folder], _) => {
            let other = names.iter().find(|name| !name.starts_with(folder)).copied().unwrap_or("none");
            let advice =
                if is_folder { format!("name {}", path.join(folder).display()) } else { format!("zip {folder} alone") };
            format!("the bundle is in {folder}, beside other files ({other}): {advice}")
        }
        ([_, _, ..], _) => {
            let advice =
                if is_folder { format!("name them, as in `verify {place}/*`") } else { "zip each alone".to_owned() };
            format!("contains {} bundles: {advice}", folders.len())
        }
        ([], [zip]) if is_folder => format!("contains {zip}: name {}", path.join(zip).display()),
        ([], [zip]) => format!("contains {zip}: unpack it first"),
        ([], [_, _, ..]) if is_folder => {
            let folder = path.join(Path::new(zips[0]).parent().unwrap_or(Path::new("")));
            let folder = folder.display().to_string();
            let folder = folder.trim_end_matches('/');
            format!("contains {} zips: name them, as in `verify {folder}/*.zip`", zips.len())
        }
        ([], [_, _, ..]) => format!("contains {} zips: unpack it first", zips.len()),
        ([], []) => return None,
    })
}

/// Recognises, by its extension, a file that people pass instead of a bundle.
fn not_a_bundle(path: &Path) -> Option<&'static str> {
    match path.extension()?.to_str()? {
        "yaml" | "yml" => Some("is a study, not a bundle: name the folder that `mnist-report build` made of it"),
        "html" | "md" => Some("is a page alone, not a bundle: ask for the zip, or name the folder that holds it"),
        "json" => Some("is one file of a bundle: name the folder that holds it"),
        _ => None,
    }
}

/// The contents of a folder or a zip.
#[derive(Default)]
struct Found {
    files: Files,
    /// Messages about entries that do not belong in a bundle.
    problems: Vec<String>,
    /// Files that operating systems left.
    leftovers: Vec<String>,
    /// Whether no file of a bundle's zip was read, because two programs could read two different bundles.
    is_ambiguous: bool,
    /// Whether names in a zip have `\` that cannot be read as `/`.
    has_backslashes: bool,
}

impl Found {
    /// Whether a file of `size` bytes, whose path in the bundle is `path`, may be read; if not, adds a problem. Fails with
    /// the reason if all files together are too many or too large: otherwise a forger would choose which are read.
    fn has_room_for(&mut self, path: &str, size: u64, budget: &mut Budget) -> Result<bool, String> {
        match Budget::default().take(path, size) {
            Ok(()) => budget.take(path, size).map(|()| true),
            Err(why) => {
                self.problems.push(format!("{path} {why}, and was not read"));
                budget.take(path, 0).map(|()| false)
            }
        }
    }

    /// Adds a problem for each folder (`figures/`) without a file of the bundle.
    fn empty_folders(&mut self, folders: &BTreeSet<String>) {
        let is_empty =
            |folder: &&String| !is_leftover(folder) && !self.files.keys().any(|path| path.starts_with(*folder));
        let empty = folders.iter().filter(is_empty).map(|folder| folder.trim_end_matches('/'));
        let problems: Vec<String> = empty.map(|folder| format!("{folder}: an empty folder")).collect();
        self.problems.extend(problems);
    }
}

/// The files that SHA256SUMS lists in optional folders from which the bundle has no file: a lean zip, or what it was unpacked
/// to. A single file that is missing was lost.
fn left_out(files: &Files) -> Listing {
    let sums = files.get(SUMS).and_then(|sums| Sums::parse(std::str::from_utf8(sums).ok()?).ok());
    let sizes = files.get(CRATE).map(|bytes| stated_sizes(bytes)).unwrap_or_default();
    let is_absent = |folder: &&str| !files.keys().any(|path| path.starts_with(*folder));
    let absent: Vec<&str> = OPTIONAL.into_iter().filter(is_absent).collect();
    let listed = sums.map(|sums| sums.0).unwrap_or_default().into_iter();
    let left_out = listed.filter(|(path, _)| absent.iter().any(|folder| path.starts_with(folder)));
    left_out.map(|(path, sha256)| (path.clone(), FileInfo { sha256, bytes: sizes.get(&path).copied() })).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bundles_in_what_is_none_are_named() {
        let said = |is_folder, names: &[&str]| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            inside(Path::new("subs"), is_folder, names.iter()).unwrap_or_default()
        };
        let carol = ["carol.yaml", "carol/SHA256SUMS", "carol/results.json"];
        assert_eq!(said(true, &carol), "the bundle is in carol/, beside other files (carol.yaml): name subs/carol/");
        assert_eq!(said(false, &carol), "the bundle is in carol/, beside other files (carol.yaml): zip carol/ alone");
        let zips = ["a.zip", "b.zip"];
        assert_eq!(said(true, &zips), "contains 2 zips: name them, as in `verify subs/*.zip`");
        assert_eq!(said(false, &["carol.zip"]), "contains carol.zip: unpack it first");
        assert_eq!(
            said(true, &["lab/a.zip", "lab/b.zip"]),
            "contains 2 zips: name them, as in `verify subs/lab/*.zip`"
        );
        assert_eq!(said(false, &["lab/a.zip", "lab/b.zip"]), "contains 2 zips: unpack it first");
        let word = ["[Content_Types].xml", "word/document.xml"];
        assert_eq!(said(false, &word), "it is a Word document: ask for the zip");
        assert_eq!(said(true, &word), "");
        assert_eq!(said(true, &["carol.yaml"]), "");
    }
}
