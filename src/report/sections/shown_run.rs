//! A run as its section shows it.

use minijinja::context;

use super::prelude::*;
use crate::report::Language;
use crate::results::{RunResult, SeedResult};

/// A run as its section shows it.
pub(super) struct ShownRun<'a> {
    pub name: &'a str,
    pub title: &'a str,
    /// Where only the first seed is shown.
    pub first_seed_title: String,
    pub result: &'a RunResult,
}

impl<'a> ShownRun<'a> {
    /// The run of that name; none where the results do not have it.
    pub(super) fn of(b: &'a Builder, name: &'a str) -> Result<Option<Self>> {
        let Some(result) = b.results.runs.get(name) else { return Ok(None) };
        let title = b.run_title(name);
        Ok(Some(Self { name, title, first_seed_title: first_seed_title(title, result, b.lang)?, result }))
    }

    pub(super) fn first_seed(&self) -> &'a SeedResult {
        &self.result.seeds[0]
    }
}

/// A run's title where the report shows only its first seed: it names the seed if there are several.
pub(super) fn first_seed_title(title: &str, run: &RunResult, lang: &Language) -> Result<String> {
    match run.seeds.as_slice() {
        [first, _, ..] => lang.say("run.of_seed", context! { title, seed => first.seed.to_string() }),
        _ => Ok(title.to_owned()),
    }
}
