//! The models that `summary` and `code` print.

use std::path::PathBuf;

use anyhow::{Result, bail};

use super::options::Models;
use crate::claims;
use crate::paths;
use crate::study::{Plan, Source};
use crate::text::closest::unknown;

impl Models {
    /// The study and its plan, with these models only. `command` prints them.
    pub(super) fn plan(&self, command: &str) -> Result<(Source, Plan)> {
        let shipped = Some(paths::here_or_in_repository(DEFAULT_STUDY)).filter(|study| study.is_file());
        let file = self.study.clone().or(shipped).map_or_else(|| default_study(command), Ok)?;
        let (source, mut plan) = claims::load_study(&file)?;
        if let Some(name) = &self.model {
            if !plan.models.contains_key(name) {
                bail!("{}: {}", file.display(), unknown("model", name, plan.models.keys()));
            }
            plan.models.retain(|other, _| other == name);
        }
        Ok((source, plan))
    }
}

/// The study that is taken in the repository if none is named.
const DEFAULT_STUDY: &str = "reports/coursework.yaml";

/// The full study, in the repository. Elsewhere it would be somebody else's, and `build` would take minutes for it.
pub(super) fn default_study(command: &str) -> Result<PathBuf> {
    let study = PathBuf::from(DEFAULT_STUDY);
    if !study.is_file() {
        bail!(
            "no study is named, and there is no {DEFAULT_STUDY} here; write a study of your own with `mnist-report new \
             my-study.yaml`, then run `mnist-report {command} my-study.yaml`"
        );
    }
    Ok(study)
}
