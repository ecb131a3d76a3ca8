//! One panel of loss curves, with the learning rate below where it changes.

use super::super::labels::{Legend, spread};
use super::super::prelude::*;
use super::super::scale::Scale;
use super::course::{Course, Loss};
use super::plot::{LEFT, Plot, tick_label};
use super::zoom::Zoom;

const PLOT: i32 = 136;
/// Room for the titles of runs beside their curves.
const RIGHT_OF_RUNS: i32 = 196;
const RATES: i32 = 54;
/// The words beside the curves of one run.
const TRAINING: &str = "figures.curves.training";
const VALIDATION: &str = "figures.curves.validation";
const TEST: &str = "figures.curves.test";
/// Below a plot: labels of ticks, and the axis's title.
const BELOW: i32 = 42;

/// What a panel draws: one run, or several in one plot.
pub(super) struct Panel<'a> {
    pub courses: &'a [Course<'a>],
    /// The scale of losses, whose pixels each panel sets.
    pub losses: Scale,
    pub sheet: Sheet,
    pub lang: &'a Language,
}

impl Panel<'_> {
    pub(super) fn is_of_one_run(&self) -> bool {
        self.courses.len() == 1
    }

    pub(super) fn height(&self, width: i32) -> i32 {
        let zoom = if self.zoom().is_some() { Zoom::HEIGHT } else { 0 };
        let rates = if self.has_schedule() { LINE + RATES + 22 } else { 0 };
        self.top(width) + PLOT + zoom + rates + BELOW
    }

    /// The end of the test loss on a linear axis, where the panel's own axis hides that it rises.
    pub(super) fn zoom(&self) -> Option<Zoom> {
        let [course] = self.courses else { return None };
        Zoom::of(course, Scale { from: PLOT, to: 0, ..self.losses })
    }

    fn has_schedule(&self) -> bool {
        self.courses.iter().any(|course| course.has_schedule)
    }

    /// The title of a panel of one run; the titles of several are beside their curves.
    fn title(&self, width: i32) -> Vec<String> {
        match self.courses {
            [course] => wrapped(course.title, TITLE, width, 2),
            _ => Vec::new(),
        }
    }

    /// Draws the titles of several runs above their curves, on sheets that have no room beside them.
    fn legend(&self, width: i32) -> Option<Legend> {
        let runs = self.courses.iter().map(|course| (course.title, course.series));
        (!self.is_of_one_run() && !self.sheet.has_columns()).then(|| Legend::of(runs, width))
    }

    /// Where the plot begins: below the title or the legend, the axis's name and the turning point's.
    fn top(&self, width: i32) -> i32 {
        let legend = self.legend(width).map_or(0, |legend| legend.height() + 6);
        self.title(width).len() as i32 * (LINE + 2) + legend + 2 * LINE + 8
    }

    pub(super) fn draw(&self, area: &Canvas, width: i32) -> Result<()> {
        let title_lines = self.title(width);
        for (i, line) in title_lines.iter().enumerate() {
            text(area, line, (0, 9 + i as i32 * (LINE + 2)), &title(), HPos::Left, VPos::Center)?;
        }
        let top = self.top(width);
        let base = top + PLOT;
        let epochs = self.courses.iter().map(Course::epochs).max().unwrap_or(1).max(1) as f64;
        let right = width - self.right_margin()?;
        let plot = Plot {
            epochs: Scale::linear((0.0, epochs), (LEFT, right)),
            losses: Scale { from: base, to: top, ..self.losses },
        };
        let is_logarithmic = self.losses.logarithmic;
        let loss = if is_logarithmic { "figures.curves.loss_logarithmic" } else { "figures.curves.loss" };
        let loss = wrapped(&self.lang.word(loss)?, LABEL, width, 1).concat();
        if let Some(legend) = self.legend(width) {
            legend.draw(area, (0, 8))?;
        }
        text(area, &loss, (0, top - 2 * LINE + 4), &label(MUTED), HPos::Left, VPos::Center)?;
        plot.grid(area, self.lang, 7)?;
        self.chance(area, &plot)?;
        match self.courses {
            [course] => self.one(area, &plot, course)?,
            courses => {
                several(area, &plot, courses)?;
                if self.legend(width).is_none() {
                    titles_beside(area, &plot, courses)?;
                }
            }
        }
        let mut bottom = base;
        if let Some(zoom) = self.zoom() {
            zoom.draw(area, self.lang, &plot, (&self.courses[0], base))?;
            bottom += Zoom::HEIGHT;
        }
        if self.has_schedule() {
            bottom += 22 + LINE + RATES;
            self.rates(area, &plot, (bottom - RATES, bottom))?;
        }
        self.epoch_axis(area, &plot, bottom)
    }

    fn right_margin(&self) -> Result<i32> {
        if !self.is_of_one_run() {
            return Ok(if self.sheet.has_columns() { RIGHT_OF_RUNS } else { 12 });
        }
        let mut keys = vec![TRAINING, TEST];
        if self.courses.iter().any(|course| !course.validation.is_empty()) {
            keys.push(VALIDATION);
        }
        let words = keys.into_iter().map(|key| self.lang.word(key)).collect::<Result<Vec<_>>>()?;
        Ok(words.iter().map(|word| width_of(word, LABEL)).max().unwrap_or(0) + 14)
    }

    /// The axis of epochs at the bottom of the panel.
    fn epoch_axis(&self, area: &Canvas, plot: &Plot, bottom: i32) -> Result<()> {
        line(area, &[(LEFT, bottom), (plot.epochs.to, bottom)], MUTED)?;
        let most = usize::try_from((plot.epochs.to - LEFT) / 36).unwrap_or(1);
        for tick in plot.epochs.ticks(most).into_iter().filter(|tick| tick.fract().abs() < 1e-9) {
            let x = plot.epochs.at(tick);
            line(area, &[(x, bottom), (x, bottom + 4)], MUTED)?;
            centred(area, &self.lang.numbers.fixed(tick, 0), (x, bottom + 14), &label(MUTED))?;
        }
        let same = |value: fn(&Course) -> usize| self.courses.iter().all(|c| value(c) == value(&self.courses[0]));
        let axis = if same(|c| c.steps_per_epoch) && same(|c| c.batch) {
            let (steps, batch) = (self.courses[0].steps_per_epoch, self.courses[0].batch);
            self.lang.say("figures.curves.epoch_of", context! { steps, batch })?
        } else {
            self.lang.word("figures.epoch")?
        };
        centred(area, &axis, (i32::midpoint(LEFT, plot.epochs.to), bottom + 32), &label(MUTED))
    }

    /// The loss of a network that knows nothing: all classes equally likely.
    fn chance(&self, area: &Canvas, plot: &Plot) -> Result<()> {
        let classes = self.courses.first().map_or(0, |course| course.classes);
        let chance = libm::log(classes as f64);
        if !(plot.losses.low..=plot.losses.high).contains(&chance) {
            return Ok(());
        }
        let (y, right) = (plot.losses.at(chance), plot.epochs.to);
        area.draw(&DashedPathElement::new([(LEFT, y), (right, y)], 2, 3, MUTED))?;
        let loss = self.lang.numbers.fixed(chance, 2);
        let words = self.lang.say("figures.curves.chance", context! { classes, loss })?;
        let fits = width_of(&words, LABEL) <= right - LEFT - 4;
        let words = if fits { &words } else { words.split(':').next().unwrap_or_default() };
        let size = (width_of(words, LABEL), LINE);
        let (start, end) = (LEFT + 4, right - 2);
        let left_ends = [(end - size.0, y + 11), (end - size.0, y - 11), (start, y + 11), (start, y - 11)];
        let chosen = emptiest(left_ends, size, (plot.losses.to, plot.losses.from), &self.curves(plot));
        let (x, anchor) = if chosen.0 == start { (start, HPos::Left) } else { (end, HPos::Right) };
        text(area, words, (x, chosen.1), &label(MUTED), anchor, VPos::Center)
    }

    /// The pixels of all losses, as lines.
    fn curves(&self, plot: &Plot) -> Vec<Vec<(i32, i32)>> {
        let of_run = |course: &Course| {
            let lines = [&course.groups, &course.smooth, &course.test_line, &course.validation_line];
            let marks = [&course.train, &course.validation, &course.test];
            lines.map(|points| plot.line(points)).into_iter().chain(marks.map(|losses| plot.marks(losses)))
        };
        self.courses.iter().flat_map(of_run).collect()
    }

    /// The curves of one run: training and test in their colours, the gap between them shaded.
    fn one(&self, area: &Canvas, plot: &Plot, course: &Course) -> Result<()> {
        if let Some(gap) = course.gap() {
            area.draw(&Polygon::new(plot.line(&gap), BLUE.mix(0.12)))?;
        }
        line(area, &plot.line(&course.groups), ORANGE.mix(0.4))?;
        line(area, &plot.line(&course.smooth), ORANGE.stroke_width(2))?;
        let radius = radius(plot, course);
        let [train, validation, test] =
            [&course.train, &course.validation, &course.test].map(|losses| plot.marks(losses));
        bars(area, plot, &course.train, &train, ORANGE)?;
        bars(area, plot, &course.validation, &validation, GREEN)?;
        bars(area, plot, &course.test, &test, BLUE)?;
        if !validation.is_empty() {
            line(area, &plot.line(&course.validation_line), GREEN)?;
        }
        line(area, &plot.line(&course.test_line), BLUE)?;
        for (x, y) in &train {
            let corners = [(x - radius, y - radius), (x + radius, y + radius)];
            area.draw(&Rectangle::new(corners, ORANGE.filled()))?;
        }
        let size = radius + 1;
        for (x, y) in &validation {
            let corners = [(*x, y - size), (x - size, y + size), (x + size, y + size)];
            area.draw(&Polygon::new(corners, GREEN.filled()))?;
        }
        for (i, at) in test.iter().enumerate() {
            let inside = if course.reported == Some(i + 1) { BLUE } else { PAPER };
            area.draw(&Circle::new(*at, radius, inside.filled()))?;
            area.draw(&Circle::new(*at, radius, BLUE.stroke_width(2)))?;
        }
        self.turn(area, plot, course)?;
        let train_end = train.last().copied().or_else(|| Some(plot.at(*course.smooth.last()?)));
        let [validation_end, test_end] = [&validation, &test].map(|marks| marks.last().copied());
        let ends = [(TRAINING, train_end, ORANGE), (VALIDATION, validation_end, GREEN), (TEST, test_end, BLUE)];
        let ends: Vec<(&str, i32, RGBColor)> =
            ends.iter().filter_map(|(k, at, color)| Some((*k, at.as_ref()?.1, *color))).collect();
        let heights: Vec<(i32, i32)> = ends.iter().map(|(_, y, _)| (*y, LINE)).collect();
        let middles = spread(&heights, (plot.losses.to, plot.losses.from));
        for ((key, _, color), y) in ends.iter().zip(middles) {
            text(area, &self.lang.word(key)?, (plot.epochs.to + 9, y), &label(*color), HPos::Left, VPos::Center)?;
        }
        Ok(())
    }

    /// Names the lowest test loss, where it rises again.
    fn turn(&self, area: &Canvas, plot: &Plot, course: &Course) -> Result<()> {
        let Some(epoch) = course.turn() else { return Ok(()) };
        let right = plot.epochs.to + self.right_margin()?;
        let words = self.lang.say("figures.curves.turn", context! { epoch })?;
        let fits = width_of(&words, LABEL) <= right - LEFT;
        let words = if fits { words } else { self.lang.say("figures.curves.turn_short", context! { epoch })? };
        let (x, y) = plot.at((epoch as f64, course.test[epoch - 1].mean));
        let top = plot.losses.to;
        area.draw(&DashedPathElement::new([(x, top - 2), (x, y - 6)], 2, 3, BLUE))?;
        let half = width_of(&words, LABEL) / 2;
        let x = x.clamp(LEFT + half, (right - half).max(LEFT + half));
        centred(area, &words, (x, top - 10), &label(BLUE))
    }

    /// The learning rate by step, between two heights.
    fn rates(&self, area: &Canvas, plot: &Plot, (top, bottom): (i32, i32)) -> Result<()> {
        let all = self.courses.iter().flat_map(|c| &c.rates).map(|(_, rate)| *rate);
        let highest = all.fold(0.0, f64::max).max(f64::MIN_POSITIVE);
        let scale = Scale::linear((0.0, highest * 1.05), (bottom, top));
        let words = self.lang.word("figures.curves.rate")?;
        text(area, &words, (0, top - 12), &label(MUTED), HPos::Left, VPos::Center)?;
        for tick in scale.ticks(2) {
            let y = scale.at(tick);
            line(area, &[(LEFT, y), (plot.epochs.to, y)], GRID)?;
            text(area, &tick_label(tick, self.lang), (LEFT - 7, y), &label(MUTED), HPos::Right, VPos::Center)?;
        }
        for course in self.courses {
            let points: Vec<(i32, i32)> =
                course.rates.iter().map(|(epoch, rate)| (plot.epochs.at(*epoch), scale.at(*rate))).collect();
            let color = if self.is_of_one_run() { INK } else { series_color(course.series) };
            line(area, &points, color.stroke_width(2))?;
        }
        Ok(())
    }
}

