//! `mnist-report data`: finds the MNIST files and checks their hashes.

use anyhow::Result;

use super::options::Data;
use crate::dataset::find;
use crate::exit_code::ExitCode;
use crate::paths;
use crate::text::error_chain;

pub(super) fn run(options: &Data) -> Result<ExitCode> {
    let dir = options.dir.clone().unwrap_or_else(paths::mnist);
    let (mut text, mut code) = (String::new(), ExitCode::Success);
    for state in find(&dir) {
        let name = state.file.name;
        let (line, outcome) = match (state.path, state.content) {
            (Some(path), Ok(_)) => (format!("{name}  canonical  {}\n", path.display()), ExitCode::Success),
            (Some(_), Err(e)) => (format!("{name}  NOT MNIST  {}\n", error_chain(e)), ExitCode::Difference),
            (None, Ok(_)) => (format!("{name}  canonical  inside the program\n"), ExitCode::Success),
            (None, Err(_)) => {
                let line = format!("{name}  missing    looked in {}, its raw/ and MNIST/raw/\n", dir.display());
                (line, ExitCode::Failure)
            }
        };
        text.push_str(&line);
        code = code.max(outcome);
    }
    super::print(&text)?;
    Ok(code)
}
