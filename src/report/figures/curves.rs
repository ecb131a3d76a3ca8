//! Loss by epoch: a panel a run, training and test loss on a common scale; of several seeds the means, with a band.

use std::ops::Range;

use anyhow::Result;
use minijinja::context;
use plotters::coord::ranged1d::{AsRangedCoord, ValueFormatter};
use plotters::element::DashedPathElement;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

use super::{BLUE, Canvas, Figure, GRID, INK, MUTED, ORANGE, SIZE, draw, failed, font, rows_of_three, text};
use crate::dataset::CLASSES;
use crate::report::Language;
use crate::results::statistics::{Interval, Summary};
use crate::results::{EpochResult, RunResult};

const PANEL_HEIGHT: u32 = 300;
/// Above this ratio of largest to smallest loss a linear axis hides the small ones.
const LOG_FROM: f64 = 12.0;
/// Where a loss of exactly 0 is drawn on a logarithmic axis.
const LEAST: f64 = 1e-6;

/// A loss after an epoch: the mean over seeds, and its interval where there are several.
#[derive(Clone, Copy)]
struct Loss {
    mean: f64,
    interval: Option<Interval>,
}

/// What a panel draws: losses by epoch, as far as every seed got.
struct Course<'a> {
    title: &'a str,
    /// Whether the training images were evaluated as the test images were.
    evaluated: bool,
    train: Vec<Loss>,
    test: Vec<Loss>,
}

impl<'a> Course<'a> {
    fn of(title: &'a str, run: &RunResult) -> Self {
        let epochs = run.seeds.iter().map(|s| s.epochs.len()).min().unwrap_or(0);
        let losses = |loss: fn(&EpochResult) -> f64| -> Vec<Loss> {
            (0..epochs)
                .map(|i| {
                    let all: Vec<f64> = run.seeds.iter().map(|s| loss(&s.epochs[i])).collect();
                    let mean = all.iter().sum::<f64>() / all.len() as f64;
                    Loss { mean, interval: Summary::of(&all).interval }
                })
                .collect()
        };
        let evaluated = run.seeds.iter().flat_map(|s| &s.epochs).all(|e| e.train_eval.is_some());
        Self { title, evaluated, train: losses(train_loss), test: losses(|e| e.test.loss) }
    }

    /// Both lines' means.
    fn means(&self) -> impl Iterator<Item = f64> {
        self.train.iter().chain(&self.test).map(|l| l.mean)
    }

    /// The ends of the bands.
    fn highest(&self) -> f64 {
        let upper = self.train.iter().chain(&self.test).filter_map(|l| Some(l.interval?.upper));
        upper.chain(self.means()).fold(0.0, f64::max)
    }

    /// The epoch, counted from 1, after which the test loss is lowest, where it rises again by the end.
    fn turn(&self) -> Option<usize> {
        let lowest = |best: usize, i: usize| if self.test[i].mean < self.test[best].mean { i } else { best };
        let turn = (0..self.test.len()).fold(0, lowest);
        (turn + 1 < self.test.len()).then_some(turn + 1)
    }
}

/// Where the training images were evaluated like the test images, that is the fair comparison.
fn train_loss(e: &EpochResult) -> f64 {
    e.train_eval.map_or(e.train_loss, |t| t.loss)
}

/// The figure of some runs' losses: (title, run).
pub fn curves(name: String, runs: &[(&str, &RunResult)], lang: &Language) -> Result<Figure> {
    let courses: Vec<Course> = runs.iter().map(|(title, run)| Course::of(title, run)).collect();
    let low = courses.iter().flat_map(Course::means).fold(f64::MAX, f64::min).max(LEAST);
    let high = courses.iter().map(Course::highest).fold(2.0 * LEAST, f64::max);
    let log = high / low > LOG_FROM;
    let (rows, columns) = rows_of_three(courses.len());
    let titles: Vec<&str> = courses.iter().map(|c| c.title).collect();
    let banded = courses.iter().any(|c| c.test.iter().any(|l| l.interval.is_some()));
    let key = if banded { "figures.curves.caption_band" } else { "figures.curves.caption" };
    let caption = lang.say(key, context! { titles => titles.join("; ") })?;
    let description = courses.iter().map(|c| describe(c, lang)).collect::<Result<Vec<_>>>()?.join(" ");
    draw(name, caption, description, PANEL_HEIGHT * rows as u32, |root| {
        for (area, course) in root.split_evenly((rows, columns)).iter().zip(&courses) {
            if log {
                let range = low * 0.7..high * 1.6;
                panel(area, course, range.clone(), range.log_scale(), lang)?;
            } else {
                let range = 0.0..high * 1.15;
                panel(area, course, range.clone(), range, lang)?;
            }
        }
        Ok(())
    })
}

fn loss_label(y: f64, lang: &Language) -> String {
    match y {
        y if y < 1e-9 => "0".into(),
        y if y < 0.1 => lang.numbers.fixed(y, 3).trim_end_matches('0').to_owned(),
        y => lang.numbers.fixed(y, 1),
    }
}

fn describe(course: &Course, lang: &Language) -> Result<String> {
    let (Some(train_first), Some(test_first)) = (course.train.first(), course.test.first()) else {
        return Ok(String::new());
    };
    let last = course.test.len();
    let fixed = |loss: &Loss| lang.numbers.fixed(loss.mean, 4);
    let turn = course.turn();
    let values = context! {
        title => course.title,
        evaluated => course.evaluated,
        train_first => fixed(train_first),
        train_last => fixed(&course.train[last - 1]),
        test_first => fixed(test_first),
        test_last => fixed(&course.test[last - 1]),
        last,
        turn,
        lowest => turn.map(|turn| fixed(&course.test[turn - 1])),
    };
    lang.say("figures.curves.description", values)
}