/// The place of a label, by the left end of its middle line, that the fewest pixels of curves cross: the first one, if it is as good
/// as any. Places that are not between two heights come last.
fn emptiest(
    places: [(i32, i32); 4],
    (width, height): (i32, i32),
    (top, base): (i32, i32),
    curves: &[Vec<(i32, i32)>],
) -> (i32, i32) {
    let crossed = |(left, middle): (i32, i32)| {
        let (from, to) = (middle - height / 2, middle + height / 2);
        let is_inside = |(x, y): (i32, i32)| (left..=left + width).contains(&x) && (from..=to).contains(&y);
        let along = |ends: &[(i32, i32)]| {
            let [(x0, y0), (x1, y1)] = [ends[0], ends[1]];
            let steps = (x1 - x0).abs().max((y1 - y0).abs()).max(1);
            (0..=steps).filter(|step| is_inside((x0 + (x1 - x0) * step / steps, y0 + (y1 - y0) * step / steps))).count()
        };
        let pixels: usize = curves.iter().flat_map(|points| points.windows(2)).map(along).sum();
        let alone = curves.iter().filter(|points| points.len() == 1 && is_inside(points[0])).count();
        (from < top || to > base, pixels + alone)
    };
    places.into_iter().min_by_key(|place| crossed(*place)).unwrap_or(places[0])
}

