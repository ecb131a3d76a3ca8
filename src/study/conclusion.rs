//! Conclusions as a study writes them: one of the kinds that the program knows, or conditions and sentences of its own.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A question that the results answer.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(try_from = "TypedConclusion", into = "TypedConclusion")]
pub struct Conclusion {
    /// Its name: the study's, otherwise made from its kind.
    pub id: String,
    /// The study's own question; a kind has one if the study gives none.
    pub question: Option<String>,
    /// The study's remark, printed after the answer.
    pub why: Option<String>,
    /// What decides it.
    pub rule: Rule,
}

/// What decides a conclusion.
#[derive(Clone, Debug)]
pub enum Rule {
    /// A kind that the program decides and words.
    Kind(Kind),
    /// The study's own conditions and sentences.
    Expressions(Expressions),
}

/// Conditions on the results, and a sentence for each outcome.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "docs/study.md documents the keys of a study")]
pub struct Expressions {
    pub supported_if: String,
    pub refuted_if: String,
    pub supported: String,
    pub refuted: String,
    pub undecided: String,
}

/// The kinds of conclusions, each with the runs, models or comparison that it is about.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "docs/study.md documents the kinds")]
pub enum Kind {
    Overfits(String),
    OverfittingStarts(String),
    Learns(String),
    FewerParameters(ModelPair),
    KeepsAccuracy(String),
    Better(String),
    BestOf(Vec<String>),
    OrderMatters(OrderPair),
}

/// Two models, of which the first should be smaller.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct ModelPair {
    /// The model that should have fewer parameters.
    pub model: String,
    /// The model that it is compared with.
    pub than: String,
}

/// Two runs that differ only in the order of their images.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct OrderPair {
    /// The run with `order: shuffled`.
    pub shuffled: String,
    /// The run with another order.
    pub ordered: String,
}

impl Kind {
    /// The keys of all kinds.
    pub const WORDS: [&str; 8] = [
        "overfits",
        "overfitting_starts",
        "learns",
        "fewer_parameters",
        "keeps_accuracy",
        "better",
        "best_of",
        "order_matters",
    ];

    /// The key that the study uses for it.
    pub fn word(&self) -> &'static str {
        let [overfits, starts, learns, fewer, keeps, better, best, order] = Self::WORDS;
        match self {
            Self::Overfits(_) => overfits,
            Self::OverfittingStarts(_) => starts,
            Self::Learns(_) => learns,
            Self::FewerParameters(_) => fewer,
            Self::KeepsAccuracy(_) => keeps,
            Self::Better(_) => better,
            Self::BestOf(_) => best,
            Self::OrderMatters(_) => order,
        }
    }

    /// The names that it is about.
    pub fn names(&self) -> Vec<&str> {
        match self {
            Self::Overfits(name)
            | Self::OverfittingStarts(name)
            | Self::Learns(name)
            | Self::KeepsAccuracy(name)
            | Self::Better(name) => vec![name],
            Self::FewerParameters(ModelPair { model, than }) => vec![model, than],
            Self::BestOf(runs) => runs.iter().map(String::as_str).collect(),
            Self::OrderMatters(OrderPair { shuffled, ordered }) => vec![shuffled, ordered],
        }
    }

    /// The id of a conclusion of this kind whose study gives none: `overfits-slim`.
    fn id(&self) -> String {
        let words = std::iter::once(self.word().replace('_', "-")).chain(self.names().into_iter().map(str::to_owned));
        words.collect::<Vec<_>>().join("-")
    }
}

