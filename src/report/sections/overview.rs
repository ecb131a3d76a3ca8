//! The figure of the first screen: how accurate each network is, and how large.

use super::grid;
use super::prelude::*;
use crate::report::figures::LadderPoint;
use crate::report::series::trained_on_most;
use crate::results::RunResult;
use crate::study::{Section, Show};

/// Accuracy against parameters of all runs that were trained on the most images: accuracies of others do not compare. `None`
/// with fewer than two.
pub(super) fn figure(b: &Builder) -> Result<Option<FigureBlock>> {
    let alike = trained_on_most(b.study, b.results);
    let mut points: Vec<LadderPoint> = alike.iter().filter_map(|(name, run)| point(b, name, run)).collect();
    if points.len() < 2 {
        return Ok(None);
    }
    for section in b.training.iter().filter(|section| shows(b, section)) {
        for point in quoted(section) {
            if points.iter().all(|other| other.title != point.title) {
                points.push(point);
            }
        }
    }
    let images = (alike.len() < b.results.runs.len()).then(|| alike[0].1.plan.image_count);
    let figure = b.figure(figures::ladder("overview", &points, images, b.lang)?)?;
    b.overview.set(figure.number);
    Ok(Some(figure))
}

/// Whether a section's ladder would show the same runs. Then this figure has the section's points, and the section refers to it.
pub(super) fn shows(b: &Builder, section: &Section) -> bool {
    let alike = trained_on_most(b.study, b.results);
    let is_shown = |(name, _): &(&String, &RunResult)| section.runs.contains(name);
    let measured = section.runs.iter().filter(|name| b.results.runs.contains_key(*name)).count();
    section.show.contains(&Show::Ladder) && alike.len() > 1 && alike.len() == measured && alike.iter().all(is_shown)
}

/// A sentence that refers to this figure.
pub(super) fn reference(b: &Builder) -> Result<RichText> {
    b.text("training.overview", context! { figure => b.link_to_figure(b.overview.get())? })
}

/// The points that a section adds to its ladder.
pub(super) fn quoted(section: &Section) -> impl Iterator<Item = LadderPoint> {
    section.points.iter().map(|p| LadderPoint {
        title: p.title.clone(),
        series: None,
        parameters: p.parameters,
        accuracy: p.accuracy,
        interval: None,
    })
}

/// A run's colour: of a grid, that of its value in the last list, as in curves.
fn series(b: &Builder, name: &str) -> usize {
    grid::column_of(b.study, name).filter(|place| *place < Show::MAX_TOGETHER).unwrap_or_else(|| b.series(name))
}

/// A run's place in the figure; `None` if the results lack its model.
pub(super) fn point(b: &Builder, name: &str, run: &RunResult) -> Option<LadderPoint> {
    Some(LadderPoint {
        title: b.run_title(name).to_owned(),
        series: Some(series(b, name)),
        parameters: b.results.models.get(&run.plan.model)?.parameters,
        accuracy: run.accuracy(),
        interval: Some(run.accuracy_interval()),
    })
}
