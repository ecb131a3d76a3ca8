//! Rung `files`: every file is as SHA256SUMS lists it; none is missing, none is extra, none is a link.

use super::Outcome;
use super::render::changed_pages;
use crate::bundle::{Bundle, OPTIONAL, SUMS, leftovers_line};
use crate::text::numbers::plural;

pub(super) fn check(bundle: &Bundle) -> Outcome {
    let mut damage = bundle.damage();
    if !damage.is_empty() {
        // Hashes alone do not show what was changed in a page.
        for (path, difference) in changed_pages(bundle) {
            let changed = format!("{path} was changed: ");
            for line in damage.iter_mut().filter(|line| line.starts_with(&changed)) {
                *line = format!("{line}; {difference}");
            }
            // First what was changed, then what follows from it, such as the copy for static hosts.
            damage.sort_by_key(|line| !line.starts_with(&changed));
        }
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
