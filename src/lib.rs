//! mnist-report: turns one YAML study of a small neural network into a report that others can verify.
//!
//! Data flows one way: `study` -> plan -> `training` on a device (`compute`) -> `results` -> `claims` -> `report` -> `bundle`;
//! `verify` and `diff` read bundles. `arithmetic` computes on a CPU. libtorch is not in this library but in an executable of
//! its own, `src/engine`. ARCHITECTURE.md has the map.

// The tests of `engine`, which is not in this library, share files with it that name it.
extern crate self as mnist_report;

// Lowest first: a module uses only modules listed before it.
pub mod text;

pub mod changes;
pub mod digest;
pub mod exit_code;
pub mod failure;
pub mod one_of;
pub mod paths;
pub mod rng;
pub mod rung;
pub mod temporary;
pub mod tensors;

pub mod dataset;

pub mod model;

pub mod study;

pub mod arithmetic;

pub mod compute;

pub mod results;

pub mod training;

pub mod claims;

pub mod report;

pub mod bundle;

pub mod witness;

pub mod build;

pub mod verify;

pub mod course;
pub mod diff;

pub mod demo;

pub mod cli;
