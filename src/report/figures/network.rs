//! A network as blocks whose height and width follow their tensors, with the layers at the arrows between them.

use indexmap::IndexMap;

use super::prelude::*;
use crate::model::{Padding, Pair, Window};
use crate::results::{LayerFacts, ModelFacts};
use crate::text::numbers::dimensions;

/// A cell: an arrow with its layers, then the block that they give. The words at an arrow fit between two blocks.
const CELL: i32 = 108;
/// The middle of the image: its name is above it and to its left, the words at the next arrow to its right.
const IMAGE: i32 = 62;
/// Room for half of the shape below a block.
const HALF_OF_SHAPE: i32 = 50;
/// The middle of the first block of a further row: its arrow, which comes from the row above, has words, too.
const AFTER_ARROW: i32 = WORDS + WIDEST / 2 + 8;
const TALLEST: i32 = 60;
const WIDEST: i32 = 34;
const LEAST: i32 = 8;
/// The room for words above an arrow.
const WORDS: i32 = CELL - WIDEST - 2;
/// The room for the shortcuts of residual blocks, below a row.
const SHORTCUTS: i32 = 14;

/// A block with the layers that give it.
struct Step<'a> {
    layers: &'a [LayerFacts],
    /// The `groups` of each layer; 1 for one that has none.
    groups: Vec<usize>,
    /// For one image.
    shape: &'a [usize],
    shortcut: Option<Shortcut<'a>>,
}

/// What a residual block adds to the output of its last layer.
struct Shortcut<'a> {
    /// The block's first layer, whose input is added.
    layer: &'a str,
    /// The index of that input among the steps, of which the image is the first.
    from: usize,
}

/// A model, the `groups` of its layers, and all models of the study.
type Drawn<'a> = (&'a ModelFacts, &'a [usize], &'a IndexMap<String, ModelFacts>);

/// The figure of one of the study's models: the image, then every layer in order. Its caption explains what is drawn if it
/// is the first: then `explained` is the number of the first and of the last figure of a network.
pub(crate) fn network(
    name: &str,
    title: &str,
    models: Drawn,
    explained: Option<(usize, usize)>,
    lang: &Language,
) -> Result<Drawing> {
    on_both_sheets(Width::Full, |sheet| drawn((name, title), models, explained, sheet, lang))
}

fn drawn(
    (name, title): (&str, &str),
    (model, groups, models): Drawn,
    explained: Option<(usize, usize)>,
    sheet: Sheet,
    lang: &Language,
) -> Result<Drawing> {
    let residual = model.layers.iter().any(|layer| layer.inner_layers.is_some());
    let (number, last) = explained.unwrap_or((1, 0));
    let values = context! { title, explained => last + 1 - number, number, residual };
    let caption = lang.say("figures.network.caption", values)?;
    let input = model.layers.first().map_or(&[][..], |l| of_one_image(&l.input_shape));
    let named = |l: &LayerFacts| format!("{} {}", l.name, dimensions(of_one_image(&l.output_shape)));
    let layers = model.layers.iter().map(named).collect::<Vec<_>>().join("; ");
    let description = lang.say("figures.network.description", context! { input => dimensions(input), layers })?;
    let steps = steps(model, groups);
    let image = Step { layers: &[], groups: Vec::new(), shape: input, shortcut: None };
    let all: Vec<&Step> = std::iter::once(&image).chain(&steps).collect();
    let sizes = Sizes::of(models);
    let shortcut = |(to, step): (usize, &&Step)| step.shortcut.as_ref().map(|shortcut| (shortcut.from, to));
    let shortcuts: Vec<(usize, usize)> = all.iter().enumerate().filter_map(shortcut).collect();
    let mut rows: Vec<Row> = Vec::new();
    let (mut rest, mut before) = (&all[..], 0);
    while !rest.is_empty() {
        let first = if before == 0 { IMAGE } else { AFTER_ARROW };
        let room = 1 + (sheet.pixels() - first - HALF_OF_SHAPE) / CELL;
        let (steps, further) = rest.split_at(rest.len().min(room as usize));
        rows.push(Row::of(steps, (before, first), &shortcuts, lang)?);
        (rest, before) = (further, before + steps.len());
    }
    let height: i32 = rows.iter().map(Row::height).sum();
    let titles = Titles { name: name.to_owned(), caption, description };
    let drawing = draw(titles, sheet, height as u32, |root| {
        let mut top = 0;
        for (i, row) in rows.iter().enumerate() {
            row.draw(root, top, &sizes)?;
            if i == 0 {
                let word = lang.word("figures.network.image")?;
                // Ends with its block, so that it does not touch the words at the first arrow.
                let (width, height) = sizes.of_block(image.shape);
                let at = (IMAGE + width / 2, row.middle(top) - height / 2 - 10);
                text(root, &word, at, &label(INK), HPos::Right, VPos::Center)?;
            }
            top += row.height();
        }
        Ok(())
    });
    drawing.map(Drawing::without_description)
}

