//! Checks of the comparisons of runs.

use super::{Place, check_names, check_run_exists};
use crate::study::spec::Comparison;
use crate::study::{Source, StudyError};
use crate::text::numbers::plural;

/// More comparisons than this make a report unreadable.
const MAX_COMPARISONS: usize = 64;

/// The most seeds that an error names.
const MOST_SEEDS: usize = 5;

/// Half of the test images. A larger margin is almost certainly meant in points.
const LARGEST_MARGIN: f64 = 0.5;

/// Checks that each comparison is of two different runs that can be compared.
pub(in crate::study) fn check(source: &Source) -> Result<(), StudyError> {
    let comparisons = &source.study.comparisons;
    if comparisons.len() > MAX_COMPARISONS {
        return Err(source.error("comparisons", format!("more than {MAX_COMPARISONS}")));
    }
    check_names(source, "comparisons", comparisons.keys())?;
    for (name, comparison) in comparisons {
        let place = Place::new(source, format!("comparisons.{name}"));
        check_run_exists(&place.at("run"), &comparison.run)?;
        check_run_exists(&place.at("against"), &comparison.against)?;
        check_pair(&place, comparison)?;
        if let Some(margin) = comparison.margin {
            let holds = (0.0..=LARGEST_MARGIN).contains(&margin);
            let expected =
                format!("from 0 to {LARGEST_MARGIN}: it is a share of the test images, and 0.01 is one point");
            place.require("margin", margin, holds, &expected)?;
        }
    }
    Ok(())
}

/// A list of seeds as a study has it; a long one is cut.
fn list(seeds: &[u64]) -> String {
    let first: Vec<String> = seeds.iter().take(MOST_SEEDS).map(u64::to_string).collect();
    format!("[{}{}]", first.join(", "), if seeds.len() > MOST_SEEDS { ", ..." } else { "" })
}

fn check_pair(place: &Place, Comparison { run, against, .. }: &Comparison) -> Result<(), StudyError> {
    if run == against {
        return place.at("against").refuse(format!("`{against}` is compared with itself"));
    }
    let seeds = |run: &String| place.source.study.runs[run].seeds.len();
    let (own, other) = (seeds(run), seeds(against));
    if (own == 1) != (other == 1) {
        let (one, several) = if own == 1 { (run, against) } else { (against, run) };
        let seeds = &place.source.study.runs[several].seeds;
        return place.at("against").refuse(format!(
            "`{against}` has {} and `{run}` has {own}: compare one seed with one, or several with several: give `{one}` \
             seeds {}, too, or set them in `defaults` for all",
            plural(other, "seed"),
            list(seeds)
        ));
    }
    Ok(())
}
