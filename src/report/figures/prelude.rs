//! What every figure is drawn with: the canvas, colours, text and lines.

use std::borrow::Cow;
use std::fmt::Write as _;

pub(super) use minijinja::context;
use plotters::coord::Shift;
pub(super) use plotters::element::DashedPathElement;
pub(super) use plotters::prelude::*;
use plotters::style::text_anchor::Pos;
pub(super) use plotters::style::text_anchor::{HPos, VPos};

pub(super) use super::Drawing;
pub(super) use crate::report::Language;
use crate::report::document::NarrowFigure;
pub(super) use crate::report::error::Result;
use crate::report::escape::tied;
use crate::results::NoInterval;
use crate::study::Show;

/// What a figure is called, and its text for those who cannot see it.
pub(super) struct Titles {
    pub name: String,
    pub caption: String,
    pub description: String,
}

/// Figures have one of two widths, so that they line up in the page and in print; each has its own height. One unit is a
/// CSS pixel on screen and 180 mm / 760 in print (templates/style.css).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::report) enum Width {
    Full,
    /// Two halves and the gap between them are as wide as a full figure.
    Half,
}

/// The width of a full figure.
pub(in crate::report) const FULL: u32 = 760;
/// The width of half a figure.
pub(in crate::report) const HALF: u32 = 368;

/// The width of every figure on a screen of 360 pixels, beside which the page has 12 pixels on each side.
pub(super) const NARROW: u32 = 336;

/// What a figure is drawn on: as wide as its place in the page and in print, or for screens that have no room for that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sheet {
    Wide(Width),
    Narrow,
}

impl Sheet {
    pub(super) fn pixels(self) -> i32 {
        let pixels = match self {
            Self::Wide(Width::Full) => FULL,
            Self::Wide(Width::Half) => HALF,
            Self::Narrow => NARROW,
        };
        pixels as i32
    }

    /// Whether panels stand beside each other.
    pub(super) fn has_columns(self) -> bool {
        self == Self::Wide(Width::Full)
    }
}

/// A figure of some width, with the same figure for narrow screens.
pub(super) fn on_both_sheets(width: Width, drawn: impl Fn(Sheet) -> Result<Drawing>) -> Result<Drawing> {
    let drawing = drawn(Sheet::Wide(width))?;
    let Drawing { svg, description, .. } = drawn(Sheet::Narrow)?;
    Ok(Drawing { width, narrow: Some(NarrowFigure { svg, description }), ..drawing })
}

/// Text and lines. The page's style sheet replaces exactly these values in its dark colours.
pub(super) const INK: RGBColor = RGBColor(0x1A, 0x1A, 0x1A);
pub(super) const MUTED: RGBColor = RGBColor(0x5F, 0x63, 0x68);
pub(super) const GRID: RGBColor = RGBColor(0xDD, 0xDF, 0xE2);
pub(super) const PAPER: RGBColor = RGBColor(0xFF, 0xFF, 0xFF);
/// Distinguishable for colour-blind readers and in grey (Okabe and Ito 2008).
pub(super) const BLUE: RGBColor = RGBColor(0x00, 0x72, 0xB2);
pub(super) const ORANGE: RGBColor = RGBColor(0xD5, 0x5E, 0x00);
pub(super) const GREEN: RGBColor = RGBColor(0x00, 0x9E, 0x73);
const PURPLE: RGBColor = RGBColor(0xAA, 0x44, 0x99);
const BROWN: RGBColor = RGBColor(0x8C, 0x5A, 0x14);
/// As many as curves may share a panel.
const SERIES: [RGBColor; Show::MAX_TOGETHER] = [ORANGE, BLUE, GREEN, PURPLE, BROWN, INK];

/// The colour of a series: a run has the same in all figures of a report.
pub(super) fn series_color(series: usize) -> RGBColor {
    SERIES[series % SERIES.len()]
}

/// The size of labels, in pixels: no text is smaller. Printed it is 8 pt.
pub(super) const LABEL: f64 = 12.0;
/// The size of the titles of panels.
pub(super) const TITLE: f64 = 14.0;
/// The height of a line of labels.
pub(super) const LINE: i32 = 16;

