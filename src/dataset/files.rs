//! Finds and reads the four files of a data set. Their hashes are fixed: a file with one changed byte is refused. The
//! executable contains MNIST's files, so it works without any other file.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;

use super::{DataSet, DatasetError, FILE_NAMES, ImageSet, TrainAndTest, idx};
use crate::digest::sha256_hex;
use crate::paths::MNIST;

/// MNIST's files as the program contains them, gzipped.
static BUILT_IN: [&[u8]; 4] = [
    include_bytes!("../../data/mnist/train-images-idx3-ubyte.gz"),
    include_bytes!("../../data/mnist/train-labels-idx1-ubyte.gz"),
    include_bytes!("../../data/mnist/t10k-images-idx3-ubyte.gz"),
    include_bytes!("../../data/mnist/t10k-labels-idx1-ubyte.gz"),
];

/// The result of looking for one of the four files.
pub struct FileState {
    /// Its name in the folder, without `.gz`.
    pub name: &'static str,
    /// The file that was found, raw or gzipped. `None` if no file was found. Then the content is the program's own
    /// copy, if the folder is the default one and does not exist.
    pub path: Option<PathBuf>,
    /// Its raw bytes, or what is wrong with it.
    pub content: Result<Vec<u8>, DatasetError>,
}

/// Looks for a data set's four files in a folder, in its `raw/` and in torchvision's `MNIST/raw/`, gzipped or not. If the
/// folder is the default one, `data/mnist`, and does not exist, uses MNIST's files that the program contains.
pub fn find(dir: &Path, set: &DataSet) -> Vec<FileState> {
    (0..FILE_NAMES.len()).map(|file| look(dir, set, file)).collect()
}

/// The path of a file in a folder, if there is one, raw or gzipped.
pub(super) fn path_of(dir: &Path, name: &str) -> Option<PathBuf> {
    let places = [dir.to_owned(), dir.join("raw"), dir.join("MNIST").join("raw")];
    let mut paths = places.iter().flat_map(|place| [place.join(name), place.join(format!("{name}.gz"))]);
    paths.find(|path| path.is_file())
}

fn look(dir: &Path, set: &DataSet, file: usize) -> FileState {
    let name = FILE_NAMES[file];
    let path = path_of(dir, name);
    let expected = Expected { set, file };
    let content = match &path {
        None if set.is_mnist() && dir == Path::new(MNIST) && !dir.exists() => {
            expected.read(GzDecoder::new(BUILT_IN[file]), Path::new(""))
        }
        None => Err(DatasetError::Missing { name, folder: dir.to_owned() }),
        Some(path) => opened(path, |source| expected.read(source, path)),
    };
    FileState { name, path, content }
}

/// Opens a file, unpacks it if it is gzipped, and reads it with `read`.
pub(super) fn opened<T>(
    path: &Path,
    read: impl FnOnce(&mut dyn Read) -> Result<T, DatasetError>,
) -> Result<T, DatasetError> {
    let mut open = File::open(path).map_err(|source| DatasetError::Unreadable { path: path.to_owned(), source })?;
    if path.extension().is_some_and(|e| e == "gz") {
        read(&mut GzDecoder::new(open)).map_err(|error| match error {
            DatasetError::Unreadable { path, source } => DatasetError::Gzip { path, source },
            error => error,
        })
    } else {
        read(&mut open)
    }
}

/// A file as a data set defines it.
struct Expected<'a> {
    set: &'a DataSet,
    file: usize,
}

impl Expected<'_> {
    /// Reads the raw bytes from `source` and checks them. `path` is only for messages.
    fn read(&self, source: impl Read, path: &Path) -> Result<Vec<u8>, DatasetError> {
        let (name, expected) = (FILE_NAMES[self.file], self.set.bytes(self.file));
        let (path, set) = (path.to_owned(), self.set.title.clone());
        let mut bytes = Vec::new();
        // Read one byte more than expected, to detect a larger file without reading all of it.
        if let Err(source) = source.take(expected as u64 + 1).read_to_end(&mut bytes) {
            return Err(DatasetError::Unreadable { path, source });
        }
        if bytes.len() != expected {
            return Err(DatasetError::Size { path, set, name, found: bytes.len(), expected });
        }
        let (found, expected) = (sha256_hex(&bytes), self.set.sha256[self.file].clone());
        if found != expected {
            return Err(DatasetError::Hash { path, set, name, hashes: Box::new([found, expected]) });
        }
        Ok(bytes)
    }
}

impl TrainAndTest {
    /// Reads the four files and checks their hashes, and that every label is a class.
    ///
    /// # Errors
    /// A file is missing or not the data set's. The error names its path and what to do.
    pub fn load(dir: &Path, set: &DataSet) -> Result<Self, DatasetError> {
        let values = |file: usize| -> Result<Vec<u8>, DatasetError> {
            let needed = |e| match e {
                e if !set.is_mnist() => DatasetError::NoData { set: set.title.clone(), source: Box::new(e) },
                e @ (DatasetError::Size { .. } | DatasetError::Hash { .. }) => DatasetError::NotMnist(Box::new(e)),
                e => DatasetError::NoMnist(Box::new(e)),
            };
            let mut bytes = look(dir, set, file).content.map_err(needed)?;
            let header = bytes.len() - idx::values(FILE_NAMES[file], &bytes)?.len();
            // In place: a second copy could exceed the memory that `verify` allows.
            bytes.drain(..header);
            Ok(bytes)
        };
        let images = |file: usize| -> Result<ImageSet, DatasetError> {
            let (pixels, labels) = (values(file)?, values(file + 1)?);
            let images = ImageSet { pixels, labels, classes: set.classes };
            images.check_labels(FILE_NAMES[file + 1])?;
            Ok(images)
        };
        Ok(Self { train: images(0)?, test: images(2)? })
    }
}
