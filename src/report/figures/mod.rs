//! The figures: one file each, drawn by plotters as SVG.
//!
//! No figure depends on the machine's fonts or clock, so the same results give the same bytes.

mod axes;
mod confusion;
mod curves;
mod filters;
mod gain;
mod gallery;
mod labels;
mod ladder;
mod network;
mod parameters;
mod per_class;
mod predictions;
mod prelude;
mod ranking;
mod scale;

pub(super) use confusion::{confusion, largest_error_share};
pub(super) use curves::{Curve, curves};
pub(super) use filters::filters;
pub(super) use gain::{Gain, gain};
pub(super) use gallery::{GalleryImage, gallery};
pub(super) use ladder::{LadderPoint, ladder};
pub(super) use network::network;
pub(super) use parameters::parameters;
pub(super) use per_class::{OneSeed, per_class};
pub(super) use predictions::predictions;
pub(super) use ranking::{RankedRun, ranking};

use super::document::{FigureTable, NarrowFigure};
pub(super) use prelude::Width;

/// A figure before it gets its number.
pub(super) struct Drawing {
    /// File name without folder and extension.
    pub name: String,
    pub caption: String,
    /// What the figure shows, printed below it; empty where the caption, a table or the figure itself
    /// says it.
    pub description: String,
    pub svg: String,
    pub width: Width,
    /// The same for narrow screens.
    pub narrow: Option<NarrowFigure>,
    /// The figure's numbers as a table, for readers who cannot see it.
    pub table: Option<FigureTable>,
}

impl Drawing {
    /// Adds the figure's numbers as a table for readers who cannot see it.
    fn with_table(self, table: FigureTable) -> Self {
        Self { table: Some(table), ..self }
    }

    /// Removes the description below the figure, where a table or the figure itself says the same. The SVG keeps it.
    fn without_description(self) -> Self {
        Self { description: String::new(), ..self }
    }
}
