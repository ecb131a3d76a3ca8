//! Compares a study's claims with the results and decides its conclusions.
//!
//! `expression` evaluates expressions and sentences, `values` lists the values that they can use, and `checks` tries them
//! before training.

mod checks;
mod compare;
mod expression;
#[cfg(test)]
mod generated;
mod kinds;
mod possible;
mod stand_in;
mod values;

use std::path::Path;

use minijinja::Value;

pub use checks::{check_expressions, never_measured_notes};
pub use compare::Verdict;
pub use kinds::{
    Compared, FAR_FROM_ZERO, Grounds, Losses, NEAR_ZERO, ORDER_MARGIN, ParameterCounts, RISE, SeedCount, TIMES_AS_HIGH,
    TIMES_GUESSING, Turn,
};

use checks::Checker;
use compare::Wording;
use expression::{Interpreter, Mode, Stop};

use crate::results::{NoInterval, Results};
use crate::study::{Claim, Conclusion, Expressions, Kind, Plan, Rule, Source, Study, StudyError};
use crate::text::{Lang, on_one_line};

/// Reads a study and checks every part of it, its expressions included.
///
/// # Errors
/// The first fault, with file, line, key and value.
pub fn load_study(file: &Path) -> Result<(Source, Plan), StudyError> {
    load_study_in(file, None)
}

/// As [`load_study`], with the texts in another language than the study's default, if it has them. Every language of the study
/// is checked.
///
/// # Errors
/// As [`load_study`].
pub fn load_study_in(file: &Path, lang: Option<Lang>) -> Result<(Source, Plan), StudyError> {
    let checked = |lang: Option<Lang>| {
        let source = Source::load_in(file, lang)?;
        let plan = Plan::resolve(&source)?;
        check_expressions(&source, &plan)?;
        Ok((source, plan))
    };
    let (source, plan) = checked(lang)?;
    for other in source.languages.all().iter().filter(|other| **other != source.study.lang) {
        checked(Some(*other))?;
    }
    Ok((source, plan))
}

/// A claim with its verdict.
#[expect(missing_docs, reason = "self-evident")]
pub struct JudgedClaim<'a> {
    pub claim: &'a Claim,
    pub verdict: Verdict,
    /// The printed value with its tolerance.
    pub printed: String,
    /// The measured value as the report prints it; empty if nothing was measured.
    pub measured: String,
    /// Why nothing was measured.
    pub obstacle: Option<Obstacle>,
}

/// How the results answer a conclusion's question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "self-evident")]
pub enum Finding {
    Supported,
    Refuted,
    Undecided,
}

impl Finding {
    /// Its word in conclusions.json.
    pub fn word(self) -> &'static str {
        match self {
            Self::Supported => "supported",
            Self::Refuted => "refuted",
            Self::Undecided => "undecided",
        }
    }
}

/// Why a conclusion could not be decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// Values that its conditions or its sentence need were not measured. They are named as the study writes them.
    NotMeasured(Vec<String>),
    /// A condition or the sentence has no value, for example because it divides by zero.
    NoValue(String),
    /// Both conditions hold, which is a mistake in the study.
    BothHold,
    /// A difference has no interval.
    NoInterval(NoInterval),
}

impl From<Stop> for Obstacle {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::NotMeasured(names) => Self::NotMeasured(names.into_keys().collect()),
            Stop::NoValue(message) | Stop::Fault(message) => Self::NoValue(message),
        }
    }
}

/// A conclusion with its answer.
#[expect(missing_docs, reason = "self-evident")]
pub struct DecidedConclusion {
    pub id: String,
    /// The study's question; none for a kind whose own question is asked.
    pub question: Option<String>,
    /// The study's remark.
    pub why: Option<String>,
    pub finding: Finding,
    pub answer: Answer,
    pub obstacle: Option<Obstacle>,
}

