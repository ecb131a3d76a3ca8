//! Helpers for the tests: studies, the program run in a known environment, bundles to read and change, golden files.

mod bundle;
mod golden;
mod program;
mod studies;

use std::path::Path;

pub use bundle::{Bundle, Files, built, built_with, copy, copy_folder, names, read_folder, shared, temporary_name};
pub use golden::{Messages, golden, page_text};
pub use program::{Done, build, in_known_environment, on_paths, program, run, runs_beside};
pub use studies::{MINI, tiny, tiny_text, tiny_with, worded};

/// The repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Whether this machine has an NVIDIA GPU.
pub fn has_gpu() -> bool {
    ["/dev/nvidiactl", "/dev/dxg", "/proc/driver/nvidia/version"].iter().any(|p| Path::new(p).exists())
}
