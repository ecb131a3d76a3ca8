//! The executable that links libtorch, beside this one.

use std::path::PathBuf;

/// The name of the executable that links libtorch.
pub const LIBTORCH_PROGRAM: &str = "mnist-report-libtorch";

/// The path of that executable, if it is in the folder of this process's executable.
pub fn libtorch_program() -> Option<PathBuf> {
    let program = std::env::current_exe().ok()?.with_file_name(LIBTORCH_PROGRAM);
    program.is_file().then_some(program)
}
