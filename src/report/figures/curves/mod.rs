//! Loss curves: the training loss by step, thin, with its moving mean, and the losses after each epoch as marks. A panel for
//! each run, or one for several that are compared.

mod course;
mod panel;

use self::course::Course;
use self::panel::Panel;
use super::prelude::*;
use super::scale::Scale;
use crate::results::{LossCurve, RunResult};

/// Above this ratio of largest to smallest loss, a linear axis hides the small ones.
const LOG_FROM: f64 = 12.0;
/// Where a loss of exactly 0 is drawn on a logarithmic axis.
const LEAST: f64 = 1e-6;
const GAP: i32 = (FULL - 2 * HALF) as i32;

/// A run with its title and its losses by step.
#[derive(Clone, Copy)]
pub(crate) struct Curve<'a> {
    pub title: &'a str,
    /// Chooses the run's colour and marks where it shares a panel.
    pub series: usize,
    pub run: &'a RunResult,
    pub losses: &'a LossCurve,
}

/// The figure of some panels, each of one or more runs; `None` without a run.
pub(crate) fn curves<'a>(name: String, panels: &[Vec<Curve<'a>>], lang: &Language) -> Result<Option<Drawing>> {
    let courses = |panel: &Vec<Curve<'a>>| -> Vec<Course<'a>> { panel.iter().map(Course::of).collect() };
    let panels: Vec<Vec<Course>> = panels.iter().filter(|panel| !panel.is_empty()).map(courses).collect();
    if panels.is_empty() { Ok(None) } else { drawn(name, &panels, lang).map(Some) }
}

fn drawn(name: String, panels: &[Vec<Course>], lang: &Language) -> Result<Drawing> {
    let all = || panels.iter().flatten();
    let low = all().flat_map(Course::values).fold(f64::MAX, f64::min).max(LEAST);
    let high = all().flat_map(Course::values).fold(2.0 * LEAST, f64::max);
    let losses = if high / low > LOG_FROM {
        Scale::logarithmic((low * 0.7, high * 1.3), (0, 0))
    } else {
        Scale::linear((0.0, high * 1.08), (0, 0))
    };
    let without = without_interval(all().map(|c| (c.title, c.no_interval)), lang)?;
    let described = |courses: &mut dyn Iterator<Item = &Course>| -> Result<String> {
        let runs = courses.map(|c| c.describe(lang)).collect::<Result<Vec<_>>>()?;
        Ok([runs, without.clone()].concat().join(" "))
    };
    let description = described(&mut all())?;
    // Curves in one panel are compared by eye; what they end with is in the table of results.
    let printed = described(&mut panels.iter().filter(|panel| panel.len() == 1).flatten())?;
    let titles = Titles { name, caption: caption(panels, lang)?, description };
    let panels: Vec<Panel> = panels.iter().map(|courses| Panel { courses, losses, lang }).collect();
    let (places, height) = layout(&panels);
    let drawing = draw(titles, Width::Full, height as u32, |root| {
        panels.iter().zip(places).try_for_each(|(panel, (left, top, width))| {
            panel.draw(&root.clone().shrink((left, top), (width, panel.height(width))), width)
        })
    })?;
    Ok(Drawing { description: printed, ..drawing })
}

/// Left upper corner and width of each panel, and the height of all. Panels of several runs have rows of their own; of the
/// others, two share a row.
fn layout(panels: &[Panel]) -> (Vec<(i32, i32, i32)>, i32) {
    let (full, half) = (FULL as i32, HALF as i32);
    let (mut places, mut top) = (Vec::new(), 0);
    let mut rest = panels;
    while let [panel, others @ ..] = rest {
        let row = if top > 0 { top + GAP } else { 0 };
        let pair = others.first().filter(|other| panel.is_of_one_run() && other.is_of_one_run());
        if let Some(other) = pair {
            places.extend([(0, row, half), (half + GAP, row, half)]);
            top = row + panel.height(half).max(other.height(half));
            rest = &others[1..];
        } else {
            let width = if panel.is_of_one_run() && panels.len() > 1 { half } else { full };
            places.push((0, row, width));
            top = row + panel.height(width);
            rest = others;
        }
    }
    (places, top)
}

