//! `verify` with a hostile bundle, or on a machine with too few resources: it ends soon with the right exit code (0, 1
//! or 2), and the other bundles of a batch are checked.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use mnist_report::results::{Results, read_losses};

use crate::support::*;

/// The program started by a shell after some commands, such as `ulimit -v 400000`.
fn after(commands: &str, arguments: &[&str], paths: &[&Path]) -> Command {
    let script = format!("{commands}; exec \"$@\"");
    let program = program(["verify"]).get_program().to_owned();
    let mut shell = in_known_environment(Command::new("sh"), ["-c", &script, "sh"]);
    shell.arg(program).arg("verify").args(arguments).args(paths);
    shell
}

/// A copy of a bundle of `MINI` whose study, and what states its hash, was changed.
pub fn with_study(change: impl Fn(&str) -> String) -> Bundle {
    let bundle = built(MINI);
    let (old, new) = (bundle.text("study.yaml"), change(&bundle.text("study.yaml")));
    let hash = |text: &str| mnist_report::digest::sha256_hex(text.as_bytes());
    bundle.write("study.yaml", &new);
    bundle.replace("manifest.json", &hash(&old), &hash(&new));
    bundle.redo_sums();
    bundle
}

/// Lists of ten aliases each, of the previous list.
fn many_aliases() -> String {
    let mut yaml = "values:\n  a0: &a0 [x]\n".to_owned();
    for i in 1..12 {
        let aliases = vec![format!("*a{}", i - 1); 10].join(", ");
        writeln!(yaml, "  a{i}: &a{i} [{aliases}]").unwrap();
    }
    yaml
}

#[test]
fn a_hostile_study_takes_neither_time_nor_memory_and_does_not_stop_the_batch() {
    let large = "{only: {layers: [flatten, {linear: {out_features: 1000000}}, {linear: {out_features: 10}}]}}";
    let small = "{only: {layers: [flatten, {linear: {out_features: 10}}]}}";
    let hostile = [
        ("aliases", with_study(|study| study.to_owned() + &many_aliases()), "becomes more than 1000000 values"),
        (
            "defaults",
            with_study(|study| {
                let runs: String = (0..5000).map(|i| format!("r{i}: {model}, ", model = "{model: only}")).collect();
                let long = format!("defaults: {{description: \"{}\", ", "x".repeat(100_000));
                study.replace("defaults: {", &long).replace("runs: {", &format!("runs: {{{runs}"))
            }),
            "becomes more than 1000000 values",
        ),
        ("a large model", with_study(|study| study.replace(small, large)), "a bundle holds at most 67108864"),
    ];
    let started = Instant::now();
    for (what, bundle, reason) in &hostile {
        // Half of the memory that is allowed up to `metrics`.
        let done = bundle.run("verify", &["--upto", "metrics", "--memory", "512"]);
        assert!(done.code == 1 && done.out.contains(reason), "{what}: {} {}{}", done.code, done.out, done.err);
    }
    let paths: Vec<&Path> = hostile.iter().map(|(_, bundle, _)| &*bundle.path).chain([&*shared().0.path]).collect();
    let out = on_paths("verify", &["--upto", "metrics"], &paths).exits(1).out;
    assert!(out.contains(&format!("{}: 5 passed", shared().0.name())), "{out}");
    assert!(started.elapsed() < Duration::from_secs(60), "{:?}", started.elapsed());
}

#[test]
fn a_sentence_that_never_ends_is_refused() {
    let sets = "{% set a = [a, a] %}".repeat(60);
    let bundle = with_study(|study| {
        format!(
            "{study}conclusions:\n- {{id: c, question: q, supported_if: 'runs.single.accuracy >= 0', refuted_if: 'false', \
             supported: '{{% set a = [1] %}}{sets}{{{{ a }}}}', refuted: 'no', undecided: 'no'}}\n"
        )
    });
    let started = Instant::now();
    bundle.run("verify", &["--upto", "metrics"]).exits(1);
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
}

#[test]
fn a_bundle_that_exceeds_a_limit_is_not_checked() {
    let (tiny, _) = shared();
    // What was found before the limit is said, if there was time for it.
    let done = tiny.run("verify", &["--memory", "2"]).exits(2);
    let told = done.out + &done.err;
    assert!(told.contains("needs more than 2 MiB of memory"), "{told}");
    // A backtrace needs memory, too, and must not hang without it.
    for _ in 0..10 {
        let mut verify = program(["verify", "--memory", "8", "--timeout", "100"]);
        let done = run(verify.arg(&tiny.path).env("RUST_BACKTRACE", "1")).exits(2);
        assert!(!(done.out + &done.err).contains("takes longer"));
    }
    let done = tiny.run("verify", &["--upto", "rerun", "--timeout", "1"]).exits(2);
    let told = done.out + &done.err;
    assert!(told.contains("takes longer than 1 s; allow more with --timeout"), "{told}");
    let mini = built(MINI);
    let out = on_paths("verify", &["--upto", "rerun", "--timeout", "4"], &[&tiny.path, &mini.path]).out;
    assert!(out.contains(&format!("{}: 8 passed", mini.name())), "{out}");
}