/// What a conclusion says and what it was decided by.
pub enum Answer {
    /// A sentence of the study.
    Own {
        /// The study's expressions, each on one line.
        supported_if: String,
        /// As `supported_if`.
        refuted_if: String,
        /// Empty if not even the sentence for an undecided conclusion can be rendered.
        sentence: String,
    },
    /// What the report has a sentence for.
    Kind {
        /// The kind, with its names.
        kind: Kind,
        /// What decided it; none if something was in the way.
        fact: Option<Grounds>,
    },
}

impl Answer {
    /// The word of the kind; `expressions` for a rule of the study's own.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Own { .. } => "expressions",
            Self::Kind { kind, .. } => kind.word(),
        }
    }
}

/// Compares every claim with the results.
pub fn judge<'a>(study: &'a Study, results: &Results) -> Vec<JudgedClaim<'a>> {
    judge_in(study, results, study.lang)
}

/// As [`judge`], with values as a report in another language prints them.
pub fn judge_in<'a>(study: &'a Study, results: &Results, report: Lang) -> Vec<JudgedClaim<'a>> {
    let mut judged = judge_alone(study, results, report);
    find_untested(study, results, &mut judged);
    judged
}

/// Compares every claim with these results alone.
fn judge_alone<'a>(study: &'a Study, results: &Results, report: Lang) -> Vec<JudgedClaim<'a>> {
    let langs = Wording { study: study.lang, report };
    let (interpreter, values) = (expression::Interpreter::new(study.lang, Mode::Decide), values::of(study, results));
    let judged = |claim: &'a Claim| {
        let value = expression::evaluate(&interpreter, &claim.measured, &values, Mode::Decide);
        let (verdict, measured) = compare::compare(claim, value.as_ref().ok(), langs);
        let printed = compare::printed_with_tolerance(claim, langs);
        JudgedClaim { claim, verdict, printed, measured, obstacle: value.err().map(Obstacle::from) }
    };
    study.claims.iter().map(judged).collect()
}

/// Changes the verdict of claims that would match any measured value, since those test nothing. If an expression takes too
/// many steps to find that out, its claim counts as one of them.
fn find_untested(study: &Study, results: &Results, judged: &mut [JudgedClaim]) {
    let matches = |judged: &&mut JudgedClaim| judged.verdict == Verdict::Matches;
    let mut untested: Vec<&mut JudgedClaim> = judged.iter_mut().filter(matches).collect();
    let tolerate_anything = |judged: &&mut JudgedClaim| compare::tolerates_anything(judged.claim, study.lang);
    let (empty, undecided): (Vec<_>, Vec<_>) = untested.drain(..).partition(tolerate_anything);
    let langs = Wording { study: study.lang, report: study.lang };
    // This interpreter has its own limit on the number of steps.
    let interpreter = expression::Interpreter::new(study.lang, Mode::Decide);
    let of_study = values::without_measurements(study, results);
    let needs_measurements = |judged: &JudgedClaim| {
        let value = expression::evaluate(&interpreter, &judged.claim.measured, &of_study, Mode::Decide);
        compare::compare(judged.claim, value.as_ref().ok(), langs).0 != Verdict::Matches
    };
    let mut undecided: Vec<_> = undecided.into_iter().map(|judged| (needs_measurements(judged), judged)).collect();
    let mut others = possible::results(study, results);
    while !undecided.is_empty()
        && let Some(other) = others.next()
    {
        undecided.retain(|(needs_measurements, judged)| {
            if *needs_measurements && !other.keeps_study {
                return true;
            }
            let value = expression::evaluate(&interpreter, &judged.claim.measured, &other.values, Mode::Decide);
            value.map_or(true, |value| compare::compare(judged.claim, Some(&value), langs).0 != Verdict::Differs)
        });
    }
    for judged in empty.into_iter().chain(undecided.into_iter().map(|(_, judged)| judged)) {
        judged.verdict = Verdict::TestsNothing;
    }
}

