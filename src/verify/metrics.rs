//! Rung `metrics`: accuracies and confusion matrices follow from predictions/ and the test labels.

use super::{Outcome, Read};
use crate::bundle::{self, RESULTS, STUDY};
use crate::dataset::read_labels;
use crate::model::CLASSES;
use crate::results::{confusion, stem};

pub fn check(read: &Read) -> Outcome {
    let labels = match &read.data {
        Ok(data) => &data.test.labels,
        Err(e) => return Outcome::NotChecked(format!("needs the data: {e:#}")),
    };
    let mut differences = Vec::new();
    let mut checked = 0;
    for (name, run) in &read.results.runs {
        for seed in &run.seeds {
            let stem = stem(name, seed.seed, run.seeds.len());
            let path = format!("predictions/{stem}.idx1-ubyte");
            let predictions = match read.opened.files.get(&path).map(|bytes| read_labels(bytes)) {
                None => {
                    differences.push(format!("{path} is missing"));
                    continue;
                }
                Some(Err(e)) => {
                    differences.push(format!("{path} {e:#}"));
                    continue;
                }
                Some(Ok(predictions)) => predictions,
            };
            if predictions.len() != labels.len() || predictions.iter().any(|p| usize::from(*p) >= CLASSES) {
                differences.push(format!("{path} is not {} classes from 0 to 9", labels.len()));
                continue;
            }
            checked += 1;
            let found = confusion(&predictions, labels);
            if found != seed.confusion {
                let correct: usize = (0..CLASSES).map(|c| found[c][c]).sum();
                differences.push(format!(
                    "{stem}: results.json says {} correct, its predictions give {correct}",
                    seed.correct()
                ));
            }
            let last = &seed.epochs[seed.epochs.len() - 1].test;
            if (last.correct, last.images) != (seed.correct(), labels.len()) || last.loss != seed.test_loss {
                differences.push(format!("{stem}: its last epoch is not its result"));
            }
            let weights = format!("weights/{stem}.safetensors");
            if read.opened.sha256(&weights).as_ref() != Some(&seed.weights_sha256) {
                differences.push(format!("{weights} is not the one of results.json"));
            }
        }
    }
    differences.extend(of_no_run(read));
    let mut classes = [0; CLASSES];
    labels.iter().for_each(|l| classes[usize::from(*l)] += 1);
    if classes != read.results.data.test_classes {
        differences.push("data.test_classes are not those of the test set".into());
    }
    Outcome::of(differences, format!("predictions of {checked} trained networks give results.json's figures"))
}

/// Predictions, weights and evidence that belong to none of the runs: nothing vouches for them.
fn of_no_run(read: &Read) -> Vec<String> {
    let seeds =
        read.results.runs.iter().flat_map(|(name, run)| run.seeds.iter().map(|s| stem(name, s.seed, run.seeds.len())));
    let mut expected: Vec<String> = vec![RESULTS.into(), STUDY.into()];
    for stem in seeds {
        expected.push(format!("predictions/{stem}.idx1-ubyte"));
        expected.extend(["weights", "evidence"].map(|folder| format!("{folder}/{stem}.safetensors")));
    }
    let carried = read.opened.files.keys().filter(|path| bundle::is_primary(path));
    carried
        .filter(|path| !expected.contains(path))
        .map(|path| format!("{path} belongs to no run of {RESULTS}"))
        .collect()
}
