//! Loss curves: the training loss by step, thin, with its moving mean, and the losses after each epoch as marks. A panel for
//! each run, or one for several that are compared.

mod course;
mod panel;
mod plot;
mod zoom;

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
    /// Whether dropout is on while it trains.
    pub has_dropout: bool,
    pub losses: &'a LossCurve,
}

/// The figure of some panels, each of one or more runs; `None` without a run.
pub(crate) fn curves<'a>(name: &str, panels: &[Vec<Curve<'a>>], lang: &Language) -> Result<Option<Drawing>> {
    let courses = |panel: &Vec<Curve<'a>>| -> Vec<Course<'a>> { panel.iter().map(Course::of).collect() };
    let panels: Vec<Vec<Course>> = panels.iter().filter(|panel| !panel.is_empty()).map(courses).collect();
    if panels.is_empty() {
        return Ok(None);
    }
    on_both_sheets(Width::Full, |sheet| drawn(name, &panels, sheet, lang)).map(Some)
}

fn drawn(name: &str, panels: &[Vec<Course>], sheet: Sheet, lang: &Language) -> Result<Drawing> {
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
    let panels: Vec<Panel> = panels.iter().map(|courses| Panel { courses, losses, sheet, lang }).collect();
    let titles = Titles { name: name.to_owned(), caption: caption(&panels, lang)?, description };
    let (places, height) = layout(&panels);
    let drawing = draw(titles, sheet, height as u32, |root| {
        panels.iter().zip(places).try_for_each(|(panel, (left, top, width))| {
            panel.draw(&root.clone().shrink((left, top), (width, panel.height(width))), width)
        })
    })?;
    Ok(Drawing { description: printed, ..drawing })
}

