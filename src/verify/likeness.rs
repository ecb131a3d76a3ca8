//! What bundles have in common. None of it proves copying: equal studies give equal results.
//!
//! Longer than 400 lines because every likeness is found in the same pairs of bundles.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;

use serde::Serialize;
use serde_json::Value;

use super::about::settings_of_runs;
use super::{KeyNetwork, Proof, Record, Statement, Status, Verification};
use crate::rung::Rung;
use crate::study::{KeyDifference, Source, Study, is_seed, is_trained};

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
            Self::Measured => about.values_digest.as_ref(),
            Self::Weights => about.weights_digest.as_ref(),
            Self::Predictions => about.predictions_digest.as_ref(),
            // Compared one by one: `Networks`.
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
    fn is_worth_a_word(self, a: &Verification, networks_of_b: &Networks) -> bool {
        let b = networks_of_b.bundle;
        let names_are_free = |v: &Verification| v.assignment.as_ref().is_some_and(|found| found.names_are_free);
        match (self.changes(a), self.changes(b)) {
            // Everybody was to put a name of their own, and these have the same.
            _ if matches!(self, Self::ReportId | Self::StatedReportId) && (names_are_free(a) || names_are_free(b)) => {
                true
            }
            (Some(changed), Some(also)) => {
                !changed.is_empty() && !also.is_empty() && self.is_of_own_networks(a, networks_of_b)
            }
            // One was not compared, such as a damaged bundle. It has what the other has: is that the assignment?
            (Some(changes), None) | (None, Some(changes)) => {
                !changes.is_empty() && self.is_of_own_networks(a, networks_of_b)
            }
            (None, None) => true,
        }
    }

    /// Whether what is equal is not only that of networks that the assignment gives. All predictions may be equal, but mean nothing
    /// if the students' own networks predict one class.
    fn is_of_own_networks(self, a: &Verification, networks_of_b: &Networks) -> bool {
        let has_own = |bundle: &Verification| {
            let networks = &bundle.about.networks;
            networks.is_empty() || networks.iter().any(|network| is_own(network, networks_of_b.given) != Some(false))
        };
        match self {
            Self::Measured | Self::Weights => has_own(a) || has_own(networks_of_b.bundle),
            Self::Predictions => !networks_of_b.shared_with(a).is_empty(),
            _ => true,
        }
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

/// The networks that the assignment itself gives: by the digest of what decides each except for its seed and names, the seeds.
type Given = HashMap<String, BTreeSet<u64>>;

/// The networks that the assignment gives to everybody; `None` without an assignment, or if it cannot be read again.
fn given(records: &[Record]) -> Option<Given> {
    let assignment = records.iter().find_map(Record::assignment)?;
    let source = Source::load(Path::new(&assignment.file)).ok()?;
    Some(given_by(&source.study))
}

/// The networks of a study.
fn given_by(study: &Study) -> Given {
    let mut given = Given::new();
    for (name, settings) in settings_of_runs(study) {
        given.entry(settings).or_default().extend(&study.runs[name].seeds);
    }
    given
}

/// Whether a network is one that the assignment does not give; `None` if that cannot be told.
fn is_own(network: &KeyNetwork, given: Option<&Given>) -> Option<bool> {
    let seeds = given?.get(network.settings.as_ref()?);
    Some(seeds.is_none_or(|seeds| !seeds.contains(&network.seed)))
}

/// The networks of a bundle that may be worth a word, by their files: the first of equal ones. Made once for all bundles that it is
/// compared with.
struct Networks<'a> {
    bundle: &'a Verification,
    given: Option<&'a Given>,
    weights: HashMap<&'a String, &'a KeyNetwork>,
    /// With the settings: networks that were trained in different ways may agree by chance.
    predictions: HashMap<(&'a String, &'a Option<String>), &'a KeyNetwork>,
}

