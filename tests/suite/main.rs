//! The tests of the whole program, in one binary so that libtorch is linked once. Each feature has one module; most of
//! them run the program as its users do, on studies of a few images. tests/README.md explains where to add a test.

#![allow(unreachable_pub, reason = "one binary: `pub` says what a module offers to the others")]

#[cfg(feature = "tch")]
#[path = "../../src/engine/mod.rs"]
mod engine;

mod assignment;
mod batch;
mod build;
mod check_py;
mod cli;
mod conclusions;
mod course;
mod damage;
mod data;
mod decisions;
mod diff;
mod diverged;
mod docs;
mod early_stopping;
mod errors;
mod examples;
mod forger;
mod fuzz;
mod golden;
mod grid;
mod hostile;
mod install;
mod killed;
mod languages;
mod leftovers;
mod markdown;
mod messages;
mod new;
mod one_id;
mod only;
mod operators;
mod other_data;
mod own_words;
mod parts;
mod places;
mod publish;
mod published;
mod pytorch;
mod readme;
mod recipes;
mod refusals;
mod render;
mod report;
mod report_epoch;
mod ro_crate;
mod run_cache;
mod sampled;
mod schema;
mod seeds;
mod settings;
mod starved;
mod stopped;
mod structure;
mod summary;
mod support;
mod tamper;
mod typed;
mod verify;
mod witness;
mod zip_writer;
mod zips;
