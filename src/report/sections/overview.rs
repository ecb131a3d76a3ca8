//! The figure of the first screen: how accurate each network is, and how large.

use super::prelude::*;
use crate::report::figures::LadderPoint;
use crate::report::series::trained_on_most;
use crate::results::RunResult;

/// Accuracy against parameters of all runs that were trained on the most images: accuracies of others do not compare. `None`
/// with fewer than two.
pub(super) fn figure(b: &Builder) -> Result<Option<FigureBlock>> {
    let alike = trained_on_most(b.study, b.results);
    let points: Vec<LadderPoint> = alike.iter().filter_map(|(name, run)| point(b, name, run)).collect();
    if points.len() < 2 {
        return Ok(None);
    }
    let images = (alike.len() < b.results.runs.len()).then(|| alike[0].1.plan.image_count);
    b.figure(figures::ladder("overview".into(), &points, images, b.lang)?).map(Some)
}

/// A run's place in the figure; `None` if the results lack its model.
pub(super) fn point(b: &Builder, name: &str, run: &RunResult) -> Option<LadderPoint> {
    Some(LadderPoint {
        title: b.run_title(name).to_owned(),
        series: Some(b.series(name)),
        parameters: b.results.models.get(&run.plan.model)?.parameters,
        accuracy: run.accuracy(),
        interval: Some(run.accuracy_interval()),
    })
}