#[test]
fn what_the_machine_lacks_is_not_a_difference() {
    let mini = built(MINI);
    let mut told = Vec::new();
    for commands in [
        "ulimit -v 300000",
        "ulimit -v 400000",
        "ulimit -v 700000",
        "ulimit -v 2000000",
        "ulimit -u 1",
        "ulimit -u 3",
        "ulimit -f 0",
        "ulimit -n 10",
        "ulimit -n 4",
        "ulimit -s 1024",
        "export TMPDIR=/nowhere",
        "exec <&-",
        "exec 2>&-",
        "exec <&- 2>&-",
    ] {
        let done = after(commands, &[], &[&mini.path]).output().unwrap();
        let (code, out) = (done.status.code(), String::from_utf8_lossy(&done.stdout).into_owned());
        let err = String::from_utf8_lossy(&done.stderr).into_owned();
        assert!([Some(0), Some(2)].contains(&code), "{commands}: {:?} {out}{err}", done.status);
        assert!(!err.contains("panicked"), "{commands}: {err}");
        if code == Some(2) && !commands.contains("2>&-") {
            assert!(out.contains("not checked") || err.starts_with("error: "), "{commands}: {out}{err}");
        }
        told.push((commands, code));
    }
    assert!(told.contains(&("ulimit -v 2000000", Some(0))), "{told:?}");
    // Without a place for temporary files, trainings that keep evidence cannot be done again.
    let done = run(program(["verify", "--device", "cpu"]).arg(&shared().0.path).env("TMPDIR", "/nowhere")).exits(2);
    assert!(done.out.contains("cannot be trained here") && !done.out.contains("FAILED"), "{}", done.out);
    // A file that reaches the maximum size, and a closed standard output.
    let home = tempfile::tempdir().unwrap();
    let file = fs::File::create(home.path().join("out")).unwrap();
    let done = after("ulimit -f 0", &[], &[&mini.path]).stdout(file).output().unwrap();
    assert_eq!(done.status.code(), Some(2), "{done:?}");
    assert!(String::from_utf8_lossy(&done.stderr).contains("cannot write to standard output"), "{done:?}");
    let done = after("exec >&-", &[], &[&mini.path]).status().unwrap();
    assert_eq!(done.code(), Some(0));
    let gone = home.path().join("gone");
    let script = "mkdir \"$0\" && cd \"$0\" && rmdir \"$0\" && exec \"$@\"";
    let program = program(["verify"]).get_program().to_owned();
    let mut shell = in_known_environment(Command::new("sh"), ["-c", script]);
    let done = shell.arg(&gone).arg(program).arg("verify").arg(&mini.path).stderr(Stdio::piped()).output().unwrap();
    assert_eq!(done.status.code(), Some(0), "{done:?}");
}

