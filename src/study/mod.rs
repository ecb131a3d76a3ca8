//! The study: one YAML file, read, checked and resolved into what will be done.
//!
//! `spec` is what a student may write, `source` reads it and knows its lines, `plan` checks that the
//! parts fit together before anything is trained. Nothing here knows libtorch.

mod messages;
mod plan;
mod source;
mod spec;

pub use plan::{Plan, RunPlan, is_date};
pub use source::{Source, StudyError};
pub use spec::*;
