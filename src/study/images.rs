//! The images that a study's own words show: which they are, and their files.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use super::checks::is_device;
use super::near_file::near_image;
use super::picture::{MAX_BYTES, Picture};
use super::{Source, StudyError};
use crate::text::{Lang, markdown};

/// The most images that a report shows in one language, counting each as often as it is shown. More would make a page that no
/// browser opens quickly, because each holds all their bytes.
pub const MAX_IMAGES: usize = 30;
/// The longest path of an image, as a text has it.
const MAX_PATH: usize = 100;

/// The most folders of an image's path: with its place in a bundle, as deep as the files of any bundle are.
const MAX_FOLDERS: usize = 3;

/// A text that names an image.
struct Place {
    key: String,
    lang: Lang,
    /// The folder of the text's file.
    folder: PathBuf,
}

/// Every image that the texts of a study name, in all its languages, with those texts.
fn named(source: &Source) -> Result<BTreeMap<String, Vec<Place>>, StudyError> {
    let mut all: BTreeMap<String, Vec<Place>> = BTreeMap::new();
    for lang in source.languages.all() {
        let other = (*lang != source.study.lang).then(|| source.in_language(*lang)).transpose()?;
        for (key, text) in other.as_ref().unwrap_or(source).study.own_words() {
            // The text as typed: an image must not depend on a result.
            for image in markdown::read(text).images() {
                let folder = source.folder_of(&key).to_owned();
                all.entry(image.file.clone()).or_default().push(Place { key: key.clone(), lang: *lang, folder });
            }
        }
    }
    Ok(all)
}

/// The keys of the texts that name each image.
pub(super) fn image_keys(source: &Source) -> Result<BTreeMap<String, Vec<String>>, StudyError> {
    let keys = |places: Vec<Place>| places.into_iter().map(|place| place.key).collect();
    Ok(named(source)?.into_iter().map(|(file, places)| (file, keys(places))).collect())
}

/// The paths of all images that a study's texts name, in all its languages.
///
/// # Errors
/// A path that an image cannot have, or too many images.
pub fn images_named(source: &Source) -> Result<BTreeSet<String>, StudyError> {
    let named = named(source)?;
    check_paths(source, &named)?;
    Ok(named.into_keys().collect())
}

/// Reads the images that a study's texts name, in all its languages, from the folder of the study; by their paths.
///
/// # Errors
/// An image that is missing, a link, no PNG or JPEG, or too large.
pub fn read_images(source: &Source) -> Result<BTreeMap<String, Picture>, StudyError> {
    let named = named(source)?;
    check_paths(source, &named)?;
    let mut images = BTreeMap::new();
    for (file, places) in named {
        for Place { key, lang, folder } in places {
            let refused = |why: String| source.error_in(lang, &key, format!("image `{file}` {why}"));
            let picture = read_image(&folder, &file).map_err(refused)?;
            if images.get(&file).is_some_and(|other| *other != picture) {
                return Err(refused("is another file beside the study that this one extends: rename one".to_owned()));
            }
            images.insert(file.clone(), picture);
        }
    }
    Ok(images)
}

fn check_paths(source: &Source, named: &BTreeMap<String, Vec<Place>>) -> Result<(), StudyError> {
    let mut seen: BTreeMap<String, &str> = BTreeMap::new();
    for (file, places) in named {
        let refused = |message: String| source.error_in(places[0].lang, &places[0].key, message);
        if let Some(why) = path_fault(file) {
            return Err(refused(format!("image `{file}` {why}")));
        }
        // Of its folders, too: two that differ only by case are one on some systems.
        for (end, _) in file.match_indices('/').chain([(file.len(), "")]) {
            let path = &file[..end];
            let other = *seen.entry(path.to_ascii_lowercase()).or_insert(path);
            if other != path {
                return Err(refused(format!(
                    "image `{file}`: `{path}` differs from `{other}` only by case: rename one"
                )));
            }
        }
    }
    let shown: usize = named.values().map(Vec::len).sum();
    let most = MAX_IMAGES * source.languages.all().len();
    match named.first_key_value() {
        Some((_, places)) if shown > most => {
            let message = format!("the texts show {shown} images: at most {most} are supported");
            Err(source.error_in(places[0].lang, &places[0].key, message))
        }
        _ => Ok(()),
    }
}

