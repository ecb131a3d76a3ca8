//! `build` writes the same bytes everywhere, either a complete bundle or none, and changes nothing else.

use std::fs;
use std::path::Path;
use std::process::Command;

use mnist_report::digest::sha256_hex;
use mnist_report::results::Results;
use mnist_report::study::Source;

use crate::support::*;

#[test]
fn the_same_bytes_from_another_folder_in_another_environment() {
    let home = tempfile::tempdir().unwrap();
    fs::create_dir(home.path().join("here")).unwrap();
    fs::write(home.path().join("copy.yml"), tiny_text()).unwrap();
    let done = run(program(["build", "../copy.yml", "--device", "cpu", "--fresh", "--out", "new/folders/other name"])
        .current_dir(home.path().join("here"))
        .envs([("TZ", "Pacific/Auckland"), ("LANG", "tr_TR.UTF-8"), ("LC_ALL", "tr_TR.UTF-8"), ("COLUMNS", "30")])
        .env("HOME", home.path().join("no home"))
        .envs([("USER", "somebody"), ("NO_COLOR", "1")])
        // Variables that libtorch, MKL and oneDNN read, and the program's own.
        .envs([("OMP_NUM_THREADS", "1"), ("MKL_NUM_THREADS", "3"), ("MKL_CBWR", "AVX2")])
        .envs([("ATEN_CPU_CAPABILITY", "default"), ("ONEDNN_MAX_CPU_ISA", "SSE41")])
        .envs([("MNIST_REPORT_VECTORS", "avx2"), ("MNIST_REPORT_THREADS", "3")])
        // Without a home folder, the run cache is beside the bundle.
        .env_remove("MNIST_REPORT_CACHE")
        .env_remove("XDG_CACHE_HOME"))
    .exits(0);
    let other = Bundle::at(home.path().join("here/new/folders/other name"));
    let (bundle, first) = shared();
    for (name, bytes) in bundle.identity() {
        assert!(other.bytes(&name) == bytes, "{name} differs");
    }
    assert_eq!(other.identity().len(), bundle.identity().len());
    assert_eq!(done.report_id(), first.report_id());
    assert_eq!(names(&home.path().join("here")), ["new"], "nothing else is left");
    assert_eq!(names(other.path.parent().unwrap()), [".other name.runs", "other name"]);
    assert!(!home.path().join("no home").exists(), "a home folder is not created");
}

/// The program's arithmetic guarantees these bits on every CPU. If they must change, increment `VERSION` in
/// src/arithmetic/mod.rs and mention it in CHANGELOG.md.
#[test]
fn the_arithmetic_gives_the_same_results_on_every_machine() {
    let results = Results::from_json(&shared().0.text("results.json")).unwrap();
    assert_eq!(results.measured_digest(), "889675bdafb7d412881f73259e45f9fc0342bd505446c66216a15da8b220aac1");
}

#[test]
fn standard_output_is_only_the_report_id_which_is_the_hash_of_the_sums() {
    let (bundle, done) = shared();
    assert_eq!(done.out, format!("Report ID {}\n", sha256_hex(&bundle.bytes("SHA256SUMS"))));
    assert!(done.err.contains("report.html"), "the path of the report is printed: {}", done.err);
}

#[test]
fn sha256sum_agrees() {
    let (bundle, _) = shared();
    let check = Command::new("sha256sum").args(["--strict", "-c", "SHA256SUMS"]).current_dir(&bundle.path).output();
    let done = Done::from(check.unwrap()).exits(0);
    let covered = bundle.identity().len() - 1;
    assert_eq!(done.out.lines().filter(|line| line.ends_with(": OK")).count(), covered);
    let sum = Command::new("sha256sum").arg("SHA256SUMS").current_dir(&bundle.path).output().unwrap();
    assert!(Done::from(sum).out.starts_with(&bundle.report_id()));
}