/// The curves of several runs, each in its colour and with its marks.
fn several(area: &Canvas, plot: &Plot, courses: &[Course]) -> Result<()> {
    for course in courses {
        line(area, &plot.line(&course.groups), series_color(course.series).mix(0.3))?;
    }
    for course in courses {
        let color = series_color(course.series);
        let smooth = plot.line(&course.smooth);
        match course.series % 3 {
            0 => line(area, &smooth, color.stroke_width(2))?,
            1 => area.draw(&DashedPathElement::new(smooth, 9, 4, color.stroke_width(2)))?,
            _ => area.draw(&DashedPathElement::new(smooth, 3, 3, color.stroke_width(2)))?,
        }
    }
    let marks: Vec<Vec<(i32, i32)>> = courses.iter().map(|course| plot.marks(&course.test)).collect();
    for (course, marks) in courses.iter().zip(side_by_side(marks, plot.epochs.to)) {
        bars(area, plot, &course.test, &marks, series_color(course.series))?;
        marks.into_iter().try_for_each(|at| mark(area, course.series, at))?;
    }
    Ok(())
}

/// The marks of several runs, those that would cover one another moved apart. Where epochs are too close for that, none is moved.
fn side_by_side(mut marks: Vec<Vec<(i32, i32)>>, right: i32) -> Vec<Vec<(i32, i32)>> {
    const APART: i32 = 10;
    let epochs = marks.iter().map(Vec::len).max().unwrap_or(0);
    let room = (right - LEFT) / epochs.max(1) as i32;
    if room < APART * (marks.len() as i32 + 1) {
        return marks;
    }
    for epoch in 0..epochs {
        let mut order: Vec<usize> = (0..marks.len()).filter(|run| epoch < marks[*run].len()).collect();
        let heights: Vec<i32> = marks.iter().map(|run| run.get(epoch).map_or(0, |(_, y)| *y)).collect();
        order.sort_by_key(|run| heights[*run]);
        for covered in order.chunk_by(|above, below| heights[*below] - heights[*above] < APART) {
            let width = (covered.len() as i32 - 1) * APART;
            let middle = marks[covered[0]][epoch].0.min(right - width / 2);
            for (i, run) in covered.iter().enumerate() {
                marks[*run][epoch].0 = middle - width / 2 + i as i32 * APART;
            }
        }
    }
    marks
}

