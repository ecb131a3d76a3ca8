//! Rung `files`: every file is as SHA256SUMS says; none missing, none extra, no links. What a lean zip was published
//! without is said, and never counted.

use super::{Opened, Outcome};
use crate::bundle::{LEAVABLE, RUN_LOG, SUMS, Sums};

pub fn check(opened: &Opened) -> Outcome {
    let mut differences = opened.problems.clone();
    let Some(sums) = opened.files.get(SUMS) else {
        differences.push(format!("{SUMS} is missing"));
        return Outcome::Failed(differences);
    };
    let stated = match std::str::from_utf8(sums).map_err(anyhow::Error::from).and_then(Sums::parse) {
        Ok(stated) => stated,
        Err(e) => {
            differences.push(format!("{SUMS}: {e:#}"));
            return Outcome::Failed(differences);
        }
    };
    let mut covered = opened.files.clone();
    covered.retain(|path, _| path != SUMS && path != RUN_LOG);
    let found = Sums::of(&covered);
    for (path, hash) in &stated.0 {
        match found.0.get(path) {
            None if opened.left_out.contains_key(path) => {}
            None => differences.push(format!("{path} is missing")),
            Some(other) if other != hash => differences.push(format!("{path} was changed")),
            Some(_) => {}
        }
    }
    let extra = found.0.keys().filter(|path| !stated.0.contains_key(*path));
    differences.extend(extra.map(|path| format!("{path} is not in {SUMS}")));
    if !differences.is_empty() {
        return Outcome::Failed(differences);
    }
    let mut said = vec![format!("{} files are as {SUMS} says", found.0.len())];
    let folders: Vec<&str> = LEAVABLE.into_iter().filter(|folder| opened.leaves_out(folder)).collect();
    if !folders.is_empty() {
        said.push(format!("{} files left out, not checked: {}", opened.left_out.len(), folders.join(", ")));
    }
    Outcome::Passed(said)
}