impl<'a> Networks<'a> {
    fn of(bundle: &'a Verification, given: Option<&'a Given>) -> Self {
        let (mut weights, mut predictions) = (HashMap::new(), HashMap::new());
        // What the assignment itself gives to everybody means nothing.
        for network in bundle.about.networks.iter().filter(|network| is_own(network, given) != Some(false)) {
            // The first one stays.
            network.weights.as_ref().map(|hash| weights.entry(hash).or_insert(network));
            network.predictions.as_ref().map(|hash| predictions.entry((hash, &network.settings)).or_insert(network));
        }
        Self { bundle, given, weights, predictions }
    }

    /// The networks that another bundle shares with this one, of those that are worth a word: the other's name, and this one's.
    fn shared_with(&self, other: &Verification) -> Vec<(String, String, &'static str)> {
        let has_no_assignment = [other, self.bundle].iter().all(|bundle| bundle.assignment.is_none());
        let is_told = |network: &KeyNetwork, same: &KeyNetwork| {
            let is_own_of_each = [network, same].map(|network| is_own(network, self.given));
            // Both unknown, such as in two damaged bundles: they may be the assignment's.
            is_own_of_each[0] != Some(false) && (has_no_assignment || is_own_of_each.iter().any(Option::is_some))
        };
        let shared = other.about.networks.iter().filter_map(|network| {
            let (same, files) = self.same(network)?;
            is_told(network, same).then(|| (network.name.clone(), same.name.clone(), files))
        });
        shared.take(MOST_NAMED).collect()
    }

