//! The tests of the whole program, in one binary so that libtorch is linked and started once.

mod forger;
mod pytorch;
