//! mnist-report: one YAML study of a small neural network becomes a report that proves itself.
//!
//! Data flows one way: `study` -> plan -> `engine` runs -> `results` -> `claims` -> `report` -> `bundle`;
//! `verify` and `diff` read bundles. `engine` alone touches libtorch.

pub mod bundle;
pub mod changes;
pub mod claims;
pub mod cli;
pub mod commands;
pub mod dataset;
pub mod diff;
pub mod digest;
pub mod engine;
pub mod evidence;
pub mod forge;
pub mod model;
pub mod numbers;
pub mod paths;
pub mod report;
pub mod results;
pub mod rng;
pub mod runs;
pub mod study;
pub mod tolerances;
pub mod verify;
pub mod words;
