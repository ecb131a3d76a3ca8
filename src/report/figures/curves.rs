//! Loss by epoch: a panel a run, training and test loss on a common scale.

use std::ops::Range;

use anyhow::Result;
use plotters::coord::ranged1d::{AsRangedCoord, ValueFormatter};
use plotters::element::DashedPathElement;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::{BLUE, Canvas, Figure, GRID, INK, MUTED, ORANGE, SIZE, draw, failed, font, rows_of_three, text};
use crate::model::CLASSES;
use crate::numbers;
use crate::results::SeedResult;

const PANEL_HEIGHT: u32 = 300;
/// Above this ratio of largest to smallest loss a linear axis hides the small ones.
const LOG_FROM: f64 = 12.0;
/// Where a loss of exactly 0 is drawn on a logarithmic axis.
const LEAST: f64 = 1e-6;

/// The figure of some runs' losses: (title, first seed).
pub fn curves(name: String, runs: &[(&str, &SeedResult)]) -> Result<Figure> {
    let losses = runs.iter().flat_map(|(_, s)| s.epochs.iter().flat_map(|e| [train_loss(e), e.test.loss]));
    let (low, high) = losses.fold((f64::MAX, 0f64), |(l, h), x| (l.min(x), h.max(x)));
    let (low, high) = (low.max(LEAST), high.max(2.0 * LEAST));
    let log = high / low > LOG_FROM;
    let (rows, columns) = rows_of_three(runs.len());
    let titles: Vec<&str> = runs.iter().map(|(title, _)| *title).collect();
    let caption = format!("Loss by epoch: {}", titles.join("; "));
    let description = runs.iter().map(|(title, seed)| describe(title, seed)).collect::<Vec<_>>().join(" ");
    draw(name, caption, description, PANEL_HEIGHT * rows as u32, |root| {
        for (area, (title, seed)) in root.split_evenly((rows, columns)).iter().zip(runs) {
            if log {
                let range = low * 0.7..high * 1.6;
                panel(area, title, seed, range.clone(), range.log_scale())?;
            } else {
                let range = 0.0..high * 1.15;
                panel(area, title, seed, range.clone(), range)?;
            }
        }
        Ok(())
    })
}

fn loss_label(y: &f64) -> String {
    match *y {
        y if y < 1e-9 => "0".into(),
        y if y < 0.1 => numbers::fixed(y, 3).trim_end_matches('0').to_owned(),
        y => numbers::fixed(y, 1),
    }
}

/// Where the training images were evaluated like the test images, that is the fair comparison.
fn train_loss(e: &crate::results::EpochResult) -> f64 {
    e.train_eval.map_or(e.train_loss, |t| t.loss)
}

fn describe(title: &str, seed: &SeedResult) -> String {
    let (first, last) = (&seed.epochs[0], &seed.epochs[seed.epochs.len() - 1]);
    format!(
        "{title}: training loss {} after epoch 1 and {} after epoch {}; test loss {} and {}.",
        numbers::fixed(train_loss(first), 4),
        numbers::fixed(train_loss(last), 4),
        last.epoch,
        numbers::fixed(first.test.loss, 4),
        numbers::fixed(last.test.loss, 4),
    )
}

fn panel<Y>(area: &Canvas, title: &str, seed: &SeedResult, range: Range<f64>, y: Y) -> Result<()>
where
    Y: AsRangedCoord<Value = f64>,
    Y::CoordDescType: ValueFormatter<f64>,
{
    let last = seed.epochs.len() as f64;
    let (width, _) = area.dim_in_pixel();
    text(area, title, (width as i32 / 2, 14), &font(SIZE + 1.0, INK), HPos::Center, VPos::Center)?;
    let mut chart = ChartBuilder::on(area)
        .margin_top(30)
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
        .x_desc("epoch")
        .y_desc("mean cross-entropy")
        .x_labels(seed.epochs.len().min(7))
        .x_label_formatter(&epoch_label)
        .y_label_formatter(&loss_label)
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
    let train: Vec<(f64, f64)> = seed.epochs.iter().map(|e| (e.epoch as f64, train_loss(e).max(LEAST))).collect();
    let test: Vec<(f64, f64)> = seed.epochs.iter().map(|e| (e.epoch as f64, e.test.loss.max(LEAST))).collect();
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
        let style = font(SIZE, color).pos(Pos::new(HPos::Left, VPos::Center));
        area.draw(&Text::new(words, (right, at), style)).map_err(failed)?;
    }
    Ok(())
}