fn of_one_image(shape: &[usize]) -> &[usize] {
    shape.get(1..).unwrap_or_default()
}

/// The layers up to each one that gives another shape or moves a window; those that change values one by one go with the next.
/// The input and the output of a residual block are blocks of the figure, too.
fn steps<'a>(model: &'a ModelFacts, groups: &[usize]) -> Vec<Step<'a>> {
    let start_of = |(i, layer): (usize, &LayerFacts)| i.checked_sub(layer.inner_layers?);
    let starts: Vec<usize> = model.layers.iter().enumerate().filter_map(start_of).collect();
    let (mut steps, mut start, mut from) = (Vec::new(), 0, 0);
    for (i, layer) in model.layers.iter().enumerate() {
        if starts.contains(&i) {
            from = steps.len();
        }
        let first = start_of((i, layer)).map(|first| model.layers[first].name.as_str());
        let gives_block = layer.window.is_some() || layer.input_shape != layer.output_shape || first.is_some();
        if gives_block || starts.contains(&(i + 1)) || i + 1 == model.layers.len() {
            let shortcut = first.map(|layer| Shortcut { layer, from });
            // A hostile results.json may have other layers than the study.
            let groups = (start..=i).map(|at| groups.get(at).copied().unwrap_or(1)).collect();
            let (layers, shape) = (&model.layers[start..=i], of_one_image(&layer.output_shape));
            steps.push(Step { layers, groups, shape, shortcut });
            start = i + 1;
        }
    }
    steps
}

/// The largest dimensions of all networks' tensors, by which blocks are drawn: figures can be compared.
struct Sizes {
    side: usize,
    channels: usize,
    features: usize,
}

impl Sizes {
    fn of(models: &IndexMap<String, ModelFacts>) -> Self {
        let layers = models.values().flat_map(|model| &model.layers);
        let shapes: Vec<&[usize]> =
            layers.flat_map(|l| [&l.input_shape, &l.output_shape]).map(|shape| of_one_image(shape)).collect();
        let most =
            |dimension: &dyn Fn(&[usize]) -> usize| shapes.iter().map(|s| dimension(s)).max().unwrap_or(1).max(1);
        Self {
            side: most(&|shape| if let [_, height, width] = shape { *height.max(width) } else { 1 }),
            channels: most(&|shape| if let [channels, _, _] = shape { *channels } else { 1 }),
            features: most(&|shape| if let [features] = shape { *features } else { 1 }),
        }
    }

    /// A block's width and height: an image's side is drawn to scale, channels and features by their logarithm, because they
    /// go from one to thousands.
    fn of_block(&self, shape: &[usize]) -> (i32, i32) {
        let scaled = |n: f64, most: f64, length: i32| LEAST + (f64::from(length - LEAST) * n / most).round() as i32;
        let log = |n: usize| libm::log2(n as f64 + 1.0);
        match shape {
            [channels, height, _] => {
                let width = scaled(log(*channels), log(self.channels), WIDEST);
                (width, scaled(*height as f64, self.side as f64, TALLEST))
            }
            [features] => (LEAST, scaled(log(*features), log(self.features), TALLEST)),
            _ => (LEAST, LEAST),
        }
    }
}

