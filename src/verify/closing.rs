//! What a verification proves and what it does not, in plain words.

use serde::{Deserialize, Serialize};

use super::outcome::{Proof, RungResult, Status};
use crate::rung::Rung;
use crate::text::numbers::{count, duration};

/// The most trainings that are named.
const MOST_NAMED: usize = 6;

/// The closing sentences.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[expect(missing_docs, reason = "self-evident")]
pub struct Closing {
    pub proven: String,
    pub not_proven: String,
}

impl Closing {
    /// Sums up the rungs. `trainings` names all of the bundle, and `rerun_seconds` gives about how long it takes to do
    /// them again, if that is known.
    pub(super) fn of(
        steps: &[RungResult],
        upto: Rung,
        trainings: &[String],
        rerun_seconds: impl FnOnce() -> Option<f64>,
    ) -> Self {
        if let Some(failed) = steps.iter().find(|step| step.status == Status::Failed) {
            return Self {
                proven: format!("that the bundle is not what it says: `{}` found a difference", failed.rung.name()),
                not_proven: "anything that the report states".into(),
            };
        }
        let is_passed = |rung: Rung| steps.iter().any(|step| step.rung == rung && step.status == Status::Passed);
        let (passed, others): (Vec<Rung>, Vec<Rung>) = Rung::ALL.into_iter().partition(|rung| is_passed(*rung));
        let mut proven: Vec<String> = passed.into_iter().filter_map(statement).map(str::to_owned).collect();
        // A rung that was not reached goes without saying, except for what a grader wants to know most.
        let is_open = |rung: &Rung| *rung <= upto || *rung >= Rung::Weights;
        let mut open: Vec<String> =
            others.into_iter().filter(is_open).filter_map(statement).map(|what| format!("that {what}")).collect();

        let proof = |name: &String| {
            let found = steps.iter().filter_map(|step| step.trainings.get(name)).copied();
            found.min_by_key(|proof| *proof as u8).unwrap_or(Proof::NotChecked)
        };
        let of = |wanted: Proof| trainings.iter().filter(|name| proof(name) == wanted).collect::<Vec<_>>();
        let (whole, sampled, unchecked) = (of(Proof::Whole), of(Proof::Sampled), of(Proof::NotChecked));
        if !whole.is_empty() {
            let which = named(&whole, trainings.len());
            proven.push(format!("{which} came from the stated training, which was done again from first step to last"));
        }
        if !sampled.is_empty() {
            let which = named(&sampled, trainings.len());
            open.push(format!(
                "that {which} came from the stated training (sampled: a few of its steps were replayed)"
            ));
        }
        if !unchecked.is_empty() || trainings.is_empty() {
            open.push(format!("that {} came from the stated training", named(&unchecked, trainings.len())));
        }
        if proven.is_empty() {
            proven.push("nothing".into());
        }
        if steps.iter().any(|step| step.held_to_tolerances && step.status == Status::Passed) {
            proven.push("all that was computed here held to tolerances, because the bundle was made on a GPU".into());
        }
        if open.is_empty() {
            open.push("who made the report and when, and that its own texts are true".into());
        }
        let is_left = !sampled.is_empty() || !unchecked.is_empty();
        let rerun = match is_left.then(rerun_seconds) {
            Some(Some(seconds)) => format!("; `verify --upto rerun` takes about {}", duration(seconds)),
            Some(None) => "; `verify --upto rerun` shows it".into(),
            None => String::new(),
        };
        Self { proven: proven.join("; "), not_proven: open.join("; ") + &rerun }
    }

    /// One line.
    pub fn line(&self) -> String {
        format!("Proven: {}. Not proven: {}.", self.proven, self.not_proven)
    }
}

/// What a rung shows if it passes; nothing for rungs that only prepare others, and for those that are summed up by training.
fn statement(rung: Rung) -> Option<&'static str> {
    Some(match rung {
        Rung::Files => "no file was changed since SHA256SUMS was written",
        Rung::Exact => "counts, shapes and plans follow from the study",
        Rung::Render => "the report shows the results",
        Rung::Metrics => "the accuracies follow from the predictions",
        Rung::Weights => "the predictions come from the weights",
        Rung::Inputs | Rung::Replay | Rung::Rerun => return None,
    })
}

