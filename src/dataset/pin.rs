//! Reads the four files of any data set in a folder, and finds what defines it: hashes, and numbers of images and classes.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::files::{opened, path_of};
use super::known::{KnownSet, known};
use super::{DataSet, DatasetError, FILE_NAMES, ImageSet, MAX_CLASSES, MOST_IMAGES, PIXELS, idx};
use crate::digest::sha256_hex;

/// A data set that was found in a folder.
pub struct Found {
    /// What defines it. Its title is that of MNIST or of the known set, otherwise the folder's name.
    pub set: DataSet,
    /// A published data set that the program knows by the hashes of its gzipped files.
    pub known: Option<&'static KnownSet>,
    /// Training and test images of each class.
    pub counts: [Vec<usize>; 2],
}

/// A file's raw bytes, with the hash of the file as it was published if it is gzipped.
struct RawFile {
    path: PathBuf,
    bytes: Vec<u8>,
    gzipped_sha256: Option<String>,
}

/// Reads a folder's data set.
///
/// # Errors
/// A file that is missing or not an IDX file of 28x28 images or of their labels; more than ten classes, or one without images.
pub fn pin(dir: &Path) -> Result<Found, DatasetError> {
    let mut files = Vec::new();
    for name in FILE_NAMES {
        files.push(raw(dir, name)?);
    }
    let sizes = [(0, 1), (2, 3)].map(|(images, labels)| {
        let (count, pixels) = pixels(&files[images])?;
        let values = idx::values(FILE_NAMES[labels], &files[labels].bytes)?;
        if values.len() == count {
            Ok((pixels.to_vec(), values.to_vec()))
        } else {
            Err(DatasetError::LabelCount { path: files[labels].path.clone(), labels: values.len(), images: count })
        }
    });
    let [train, test] = sizes;
    let (train, test) = (train?, test?);
    let classes = train.1.iter().chain(&test.1).max().map_or(0, |most| usize::from(*most) + 1);
    if !(2..=MAX_CLASSES).contains(&classes) {
        return Err(DatasetError::Classes { folder: dir.to_owned(), classes });
    }
    let of = |(pixels, labels)| ImageSet { pixels, labels, classes };
    let [train, test] = [of(train), of(test)];
    train.check_labels(FILE_NAMES[1])?;
    test.check_labels(FILE_NAMES[3])?;
    let known = known(&[0, 1, 2, 3].map(|i| files[i].gzipped_sha256.as_deref().unwrap_or_default()));
    let mut set = DataSet {
        title: title_of(dir),
        sha256: [0, 1, 2, 3].map(|i| sha256_hex(&files[i].bytes)),
        train_images: train.len(),
        test_images: test.len(),
        classes,
    };
    if set.is_mnist() {
        set = DataSet::mnist();
    }
    if let Some(known) = known {
        known.title.clone_into(&mut set.title);
    }
    Ok(Found { set, known, counts: [train.class_counts(), test.class_counts()] })
}

/// The last part of a folder's path that names something.
fn title_of(dir: &Path) -> String {
    let path = dir.canonicalize().unwrap_or_else(|_| dir.to_owned());
    let names = path.iter().rev().map(|part| part.to_string_lossy().into_owned());
    names.into_iter().find(|name| name != "raw" && name != "/").unwrap_or_else(|| "data".to_owned())
}

fn raw(dir: &Path, name: &'static str) -> Result<RawFile, DatasetError> {
    let path = path_of(dir, name).ok_or_else(|| DatasetError::Missing { name, folder: dir.to_owned() })?;
    let most = 16 + MOST_IMAGES * PIXELS;
    let unreadable = |source| DatasetError::Unreadable { path: path.clone(), source };
    let bytes = opened(&path, |source| {
        let mut bytes = Vec::new();
        source.take(most as u64 + 1).read_to_end(&mut bytes).map_err(unreadable)?;
        Ok(bytes)
    })?;
    if bytes.len() > most {
        return Err(DatasetError::TooLarge { path });
    }
    let is_gzipped = path.extension().is_some_and(|e| e == "gz");
    let gzipped_sha256 = if is_gzipped { Some(sha256_hex(&std::fs::read(&path).map_err(unreadable)?)) } else { None };
    Ok(RawFile { path, bytes, gzipped_sha256 })
}

/// The number of images of a file, and their pixels.
fn pixels(file: &RawFile) -> Result<(usize, &[u8]), DatasetError> {
    let (sizes, values) =
        idx::parse(&file.bytes).map_err(|e| DatasetError::InFile { path: file.path.clone(), source: Box::new(e) })?;
    match sizes[..] {
        [count, 28, 28] if count >= 2 => Ok((count, values)),
        _ => Err(DatasetError::NotImages { path: file.path.clone(), sizes }),
    }
}