#[test]
fn every_promised_file_exists() {
    let files = shared().0.identity();
    for name in ["report.md", "report.html", "results.json", "study.yaml", "manifest.json", "SHA256SUMS"] {
        assert!(files.get(name).is_some_and(|bytes| !bytes.is_empty()), "{name} is missing or empty");
    }
    for stem in ["small.seed1", "small.seed2", "small-bn", "stops"] {
        assert_eq!(files[&format!("predictions/{stem}.idx1-ubyte")].len(), 8 + 10_000);
        assert!(files.contains_key(&format!("weights/{stem}.safetensors")));
    }
    assert_eq!(files["study.yaml"], tiny_text().as_bytes());
    assert!(names(&shared().0.path.join("figures")).iter().all(|name| name.ends_with(".svg")));
}

#[test]
fn results_are_read_back_to_the_same_bytes() {
    let text = shared().0.text("results.json");
    assert_eq!(Results::from_json(&text).unwrap().to_json(), text);
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(serde_json::to_string_pretty(&value).unwrap() + "\n", text);
}

#[test]
fn times_paths_and_hosts_are_only_in_the_run_log() {
    let (bundle, _) = shared();
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap().trim().to_owned();
    let today = Done::from(Command::new("date").arg("+%Y-%m-%d").output().unwrap()).out.trim().to_owned();
    let user = std::env::var("HOME").unwrap_or("/home/".into());
    let places = [bundle.path.to_str().unwrap(), root().to_str().unwrap(), &user, "/tmp/", "/usr/", &today];
    for (name, bytes) in bundle.identity() {
        let text = String::from_utf8_lossy(&bytes);
        for place in places {
            assert!(place.len() < 2 || !text.contains(place), "{name} holds {place}");
        }
        let words = |text: &str| text.split(|c: char| !c.is_alphanumeric() && c != '-').any(|word| word == host);
        if !name.ends_with(".safetensors") && !name.starts_with("predictions/") {
            assert!(host.len() < 2 || !words(&text), "{name} holds the host's name");
            let clock = |w: &[u8]| w[0].is_ascii_digit() && w[1] == b':' && w[2].is_ascii_digit() && w[4] == b':';
            assert!(!bytes.windows(5).any(clock), "{name} holds a time of day");
        }
    }
    let log = bundle.json("run-log.json");
    assert_eq!(log["host"], host, "the run log has them");
}

#[test]
fn quiet_prints_only_the_report_id() {
    let home = tempfile::tempdir().unwrap();
    let study = home.path().join("mini.yaml");
    fs::write(&study, MINI).unwrap();
    let quiet = run(&mut build(&study, &home.path().join("a"))).exits(0);
    assert_eq!(quiet.err, "");
    assert_eq!(quiet.out.lines().count(), 1);
    let loud = run(program(["build", "--device", "cpu"]).arg(&study)).exits(0);
    assert!(!loud.err.is_empty());
    assert_eq!(loud.out, quiet.out);
    assert!(home.path().join("mini/report.md").is_file(), "a study NAME.yaml builds the bundle NAME beside it");
}

#[test]
fn out_may_be_this_folder_or_end_in_a_slash() {
    let home = tempfile::tempdir().unwrap();
    let study = home.path().join("mini.yaml");
    fs::write(&study, MINI).unwrap();
    fs::create_dir(home.path().join("here")).unwrap();
    for (from, out) in [("here", "."), (".", "slash/")] {
        let done = run(build(&study, Path::new(out)).current_dir(home.path().join(from))).exits(0);
        let bundle = Bundle::at(home.path().join(from).join(out));
        assert_eq!(bundle.report_id(), done.report_id(), "{out}");
        // A second build into the same folder leaves no file of the first.
        let done = run(build(&study, Path::new(out)).current_dir(home.path().join(from))).exits(0);
        assert_eq!(bundle.run("verify", &["--upto", "files"]).exits(0).report_id(), done.report_id(), "{out}");
        assert!(bundle.kept().iter().all(|(_, kept)| *kept), "{out}");
    }
}

#[test]
fn a_folder_name_may_be_invalid_utf8() {
    use std::os::unix::ffi::OsStrExt;
    let home = tempfile::tempdir().unwrap();
    let study = home.path().join("mini.yaml");
    fs::write(&study, MINI).unwrap();
    let bundle = Bundle::at(home.path().join(std::ffi::OsStr::from_bytes(b"r\xe9sum\xe9")));
    let id = run(&mut build(&study, &bundle.path)).exits(0).report_id();
    let json = bundle.run("verify", &["--upto", "files", "--json"]).exits(0).out;
    assert_eq!(serde_json::from_str::<serde_json::Value>(&json).unwrap()["report_id"], id);
}