    /// The network that has the same weights as another bundle's, otherwise the same predictions.
    fn same(&self, network: &KeyNetwork) -> Option<(&'a KeyNetwork, &'static str)> {
        let same_weights = network.weights.as_ref().and_then(|hash| self.weights.get(hash));
        let same_predictions = || self.predictions.get(&(network.predictions.as_ref()?, &network.settings));
        let weights = same_weights.map(|same| (*same, "weights"));
        weights.or_else(|| same_predictions().map(|same| (*same, "predictions")))
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
    let given = if records.len() > 1 { given(records) } else { None };
    find_beside(records, given.as_ref());
}

/// As [`find_likenesses`], beside the networks that the assignment gives to everybody.
fn find_beside(records: &mut [Record], given: Option<&Given>) {
    let mut pairs = Vec::new();
    for (j, b) in records.iter().enumerate() {
        let Some(other) = &b.verification else { continue };
        let networks_of_other = Networks::of(other, given);
        for (i, a) in records.iter().enumerate().filter(|(i, _)| *i != j) {
            let Some(one) = &a.verification else { continue };
            let common = Common::of(one, other).filter(|common| common.is_worth_a_word(one, &networks_of_other));
            // Whole bundles that are alike need no list of their networks.
            let networks = match common {
                None | Some(Common::Study) => networks_of_other.shared_with(one),
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
    /// The keys that they changed in different ways, if all that was measured is the same.
    pub(crate) unlike: Vec<&'a str>,
    /// Whether all their trainings were done again, so that these keys have no effect on what was measured.
    pub(crate) are_retrained: bool,
    /// Of a pair that shares networks: the keys in which their studies differ, if these are only seeds and names. Without an assignment,
    /// the keys are not known.
    pub(crate) same_study_but: Option<Vec<&'a str>>,
    /// The networks that a pair shares, with the first one's names.
    pub(crate) networks: Vec<&'a SharedNetwork>,
}

/// Groups of bundles of which every two have something in common, and nothing stronger. Each pair is in one group only.
pub(crate) fn groups(records: &[Record]) -> Vec<Group<'_>> {
    let mut groups = Vec::new();
    for common in Common::ALL {
        if common == Common::Networks {
            groups.extend(pairs_of_networks(records));
            continue;
        }
        groups.extend(cliques(pairs(records, common)).into_iter().map(|members| {
            let members: Vec<&Record> = members.into_iter().map(|i| &records[i]).collect();
            let (shared, unlike) = (shared(common, &members), unlike(common, &members));
            let are_retrained = members.iter().all(|record| record.verification.as_deref().is_some_and(is_retrained));
            Group { common, members, shared, unlike, are_retrained, same_study_but: None, networks: Vec::new() }
        }));
    }
    groups
}

/// The pairs of records that have this in common and nothing stronger, by their places.
fn pairs(records: &[Record], common: Common) -> BTreeSet<(usize, usize)> {
    let mut places: HashMap<&str, Vec<usize>> = HashMap::new();
    for (i, record) in records.iter().enumerate() {
        places.entry(record.path.as_str()).or_default().push(i);
    }
    let mut pairs = BTreeSet::new();
    for (i, record) in records.iter().enumerate() {
        let paths = record.likenesses.as_ref().map_or(&[][..], |likenesses| likenesses.of(common));
        let others = paths.iter().flat_map(|path| &places[path.as_str()]);
        pairs.extend(others.filter(|j| i < **j).map(|j| (i, *j)));
    }
    pairs
}

/// Groups in which every two are a pair, so that each pair is in one group.
fn cliques(mut left: BTreeSet<(usize, usize)>) -> Vec<Vec<usize>> {
    let mut cliques = Vec::new();
    while let Some(&(first, second)) = left.first() {
        let mut members = vec![first, second];
        for (_, other) in left.range((first, second + 1)..(first + 1, 0)) {
            if members.iter().all(|member| left.contains(&(*member, *other))) {
                members.push(*other);
            }
        }
        for (at, one) in members.iter().enumerate() {
            for other in &members[at + 1..] {
                left.remove(&(*one, *other));
            }
        }
        cliques.push(members);
    }
    cliques
}

/// A group for each pair of bundles that share networks.
fn pairs_of_networks(records: &[Record]) -> impl Iterator<Item = Group<'_>> {
    records.iter().enumerate().flat_map(move |(i, one)| {
        records[i + 1..].iter().filter_map(move |other| {
            let named = one.likenesses.as_ref()?.networks.iter().filter(|shared| shared.path == other.path);
            let networks: Vec<&SharedNetwork> = named.collect();
            let members = vec![one, other];
            let shared = shared(Common::Networks, &members);
            let study = |record: &Record| record.verification.as_ref()?.about.study_digest.clone();
            let is_same_study = study(one).is_some() && study(one) == study(other);
            let same_study_but = is_same_study.then(|| changed_in_different_ways(Common::Networks, &members));
            let (common, unlike) = (Common::Networks, Vec::new());
            let are_retrained = false;
            (!networks.is_empty()).then_some(Group {
                common,
                members,
                shared,
                unlike,
                are_retrained,
                same_study_but,
                networks,
            })
        })
    })
}

/// Whether every training of a bundle was done again with the same bits.
fn is_retrained(verification: &Verification) -> bool {
    let statements = &verification.closing.statements.proven;
    let of_all = |statement: &Statement| matches!(statement, Statement::Trained { proof: Proof::Whole, count, of, .. } if count == of);
    statements.iter().any(of_all) && !statements.contains(&Statement::Tolerances)
}

/// The keys that all members changed alike.
fn shared<'a>(common: Common, members: &[&'a Record]) -> Vec<&'a str> {
    let of = |record: &'a Record| common.changes(record.verification.as_deref()?);
    let mut all = members.iter().filter_map(|record| of(record));
    let Some(mut shared) = all.next() else { return Vec::new() };
    all.for_each(|other| shared.retain(|change| other.contains(change)));
    shared.into_iter().map(|(key, _)| key).collect()
}

/// The keys that members changed in different ways although all that was measured is the same.
fn unlike<'a>(common: Common, members: &[&'a Record]) -> Vec<&'a str> {
    if common == Common::Measured { changed_in_different_ways(common, members) } else { Vec::new() }
}

/// The keys that not all members changed from the assignment alike, as far as they matter for this.
fn changed_in_different_ways<'a>(common: Common, members: &[&'a Record]) -> Vec<&'a str> {
    let of = |record: &'a Record| common.changes(record.verification.as_deref()?);
    let all: Vec<Vec<(&str, &Value)>> = members.iter().filter_map(|record| of(record)).collect();
    let mut keys: Vec<&str> = Vec::new();
    for change in all.iter().flatten() {
        if !keys.contains(&change.0) && all.iter().any(|other| !other.contains(change)) {
            keys.push(change.0);
        }
    }
    keys
}

#[cfg(test)]
mod tests;
