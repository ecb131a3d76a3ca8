//! `verify` on several bundles, as a grader runs it.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::support::*;

/// `verify` with these options on these paths.
fn verify(arguments: &[&str], paths: &[&Path]) -> Done {
    on_paths("verify", arguments, paths)
}

#[test]
fn a_copied_run_is_reported_and_an_error_does_not_stop_the_batch() {
    let copied = built_with(&[("title: Tiny study", "title: \"My\\tstudy\""), ("A. Student", "B. Other")]);
    let broken = copy();
    broken.write("report.md", "better");
    let lean = broken.path.with_file_name("lean.zip");
    let (tiny, _) = shared();
    tiny.run("publish", &["--lean", "--out", lean.to_str().unwrap()]).exits(0);
    let missing = Path::new("/no/such/bundle");
    let paths = [&*tiny.path, missing, &copied.path, &broken.path];

    let done = verify(&["--upto", "metrics"], &paths);
    let out = &done.out;
    assert_eq!(done.code, 1, "a difference counts more than an unchecked bundle: {out}");
    let line = |start: &str| out.lines().find(|l| l.starts_with(start)).unwrap_or_else(|| panic!("{start}: {out}"));
    assert!(line(&format!("{}: ", missing.display())).contains("cannot be checked: cannot read"), "{out}");
    assert!(line(&format!("{}: ", broken.name())).contains("`files` FAILED: report.md was changed"), "{out}");
    let after = out.lines().skip_while(|l| !l.contains("`files` FAILED: ")).nth(1).unwrap();
    let proven = "  Proven: the bundle was changed or is wrong (`files`). Not proven: anything that the report states.";
    assert_eq!(after, proven, "{out}");
    let row = line(&format!("{}  ", copied.name()));
    let cells = ["verified", "B. Other", "CS-31", "My study", "passed  passed  passed  passed  passed"];
    let squeezed = row.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect::<Vec<_>>().join("  ");
    assert!(cells.iter().all(|cell| squeezed.contains(cell)) && row.ends_with(" s"), "{row}");
    let same = line("The same measured values under different Report IDs: ");
    assert!(same.contains(tiny.name()) && same.contains(copied.name()), "{out}");

    let done = verify(&["--json", "--upto", "metrics"], &paths).exits(1);
    let records: Value = serde_json::from_str(&done.out).expect("one document");
    let codes: Vec<_> = records.as_array().unwrap().iter().map(|r| r["exit_code"].as_u64().unwrap()).collect();
    assert_eq!(codes, [0, 2, 0, 1]);
    assert!(records[1]["error"].as_str().unwrap().contains("/no/such/bundle"));
    assert_eq!(records[2]["same_measured_as"][0], tiny.name());
    assert_eq!(records[0]["same_measured_as"][0], copied.name());
    assert_ne!(records[0]["report_id"], records[2]["report_id"]);
    assert_eq!(records[0]["measured_digest"], records[2]["measured_digest"]);
    assert_eq!(records[3]["same_stated_report_id_as"][0], tiny.name(), "its SHA256SUMS is the other's");

    let out = verify(&[], &[&tiny.path, &lean]).out;
    let line = format!("\n{}: lean, fine as far as it goes: 5 passed, 2 left out: weights, replay\n", lean.display());
    assert!(out.contains(&line), "{out}");
    let row = out.lines().find(|l| l.starts_with(&format!("{}  ", lean.display()))).unwrap();
    assert_eq!(row.matches(" lean ").count(), 3, "the result and the rungs weights and replay: {row}");
    // Up to the last rung for which a lean zip has the files, everything requested is checked.
    verify(&["--upto", "metrics"], &[&tiny.path, &lean]).exits(0);

    verify(&["--upto", "files"], &[&tiny.path, missing]).exits(2);
}

