//! The table of forgeries. Each row: what is changed, how far the forger goes then, which rungs must fail. The rungs
//! below the first of them pass.

use std::fs;
use std::io::Read;
use std::path::Path;

use mnist_report::dataset::{Mnist, read_labels};
use mnist_report::digest::sha256_hex;
use mnist_report::results::{Results, stem};
use mnist_report::study::Source;
use mnist_report::tensors::{NamedTensor, from_safetensors, to_safetensors};
use mnist_report::verify::Rung::{self, Exact, Inputs, Metrics, Render, Replay, Rerun, Weights};
use serde_json::{Value, json};

use crate::support::*;

/// How far a forger goes after the change.
#[derive(Clone, Copy)]
pub enum Then {
    /// SHA256SUMS anew.
    Sums,
    /// Report, figures, manifest and sums anew, by the program itself.
    Render,
}

pub struct Forgery {
    pub what: &'static str,
    pub change: fn(&Bundle),
    pub then: Then,
    pub fails: &'static [Rung],
}

/// One row.
const fn row(what: &'static str, then: Then, fails: &'static [Rung], change: fn(&Bundle)) -> Forgery {
    Forgery { what, change, then, fails }
}

const RESULTS: &str = "results.json";
const MANIFEST: &str = "manifest.json";
const STOPS: &str = "predictions/stops.idx1-ubyte";
const BN_WEIGHTS: &str = "weights/small-bn.safetensors";