#[test]
fn a_folder_that_is_not_a_bundle_is_left_alone() {
    let home = tempfile::tempdir().unwrap();
    let study = home.path().join("mini.yaml");
    fs::write(&study, MINI).unwrap();
    let out = home.path().join("mine");
    // Folders that look like a bundle: a download's checksums, another program's manifest.
    for name in ["notes.txt", "SHA256SUMS", "manifest.json", "results.json", ".hidden"] {
        fs::create_dir(&out).unwrap();
        fs::write(out.join(name), "{\"name\": \"precious\"}\n").unwrap();
        run(&mut build(&study, &out)).refused(&["mine"]);
        assert_eq!(fs::read_to_string(out.join(name)).unwrap(), "{\"name\": \"precious\"}\n");
        assert_eq!(names(&out), [name]);
        fs::remove_dir_all(&out).unwrap();
    }
    fs::write(&out, "a file").unwrap();
    run(&mut build(&study, &out)).refused(&["mine"]);
    assert_eq!(fs::read_to_string(&out).unwrap(), "a file");
    assert_eq!(names(home.path()), ["mine", "mini.yaml"], "nothing was trained");

    // The folder of the data has a SHA256SUMS, too.
    copy_folder(&root().join("data/mnist"), &home.path().join("data"));
    let before = read_folder(&home.path().join("data"));
    run(&mut build(&study, &home.path().join("data"))).refused(&["data"]);
    assert!(read_folder(&home.path().join("data")) == before);
}

#[test]
fn source_date_epoch_dates_a_study_without_a_date() {
    let bundle = copy();
    let study = bundle.path.with_file_name("undated.yaml");
    fs::write(&study, tiny_text().replace("date: 2024-05-06\n", "")).unwrap();
    let dated = |epoch: &str| run(build(&study, &bundle.path).env("SOURCE_DATE_EPOCH", epoch));
    dated("1700000000").exits(0);
    for name in ["report.md", "report.html", "manifest.json"] {
        assert!(bundle.text(name).contains("2023-11-14"), "{name}");
    }
    bundle.run("verify", &["--upto", "render"]).exits(0);
    dated("0").exits(0);
    assert_eq!(bundle.json("manifest.json")["date"], "1970-01-01");
    let epoch = bundle.identity();
    for malformed in ["", "x", "-1", "1.5", " 1", "1e9", "99999999999999999999", "9223372036854775807"] {
        dated(malformed).refused(&["SOURCE_DATE_EPOCH"]);
        assert!(bundle.identity() == epoch, "`{malformed}`");
    }
    run(&mut build(&study, &bundle.path)).exits(0);
    for name in ["report.md", "report.html", "manifest.json"] {
        assert!(!bundle.text(name).contains("1970-01-01"), "{name}");
    }
    // The study's own date wins.
    run(build(&tiny(), &bundle.path).env("SOURCE_DATE_EPOCH", "0")).exits(0);
    assert_eq!(bundle.report_id(), shared().0.report_id());
}

#[test]
fn the_bundle_of_an_extending_study_holds_the_merged_study() {
    let bundle = copy();
    let study = bundle.path.with_file_name("extends.yaml");
    fs::write(&study, format!("extends: {}\ntitle: Extended\n", tiny().display())).unwrap();
    run(&mut build(&study, &bundle.path)).exits(0);
    assert!(bundle.kept().iter().all(|(_, kept)| *kept));
    assert!(!bundle.text("study.yaml").contains("extends"));
    bundle.run("verify", &["--upto", "metrics"]).exits(0);
    // The study in a bundle is enough to build it again, even into the same folder.
    let before = bundle.identity();
    run(&mut build(&bundle.path.join("study.yaml"), &bundle.path)).exits(0);
    assert!(bundle.identity() == before);
}