/// A course may have hand-ins of several data sets, and `--data` names one folder.
#[test]
fn bundles_of_other_data_than_the_named_folder_has_are_not_checked_and_do_not_fail() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"] {
        fs::write(folder.path().join(format!("{name}-ubyte")), "another data set").unwrap();
    }
    let (data, tiny) = (folder.path().to_str().unwrap(), &shared().0.path);
    let out = verify(&["--data", data, "--upto", "weights"], &[tiny, tiny]).exits(2).out;
    // A choice of images by class needs the data, too.
    assert_eq!(out.matches(": 3 passed, 3 not checked: exact, metrics, weights (").count(), 2, "{out}");
    assert!(!out.contains("FAILED"), "{out}");
    let one = verify(&["--data", data, "--upto", "metrics", "--json"], &[tiny]).exits(2).out;
    let one: Value = serde_json::from_str(&one).unwrap();
    let why = one["steps"][4]["details"][0].as_str().unwrap();
    assert!(why.starts_with(&format!("other data than in {data}: needs the data: MNIST is needed")), "{why}");
}

/// The weights are the same, whatever the order in which they were trained.
#[test]
fn a_copy_with_its_seeds_in_another_order_is_reported() {
    let [one, other] = ["[1, 2]", "[2, 1]"].map(|seeds| built(&MINI.replace("seeds: [1]", &format!("seeds: {seeds}"))));
    let done = on_paths("verify", &["--upto", "metrics"], &[&one.path, &other.path]).exits(0);
    assert!(done.out.contains("The same measured values under different Report IDs: "), "{}", done.out);
}

/// A copy whose run has another name, with a setting or a layer that changes nothing.
#[test]
fn a_copied_training_under_other_names_is_reported() {
    let study = "title: Own\nmodels:\n  own: {layers: [flatten, {linear: {out_features: 16}}, relu, {linear: {out_features: 10}}]}\n\
                 defaults: {train: {images: {random: 600}}, epochs: 1, batch_size: 50, optimizer: {sgd: {lr: 0.1}}, seeds: [1]}\nruns: {own: {model: own}}\n";
    let clipped = study.replace("{own: {model: own}", "{mine: {model: own, clip_grad_norm: 1.0e+30}");
    let more = clipped.replace("runs: {", "runs: {other: {model: own, seeds: [9]}, ");
    let original = built(study);
    let like = |yaml: &str| verify(&["--upto", "metrics"], &[&original.path, &built(yaml).path]).exits(0).out;
    for copy in [&clipped, &study.replace("relu,", "relu, relu,").replace("{own: {model", "{mine: {model")] {
        let out = like(copy);
        assert!(out.contains("The same measured values under different Report IDs: "), "{out}");
    }
    let out = like(&more);
    assert!(out.contains("the weights of own are those of mine"), "{out}");
    let out = like(&study.replace("lr: 0.1", "lr: 0.11"));
    assert!(!out.contains("are those of") && !out.contains("The same"), "{out}");
}

#[test]
fn a_copied_run_with_changed_losses_is_reported() {
    let (tiny, changed) = (&shared().0, copy());
    let results = changed.text("results.json");
    let loss = results.lines().find(|line| line.contains("\"train_loss\"")).unwrap();
    changed.replace("results.json", loss, "\"train_loss\": 2.5,");
    changed.run("render", &[]);
    let out = verify(&["--upto", "files"], &[&tiny.path, &changed.path]).out;
    let told = format!("The same weights under different measured values: {}, {}", tiny.name(), changed.name());
    assert!(
        out.contains(&told) && !out.contains("The same measured") && !out.contains("The same predictions"),
        "{out}"
    );
}

#[test]
fn a_file_name_cannot_add_a_line_to_the_table() {
    let folder = tempfile::tempdir().unwrap();
    let evil = folder.path().join("a.zip: 7 passed\n\u{1b}[8mb.zip");
    fs::write(&evil, "no zip").unwrap();
    let out = verify(&[], &[&evil, &evil]).exits(2).out;
    assert!(!out.contains('\u{1b}') && !out.lines().any(|line| line.ends_with("7 passed")), "{out}");
}