pub const FORGERIES: &[Forgery] = &[
    // The results.
    row("a better accuracy", Then::Sums, &[Exact, Render, Metrics], |b| b.change_json(RESULTS, embellish)),
    row("a better accuracy, rendered", Then::Render, &[Metrics], |b| b.change_json(RESULTS, embellish)),
    row("a better accuracy and a prediction for it", Then::Render, &[Weights], predict_one_more),
    row("a count of images that two networks get right", Then::Render, &[Metrics], |b| {
        b.change_json(RESULTS, |r| pass(&mut r["comparisons"]["norm"]["pairs"][0], "only_against", "only_run"));
    }),
    row("a comparison left out", Then::Render, &[Metrics], |b| {
        b.change_json(RESULTS, |r| drop(r["comparisons"].as_object_mut().unwrap().shift_remove("early")));
    }),
    row("the picture of another digit", Then::Render, &[Metrics], |b| b.change_json(RESULTS, swap_pictures)),
    row("an image that was not misread", Then::Render, &[Metrics], |b| {
        seed(b, "stops", |seed| seed["misread"][0]["predicted"] = seed["misread"][0]["label"].clone());
    }),
    row("how sure a network was of an error", Then::Render, &[Weights], |b| {
        seed(b, "stops", |seed| seed["misread"][0]["confidence"] = json!(1.0));
    }),
    row("the surest errors left out", Then::Render, &[Metrics], |b| {
        seed(b, "stops", |seed| drop(seed["misread"].as_array_mut().unwrap().remove(0)));
    }),
    row("the last result of the images held out", Then::Render, &[Weights], |b| {
        seed(b, "small-bn", |seed| seed["epochs"][5]["held_out"]["correct"] = json!(100));
    }),
    row("images held out by a run that holds out none", Then::Render, &[Exact], |b| {
        let all = json!({"images": 1, "correct": 1, "loss": 0.0});
        seed(b, "small", |seed| seed["epochs"][1]["held_out"] = all);
    }),
    row("a result of the images held out, on the way", Then::Render, &[Rerun], |b| {
        seed(b, "small-bn", |seed| seed["epochs"][0]["held_out"]["correct"] = json!(99));
    }),
    row("a smaller last loss", Then::Render, &[Weights], |b| {
        seed(b, "small", |seed| {
            seed["test_loss"] = json!(0.01);
            *last_test(seed) = json!({"images": 10_000, "correct": last_test(seed)["correct"], "loss": 0.01});
        });
    }),
    row("a smaller loss on the way", Then::Render, &[Rerun], |b| {
        seed(b, "small", |seed| seed["epochs"][0]["train_loss"] = json!(0.5));
    }),
    row("another learning rate of an epoch", Then::Render, &[Exact], |b| {
        seed(b, "small-bn", |seed| seed["epochs"][2]["lr"] = json!(0.05));
    }),
    row("an epoch's number", Then::Render, &[Exact], |b| {
        seed(b, "small-bn", |seed| seed["epochs"][2]["epoch"] = json!(4))
    }),
    row("an epoch tested on more images", Then::Render, &[Exact], |b| {
        seed(b, "small", |seed| seed["epochs"][0]["test"]["images"] = json!(10_001));
    }),
    row("the first epochs left out", Then::Render, &[Exact, Replay], |b| {
        seed(b, "small-bn", |seed| drop(seed["epochs"].as_array_mut().unwrap().drain(..2)));
    }),
    row("a loss after which training had stopped", Then::Render, &[Exact], |b| {
        seed(b, "stops", |seed| seed["epochs"][0]["train_loss"] = json!(0.001));
    }),
    row("a class that the study does not have", Then::Render, &[Exact], |b| environment(b, "class", json!("native"))),
    row("a class that there is not", Then::Render, &[Exact], |b| environment(b, "class", json!("portablex"))),
    row("a GPU's class without a GPU", Then::Render, &[Exact], |b| environment(b, "class", json!("cuda"))),
    row("another precision", Then::Render, &[Exact], |b| environment(b, "precision", json!("tf32"))),
    row("another libtorch by the same program", Then::Sums, &[Exact, Render], |b| {
        environment_everywhere(b, "libtorch", &json!("2.11.0."));
    }),
    row("other threads", Then::Render, &[Exact], |b| environment(b, "threads", json!(2))),
    row("a CPU of the portable class", Then::Render, &[Exact], |b| environment(b, "cpu", json!("Any CPU"))),
    row("another arithmetic by the same program", Then::Sums, &[Exact, Render], |b| {
        environment_everywhere(b, "arithmetic", &json!(0));
    }),
    row("another seed's training", Then::Render, &[Rerun], pass_off_another_seed),
    row("a count of parameters", Then::Render, &[Exact], |b| {
        b.change_json(RESULTS, |r| r["models"]["small"]["parameters"] = json!(1234));
    }),
    row("a shape", Then::Render, &[Exact], |b| {
        b.change_json(RESULTS, |r| r["models"]["small"]["layers"][0]["output_shape"] = json!([64, 4, 24, 24]));
    }),
    row("a size", Then::Render, &[Exact], |b| {
        b.change_json(RESULTS, |r| r["models"]["small"]["sizes"]["torchsummary"]["total"] = json!(2.5));
    }),
    row("a plan that was not followed", Then::Render, &[Exact], |b| {
        b.change_json(RESULTS, |r| r["runs"]["small"]["plan"]["epochs"] = json!(20));
    }),
    row("other training images", Then::Render, &[Exact], |b| {
        seed(b, "stops", |seed| seed["subset_sha256"] = json!("0".repeat(64)));
    }),
    row("another test set", Then::Render, &[Metrics], |b| {
        b.change_json(RESULTS, |r| r["data"]["test_classes"][0] = json!(979));
    }),
    row("results in another form", Then::Sums, &[Exact], |b| b.write(RESULTS, b.json(RESULTS).to_string())),
    row("a value twice in the results", Then::Sums, &[Exact], |b| {
        b.replace(RESULTS, "\"test_loss\":", "\"test_loss\": 0.001,\n          \"test_loss\":");
    }),
    row("results that cannot be read", Then::Sums, &[Inputs], |b| b.write(RESULTS, "{\"schema\": 1}")),
    // What is made from them.
    row("a number in the page", Then::Sums, &[Render], |b| b.replace("report.html", "1,554", "1,555")),
    row("a number in the report", Then::Sums, &[Render], |b| b.replace("report.md", "1,554", "1,555")),
    row("a figure", Then::Sums, &[Render], |b| b.replace("figures/parameters.svg", "1,554", "1,555")),
    row("an extra figure", Then::Sums, &[Inputs], |b| b.write("figures/more.svg", "<svg/>")),
    // Predictions, weights, evidence.
    row("a prediction", Then::Render, &[Metrics], |b| predict(b, 7)),
    row("a prediction that is no digit", Then::Render, &[Metrics], |b| predict(b, 77)),
    row("fewer predictions", Then::Render, &[Metrics], |b| b.write(STOPS, [0, 0, 8, 1, 0, 0, 0, 1, 7])),
    row("a run's predictions removed", Then::Render, &[Metrics], |b| remove(b, STOPS)),
    row("predictions of no run", Then::Render, &[Metrics], |b| b.write("predictions/more.html", "<p>Full marks</p>")),
    row("weights of no run", Then::Render, &[Metrics], |b| b.write("weights/more.safetensors", b.bytes(BN_WEIGHTS))),
    row("a weight", Then::Render, &[Metrics], |b| nudge(b, BN_WEIGHTS)),
    row("a weight and its hash", Then::Render, &[Weights], |b| {
        nudge(b, BN_WEIGHTS);
        rehash_weights(b);
    }),
    row("weights that are none", Then::Render, &[Weights], |b| {
        b.write(BN_WEIGHTS, "none");
        rehash_weights(b);
    }),
    row("a value of the evidence", Then::Render, &[Replay], |b| nudge(b, "evidence/small-bn.safetensors")),
    row("evidence that is none", Then::Render, &[Replay], |b| b.write("evidence/small-bn.safetensors", "none")),
    row("a state for the first segment", Then::Render, &[Replay], |b| {
        let path = "evidence/small.seed1.safetensors";
        let mut tensors = from_safetensors(&b.bytes(path)).unwrap();
        let weights = from_safetensors(&b.bytes("weights/small.seed1.safetensors")).unwrap();
        tensors.extend(weights.into_iter().map(|t| NamedTensor { name: format!("step0/state.{}", t.name), ..t }));
        b.write(path, to_safetensors(&tensors).unwrap());
    }),
    row("a run's evidence removed", Then::Render, &[Replay], |b| remove(b, "evidence/stops.safetensors")),
    row("a chain of other states", Then::Render, &[Replay], |b| {
        seed(b, "small-bn", |seed| seed["chain"][0]["end_sha256"] = json!("0".repeat(64)));
    }),
    // The study.
    row("another learning rate", Then::Sums, &[Inputs, Exact, Render], |b| {
        b.replace("study.yaml", "lr: 0.1,", "lr: 0.2,")
    }),
    row("another learning rate, rendered", Then::Render, &[Exact], |b| b.replace("study.yaml", "lr: 0.1,", "lr: 0.2,")),
    row("another title", Then::Sums, &[Inputs, Render], |b| b.replace("study.yaml", "Tiny study", "Great study")),
    row("other seeds", Then::Render, &[Exact], |b| b.replace("study.yaml", "seeds: [1, 2]", "seeds: [1, 3]")),
    row("a run more", Then::Sums, &[Inputs, Exact], |b| {
        b.replace("study.yaml", "runs:\n", "runs:\n  more: {model: small}\n");
    }),
    row("a study that cannot be read", Then::Sums, &[Inputs], |b| b.write("study.yaml", "title: [")),
    // The manifest.
    row("its environment", Then::Sums, &[Inputs, Render], |b| manifest(b, |m| m["environment"]["threads"] = json!(3))),
    row("its class", Then::Sums, &[Inputs, Render], |b| manifest(b, |m| m["environment"]["class"] = json!("cuda"))),
    row("its hash of the data", Then::Sums, &[Inputs, Render], |b| {
        manifest(b, |m| zero(&mut m["inputs"][1]["sha256"]))
    }),
    row("its hash of the study", Then::Sums, &[Inputs, Render], |b| {
        manifest(b, |m| zero(&mut m["inputs"][0]["sha256"]))
    }),
    row("an input left out", Then::Sums, &[Inputs, Render], |b| {
        manifest(b, |m| drop(m["inputs"].as_array_mut().unwrap().pop()));
    }),
    row("its digest of inputs", Then::Sums, &[Inputs, Render], |b| manifest(b, |m| zero(&mut m["digests"]["inputs"]))),
    row("its exact digest", Then::Sums, &[Exact, Render], |b| manifest(b, |m| zero(&mut m["digests"]["exact"]))),
    row("its measured digest", Then::Sums, &[Exact, Render], |b| manifest(b, |m| zero(&mut m["digests"]["measured"]))),
    row("its list of files", Then::Sums, &[Inputs, Render], |b| manifest(b, |m| m["files"][0] = json!("none"))),
    row("its title", Then::Sums, &[Inputs, Render], |b| manifest(b, |m| m["title"] = json!("Other"))),
    row("its tolerances", Then::Sums, &[Render], |b| manifest(b, |m| m["tolerances"]["rerun_loss"] = json!(9.0))),
    row("another date everywhere", Then::Sums, &[Inputs], |b| {
        for name in [MANIFEST, "report.md", "report.html"] {
            b.write(name, b.text(name).replace("2024-05-06", "2024-05-07"));
        }
    }),
    row("a manifest in another form", Then::Sums, &[Render], |b| b.write(MANIFEST, b.json(MANIFEST).to_string())),
    row("a manifest that cannot be read", Then::Sums, &[Inputs], |b| b.write(MANIFEST, "{}")),
];

