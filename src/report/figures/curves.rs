//! Loss by epoch: a panel for each run, training and test loss on a common scale; for several seeds the means, from three
//! seeds on with a band for their interval.

use std::ops::Range;

use plotters::coord::ranged1d::{AsRangedCoord, ValueFormatter};

use super::prelude::*;
use crate::dataset::CLASSES;
use crate::results::statistics::{Interval, Summary};
use crate::results::{EpochResult, NoInterval, RunResult};

const PANEL_HEIGHT: u32 = 300;
/// Above this ratio of largest to smallest loss, a linear axis hides the small ones.
const LOG_FROM: f64 = 12.0;
/// Where a loss of exactly 0 is drawn on a logarithmic axis.
const LEAST: f64 = 1e-6;

/// A loss after an epoch: the mean over seeds, and its interval where there are at least three.
#[derive(Clone, Copy)]
struct Loss {
    mean: f64,
    interval: Option<Interval>,
}

/// What a panel draws: losses by epoch, as far as every seed was trained.
struct Course<'a> {
    title: &'a str,
    /// Whether the training images were evaluated like the test images.
    evaluated: bool,
    train: Vec<Loss>,
    test: Vec<Loss>,
    seeds: usize,
    /// Why no epoch has an interval.
    no_interval: Option<NoInterval>,
}

impl<'a> Course<'a> {
    fn of(title: &'a str, run: &RunResult) -> Self {
        let epochs = run.seeds.iter().map(|s| s.epochs.len()).min().unwrap_or(0);
        let is_one_network = run.is_one_network();
        let losses = |loss: fn(&EpochResult) -> f64| -> Vec<Loss> {
            (0..epochs)
                .map(|i| {
                    let all: Vec<f64> = run.seeds.iter().map(|s| loss(&s.epochs[i])).collect();
                    let mean = all.iter().sum::<f64>() / all.len() as f64;
                    Loss { mean, interval: Summary::over_seeds(&all).interval.filter(|_| !is_one_network) }
                })
                .collect()
        };
        let evaluated = run.seeds.iter().flat_map(|s| &s.epochs).all(|e| e.train_eval.is_some());
        let seeds = run.seeds.len();
        let no_interval =
            if is_one_network { Some(NoInterval::SameNetwork) } else { (seeds == 2).then_some(NoInterval::TwoSeeds) };
        Self { title, evaluated, train: losses(train_loss), test: losses(|e| e.test.loss), seeds, no_interval }
    }

    /// Both lines' means.
    fn means(&self) -> impl Iterator<Item = f64> {
        self.train.iter().chain(&self.test).map(|l| l.mean)
    }

