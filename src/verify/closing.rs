//! What a verification proves and what it does not, in plain words.
//!
//! Longer than 400 lines because a third of it tests sentences.

use serde::{Deserialize, Serialize};

use super::AssignmentResult;
use super::outcome::{Proof, RungResult, Status, first_difference};
use crate::rung::Rung;
use crate::text::numbers::{count as thousands, duration};

/// The most trainings that are named.
const MOST_NAMED: usize = 6;

/// The closing sentences, in English and as data, from which a page in another language makes its own.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Closing {
    /// What is proven.
    pub proven: String,
    /// What is not.
    pub not_proven: String,
    /// Both as data.
    pub statements: Statements,
}

/// What is proven and what is not.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Statements {
    /// What is proven.
    pub proven: Vec<Statement>,
    /// What is not.
    pub not_proven: Vec<Statement>,
    /// Whether plain `verify` would show more: it was asked for fewer rungs.
    #[serde(default)]
    pub verify_is_left: bool,
    /// Whether `verify --upto rerun` would show more.
    pub rerun_is_left: bool,
    /// About how long that takes, if it is known.
    pub rerun_seconds: Option<f64>,
}

/// Something that is proven or not.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum Statement {
    /// The bundle was changed or is wrong: a rung found a difference.
    Difference {
        /// The rung.
        rung: Rung,
    },
    /// Pages or figures were changed or are wrong: they do not show what results.json has.
    WrongPages,
    /// What the pages and figures show.
    Pages,
    /// The study is not the assignment.
    AnotherStudy {
        /// The assignment's file.
        file: String,
    },
    /// Anything that the report states.
    Anything,
    /// No file was changed since SHA256SUMS was written.
    Files,
    /// Counts, shapes and plans follow from the study.
    Exact,
    /// The report shows the results.
    Render,
    /// The accuracies follow from the predictions.
    Metrics,
    /// The predictions come from the weights.
    Weights,
    /// Weights came from the stated training.
    Trained {
        /// The first of these trainings.
        names: Vec<String>,
        /// How many they are.
        count: usize,
        /// Of how many.
        of: usize,
        /// What was shown of them.
        proof: Proof,
    },
    /// All that was computed held to tolerances.
    Tolerances,
    /// Nothing.
    Nothing,
    /// Who made the report and when, that its own texts are true, and that its seeds were not selected among many.
    Texts,
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
        let mut failed = steps.iter().filter(|step| step.status == Status::Failed).map(|step| step.rung);
        let statements = match first_difference(steps) {
            // The other rungs check results.json, which the pages do not change.
            Some(_) if failed.all(|rung| rung == Rung::Render) => {
                Statements::of(steps, upto, trainings, rerun_seconds).with_wrong_pages()
            }
            Some((rung, _)) => Statements {
                proven: vec![Statement::Difference { rung }],
                not_proven: vec![Statement::Anything],
                ..Statements::default()
            },
            None => Statements::of(steps, upto, trainings, rerun_seconds),
        };
        Self { proven: statements.proven_in_words(), not_proven: statements.not_proven_in_words(), statements }
    }

    /// Adds that the study is another than the assignment.
    pub(super) fn compared(mut self, assignment: Option<&AssignmentResult>) -> Self {
        if let Some(other) = assignment.filter(|assignment| assignment.status == Status::Failed) {
            self.statements.proven.push(Statement::AnotherStudy { file: other.file.clone() });
            self.proven = self.statements.proven_in_words();
        }
        self
    }

    /// One line.
    pub fn line(&self) -> String {
        format!("Proven: {}. Not proven: {}.", self.proven, self.not_proven)
    }
}

/// Whether every training was done again from first step to last, with the same bits. That compares weights and predictions, too, so
/// nothing is open even where a lean zip lacks the weights.
fn all_retrained(steps: &[RungResult], trainings: &[String]) -> bool {
    let rerun =
        |step: &&RungResult| step.rung == Rung::Rerun && step.status == Status::Passed && !step.held_to_tolerances;
    let is_whole = |step: &RungResult| trainings.iter().all(|name| step.trainings.get(name) == Some(&Proof::Whole));
    !trainings.is_empty() && steps.iter().find(rerun).is_some_and(is_whole)
}

/// Rungs that a lean zip lacks the files of pass if `rerun` trained every network of it again: whoever checks more must not get less.
pub(super) fn pass_what_rerun_shows(steps: &mut [RungResult], trainings: &[String]) {
    if all_retrained(steps, trainings) {
        for step in steps.iter_mut().filter(|step| step.left_out) {
            step.status = Status::Passed;
            step.details.push("shown by `rerun`, which gave the same weights and predictions".into());
        }
    }
}

