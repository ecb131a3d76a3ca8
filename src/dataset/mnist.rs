//! MNIST's four files: where to look for them, their published hashes, and their contents. A file with one changed byte is
//! refused.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;

use super::{CLASSES, DatasetError, PIXELS, idx};
use crate::digest::sha256_hex;

/// One of MNIST's files: its name, bytes when raw, and SHA-256 when raw.
pub struct MnistFile {
    pub name: &'static str,
    pub bytes: usize,
    pub sha256: &'static str,
}

const FILES: [MnistFile; 4] = [
    MnistFile {
        name: "train-images-idx3-ubyte",
        bytes: 47_040_016,
        sha256: "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    },
    MnistFile {
        name: "train-labels-idx1-ubyte",
        bytes: 60_008,
        sha256: "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    },
    MnistFile {
        name: "t10k-images-idx3-ubyte",
        bytes: 7_840_016,
        sha256: "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    },
    MnistFile {
        name: "t10k-labels-idx1-ubyte",
        bytes: 10_008,
        sha256: "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    },
];

/// ImageSet with their labels, as stored: one byte a pixel, row by row.
#[derive(Clone)]
pub struct ImageSet {
    pub pixels: Vec<u8>,
    pub labels: Vec<u8>,
}

impl ImageSet {
    /// The number of images.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are no images.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// The pixels of one image.
    pub fn image(&self, i: usize) -> &[u8] {
        &self.pixels[i * PIXELS..(i + 1) * PIXELS]
    }

    /// The pixels of one image, if it exists.
    pub fn get(&self, i: usize) -> Option<&[u8]> {
        (i < self.len()).then(|| self.image(i))
    }

    /// The number of images of each class.
    pub fn class_counts(&self) -> [usize; CLASSES] {
        let mut counts = [0; CLASSES];
        self.labels.iter().for_each(|label| counts[usize::from(*label)] += 1);
        counts
    }
}

/// The training and test images, with verified hashes.
pub struct Mnist {
    pub train: ImageSet,
    pub test: ImageSet,
}

/// What was found when looking for one of the four files.
pub struct FileState {
    pub file: &'static MnistFile,
    /// The file that was found, raw or gzipped.
    pub path: Option<PathBuf>,
    /// Its raw bytes, or what is wrong with it.
    pub content: Result<Vec<u8>, DatasetError>,
}

/// Looks for the four files in a folder, in its `raw/` and in torchvision's `MNIST/raw/`, gzipped or not.
pub fn find(dir: &Path) -> Vec<FileState> {
    FILES.iter().map(|file| look(dir, file)).collect()
}

fn look(dir: &Path, file: &'static MnistFile) -> FileState {
    let places = [dir.to_owned(), dir.join("raw"), dir.join("MNIST").join("raw")];
    let path = places
        .iter()
        .flat_map(|place| [place.join(file.name), place.join(format!("{}.gz", file.name))])
        .find(|path| path.is_file());
    let content = match &path {
        None => Err(DatasetError::Missing { name: file.name, folder: dir.to_owned() }),
        Some(path) => read(path, file),
    };
    FileState { file, path, content }
}

fn read(path: &Path, file: &MnistFile) -> Result<Vec<u8>, DatasetError> {
    let unreadable = |source| DatasetError::Unreadable { path: path.to_owned(), source };
    let open = File::open(path).map_err(unreadable)?;
    let mut bytes = Vec::with_capacity(file.bytes);
    // One byte more than the file should have: a larger file is noticed without reading all of it.
    let limit = file.bytes as u64 + 1;
    if path.extension().is_some_and(|e| e == "gz") {
        let mut unpacked = GzDecoder::new(open).take(limit);
        unpacked.read_to_end(&mut bytes).map_err(|source| DatasetError::Gzip { path: path.to_owned(), source })?;
    } else {
        open.take(limit).read_to_end(&mut bytes).map_err(unreadable)?;
    }
    let (path, name) = (path.to_owned(), file.name);
    if bytes.len() != file.bytes {
        return Err(DatasetError::Size { path, name, found: bytes.len(), expected: file.bytes });
    }
    let found = sha256_hex(&bytes);
    if found != file.sha256 {
        return Err(DatasetError::Hash { path, name, found, expected: file.sha256 });
    }
    Ok(bytes)
}

impl Mnist {
    /// Reads the four files and checks their hashes.
    ///
    /// # Errors
    /// A file that is missing or not MNIST's, with its path and what to do.
    pub fn load(dir: &Path) -> Result<Self, DatasetError> {
        let mut files = find(dir).into_iter().map(|state| state.content);
        let mut next = || -> Result<Vec<u8>, DatasetError> {
            let bytes = files.next().expect("four files").map_err(|e| DatasetError::NoMnist(Box::new(e)))?;
            let (_, values) = idx::parse(&bytes)?;
            Ok(values.to_vec())
        };
        let train = ImageSet { pixels: next()?, labels: next()? };
        let test = ImageSet { pixels: next()?, labels: next()? };
        Ok(Self { train, test })
    }

    /// Names and hashes of the raw files: what a bundle's inputs are.
    pub fn hashes() -> impl Iterator<Item = (&'static str, &'static str)> {
        FILES.iter().map(|f| (f.name, f.sha256))
    }
}