pub(super) type Canvas<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Draws on a canvas, and gives the SVG a role, a title and a description.
pub(super) fn draw(
    titles: Titles,
    sheet: Sheet,
    height: u32,
    paint: impl FnOnce(&Canvas) -> Result<()>,
) -> Result<Drawing> {
    let pixels = sheet.pixels() as u32;
    let Titles { name, caption, description } = titles;
    let mut body = String::new();
    {
        let root = SVGBackend::with_string(&mut body, (pixels, height)).into_drawing_area();
        root.fill(&PAPER)?;
        paint(&root)?;
        root.present()?;
    }
    // plotters' own opening tag has no role and no title.
    let inner = body.split_once(">\n").map_or("", |(_, inner)| inner);
    // The page has both sheets of a figure.
    let id = format!("figure-{name}{}", if sheet == Sheet::Narrow { "-narrow" } else { "" });
    let escape = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {pixels} {height}\" width=\"{pixels}\" height=\"{height}\" \
         role=\"img\" aria-labelledby=\"{id}-title {id}-desc\">\n<title id=\"{id}-title\">{}</title>\n\
         <desc id=\"{id}-desc\">{}</desc>\n{inner}",
        escape(&caption),
        escape(&description),
    );
    Ok(Drawing { name, caption, description, svg, width: Width::Full, narrow: None, table: None })
}

/// Captions do not name more runs than this where they are all runs of a section.
pub(super) const MOST_NAMED: usize = 6;

/// A sentence for each reason for which some of those shown have no interval. That one seed has none is in the captions.
pub(super) fn without_interval<'a>(
    shown: impl Iterator<Item = (&'a str, Option<NoInterval>)>,
    lang: &Language,
) -> Result<Vec<String>> {
    let shown: Vec<(&str, Option<NoInterval>)> = shown.collect();
    let mut sentences = Vec::new();
    for (reason, key) in [
        (NoInterval::TwoSeeds, "figures.two_seeds"),
        (NoInterval::SameNetwork, "figures.same_network"),
        (NoInterval::SameNetworks, "figures.same_networks"),
        (NoInterval::NoSpread, "figures.no_spread"),
    ] {
        let of_reason = shown.iter().filter(|(_, other)| *other == Some(reason));
        let titles: Vec<String> = of_reason.map(|(title, _)| (*title).to_owned()).collect();
        if !titles.is_empty() {
            let all = titles.len() == shown.len() && titles.len() > MOST_NAMED;
            sentences.push(lang.say(key, context! { titles, all })?);
        }
    }
    Ok(sentences)
}

/// A font whose size in the SVG is `size`: plotters divides by 1.24.
pub(super) fn font(size: f64, color: RGBColor) -> TextStyle<'static> {
    ("sans-serif", size * 1.24).into_font().color(&color)
}

/// Labels of axes and of what is in a figure.
pub(super) fn label(color: RGBColor) -> TextStyle<'static> {
    font(LABEL, color)
}

/// The titles of panels.
pub(super) fn title() -> TextStyle<'static> {
    ("sans-serif", TITLE * 1.24, FontStyle::Bold).into_font().color(&INK)
}

/// About how wide a text is, whatever the font: no font's letters are much wider on average.
pub(super) fn width_of(words: &str, size: f64) -> i32 {
    // Cyrillic letters are wider than Latin ones.
    let width = |c: char| if ('\u{400}'..'\u{530}').contains(&c) { 0.66 } else { 0.58 };
    (words.chars().map(width).sum::<f64>() * size).round() as i32
}

/// A text in lines of at most so many pixels, broken between words; a last line that is still too long, or whose text goes
/// on, ends in an ellipsis.
pub(super) fn wrapped(words: &str, size: f64, pixels: i32, lines: usize) -> Vec<String> {
    let mut broken: Vec<String> = Vec::new();
    // Not at the no-break spaces within numbers, nor, if there is room, where the page's text has some.
    let tied = tied(words);
    let fits = tied.split(' ').all(|word| width_of(word, size) <= pixels);
    for word in if fits { &tied } else { words }.split(' ').filter(|word| !word.is_empty()) {
        match broken.last_mut() {
            Some(line) if width_of(&format!("{line} {word}"), size) <= pixels => {
                line.push(' ');
                line.push_str(word);
            }
            _ => broken.push(word.to_owned()),
        }
    }
    let has_more = broken.len() > lines;
    broken.truncate(lines.max(1));
    let last = broken.len().saturating_sub(1);
    for (i, line) in broken.iter_mut().enumerate() {
        if (has_more && i == last) || width_of(line, size) > pixels {
            // Bold Cyrillic letters are wider still.
            let is_cyrillic = line.chars().any(|c| ('\u{400}'..'\u{530}').contains(&c));
            let room = if is_cyrillic { pixels - pixels / 8 } else { pixels };
            while width_of(&format!("{line}…"), size) > room && line.chars().count() > 1 {
                line.pop();
            }
            line.push('…');
        }
    }
    broken
}