#[test]
fn claims_about_unmeasured_values_give_a_note() {
    let bundle = copy();
    let study = bundle.path.with_file_name("notes.yaml");
    let claim = "{id: c, group: g, quote: q, printed: '1', measured: runs.small-bn.accuracy, compare: printed}";
    fs::write(&study, format!("extends: {}\nclaims: [{claim}]\n", tiny().display())).unwrap();
    let said = run(program(["build", "--device", "cpu", "--out"]).arg(&bundle.path).arg(&study)).exits(0).err;
    let notes: Vec<&str> = said.lines().filter(|line| line.starts_with("note: ")).collect();
    let [claim, dashed, unanswered] = notes.as_slice() else { panic!("{said}") };
    let no_section = ": conclusions[2]: no section has `fewer-parameters-small-bn-small` in its `answers`";
    assert!(unanswered.contains(no_section), "{said}");
    assert!(
        claim.ends_with(
            ": claims[3].measured: `runs.large.accuracy` has no value: `runs.large` was not measured: choose from small, small-bn, stops"
        ),
        "{claim}"
    );
    let (place, rest) = dashed.split_once(": claims[4].measured: ").unwrap();
    assert!(place.ends_with("notes.yaml:2"), "{place}");
    assert!(rest.ends_with("has no value: write `runs['small-bn']` instead of `runs.small-bn`"), "{rest}");
}

#[test]
fn a_run_model_or_comparison_that_the_study_does_not_have_is_refused_before_training() {
    let home = tempfile::tempdir().unwrap();
    let (study, out) = (home.path().join("s.yaml"), home.path().join("out"));
    let refuses = |own: &str, expected: &str| {
        fs::write(&study, format!("extends: {}\n{own}\n", tiny().display())).unwrap();
        run(&mut build(&study, &out)).refused(&[expected]);
        assert!(!out.exists());
    };
    let conclusion = |condition: &str| {
        format!(
            "conclusions: [{{id: c, question: q, supported_if: '{condition}', refuted_if: 'false', supported: y, \
             refuted: n, undecided: u}}]"
        )
    };
    for (condition, message) in [
        (
            "runs[\"small_bn\"].accuracy > 0",
            "s.yaml:2: conclusions[8].supported_if: `runs[\"small_bn\"].accuracy > 0`: unknown run `small_bn`; did you mean `small-bn`?",
        ),
        ("runs.large.accuracy > 0", "unknown run `large`; this study has small, small-bn, stops"),
        ("models.smal.parameters > 0", "unknown model `smal`; did you mean `small`?"),
        ("comparisons.nrom.lower > 0", "unknown comparison `nrom`"),
        ("runs.small-bn.accuracy > 0", "write `runs['small-bn']` instead of `runs.small-bn`"),
    ] {
        refuses(&conclusion(condition), message);
    }
    let claim = "claims: [{id: c, group: g, quote: q, printed: '1', measured: runs.smal.accuracy, compare: printed}]";
    refuses(claim, "claims[4].measured: `runs.smal.accuracy`: unknown run `smal`; did you mean `small`?");
    let text = "sections: [{title: T, runs: [small], text: 'It has {{ runs.small-bn.accuracy }}.'}]";
    refuses(text, "sections[0].text: invalid text between braces: write `runs['small-bn']` instead of `runs.small-bn`");
    // A misspelt run of a kind comes before the answers that are named after it.
    let misspelt = "sections: [{title: T, runs: [small], answers: [overfits-small]}]\nconclusions: [{overfits: smal}]";
    refuses(misspelt, "conclusions[8].overfits: unknown run `smal`; did you mean `small`?");
}

#[test]
fn cuda_without_a_gpu_is_refused() {
    if has_gpu() {
        return;
    }
    for device in ["cuda", "cuda:1"] {
        let home = tempfile::tempdir().unwrap();
        let out = home.path().join("out");
        run(program(["build", "--quiet", "--device", device, "--out"]).arg(&out).arg(tiny()))
            .refused(&["--device cpu"]);
        assert_eq!(names(home.path()).len(), 0);
    }
}

