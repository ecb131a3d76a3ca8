//! Checks of the report's sections.

use std::collections::HashSet;

use indexmap::IndexMap;

use super::{Place, check_run_exists};
use crate::study::{Point, RunPlan, Section, Show, Source, StudyError, Table};
use crate::text::closest::unknown;

/// More points than this make a figure unreadable.
const MAX_POINTS: usize = 64;
/// More sections, runs in all sections together, or figures than this are more than anybody reads, and take a grader's machine long to
/// render. The most in the repository are about a dozen sections and thirty figures.
const MAX_SECTIONS: usize = 200;
const MAX_SHOWN_RUNS: usize = 4000;
const MAX_FIGURES: usize = 1000;
const MAX_EPOCH_ROWS: usize = 50_000;
/// Points of `gain` and `curves` in all sections together. Each takes about 0.5 KB of the page, of which a bundle's file may have 64 MiB,
/// and 4 KB of memory to check it (measured).
const MAX_POINTS_BY_EPOCH: usize = 100_000;
/// The axes and words of a curve or comparison take about as much as so many points.
const POINTS_OF_AXES: usize = 20;

/// Checks what each section names and shows.
pub(in crate::study) fn check(source: &Source, runs: &IndexMap<String, RunPlan>) -> Result<(), StudyError> {
    check_counts(source)?;
    check_points_by_epoch(source, runs)?;
    let conclusions: HashSet<&String> = source.study.conclusions.iter().map(|c| &c.id).collect();
    for (i, section) in source.study.sections.iter().enumerate() {
        let place = Place::new(source, format!("sections[{i}]"));
        for (j, run) in section.runs.iter().enumerate() {
            check_run_exists(&place.at(&format!("runs[{j}]")), run)?;
        }
        check_repeated(&place, "runs", &section.runs)?;
        check_repeated(&place, "comparisons", &section.comparisons)?;
        check_repeated(&place, "answers", &section.answers)?;
        check_shown(&place, section)?;
        check_tables(&place, section, source.study.grid.is_some())?;
        for (j, id) in section.answers.iter().enumerate() {
            if !conclusions.contains(id) {
                let place = place.at(&format!("answers[{j}]"));
                return match source.study.conclusions.first() {
                    None => place.refuse(format!("unknown conclusion `{id}`; this study has no `conclusions`")),
                    Some(_) => place.refuse(unknown("conclusion", id, source.study.conclusions.iter().map(|c| &c.id))),
                };
            }
        }
        for (j, name) in section.comparisons.iter().enumerate() {
            if !source.study.comparisons.contains_key(name) {
                let message = unknown("comparison", name, source.study.comparisons.keys());
                return place.at(&format!("comparisons[{j}]")).refuse(message);
            }
        }
        for (j, point) in section.points.iter().enumerate() {
            check_point(&place.at(&format!("points[{j}]")), point)?;
        }
    }
    Ok(())
}

/// Limits what a report shows, before any of it is checked or rendered.
fn check_counts(source: &Source) -> Result<(), StudyError> {
    let sections = &source.study.sections;
    let runs = sections.iter().map(|section| section.runs.len()).sum::<usize>();
    // Without sections, there is one with all runs and a figure of each. Every model has a figure, too.
    let models = source.study.models.len();
    let figures = match sections.as_slice() {
        [] => source.study.runs.len(),
        sections => sections.iter().map(Section::figures).sum(),
    };
    let epochs = |run: &String| source.study.runs.get(run).map_or(0, |run| run.epochs);
    let with_epochs = sections.iter().filter(|section| section.tables.contains(&Table::Epochs));
    let epoch_rows = with_epochs.flat_map(|section| &section.runs).map(epochs).fold(0, usize::saturating_add);
    for (what, count, most) in [
        ("sections", sections.len(), MAX_SECTIONS),
        ("runs in all sections together", runs, MAX_SHOWN_RUNS),
        ("figures of sections and models", figures + models, MAX_FIGURES),
        ("epochs in the tables of all sections together", epoch_rows, MAX_EPOCH_ROWS),
    ] {
        if count > most {
            return Err(source.error("sections", format!("{count} {what}: at most {most} are supported")));
        }
    }
    Ok(())
}