/// Decides every conclusion.
pub fn conclude(study: &Study, results: &Results) -> Vec<DecidedConclusion> {
    let (interpreter, values) = (expression::Interpreter::new(study.lang, Mode::Decide), values::of(study, results));
    let decided = |c: &Conclusion| {
        let (finding, answer, obstacle) = match &c.rule {
            Rule::Expressions(own) => decide(&interpreter, &values, own),
            Rule::Kind(kind) => {
                let (finding, fact, obstacle) = match kinds::decide(study, results, kind) {
                    Ok((finding, fact)) => (finding, Some(fact), None),
                    Err(obstacle) => (Finding::Undecided, None, Some(obstacle)),
                };
                (finding, Answer::Kind { kind: kind.clone(), fact }, obstacle)
            }
        };
        let (question, why) = (c.question.clone(), c.why.clone());
        DecidedConclusion { id: c.id.clone(), question, why, finding, answer, obstacle }
    };
    study.conclusions.iter().map(decided).collect()
}

/// The conclusions by the study's own conditions that would have the same answer whatever is measured.
pub fn decided_by_nothing(study: &Study, results: &Results) -> Vec<String> {
    let interpreter = expression::Interpreter::new(study.lang, Mode::Decide);
    let concluded = conclude(study, results);
    let of_conditions = study.conclusions.iter().zip(concluded).filter_map(|(c, decided)| match &c.rule {
        Rule::Expressions(own) if decided.finding != Finding::Undecided => Some((&c.id, own, decided.finding)),
        _ => None,
    });
    let has_answer = |own: &Expressions, finding: Finding, values: &Value| {
        let holds = |text: &str| expression::holds(&interpreter, text, values, Mode::Decide);
        match (holds(&own.supported_if), holds(&own.refuted_if)) {
            (Ok(supported), Ok(refuted)) => {
                Some((finding == Finding::Supported, finding == Finding::Refuted) == (supported, refuted))
            }
            _ => None,
        }
    };
    let of_study = values::without_measurements(study, results);
    let with_need = |(id, own, finding)| (id, own, finding, has_answer(own, finding, &of_study) != Some(true));
    let mut same: Vec<_> = of_conditions.map(with_need).collect();
    let mut others = possible::results(study, results);
    while !same.is_empty()
        && let Some(other) = others.next()
    {
        same.retain(|(_, own, finding, needs_measurements)| {
            *needs_measurements && !other.keeps_study || has_answer(own, *finding, &other.values) != Some(false)
        });
    }
    same.into_iter().map(|(id, ..)| id.clone()).collect()
}

fn decide(interpreter: &Interpreter, values: &Value, c: &Expressions) -> (Finding, Answer, Option<Obstacle>) {
    let holds = |text: &str| expression::holds(interpreter, text, values, Mode::Decide);
    let render =
        |text: &str| expression::render(interpreter, text, values, Mode::Decide).map(|text| on_one_line(&text));
    let (finding, sentence, obstacle) = match (holds(&c.supported_if), holds(&c.refuted_if)) {
        (Ok(true), Ok(true)) => (Finding::Undecided, &c.undecided, Some(Obstacle::BothHold)),
        (Ok(true), Ok(false)) => (Finding::Supported, &c.supported, None),
        (Ok(false), Ok(true)) => (Finding::Refuted, &c.refuted, None),
        (Ok(false), Ok(false)) => (Finding::Undecided, &c.undecided, None),
        (Err(one), Err(other)) => (Finding::Undecided, &c.undecided, Some(one.and(other).into())),
        (Err(stop), _) | (_, Err(stop)) => (Finding::Undecided, &c.undecided, Some(stop.into())),
    };
    // A sentence that cannot be rendered leaves the conclusion undecided, too.
    let (finding, sentence, obstacle) = match render(sentence) {
        Ok(sentence) => (finding, sentence, obstacle),
        Err(stop) => {
            let obstacle = obstacle.unwrap_or_else(|| stop.into());
            (Finding::Undecided, render(&c.undecided).unwrap_or_default(), Some(obstacle))
        }
    };
    let [supported_if, refuted_if] = [&c.supported_if, &c.refuted_if].map(|text| on_one_line(text));
    (finding, Answer::Own { supported_if, refuted_if, sentence }, obstacle)
}

