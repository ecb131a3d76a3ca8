//! Tests of what bundles are said to have in common.

use std::path::Path;

use indexmap::IndexMap;
use serde_json::json;

use super::*;
use crate::study::Differences;
use crate::verify::{About, AssignmentResult, Closing, RungResult};

fn verification(digests: [&str; 5]) -> Verification {
    let [id, measured, weights, predictions, study] = digests.map(|text| Some(text.to_owned()));
    let about = About {
        values_digest: measured,
        weights_digest: weights,
        predictions_digest: predictions,
        study_digest: study,
        ..About::default()
    };
    Verification {
        report_id: id,
        about,
        upto: Rung::Files,
        steps: Vec::new(),
        assignment: None,
        closing: Closing::default(),
    }
}

fn record(path: &str, digests: [&str; 5]) -> Record {
    Record::new(Path::new(path), Ok(verification(digests)), 0.0)
}

/// A bundle that was compared with an assignment, with these free changes.
fn changed(path: &str, digests: [&str; 5], free: &[(&str, &str)]) -> Record {
    let difference = |(key, value): &(&str, &str)| KeyDifference {
        key: (*key).to_owned(),
        assignment: Value::Null,
        handed_in: json!(value),
    };
    let differences = Differences { free: free.iter().map(difference).collect(), ..Differences::default() };
    let assignment = AssignmentResult {
        file: "lab.yaml".into(),
        status: Status::Passed,
        why: None,
        differences,
        forbidden_count: 0,
        free_count: free.len(),
        names_are_free: true,
    };
    let verification = Verification { assignment: Some(assignment), ..verification(digests) };
    Record::new(Path::new(path), Ok(verification), 0.0)
}

fn lists(record: &Record) -> Vec<String> {
    record.likenesses().iter().map(|(common, paths)| format!("{} {}", common.name(), paths.join(" "))).collect()
}

/// What is common, the members, and the keys that they changed alike.
type Told = (Common, Vec<String>, Vec<String>);

fn found(mut records: Vec<Record>) -> (Vec<Vec<String>>, Vec<Told>) {
    find_likenesses(&mut records);
    let each = records.iter().map(|record| lists(record).into_iter().filter(|l| !l.ends_with(' ')).collect());
    let of_group = |group: Group| {
        let members = group.members.iter().map(|record| record.path.clone()).collect();
        (group.common, members, group.shared.iter().map(|key| (*key).to_owned()).collect())
    };
    (each.collect(), groups(&records).into_iter().map(of_group).collect())
}

#[test]
fn likenesses_are_sorted_by_strength_and_each_path_is_in_one_list() {
    let unreadable = Record::new(Path::new("none"), Err("not a bundle".into()), 0.0);
    let (each, groups) = found(vec![
        record("a", ["1", "x", "w", "p", "s"]),
        unreadable,
        record("b", ["2", "x", "w", "p", "s"]),
        record("c", ["1", "x", "w", "p", "s"]),
        record("d", ["3", "y", "v", "q", "t"]),
        record("e", ["4", "z", "v", "q", "t"]),
        record("f", ["5", "f", "u", "q", "t"]),
        record("g", ["6", "g", "g", "g", "t"]),
    ]);
    assert_eq!(each[0], ["report_id c", "measured b"]);
    assert_eq!(each[1], [""; 0]);
    assert_eq!(each[3], ["report_id a", "measured b"]);
    assert_eq!(each[4], ["weights e", "predictions f", "study g"]);
    assert_eq!(each[7], ["study d e f"]);
    let names: Vec<_> = groups.iter().map(|(common, members, _)| (*common, members.join(" "))).collect();
    let expected = [
        (Common::ReportId, "a c"),
        (Common::Measured, "a b"),
        (Common::Measured, "b c"),
        (Common::Weights, "d e"),
        (Common::Predictions, "d f"),
        (Common::Predictions, "e f"),
        (Common::Study, "d g"),
        (Common::Study, "e g"),
        (Common::Study, "f g"),
    ];
    assert_eq!(names, expected.map(|(common, members)| (common, members.to_owned())));
}