/// What is wrong with an image's path, which becomes one in the bundle.
fn path_fault(file: &str) -> Option<&'static str> {
    let is_plain = |part: &str| {
        let stem = part.split('.').next().unwrap_or_default().to_ascii_lowercase();
        !part.starts_with(['.', '-'])
            && !part.ends_with('.')
            && !part.is_empty()
            && !is_device(&stem)
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
    };
    let ending = file.rsplit_once('.').map_or("", |(_, ending)| ending).to_ascii_lowercase();
    if file.contains("://") || file.starts_with("data:") {
        Some("is not a file: save the image beside the study and name the file")
    } else if file.starts_with('/') || file.contains("..") || file.contains(':') {
        Some("must be below the study's folder: put it there and write its path from there")
    } else if !["png", "jpg", "jpeg"].contains(&&*ending) {
        Some("must end in .png, .jpg or .jpeg")
    } else if file.len() > MAX_PATH || !file.split('/').all(is_plain) {
        Some(
            "must have a name of Latin letters, digits, `-`, `_` and `.`, so that every system can store it: rename it",
        )
    } else if file.matches('/').count() > MAX_FOLDERS {
        Some("is in more than three folders below the study's: put it nearer")
    } else if file.split('/').any(|part| part.eq_ignore_ascii_case("__MACOSX")) {
        Some("is in a folder that macOS uses for its own files: put it into another")
    } else {
        None
    }
}

fn read_image(folder: &Path, file: &str) -> Result<Picture, String> {
    let mut path = folder.to_owned();
    for part in file.split('/') {
        path.push(part);
        let found = path.symlink_metadata().map_err(|e| match e.kind() {
            ErrorKind::NotFound => {
                format!("cannot be read: there is no {}{}", path.display(), near_image(folder, file))
            }
            _ => format!("cannot be read: {}: {e}", path.display()),
        })?;
        if found.is_symlink() {
            return Err(format!("is a symbolic link or in one ({}): copy the file itself there", path.display()));
        }
    }
    if !path.is_file() {
        return Err("is not a file".to_owned());
    }
    let mut bytes = Vec::new();
    let read = File::open(&path).and_then(|file| file.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes));
    read.map_err(|e| format!("cannot be read: {}: {e}", path.display()))?;
    let picture = Picture::read(bytes)?;
    if picture.fits(file) {
        Ok(picture)
    } else {
        Err(format!("is {} by its content: change its ending", picture.media_type))
    }
}

#[cfg(test)]
mod tests {
    use super::path_fault;

    #[test]
    fn a_path_stays_below_the_study_and_fits_every_system() {
        for file in ["a.png", "photos/Board-1_b.JPG", "a.b.jpeg", "a/b/c/d.png"] {
            assert_eq!(path_fault(file), None, "{file}");
        }
        for (file, part) in [
            ("https://x.org/a.png", "is not a file"),
            ("data:image/png;base64,AA", "is not a file"),
            ("/etc/a.png", "below the study's folder"),
            ("../a.png", "below the study's folder"),
            ("b/../../a.png", "below the study's folder"),
            ("C:a.png", "below the study's folder"),
            ("a.svg", "must end in"),
            ("png", "must end in"),
            ("графік.png", "Latin letters"),
            ("a b.png", "Latin letters"),
            ("a\\b.png", "Latin letters"),
            (".a.png", "Latin letters"),
            ("-a.png", "Latin letters"),
            ("a//b.png", "Latin letters"),
            ("con.png", "Latin letters"),
            ("{{ x }}.png", "Latin letters"),
            ("a./b.png", "Latin letters"),
            ("a/b/c/d/e.png", "more than three folders"),
            ("a/__macosx/b.png", "macOS"),
        ] {
            assert!(path_fault(file).is_some_and(|why| why.contains(part)), "{file}: {:?}", path_fault(file));
        }
    }
}