/// Prints the values in a study's own words.
pub struct OwnWords {
    interpreter: Interpreter,
    values: Value,
}

impl OwnWords {
    /// With the values of some results.
    pub fn of(study: &Study, results: &Results) -> Self {
        Self { interpreter: expression::Interpreter::new(study.lang, Mode::Decide), values: values::of(study, results) }
    }

    /// A text with its values.
    ///
    /// # Errors
    /// A value that was not measured or does not exist.
    pub fn print(&self, text: &str) -> Result<String, Obstacle> {
        expression::render(&self.interpreter, text, &self.values, Mode::Decide).map_err(Obstacle::from)
    }
}

/// Notes on expressions that could have a value in this study but have none with these results, each with its file and
/// line.
pub fn unmeasured_notes(source: &Source, plan: &Plan, results: &Results) -> Vec<String> {
    let checker = Checker::new(source, plan);
    let (interpreter, values) =
        (expression::Interpreter::new(source.study.lang, Mode::Decide), values::of(&source.study, results));
    // `never_measured_notes` reports the others before training.
    let evaluated = |text: &str| match checker.evaluate(text) {
        Ok(_) => expression::evaluate(&interpreter, text, &values, Mode::Decide),
        Err(_) => Ok(Value::UNDEFINED),
    };
    checks::notes(source, evaluated, |text| diverged(&source.study, results, text).cloned())
}

/// The first diverged run that an expression names, directly or through a comparison.
fn diverged<'r>(study: &'r Study, results: &'r Results, text: &str) -> Option<&'r String> {
    let is_of_name = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    let is_named = |name: &str| text.split(|c| !is_of_name(c)).any(|word| word == name);
    let compared = study.comparisons.iter().filter(|(name, _)| is_named(name)).flat_map(|(_, c)| [&c.run, &c.against]);
    let named = study.runs.keys().filter(|name| is_named(name));
    named.chain(compared).find(|run| results.diverged.contains_key(*run))
}

/// An error, with file and line, for each conclusion whose conditions both hold.
pub fn contradictions(source: &Source, results: &Results) -> Vec<StudyError> {
    let concluded = conclude(&source.study, results);
    let both = concluded.iter().enumerate().filter(|(_, c)| c.obstacle == Some(Obstacle::BothHold));
    both.map(|(i, c)| {
        let message = format!(
            "`{}`: both conditions hold, so it is undecided; change `supported_if` or `refuted_if` so that only one can hold",
            c.id
        );
        source.error(format!("conclusions[{i}]"), message)
    })
    .collect()
}

/// The ids of claims and conclusions that are not decided alike in all languages of a study. Filters such as `fixed` print numbers
/// in the study's language, so an expression that looks at the text could tell the languages apart.
pub fn decided_by_language<'a>(studies: impl IntoIterator<Item = &'a Study>, results: &Results) -> Vec<String> {
    let decided = |study: &Study| -> Vec<(String, &'static str)> {
        let judged = judge(study, results).into_iter().map(|j| (j.claim.id.clone(), j.verdict.word()));
        judged.chain(conclude(study, results).into_iter().map(|c| (c.id, c.finding.word()))).collect()
    };
    let mut studies = studies.into_iter();
    let Some(first) = studies.next().map(decided) else { return Vec::new() };
    let differ = studies.flat_map(|study| {
        let pairs = first.iter().zip(decided(study)).filter(|(one, other)| *one != other);
        pairs.map(|(one, _)| one.0.clone()).collect::<Vec<_>>()
    });
    let mut ids: Vec<String> = differ.collect();
    ids.sort();
    ids.dedup();
    ids
}

/// Whether the study mentions the batch-mean loss (`notes_loss`), which reports otherwise leave out.
pub fn mentions_batch_mean_loss(study: &Study) -> bool {
    study.expressions().chain(study.sentences()).any(|(_, text)| text.contains("notes_loss"))
}