impl Statements {
    /// Sums up rungs of which none failed.
    fn of(steps: &[RungResult], upto: Rung, trainings: &[String], rerun_seconds: impl FnOnce() -> Option<f64>) -> Self {
        let is_passed = |rung: Rung| steps.iter().any(|step| step.rung == rung && step.status == Status::Passed);
        let mut proven: Vec<Statement> =
            Rung::ALL.into_iter().filter(|rung| is_passed(*rung)).filter_map(statement).collect();
        let mut not_proven: Vec<Statement> =
            Rung::ALL.into_iter().filter(|rung| !is_passed(*rung)).filter_map(statement).collect();

        let proof_of = |name: &String| {
            let found = steps.iter().filter_map(|step| step.trainings.get(name)).copied();
            found.min_by_key(|proof| *proof as u8).unwrap_or(Proof::NotChecked)
        };
        let with = |proof: Proof| {
            let all: Vec<&String> = trainings.iter().filter(|name| proof_of(name) == proof).collect();
            let names = all.iter().take(MOST_NAMED).map(|name| (*name).clone()).collect();
            Statement::Trained { names, count: all.len(), of: trainings.len(), proof }
        };
        let is_some = |statement: &Statement| !matches!(statement, Statement::Trained { count: 0, .. });
        proven.extend(Some(with(Proof::Whole)).filter(is_some));
        let left: Vec<Statement> =
            [with(Proof::Sampled), with(Proof::NotChecked)].into_iter().filter(is_some).collect();
        let is_left = !left.is_empty();
        not_proven.extend(left);
        if trainings.is_empty() {
            not_proven.push(with(Proof::NotChecked));
        }
        if proven.is_empty() {
            proven.push(Statement::Nothing);
        }
        if steps.iter().any(|step| step.held_to_tolerances && step.status == Status::Passed) {
            proven.push(Statement::Tolerances);
        }
        if not_proven.is_empty() {
            not_proven.push(Statement::Texts);
        }
        // Without trainings, as after the rung `files` alone, it is not known what `rerun` would train.
        let verify_is_left = upto < Rung::Replay;
        let rerun_is_left = is_left || (verify_is_left && trainings.is_empty());
        let rerun_seconds = is_left.then(rerun_seconds).flatten();
        Self { proven, not_proven, verify_is_left, rerun_is_left, rerun_seconds }
    }

    /// The same, of a bundle whose pages or figures do not show its results.
    fn with_wrong_pages(mut self) -> Self {
        self.proven.retain(|statement| !matches!(statement, Statement::Files | Statement::Nothing));
        self.proven.insert(0, Statement::WrongPages);
        self.not_proven.retain(|statement| !matches!(statement, Statement::Render | Statement::Texts));
        self.not_proven.insert(0, Statement::Pages);
        self
    }

    fn proven_in_words(&self) -> String {
        self.proven.iter().map(Statement::words).collect::<Vec<_>>().join("; ")
    }

    fn not_proven_in_words(&self) -> String {
        let open = |statement: &Statement| match statement {
            Statement::Anything | Statement::Pages | Statement::Texts => statement.words(),
            other => format!("that {}", other.words()),
        };
        let open = self.not_proven.iter().map(open).collect::<Vec<_>>().join("; ");
        let cheaper = if self.verify_is_left { "; `verify` shows more" } else { "" };
        match self.rerun_seconds {
            _ if !self.rerun_is_left => format!("{open}{cheaper}"),
            Some(seconds) => format!("{open}{cheaper}; `verify --upto rerun` takes about {}", duration(seconds)),
            None if self.verify_is_left => format!("{open}{cheaper}, and `verify --upto rerun` all of it"),
            None => format!("{open}; `verify --upto rerun` shows it"),
        }
    }
}