fn manifest(bundle: &Bundle, change: fn(&mut Value)) {
    bundle.change_json(MANIFEST, change);
}

fn environment_everywhere(bundle: &Bundle, fact: &str, value: &Value) {
    environment(bundle, fact, value.clone());
    bundle.change_json(MANIFEST, |m| m["environment"][fact] = value.clone());
}

fn environment(bundle: &Bundle, fact: &str, value: Value) {
    bundle.change_json(RESULTS, |results| results["environment"][fact] = value);
}

/// Changes the results of a run's first seed.
fn seed(bundle: &Bundle, run: &str, change: impl FnOnce(&mut Value)) {
    bundle.change_json(RESULTS, |results| change(&mut results["runs"][run]["seeds"][0]));
}

fn last_test(seed: &mut Value) -> &mut Value {
    &mut seed["epochs"].as_array_mut().unwrap().last_mut().unwrap()["test"]
}

fn zero(hash: &mut Value) {
    *hash = json!("0".repeat(64));
}

fn remove(bundle: &Bundle, name: &str) {
    fs::remove_file(bundle.path.join(name)).unwrap();
}

/// Another class for the hundredth image of `stops`.
fn predict(bundle: &Bundle, class: u8) {
    let mut bytes = bundle.bytes(STOPS);
    assert_ne!(bytes[107], class);
    bytes[107] = class;
    bundle.write(STOPS, bytes);
}

