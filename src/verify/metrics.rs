//! Rung `metrics`: accuracies, confusion matrices, comparisons and the images that the report shows follow from
//! predictions/ and the test set.

use anyhow::{Context, Result, ensure};

use super::{Outcome, Read};
use crate::bundle::{self, RESULTS, STUDY};
use crate::dataset::CLASSES;
use crate::dataset::read_labels;
use crate::results::{GALLERY, Misread, confusion, stem};

pub fn check(read: &Read) -> Outcome {
    let test = match &read.data {
        Ok(data) => &data.test,
        Err(e) => return Outcome::NotChecked(format!("needs the data: {e:#}")),
    };
    let labels = &test.labels;
    let mut differences = Vec::new();
    let mut checked = 0;
    for (name, run) in &read.results.runs {
        for seed in &run.seeds {
            let stem = stem(name, seed.seed, run.seeds.len());
            let predictions = match predictions(read, &stem, labels.len()) {
                Ok(predictions) => predictions,
                Err(e) => {
                    differences.push(format!("{e:#}"));
                    continue;
                }
            };
            checked += 1;
            let as_read = |m: &Misread| {
                let read = (labels.get(m.image), predictions.get(m.image));
                m.label != m.predicted && read == (Some(&m.label), Some(&m.predicted))
            };
            if !seed.misread.iter().all(as_read) {
                differences.push(format!("{stem}: an image said to be misread is not, or not so"));
            }
            let wrong = labels.iter().zip(&predictions).filter(|(label, read)| label != read).count();
            let in_order = seed.misread.is_sorted_by(|a, b| {
                a.confidence > b.confidence || (a.confidence == b.confidence && a.image < b.image)
            });
            if seed.misread.len() != wrong.min(GALLERY) || !in_order {
                differences
                    .push(format!("{stem}: the misread images are not the {} surest in order", wrong.min(GALLERY)));
            }
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
    if checked == read.results.runs.values().map(|run| run.seeds.len()).sum::<usize>() {
        let mut anew = read.results.clone();
        let stem_of = |run: &str, seed: u64| stem(run, seed, read.results.runs[run].seeds.len());
        match anew.compare(
            &read.source.study,
            labels,
            |run, seed| predictions(read, &stem_of(run, seed), labels.len()),
            |i| test.get(i),
        ) {
            Ok(()) if anew.comparisons != read.results.comparisons => {
                differences.push("the comparisons of runs are not what the predictions give".into());
            }
            Ok(()) if anew.digits != read.results.digits => {
                differences.push("the digits shown are not those of the test set".into());
            }
            Ok(()) => {}
            Err(e) => differences.push(format!("{e:#}")),
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

/// The classes predicted by a trained network, one for each test image.
fn predictions(read: &Read, stem: &str, images: usize) -> Result<Vec<u8>> {
    let path = format!("predictions/{stem}.idx1-ubyte");
    let bytes = read.opened.files.get(&path).with_context(|| format!("{path} is missing"))?;
    let predictions = read_labels(bytes).with_context(|| path.clone())?;
    ensure!(
        predictions.len() == images && predictions.iter().all(|p| usize::from(*p) < CLASSES),
        "{path} is not {images} classes from 0 to 9"
    );
    Ok(predictions)
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