fn panel<Y>(area: &Canvas, course: &Course, range: Range<f64>, y: Y, lang: &Language) -> Result<()>
where
    Y: AsRangedCoord<Value = f64>,
    Y::CoordDescType: ValueFormatter<f64>,
{
    let epochs = course.test.len();
    let last = epochs as f64;
    let (width, _) = area.dim_in_pixel();
    text(area, course.title, (width as i32 / 2, 14), &font(SIZE + 1.0, INK), HPos::Center, VPos::Center)?;
    let mut chart = ChartBuilder::on(area)
        .margin_top(36)
        .margin_right(66)
        .margin_left(8)
        .margin_bottom(6)
        .x_label_area_size(38)
        .y_label_area_size(52)
        .build_cartesian_2d(0.8..last.max(1.2) + 0.05, y)
        .map_err(failed)?;
    // Labels are whole epochs: as many as fit, the rest blank.
    let epoch_label = |x: &f64| if x.fract().abs() < 1e-9 { format!("{x:.0}") } else { String::new() };
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(GRID.mix(0.0))
        .bold_line_style(GRID)
        .axis_style(MUTED)
        .label_style(font(SIZE - 1.0, MUTED))
        .axis_desc_style(font(SIZE, INK))
        .x_desc(lang.word("figures.epoch")?)
        .y_desc(lang.word("figures.curves.loss")?)
        .x_labels(epochs.min(7))
        .x_label_formatter(&epoch_label)
        .y_label_formatter(&|y: &f64| loss_label(*y, lang))
        .y_labels(6)
        .draw()
        .map_err(failed)?;
    // Where a network starts that knows nothing: all ten digits alike.
    let chance = libm::log(CLASSES as f64);
    if range.contains(&chance) {
        let y = chart.backend_coord(&(last, chance)).1 - area.get_base_pixel().1;
        let ends =
            [0.8, last.max(1.2) + 0.05].map(|x| (chart.backend_coord(&(x, chance)).0 - area.get_base_pixel().0, y));
        area.draw(&DashedPathElement::new(ends, 2, 3, MUTED)).map_err(failed)?;
        text(
            area,
            &format!("ln {CLASSES}"),
            (ends[0].0 + 6, y - 8),
            &font(SIZE - 1.0, MUTED),
            HPos::Left,
            VPos::Center,
        )?;
    }
    let within = |loss: f64| loss.clamp(range.start.max(LEAST), range.end);
    let line = |losses: &[Loss]| -> Vec<(f64, f64)> {
        losses.iter().enumerate().map(|(i, l)| ((i + 1) as f64, l.mean.max(LEAST))).collect()
    };
    for (losses, color) in [(&course.train, ORANGE), (&course.test, BLUE)] {
        let bounds: Vec<(f64, Interval)> =
            losses.iter().enumerate().filter_map(|(i, l)| Some(((i + 1) as f64, l.interval?))).collect();
        let upper = bounds.iter().map(|(x, i)| (*x, within(i.upper)));
        let band: Vec<(f64, f64)> = upper.chain(bounds.iter().rev().map(|(x, i)| (*x, within(i.lower)))).collect();
        chart.draw_series([Polygon::new(band, color.mix(0.18))]).map_err(failed)?;
    }
    let (train, test) = (line(&course.train), line(&course.test));
    let ends = [train[train.len() - 1].1, test[test.len() - 1].1];
    let pixel = |y: f64| chart.backend_coord(&(last, y)).1 - area.get_base_pixel().1;
    let (mut train_at, mut test_at) = (pixel(ends[0]), pixel(ends[1]));
    // Labels that would lie on each other are moved apart, each to its own side.
    let gap = 15 - (train_at - test_at).abs();
    if gap > 0 {
        let up = if train_at <= test_at { 1 } else { -1 };
        train_at -= up * (gap / 2 + 1);
        test_at += up * (gap / 2 + 1);
    }
    let right = chart.backend_coord(&(last, ends[0])).0 - area.get_base_pixel().0 + 8;
    for (points, color, dashed) in [(&train, ORANGE, true), (&test, BLUE, false)] {
        let style = color.stroke_width(2);
        if dashed {
            chart.draw_series(DashedLineSeries::new(points.clone(), 6, 4, style)).map_err(failed)?;
        } else {
            chart.draw_series(LineSeries::new(points.clone(), style)).map_err(failed)?;
        }
        chart.draw_series(points.iter().map(|p| Circle::new(*p, 3, color.filled()))).map_err(failed)?;
    }
    for (words, at, color) in [("training", train_at, ORANGE), ("test", test_at, BLUE)] {
        let words = lang.word(&format!("figures.curves.{words}"))?;
        text(area, &words, (right, at), &font(SIZE, color), HPos::Left, VPos::Center)?;
    }
    if let Some(turn) = course.turn() {
        let base = area.get_base_pixel();
        let at = chart.backend_coord(&(turn as f64, test[turn - 1].1));
        let (x, y, top) = (at.0 - base.0, at.1 - base.1, chart.backend_coord(&(turn as f64, range.end)).1 - base.1);
        area.draw(&DashedPathElement::new([(x, top), (x, y - 5)], 2, 3, BLUE)).map_err(failed)?;
        area.draw(&Circle::new((x, y), 6, BLUE.stroke_width(1))).map_err(failed)?;
        let words = lang.say("figures.curves.turn", context! { epoch => turn })?;
        // Above the plot, where no line of the grid crosses it.
        text(area, &words, (x, top - 7), &font(SIZE - 1.0, BLUE), HPos::Center, VPos::Center)?;
    }
    Ok(())
}
