//! Rung `files`: every file is as SHA256SUMS lists it; none is missing, none is extra, none is a link.

use super::Outcome;
use crate::bundle::{Bundle, OPTIONAL, SUMS, leftovers_line};
use crate::text::numbers::plural;

pub(super) fn check(bundle: &Bundle) -> Outcome {
    let damage = bundle.damage();
    if !damage.is_empty() {
        return Outcome::Failed(damage);
    }
    let mut passed = vec![format!("{} files are as {SUMS} lists them", bundle.covered().count())];
    let folders: Vec<&str> = OPTIONAL.into_iter().filter(|folder| bundle.leaves_out(folder)).collect();
    if !folders.is_empty() {
        passed.push(format!("{} left out, not checked: {}", plural(bundle.left_out.len(), "file"), folders.join(", ")));
    }
    passed.extend(leftovers_line(&bundle.leftovers));
    Outcome::Passed(passed)
}
