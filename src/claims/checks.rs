//! Checks of a study's expressions, sentences and printed values before training, with stand-ins for measured values.

use std::collections::{BTreeSet, HashSet};

use minijinja::Value;

use super::expression::{Interpreter, Mode, Stop, evaluate, holds, letters_that_look_latin, render};
use super::{compare, stand_in, values};
use crate::study::{Claim, Expressions, Plan, Rule, Source, Study, StudyError, unclosed};
use crate::text::closest::{DID_YOU_MEAN, unknown};
use crate::text::markdown::{self, Block, Link, Markdown};
use crate::text::{on_one_line, terminal};

/// How much of an expression an error quotes, in characters.
const LONGEST_QUOTED: usize = 200;

/// The groups of values that a text between braces may print.
const VALUES: [&str; 5] = ["runs", "models", "comparisons", "values", "data"];

/// The most bytes that a name of a run, a model or a comparison has.
const LONGEST_NAME: usize = 64;

/// The most notes shown.
const MAX_NOTES: usize = 5;

/// Checks that every expression, sentence and printed value makes sense for what the plan will measure.
///
/// # Errors
/// The first expression, sentence or printed value that cannot be parsed, uses values of the wrong kind, or would print
/// a value that is never measured.
pub fn check_expressions(source: &Source, plan: &Plan) -> Result<(), StudyError> {
    let study = &source.study;
    let checker = Checker::new(source, plan);
    study.claims.iter().enumerate().try_for_each(|(i, claim)| checker.claim(&format!("claims[{i}]"), claim))?;
    study.conclusions.iter().enumerate().try_for_each(|(i, c)| match &c.rule {
        Rule::Expressions(own) => checker.conclusion(&format!("conclusions[{i}]"), own),
        Rule::Kind(_) => Ok(()),
    })?;
    study.own_words().try_for_each(|(key, text)| checker.own_words(&key, text))
}

/// Notes on expressions that use values which this study never measures, each with its file and line.
pub fn never_measured_notes(source: &Source, plan: &Plan) -> Vec<String> {
    let checker = Checker::new(source, plan);
    notes(source, |text| checker.evaluate(text), |_| None)
}

/// Notes on expressions that have no value, each with its file and line. `evaluated` evaluates an expression;
/// `diverged` names a diverged run that an expression needs, if any.
pub(super) fn notes(
    source: &Source,
    evaluated: impl Fn(&str) -> Result<Value, Stop>,
    diverged: impl Fn(&str) -> Option<String>,
) -> Vec<String> {
    let without = source.study.expressions().filter_map(|(key, text)| Some((key, text, evaluated(text).err()?)));
    let without: Vec<_> = without.collect();
    // A note looks for each name of the study in the text.
    let shown = without.iter().take(MAX_NOTES);
    let mut notes: Vec<String> = shown.map(|(key, text, stop)| note(source, key, text, stop, diverged(text))).collect();
    let more = without.len() - notes.len();
    if more > 0 {
        notes.push(format!("and {more} more like these"));
    }
    notes
}

fn note(source: &Source, key: &str, text: &str, stop: &Stop, diverged: Option<String>) -> String {
    let study = &source.study;
    let text = on_one_line(text);
    let reason = match (diverged, dashed(study, &text)) {
        (Some(run), _) => format!("run `{run}` diverged"),
        (None, Some(advice)) => advice,
        (None, None) => stop.message(),
    };
    source.error(key, format!("`{text}` has no value: {reason}")).to_string()
}

/// What to write for a name with `-` after a point, such as `runs.slim-bn`, which Jinja reads as a subtraction.
fn dashed(study: &Study, text: &str) -> Option<String> {
    // The words after `runs.`, up to each `-` in them: to look for each name in each text would take long, because a study from
    // somebody else may have thousands of both.
    let typed = |group: &str| {
        let after = format!("{group}.");
        let words = text.match_indices(&after).map(|(at, _)| {
            let rest = &text[at + after.len()..];
            let is_of_name = |c: char| c.is_alphanumeric() || c == '-' || c == '_';
            let end = rest.char_indices().find(|(i, c)| *i > LONGEST_NAME || !is_of_name(*c));
            &rest[..end.map_or(rest.len(), |(i, _)| i)]
        });
        let parts = |word: &str| word.match_indices('-').map(|(at, _)| at).chain([word.len()]).collect::<Vec<_>>();
        words.flat_map(|word| parts(word).into_iter().map(|end| &word[..end])).collect::<HashSet<&str>>()
    };
    groups(study).into_iter().find_map(|(group, _, names)| {
        let typed = typed(group);
        let is_typed = |name: &&String| name.contains('-') && typed.contains(name.as_str());
        let name = names.into_iter().filter(is_typed).max_by_key(|name| name.len())?;
        // Most texts are in double quotation marks.
        Some(format!("write `{group}['{name}']` instead of `{group}.{name}`"))
    })
}

