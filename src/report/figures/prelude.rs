//! What every figure is drawn with: the canvas, colours, text and lines.

pub(super) use minijinja::context;
use plotters::coord::Shift;
pub(super) use plotters::element::DashedPathElement;
pub(super) use plotters::prelude::*;
use plotters::style::text_anchor::Pos;
pub(super) use plotters::style::text_anchor::{HPos, VPos};

pub(super) use super::Drawing;
pub(super) use crate::report::Language;
pub(super) use crate::report::error::Result;
use crate::results::NoInterval;

/// What a figure is called, and its text for those who cannot see it.
pub(super) struct Titles {
    pub name: String,
    pub caption: String,
    pub description: String,
}

/// A figure's width in pixels; each figure has its own height.
pub(super) const WIDTH: u32 = 760;
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
pub(super) const SERIES: [RGBColor; 4] = [ORANGE, BLUE, GREEN, PURPLE];

/// The size of text; labels of axes are a little smaller, titles of panels a little larger.
pub(super) const SIZE: f64 = 13.0;

pub(super) type Canvas<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Draws on a canvas of the usual width, and gives the SVG a role, a title and a description.
pub(super) fn draw(titles: Titles, height: u32, paint: impl FnOnce(&Canvas) -> Result<()>) -> Result<Drawing> {
    let Titles { name, caption, description } = titles;
    let mut body = String::new();
    {
        let root = SVGBackend::with_string(&mut body, (WIDTH, height)).into_drawing_area();
        root.fill(&PAPER)?;
        paint(&root)?;
        root.present()?;
    }
    // plotters' own opening tag has no role and no title.
    let inner = body.split_once(">\n").map_or("", |(_, inner)| inner);
    let id = format!("figure-{name}");
    let escape = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\" \
         role=\"img\" aria-labelledby=\"{id}-title {id}-desc\">\n<title id=\"{id}-title\">{}</title>\n\
         <desc id=\"{id}-desc\">{}</desc>\n{inner}",
        escape(&caption),
        escape(&description),
    );
    Ok(Drawing { name, caption, description, svg })
}

/// A sentence for each reason for which some of those shown have no interval. That one seed has none is in the captions.
pub(super) fn without_interval<'a>(
    shown: impl Iterator<Item = (&'a str, NoInterval)>,
    lang: &Language,
) -> Result<Vec<String>> {
    let shown: Vec<(&str, NoInterval)> = shown.collect();
    let mut sentences = Vec::new();
    for (reason, key) in [
        (NoInterval::TwoSeeds, "figures.two_seeds"),
        (NoInterval::SameNetwork, "figures.same_network"),
        (NoInterval::SameNetworks, "figures.same_networks"),
        (NoInterval::NoSpread, "figures.no_spread"),
    ] {
        let of_reason = shown.iter().filter(|(_, other)| *other == reason);
        let titles: Vec<String> = of_reason.map(|(title, _)| (*title).to_owned()).collect();
        if !titles.is_empty() {
            sentences.push(lang.say(key, context! { titles })?);
        }
    }
    Ok(sentences)
}

pub(super) fn font(size: f64, color: RGBColor) -> TextStyle<'static> {
    ("sans-serif", size).into_font().color(&color)
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
