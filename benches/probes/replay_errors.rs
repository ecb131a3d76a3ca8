//! Verifies a bundle with other arithmetic than its study's and prints the differences. The tolerances in
//! docs/verification.md come from these measurements.
//!
//!     cargo run --release --example replay_errors -- BUNDLE native 3 [libtorch] [rerun]
//!
//! `libtorch` switches the program's own kernels off; `rerun` checks that rung too. The class `native` obeys libtorch's
//! variables: ATEN_CPU_CAPABILITY=default, avx2, avx512; ONEDNN_MAX_CPU_ISA=SSE41, AVX, AVX2; MKL_CBWR=COMPATIBLE, SSE4_2,
//! AVX2.

use std::path::PathBuf;

use mnist_report::engine::{DeviceChoice, choose_vectors};
use mnist_report::study::{Compute, CpuClass};
use mnist_report::verify::{Rung, verify_with};

fn main() -> anyhow::Result<()> {
    let usage = || anyhow::anyhow!("usage: replay_errors BUNDLE portable|native THREADS");
    let mut words = std::env::args().skip(1);
    let (Some(bundle), Some(class), Some(threads)) = (words.next(), words.next(), words.next()) else {
        return Err(usage());
    };
    let mut upto = Rung::Replay;
    for word in words {
        match word.as_str() {
            "libtorch" => anyhow::ensure!(choose_vectors(None), "too late"),
            "rerun" => upto = Rung::Rerun,
            _ => return Err(usage()),
        }
    }
    let class = match class.as_str() {
        "portable" => CpuClass::Portable,
        "native" => CpuClass::Native,
        _ => return Err(usage()),
    };
    let compute = Compute { threads: threads.parse()?, class, tf32: false };
    let verification = verify_with(&PathBuf::from(bundle), Some(upto), DeviceChoice::Cpu, Some(compute))?;
    for step in verification.steps.iter().filter(|s| matches!(s.rung, Rung::Weights | Rung::Replay | Rung::Rerun)) {
        println!("{:8} {} {}", step.rung.name(), step.status, step.details.join("; "));
    }
    Ok(())
}
