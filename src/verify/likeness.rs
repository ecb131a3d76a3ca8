//! What bundles have in common. None of it proves copying: equal studies give equal results.

use std::collections::HashMap;

use indexmap::IndexMap;
use serde::Serialize;
use serde_json::Value;

use super::{KeyNetwork, Record, Status, Verification};
use crate::rung::Rung;
use crate::study::{KeyDifference, is_seed, is_trained};

/// What two bundles can have in common, strongest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Common {
    /// The whole bundle.
    ReportId,
    /// The Report ID that both state, though files of at least one were changed.
    StatedReportId,
    /// All that was measured.
    Measured,
    /// The trained networks, under other measured values.
    Weights,
    /// What the networks predict.
    Predictions,
    /// The weights, or what it predicts, of at least one network.
    Networks,
    /// All that decides the trainings, but for seeds and names.
    Study,
}

impl Common {
    pub(crate) const ALL: [Self; 7] = [
        Self::ReportId,
        Self::StatedReportId,
        Self::Measured,
        Self::Weights,
        Self::Predictions,
        Self::Networks,
        Self::Study,
    ];

    /// The name in keys of JSON, columns of CSV, and phrases.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::ReportId => "report_id",
            Self::StatedReportId => "stated_report_id",
            Self::Measured => "measured",
            Self::Weights => "weights",
            Self::Predictions => "predictions",
            Self::Networks => "networks",
            Self::Study => "study",
        }
    }

    fn value_of(self, verification: &Verification) -> Option<&String> {
        let about = &verification.about;
        match self {
            Self::ReportId => verification.report_id.as_ref().filter(|_| !has_changed_files(verification)),
            Self::StatedReportId => verification.report_id.as_ref(),
            Self::Measured => about.measured_digest.as_ref(),
            Self::Weights => about.weights_digest.as_ref(),
            Self::Predictions => about.predictions_digest.as_ref(),
            // Compared one by one: `shared_networks`.
            Self::Networks => None,
            Self::Study => about.study_digest.as_ref(),
        }
    }

    /// The strongest thing that two bundles have in common and that is worth a word, as whole bundles; `None` for networks.
    fn of(a: &Verification, b: &Verification) -> Option<Self> {
        let is_common = |what: &Self| what.value_of(a).is_some() && what.value_of(a) == what.value_of(b);
        Self::ALL.into_iter().find(is_common)
    }

    /// Whether a change of the assignment could make two bundles differ in this, so that sharing it means something.
    fn depends_on(self, key: &str) -> bool {
        match self {
            Self::ReportId | Self::StatedReportId => true,
            Self::Measured | Self::Weights | Self::Predictions | Self::Networks => is_trained(key),
            Self::Study => is_trained(key) && !is_seed(key),
        }
    }

    /// Whether two bundles that have this in common are worth a word. Without an assignment, always. With one, everybody who
    /// changed nothing has the same results, so both must have changed something that matters: the same, or something else with
    /// the same outcome, such as other names for a copied network.
    fn is_worth_a_word(self, a: &Verification, b: &Verification) -> bool {
        let names_are_free = |v: &Verification| v.assignment.as_ref().is_some_and(|found| found.names_are_free);
        match (self.changes(a), self.changes(b)) {
            // Everybody was to put a name of their own, and these have the same.
            _ if matches!(self, Self::ReportId | Self::StatedReportId) && (names_are_free(a) || names_are_free(b)) => {
                true
            }
            (Some(changed), Some(also)) => !changed.is_empty() && !also.is_empty() && self.is_of_own_networks(a, b),
            // One was not compared, such as a damaged bundle. It has what the other has: is that the assignment?
            (Some(changes), None) | (None, Some(changes)) => !changes.is_empty(),
            (None, None) => true,
        }
    }

    /// Whether equal predictions are those of a network that is not the assignment's. All predictions may be equal, but say nothing
    /// if the students' own networks predict one class.
    fn is_of_own_networks(self, a: &Verification, b: &Verification) -> bool {
        self != Self::Predictions || !shared_networks(a, b).is_empty()
    }

    /// The keys that a bundle's study changed from the assignment, with their values, as far as they matter here; `None` if it
    /// was not compared.
    fn changes(self, verification: &Verification) -> Option<Vec<(&str, &Value)>> {
        let compared = verification.assignment.as_ref().filter(|found| found.status != Status::NotChecked)?;
        let all = compared.differences.free.iter().chain(&compared.differences.forbidden);
        let change = |d: &'_ KeyDifference| self.depends_on(&d.key);
        Some(all.filter(|d| change(d)).map(|d| (d.key.as_str(), &d.handed_in)).collect())
    }
}

