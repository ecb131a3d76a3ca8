//! mnist-report with libtorch: the same command line. `mnist-report` starts it as a witness, and where its own arithmetic cannot use a
//! GPU.

#[path = "mod.rs"]
mod engine;

use std::io::Write;

use mnist_report::{cli, compute};

fn main() {
    compute::provide_libtorch(&engine::LIBTORCH);
    let status = cli::main();
    // Ignore broken pipes.
    let _ = std::io::stdout().flush();
    // libtorch unregisters its operators one by one at exit, a third of the time of a short command.
    engine::quick_exit(status)
}
