//! The tests of the whole program, in one binary so that libtorch is linked and started once.

mod batch;
mod bundles;
mod diff;
mod forger;
mod publish;
mod pytorch;
mod ro_crate;
