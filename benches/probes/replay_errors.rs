//! Verifies a bundle of the program's own arithmetic with libtorch's operators, and prints the differences. These
//! measurements are the basis of the tolerances in docs/verification.md for bundles that libtorch made on a GPU.
//!
//!     cargo run --release --example replay_errors -- BUNDLE [rerun]
//!
//! libtorch reads these variables: ATEN_CPU_CAPABILITY=default, avx2, avx512; ONEDNN_MAX_CPU_ISA=SSE41, AVX, AVX2;
//! MKL_CBWR=COMPATIBLE, SSE4_2, AVX2; OMP_NUM_THREADS.

#[path = "../../src/engine/mod.rs"]
mod engine;

use std::path::PathBuf;

use mnist_report::compute::Device;
use mnist_report::verify::{Rung, verify_with};

fn main() -> anyhow::Result<()> {
    mnist_report::compute::provide_libtorch(&engine::LIBTORCH);
    let words: Vec<String> = std::env::args().skip(1).collect();
    let (bundle, upto) = match &words[..] {
        [bundle] => (bundle, Rung::Replay),
        [bundle, word] if word == "rerun" => (bundle, Rung::Rerun),
        _ => anyhow::bail!("usage: replay_errors BUNDLE [rerun]"),
    };
    let verification = verify_with(&PathBuf::from(bundle), Some(upto), &Device::libtorch_on_cpu()?)?;
    for step in verification.steps.iter().filter(|s| matches!(s.rung, Rung::Weights | Rung::Replay | Rung::Rerun)) {
        println!("{:8} {} {}", step.rung.name(), step.status, step.details.join("; "));
    }
    Ok(())
}
