//! `mnist-report witness`: asks libtorch how far it agrees with a bundle.

use anyhow::anyhow;

use super::options::Witness;
use super::say;
use crate::exit_code::ExitCode;
use crate::witness::{Agreement, evaluate};

pub(super) fn run(options: &Witness) -> anyhow::Result<ExitCode> {
    let found = evaluate(&options.bundle, options.data.as_deref()).map_err(|why| anyhow!("{why}"))?;
    super::print(&if options.json { super::json(&found)? } else { format!("{found}\n") })?;
    Ok(verdict(&found))
}

/// Prints libtorch's answer to standard error, which may differ between machines that have libtorch and those that do not.
pub(super) fn report(answer: Result<&Agreement, &String>) -> ExitCode {
    match answer {
        Ok(found) => {
            say(&format!("witness: {found}"));
            verdict(found)
        }
        Err(why) => {
            say(&format!("note: libtorch could not be asked as a witness: {}", super::one_line(why)));
            ExitCode::Success
        }
    }
}

/// Success, or an error of this program.
fn verdict(found: &Agreement) -> ExitCode {
    if found.is_close() {
        return ExitCode::Success;
    }
    say(
        "error: libtorch's operators give other results than this program's, by more than rounding explains; please report \
         this bug",
    );
    ExitCode::Failure
}
