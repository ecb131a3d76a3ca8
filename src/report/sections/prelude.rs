//! What every section is built with.

pub(super) use minijinja::context;

pub(super) use crate::report::Language;
pub(super) use crate::report::builder::{Builder, Columns, SectionId, chooses_epoch, evaluates_training, model_link};
pub(super) use crate::report::document::ColumnKind::{Formula, Key, LongNumber, Number, Shape, Text};
pub(super) use crate::report::document::{
    Block, Definition, Definitions, FigureBlock, FindingItem, ReportSection, TableBlock,
};
pub(super) use crate::report::error::Result;
pub(super) use crate::report::figures;
pub(super) use crate::report::inline::{InlineStyle, RichText};
pub(super) use crate::report::own_words;