/// Words in rows of at most so many pixels, each unbroken: a key.
pub(super) fn in_rows(words: &[String], pixels: i32) -> Vec<String> {
    let mut rows: Vec<String> = Vec::new();
    for word in words {
        match rows.last_mut() {
            Some(row) if width_of(&format!("{row} · {word}"), LABEL) <= pixels => {
                row.push_str(" · ");
                row.push_str(word);
            }
            _ => rows.push(word.clone()),
        }
    }
    rows
}

/// Lines of text below one another, the first centred on `at.1`.
pub(super) fn lines(canvas: &Canvas, texts: &[String], at: (i32, i32), style: &TextStyle, h: HPos) -> Result<()> {
    texts
        .iter()
        .enumerate()
        .try_for_each(|(i, words)| text(canvas, words, (at.0, at.1 + i as i32 * LINE), style, h, VPos::Center))
}

/// Each series has its shape, too, so that grey print tells them apart: hollow and filled circles, squares, triangles.
pub(super) fn mark(canvas: &Canvas, series: usize, (x, y): (i32, i32)) -> Result<()> {
    let color = series_color(series);
    let style = if series.is_multiple_of(2) { color.stroke_width(2) } else { color.filled() };
    if series.is_multiple_of(2) {
        // Hollow marks hide the lines below them.
        canvas.draw(&Circle::new((x, y), 4, PAPER.filled()))?;
    }
    match series % 6 {
        0 | 1 => canvas.draw(&Circle::new((x, y), 4, style))?,
        2 | 3 => canvas.draw(&Rectangle::new([(x - 4, y - 4), (x + 4, y + 4)], style))?,
        _ => canvas.draw(&Polygon::new([(x - 5, y + 4), (x + 5, y + 4), (x, y - 5)], color.filled()))?,
    }
    Ok(())
}

/// Text at a pixel of the canvas.
pub(super) fn text(canvas: &Canvas, words: &str, at: (i32, i32), style: &TextStyle, h: HPos, v: VPos) -> Result<()> {
    Ok(canvas.draw(&Text::new(words.to_owned(), at, style.pos(Pos::new(h, v))))?)
}

/// Text centred on a pixel of the canvas.
pub(super) fn centred(canvas: &Canvas, words: &str, at: (i32, i32), style: &TextStyle) -> Result<()> {
    text(canvas, words, at, style, HPos::Center, VPos::Center)
}

/// A line through pixels of the canvas.
pub(super) fn line(canvas: &Canvas, points: &[(i32, i32)], style: impl Into<ShapeStyle>) -> Result<()> {
    Ok(canvas.draw(&PathElement::new(points.to_vec(), style))?)
}

/// The rows and columns of a grid of panels, at most so many a row.
pub(super) fn grid(panels: usize, most: usize) -> (usize, usize) {
    let columns = panels.clamp(1, most);
    (panels.div_ceil(columns), columns)
}

/// An image in a figure.
pub(super) struct Bitmap<'a> {
    /// Left upper corner.
    pub place: (i32, i32),
    pub size: (i32, i32),
    /// PNG in base64.
    pub png: Cow<'a, str>,
}

/// Adds images to a drawing. Without the `image` crate, plotters cannot draw them: they are inserted into its SVG.
pub(super) fn with_bitmaps(mut drawing: Drawing, bitmaps: &[Bitmap]) -> Drawing {
    let mut elements = String::new();
    for Bitmap { place: (x, y), size: (width, height), png } in bitmaps {
        let _ = writeln!(
            elements,
            "<image x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" style=\"image-rendering:pixelated\" \
             href=\"data:image/png;base64,{png}\"/>"
        );
    }
    let end = drawing.svg.rfind("</svg>").unwrap_or(drawing.svg.len());
    drawing.svg.insert_str(end, &elements);
    drawing
}