#[test]
fn without_a_study_it_builds_the_full_one_in_the_repository_alone() {
    let home = tempfile::tempdir().unwrap();
    run(program(["build"]).current_dir(home.path())).refused(&["no study is named", "mnist-report new my-study.yaml"]);
    assert_eq!(names(home.path()).len(), 0);
    // The build itself would take minutes, so the test replaces the study by another of the same name.
    fs::create_dir(home.path().join("reports")).unwrap();
    fs::write(home.path().join("reports/coursework.yaml"), MINI).unwrap();
    let done = run(program(["build", "--device", "cpu"]).current_dir(home.path())).exits(0);
    assert!(done.err.contains("reports/coursework.yaml -> reports/coursework"), "{}", done.err);
    assert!(home.path().join("reports/coursework/report.html").is_file());
}

#[test]
fn the_preview_says_that_it_is_one() {
    let source = Source::load(&root().join("reports/quick.yaml")).unwrap();
    assert!(source.study.title.starts_with("Preview:") && source.study.description.contains("preview"));
}

#[test]
fn a_run_may_stop_in_the_middle_of_an_evidence_segment() {
    let home = tempfile::tempdir().unwrap();
    let study = home.path().join("mini.yaml");
    let bundle = Bundle::at(home.path().join("mini"));
    // Three steps per epoch, ten per segment.
    let text = MINI
        .replace("epochs: 1, batch_size: 50", "epochs: 20, batch_size: 20, evidence: {candidates: 6, keep: 2}")
        .replace("lr: 0.1", "lr: 0.001");
    let built = |text: &str| {
        fs::write(&study, text).unwrap();
        run(&mut build(&study, &bundle.path)).exits(0);
        Results::from_json(&bundle.text("results.json")).unwrap().runs["single"].seeds[0].clone()
    };
    let losses: Vec<f64> = built(&text).epochs.iter().map(|epoch| epoch.train_loss).collect();
    let mut last_segments = Vec::new();
    for epoch in [1, 2, 3, 8, 9, 13] {
        let before = losses[..epoch - 1].iter().copied().fold(f64::INFINITY, f64::min);
        let limit = before.min(2.0 * losses[epoch - 1]).midpoint(losses[epoch - 1]);
        assert!(losses[epoch - 1] < before, "the loss falls: {losses:?}");
        let stopping = text.replace("epochs: 20", &format!("epochs: 20, stop_below_train_loss: {limit}"));
        let seed = built(&stopping);
        assert_eq!(seed.epochs.len(), epoch);
        assert!(seed.chain.iter().all(|segment| segment.step + segment.steps <= 3 * epoch));
        let last = seed.chain.last().unwrap();
        last_segments.push((last.step, last.steps));
        bundle.run("verify", &[]).exits(0);
    }
    assert_eq!(last_segments, [(0, 3), (3, 3), (6, 3), (21, 3), (24, 3), (36, 3)]);
}

/// A small block that outlives a step prevents malloc from merging the large blocks around it. Then memory grows with
/// every step by the size of a mask or an activation.
#[test]
fn memory_does_not_grow_with_the_steps() {
    let folder = tempfile::tempdir().unwrap();
    let peak = |steps: usize| {
        let study = folder.path().join(format!("{steps}.yaml"));
        let text = format!(
            "title: Steps\n\
             models: {{m: {{layers: [conv2d: {{out_channels: 32, kernel_size: 3}}, relu, dropout: {{p: 0.25}}, flatten, linear: {{out_features: 10}}]}}}}\n\
             runs: {{r: {{model: m, train: {{images: {{first: {}}}}}, evaluate_train: true, batch_size: 128, epochs: 1, optimizer: {{sgd: {{lr: 0.01}}}}, seeds: [1]}}}}\n",
            128 * steps
        );
        fs::write(&study, text).unwrap();
        let bundle = Bundle::at(folder.path().join(steps.to_string()));
        run(&mut build(&study, &bundle.path)).exits(0);
        bundle.json("run-log.json")["peak_memory_mib"].as_u64().unwrap()
    };
    let (few, many) = (peak(20), peak(200));
    // An evaluation's activation is 21 MiB, a step's 11 MiB.
    assert!(many < few + 250, "{few} MiB after 20 steps, {many} MiB after 200");
}