/// The titles of several runs beside the ends of their curves.
fn titles_beside(area: &Canvas, plot: &Plot, courses: &[Course]) -> Result<()> {
    let titles: Vec<Vec<String>> = courses.iter().map(|c| wrapped(c.title, LABEL, RIGHT_OF_RUNS - 38, 3)).collect();
    let end = |course: &Course| {
        let smooth = course.smooth.last().map_or(plot.losses.from, |end| plot.at(*end).1);
        course.test.last().map_or(smooth, |test| i32::midpoint(smooth, plot.losses.at(test.mean)))
    };
    let heights: Vec<(i32, i32)> =
        courses.iter().zip(&titles).map(|(c, title)| (end(c), title.len() as i32 * LINE)).collect();
    let middles = spread(&heights, (plot.losses.to, plot.losses.from));
    for ((course, title), y) in courses.iter().zip(&titles).zip(middles) {
        let first = y - (title.len() as i32 - 1) * LINE / 2;
        mark(area, course.series, (plot.epochs.to + 22, first))?;
        lines(area, title, (plot.epochs.to + 34, first), &label(series_color(course.series)), HPos::Left)?;
    }
    Ok(())
}

/// Marks that would touch are drawn smaller.
fn radius(plot: &Plot, course: &Course) -> i32 {
    let apart = (plot.epochs.to - LEFT) / course.epochs().max(1) as i32;
    if apart < 14 { 2 } else { 4 }
}

