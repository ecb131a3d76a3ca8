//! `mnist-report code`: prints a study's models as PyTorch programs.

use anyhow::Result;

use super::options::Code;
use crate::exit_code::ExitCode;
use crate::results::model_facts;

pub(super) fn run(options: &Code) -> Result<ExitCode> {
    let (_, plan) = options.models.plan("code")?;
    let facts = model_facts(&plan);
    let programs: Vec<String> = plan.models.values().map(|model| model.code(facts[&model.name].batch)).collect();
    super::print(&programs.join("\n\n"))?;
    Ok(ExitCode::Success)
}
