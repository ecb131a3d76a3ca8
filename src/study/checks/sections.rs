//! Checks of the report's sections.

use std::collections::HashSet;

use super::{Place, check_run_exists};
use crate::study::{Point, Section, Show, Source, StudyError, Table};
use crate::text::closest::unknown;

/// More points than this make a figure unreadable.
const MAX_POINTS: usize = 64;
/// More sections, runs in all sections together, or figures than this are more than anybody reads, and take a grader's machine long to
/// render. The most in the repository are about a dozen sections and thirty figures.
const MAX_SECTIONS: usize = 200;
const MAX_SHOWN_RUNS: usize = 4000;
const MAX_FIGURES: usize = 1000;
const MAX_EPOCH_ROWS: usize = 50_000;

/// Checks what each section names and shows.
pub(in crate::study) fn check(source: &Source) -> Result<(), StudyError> {
    check_counts(source)?;
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