/// Limits the points that `gain` and `curves` draw, which have some for each epoch.
fn check_points_by_epoch(source: &Source, runs: &IndexMap<String, RunPlan>) -> Result<(), StudyError> {
    let count = match source.study.sections.as_slice() {
        // Without sections, there is one with the curves of all runs.
        [] => sum(runs.values().map(points_of_curve)),
        sections => sum(sections.iter().map(|section| points_of_section(source, runs, section))),
    };
    if count <= MAX_POINTS_BY_EPOCH {
        return Ok(());
    }
    let message = format!(
        "{count} points in the figures `curves` and `gain` of all sections together, with {POINTS_OF_AXES} for the axes of \
         each run or comparison: at most {MAX_POINTS_BY_EPOCH} are supported; take fewer epochs, or show these figures of fewer \
         runs and comparisons or in fewer sections"
    );
    Err(source.error("sections", message))
}

fn points_of_section(source: &Source, runs: &IndexMap<String, RunPlan>, section: &Section) -> usize {
    let curve = |name: &String| runs.get(name).map_or(0, points_of_curve);
    let gain = |name: &String| {
        let comparison = source.study.comparisons.get(name);
        comparison.map_or(0, |comparison| points_of_gain(runs, &comparison.run, &comparison.against))
    };
    let of_figure = |show: &Show| match show {
        Show::Curves | Show::CurvesTogether => sum(section.runs.iter().map(curve)),
        Show::Gain => sum(section.comparisons.iter().map(gain)),
        _ => 0,
    };
    sum(section.show.iter().map(of_figure))
}

/// The losses after each epoch, which are means over seeds, and those within epochs.
fn points_of_curve(run: &RunPlan) -> usize {
    let settings = &run.settings;
    let evaluated = 1 + usize::from(settings.evaluate_train) + usize::from(settings.hold_out > 0);
    let within = settings.evaluations_within(settings.epochs);
    settings.epochs.saturating_mul(evaluated).saturating_add(within).saturating_add(POINTS_OF_AXES)
}

/// The accuracies of both runs after each epoch and their difference.
fn points_of_gain(runs: &IndexMap<String, RunPlan>, run: &str, against: &str) -> usize {
    let epochs = |name: &str| runs.get(name).map_or(0, |run| run.settings.epochs);
    epochs(run).min(epochs(against)).saturating_mul(3).saturating_add(POINTS_OF_AXES)
}

fn sum(counts: impl Iterator<Item = usize>) -> usize {
    counts.fold(0, usize::saturating_add)
}

fn check_repeated(section: &Place, part: &str, names: &[String]) -> Result<(), StudyError> {
    let mut seen = HashSet::new();
    match names.iter().position(|name| !seen.insert(name)) {
        Some(j) => section.at(&format!("{part}[{j}]")).refuse(format!("`{}` is listed twice", names[j])),
        None => Ok(()),
    }
}

/// Checks that `show` fits `comparisons` and `points`.
fn check_shown(place: &Place, section: &Section) -> Result<(), StudyError> {
    let position = |show: Show| section.show.iter().position(|s| *s == show);
    if section.comparisons.is_empty()
        && let Some(j) = position(Show::Gain).or(position(Show::Disagreements))
    {
        return place.at(&format!("show[{j}]")).refuse("shows comparisons, but the section has no `comparisons`");
    }
    if section.runs.len() > Show::MAX_TOGETHER
        && let Some(j) = position(Show::CurvesTogether)
    {
        let problem =
            format!("more than {} runs in one panel of curves; use `curves`, or split the section", Show::MAX_TOGETHER);
        return place.at(&format!("show[{j}]")).refuse(problem);
    }
    if !section.points.is_empty() && position(Show::Ladder).is_none() {
        return place.at("points").refuse("are drawn in the figure `ladder`; add `ladder` to `show`");
    }
    if section.points.len() > MAX_POINTS {
        return place.at("points").refuse(format!("more than {MAX_POINTS}"));
    }
    Ok(())
}

/// Checks that tables of a grid have one.
fn check_tables(place: &Place, section: &Section, has_grid: bool) -> Result<(), StudyError> {
    match section.tables.iter().position(|table| matches!(table, Table::Ranking | Table::Matrix)) {
        Some(j) if !has_grid => {
            place.at(&format!("tables[{j}]")).refuse("is about the runs of `grid`, and there is none")
        }
        _ => Ok(()),
    }
}

fn check_point(place: &Place, point: &Point) -> Result<(), StudyError> {
    place.within("accuracy", point.accuracy, 0.0, 1.0)?;
    place.require("parameters", point.parameters, point.parameters > 0, "at least 1")
}