#[test]
fn a_bundle_whose_files_were_changed_only_states_its_report_id() {
    let mut broken = record("broken", ["1", "y", "v", "q", "t"]);
    let files = RungResult {
        rung: Rung::Files,
        status: Status::Failed,
        details: Vec::new(),
        trainings: IndexMap::new(),
        left_out: false,
        held_to_tolerances: false,
        drawn: None,
        is_unfinished: false,
    };
    broken.verification.as_mut().unwrap().steps = vec![files];
    let same = ["1", "x", "w", "p", "s"];
    let (each, groups) = found(vec![record("a", same), record("b", same), broken]);
    assert_eq!(each[0], ["report_id b", "stated_report_id broken"]);
    assert_eq!(each[2], ["stated_report_id a b"]);
    let names: Vec<_> = groups.iter().map(|(common, members, _)| (*common, members.join(" "))).collect();
    let expected =
        [(Common::ReportId, "a b"), (Common::StatedReportId, "a broken"), (Common::StatedReportId, "b broken")];
    assert_eq!(names, expected.map(|(common, members)| (common, members.to_owned())));
}

/// A record with networks, each with its run, weights and predictions. The run `deep:3` is the run `deep` with the settings `3`.
fn with_networks(mut record: Record, networks: &[(&str, &str, &str)]) -> Record {
    let network = |(run, weights, predictions): &(&str, &str, &str)| {
        let (run, settings) = run.split_once(':').unwrap_or((run, run));
        KeyNetwork {
            name: format!("{run}.seed1"),
            run: run.to_owned(),
            model: format!("m-{run}"),
            seed: 1,
            settings: Some(settings.to_owned()),
            weights: Some((*weights).to_owned()),
            predictions: Some(predictions.to_string()).filter(|hash| !hash.is_empty()),
        }
    };
    record.verification.as_mut().unwrap().about.networks = networks.iter().map(network).collect();
    record
}

/// The assignment's networks, by their settings, all with seed 1.
fn given_with(settings: &[&str]) -> Given {
    settings.iter().map(|settings| ((*settings).to_owned(), BTreeSet::from([1]))).collect()
}

fn shared_by(record: &Record) -> Vec<String> {
    let told = |shared: &SharedNetwork| format!("{} {}={} {}", shared.path, shared.network, shared.other, shared.same);
    record.likenesses.as_ref().unwrap().networks.iter().map(told).collect()
}

/// Who copies the weights of one network and trains the other is marked, and the network is named.
#[test]
fn one_network_that_was_copied_is_named() {
    let mut records = vec![
        with_networks(record("a", ["1", "x", "w", "p", "s"]), &[("small", "w1", "p1"), ("deep", "w2", "p2")]),
        with_networks(record("b", ["2", "y", "v", "q", "t"]), &[("mine", "w2", "p9"), ("own", "w3", "p3")]),
        with_networks(record("c", ["3", "z", "u", "r", "u"]), &[("other:own", "w4", "p3"), ("flat", "w5", "")]),
        // It predicts what the network `small` of `a` does, but was trained in another way.
        with_networks(record("d", ["4", "d", "d", "d", "v"]), &[("flat", "w6", ""), ("wide", "w7", "p1")]),
    ];
    find_likenesses(&mut records);
    assert_eq!(shared_by(&records[0]), ["b deep.seed1=mine.seed1 weights"]);
    assert_eq!(shared_by(&records[1]), ["a mine.seed1=deep.seed1 weights", "c own.seed1=other.seed1 predictions"]);
    assert_eq!(shared_by(&records[3]), [""; 0], "networks that predict one class, or agree by chance, are no copies");
    assert_eq!(lists(&records[0])[5], "networks b");
    let groups = groups(&records);
    let told: Vec<_> = groups.iter().map(|group| (group.common, group.networks.len(), group.members.len())).collect();
    assert_eq!(told, [(Common::Networks, 1, 2), (Common::Networks, 1, 2)]);
}

/// Each network is named beside the first one that equals it, so what one bundle shares with another is not what that one does with it.
#[test]
fn of_equal_networks_the_first_is_named() {
    let mut records = vec![
        with_networks(record("a", ["1", "x", "w", "p", "s"]), &[("one", "w1", ""), ("two", "w1", "")]),
        with_networks(record("b", ["2", "y", "v", "q", "t"]), &[("x", "w1", ""), ("y", "w1", ""), ("z", "w2", "")]),
    ];
    find_likenesses(&mut records);
    assert_eq!(shared_by(&records[0]), ["b one.seed1=x.seed1 weights", "b two.seed1=x.seed1 weights"]);
    assert_eq!(shared_by(&records[1]), ["a x.seed1=one.seed1 weights", "a y.seed1=one.seed1 weights"]);
}