/// A row of blocks with the words at their arrows.
struct Row<'a> {
    steps: &'a [&'a Step<'a>],
    /// The middle of the first block.
    first: i32,
    /// For each step its lines, each with whether it is a count of parameters.
    words: Vec<Vec<(String, bool)>>,
    /// The first and last column of each shortcut; outside the row if it begins or ends in another one.
    shortcuts: Vec<(i32, i32)>,
}

impl<'a> Row<'a> {
    /// `before` is the number of steps in the rows above, `shortcuts` are those of all rows.
    fn of(
        steps: &'a [&'a Step<'a>],
        (before, first): (usize, i32),
        shortcuts: &[(usize, usize)],
        lang: &Language,
    ) -> Result<Self> {
        let of_step = |step: &&Step| {
            let each = step.layers.iter().zip(&step.groups);
            let lines = each.map(|(layer, groups)| words(layer, *groups, lang)).collect::<Result<Vec<_>>>()?;
            let mut lines = lines.concat();
            if let Some(Shortcut { layer, .. }) = step.shortcut {
                let added = lang.say("figures.network.residual", context! { layer })?;
                lines.extend(wrapped(&added, LABEL, WORDS, 3).into_iter().map(|line| (line, false)));
            }
            Ok(lines)
        };
        let columns = |&(from, to): &(usize, usize)| (from as i32 - before as i32, to as i32 - before as i32);
        let is_here = |&(from, to): &(i32, i32)| from < steps.len() as i32 && to >= 0;
        Ok(Self {
            steps,
            first,
            words: steps.iter().map(of_step).collect::<Result<_>>()?,
            shortcuts: shortcuts.iter().map(columns).filter(is_here).collect(),
        })
    }

    /// Room above the arrows.
    fn above(&self) -> i32 {
        let lines = self.words.iter().map(Vec::len).max().unwrap_or(0) as i32;
        // The tallest block may be the image, whose name is above it.
        (TALLEST / 2 + 6 + LINE).max(lines * LINE + 10)
    }

    fn height(&self) -> i32 {
        self.above() + TALLEST / 2 + LINE + 16 + if self.shortcuts.is_empty() { 0 } else { SHORTCUTS }
    }

    /// The height of the arrows.
    fn middle(&self, top: i32) -> i32 {
        top + self.above()
    }

    /// The middle of the block in a column.
    fn block(&self, column: i32) -> i32 {
        self.first + column * CELL
    }

    fn draw(&self, root: &Canvas, top: i32, sizes: &Sizes) -> Result<()> {
        let y = self.middle(top);
        let mut end = 0;
        for (i, (step, words)) in self.steps.iter().zip(&self.words).enumerate() {
            let middle = self.block(i as i32);
            let (width, height) = sizes.of_block(step.shape);
            let (left, right) = (middle - width / 2, middle + width / 2);
            if !words.is_empty() {
                arrow(root, (end + 4, left - 3), y)?;
                for (j, (line, is_count)) in words.iter().rev().enumerate() {
                    let color = if *is_count { BLUE } else { INK };
                    let at = (i32::midpoint(end + 4, left - 3), y - 12 - j as i32 * LINE);
                    centred(root, line, at, &label(color))?;
                }
            }
            let corners = [(left, y - height / 2), (right, y + height / 2)];
            root.draw(&Rectangle::new(corners, color(step.shape).mix(0.22).filled()))?;
            root.draw(&Rectangle::new(corners, color(step.shape).stroke_width(2)))?;
            centred(root, &dimensions(step.shape), (middle, y + TALLEST / 2 + 12), &label(MUTED))?;
            end = right;
        }
        self.shortcuts.iter().try_for_each(|columns| self.draw_shortcut(root, y + TALLEST / 2 + LINE + 6, *columns))
    }

