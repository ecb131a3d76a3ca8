//! The executable mnist-report-libtorch: mnist-report with libtorch, and the same command line. `mnist-report` starts
//! it as a witness, and if its own arithmetic cannot use a GPU.

#[path = "mod.rs"]
mod engine;

use std::io::Write;

use mnist_report::{cli, compute};

fn main() {
    compute::provide_libtorch(&engine::LIBTORCH);
    let status = cli::main();
    // Ignore broken pipes.
    let _ = std::io::stdout().flush();
    // At exit, libtorch unregisters its operators one by one, which takes a third of the time of a short command.
    engine::quick_exit(status)
}
