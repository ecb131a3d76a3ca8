//! The figure of the first screen: how accurate each network is, and how large.

use super::prelude::*;
use crate::report::figures::{LadderPoint, Over};
use crate::results::{AnyRun, NoInterval, RunResult};

/// Accuracy against parameters of all runs that were trained on the most images: accuracies of others do not compare. `None`
/// with fewer than two.
pub(super) fn figure(b: &Builder) -> Result<Option<FigureBlock>> {
    let runs: Vec<(&str, &RunResult)> = b
        .runs()
        .into_iter()
        .filter_map(|(name, run)| if let AnyRun::Finished(run) = run { Some((b.run_title(name), run)) } else { None })
        .collect();
    let most = runs.iter().map(|(_, run)| run.plan.image_count).max().unwrap_or(0);
    let (alike, others): (Vec<_>, Vec<_>) = runs.into_iter().partition(|(_, run)| run.plan.image_count == most);
    let points: Vec<LadderPoint> = alike.into_iter().filter_map(|(title, run)| point(b, title, run)).collect();
    if points.len() < 2 {
        return Ok(None);
    }
    let images = (!others.is_empty()).then_some(most);
    b.figure(figures::ladder("overview".into(), &points, images, b.lang)?).map(Some)
}

/// A run's place in the figure; `None` if the results lack its model.
pub(super) fn point(b: &Builder, title: &str, run: &RunResult) -> Option<LadderPoint> {
    let interval = match run.interval() {
        Ok(interval) => Ok((interval, Over::Seeds)),
        Err(NoInterval::OneSeed) => Ok((run.seeds[0].interval(), Over::Images)),
        Err(reason) => Err(reason),
    };
    Some(LadderPoint {
        title: title.to_owned(),
        parameters: b.results.models.get(&run.plan.model)?.parameters,
        accuracy: run.accuracy(),
        interval: Some(interval),
    })
}
