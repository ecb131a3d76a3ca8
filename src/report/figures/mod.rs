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
mod prelude;

pub(super) use confusion::confusion;
pub(super) use curves::curves;
pub(super) use gain::{Gain, gain};
pub(super) use gallery::{GalleryImage, gallery};
pub(super) use ladder::{LadderPoint, ladder};
pub(super) use network::network;
pub(super) use parameters::parameters;
pub(super) use per_class::per_class;
pub(super) use predictions::predictions;

/// A figure before it gets its number.
pub(super) struct Drawing {
    /// File name without folder and extension.
    pub name: String,
    pub caption: String,
    /// What the figure shows, printed below it; empty where the caption, a table or the figure itself
    /// says it.
    pub description: String,
    pub svg: String,
}

impl Drawing {
    /// Removes the description below the figure, where a table or the figure itself says the same. The SVG keeps it.
    fn without_description(self) -> Self {
        Self { description: String::new(), ..self }
    }
}