    /// The highest end of a band or line.
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

/// The loss to compare with the test loss: that of the evaluated training images, where there is one.
fn train_loss(e: &EpochResult) -> f64 {
    e.train_eval.map_or(e.train_loss, |t| t.loss)
}

/// The figure of some runs' losses: (title, run).
pub(crate) fn curves(name: String, runs: &[(&str, &RunResult)], lang: &Language) -> Result<Drawing> {
    drawn(name, &runs.iter().map(|(title, run)| Course::of(title, run)).collect::<Vec<_>>(), lang)
}

fn drawn(name: String, courses: &[Course], lang: &Language) -> Result<Drawing> {
    let low = courses.iter().flat_map(Course::means).fold(f64::MAX, f64::min).max(LEAST);
    let high = courses.iter().map(Course::highest).fold(2.0 * LEAST, f64::max);
    let (rows, columns) = grid(courses.len(), 3);
    let titles = courses.iter().map(|c| c.title.to_owned()).collect::<Vec<_>>();
    let banded = courses.iter().any(|c| c.test.iter().any(|l| l.interval.is_some()));
    let key = match courses.iter().map(|c| c.seeds).max() {
        _ if banded => "figures.curves.caption_band",
        Some(2..) => "figures.curves.caption_means",
        _ => "figures.curves.caption",
    };
    let caption = lang.say(key, context! { titles })?;
    let without = without_interval(courses.iter().filter_map(|c| Some((c.title, c.no_interval?))), lang)?;
    let described = courses.iter().map(|c| describe(c, lang)).chain(without.into_iter().map(Ok));
    let description = described.collect::<Result<Vec<_>>>()?.join(" ");
    draw(Titles { name, caption, description }, PANEL_HEIGHT * rows as u32, |root| {
        for (area, course) in root.split_evenly((rows, columns)).iter().zip(courses) {
            let panel = Panel { area, course, lang };
            if high / low > LOG_FROM {
                let range = low * 0.7..high * 1.6;
                panel.draw(range.clone(), range.log_scale())?;
            } else {
                let range = 0.0..high * 1.15;
                panel.draw(range.clone(), range)?;
            }
        }
        Ok(())
    })
}

fn loss_label(y: f64, lang: &Language) -> String {
    match y {
        y if y < 1e-9 => "0".into(),
        y if y >= 1e5 => format!("{y:.0e}"),
        y if y >= 1e3 => format!("{y:.0}"),
        y if y < 0.1 => lang.numbers.fixed(y, 3).trim_end_matches('0').to_owned(),
        y => lang.numbers.fixed(y, 1),
    }
}

fn describe(course: &Course, lang: &Language) -> Result<String> {
    let (Some(train_first), Some(test_first)) = (course.train.first(), course.test.first()) else {
        return Ok(String::new());
    };
    let last = course.test.len();
    let fixed = |loss: &Loss| lang.numbers.loss(loss.mean);
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

/// A panel to be drawn.
struct Panel<'a, 'b> {
    area: &'a Canvas<'b>,
    course: &'a Course<'a>,
    lang: &'a Language,
}

/// Where epochs and losses are on a panel's canvas.
struct PanelScale<'a> {
    pixel: &'a dyn Fn(f64, f64) -> (i32, i32),
    range: Range<f64>,
    /// The ends of the axis of epochs.
    epochs: Range<f64>,
}

impl PanelScale<'_> {
    /// The pixel of a loss after an epoch, counted from 0; losses beyond the axis are drawn at its end.
    fn of(&self, epoch: usize, loss: f64) -> (i32, i32) {
        (self.pixel)((epoch + 1) as f64, loss.clamp(self.range.start.max(LEAST), self.range.end))
    }

    fn means(&self, losses: &[Loss]) -> Vec<(i32, i32)> {
        losses.iter().enumerate().map(|(i, loss)| self.of(i, loss.mean)).collect()
    }
}

impl Panel<'_, '_> {
    fn draw<Y>(&self, range: Range<f64>, y: Y) -> Result<()>
    where
        Y: AsRangedCoord<Value = f64>,
        Y::CoordDescType: ValueFormatter<f64>,
    {
        let last = self.course.test.len();
        let epochs = 0.8..(last as f64).max(1.2) + 0.05;
        centred(self.area, self.course.title, (self.area.dim_in_pixel().0 as i32 / 2, 14), &font(SIZE + 1.0, INK))?;
        let mut chart = ChartBuilder::on(self.area)
            .margin_top(36)
            .margin_right(66)
            .margin_left(8)
            .margin_bottom(6)
            .x_label_area_size(38)
            .y_label_area_size(52)
            .build_cartesian_2d(epochs.clone(), y)?;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .light_line_style(GRID.mix(0.0))
            .bold_line_style(GRID)
            .axis_style(MUTED)
            .label_style(font(SIZE - 1.0, MUTED))
            .axis_desc_style(font(SIZE, INK))
            .x_desc(self.lang.word("figures.epoch")?)
            .y_desc(self.lang.word("figures.curves.loss")?)
            .x_labels(last.min(7))
            // Labels are whole epochs: as many as fit, the others blank.
            .x_label_formatter(&|x| if x.fract().abs() < 1e-9 { format!("{x:.0}") } else { String::new() })
            .y_label_formatter(&|y| loss_label(*y, self.lang))
            .y_labels(6)
            .draw()?;
        let (left, top) = self.area.get_base_pixel();
        let pixel = |epoch, loss| {
            let (x, y) = chart.backend_coord(&(epoch, loss));
            (x - left, y - top)
        };
        let scale = PanelScale { pixel: &pixel, range, epochs };
        self.chance(&scale)?;
        self.bands(&scale)?;
        self.lines(&scale)?;
        self.turn(&scale)
    }

