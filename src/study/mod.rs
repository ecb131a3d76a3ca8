//! The study: one YAML file, read, checked and resolved into a plan.
//!
//! `spec` has the types that YAML is read into, `source` reads it, `checks` tests that the parts fit together, and `plan`
//! is the result. Nothing here uses libtorch.

mod advice;
mod aliases;
mod alike;
mod assignment;
mod augment;
mod braces;
mod checks;
mod conclusion;
mod data;
mod date;
mod descriptions;
mod error;
mod grid;
mod images;
mod indentation;
mod languages;
mod lines;
mod mentions;
mod merge;
mod messages;
mod mismatch;
mod near_file;
mod notes;
mod only;
mod optimizer;
mod picture;
mod plan;
mod removal;
mod run_spec;
mod schedule;
mod schema;
mod section;
mod source;
mod spec;
mod type_error;
mod unquoted;
mod unread_markup;
mod yaml;

pub use alike::{is_seed, is_trained};
pub use assignment::{Differences, KeyDifference, as_yaml, fixed_images, frees_names};
pub use augment::Augment;
pub(crate) use braces::unclosed;
pub use conclusion::{Conclusion, Expressions, Kind, ModelPair, OrderPair, Rule};
pub use data::{DataSpec, PinnedData};
pub use date::is_date;
pub use error::StudyError;
pub use grid::{Axis, Cell, Grid, axes, cells};
pub use images::{MAX_IMAGES, images_named, read_images};
pub use optimizer::{Adadelta, Adam, AdamW, Optimizer, RmsProp, Sgd};
pub use picture::Picture;
pub use plan::{MAX_TRAININGS, Plan, RunPlan, RunSettings, first_lowest};
pub use run_spec::{EarlyStopping, EvidenceSettings, ReportEpoch, RunSpec, TrainImages};
pub use schedule::{Cosine, OneCycle, ReduceOnPlateau, Schedule, StepLr, Warmup};
pub use schema::schema;
pub use section::{Point, Section, Show, Table};
pub use source::Source;
pub use spec::{Authors, Claim, Compare, Comparison, Compute, Input, MetaPair, Study};