/// The groups whose members a study names: the word in expressions, what a member is, and the names.
fn groups(study: &Study) -> [(&'static str, &'static str, Vec<&String>); 3] {
    [
        ("runs", "run", study.runs.keys().collect()),
        ("models", "model", study.models.keys().collect()),
        ("comparisons", "comparison", study.comparisons.keys().collect()),
    ]
}

/// Why a study can never have one of the values that were not measured: a run, model or comparison that it does not have.
fn unknown_name(study: &Study, stop: &Stop) -> Option<String> {
    let Stop::NotMeasured(values) = stop else { return None };
    values.keys().find_map(|value| {
        groups(study).into_iter().find_map(|(group, what, names)| {
            let member = value.strip_prefix(group)?;
            let quoted = || member.strip_prefix("[\"")?.strip_suffix("\"]").filter(|name| !name.contains('"'));
            let name = quoted().or_else(|| member.strip_prefix('.').filter(|name| !name.contains(['.', '['])))?;
            let is_known = names.iter().any(|known| *known == name);
            (!is_known).then(|| unknown(what, name, names.into_iter()))
        })
    })
}

/// Evaluates a study's expressions and sentences with stand-ins.
pub(super) struct Checker<'a> {
    source: &'a Source,
    interpreter: Interpreter,
    values: Value,
    /// The places of the report that links may lead to.
    anchors: BTreeSet<String>,
}

impl<'a> Checker<'a> {
    pub(super) fn new(source: &'a Source, plan: &Plan) -> Self {
        let study = &source.study;
        let values = values::of(study, &stand_in::results(study, plan));
        Self { source, interpreter: Interpreter::new(study.lang, Mode::Check), values, anchors: study.anchors() }
    }

    pub(super) fn evaluate(&self, text: &str) -> Result<Value, Stop> {
        evaluate(&self.interpreter, text, &self.values, Mode::Check)
    }

    fn claim(&self, key: &str, claim: &Claim) -> Result<(), StudyError> {
        let lang = self.source.study.lang;
        compare::check(claim, lang).map_err(|(part, message)| self.source.error(format!("{key}.{part}"), message))?;
        let measured = format!("{key}.measured");
        match self.evaluate(&claim.measured) {
            Ok(value) => compare::check_kind(claim, &value, lang)
                .map_err(|message| self.source.error(format!("{key}.printed"), message)),
            Err(Stop::Fault(message)) => Err(self.invalid(&measured, &claim.measured, &message)),
            // A value that is never measured gets a note, and the report shows the claim as not measured. A typo is a mistake.
            Err(stop @ Stop::NotMeasured(_)) => match unknown_name(&self.source.study, &stop) {
                Some(why) if why.contains(DID_YOU_MEAN) => Err(self.unknown(&measured, &claim.measured, &why)),
                _ => Ok(()),
            },
            Err(Stop::NoValue(_)) => Ok(()),
        }
    }