/// Left upper corner and width of each panel, and the height of all. Panels of several runs have rows of their own; of the
/// others, two share a row, except on a narrow sheet.
fn layout(panels: &[Panel]) -> (Vec<(i32, i32, i32)>, i32) {
    let sheet = panels.first().map_or(Sheet::Narrow, |panel| panel.sheet);
    let (full, half) = (sheet.pixels(), sheet.pixels().min(HALF as i32));
    let (mut places, mut top) = (Vec::new(), 0);
    let mut rest = panels;
    while let [panel, others @ ..] = rest {
        let row = if top > 0 { top + GAP } else { 0 };
        let pair = others.first().filter(|other| sheet.has_columns() && panel.is_of_one_run() && other.is_of_one_run());
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

fn caption(panels: &[Panel], lang: &Language) -> Result<String> {
    let all = || panels.iter().flat_map(|panel| panel.courses);
    let any_alone = |has: &dyn Fn(&Course) -> bool| panels.iter().any(|p| p.is_of_one_run() && has(&p.courses[0]));
    let titles_of = |has: &dyn Fn(&Course) -> bool| -> Vec<String> {
        all().filter(|c| has(c)).map(|c| c.title.to_owned()).collect()
    };
    let range = |steps: &dyn Fn(&Course) -> usize| {
        let (least, most) = (all().map(steps).min().unwrap_or(1), all().map(steps).max().unwrap_or(1));
        let count = |n: usize| lang.numbers.count(n as u64);
        if least == most { count(least) } else { format!("{}–{}", count(least), count(most)) }
    };
    let values = context! {
        titles => titles_of(&|_| true),
        many => all().count() > MOST_NAMED,
        labels_smoothed => titles_of(&|c| c.smooths_labels),
        augmented => titles_of(&|c| c.augment.is_some()),
        dropped_out => titles_of(&|c| c.is_higher_with_dropout()),
        every_batch => all().all(|c| c.steps_per_group == 1),
        thin => range(&|c| c.steps_per_group),
        thick => range(&|c| c.window),
        thin_most => all().map(|c| c.steps_per_group).max(),
        thick_most => all().map(|c| c.window).max(),
        shortened => all().any(|c| c.is_shortened),
        smoothed => all().any(|c| c.window > c.steps_per_group),
        evaluated => any_alone(&|c| !c.train.is_empty()),
        validated => any_alone(&|c| !c.validation.is_empty()),
        means => all().any(|c| c.seeds > 1),
        bars => all().any(|c| c.test.iter().any(|l| l.interval.is_some())),
        within => all().filter_map(|c| c.evaluate_every).min(),
        within_most => all().filter_map(|c| c.evaluate_every).max(),
        reported => any_alone(&|c| c.reported.is_some()),
        gap => any_alone(&|c| c.gap().is_some()),
        zoomed => panels.iter().any(|panel| panel.zoom().is_some()),
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
            has_dropout: true,
            augment: Some(Augment::default()),
            rates: vec![(0.0, low), (1.0, high)],
            has_schedule: true,
            seeds: 3,
            classes: 10,
            no_interval: None,
        }
    }

    fn panel<'a>(courses: &'a [Course<'a>], lang: &'a Language) -> Panel<'a> {
        Panel { courses, losses: Scale::linear((0.0, 1.0), (0, 0)), sheet: Sheet::Wide(Width::Full), lang }
    }

    /// The training loss is said to be with dropout only where it ends above the test loss, with dropout.
    #[test]
    fn a_caption_explains_training_losses_above_test_losses() {
        let language = Templates::built_in().language(Lang::En).unwrap();
        let caption_of = |change: &dyn Fn(&mut Course)| {
            let mut one = course("a", [0.1, 1.0]);
            (one.test, one.test_line) = (one.train.iter().rev().copied().collect(), vec![(2.0, 1.0)]);
            (one.smooth, one.augment, one.smooths_labels) = (vec![(0.5, 2.0), (1.5, 1.5)], None, false);
            change(&mut one);
            let courses = [one];
            caption(&[panel(&courses, &language)], &language).unwrap()
        };
        let says = |caption: &str| caption.contains("dropout");
        assert!(says(&caption_of(&|_| ())));
        assert!(!says(&caption_of(&|c| c.has_dropout = false)));
        assert!(!says(&caption_of(&|c| c.smooth = vec![(0.5, 2.0), (1.5, 0.05)])));
    }

    /// A rise that the logarithmic axis hides is shown on a linear one; one that can be seen is not shown twice.
    #[test]
    fn a_small_rise_of_the_test_loss_has_a_panel_of_its_own() {
        let language = Templates::built_in().language(Lang::En).unwrap();
        let rising = |last: f64| {
            let mut one = course("a", [0.001, 1.0]);
            let loss = |mean| Loss { mean, interval: None };
            one.test = [0.8, 0.2, 0.16, last].map(loss).to_vec();
            (one.train, one.during) = ([1.0, 0.1, 0.01, 0.001].map(loss).to_vec(), vec![1.0, 0.1, 0.01, 0.001]);
            (one.validation, one.validation_line) = (Vec::new(), Vec::new());
            one.test_line = one.test.iter().enumerate().map(|(i, l)| ((i + 1) as f64, l.mean)).collect();
            one
        };
        let drawn_with = |last| drawn("name", &[vec![rising(last)]], Sheet::Wide(Width::Full), &language).unwrap();
        let [small, none, large] = [0.165, 0.159, 0.9].map(drawn_with);
        let words = "lowest test loss";
        assert!(small.svg.contains("+3.1"), "{}", small.svg);
        assert!(small.caption.contains("Below: the test loss") && small.svg.contains(words));
        for other in [none, large] {
            assert!(!other.caption.contains("Below: the test loss") && !other.svg.contains("linear"));
        }
        // A label that is wider than a narrow screen is shorter there.
        let ukrainian = Templates::built_in().language(Lang::Uk).unwrap();
        let [wide, narrow] = [Sheet::Wide(Width::Full), Sheet::Narrow]
            .map(|sheet| drawn("name", &[vec![rising(0.165)]], sheet, &ukrainian).unwrap().svg);
        assert!(wide.contains("\nнайменші втрати на тестовій вибірці: епоха 3\n"), "{wide}");
        assert!(narrow.contains("\nнайменше: епоха 3\n"), "{narrow}");
    }

    /// Axes are drawn from the smallest to the largest loss that results may have, whatever is between.
    #[test]
    fn any_loss_of_a_finished_run_can_be_drawn() {
        let language = Templates::built_in().language(Lang::Uk).unwrap();
        let sizes = [0.0, 1e-38, 1e-6, 0.3, 2.3, 1e6, 1e17, 3.4e38, 9e38];
        for low in sizes {
            for high in sizes {
                let panels = [vec![course("a", [low, high])], vec![course("b", [low, high]), course("c", [high, low])]];
                for sheet in [Sheet::Wide(Width::Full), Sheet::Narrow] {
                    let svg = drawn("name", &panels, sheet, &language).unwrap().svg;
                    let is_drawn = svg.len() < 60_000 && !svg.contains("NaN") && !svg.contains("inf");
                    assert!(is_drawn, "{low} to {high}: {svg}");
                }
            }
        }
    }

    #[test]
    fn a_caption_names_up_to_six_runs() {
        for (lang, all) in [(Lang::En, "the 7 runs of this section."), (Lang::Uk, "запуски цього розділу, усього 7.")]
        {
            let language = Templates::built_in().language(lang).unwrap();
            let captions = [6, 7].map(|n| {
                let courses = [course("a", [0.1, 1.0])];
                let panels: Vec<Panel> = (0..n).map(|_| panel(&courses, &language)).collect();
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
            let panels: Vec<Panel> = panels.iter().map(|courses| panel(courses, &language)).collect();
            layout(&panels).0.iter().map(|(left, _, width)| (*left, *width)).collect::<Vec<_>>()
        };
        assert_eq!(places(vec![one()]), [(0, 760)]);
        assert_eq!(places(vec![one(), one(), one()]), [(0, 368), (392, 368), (0, 368)]);
        assert_eq!(places(vec![one(), two(), one()]), [(0, 368), (0, 760), (0, 368)]);
    }
}