/// A conclusion as typed: the keys of all kinds, of which it has one.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Conclusion")]
struct TypedConclusion {
    /// Its name, unique in the study. Default, for a kind: its word and its names, `overfits-slim`.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    /// The question, in your own words.
    #[serde(skip_serializing_if = "Option::is_none")]
    question: Option<String>,
    /// The same as `question`.
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<String>,
    /// Your own remark, printed after the answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    /// A run: is its training loss near zero, and its test loss much higher?
    #[serde(skip_serializing_if = "Option::is_none")]
    overfits: Option<String>,
    /// A run: after which epoch does its test loss rise?
    #[serde(skip_serializing_if = "Option::is_none")]
    overfitting_starts: Option<String>,
    /// A run: is its network clearly better than guessing?
    #[serde(skip_serializing_if = "Option::is_none")]
    learns: Option<String>,
    /// Two models: `{model: slim, than: baseline}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    fewer_parameters: Option<ModelPair>,
    /// A comparison with a margin: is its run not worse by more than the margin?
    #[serde(skip_serializing_if = "Option::is_none")]
    keeps_accuracy: Option<String>,
    /// A comparison: is its run more accurate?
    #[serde(skip_serializing_if = "Option::is_none")]
    better: Option<String>,
    /// A list of runs: is one more accurate than each of the others?
    #[serde(skip_serializing_if = "Option::is_none")]
    best_of: Option<Vec<String>>,
    /// Two runs that differ only in the order of their images: `{shuffled: a, ordered: b}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    order_matters: Option<OrderPair>,
    /// An expression over the results: if it holds, the answer is yes.
    #[serde(skip_serializing_if = "Option::is_none")]
    supported_if: Option<String>,
    /// An expression over the results: if it holds, the answer is no.
    #[serde(skip_serializing_if = "Option::is_none")]
    refuted_if: Option<String>,
    /// The answer if `supported_if` holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    supported: Option<String>,
    /// The answer if `refuted_if` holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    refuted: Option<String>,
    /// The answer if neither holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    undecided: Option<String>,
}

impl TypedConclusion {
    /// Takes the kinds that are given.
    fn kinds(&mut self) -> Vec<Kind> {
        let kinds = [
            self.overfits.take().map(Kind::Overfits),
            self.overfitting_starts.take().map(Kind::OverfittingStarts),
            self.learns.take().map(Kind::Learns),
            self.fewer_parameters.take().map(Kind::FewerParameters),
            self.keeps_accuracy.take().map(Kind::KeepsAccuracy),
            self.better.take().map(Kind::Better),
            self.best_of.take().map(Kind::BestOf),
            self.order_matters.take().map(Kind::OrderMatters),
        ];
        kinds.into_iter().flatten().collect()
    }

    /// The keys of conditions and sentences that are given.
    fn expression_keys(&self) -> Vec<&'static str> {
        let given = [
            ("supported_if", &self.supported_if),
            ("refuted_if", &self.refuted_if),
            ("supported", &self.supported),
            ("refuted", &self.refuted),
            ("undecided", &self.undecided),
        ];
        given.into_iter().filter(|(_, text)| text.is_some()).map(|(key, _)| key).collect()
    }
}

impl TryFrom<TypedConclusion> for Conclusion {
    type Error = String;

    fn try_from(mut typed: TypedConclusion) -> Result<Self, String> {
        let question = match (typed.question.take(), typed.title.take()) {
            (Some(_), Some(_)) => return Err("has `question` and `title`, which are the same: remove one".into()),
            (question, title) => question.or(title),
        };
        let why = typed.why.take();
        let mut kinds = typed.kinds();
        if let [first, second, ..] = &kinds[..] {
            return Err(format!("has two kinds, `{}` and `{}`: write two conclusions", first.word(), second.word()));
        }
        let expressions = typed.expression_keys();
        if let Some(kind) = kinds.pop() {
            if let Some(key) = expressions.first() {
                return Err(format!("is of the kind `{}`, which decides without `{key}`: remove one", kind.word()));
            }
            return Ok(Self { id: typed.id.unwrap_or_else(|| kind.id()), question, why, rule: Rule::Kind(kind) });
        }
        if expressions.is_empty() {
            return Err(format!(
                "needs one of the kinds {}, or `supported_if` and `refuted_if` with sentences",
                Kind::WORDS.map(|word| format!("`{word}`")).join(", ")
            ));
        }
        let required = |key: &str, text: Option<String>| text.ok_or_else(|| format!("missing field `{key}`"));
        let rule = Rule::Expressions(Expressions {
            supported_if: required("supported_if", typed.supported_if)?,
            refuted_if: required("refuted_if", typed.refuted_if)?,
            supported: required("supported", typed.supported)?,
            refuted: required("refuted", typed.refuted)?,
            undecided: required("undecided", typed.undecided)?,
        });
        Ok(Self { id: required("id", typed.id)?, question: Some(required("question", question)?), why, rule })
    }
}

