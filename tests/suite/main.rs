//! The tests of the whole program, in one binary so that libtorch is linked and started once. A module a feature; most
//! run the program as its users do, on studies of a few images.

mod batch;
mod build;
mod bundles;
mod cli;
mod conclusions;
mod damage;
mod data;
mod diff;
mod forger;
mod kept;
mod languages;
mod markdown;
mod publish;
mod pytorch;
mod refusals;
mod render;
mod report;
mod ro_crate;
mod summary;
mod support;
mod tamper;
mod verify;