/// Moves one from a count to another.
fn pass(counts: &mut Value, from: &str, to: &str) {
    for (name, by) in [(from, -1), (to, 1)] {
        counts[name] = json!(counts[name].as_i64().unwrap() + by);
    }
}

/// Two of the pictures shown change places.
fn swap_pictures(results: &mut Value) {
    let pictures = results["digits"].as_object_mut().unwrap();
    let names: Vec<String> = pictures.keys().take(2).cloned().collect();
    let (one, other) = (pictures[&names[0]].clone(), pictures[&names[1]].clone());
    pictures.insert(names[0].clone(), other);
    pictures.insert(names[1].clone(), one);
}

/// A digit that `small-bn` took for an 8, other than 8.
fn taken_for_another(results: &Value) -> usize {
    let row = &results["runs"]["small-bn"]["seeds"][0]["confusion"][8];
    (0..10).find(|class| *class != 8 && row[class] != 0).expect("some 8 is not taken for one")
}

/// One 8 more is right in the results of `small-bn`.
fn embellish(results: &mut Value) {
    let wrong = taken_for_another(results);
    let more = |n: &mut Value, by: i64| *n = json!(n.as_i64().unwrap() + by);
    let seed = &mut results["runs"]["small-bn"]["seeds"][0];
    more(&mut seed["confusion"][8][wrong], -1);
    more(&mut seed["confusion"][8][8], 1);
    more(&mut last_test(seed)["correct"], 1);
}