#[test]
fn a_network_that_the_assignment_gives_to_everybody_is_not_named() {
    let networks = |deep: &'static str, weights: &'static str| [("small", "w1", "p1"), (deep, weights, weights)];
    let own = |epochs: &'static str| [("runs.deep.epochs", epochs)];
    let mut records = vec![
        with_networks(changed("a", ["1", "x", "w", "p", "s"], &own("2")), &networks("deep:2", "w2")),
        with_networks(changed("b", ["2", "y", "v", "q", "t"], &own("3")), &networks("deep:3", "w3")),
        with_networks(changed("c", ["3", "z", "u", "r", "u"], &own("4")), &networks("deep:4", "w2")),
        // Damaged, so that it was not compared.
        with_networks(record("d", ["4", "d", "d", "d", "v"]), &networks("mine:5", "w2")),
    ];
    find_beside(&mut records, Some(&given_with(&["small", "deep"])));
    assert_eq!(shared_by(&records[0]), ["c deep.seed1=deep.seed1 weights", "d deep.seed1=mine.seed1 weights"]);
    assert_eq!(shared_by(&records[1]), [""; 0]);
    assert_eq!(shared_by(&records[3])[0], "a mine.seed1=deep.seed1 weights");
}

/// Two students changed a list of the grid in different ways, and kept the assignment's other runs. Two others kept those alone.
#[test]
fn runs_of_the_assignment_that_were_left_as_they_are_do_not_make_bundles_alike() {
    let optimizer = |value: &'static str| [("grid.optimizer[1]", value)];
    let kept = ("given-sgd:sgd", "w1", "p1");
    let mut records = vec![
        with_networks(changed("cara", ["1", "x", "w", "p", "s"], &optimizer("rmsprop")), &[kept, ("r", "w2", "p2")]),
        with_networks(changed("fay", ["2", "y", "v", "q", "t"], &optimizer("adadelta")), &[kept, ("a", "w3", "p3")]),
        with_networks(changed("gus", ["3", "z", "u", "r", "u"], &optimizer("")), &[kept]),
        with_networks(changed("hal", ["4", "z", "u", "r", "v"], &optimizer("")), &[kept]),
    ];
    find_beside(&mut records, Some(&given_with(&["sgd", "adam"])));
    for record in &records {
        assert!(lists(record).iter().all(|list| list.ends_with(' ')), "{:?}", lists(record));
        assert_eq!(shared_by(record), [""; 0]);
    }
}

#[test]
fn the_assignments_networks_are_found_by_settings_and_seed_whatever_the_runs_are_called() {
    let lab = "title: Lab\nmodels: {given: {layers: [flatten, {linear: {out_features: 10}}]}}\n\
               defaults: {epochs: 1, batch_size: 50, seeds: [1, 2]}\n\
               grid: {model: given, optimizer: [{sgd: {lr: 0.05}}, adam]}\n";
    let networks = |yaml: &str| {
        let given = given_by(&Source::from_text(Path::new("lab.yaml"), yaml).unwrap().study);
        let of_settings = |(settings, seeds): (String, BTreeSet<u64>)| {
            seeds.into_iter().map(|seed| (settings.clone(), seed)).collect::<Vec<_>>()
        };
        given.into_iter().flat_map(of_settings).collect::<BTreeSet<_>>()
    };
    let given = networks(lab);
    let other = lab.replace("given", "mine").replace("adam", "rmsprop, adamw").replace("[1, 2]", "[2, 3]");
    let own = networks(&other);
    assert_eq!((given.len(), own.len()), (4, 6));
    assert_eq!(own.intersection(&given).count(), 1, "the run with sgd and seed 2");
}