impl From<Conclusion> for TypedConclusion {
    fn from(conclusion: Conclusion) -> Self {
        let Conclusion { id, question, why, rule } = conclusion;
        let mut typed = Self { id: Some(id), question, why, ..Self::default() };
        match rule {
            Rule::Kind(Kind::Overfits(run)) => typed.overfits = Some(run),
            Rule::Kind(Kind::OverfittingStarts(run)) => typed.overfitting_starts = Some(run),
            Rule::Kind(Kind::Learns(run)) => typed.learns = Some(run),
            Rule::Kind(Kind::FewerParameters(models)) => typed.fewer_parameters = Some(models),
            Rule::Kind(Kind::KeepsAccuracy(comparison)) => typed.keeps_accuracy = Some(comparison),
            Rule::Kind(Kind::Better(comparison)) => typed.better = Some(comparison),
            Rule::Kind(Kind::BestOf(runs)) => typed.best_of = Some(runs),
            Rule::Kind(Kind::OrderMatters(runs)) => typed.order_matters = Some(runs),
            Rule::Expressions(own) => {
                typed.supported_if = Some(own.supported_if);
                typed.refuted_if = Some(own.refuted_if);
                typed.supported = Some(own.supported);
                typed.refuted = Some(own.refuted);
                typed.undecided = Some(own.undecided);
            }
        }
        typed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(yaml: &str) -> Result<Conclusion, String> {
        serde_yaml::from_str(yaml).map_err(|e| e.to_string())
    }

    #[test]
    fn a_kind_is_one_line_and_makes_its_own_id() {
        for (yaml, id) in [
            ("overfits: slim", "overfits-slim"),
            ("{fewer_parameters: {model: slim, than: base}, why: smaller}", "fewer-parameters-slim-base"),
            ("{best_of: [a, b, c], title: Which?}", "best-of-a-b-c"),
            ("{id: mine, learns: a}", "mine"),
        ] {
            let read = read(yaml).unwrap();
            assert_eq!(read.id, id);
            let Rule::Kind(kind) = &read.rule else { panic!("{yaml}") };
            assert!(Kind::WORDS.contains(&kind.word()));
            let again: Conclusion = serde_json::from_value(serde_json::to_value(read.clone()).unwrap()).unwrap();
            assert!(again.id == read.id && matches!(&again.rule, Rule::Kind(other) if other == kind));
        }
    }

    #[test]
    fn a_conclusion_has_one_rule() {
        for (yaml, part) in [
            ("{overfits: a, learns: a}", "two kinds, `overfits` and `learns`"),
            ("{overfits: a, supported: Yes}", "decides without `supported`"),
            ("{id: a, question: q}", "needs one of the kinds `overfits`"),
            ("{id: a, question: q, title: t, overfits: a}", "`question` and `title`"),
            (
                "{id: a, question: q, supported_if: x, refuted_if: y, supported: s, refuted: r}",
                "missing field `undecided`",
            ),
            ("{overfit: a}", "unknown field `overfit`"),
        ] {
            let message = read(yaml).unwrap_err();
            assert!(message.contains(part), "{yaml}: {message}");
        }
    }
}
