//! A course, as a lecturer grades it: an assignment with free parts, thirty-five hand-ins, one command. Each must be put where it belongs,
//! in the table, in JSON and on the page.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::*;
use crate::zip_writer::{Entry, as_by_7zip, as_by_explorer, as_by_powershell, zip};

/// The assignment: the students design the network `own`, choose seeds, and write the conclusion. It trains in milliseconds.
const LAB: &str = "\
title: Laboratory 3
author: Your name
free: [author, group, 'models.own.layers', 'runs.*.seeds', conclusions]
models:
  given: {layers: [flatten, {linear: {out_features: 10}}]}
  own: {layers: [flatten, {linear: {out_features: 8}}, relu, {linear: {out_features: 10}}]}
defaults: {train: {images: {first: 200}}, epochs: 1, batch_size: 50, optimizer: {sgd: {lr: 0.1}}, seeds: [1]}
runs: {given: {model: given}, own: {model: own}}
";

/// The assignment with some passages replaced.
fn lab(changes: &[(&str, &str)]) -> String {
    changes.iter().fold(LAB.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replace(from, to)
    })
}

/// The hand-ins, in one folder, with the run cache that all builds share.
struct Course {
    folder: PathBuf,
    /// What each must be found to be: result, and what its messages must say.
    expected: BTreeMap<PathBuf, (&'static str, &'static str)>,
}

impl Course {
    /// Builds a hand-in from a study.
    fn build(&self, name: &str, study: &str) -> Bundle {
        let (yaml, out) = (self.folder.join(format!("{name}.yaml")), self.folder.join(name));
        fs::write(&yaml, study).unwrap();
        run(build(&yaml, &out).env("MNIST_REPORT_CACHE", self.folder.join("runs"))).exits(0);
        Bundle::at(out)
    }

    /// Builds a student's own study: their name, and as many hidden values.
    fn own(&self, name: &str, hidden: usize) -> Bundle {
        let hidden = format!("out_features: {hidden}");
        self.build(name, &lab(&[("Your name", name), ("out_features: 8", &hidden)]))
    }

    fn expect(&mut self, path: impl AsRef<Path>, result: &'static str, said: &'static str) {
        self.expected.insert(path.as_ref().to_owned(), (result, said));
    }

    fn publish(&self, bundle: &Bundle, name: &str, arguments: &[&str]) -> PathBuf {
        let zip = self.folder.join(name);
        bundle.run("publish", &[arguments, &["--out", zip.to_str().unwrap()]].concat()).exits(0);
        zip
    }
}

/// Changes a bundle, which must not be the assignment's own any more, and writes its sums again.
fn forged(bundle: &Bundle, change: impl FnOnce(&Bundle)) {
    change(bundle);
    bundle.redo_sums();
}

/// Packs a hand-in as another system's program does, with its folder's name above the files.
fn zipped_as(pack: fn(&str, &Files) -> Vec<Entry>, bundle: &Bundle, path: &Path) {
    let name = bundle.path.file_name().unwrap().to_str().unwrap();
    fs::write(path, zip(&pack(name, &read_folder(&bundle.path))).bytes).unwrap();
}

/// Thirty-five hand-ins, most of them derived from a few trainings.
fn course(folder: &Path) -> Course {
    let mut course = Course { folder: folder.to_owned(), expected: BTreeMap::new() };
    // Twelve of their own, one of them in a folder; and three who changed nothing but the name.
    let honest: Vec<Bundle> = (0..12).map(|i| course.own(&format!("Student {i:02}"), 11 + i)).collect();
    for (i, bundle) in honest.iter().enumerate() {
        let path = if i == 0 { bundle.path.clone() } else { course.publish(bundle, &format!("own{i:02}.zip"), &[]) };
        course.expect(path, "verified", "");
    }
    for i in 0..3 {
        let bundle = course.build(&format!("plain{i}"), &lab(&[("Your name", &format!("Plain {i}"))]));
        course.expect(course.publish(&bundle, &format!("plain{i}.zip"), &[]), "verified", "");
    }
    edited(&mut course);
    of_another_study(&mut course);
    alike(&mut course, &honest);
    in_other_forms(&mut course, &honest);
    course
}

