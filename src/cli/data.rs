//! `mnist-report data`: which of MNIST's files are there, and whether they are MNIST.

use anyhow::Result;

use super::options::Data;
use crate::dataset::find;
use crate::paths;

pub fn run(options: &Data) -> Result<u8> {
    let dir = options.dir.clone().unwrap_or_else(|| paths::of_repository("data/mnist"));
    let mut text = String::new();
    let (mut missing, mut wrong) = (false, false);
    for state in find(&dir) {
        let line = match (&state.path, &state.content) {
            (Some(path), Ok(_)) => format!("{}  canonical  {}\n", state.file.name, path.display()),
            (Some(_), Err(e)) => {
                wrong = true;
                format!("{}  NOT MNIST  {e:#}\n", state.file.name)
            }
            (None, _) => {
                missing = true;
                format!("{}  missing    looked in {}, its raw/ and MNIST/raw/\n", state.file.name, dir.display())
            }
        };
        text.push_str(&line);
    }
    super::print(&text)?;
    // A file that differs is a difference; one that is not there cannot be checked.
    Ok(if wrong {
        1
    } else if missing {
        2
    } else {
        0
    })
}
