//! mnist-report: one YAML study of a small neural network becomes a report that proves itself.
//!
//! Data flows one way: `study` -> plan -> `engine` runs -> `results` -> `claims` -> `report` -> `bundle`;
//! `verify` and `diff` read bundles. `engine` alone touches libtorch.

pub mod bundle;
pub mod changes;
pub mod claims;
pub mod cli;
pub mod dataset;
pub mod demo;
pub mod diff;
pub mod digest;
pub mod engine;
pub mod exit_code;
pub mod model;
pub mod one_of;
pub mod paths;
pub mod report;
pub mod results;
pub mod rng;
pub mod rung;
pub mod study;
pub mod tensors;
pub mod text;
pub mod training;
pub mod verify;
