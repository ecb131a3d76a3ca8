//! Compares a study's claims with the results and decides its conclusions.
//!
//! Expressions and sentences are minijinja templates over the values of `values`.

mod compare;
mod environment;
mod unmeasured;
mod values;

use std::path::Path;

use minijinja::{Environment, Value};

pub use compare::Verdict;
pub use unmeasured::unmeasured_notes;

use crate::results::Results;
use crate::study::{Claim, Plan, Source, Study, StudyError};

/// Reads a study and checks every part of it, its expressions included.
///
/// # Errors
/// The first fault, with file, line, key and value.
pub fn load_study(file: &Path) -> Result<(Source, Plan), StudyError> {
    let source = Source::load(file)?;
    let plan = Plan::resolve(&source)?;
    check_syntax(&source)?;
    Ok((source, plan))
}

/// A claim with its verdict.
#[expect(missing_docs, reason = "self-evident")]
pub struct Judged<'a> {
    pub claim: &'a Claim,
    pub verdict: Verdict,
    /// The measured value as the report prints it; empty if nothing was measured.
    pub measured: String,
}

/// How the results answer a conclusion's question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "self-evident")]
pub enum Finding {
    Supported,
    Refuted,
    Undecided,
}

/// A conclusion with its sentence.
#[expect(missing_docs, reason = "self-evident")]
pub struct Concluded {
    pub id: String,
    pub question: String,
    /// The study's expressions, each on one line.
    pub supported_if: String,
    pub refuted_if: String,
    pub finding: Finding,
    pub sentence: String,
}

/// Checks that every expression and sentence of a study can be parsed, and that its filters exist.
///
/// # Errors
/// The first that cannot, at its line.
pub fn check_syntax(source: &Source) -> Result<(), StudyError> {
    let lang = source.study.lang;
    let env = environment::of_expressions(lang);
    // minijinja looks up filters only when it evaluates, so evaluate without values.
    let lenient = environment::of_sentences(lang);
    let unknown = |e: &minijinja::Error| {
        use minijinja::ErrorKind::{OutOfFuel, UnknownFilter, UnknownFunction, UnknownTest};
        matches!(e.kind(), OutOfFuel | UnknownFilter | UnknownFunction | UnknownTest)
    };
    for (key, text) in source.study.expressions() {
        let evaluated = lenient.compile_expression(text).and_then(|e| e.eval(()));
        if let Some(e) = evaluated.err().filter(|e| unknown(e) || env.compile_expression(text).is_err()) {
            return Err(source.error(key, format!("`{text}` is not a valid expression: {e}")));
        }
    }
    for (i, claim) in source.study.claims.iter().enumerate() {
        compare::check(claim).map_err(|message| source.error(format!("claims[{i}].printed"), message))?;
    }
    for (key, text) in source.study.sentences() {
        let invalid = |e| source.error(&key, format!("is not a valid sentence: {e}"));
        env.template_from_str(text).map_err(invalid)?;
        if let Some(e) = lenient.render_str(text, ()).err().filter(unknown) {
            return Err(invalid(e));
        }
    }
    Ok(())
}

/// Compares every claim with the results.
pub fn judge<'a>(study: &'a Study, results: &Results) -> Vec<Judged<'a>> {
    let (env, facts) = (environment::of_expressions(study.lang), values::of(study, results));
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

/// Decides every conclusion.
pub fn conclude(study: &Study, results: &Results) -> Vec<Concluded> {
    let (env, facts) = (environment::of_expressions(study.lang), values::of(study, results));
    let sentences = environment::of_sentences(study.lang);
    let holds = |expression: &str| evaluate(&env, expression, &facts).map(|v| v.is_true());
    study
        .conclusions
        .iter()
        .map(|c| {
            // Undecided if both or neither hold, or if one cannot be evaluated.
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

/// Whether the study mentions the batch-mean loss (`notes_loss`), which reports otherwise leave out.
pub fn mentions_batch_mean_loss(study: &Study) -> bool {
    study.expressions().chain(study.sentences()).any(|(_, text)| text.contains("notes_loss"))
}

/// An expression's value; none if it needs something that was not measured.
fn evaluate(env: &Environment, expression: &str, facts: &Value) -> Option<Value> {
    let value = env.compile_expression(expression).ok()?.eval(facts).ok()?;
    (!value.is_undefined() && !value.is_none()).then_some(value)
}
