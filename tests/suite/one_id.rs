//! One Report ID: the same study gives the same bundle, whatever the CPU's vectors, the number of threads, and whether
//! the program has libtorch. `make test-portable` compares emulated CPUs, and the study of every layer without vectors and
//! on 8 threads, which takes minutes.

use std::path::Path;

use mnist_report::arithmetic::{InstructionSet, instruction_set, use_instruction_set, use_threads};
use mnist_report::compute::{Device, Trainer};
use mnist_report::dataset::{Selection, TrainAndTest};
use mnist_report::study::{Plan, Source};
use mnist_report::tensors::to_safetensors;

use crate::support::*;

/// Builds a study as on a machine with these vectors and threads. Returns the Report ID.
fn report_id(study: &Path, vectors: &str, threads: usize) -> String {
    let home = tempfile::tempdir().unwrap();
    let mut build = build(study, &home.path().join("out"));
    build.env("MNIST_REPORT_THREADS", threads.to_string()).env("MNIST_REPORT_VECTORS", vectors);
    run(&mut build).exits(0).report_id().clone()
}

#[test]
fn a_whole_study_has_one_report_id() {
    let expected = shared().1.report_id();
    for (vectors, threads) in [("widest", 1), ("widest", 8), ("avx2", 2), ("avx2", 3), ("scalar", 2)] {
        assert_eq!(report_id(&tiny(), vectors, threads), expected, "{vectors}, {threads} threads");
    }
}

#[test]
fn a_study_of_every_layer_optimizer_and_schedule_has_one_report_id() {
    let portable = root().join("src/arithmetic/portable.yaml");
    let expected = report_id(&portable, "widest", 1);
    for (vectors, threads) in [("widest", 8), ("avx2", 3)] {
        assert_eq!(report_id(&portable, vectors, threads), expected, "{vectors}, {threads} threads");
    }
    #[cfg(feature = "tch")]
    assert_eq!(report_id_with_libtorch(&portable, "avx2", 2), expected, "with libtorch, avx2, 2 threads");
}

/// Like the previous test, with few steps and images, because a CPU without vectors takes minutes for the whole study.
#[test]
fn every_layer_optimizer_and_schedule_gives_the_same_bits_without_vectors_and_on_any_threads() {
    let source = Source::load(&root().join("src/arithmetic/portable.yaml")).unwrap();
    let plan = Plan::resolve(&source).unwrap();
    let data = TrainAndTest::load(&source.data_dir(None), &plan.data).unwrap();
    let test = Selection::new(&data.test, &[0, 1, 2, 3]);
    let device = Device::cpu();
    let computed = || -> Vec<(Vec<u8>, Vec<u32>)> {
        let of_run = |run| {
            let run: &mnist_report::study::RunPlan = run;
            let images = Selection::new(&data.train, &run.choose(&data.train.labels, 1));
            let model = &plan.models[&run.settings.model];
            let mut trainer = Trainer::new(&device, model, run, &plan.input, &images, 1);
            (0..run.total_steps().min(3)).for_each(|_| trainer.step());
            let logits = trainer.network().evaluate(&test, &plan.input);
            (to_safetensors(&trainer.state()), logits.iter().map(|x| x.to_bits()).collect())
        };
        plan.runs.values().map(of_run).collect()
    };
    let widest = instruction_set();
    let expected = computed();
    for (vectors, threads) in
        [(InstructionSet::Scalar, 3), (InstructionSet::Avx2, 1), (InstructionSet::Avx2, 8), (widest, 1), (widest, 3)]
    {
        if use_instruction_set(vectors) {
            use_threads(threads);
            assert!(computed() == expected, "{vectors:?}, {threads} threads");
        }
    }
    use_instruction_set(widest);
    use_threads(2);
}

/// Like [`report_id`], with the program that has libtorch.
#[cfg(feature = "tch")]
fn report_id_with_libtorch(study: &Path, vectors: &str, threads: usize) -> String {
    let home = tempfile::tempdir().unwrap();
    let program = std::process::Command::new(env!("CARGO_BIN_EXE_mnist-report-libtorch"));
    let out = home.path().join("out");
    let arguments = ["build", "--device", "cpu", "--fresh", "--out", out.to_str().unwrap(), study.to_str().unwrap()];
    let mut build = in_known_environment(program, arguments);
    build.env("MNIST_REPORT_THREADS", threads.to_string()).env("MNIST_REPORT_VECTORS", vectors);
    run(&mut build).exits(0).report_id().clone()
}

#[cfg(feature = "tch")]
#[test]
fn the_program_with_libtorch_gives_the_same_report_id() {
    assert_eq!(report_id_with_libtorch(&tiny(), "widest", 3), shared().1.report_id());
}
