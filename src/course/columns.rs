//! The columns of a table of bundles that depend on what was asked for and found.

use crate::rung::Rung;
use crate::verify::Record;

/// What a table of these bundles has.
pub(crate) struct CourseColumns {
    /// The rungs that were asked for.
    pub(crate) rungs: Vec<Rung>,
    /// Whether the bundles were compared with an assignment.
    pub(crate) has_assignment: bool,
    /// Whether any bundle names a group.
    pub(super) has_groups: bool,
    /// Whether any bundle has a title.
    pub(super) has_titles: bool,
}

impl CourseColumns {
    pub(crate) fn of(records: &[Record]) -> Self {
        let upto = records.iter().filter_map(|record| Some(record.verification.as_deref()?.upto)).max();
        let named = |i: usize| records.iter().filter_map(move |record| record.names()[i]);
        Self {
            rungs: Rung::ALL.into_iter().filter(|rung| Some(*rung) <= upto).collect(),
            has_assignment: records.iter().any(|record| record.assignment().is_some()),
            has_groups: named(1).next().is_some(),
            has_titles: named(2).next().is_some(),
        }
    }
}

/// The first keys, and how many more.
pub(crate) fn named(keys: &[&str]) -> String {
    const MOST: usize = 8;
    let first = keys.iter().take(MOST).copied().collect::<Vec<_>>().join(", ");
    let more = keys.len().saturating_sub(MOST);
    if more > 0 { format!("{first} and {more} more") } else { first }
}
