//! mnist-report: turns one YAML study of a small neural network into a report that others can verify.
//!
//! Data flows one way: `study` -> plan -> `training` on the `engine` -> `results` -> `claims` -> `report` -> `bundle`;
//! `verify` and `diff` read bundles. Only `engine` uses libtorch. ARCHITECTURE.md has the map.

// Lowest first: a module uses only modules listed before it.
pub mod text;

pub mod changes;
pub mod digest;
pub mod exit_code;
pub mod one_of;
pub mod paths;
pub mod rng;
pub mod rung;
pub mod tensors;

pub mod dataset;

pub mod model;

pub mod study;

pub mod engine;

pub mod results;

pub mod training;

pub mod claims;

pub mod report;

pub mod bundle;

pub mod build;

pub mod verify;

pub mod diff;

pub mod demo;

pub mod cli;