/// The intervals of losses after each epoch, at their marks.
fn bars(area: &Canvas, plot: &Plot, losses: &[Loss], marks: &[(i32, i32)], color: RGBColor) -> Result<()> {
    for (loss, (x, _)) in losses.iter().zip(marks) {
        let Some(interval) = loss.interval else { continue };
        let [upper, lower] = [interval.upper, interval.lower].map(|end| (*x, plot.losses.at(end)));
        line(area, &[upper, lower], color)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{emptiest, side_by_side};

    #[test]
    fn the_label_of_the_chance_line_is_where_no_curve_is() {
        let places = [(300, 61), (300, 39), (50, 61), (50, 39)];
        let chosen = |curves: &[Vec<(i32, i32)>]| emptiest(places, (90, 14), (0, 136), curves);
        let falls = vec![(50, 45), (60, 90), (400, 120)];
        assert_eq!(chosen(std::slice::from_ref(&falls)), places[0]);
        let stays_below = vec![(50, 60), (400, 60)];
        assert_eq!(chosen(&[falls.clone(), stays_below.clone()]), places[1]);
        let stays_above = vec![(200, 40), (400, 40)];
        assert_eq!(chosen(&[stays_above, vec![(200, 60), (400, 60)]]), places[2]);
        assert_eq!(emptiest(places, (90, 14), (40, 136), &[falls, stays_below]), places[0], "the others are outside");
    }

    #[test]
    fn marks_that_would_cover_one_another_are_moved_apart() {
        let moved = side_by_side(vec![vec![(100, 50), (200, 50)], vec![(100, 52), (200, 90)]], 400);
        assert_eq!(moved, [[(95, 50), (200, 50)], [(105, 52), (200, 90)]]);
        let at_the_edge = side_by_side(vec![vec![(400, 50)], vec![(400, 52)], vec![(400, 54)]], 400);
        assert_eq!(at_the_edge, [[(380, 50)], [(390, 52)], [(400, 54)]]);
    }

    #[test]
    fn marks_of_many_epochs_stay_where_they_are() {
        let run: Vec<(i32, i32)> = (1..=40).map(|epoch| (60 + 9 * epoch, 50)).collect();
        assert_eq!(side_by_side(vec![run.clone(), run.clone()], 420), [run.clone(), run]);
    }
}
