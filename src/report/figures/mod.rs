//! The figures: one file each, drawn by plotters as SVG.
//!
//! No figure depends on the machine's fonts or clock, so the same results give the same bytes.

mod axes;
mod confusion;
mod curves;
mod gain;
mod gallery;
mod ladder;
mod network;
mod parameters;
mod per_class;
mod predictions;

pub(super) use confusion::confusion;
pub(super) use curves::curves;
pub(super) use gain::{Gain, gain};
pub(super) use gallery::{Tile, gallery};
pub(super) use ladder::{LadderPoint, ladder};
pub(super) use network::network;
pub(super) use parameters::parameters;
pub(super) use per_class::per_class;
pub(super) use predictions::predictions;

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::error::{Error, Result};

/// A figure before it gets its number.
pub(super) struct Drawing {
    /// File name without folder and extension.
    pub name: String,
    pub caption: String,
    /// What the figure shows, printed below it; empty where the caption says it all.
    pub description: String,
    pub svg: String,
}

/// What a drawing is called, and its text for those who cannot see it.
struct Titles {
    name: String,
    caption: String,
    description: String,
}

/// A figure's width in pixels; each figure has its own height.
const WIDTH: u32 = 760;
/// Text and lines. The page's style sheet replaces exactly these values in its dark colours.
const INK: RGBColor = RGBColor(0x1A, 0x1A, 0x1A);
const MUTED: RGBColor = RGBColor(0x5F, 0x63, 0x68);
const GRID: RGBColor = RGBColor(0xDD, 0xDF, 0xE2);
const PAPER: RGBColor = RGBColor(0xFF, 0xFF, 0xFF);
/// Distinguishable for colour-blind readers and in grey (Okabe and Ito 2008).
const BLUE: RGBColor = RGBColor(0x00, 0x72, 0xB2);
const ORANGE: RGBColor = RGBColor(0xD5, 0x5E, 0x00);
const GREEN: RGBColor = RGBColor(0x00, 0x9E, 0x73);
const PURPLE: RGBColor = RGBColor(0xAA, 0x44, 0x99);
const SERIES: [RGBColor; 4] = [ORANGE, BLUE, GREEN, PURPLE];

const FONT: &str = "sans-serif";
const SIZE: f64 = 13.0;

type Canvas<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// A failure to draw, in words: plotters' errors borrow the canvas.
struct Failure(String);

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

type Painted = std::result::Result<(), Failure>;

/// Draws on a canvas of the usual width, and gives the SVG a role, a title and a description.
fn draw(titles: Titles, height: u32, paint: impl FnOnce(&Canvas) -> Painted) -> Result<Drawing> {
    let Titles { name, caption, description } = titles;
    let mut body = String::new();
    let painted = (|| {
        let root = SVGBackend::with_string(&mut body, (WIDTH, height)).into_drawing_area();
        root.fill(&PAPER)?;
        paint(&root)?;
        Ok(root.present()?)
    })();
    painted.map_err(|Failure(problem)| Error::Figure { name: name.clone(), problem })?;
    // plotters' own opening tag has no role and no title.
    let inner = body.split_once(">\n").map_or("", |(_, inner)| inner);
    let id = format!("figure-{name}");
    let svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\" \
         role=\"img\" aria-labelledby=\"{id}-title {id}-desc\">\n<title id=\"{id}-title\">{}</title>\n\
         <desc id=\"{id}-desc\">{}</desc>\n{inner}",
        escape(&caption),
        escape(&description),
    );
    Ok(Drawing { name, caption, description, svg })
}

impl Drawing {
    /// Without the description below the figure, where tables or tiles repeat it. The SVG keeps it.
    fn described_elsewhere(self) -> Self {
        Self { description: String::new(), ..self }
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// A size and colour of text: labels of axes, words of the figure, titles of panels.
fn font(size: f64, color: RGBColor) -> TextStyle<'static> {
    (FONT, size).into_font().color(&color)
}

/// Text at a pixel of the canvas.
fn text(canvas: &Canvas, words: &str, at: (i32, i32), style: &TextStyle, h: HPos, v: VPos) -> Painted {
    Ok(canvas.draw(&Text::new(words.to_owned(), at, style.pos(Pos::new(h, v))))?)
}

/// Text centred on a pixel of the canvas.
fn centred(canvas: &Canvas, words: &str, at: (i32, i32), style: &TextStyle) -> Painted {
    text(canvas, words, at, style, HPos::Center, VPos::Center)
}

/// A line through pixels of the canvas.
fn line(canvas: &Canvas, points: &[(i32, i32)], style: impl Into<ShapeStyle>) -> Painted {
    Ok(canvas.draw(&PathElement::new(points.to_vec(), style))?)
}

/// The rows and columns of a grid of panels, at most so many a row.
fn grid(panels: usize, most: usize) -> (usize, usize) {
    let columns = panels.clamp(1, most);
    (panels.div_ceil(columns), columns)
}