/// Two own networks that predict one class, beside the assignment's network.
#[test]
fn own_networks_that_learned_nothing_do_not_make_predictions_alike() {
    let networks = |own: &'static str| [("reference", "w1", "p1"), ("own", own, "")];
    let own = |layers: &'static str| [("models.m-own.layers", layers)];
    let mut records = vec![
        with_networks(changed("a", ["1", "x", "w", "p", "s"], &own("2")), &networks("w2")),
        with_networks(changed("b", ["2", "y", "v", "p", "t"], &own("3")), &networks("w3")),
    ];
    find_beside(&mut records, Some(&given_with(&["reference"])));
    assert!(lists(&records[0]).iter().all(|list| list.ends_with(' ')), "{:?}", lists(&records[0]));
}

#[test]
fn everybody_who_changed_nothing_of_an_assignment_is_not_alike() {
    let own = |name: &'static str| vec![("author", name)];
    let (each, groups) = found(vec![
        changed("a", ["1", "x", "w", "p", "s"], &own("A")),
        changed("b", ["2", "x", "w", "p", "s"], &own("B")),
        // Damaged, so that it was not compared; it has what everybody has.
        record("c", ["3", "x", "w", "p", "s"]),
        // Handed in twice: everybody was to put a name of their own.
        changed("d", ["4", "x", "w", "p", "s"], &own("D")),
        changed("e", ["4", "x", "w", "p", "s"], &own("D")),
    ]);
    assert!(each[..3].iter().all(Vec::is_empty), "{each:?}");
    assert_eq!((each[3].join(""), each[4].join("")), ("report_id e".into(), "report_id d".into()));
    assert_eq!(groups, [(Common::ReportId, vec!["d".into(), "e".into()], vec!["author".into()])]);
}

/// A copied network under other names, or with a setting that has no effect.
#[test]
fn a_copy_that_was_changed_in_another_way_is_listed() {
    let (each, groups) = found(vec![
        changed("a", ["1", "x", "w", "p", "s"], &[("models.mine", "deep"), ("runs.mine", "r")]),
        changed("b", ["2", "y", "w", "p", "s"], &[("models.other", "deep"), ("runs.other", "r")]),
        changed("c", ["3", "z", "w", "p", "t"], &[("models.mine", "deep"), ("runs.mine.dropout", "false")]),
        changed("d", ["4", "x", "w", "p", "s"], &[("author", "D")]),
    ]);
    assert_eq!(each[0], ["weights b c"]);
    assert_eq!(each[3], [""; 0], "nothing that matters was changed");
    assert_eq!(groups, [(Common::Weights, vec!["a".into(), "b".into(), "c".into()], vec![])]);
}

#[test]
fn what_two_changed_alike_is_named() {
    let layers = ("models.slim.layers", "deep");
    let (each, groups) = found(vec![
        changed("a", ["1", "x", "w", "p", "s"], &[("author", "A"), layers]),
        changed("b", ["2", "x", "w", "p", "s"], &[("author", "B"), layers]),
        // Another seed.
        changed("c", ["3", "y", "v", "q", "s"], &[layers, ("runs.r.seeds[0]", "7")]),
        // Damaged.
        record("d", ["4", "x", "w", "p", "s"]),
        // The same seed alone is worth a word where results are the same, and not where the study is.
        changed("e", ["5", "e", "e", "e", "e"], &[("runs.r.seeds[0]", "7")]),
        changed("f", ["6", "e", "e", "e", "e"], &[("runs.r.seeds[0]", "7")]),
        changed("g", ["7", "g", "g", "g", "e"], &[("runs.r.seeds[0]", "7")]),
    ]);
    assert_eq!(each[0], ["measured b d", "study c"]);
    assert_eq!(each[2], ["study a b d"]);
    assert_eq!(each[4], ["measured f"]);
    assert_eq!(each[6], [""; 0]);
    let shared: Vec<_> = groups.iter().map(|(common, _, shared)| (*common, shared.join(" "))).collect();
    let expected = [
        (Common::Measured, "models.slim.layers"),
        (Common::Measured, "runs.r.seeds[0]"),
        // `c` with each of `a`, `b` and `d`, which are in a stronger group.
        (Common::Study, "models.slim.layers"),
        (Common::Study, "models.slim.layers"),
        (Common::Study, "models.slim.layers"),
    ];
    assert_eq!(shared, expected.map(|(common, keys)| (common, keys.to_owned())));
}
