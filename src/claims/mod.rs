//! Claims held against the results, and conclusions drawn from them.
//!
//! Owns verdicts; computes nothing that is not in the study's own expressions. Expressions and sentences
//! are minijinja's, over the context that `context` builds.

mod compare;
mod context;

use minijinja::{Environment, Value};

pub use compare::Verdict;

use crate::results::Results;
use crate::study::{Claim, Source, Study, StudyError};

/// A claim with its verdict.
pub struct Judged<'a> {
    pub claim: &'a Claim,
    pub verdict: Verdict,
    /// The measured value as printed beside the claim's; empty where nothing was measured.
    pub measured: String,
}

/// What the results say to a conclusion's question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    Supported,
    Refuted,
    Undecided,
}

/// A conclusion with its sentence.
pub struct Concluded {
    pub id: String,
    pub question: String,
    /// The study's expressions, each on one line.
    pub supported_if: String,
    pub refuted_if: String,
    pub finding: Finding,
    pub sentence: String,
}

/// Checks that every expression and sentence of a study can be read.
///
/// # Errors
/// The first that cannot, at its line.
pub fn check_syntax(source: &Source) -> Result<(), StudyError> {
    let lang = source.study.lang;
    let env = context::environment(lang);
    // Names of filters and the like are looked up when they are met: here, on nothing.
    let lenient = context::sentence_environment(lang);
    let unknown = |e: &minijinja::Error| {
        use minijinja::ErrorKind::{OutOfFuel, UnknownFilter, UnknownFunction, UnknownTest};
        matches!(e.kind(), OutOfFuel | UnknownFilter | UnknownFunction | UnknownTest)
    };
    for (key, text) in source.study.expressions() {
        let met = lenient.compile_expression(text).and_then(|e| e.eval(()));
        if let Some(e) = met.err().filter(|e| unknown(e) || env.compile_expression(text).is_err()) {
            return Err(source.error(key, format!("`{text}` is no expression: {e}")));
        }
    }
    for (i, claim) in source.study.claims.iter().enumerate() {
        compare::check(claim).map_err(|message| source.error(format!("claims[{i}].printed"), message))?;
    }
    for (key, text) in source.study.sentences() {
        let no_sentence = |e| source.error(&key, format!("is no sentence: {e}"));
        env.template_from_str(text).map_err(no_sentence)?;
        if let Some(e) = lenient.render_str(text, ()).err().filter(unknown) {
            return Err(no_sentence(e));
        }
    }
    Ok(())
}

/// Holds every claim against the results.
pub fn judge<'a>(study: &'a Study, results: &Results) -> Vec<Judged<'a>> {
    let (env, facts) = (context::environment(study.lang), context::facts(study, results));
    study
        .claims
        .iter()
        .map(|claim| {
            let value = evaluate(&env, &claim.measured, &facts);
            let (verdict, measured) = compare::compare(claim, value.as_ref());
            Judged { claim, verdict, measured }
        })
        .collect()
}

/// Draws every conclusion.
pub fn conclude(study: &Study, results: &Results) -> Vec<Concluded> {
    let (env, facts) = (context::environment(study.lang), context::facts(study, results));
    let sentences = context::sentence_environment(study.lang);
    let holds = |expression: &str| evaluate(&env, expression, &facts).map(|v| v.is_true());
    study
        .conclusions
        .iter()
        .map(|c| {
            // Both at once, or one that cannot be evaluated, decides nothing.
            let (finding, sentence) = match (holds(&c.supported_if), holds(&c.refuted_if)) {
                (Some(true), Some(false)) => (Finding::Supported, &c.supported),
                (Some(false), Some(true)) => (Finding::Refuted, &c.refuted),
                _ => (Finding::Undecided, &c.undecided),
            };
            let sentence =
                sentences.render_str(sentence, &facts).unwrap_or_else(|e| format!("(cannot be stated: {e})"));
            let on_one_line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
            Concluded {
                id: c.id.clone(),
                question: c.question.clone(),
                supported_if: on_one_line(&c.supported_if),
                refuted_if: on_one_line(&c.refuted_if),
                finding,
                sentence: on_one_line(&sentence),
            }
        })
        .collect()
}

/// Whether the study has a use for the notes' loss: a figure that no report needs unasked.
pub fn ask_for_notes_loss(study: &Study) -> bool {
    study.expressions().chain(study.sentences()).any(|(_, text)| text.contains("notes_loss"))
}

/// The expressions, by their key in the study, that rest on something that was not measured: perhaps a misspelt name.
pub fn unmeasured<'a>(study: &'a Study, results: &Results) -> Vec<(String, &'a str)> {
    let (env, facts) = (context::environment(study.lang), context::facts(study, results));
    study.expressions().filter(|(_, text)| evaluate(&env, text, &facts).is_none()).collect()
}

/// An expression's value; none where it rests on something that was not measured.
fn evaluate(env: &Environment, expression: &str, facts: &Value) -> Option<Value> {
    let value = env.compile_expression(expression).ok()?.eval(facts).ok()?;
    (!value.is_undefined() && !value.is_none()).then_some(value)
}