/// Seven in which something was changed, most of them with more redone than before.
fn edited(course: &mut Course) {
    let accuracy = |bundle: &Bundle| {
        let confusion = bundle.json("results.json")["runs"]["own"]["seeds"][0]["confusion"].clone();
        let correct: u64 = (0..10).map(|class| confusion[class][class].as_u64().unwrap()).sum();
        format!("{:.2}", correct as f64 / 100.0)
    };
    let bundle = course.own("edited-page", 31);
    bundle.replace("report.html", &accuracy(&bundle), "99.99");
    course.expect(&bundle.path, "failed", "files: report.html was changed");
    let bundle = course.own("edited-page-and-sums", 32);
    forged(&bundle, |bundle| bundle.replace("report.html", &accuracy(bundle), "99.99"));
    course.expect(&bundle.path, "failed", "render: report.html says 99.99");
    let bundle = course.own("edited-results", 33);
    bundle.change_json("results.json", |results| {
        let confusion = &mut results["runs"]["own"]["seeds"][0]["confusion"];
        let other = (1..10).find(|class| confusion[0][*class] != 0).unwrap();
        for (class, by) in [(other, -1), (0, 1)] {
            confusion[0][class] = (confusion[0][class].as_i64().unwrap() + by).into();
        }
        let last = &mut results["runs"]["own"]["seeds"][0]["epochs"][0]["test"]["correct"];
        *last = (last.as_u64().unwrap() + 1).into();
    });
    bundle.run("render", &[]).exits(0);
    course.expect(&bundle.path, "failed", "metrics: own: results.json counts ");
    let bundle = course.own("edited-loss", 34);
    bundle.change_json("results.json", |results| {
        results["runs"]["own"]["seeds"][0]["epochs"][0]["train_loss"] = 0.5.into();
    });
    bundle.run("render", &[]).exits(0);
    course.expect(&bundle.path, "failed", "exact: losses/own.f32: epoch 1: the mean of its batches is ");
    // The number that a report shows, in a file that an editor wrote again, with the sums redone: hashes differ first.
    let bundle = course.own("edited-number", 35);
    bundle.change_json("results.json", |results| {
        let correct = &mut results["runs"]["own"]["seeds"][0]["epochs"][0]["test"]["correct"];
        *correct = (correct.as_u64().unwrap() + 500).into();
    });
    bundle.write("results.json", bundle.text("results.json").replace('\n', "\r\n"));
    bundle.redo_sums();
    course.expect(&bundle.path, "failed", "metrics: own: epoch 1 has ");
    let bundle = course.own("other-spaces", 36);
    bundle.write("results.json", bundle.text("results.json").replace('\n', "\r\n"));
    bundle.redo_sums();
    let said = "exact: results.json is not in the form that mnist-report writes (another program has written it): results.json: only spaces or line ends differ";
    course.expect(&bundle.path, "failed", said);
    // Weights and predictions of a longer training.
    let longer = course.build("longer", &lab(&[("Your name", "Longer"), ("epochs: 1", "epochs: 4")]));
    let bundle = course.build("swapped", &lab(&[("Your name", "Swapped")]));
    for (path, bytes) in read_folder(&longer.path) {
        if path.starts_with("weights/") || path.starts_with("predictions/") {
            bundle.write(&path, bytes);
        }
    }
    bundle.redo_sums();
    course.expect(&bundle.path, "failed", "metrics: given: ");
}

/// Three of another study than the assignment.
fn of_another_study(course: &mut Course) {
    let epochs = course.build("more-epochs", &lab(&[("Your name", "More epochs"), ("epochs: 1", "epochs: 2")]));
    course.expect(&epochs.path, "another_study", "runs.given.epochs: handed in 2, the assignment has 1");
    let rate = course.build("other-rate", &lab(&[("Your name", "Other rate"), ("lr: 0.1", "lr: 0.2")]));
    course.expect(&rate.path, "another_study", "runs.given.optimizer.sgd.lr: handed in 0.2, the assignment has 0.1");
    let mini = course.build("mini", &MINI.replace("title:", "author: Mini\ntitle:"));
    course.expect(&mini.path, "another_study", "title: handed in \"Mini study\", the assignment has \"Laboratory 3\"");
}

/// Three that are like one of the honest ones: with the same networks, with other seeds, and the same file.
fn alike(course: &mut Course, honest: &[Bundle]) {
    let copied = course.own("Copied from 05", 16);
    course.expect(course.publish(&copied, "copied.zip", &[]), "verified", "The same measured values as Student 05 (");
    let changes =
        [("Your name", "Other seed than 05"), ("out_features: 8", "out_features: 16"), ("seeds: [1]", "seeds: [2]")];
    let seed = course.build("other-seed", &lab(&changes));
    course.expect(seed.path, "verified", "The same study but for seeds or names as ");
    course.expect(course.publish(&honest[7], "twice.zip", &[]), "verified", "The same Report ID as Student 07 (");
}

/// Makes the entries of a zip of a bundle's files below a folder.
type Packer = fn(&str, &Files) -> Vec<Entry>;