/// Runs as another user than root, because the system counts that user's processes.
#[test]
fn without_processes_nothing_is_called_different() {
    let mini = built(MINI);
    if fs::metadata("/proc/self").is_ok_and(|m| std::os::unix::fs::MetadataExt::uid(&m) != 0) {
        return;
    }
    // Everybody may read what the test has written, and start the program.
    let home = mini.path.parent().unwrap();
    fs::set_permissions(home, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let program = program(["verify"]).get_program().to_owned();
    let copy = home.join("mnist-report");
    fs::copy(program, &copy).unwrap();
    for processes in 1..=6 {
        let script = format!("ulimit -u {processes}; exec \"$@\"");
        let mut shell = in_known_environment(Command::new("bash"), ["-c", &script, "bash"]);
        shell.arg(&copy).args(["verify"]).arg(&mini.path).uid(54_321).gid(54_321).current_dir(home);
        shell.env("MNIST_REPORT_DATA", root().join("data/mnist"));
        let done = shell.output().unwrap();
        let err = String::from_utf8_lossy(&done.stderr);
        assert!([Some(0), Some(2)].contains(&done.status.code()), "{processes}: {done:?}");
        assert!(!err.contains("panicked"), "{processes}: {err}");
    }
}

#[test]
fn no_path_that_a_bundle_names_is_opened() {
    let home = tempfile::tempdir().unwrap();
    let fifo = home.path().join("train-images-idx3-ubyte");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let bundle = with_study(|study| format!("data: {}\n{study}", home.path().display()));
    let traced = Command::new("strace")
        .args(["-f", "-e", "trace=file", "-o"])
        .arg(home.path().join("trace"))
        .arg(program(["verify"]).get_program())
        .args(["verify", "--upto", "metrics"])
        .arg(&bundle.path)
        .env("MNIST_REPORT_WITNESS", "no")
        .output();
    if traced.is_ok() {
        let trace = fs::read_to_string(home.path().join("trace")).unwrap();
        assert!(trace.contains("study.yaml"), "{trace}");
        assert!(!trace.contains("train-images-idx3-ubyte\"") || !trace.contains(fifo.to_str().unwrap()), "{trace}");
    }
    bundle.run("verify", &["--upto", "metrics", "--timeout", "20"]);
}

/// A bundle whose results have many epochs, as if they had been trained, with claims that are costly to judge.
fn with_epochs(seeds: usize, epochs: usize, claims: usize) -> Bundle {
    let list = format!("seeds: {:?}", (1..=seeds).collect::<Vec<_>>());
    let study = MINI.replace("seeds: [1]", &list).replace("epochs: 1", "epochs: 2");
    let bundle = built(&study);
    // Sums over all epochs; their verdict is the same for all results.
    let claim = |i: usize| {
        let measured = "0 * (runs.single.epochs|map(attribute=\"test_loss\")|sum) + 1";
        format!("- {{id: c{i}, group: g, quote: q, printed: \"1\", measured: '{measured}', compare: exact}}\n")
    };
    let claims: String = (0..claims).map(claim).collect();
    bundle.replace("study.yaml", "epochs: 2", &format!("epochs: {epochs}"));
    bundle.write("study.yaml", bundle.text("study.yaml") + "claims:\n" + &claims);
    bundle.change_json("results.json", |results| {
        let run = &mut results["runs"]["single"];
        run["plan"]["epochs"] = epochs.into();
        for seed in run["seeds"].as_array_mut().unwrap() {
            let trained = seed["epochs"].as_array_mut().unwrap();
            let (first, last) = (trained[0].clone(), trained[1].clone());
            *trained = vec![first; epochs - 1];
            trained.push(last);
            for (i, epoch) in trained.iter_mut().enumerate() {
                epoch["epoch"] = (i + 1).into();
            }
        }
    });
    for seed in 1..=seeds {
        let name = format!("losses/single.seed{seed}.f32");
        let losses = bundle.bytes(&name);
        bundle.write(&name, [losses[..4].repeat(epochs - 1), losses[4..].to_vec()].concat());
    }
    let mut results = Results::from_json(&bundle.text("results.json")).unwrap();
    let of_seed = |run: &str, seed: u64| read_losses(&bundle.bytes(&format!("losses/{run}.seed{seed}.f32")));
    results.add_loss_curves(of_seed).unwrap();
    bundle.write("results.json", results.to_json());
    bundle.redo_sums();
    bundle.run("render", &[]).exits(0);
    bundle
}

/// MNIST_REPORT_WORST=1 takes the largest results that a bundle may have.
#[test]
fn the_largest_results_are_checked_within_the_limits() {
    let (seeds, epochs, claims) =
        if std::env::var_os("MNIST_REPORT_WORST").is_some() { (25, 10_000, 1000) } else { (3, 3000, 200) };
    let bundle = with_epochs(seeds, epochs, claims);
    let bytes = bundle.bytes("results.json").len();
    let started = Instant::now();
    let done = bundle.run("verify", &["--upto", "metrics"]);
    eprintln!("results.json of {bytes} bytes, {:?}: {}{}", started.elapsed(), done.out, done.err);
    let done = done.exits(0);
    assert!(done.out.contains(&format!("{claims} claims test nothing")), "{}", done.out);
}

/// A forged run and behind it an honest one that takes more memory than is allowed: what is found before is kept, by a limit that ends
/// the process and by one that only fails an allocation.
#[test]
fn a_difference_is_kept_if_a_later_training_of_the_rung_lacks_memory() {
    let yaml = "title: Two\nmodels:\n  small: {layers: [flatten, {linear: {out_features: 10}}]}\n  \
                large: {layers: [{conv2d: {out_channels: 8, kernel_size: 5}}, relu, {conv2d: {out_channels: 8, kernel_size: 3}}, \
                relu, flatten, {linear: {out_features: 10}}]}\n\
                defaults: {train: {images: {first: 300}}, epochs: 1, batch_size: 50, optimizer: {sgd: {lr: 0.1}}, seeds: [1]}\n\
                runs:\n  a: {model: small}\n  b: {model: large, train: {images: {first: 8000}}, batch_size: 8000}\n";
    let bundle = built(yaml);
    let honest = on_paths("verify", &["--memory", "400"], &[&bundle.path]).exits(2);
    assert!(honest.out.contains("replay    not checked  not checked: "), "{}", honest.out);
    assert!(
        honest.out.contains("1 training done again from the first step to the last (bit for bit): a"),
        "{}",
        honest.out
    );
    let forged = "a: {model: small, optimizer: {sgd: {lr: 0.1, momentum: 0.9}}}";
    bundle.replace_study(&bundle.text("study.yaml").replace("a: {model: small}", forged));
    bundle.change_json("results.json", |results| {
        results["runs"]["a"]["plan"]["optimizer"]["sgd"]["momentum"] = 0.9.into();
    });
    bundle.run("render", &[]).exits(0);
    for (arguments, rung) in
        [(&[][..], "replay"), (&["--memory", "400"], "replay"), (&["--memory", "400", "--upto", "rerun"], "rerun")]
    {
        let out = on_paths("verify", arguments, &[&bundle.path]).exits(1).out;
        assert!(out.contains(&format!("{rung:<9} FAILED       a: epoch 1: training loss ")), "{arguments:?}: {out}");
    }
}
