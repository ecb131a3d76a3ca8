//! The four files: where they are looked for, their canonical hashes, and their contents.
//!
//! Owns the proof that the data are MNIST; a file with one changed byte is refused.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use flate2::read::GzDecoder;

use super::{CLASSES, PIXELS, idx};
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
    /// How many images.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// How many images each class has.
    pub fn class_counts(&self) -> [usize; CLASSES] {
        let mut counts = [0; CLASSES];
        self.labels.iter().for_each(|label| counts[usize::from(*label)] += 1);
        counts
    }

    /// The pixels of one image.
    pub fn image(&self, i: usize) -> &[u8] {
        &self.pixels[i * PIXELS..(i + 1) * PIXELS]
    }

    /// The pixels of one image, if there is such a one.
    pub fn get(&self, i: usize) -> Option<&[u8]> {
        (i < self.len()).then(|| self.image(i))
    }
}

/// The data set, proven canonical.
pub struct Mnist {
    pub train: ImageSet,
    pub test: ImageSet,
}

/// What was found in the place of one of the four files.
pub struct FileState {
    pub file: &'static MnistFile,
    /// The file at hand, raw or gzipped.
    pub path: Option<PathBuf>,
    /// Its raw bytes, or what is wrong with it.
    pub content: Result<Vec<u8>>,
}

/// Looks at a folder: the four files there, or in torchvision's `MNIST/raw` below it, gzipped or not.
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
        None => Err(anyhow!("{} is not in {}", file.name, dir.display())),
        Some(path) => read(path, file).with_context(|| path.display().to_string()),
    };
    FileState { file, path, content }
}

fn read(path: &Path, file: &MnistFile) -> Result<Vec<u8>> {
    let open = File::open(path)?;
    let mut bytes = Vec::with_capacity(file.bytes);
    // One byte more than the file should have: a larger one is seen without being read whole.
    let limit = file.bytes as u64 + 1;
    if path.extension().is_some_and(|e| e == "gz") {
        GzDecoder::new(open).take(limit).read_to_end(&mut bytes).context("is not whole gzip")?;
    } else {
        open.take(limit).read_to_end(&mut bytes)?;
    }
    if bytes.len() != file.bytes {
        bail!("is not MNIST's {}: {} bytes where {} belong", file.name, bytes.len(), file.bytes);
    }
    let found = sha256_hex(&bytes);
    if found != file.sha256 {
        bail!("is not MNIST's {}: SHA-256 {found}, expected {}", file.name, file.sha256);
    }
    Ok(bytes)
}

impl Mnist {
    /// Reads the four files and proves them.
    ///
    /// # Errors
    /// A file that is missing or not MNIST's, with its path and what to do.
    pub fn load(dir: &Path) -> Result<Self> {
        let mut files = find(dir).into_iter().map(|state| state.content);
        let mut next = |dims: usize| -> Result<Vec<u8>> {
            let bytes = files.next().expect("four files").context(
                "MNIST is needed: restore data/mnist from the repository, or name a folder that has it with `data:`",
            )?;
            let (sizes, values) = idx::parse(&bytes)?;
            debug_assert_eq!(sizes.len(), dims);
            Ok(values.to_vec())
        };
        let train = ImageSet { pixels: next(3)?, labels: next(1)? };
        let test = ImageSet { pixels: next(3)?, labels: next(1)? };
        Ok(Self { train, test })
    }

    /// Names and hashes of the raw files: what a bundle's inputs are.
    pub fn hashes() -> impl Iterator<Item = (&'static str, &'static str)> {
        FILES.iter().map(|f| (f.name, f.sha256))
    }
}