    /// A line below the row, from the input of a residual block to its output. `y` is below the labels.
    fn draw_shortcut(&self, root: &Canvas, y: i32, (from, to): (i32, i32)) -> Result<()> {
        let (columns, low) = (self.steps.len() as i32, y + SHORTCUTS - 4);
        // Where one ends, another may begin.
        let (left, right, end) = (self.block(from) + 4, self.block(to) - 4, self.block(columns - 1) + HALF_OF_SHAPE);
        let mut points = Vec::new();
        points.extend(if from >= 0 { vec![(left, y), (left, low)] } else { vec![(0, low)] });
        points.extend(if to < columns { vec![(right, low), (right, y)] } else { vec![(end, low)] });
        line(root, &points, MUTED)?;
        if to < columns {
            line(root, &[(right - 3, y + 4), (right, y), (right + 3, y + 4)], MUTED)?;
        }
        Ok(())
    }
}

/// What stands at the arrow for a layer: its name with its kernel, its window and groups where they are unusual, and its
/// parameters.
fn words(layer: &LayerFacts, groups: usize, lang: &Language) -> Result<Vec<(String, bool)>> {
    let kernel =
        layer.window.map_or_else(String::new, |w| format!(" {}×{}", w.kernel_size.height, w.kernel_size.width));
    let mut lines: Vec<(String, bool)> = named(&layer.name, &kernel).into_iter().map(|line| (line, false)).collect();
    // A pool's windows do not overlap unless its stride says so.
    let usual = |w: &Window| if layer.parameters > 0 { Pair::square(1) } else { w.kernel_size };
    if let Some(window) = layer.window.filter(|w| w.stride != usual(w)) {
        lines.push((lang.say("figures.network.stride", context! { n => by(window.stride) })?, false));
    }
    if let Some(window) = layer.window.filter(|w| w.padding != Padding::default()) {
        let n = match window.padding {
            Padding::Pixels(pixels) => by(pixels),
            same @ Padding::Same => same.to_string(),
        };
        lines.push((lang.say("figures.network.padding", context! { n })?, false));
    }
    if let Some(window) = layer.window.filter(|w| w.dilation != Pair::square(1)) {
        lines.push((lang.say("figures.network.dilation", context! { n => by(window.dilation) })?, false));
    }
    if groups != 1 {
        lines.push((lang.say("figures.network.groups", context! { n => groups })?, false));
    }
    if layer.parameters > 0 {
        lines.push((lang.numbers.count(layer.parameters), true));
    }
    Ok(lines)
}

/// A layer's name and its kernel, in as many lines as they need.
fn named(name: &str, kernel: &str) -> Vec<String> {
    let whole = format!("{name}{kernel}");
    if width_of(&whole, LABEL) <= WORDS {
        return vec![whole];
    }
    // Names such as `global_pool1` break after an underscore.
    let breakable = whole.replace('_', "_ ");
    let parts = wrapped(&breakable, LABEL, WORDS, 3);
    parts.into_iter().map(|line| line.replace("_ ", "_")).collect()
}

/// One number, or height×width.
fn by(pair: Pair) -> String {
    if pair.height == pair.width { pair.height.to_string() } else { format!("{}×{}", pair.height, pair.width) }
}

fn arrow(root: &Canvas, (from, to): (i32, i32), y: i32) -> Result<()> {
    line(root, &[(from, y), (to, y)], MUTED)?;
    line(root, &[(to - 4, y - 3), (to, y), (to - 4, y + 3)], MUTED)
}

/// Images and features differ in colour.
fn color(shape: &[usize]) -> RGBColor {
    if shape.len() > 2 { GREEN } else { ORANGE }
}

#[cfg(test)]
mod tests;
