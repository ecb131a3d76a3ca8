//! The models that `summary` and `code` print.

use anyhow::{Result, bail};

use super::options::Models;
use crate::claims;
use crate::paths;
use crate::study::Plan;
use crate::text::closest::unknown;

impl Models {
    /// The study's plan, with these models only.
    pub(super) fn plan(&self) -> Result<Plan> {
        let file = self.study.clone().unwrap_or_else(|| paths::here_or_in_repository("reports/coursework.yaml"));
        let (_, mut plan) = claims::load_study(&file)?;
        if let Some(name) = &self.model {
            if !plan.models.contains_key(name) {
                bail!("{}: {}", file.display(), unknown("model", name, plan.models.keys()));
            }
            plan.models.retain(|other, _| other == name);
        }
        Ok(plan)
    }
}