    /// The loss of a network that knows nothing: all ten digits equally likely.
    fn chance(&self, scale: &PanelScale) -> Result<()> {
        let chance = libm::log(CLASSES as f64);
        if !scale.range.contains(&chance) {
            return Ok(());
        }
        let ends = [scale.epochs.start, scale.epochs.end].map(|epoch| (scale.pixel)(epoch, chance));
        self.area.draw(&DashedPathElement::new(ends, 2, 3, MUTED))?;
        let (label, at) = (format!("ln {CLASSES}"), (ends[0].0 + 6, ends[0].1 - 8));
        text(self.area, &label, at, &font(SIZE - 1.0, MUTED), HPos::Left, VPos::Center)
    }

    fn bands(&self, scale: &PanelScale) -> Result<()> {
        for (losses, color) in [(&self.course.train, ORANGE), (&self.course.test, BLUE)] {
            let bounds: Vec<(usize, Interval)> =
                losses.iter().enumerate().filter_map(|(i, loss)| Some((i, loss.interval?))).collect();
            let upper = bounds.iter().map(|(i, interval)| scale.of(*i, interval.upper));
            let lower = bounds.iter().rev().map(|(i, interval)| scale.of(*i, interval.lower));
            self.area.draw(&Polygon::new(upper.chain(lower).collect::<Vec<_>>(), color.mix(0.18)))?;
        }
        Ok(())
    }

    fn lines(&self, scale: &PanelScale) -> Result<()> {
        let (train, test) = (scale.means(&self.course.train), scale.means(&self.course.test));
        self.area.draw(&DashedPathElement::new(train.clone(), 6, 4, ORANGE.stroke_width(2)))?;
        line(self.area, &test, BLUE.stroke_width(2))?;
        for (points, color) in [(&train, ORANGE), (&test, BLUE)] {
            points.iter().try_for_each(|at| self.area.draw(&Circle::new(*at, 3, color.filled())))?;
        }
        let (Some(train), Some(test)) = (train.last(), test.last()) else { return Ok(()) };
        // Labels that would overlap are moved apart, each to its own side.
        let overlap = (15 - (train.1 - test.1).abs()).max(0);
        let apart = (overlap + 1) / 2 + 1;
        let up = if overlap == 0 {
            0
        } else if train.1 <= test.1 {
            apart
        } else {
            -apart
        };
        for (key, at, color) in
            [("figures.curves.training", train.1 - up, ORANGE), ("figures.curves.test", test.1 + up, BLUE)]
        {
            text(self.area, &self.lang.word(key)?, (train.0 + 8, at), &font(SIZE, color), HPos::Left, VPos::Center)?;
        }
        Ok(())
    }

    /// Marks the lowest test loss, where it rises again.
    fn turn(&self, scale: &PanelScale) -> Result<()> {
        let Some(epoch) = self.course.turn() else { return Ok(()) };
        let label = self.lang.say("figures.curves.turn", context! { epoch })?;
        let (x, y) = scale.of(epoch - 1, self.course.test[epoch - 1].mean);
        let top = (scale.pixel)(epoch as f64, scale.range.end).1;
        self.area.draw(&DashedPathElement::new([(x, top), (x, y - 5)], 2, 3, BLUE))?;
        self.area.draw(&Circle::new((x, y), 6, BLUE.stroke_width(1)))?;
        // Above the plot, where no line of the grid crosses it.
        centred(self.area, &label, (x, top - 7), &font(SIZE - 1.0, BLUE))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Templates;
    use crate::text::Lang;

    /// Axes are drawn from the smallest to the largest loss that results may have, whatever is between.
    #[test]
    fn any_loss_of_a_finished_run_can_be_drawn() {
        let language = Templates::built_in().language(Lang::Uk).unwrap();
        let sizes = [0.0, 1e-38, 1e-6, 0.3, 2.3, 1e6, 1e17, 3.4e38, 9e38];
        for low in sizes {
            for high in sizes {
                let loss = |mean| Loss { mean, interval: Some(Interval { lower: -mean, upper: 8.0 * mean }) };
                let course = |title| Course {
                    title,
                    evaluated: false,
                    seeds: 3,
                    no_interval: None,
                    train: vec![loss(high), loss(low)],
                    test: vec![loss(low), loss(high)],
                };
                let svg = drawn("name".into(), &[course("a"), course("b")], &language).unwrap().svg;
                assert!(svg.len() < 40_000 && !svg.contains("NaN") && !svg.contains("inf"), "{low} to {high}: {svg}");
            }
        }
    }
}
