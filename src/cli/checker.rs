//! `mnist-report checker`: prints check.py, which checks bundles without this program.

use std::fs;

use anyhow::{Context, Result};

use super::options::Checker;
use crate::dataset::{DataSet, FILE_NAMES, find};
use crate::exit_code::ExitCode;
use crate::paths;

const CHECK_PY: &str = include_str!("../../scripts/check.py");
/// Of the four files of MNIST, the labels of the test set.
const LABELS: usize = 3;

pub(super) fn run(options: &Checker) -> Result<ExitCode> {
    if let Some(dir) = &options.data {
        let labels = find(&paths::mnist(), &DataSet::mnist()).swap_remove(LABELS).content?;
        let file = dir.join(FILE_NAMES[LABELS]);
        let cannot_write = || format!("cannot write {}", file.display());
        fs::create_dir_all(dir).with_context(cannot_write)?;
        fs::write(&file, labels).with_context(cannot_write)?;
    }
    super::print(CHECK_PY)?;
    Ok(ExitCode::Success)
}