/// Whether files are not as SHA256SUMS lists them, so that the Report ID is not that of these files.
pub(super) fn has_changed_files(verification: &Verification) -> bool {
    verification.steps.iter().any(|step| step.rung == Rung::Files && step.status == Status::Failed)
}

/// The other paths that have something in common with a bundle and are worth a word; each path is in one list only.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Likenesses {
    same_report_id_as: Vec<String>,
    /// The same SHA256SUMS, but files of one of the two are not as it lists them.
    same_stated_report_id_as: Vec<String>,
    /// The same measured values under another Report ID: a run that was copied, or repeated.
    same_measured_as: Vec<String>,
    /// The same networks under other measured values: a bundle that was copied and then changed.
    same_weights_as: Vec<String>,
    /// The same predictions of other networks.
    same_predictions_as: Vec<String>,
    /// One network or more with the same weights or predictions, and others that differ.
    same_networks_as: Vec<String>,
    /// The same trainings but for seeds and names.
    same_study_as: Vec<String>,
    /// For each path of `same_networks_as`: which networks.
    #[serde(rename = "same_networks")]
    pub(super) networks: Vec<SharedNetwork>,
}

/// A network of a bundle that has the weights, or the predictions, of a network of another one.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct SharedNetwork {
    /// The other bundle.
    pub(crate) path: String,
    /// The name of this bundle's network.
    pub(crate) network: String,
    /// The name of the other one's.
    pub(crate) other: String,
    /// `weights` or `predictions`.
    pub(crate) same: &'static str,
}

/// The networks of a pair of bundles that are named.
const MOST_NAMED: usize = 20;

/// The networks that two bundles share, of those that are worth a word, by name: the first of equal ones.
fn shared_networks(a: &Verification, b: &Verification) -> Vec<(String, String, &'static str)> {
    let by_hash = |hash: fn(&KeyNetwork) -> Option<&String>| -> HashMap<&String, &KeyNetwork> {
        // The first one stays.
        b.about.networks.iter().rev().filter_map(|network| Some((hash(network)?, network))).collect()
    };
    let weights = by_hash(|network| network.weights.as_ref());
    let predictions = by_hash(|network| network.predictions.as_ref());
    let shared = a.about.networks.iter().filter_map(|own| {
        let same_weights = own.weights.as_ref().and_then(|hash| weights.get(hash)).map(|other| (*other, "weights"));
        let same_predictions = || Some((*predictions.get(own.predictions.as_ref()?)?, "predictions"));
        let (other, same) = same_weights.or_else(same_predictions)?;
        // What the assignment itself gives to everybody says nothing.
        let is_own = match (is_changed(a, own), is_changed(b, other)) {
            (Some(own), Some(other)) => own && other,
            (Some(changed), None) | (None, Some(changed)) => changed,
            // Neither was compared, such as two damaged bundles: the network may be the assignment's.
            (None, None) => a.assignment.is_none() && b.assignment.is_none(),
        };
        is_own.then(|| (own.name.clone(), other.name.clone(), same))
    });
    shared.take(MOST_NAMED).collect()
}

/// Whether a bundle's study changed something of the assignment that decides this network; `None` if it was not compared.
fn is_changed(verification: &Verification, network: &KeyNetwork) -> Option<bool> {
    let compared = verification.assignment.as_ref().filter(|found| found.status != Status::NotChecked)?;
    let (free, forbidden) = (&compared.differences.free, &compared.differences.forbidden);
    // Only the first differences are kept.
    let are_all = free.len() >= compared.free_count && forbidden.len() >= compared.forbidden_count;
    Some(!are_all || free.iter().chain(forbidden).any(|difference| decides(&difference.key, network)))
}

/// Whether a key decides how a network is trained: one of its run, of its model, or of all runs.
fn decides(key: &str, network: &KeyNetwork) -> bool {
    let mut parts = key.split(['.', '[']);
    let (part, name) = (parts.next(), parts.next());
    is_trained(key)
        && match part {
            Some("runs") => name == Some(&network.run),
            Some("models") => name == Some(&network.model),
            _ => true,
        }
}

impl Likenesses {
    pub(super) fn of(&self, common: Common) -> &[String] {
        match common {
            Common::ReportId => &self.same_report_id_as,
            Common::StatedReportId => &self.same_stated_report_id_as,
            Common::Measured => &self.same_measured_as,
            Common::Weights => &self.same_weights_as,
            Common::Predictions => &self.same_predictions_as,
            Common::Networks => &self.same_networks_as,
            Common::Study => &self.same_study_as,
        }
    }

