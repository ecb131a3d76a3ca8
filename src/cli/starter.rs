//! The studies that `mnist-report new` writes.

use super::bilingual;
use crate::text::Lang;

/// What a study can start from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Starter {
    Coursework,
    Compare,
    Minimal,
}

impl Starter {
    /// All of them, the default first.
    pub const ALL: [Self; 3] = [Self::Coursework, Self::Compare, Self::Minimal];

    /// The word on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Coursework => "coursework",
            Self::Compare => "compare",
            Self::Minimal => "minimal",
        }
    }

    /// What it studies, and how long it takes on two processor cores.
    pub fn help(self) -> &'static str {
        match self {
            Self::Coursework => {
                "The whole coursework: overfitting, fewer parameters, batch normalisation; four trainings, about 7 minutes on a CPU"
            }
            Self::Compare => "Two networks with three seeds each, and their difference; about a minute on a CPU",
            Self::Minimal => "One small network, trained once; seconds on a CPU",
        }
    }

    /// Its text in one language or two, in which `{FILE}` stands for the path of the study.
    pub(super) fn text_in(self, langs: &[Lang]) -> String {
        match langs {
            [first, second] => bilingual::joined([*first, *second].map(|lang| (lang, self.text(lang)))),
            _ => self.text(langs.first().copied().unwrap_or_default()).to_owned(),
        }
    }

    fn text(self, lang: Lang) -> &'static str {
        match (self, lang) {
            (Self::Coursework, Lang::En) => include_str!("starters/coursework.en.yaml"),
            (Self::Coursework, Lang::Uk) => include_str!("starters/coursework.uk.yaml"),
            (Self::Compare, Lang::En) => include_str!("starters/compare.en.yaml"),
            (Self::Compare, Lang::Uk) => include_str!("starters/compare.uk.yaml"),
            (Self::Minimal, Lang::En) => include_str!("starters/minimal.en.yaml"),
            (Self::Minimal, Lang::Uk) => include_str!("starters/minimal.uk.yaml"),
        }
    }
}
