//! The study's `data`: the folder with MNIST, or another data set with the hashes of its files.

use std::fmt;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::dataset::DataSet;

/// Where the data are, and which.
#[derive(Clone, Debug, JsonSchema, Serialize)]
#[serde(untagged)]
pub enum DataSpec {
    /// The folder with MNIST, relative to the study file.
    Folder(PathBuf),
    /// Another data set.
    Pinned(Box<PinnedData>),
}

/// A data set other than MNIST. `mnist-report data --dir FOLDER --pin` prints all keys.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
pub struct PinnedData {
    /// The folder with its four files, relative to the study file. Default: the folder that `--data` or `MNIST_REPORT_DATA` names.
    pub dir: Option<PathBuf>,
    /// What it is called, such as Fashion-MNIST.
    pub title: String,
    /// The number of training images.
    pub train_images: usize,
    /// The number of test images.
    pub test_images: usize,
    /// The SHA-256 of each file as it is when unpacked.
    pub sha256: PinnedHashes,
    /// The names of the classes, 2 to 10, in the order of the labels. Every network has as many outputs.
    pub classes: Vec<String>,
}

/// The SHA-256 of the four files.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PinnedHashes {
    /// Of train-images-idx3-ubyte.
    pub train_images: String,
    /// Of train-labels-idx1-ubyte.
    pub train_labels: String,
    /// Of t10k-images-idx3-ubyte.
    pub t10k_images: String,
    /// Of t10k-labels-idx1-ubyte.
    pub t10k_labels: String,
}

impl PinnedHashes {
    /// The keys with their values, in the order of the data set's files.
    pub(super) fn by_key(&self) -> [(&'static str, &String); 4] {
        [
            ("train-images", &self.train_images),
            ("train-labels", &self.train_labels),
            ("t10k-images", &self.t10k_images),
            ("t10k-labels", &self.t10k_labels),
        ]
    }
}

impl DataSpec {
    /// The folder, if one is named.
    pub fn dir(&self) -> Option<&PathBuf> {
        match self {
            Self::Folder(dir) => Some(dir),
            Self::Pinned(data) => data.dir.as_ref(),
        }
    }
}

impl PinnedData {
    /// The data set that these keys define.
    pub fn set(&self) -> DataSet {
        DataSet {
            title: self.title.clone(),
            sha256: self.sha256.by_key().map(|(_, hash)| hash.clone()),
            train_images: self.train_images,
            test_images: self.test_images,
            classes: self.classes.len(),
        }
    }
}

impl<'de> Deserialize<'de> for DataSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FolderOrMap;
        impl<'de> Visitor<'de> for FolderOrMap {
            type Value = DataSpec;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a folder with MNIST, or the keys of another data set")
            }
            fn visit_str<E: Error>(self, dir: &str) -> Result<DataSpec, E> {
                Ok(DataSpec::Folder(PathBuf::from(dir)))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<DataSpec, A::Error> {
                PinnedData::deserialize(MapAccessDeserializer::new(map)).map(|data| DataSpec::Pinned(Box::new(data)))
            }
        }
        deserializer.deserialize_any(FolderOrMap)
    }
}