    fn conclusion(&self, key: &str, c: &Expressions) -> Result<(), StudyError> {
        let mut can_be_decided = true;
        for (part, text) in [("supported_if", &c.supported_if), ("refuted_if", &c.refuted_if)] {
            match holds(&self.interpreter, text, &self.values, Mode::Check) {
                Err(Stop::Fault(message)) => return Err(self.invalid(&format!("{key}.{part}"), text, &message)),
                Err(stop @ Stop::NotMeasured(_)) => {
                    let study = &self.source.study;
                    if let Some(why) = dashed(study, text).or_else(|| unknown_name(study, &stop)) {
                        return Err(self.unknown(&format!("{key}.{part}"), text, &why));
                    }
                    can_be_decided = false;
                }
                Ok(true) if self.is_true_without_values(text) => {
                    let message = format!("`{}` holds whatever is measured; compare a value", on_one_line(text));
                    return Err(self.source.error(format!("{key}.{part}"), message));
                }
                Ok(_) | Err(Stop::NoValue(_)) => {}
            }
        }
        if on_one_line(&c.supported_if) == on_one_line(&c.refuted_if) {
            let message = "is the same condition as `supported_if`; both would hold together";
            return Err(self.source.error(format!("{key}.refuted_if"), message));
        }
        for (part, text, is_reached) in [
            ("supported", &c.supported, can_be_decided),
            ("refuted", &c.refuted, can_be_decided),
            ("undecided", &c.undecided, true),
        ] {
            let key = format!("{key}.{part}");
            match render(&self.interpreter, text, &self.values, Mode::Check) {
                Err(stop @ Stop::Fault(_)) => {
                    let (before, why) = self.mistake(text, &stop);
                    return Err(self.error_after(&key, before, format!("invalid sentence: {why}")));
                }
                Err(stop @ Stop::NotMeasured(_)) if is_reached => {
                    let never = || {
                        format!("the sentence would print a value that is never measured: {}", self.reason(text, &stop))
                    };
                    return Err(self.source.error(key, unknown_name(&self.source.study, &stop).unwrap_or_else(never)));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Checks a text in Markdown, with values in place of `{{ }}`.
    fn own_words(&self, key: &str, text: &str) -> Result<(), StudyError> {
        let refused = |message: String| Err(self.source.error(key, message));
        let printed = match render(&self.interpreter, text, &self.values, Mode::Check) {
            Ok(printed) => printed,
            Err(stop) => {
                let (before, why) = self.mistake(text, &stop);
                let message = match &stop {
                    Stop::NotMeasured(_) => unknown_name(&self.source.study, &stop)
                        .unwrap_or_else(|| format!("would print a value that is never measured: {why}")),
                    _ => format!("invalid text between braces: {why}"),
                };
                return Err(self.error_after(key, before, message));
            }
        };
        let blocks = markdown::read(&printed).blocks;
        if key == "description" && blocks.iter().any(|block| matches!(block, Block::Heading(_))) {
            return refused("a heading can only be in the `text` or `discussion` of a section".to_owned());
        }
        if key.starts_with("references") && !matches!(blocks[..], [Block::Paragraph(_)]) {
            return refused("a reference is one paragraph".to_owned());
        }
        // Images are looked for in the text as typed, so those of the printed one must be the same.
        let files = |markdown: &Markdown| markdown.images().map(|image| image.file.clone()).collect::<Vec<_>>();
        let (typed, read) = (markdown::read(text), markdown::read(&printed));
        if let Some(fault) = read.fault.clone().or_else(|| typed.fault.clone()) {
            return refused(fault);
        }
        if let Some(image) = files(&read).into_iter().find(|file| !files(&typed).contains(file)) {
            return refused(format!("the image `{image}` depends on a value: name its file"));
        }
        if let Some(image) = read.images().find(|image| image.caption.is_empty()) {
            let file = &image.file;
            return refused(format!("the image `{file}` has no caption: write `![caption]({file})`"));
        }
        let anchors = &self.anchors;
        let unknown = read.links().into_iter().find_map(|link| match link {
            Link::Anchor(anchor) if !anchors.contains(anchor) => Some(anchor),
            _ => None,
        });
        match unknown {
            None => Ok(()),
            Some(anchor) => {
                let known: Vec<String> = anchors.iter().map(|anchor| format!("#{anchor}")).collect();
                refused(format!("the report has no place `#{anchor}`; it has {}", known.join(", ")))
            }
        }
    }

    /// What is before the mistake in a text that cannot be printed, and what is wrong.
    fn mistake<'t>(&self, text: &'t str, stop: &Stop) -> (&'t str, String) {
        if let Some((start, mark)) = unclosed(text) {
            let closing = if mark == "{{" { "}}" } else { "%}" };
            return (&text[..start], format!("`{mark}` is not closed: write `{closing}`"));
        }
        let fails = |start: &usize| {
            let end = text[*start..].find("}}").map_or(text.len(), |end| start + end + 2);
            render(&self.interpreter, &text[*start..end], &self.values, Mode::Check).is_err()
        };
        let first = text.match_indices("{{").map(|(start, _)| start).find(fails);
        let part = first.map_or("", |start| &text[start..]);
        let part = &part[..part.find("}}").map_or(part.len(), |end| end + 2)];
        let is_value = VALUES.iter().any(|name| part.contains(name));
        let has_advice = || letters_that_look_latin(text).is_some() || dashed(&self.source.study, text).is_some();
        let advice = match () {
            () if !stop.message().starts_with("unexpected") || has_advice() => String::new(),
            () if is_value => {
                let latin = if part.is_ascii() { "" } else { "; names have Latin letters" };
                let form = "a value is written as in `{{ runs.NAME.accuracy|percent(2) }}`";
                format!(" in `{}`; {form}{latin}", terminal::cut(part, LONGEST_QUOTED))
            }
            () => "; write `{{ '{{' }}` for two braces".to_owned(),
        };
        (first.map_or("", |start| &text[..start]), format!("{}{advice}", self.reason(text, stop)))
    }

    fn error_after(&self, key: &str, before: &str, message: String) -> StudyError {
        self.source.error_after(self.source.study.lang, key, before, message)
    }

    /// Whether a condition is true and uses no value. (A condition that is false by itself is a way to say that the
    /// conclusion has only one side.)
    fn is_true_without_values(&self, text: &str) -> bool {
        holds(&self.interpreter, text, &minijinja::context! {}, Mode::Check) == Ok(true)
    }

    /// Why a text has no value.
    fn reason(&self, text: &str, stop: &Stop) -> String {
        dashed(&self.source.study, text).unwrap_or_else(|| stop.message())
    }

    /// The error that an expression names what the study does not have.
    fn unknown(&self, key: &str, text: &str, why: &str) -> StudyError {
        self.source.error(key, format!("`{}`: {why}", terminal::cut(&on_one_line(text), LONGEST_QUOTED)))
    }

    fn invalid(&self, key: &str, text: &str, message: &str) -> StudyError {
        self.source.error(
            key,
            format!("`{}` is not a valid expression: {message}", terminal::cut(&on_one_line(text), LONGEST_QUOTED)),
        )
    }
}