    fn list(&mut self, common: Common) -> &mut Vec<String> {
        match common {
            Common::ReportId => &mut self.same_report_id_as,
            Common::StatedReportId => &mut self.same_stated_report_id_as,
            Common::Measured => &mut self.same_measured_as,
            Common::Weights => &mut self.same_weights_as,
            Common::Predictions => &mut self.same_predictions_as,
            Common::Networks => &mut self.same_networks_as,
            Common::Study => &mut self.same_study_as,
        }
    }
}

/// Fills in what each record has in common with others.
pub(super) fn find_likenesses(records: &mut [Record]) {
    let mut pairs = Vec::new();
    for (i, a) in records.iter().enumerate() {
        for (j, b) in records.iter().enumerate().filter(|(j, _)| *j != i) {
            let (Some(one), Some(other)) = (&a.verification, &b.verification) else { continue };
            let common = Common::of(one, other).filter(|common| common.is_worth_a_word(one, other));
            // Whole bundles that are alike need no list of their networks.
            let networks = match common {
                None | Some(Common::Study) => shared_networks(one, other),
                Some(_) => Vec::new(),
            };
            let common = if networks.is_empty() { common } else { Some(Common::Networks) };
            pairs.extend(common.map(|common| (i, common, j, networks)));
        }
    }
    for (i, common, j, networks) in pairs {
        let path = records[j].path.clone();
        if let Some(likenesses) = &mut records[i].likenesses {
            let named = networks.into_iter().map(|(network, other, same)| SharedNetwork {
                path: path.clone(),
                network,
                other,
                same,
            });
            likenesses.networks.extend(named);
            likenesses.list(common).push(path);
        }
    }
}

/// Bundles that have something in common.
pub(crate) struct Group<'a> {
    pub(crate) common: Common,
    pub(crate) members: Vec<&'a Record>,
    /// The keys that all of them changed alike from the assignment; none without an assignment.
    pub(crate) shared: Vec<&'a str>,
    /// The networks that a pair shares, with the first one's names.
    pub(crate) networks: Vec<&'a SharedNetwork>,
}

/// Every group of at least two bundles that have something in common, and do not have in common what is stronger.
pub(crate) fn groups(records: &[Record]) -> Vec<Group<'_>> {
    let mut groups = Vec::new();
    for common in Common::ALL {
        let mut by_value: IndexMap<&String, Vec<&Record>> = IndexMap::new();
        for record in records {
            // Those alone that are like another one in this are named.
            let value = record.verification.as_deref().and_then(|verification| common.value_of(verification));
            if let Some(value) = value.filter(|_| is_member(record, common)) {
                by_value.entry(value).or_default().push(record);
            }
        }
        groups.extend(by_value.into_values().filter(|members| members.len() > 1).map(|members| {
            let shared = shared(common, &members);
            Group { common, members, shared, networks: Vec::new() }
        }));
        if common == Common::Networks {
            groups.extend(pairs_of_networks(records));
        }
    }
    groups
}

/// A group for each pair of bundles that share networks.
fn pairs_of_networks(records: &[Record]) -> impl Iterator<Item = Group<'_>> {
    records.iter().enumerate().flat_map(move |(i, one)| {
        records[i + 1..].iter().filter_map(move |other| {
            let named = one.likenesses.as_ref()?.networks.iter().filter(|shared| shared.path == other.path);
            let networks: Vec<&SharedNetwork> = named.collect();
            let members = vec![one, other];
            let shared = shared(Common::Networks, &members);
            (!networks.is_empty()).then_some(Group { common: Common::Networks, members, shared, networks })
        })
    })
}

/// Whether a record has this in common with some other, and nothing stronger with that one.
fn is_member(record: &Record, common: Common) -> bool {
    record.likenesses.as_ref().is_some_and(|likenesses| !likenesses.of(common).is_empty())
}

/// The keys that all members changed alike.
fn shared<'a>(common: Common, members: &[&'a Record]) -> Vec<&'a str> {
    let of = |record: &'a Record| common.changes(record.verification.as_deref()?);
    let mut all = members.iter().filter_map(|record| of(record));
    let Some(mut shared) = all.next() else { return Vec::new() };
    all.for_each(|other| shared.retain(|change| other.contains(change)));
    shared.into_iter().map(|(key, _)| key).collect()
}

#[cfg(test)]
mod tests;
