//! The figures: one file each, drawn by plotters as SVG.
//!
//! Owns what they share: colours, sizes, text, the frame that makes an SVG accessible. No figure looks at
//! the fonts or the clock of the machine, so the same results give the same bytes.

mod confusion;
mod curves;
mod gain;
mod gallery;
mod ladder;
mod network;
mod parameters;
mod per_class;
mod predictions;

pub use confusion::confusion;
pub use curves::curves;
pub use gain::{Gain, gain};
pub use gallery::{Tile, gallery};
pub use ladder::{LadderPoint, ladder};
pub use network::network;
pub use parameters::parameters;
pub use per_class::per_class;
pub use predictions::predictions;

use anyhow::{Result, anyhow};
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

/// A drawn figure, before it gets its number.
pub struct Figure {
    /// File name without folder and extension.
    pub name: String,
    pub caption: String,
    /// What the figure shows, for those who cannot see it.
    pub description: String,
    pub svg: String,
}

/// The whole figure's width in pixels; heights are each figure's own.
const WIDTH: u32 = 760;
/// Text and lines. The page's style sheet recolours these exact values in the dark.
const INK: RGBColor = RGBColor(0x1A, 0x1A, 0x1A);
const MUTED: RGBColor = RGBColor(0x5F, 0x63, 0x68);
const GRID: RGBColor = RGBColor(0xDD, 0xDF, 0xE2);
const PAPER: RGBColor = RGBColor(0xFF, 0xFF, 0xFF);
/// Distinguishable to colour-blind readers and in grey (Okabe and Ito 2008).
const BLUE: RGBColor = RGBColor(0x00, 0x72, 0xB2);
const ORANGE: RGBColor = RGBColor(0xD5, 0x5E, 0x00);
const GREEN: RGBColor = RGBColor(0x00, 0x9E, 0x73);
const PURPLE: RGBColor = RGBColor(0xAA, 0x44, 0x99);
const SERIES: [RGBColor; 4] = [ORANGE, BLUE, GREEN, PURPLE];

const FONT: &str = "sans-serif";
const SIZE: f64 = 13.0;

type Canvas<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Draws on a canvas of the usual width and frames the SVG: role, title and description from the values.
fn draw(
    name: String,
    caption: String,
    description: String,
    height: u32,
    paint: impl FnOnce(&Canvas) -> Result<()>,
) -> Result<Figure> {
    let mut body = String::new();
    {
        let root = SVGBackend::with_string(&mut body, (WIDTH, height)).into_drawing_area();
        root.fill(&PAPER).map_err(failed)?;
        paint(&root)?;
        root.present().map_err(failed)?;
    }
    let (_, inner) = body.split_once(">\n").ok_or_else(|| anyhow!("plotters wrote no SVG for {name}"))?;
    let id = format!("figure-{name}");
    let svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\" \
         role=\"img\" aria-labelledby=\"{id}-title {id}-desc\">\n<title id=\"{id}-title\">{}</title>\n\
         <desc id=\"{id}-desc\">{}</desc>\n{inner}",
        escape(&caption),
        escape(&description),
    );
    Ok(Figure { name, caption, description, svg })
}

/// plotters' errors borrow the canvas; their text is kept.
fn failed(error: impl std::fmt::Display) -> anyhow::Error {
    anyhow!("a figure cannot be drawn: {error}")
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn font(size: f64, color: RGBColor) -> TextStyle<'static> {
    (FONT, size).into_font().color(&color)
}

/// Text at a pixel of the canvas.
fn text(canvas: &Canvas, words: &str, at: (i32, i32), style: &TextStyle, h: HPos, v: VPos) -> Result<()> {
    canvas.draw(&Text::new(words.to_owned(), at, style.pos(Pos::new(h, v)))).map_err(failed)
}

/// Rows of panels, at most three a row: the canvas cut into one area a panel, and the figure's height.
fn rows_of_three(panels: usize) -> (usize, usize) {
    let columns = panels.clamp(1, 3);
    (panels.div_ceil(columns), columns)
}