/// Seven in other forms: lean, zipped by programs of other systems, hostile, cut off, another archive.
fn in_other_forms(course: &mut Course, honest: &[Bundle]) {
    let lean = course.own("Lean", 41);
    course.expect(
        course.publish(&lean, "lean.zip", &["--lean"]),
        "lean",
        "left out: this bundle was published without",
    );
    let packers: [(&str, Packer); 3] =
        [("Explorer", as_by_explorer), ("7-Zip", as_by_7zip), ("PowerShell", as_by_powershell)];
    for (i, (program, pack)) in packers.into_iter().enumerate() {
        let bundle = course.own(&format!("by-{program}"), 42 + i);
        let path = course.folder.join(format!("{program}.zip"));
        zipped_as(pack, &bundle, &path);
        course.expect(path, "verified", "");
    }
    let hostile = course.own("Hostile", 46);
    let loops = "'{% for i in range(1000000000) %}{{ i }}{% endfor %}'";
    hostile.replace_study(&format!(
        "{}conclusions:\n- {{id: c, question: q, supported_if: data.test_images > 1, refuted_if: 'false', supported: {loops}, \
         refuted: {loops}, undecided: {loops}}}\n",
        hostile.text("study.yaml")
    ));
    // The hashes are right, so that its templates are run, within limits.
    course.expect(&hostile.path, "failed", "refuses this study");
    let cut = course.folder.join("cut.zip");
    let whole = fs::read(course.publish(&honest[3], "whole.zip", &[])).unwrap();
    fs::write(&cut, &whole[..whole.len() / 2]).unwrap();
    course.expect(cut, "unreadable", "is not a zip file, or was cut off");
    let other = course.folder.join("own.7z");
    fs::write(&other, b"7z\xbc\xaf\x27\x1c and more").unwrap();
    course.expect(other, "unreadable", "is a 7z archive, not a zip: ask for a zip");
}

#[test]
fn hand_ins_are_put_where_they_belong_by_one_command() {
    let home = tempfile::tempdir().unwrap();
    let course = course(home.path());
    assert_eq!(course.expected.len(), 35);
    let (file, page, csv) =
        (home.path().join("lab.yaml"), home.path().join("course.html"), home.path().join("course.csv"));
    fs::write(&file, LAB).unwrap();
    let names = [&file, &page, &csv].map(|path| path.to_str().unwrap());
    let options = ["--json", "--jobs", "2", "--assignment", names[0], "--html", names[1], "--csv", names[2]];
    let paths: Vec<&Path> = course.expected.keys().map(PathBuf::as_path).collect();
    let records: Vec<Value> = serde_json::from_str(&on_paths("verify", &options, &paths).exits(1).out).unwrap();

    // Some spaces keep a number on the line of the word before it.
    let page = page_text(&fs::read_to_string(&page).unwrap()).replace('\u{a0}', " ");
    let csv = fs::read_to_string(&csv).unwrap();
    let mut wrong = Vec::new();
    for (record, (path, (result, said))) in records.iter().zip(&course.expected) {
        let path = path.to_str().unwrap();
        assert_eq!(record["path"], path);
        let own = part_of(&page, path);
        let row = csv.lines().find(|line| line.starts_with(path)).unwrap_or_default();
        let word = result.replace('_', " ");
        if record["result"] != *result
            || !row.contains(&format!(",{result},"))
            || !own.contains(&word)
            || !own.contains(said)
        {
            wrong.push(format!("{path}: expected {result}, {said}\n  {row}\n  {own}\n  {record}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    only_those_who_are_alike_are_listed(&records, &page);
    // What is proven of those who are verified stands once; one lean, three of another study and eight that failed have their own words.
    assert_eq!(page.matches("Proven: ").count(), 1 + 1 + 3 + 8, "{page}");
    assert_eq!(page.matches("Of each hand-in whose own part has no other words: Proven: no file").count(), 1, "{page}");
    // Three who changed their name only, and one who put in other weights.
    assert_eq!(page.matches("as assigned").count(), 4, "{page}");
    for put in ["changed, as allowed", "another study", "The same Report ID (others: 1)", "; this is not the study of "]
    {
        assert!(page.contains(put), "{put}: {page}");
    }
}

/// The part of the page about one hand-in: from the line of its heading to the line of its file.
fn part_of(page: &str, path: &str) -> String {
    let parts = page.split("File\n").collect::<Vec<_>>();
    let at = parts.iter().skip(1).position(|part| part.lines().next() == Some(path));
    let Some(at) = at else { return String::new() };
    // Before its file: everything since the file of the one before.
    parts[at].to_owned()
}

/// Those who changed nothing have equal results, and are not said to be alike.
fn only_those_who_are_alike_are_listed(records: &[Value], page: &str) {
    let lists = [
        "same_report_id_as",
        "same_stated_report_id_as",
        "same_measured_as",
        "same_weights_as",
        "same_predictions_as",
        "same_study_as",
    ];
    let alike =
        |record: &Value| lists.iter().any(|list| record[list].as_array().is_some_and(|paths| !paths.is_empty()));
    let mut names: Vec<&str> =
        records.iter().filter(|record| alike(record)).map(|record| record["author"].as_str().unwrap()).collect();
    names.sort_unstable();
    let expected = ["Copied from 05", "Other seed than 05", "Student 05", "Student 07", "Student 07"];
    assert_eq!(names, expected);
    assert!(page.contains("Changed from the assignment alike: models.own.layers[1].linear.out_features."), "{page}");
    for part in ["verified\n21", "lean\n1", "another study\n3", "failed\n8", "unreadable\n2"] {
        assert!(page.contains(part), "{part}: {page}");
    }
}
