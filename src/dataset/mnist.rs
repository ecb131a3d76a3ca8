//! Finds and reads MNIST's four files. Their hashes are fixed: a file with one changed byte is refused. The executable
//! contains the files, so it works without any other file.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;

use super::{CLASSES, DatasetError, PIXELS, idx};
use crate::digest::sha256_hex;
use crate::paths::MNIST;

/// One of MNIST's files, with size and hash of its raw bytes (not gzipped).
#[expect(missing_docs, reason = "self-evident")]
pub struct MnistFile {
    pub name: &'static str,
    pub bytes: usize,
    pub sha256: &'static str,
    /// The file as the program contains it, gzipped.
    gzipped: &'static [u8],
}

static FILES: [MnistFile; 4] = [
    MnistFile {
        name: "train-images-idx3-ubyte",
        bytes: 47_040_016,
        sha256: "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        gzipped: include_bytes!("../../data/mnist/train-images-idx3-ubyte.gz"),
    },
    MnistFile {
        name: "train-labels-idx1-ubyte",
        bytes: 60_008,
        sha256: "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        gzipped: include_bytes!("../../data/mnist/train-labels-idx1-ubyte.gz"),
    },
    MnistFile {
        name: "t10k-images-idx3-ubyte",
        bytes: 7_840_016,
        sha256: "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        gzipped: include_bytes!("../../data/mnist/t10k-images-idx3-ubyte.gz"),
    },
    MnistFile {
        name: "t10k-labels-idx1-ubyte",
        bytes: 10_008,
        sha256: "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        gzipped: include_bytes!("../../data/mnist/t10k-labels-idx1-ubyte.gz"),
    },
];

/// Images with their labels.
#[derive(Clone)]
pub struct ImageSet {
    /// One byte per pixel, from 0 (paper) to 255 (ink); image by image, row by row.
    pub pixels: Vec<u8>,
    /// The digit of each image.
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
#[expect(missing_docs, reason = "self-evident")]
pub struct Mnist {
    pub train: ImageSet,
    pub test: ImageSet,
}

/// The result of looking for one of the four files.
pub struct FileState {
    /// The file looked for.
    pub file: &'static MnistFile,
    /// The file that was found, raw or gzipped. `None` if no file was found. Then the content is the program's own
    /// copy, if the folder is the default one and does not exist.
    pub path: Option<PathBuf>,
    /// Its raw bytes, or what is wrong with it.
    pub content: Result<Vec<u8>, DatasetError>,
}

/// Looks for the four files in a folder, in its `raw/` and in torchvision's `MNIST/raw/`, gzipped or not. If the folder
/// is the default one, `data/mnist`, and does not exist, uses the files that the program contains.
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
        None if dir == Path::new(MNIST) && !dir.exists() => read(GzDecoder::new(file.gzipped), Path::new(""), file),
        None => Err(DatasetError::Missing { name: file.name, folder: dir.to_owned() }),
        Some(path) => read_file(path, file),
    };
    FileState { file, path, content }
}

fn read_file(path: &Path, file: &MnistFile) -> Result<Vec<u8>, DatasetError> {
    let open = File::open(path).map_err(|source| DatasetError::Unreadable { path: path.to_owned(), source })?;
    if path.extension().is_some_and(|e| e == "gz") {
        read(GzDecoder::new(open), path, file).map_err(|error| match error {
            DatasetError::Unreadable { path, source } => DatasetError::Gzip { path, source },
            error => error,
        })
    } else {
        read(open, path, file)
    }
}

/// Reads a file's raw bytes from `source` and checks them. `path` is only for messages.
fn read(source: impl Read, path: &Path, file: &MnistFile) -> Result<Vec<u8>, DatasetError> {
    let mut bytes = Vec::with_capacity(file.bytes);
    let path = path.to_owned();
    // Read one byte more than expected, to detect a larger file without reading all of it.
    if let Err(source) = source.take(file.bytes as u64 + 1).read_to_end(&mut bytes) {
        return Err(DatasetError::Unreadable { path, source });
    }
    let name = file.name;
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
    /// A file is missing or not MNIST's. The error names its path and what to do.
    pub fn load(dir: &Path) -> Result<Self, DatasetError> {
        let values = |file: &'static MnistFile| -> Result<Vec<u8>, DatasetError> {
            let bytes = look(dir, file).content.map_err(|e| DatasetError::NoMnist(Box::new(e)))?;
            Ok(idx::parse(&bytes)?.1.to_vec())
        };
        let [train_images, train_labels, test_images, test_labels] = &FILES;
        Ok(Self {
            train: ImageSet { pixels: values(train_images)?, labels: values(train_labels)? },
            test: ImageSet { pixels: values(test_images)?, labels: values(test_labels)? },
        })
    }

    /// Names and hashes of the raw files.
    pub fn hashes() -> impl Iterator<Item = (&'static str, &'static str)> {
        FILES.iter().map(|f| (f.name, f.sha256))
    }
}