/// The same, and the prediction that makes it so.
fn predict_one_more(bundle: &Bundle) {
    let name = "predictions/small-bn.idx1-ubyte";
    let mut predictions = bundle.bytes(name);
    let results = bundle.json(RESULTS);
    let wrong = taken_for_another(&results);
    let shown = results["runs"]["small-bn"]["seeds"][0]["misread"].as_array().unwrap();
    let mut labels = Vec::new();
    let file = fs::File::open(root().join("data/mnist/t10k-labels-idx1-ubyte.gz")).unwrap();
    flate2::read::GzDecoder::new(file).read_to_end(&mut labels).unwrap();
    let listed = |i: usize| shown.iter().any(|m| m["image"] == json!(i - 8));
    let fits = |i: &usize| labels[*i] == 8 && usize::from(predictions[*i]) == wrong && !listed(*i);
    let image = (8..labels.len()).find(fits).unwrap();
    predictions[image] = 8;
    bundle.write(name, predictions);
    bundle.change_json(RESULTS, embellish);
    recount(bundle);
}

/// What follows from the predictions besides accuracies, made to follow from them again.
fn recount(bundle: &Bundle) {
    let mut results = Results::from_json(&bundle.text(RESULTS)).unwrap();
    let source = Source::from_text(Path::new("study.yaml"), &bundle.text("study.yaml")).unwrap();
    let test = Mnist::load(&root().join("data/mnist")).unwrap().test;
    let seeds: Vec<(String, usize)> = results.runs.iter().map(|(name, run)| (name.clone(), run.seeds.len())).collect();
    let predictions = |run: &str, seed: u64| {
        let (_, seeds) = seeds.iter().find(|(name, _)| name == run).unwrap();
        read_labels(&bundle.bytes(&format!("predictions/{}.idx1-ubyte", stem(run, seed, *seeds))))
    };
    results.compare(&source.study, &test.labels, predictions, |i| test.get(i)).unwrap();
    bundle.write(RESULTS, results.to_json());
}

/// `small`'s first seed gets all that its second one came to: an honest training, but not from this seed. The run keeps
/// no segments but its first steps, so that training anew alone can tell.
fn pass_off_another_seed(bundle: &Bundle) {
    bundle.change_json(RESULTS, |results| {
        let seeds = &mut results["runs"]["small"]["seeds"];
        let own = seeds[0].clone();
        seeds[0] = seeds[1].clone();
        for kept in ["seed", "subset_sha256", "initial_weights_sha256", "chain"] {
            seeds[0][kept] = own[kept].clone();
        }
    });
    for name in ["predictions/small.seedN.idx1-ubyte", "weights/small.seedN.safetensors"] {
        bundle.write(&name.replace('N', "1"), bundle.bytes(&name.replace('N', "2")));
    }
    recount(bundle);
}

/// Changes one value of a safetensors file.
fn nudge(bundle: &Bundle, name: &str) {
    let mut tensors = from_safetensors(&bundle.bytes(name)).unwrap();
    tensors.iter_mut().find(|tensor| tensor.values.len() > 1).unwrap().values[0] += 0.5;
    bundle.write(name, to_safetensors(&tensors).unwrap());
}

fn rehash_weights(bundle: &Bundle) {
    let hash = sha256_hex(&bundle.bytes(BN_WEIGHTS));
    seed(bundle, "small-bn", |seed| seed["weights_sha256"] = json!(hash));
}