fn caption(panels: &[Vec<Course>], lang: &Language) -> Result<String> {
    let all = || panels.iter().flatten();
    let range = |steps: &dyn Fn(&Course) -> usize| {
        let (least, most) = (all().map(steps).min().unwrap_or(1), all().map(steps).max().unwrap_or(1));
        let count = |n: usize| lang.numbers.count(n as u64);
        if least == most { count(least) } else { format!("{}–{}", count(least), count(most)) }
    };
    let values = context! {
        titles => all().map(|c| c.title.to_owned()).collect::<Vec<_>>(),
        many => all().count() > MOST_NAMED,
        labels_smoothed => all().filter(|c| c.smooths_labels).map(|c| c.title.to_owned()).collect::<Vec<_>>(),
        augmented => all().filter(|c| c.augment.is_some()).map(|c| c.title.to_owned()).collect::<Vec<_>>(),
        every_batch => all().all(|c| c.steps_per_group == 1),
        thin => range(&|c| c.steps_per_group),
        thick => range(&|c| c.window),
        thin_most => all().map(|c| c.steps_per_group).max(),
        thick_most => all().map(|c| c.window).max(),
        shortened => all().any(|c| c.is_shortened),
        smoothed => all().any(|c| c.window > c.steps_per_group),
        evaluated => panels.iter().any(|panel| panel.len() == 1 && !panel[0].train.is_empty()),
        validated => panels.iter().any(|panel| panel.len() == 1 && !panel[0].validation.is_empty()),
        means => all().any(|c| c.seeds > 1),
        bars => all().any(|c| c.test.iter().any(|l| l.interval.is_some())),
        within => all().filter_map(|c| c.evaluate_every).min(),
        within_most => all().filter_map(|c| c.evaluate_every).max(),
        reported => panels.iter().any(|panel| panel.len() == 1 && panel[0].reported.is_some()),
        gap => panels.iter().any(|panel| panel.len() == 1 && panel[0].gap().is_some()),
    };
    lang.say("figures.curves.caption", values)
}

#[cfg(test)]
mod tests {
    use super::course::Loss;
    use super::*;
    use crate::report::Templates;
    use crate::results::statistics::Interval;
    use crate::study::Augment;
    use crate::text::Lang;

    fn course(title: &str, losses: [f64; 2]) -> Course<'_> {
        let [low, high] = losses;
        let loss = |mean| Loss { mean, interval: Some(Interval { lower: -mean, upper: 8.0 * mean }) };
        Course {
            title,
            series: 0,
            steps_per_epoch: 2,
            batch: 64,
            steps_per_group: 1,
            groups: vec![(0.25, high), (0.75, low), (1.25, low), (1.75, high)],
            smooth: vec![(0.25, high), (0.75, low), (1.25, low), (1.75, high)],
            window: 3,
            train: vec![loss(high), loss(low)],
            during: vec![high, low],
            test: vec![loss(low), loss(high)],
            validation: vec![loss(high), loss(low)],
            test_line: vec![(0.5, high), (1.0, low), (2.0, high)],
            validation_line: vec![(1.0, high), (2.0, low)],
            evaluate_every: Some(1),
            reported: Some(1),
            is_shortened: false,
            smooths_labels: true,
            augment: Some(Augment::default()),
            rates: vec![(0.0, low), (1.0, high)],
            has_schedule: true,
            seeds: 3,
            classes: 10,
            no_interval: None,
        }
    }

    /// Axes are drawn from the smallest to the largest loss that results may have, whatever is between.
    #[test]
    fn any_loss_of_a_finished_run_can_be_drawn() {
        let language = Templates::built_in().language(Lang::Uk).unwrap();
        let sizes = [0.0, 1e-38, 1e-6, 0.3, 2.3, 1e6, 1e17, 3.4e38, 9e38];
        for low in sizes {
            for high in sizes {
                let panels = [vec![course("a", [low, high])], vec![course("b", [low, high]), course("c", [high, low])]];
                let svg = drawn("name".into(), &panels, &language).unwrap().svg;
                assert!(svg.len() < 60_000 && !svg.contains("NaN") && !svg.contains("inf"), "{low} to {high}: {svg}");
            }
        }
    }

    #[test]
    fn a_caption_names_up_to_six_runs() {
        for (lang, all) in [(Lang::En, "the 7 runs of this section."), (Lang::Uk, "запуски цього розділу, усього 7.")]
        {
            let language = Templates::built_in().language(lang).unwrap();
            let captions = [6, 7].map(|n| {
                let panels: Vec<Vec<Course>> = (0..n).map(|_| vec![course("a", [0.1, 1.0])]).collect();
                caption(&panels, &language).unwrap()
            });
            assert!(!captions[0].contains(all) && captions[1].contains(all), "{captions:?}");
        }
    }

    #[test]
    fn panels_of_one_run_share_a_row() {
        let language = Templates::built_in().language(Lang::En).unwrap();
        let one = || vec![course("a", [0.1, 1.0])];
        let two = || vec![course("b", [0.1, 1.0]), course("c", [0.1, 1.0])];
        let places = |panels: Vec<Vec<Course>>| {
            let losses = Scale::linear((0.0, 1.0), (0, 0));
            let panels: Vec<Panel> = panels.iter().map(|courses| Panel { courses, losses, lang: &language }).collect();
            layout(&panels).0.iter().map(|(left, _, width)| (*left, *width)).collect::<Vec<_>>()
        };
        assert_eq!(places(vec![one()]), [(0, 760)]);
        assert_eq!(places(vec![one(), one(), one()]), [(0, 368), (392, 368), (0, 368)]);
        assert_eq!(places(vec![one(), two(), one()]), [(0, 368), (0, 760), (0, 368)]);
    }
}
