//! `mnist-report code`: prints a study's models as PyTorch programs.

use anyhow::{Result, bail};

use super::options::Code;
use crate::claims;
use crate::exit_code::ExitCode;
use crate::paths;
use crate::results::model_facts;
use crate::text::closest::unknown;

pub(super) fn run(options: &Code) -> Result<ExitCode> {
    let file = options.study.clone().unwrap_or_else(|| paths::here_or_in_repository("reports/coursework.yaml"));
    let (_, mut plan) = claims::load_study(&file)?;
    if let Some(name) = &options.model {
        if !plan.models.contains_key(name) {
            bail!("{}: {}", file.display(), unknown("model", name, plan.models.keys()));
        }
        plan.models.retain(|other, _| other == name);
    }
    let facts = model_facts(&plan);
    let programs: Vec<String> = plan.models.values().map(|model| model.code(facts[&model.name].batch)).collect();
    super::print(&programs.join("\n\n"))?;
    Ok(ExitCode::Success)
}