impl Statement {
    fn words(&self) -> String {
        let words = match self {
            Self::Difference { rung } => {
                return format!("the bundle was changed or is wrong (`{}`)", rung.name());
            }
            Self::AnotherStudy { file } => return format!("this is not the study of {file}"),
            Self::Trained { names, count, of, proof } => {
                let which = named(names, *count, *of);
                let how = match proof {
                    Proof::Whole => ", which was done again from first step to last",
                    Proof::Sampled => " (sampled: a few of its steps were replayed)",
                    Proof::NotChecked => "",
                };
                return format!("{which} came from the stated training{how}");
            }
            Self::WrongPages => {
                "pages or figures were changed or are wrong (`render`), so what follows is true of results.json"
            }
            Self::Pages => "what the pages and figures show",
            Self::Anything => "anything that the report states",
            Self::Files => "no file was changed since SHA256SUMS was written",
            Self::Exact => "counts, shapes and plans follow from the study",
            Self::Render => "the report shows the results",
            Self::Metrics => "the accuracies follow from the predictions",
            Self::Weights => "the predictions come from the weights",
            Self::Tolerances => "all that was computed here held to tolerances, because the bundle was made on a GPU",
            Self::Nothing => "nothing",
            Self::Texts => {
                "who made the report and when, that its own texts are true, and that its seeds were not selected among many"
            }
        };
        words.to_owned()
    }
}

/// What a rung shows if it passes; nothing for rungs that only prepare others, and for those that are summed up by training.
fn statement(rung: Rung) -> Option<Statement> {
    Some(match rung {
        Rung::Files => Statement::Files,
        Rung::Exact => Statement::Exact,
        Rung::Render => Statement::Render,
        Rung::Metrics => Statement::Metrics,
        Rung::Weights => Statement::Weights,
        Rung::Inputs | Rung::Replay | Rung::Rerun => return None,
    })
}

/// `the weights`, of all trainings, or `the weights of slim and slim-bn`.
fn named(names: &[String], count: usize, of: usize) -> String {
    if count == of {
        return "the weights".into();
    }
    let more = match count - names.len() {
        0 => String::new(),
        more => format!(" and {} more", thousands(more as u64)),
    };
    let (count, of) = (thousands(count as u64), thousands(of as u64));
    format!("the weights of {}{more} ({count} of {of})", names.join(", "))
}

#[cfg(test)]
mod tests {
    use indexmap::IndexMap;

    use super::*;
    use crate::verify::Mark;

    fn step(rung: Rung, status: Status, trainings: &[(&str, Proof)]) -> RungResult {
        let trainings: IndexMap<String, Proof> = trainings.iter().map(|(n, p)| ((*n).to_owned(), *p)).collect();
        RungResult {
            rung,
            status,
            details: Vec::new(),
            trainings,
            left_out: false,
            held_to_tolerances: false,
            drawn: None,
            is_unfinished: false,
        }
    }

    /// All rungs up to `upto` pass, and then come these.
    fn line(upto: Rung, last: Vec<RungResult>, seconds: Option<f64>) -> String {
        checked(upto, last, seconds).1.line()
    }

    /// As `line`, with the rungs.
    fn checked(upto: Rung, last: Vec<RungResult>, seconds: Option<f64>) -> (Vec<RungResult>, Closing) {
        let first = last.first().map_or(upto, |step| step.rung);
        let below = Rung::ALL.into_iter().filter(|rung| *rung < first || (last.is_empty() && *rung == upto));
        let mut steps: Vec<RungResult> = below.map(|rung| step(rung, Status::Passed, &[])).collect();
        steps.extend(last);
        let names = ["a", "b"].map(str::to_owned);
        pass_what_rerun_shows(&mut steps, &names);
        let closing = Closing::of(&steps, upto, &names, || seconds);
        (steps, closing)
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
        let texts = "Not proven: who made the report and when, that its own texts are true, and that its seeds were not selected \
                     among many.";
        assert!(whole.ends_with(texts));
        let metrics = line(Rung::Metrics, vec![], None);
        assert!(metrics.contains("the accuracies follow from the predictions. Not proven: that the predictions come"));
        let commands = "; `verify` shows more, and `verify --upto rerun` all of it.";
        assert!(metrics.ends_with(&format!("; that the weights came from the stated training{commands}")), "{metrics}");
        let files = line(Rung::Files, vec![], None);
        for open in ["counts, shapes and plans", "the report shows the results", "the accuracies follow"] {
            assert!(files.contains(&format!("that {open}")), "{files}");
        }
        let lean = RungResult { left_out: true, ..step(Rung::Weights, Status::NotChecked, &[]) };
        let lean = |proofs| line(Rung::Rerun, vec![lean.clone(), step(Rung::Rerun, Status::Passed, proofs)], None);
        let whole_again = lean(&[("a", Whole), ("b", Whole)]);
        assert!(
            whole_again.contains("; the predictions come from the weights; the weights came from"),
            "{whole_again}"
        );
        assert!(whole_again.ends_with(texts));
        assert!(lean(&[("a", Whole)]).contains("Not proven: that the predictions come from the weights; "));
        let status = |proofs| {
            let left_out = RungResult { left_out: true, ..step(Rung::Weights, Status::NotChecked, &[]) };
            let rerun = step(Rung::Rerun, Status::Passed, proofs);
            checked(Rung::Rerun, vec![left_out, rerun], None).0[5].clone()
        };
        let shown = status(&[("a", Whole), ("b", Whole)]);
        assert_eq!((shown.rung, shown.status, shown.mark()), (Rung::Weights, Status::Passed, Mark::Passed));
        assert_eq!(status(&[("a", Whole)]).mark(), Mark::Lean);
        let partly = vec![step(Rung::Replay, Status::NotChecked, &[("a", Whole), ("b", NotChecked)])];
        let partly = line(Rung::Replay, partly, None);
        assert!(partly.contains("Not proven: that the weights of b (1 of 2) came from the stated training; "));
    }