#[test]
fn a_file_whose_name_looks_like_an_option_is_verified_like_any_other() {
    let folder = tempfile::tempdir().unwrap();
    let names = ["--help.zip", "-h.ZIP", "-h", "--upto=files", "-h=.zip", "-.zip"];
    let zip = folder.path().join("lean.zip");
    shared().0.run("publish", &["--lean", "--out", zip.to_str().unwrap()]).exits(0);
    for name in names {
        fs::copy(&zip, folder.path().join(name)).unwrap();
    }
    let mut verify = program(["verify", "--upto", "metrics"]);
    let done = run(verify.args(names).current_dir(&folder)).exits(0);
    for name in names {
        assert!(done.out.lines().any(|line| line.starts_with(&format!("./{name}: "))), "{name}: {}", done.out);
    }
    // There is no such file, so this is an option.
    let done = run(program(["verify", "--none.zip"]).current_dir(&folder)).exits(2);
    assert!(done.err.contains("unexpected argument '--none.zip'"), "{}", done.err);
}

#[test]
fn one_path_gives_one_object() {
    let done = shared().0.run("verify", &["--json", "--upto", "files"]).exits(0);
    let record: Value = serde_json::from_str(&done.out).expect("one document");
    assert_eq!(record["steps"][0]["status"], "passed");
    assert_eq!(record["title"], "Tiny study");
    assert_eq!(record["environment"]["arithmetic"], 3);
    let done = verify(&["--json"], &[Path::new("/no/such/bundle")]).exits(2);
    let record: Value = serde_json::from_str(&done.out).expect("one document");
    assert!(record["error"].as_str().unwrap().starts_with("cannot read /no/such/bundle: "), "{record}");
    assert_eq!((&record["result"], &record["exit_code"]), (&"unreadable".into(), &2.into()));
    assert_eq!(done.err, format!("error: {}\n", record["error"].as_str().unwrap()));
}

/// The cells of a table of `--csv`; no cell of these tests has a quotation mark.
fn cells(csv: &str) -> Vec<Vec<String>> {
    let of_line = |line: &str| {
        let (mut cells, mut quoted) = (vec![String::new()], false);
        for c in line.chars() {
            match c {
                '"' => quoted = !quoted,
                ',' if !quoted => cells.push(String::new()),
                c => cells.last_mut().unwrap().push(c),
            }
        }
        cells
    };
    csv.strip_prefix('\u{feff}').unwrap().split_terminator("\r\n").map(of_line).collect()
}

#[test]
fn the_table_is_sorted_and_csv_has_the_same_rows_and_every_result() {
    let home = tempfile::tempdir().unwrap();
    let (csv, lab) = (home.path().join("course.csv"), home.path().join("lab.yaml"));
    let tiny = &shared().0;
    fs::write(&lab, format!("free: [author, group]\n{}", tiny_text())).unwrap();
    let first = built_with(&[("A. Student", "=1+1"), ("group: CS-31", "group: CS-30")]);
    let other = built_with(&[("title: Tiny study", "title: Another, of mine")]);
    let broken = copy();
    broken.write("report.md", "better");
    let lean = home.path().join("lean.zip");
    tiny.run("publish", &["--lean", "--out", lean.to_str().unwrap()]).exits(0);
    let missing = Path::new("/no/such/bundle");
    let options = ["--upto", "weights", "--csv", csv.to_str().unwrap(), "--assignment", lab.to_str().unwrap()];
    let out = verify(&options, &[missing, &other.path, &broken.path, &lean, &first.path]).exits(1).out;

    let rows = cells(&fs::read_to_string(&csv).unwrap());
    let column = |name: &str| rows[0].iter().position(|cell| cell == name).unwrap();
    let of = |path: &Path| rows.iter().find(|row| row[0] == path.to_str().unwrap()).unwrap();
    assert!(rows.iter().all(|row| row.len() == rows[0].len()), "{rows:?}");
    let found: Vec<[&str; 4]> = [first.path.as_path(), &lean, &other.path, &broken.path, missing]
        .map(|path| ["result", "exit_code", "weights", "assignment"].map(|name| of(path)[column(name)].as_str()))
        .to_vec();
    let expected = [
        ["verified", "0", "passed", "passed"],
        ["lean", "2", "lean", "passed"],
        ["another_study", "1", "passed", "another_study"],
        ["failed", "1", "not_checked", "not_checked"],
        ["unreadable", "2", "", ""],
    ];
    assert_eq!(found, expected);
    assert_eq!(of(&first.path)[column("author")], "'=1+1", "a spreadsheet computes nothing");
    assert_eq!(of(&other.path)[column("title")], "Another, of mine");
    assert_eq!(of(&other.path)[column("assignment_differs")], "title");
    let results = tiny.json("results.json");
    let accuracies = &of(&lean)[column("accuracies")];
    let runs: Vec<&str> = accuracies.split("; ").filter_map(|run| run.split_once(" 0.")).map(|(run, _)| run).collect();
    assert_eq!(runs, results["runs"].as_object().unwrap().keys().collect::<Vec<_>>(), "{accuracies}");
    assert_eq!(of(&lean)[column("report_id")], tiny.report_id());
    assert_eq!(of(&lean)[column("same_stated_report_id_as")], broken.name());
    assert!(of(missing)[column("error")].contains("cannot read"), "{rows:?}");
    assert_eq!(of(&lean)[column("rerun")], "", "not asked for");
    // Sorted by group, author and file; unknown values are last.
    assert_eq!((rows[1][0].as_str(), rows[5][0].as_str()), (first.name(), "/no/such/bundle"));
    let sorted: Vec<&str> = rows[1..].iter().map(|row| row[0].as_str()).collect();
    let table = out.split("\n\n").nth(1).unwrap();
    let printed: Vec<&str> = table.lines().skip(1).map(|line| line.split("  ").next().unwrap()).collect();
    assert_eq!(printed, sorted, "{out}");
    let header: Vec<&str> = table.lines().next().unwrap().split_whitespace().collect();
    let expected = "file result author group title Report ID files inputs exact render metrics weights assignment time";
    assert_eq!(header.join(" "), expected);
    assert!(table.contains("ANOTHER STUDY"), "{out}");
}