/// `the weights`, of all trainings, or `the weights of slim and slim-bn`.
fn named(names: &[&String], all: usize) -> String {
    let listed: Vec<&str> = names.iter().take(MOST_NAMED).map(|name| name.as_str()).collect();
    let more = names.len() - listed.len();
    if names.len() == all {
        return "the weights".into();
    }
    let more = if more > 0 { format!(" and {} more", count(more as u64)) } else { String::new() };
    format!("the weights of {}{more} ({} of {})", listed.join(", "), count(names.len() as u64), count(all as u64))
}

#[cfg(test)]
mod tests {
    use indexmap::IndexMap;

    use super::*;

    fn step(rung: Rung, status: Status, trainings: &[(&str, Proof)]) -> RungResult {
        let trainings: IndexMap<String, Proof> = trainings.iter().map(|(n, p)| ((*n).to_owned(), *p)).collect();
        RungResult { rung, status, details: Vec::new(), trainings, left_out: false, held_to_tolerances: false }
    }

    /// All rungs up to `upto` pass, and then come these.
    fn line(upto: Rung, last: Vec<RungResult>, seconds: Option<f64>) -> String {
        let first = last.first().map_or(upto, |step| step.rung);
        let below = Rung::ALL.into_iter().filter(|rung| *rung < first || (last.is_empty() && *rung == upto));
        let mut steps: Vec<RungResult> = below.map(|rung| step(rung, Status::Passed, &[])).collect();
        steps.extend(last);
        let names = ["a", "b"].map(str::to_owned);
        Closing::of(&steps, upto, &names, || seconds).line()
    }

    #[test]
    fn the_closing_sentence_says_what_was_not_proven() {
        use Proof::{NotChecked, Sampled, Whole};
        let replay = |proofs| line(Rung::Replay, vec![step(Rung::Replay, Status::Passed, proofs)], Some(240.0));
        let sampled = replay(&[("a", Whole), ("b", Sampled)]);
        assert!(sampled.contains("the weights of a (1 of 2) came from the stated training, which was done again"));
        assert!(sampled.contains("Not proven: that the weights of b (1 of 2) came from the stated training (sampled"));
        assert!(sampled.ends_with("`verify --upto rerun` takes about 4 min."), "{sampled}");
        let whole = replay(&[("a", Whole), ("b", Whole)]);
        assert!(whole.contains("; the weights came from the stated training, which was done again"), "{whole}");
        assert!(whole.ends_with("Not proven: who made the report and when, and that its own texts are true."));
        let metrics = line(Rung::Metrics, vec![], None);
        assert!(metrics.contains("the accuracies follow from the predictions. Not proven: that the predictions come"));
        assert!(metrics.contains("; that the weights came from the stated training; `verify --upto rerun` shows it."));
        let partly = vec![step(Rung::Replay, Status::NotChecked, &[("a", Whole), ("b", NotChecked)])];
        let partly = line(Rung::Replay, partly, None);
        assert!(partly.contains("Not proven: that the weights of b (1 of 2) came from the stated training; "));
    }

    #[test]
    fn a_difference_proves_that_the_bundle_is_not_what_it_says() {
        let failed = line(Rung::Replay, vec![step(Rung::Weights, Status::Failed, &[])], None);
        assert_eq!(
            failed,
            "Proven: that the bundle is not what it says: `weights` found a difference. Not proven: anything that the \
             report states."
        );
    }

    #[test]
    fn tolerances_are_named() {
        let tolerated = RungResult { held_to_tolerances: true, ..step(Rung::Weights, Status::Passed, &[]) };
        let line = line(Rung::Weights, vec![tolerated], None);
        assert!(line.contains("all that was computed here held to tolerances"), "{line}");
    }
}