    #[test]
    fn a_difference_proves_that_the_bundle_was_changed_or_is_wrong() {
        let failed = line(Rung::Replay, vec![step(Rung::Weights, Status::Failed, &[])], None);
        assert_eq!(
            failed,
            "Proven: the bundle was changed or is wrong (`weights`). Not proven: anything that the report states."
        );
    }

    /// They are made from results.json, which the other rungs check.
    #[test]
    fn wrong_pages_leave_the_results_proven() {
        let wrong = step(Rung::Render, Status::Failed, &[]);
        let trained = step(Rung::Replay, Status::Passed, &[("a", Proof::Whole), ("b", Proof::Whole)]);
        let passed = |rung| step(rung, Status::Passed, &[]);
        let all = vec![wrong.clone(), passed(Rung::Metrics), passed(Rung::Weights), trained];
        assert_eq!(
            line(Rung::Replay, all, None),
            "Proven: pages or figures were changed or are wrong (`render`), so what follows is true of results.json; counts, shapes and \
             plans follow from the study; the accuracies follow from the predictions; the predictions come from the weights; the weights \
             came from the stated training, which was done again from first step to last. Not proven: what the pages and figures show."
        );
        let other = step(Rung::Weights, Status::Failed, &[]);
        let both = line(Rung::Replay, vec![wrong, passed(Rung::Metrics), other], None);
        assert!(both.ends_with("Not proven: anything that the report states."), "{both}");
    }

    /// As the line of a bundle in a batch and its page.
    #[test]
    fn the_rung_whose_difference_says_most_is_named() {
        let failed =
            |rung, detail: &str| RungResult { details: vec![detail.to_owned()], ..step(rung, Status::Failed, &[]) };
        let hash = failed(Rung::Exact, "results.json has the SHA-256 0a1b2c3d4e5f, the program gives 1a1b2c3d4e5f");
        let number = failed(Rung::Metrics, "own: results.json counts 9,000 right, the predictions give 8,000");
        let line = line(Rung::Replay, vec![hash, number], None);
        assert!(line.starts_with("Proven: the bundle was changed or is wrong (`metrics`). "), "{line}");
    }

    #[test]
    fn another_study_is_named_with_the_rest() {
        let differences = crate::study::Differences::default();
        let mut assignment = AssignmentResult {
            file: "lab.yaml".to_owned(),
            status: Status::Failed,
            why: None,
            differences,
            forbidden_count: 1,
            free_count: 0,
            names_are_free: false,
        };
        let closing = Closing::of(&[step(Rung::Files, Status::Passed, &[])], Rung::Files, &[], || None);
        let proven = "no file was changed since SHA256SUMS was written";
        let other = closing.clone().compared(Some(&assignment));
        assert_eq!(other.proven, format!("{proven}; this is not the study of lab.yaml"));
        let named = Statement::AnotherStudy { file: "lab.yaml".to_owned() };
        assert_eq!(other.statements.proven, [Statement::Files, named]);
        assignment.status = Status::Passed;
        assert_eq!(closing.compared(Some(&assignment)).proven, proven);
    }

    #[test]
    fn tolerances_are_named() {
        let tolerated = RungResult { held_to_tolerances: true, ..step(Rung::Weights, Status::Passed, &[]) };
        let line = line(Rung::Weights, vec![tolerated], None);
        assert!(line.contains("all that was computed here held to tolerances"), "{line}");
    }
}