#[test]
fn csv_overwrites_no_zip_and_is_refused_before_anything_is_verified() {
    let home = tempfile::tempdir().unwrap();
    let zip = home.path().join("a.zip");
    fs::write(&zip, "a student's work").unwrap();
    let tiny: &Path = &shared().0.path;
    verify(&["--csv", zip.to_str().unwrap()], &[tiny]).refused(&["a.zip", "must end in .csv"]);
    assert_eq!(fs::read_to_string(&zip).unwrap(), "a student's work");
    let nowhere = home.path().join("none/course.csv");
    verify(&["--csv", nowhere.to_str().unwrap()], &[tiny, tiny])
        .refused(&["none/course.csv: the folder ", "none does not exist"]);
    verify(&["--html", zip.to_str().unwrap()], &[tiny]).refused(&["--html", "a.zip", "must end in .html"]);
    assert_eq!(fs::read_to_string(&zip).unwrap(), "a student's work");
    let done = verify(&["--lang", "uk"], &[tiny]);
    assert!(done.code == 2 && done.err.contains("--html"), "{}", done.err);
}

#[test]
fn the_page_has_every_bundle_with_its_rungs_numbers_and_what_is_alike() {
    let home = tempfile::tempdir().unwrap();
    let (page, lab) = (home.path().join("course.html"), home.path().join("lab.yaml"));
    let tiny = &shared().0;
    fs::write(&lab, format!("free: [author, title]\n{}", tiny_text())).unwrap();
    let evil = built_with(&[("title: Tiny study", "title: \"<script>alert(1)</script>\""), ("A. Student", "\"<b>M\"")]);
    let other = built_with(&[("lr: 0.1,", "lr: 0.2,")]);
    let broken = copy();
    broken.write("report.md", "better");
    let missing = Path::new("/no/such/bundle");
    let paths: [&Path; 5] = [&tiny.path, &evil.path, &other.path, &broken.path, missing];
    let assignment = ["--upto", "metrics", "--html", page.to_str().unwrap(), "--assignment", lab.to_str().unwrap()];
    verify(&assignment, &paths).exits(1);
    let html = fs::read_to_string(&page).unwrap();
    for outside in ["<script", "src=", "http:", "https:", "url(", "<link", "<b>M"] {
        assert!(!html.contains(outside), "{outside}");
    }
    let text = page_text(&html).replace("&nbsp;", " ").replace("  ", " ");
    let [id, other_id] = [tiny, &other].map(|bundle| bundle.report_id()[..12].to_owned());
    for part in [
        "Hand-ins of “Tiny study”",
        "5 hand-ins, checked up to metrics. Each study was compared with the assignment",
        "| Author, file | Result | ",
        "Result | Assignment | Alike | ",
        " | Title | Report ID | files | inputs | exact | render | metrics | Time",
        "<b>M",
        "<script>alert(1)</script>",
        "✓ verified | ",
        "✓ verified | ✓ as assigned | ",
        "✗ another study | ✗ another study | ",
        &format!("| Tiny study | {id} | ✓ passed | ✓ passed | ✓ passed | ✓ passed | ✓ passed | "),
        &format!("| Tiny study | {other_id} | ✓ passed | ✓ passed | ✓ passed | ✓ passed | ✓ passed | "),
        &format!("| Tiny study | {id} | ✗ failed | ? not checked |"),
        "? unreadable | – | – | – | – | – | – | – | ",
        "files: report.md was changed",
        "runs.small.optimizer.sgd.lr: handed in 0.2, the assignment has 0.1",
        "Changed, as allowed",
        "own part has no other words: Proven: no file was changed since SHA256SUMS was written; counts, shapes and plans follow from the study",
        "| With | Small with batch normalisation | 1,562 | ",
        "over test images",
        "; this is not the study of ",
        "; verify shows more",
        "| The same Report ID stated, though files were changed (others: 1) | ",
        "These numbers are stated, not confirmed.",
        "The same Report ID",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    // Two results of an unchanged assignment are equal without a copy.
    assert!(!text.contains("The same measured values"), "{text}");
}

#[test]
fn the_page_is_there_in_ukrainian_and_for_one_bundle() {
    let home = tempfile::tempdir().unwrap();
    let page = home.path().join("course.html");
    let tiny = &shared().0;
    let other = built_with(&[("title: Tiny study", "title: Another title")]);
    let broken = copy();
    broken.write("report.md", "better");
    let paths: [&Path; 4] = [&tiny.path, &other.path, &broken.path, Path::new("/no/such/bundle")];
    verify(&["--upto", "files", "--lang", "uk", "--html", page.to_str().unwrap()], &paths).exits(1);
    let html = fs::read_to_string(&page).unwrap();
    let text = page_text(&html).replace("&nbsp;", " ");
    assert!(html.contains("<html lang=\"uk\">"));
    for part in [
        "4 здані роботи, перевірка до files.",
        "✓ перевірено",
        "Доведено: жодного файлу не змінено",
        "Ті самі виміряні значення",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    // A single bundle has a page, too.
    verify(&["--upto", "files", "--html", page.to_str().unwrap()], &[&tiny.path]).exits(0);
    assert!(page_text(&fs::read_to_string(&page).unwrap()).contains("1 hand-in, checked up to files."));
}

#[test]
fn json_of_one_bundle_and_of_several_has_the_documented_keys() {
    let tiny = &shared().0;
    let one: Value = serde_json::from_str(&verify(&["--json", "--upto", "files"], &[&tiny.path]).exits(0).out).unwrap();
    let out = verify(&["--json", "--upto", "files"], &[&tiny.path, Path::new("/no/such/bundle")]).exits(2).out;
    let several: Value = serde_json::from_str(&out).unwrap();
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&one), keys(&several[0]));
    assert_eq!((&one["schema"], &one["result"], &one["author"]), (&1.into(), &"verified".into(), &"A. Student".into()));
    assert!(one["seconds"].as_f64().unwrap() > 0.0);
    assert_eq!(several[1]["result"], "unreadable");
    let guide = fs::read_to_string(root().join("docs/verification.md")).unwrap();
    let documented = guide.split("### What does `--json` print?").nth(1).unwrap();
    for key in keys(&several[0]).into_iter().chain(keys(&several[1])) {
        assert!(documented.contains(&format!("`{key}`")), "{key}");
    }
}
