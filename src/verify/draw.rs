//! Which runs rung `rerun` trains again: all, those that the verifier names, or some that this program draws.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::str::FromStr;

use super::outcome::DrawnRuns;
use crate::rng::Stream;
use crate::text::closest::unknown;

/// What comes before the number of runs to draw. A run's name cannot have a colon.
const RANDOM: &str = "random:";

/// The runs to train again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Draw {
    /// Every run of the bundle.
    #[default]
    All,
    /// The runs with these names.
    Named(Vec<String>),
    /// So many runs, drawn with the system's random numbers: nothing in the bundle can foresee or decide them.
    Random(usize),
}

impl fmt::Display for Draw {
    /// As `FromStr` reads it. `All` has no such form.
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::All => Ok(()),
            Self::Named(names) => f.write_str(&names.join(",")),
            Self::Random(count) => write!(f, "{RANDOM}{count}"),
        }
    }
}

impl FromStr for Draw {
    type Err = String;

    /// Reads `NAME,...` or `random:N`.
    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(count) = text.strip_prefix(RANDOM) {
            let count = count.parse().ok().filter(|n| *n > 0);
            return count.map(Self::Random).ok_or_else(|| format!("after `{RANDOM}`, give the number of runs to draw"));
        }
        let names: Vec<String> = text.split(',').map(|name| name.trim().to_owned()).collect();
        if names.iter().any(String::is_empty) {
            return Err(format!("give names of runs, as in `slim,baseline`, or `{RANDOM}2`"));
        }
        Ok(Self::Named(names))
    }
}

impl Draw {
    /// Fails with a message if it names a run that is not among these.
    pub(super) fn check(&self, runs: &[&String]) -> Result<(), String> {
        let Self::Named(names) = self else { return Ok(()) };
        match names.iter().find(|name| !runs.contains(name)) {
            Some(name) => Err(format!("--runs: {}", unknown("run", name, runs.iter().copied()))),
            None => Ok(()),
        }
    }

    /// How many of a bundle's runs are trained again, if not all.
    pub(super) fn share(&self, runs: &[&String]) -> Option<DrawnRuns> {
        let of = runs.len();
        let drawn = match self {
            Self::All => of,
            Self::Named(names) => runs.iter().filter(|run| names.contains(run)).count(),
            Self::Random(count) => *count,
        };
        (drawn < of).then_some(DrawnRuns { runs: drawn, of })
    }

    /// The drawn ones of a bundle's runs, in their order.
    pub(super) fn of(&self, runs: &[&String]) -> Result<Vec<String>, String> {
        let drawn: Vec<&String> = match self {
            Self::All => runs.to_vec(),
            Self::Named(names) => {
                self.check(runs)?;
                names.iter().collect()
            }
            Self::Random(count) => {
                let mut shuffled = runs.to_vec();
                system_stream().map_err(|e| format!("cannot draw runs: {e}"))?.shuffle(&mut shuffled);
                shuffled.truncate(*count);
                shuffled
            }
        };
        Ok(runs.iter().filter(|run| drawn.contains(run)).map(|run| (*run).clone()).collect())
    }
}

/// A stream with a key from the system's random numbers.
fn system_stream() -> std::io::Result<Stream> {
    let mut key = [0; 32];
    File::open("/dev/urandom")?.read_exact(&mut key)?;
    Ok(Stream::keyed(&key))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn runs() -> Vec<String> {
        ["slim", "slim-bn", "baseline", "overfit"].map(str::to_owned).to_vec()
    }

    #[test]
    fn names_are_taken_in_the_order_of_the_bundle() {
        let (runs, draw) = (runs(), "overfit, slim".parse::<Draw>().unwrap());
        assert_eq!(draw.of(&runs.iter().collect::<Vec<_>>()).unwrap(), ["slim", "overfit"]);
        let other = "slin".parse::<Draw>().unwrap().of(&runs.iter().collect::<Vec<_>>()).unwrap_err();
        assert!(other.contains("unknown run `slin`; did you mean `slim`"), "{other}");
    }

    #[test]
    fn a_draw_has_as_many_runs_as_asked_for_and_is_another_one_each_time() {
        let runs = runs();
        let all: Vec<&String> = runs.iter().collect();
        let draw = || "random:2".parse::<Draw>().unwrap().of(&all).unwrap();
        let drawn: HashSet<Vec<String>> = (0..200).map(|_| draw()).collect();
        assert_eq!(drawn.len(), 6, "every pair of four runs: {drawn:?}");
        assert!(drawn.iter().all(|pair| pair.len() == 2));
        assert_eq!(Draw::Random(9).of(&all).unwrap(), runs, "more than there are");
        assert_eq!(Draw::All.of(&all).unwrap(), runs);
    }

    #[test]
    fn the_share_of_a_draw_is_none_if_it_has_all_runs() {
        let runs = runs();
        let all: Vec<&String> = runs.iter().collect();
        for (draw, expected) in [
            (Draw::All, None),
            (Draw::Random(4), None),
            (Draw::Random(9), None),
            (Draw::Random(1), Some(DrawnRuns { runs: 1, of: 4 })),
            ("slim,slim,overfit".parse().unwrap(), Some(DrawnRuns { runs: 2, of: 4 })),
        ] {
            assert_eq!(draw.share(&all), expected, "{draw:?}");
        }
    }

    #[test]
    fn a_draw_is_printed_as_it_is_read() {
        for text in ["slim", "slim,slim-bn", "random:3"] {
            assert_eq!(text.parse::<Draw>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn other_texts_are_refused() {
        for text in ["", ",", "a,,b", "random:", "random:0", "random:-1", "random:x"] {
            assert!(text.parse::<Draw>().is_err(), "{text}");
        }
    }
}
