//! The table of forgeries. Each row states the change, what the forger updates after it, and which rungs must fail. The
//! rungs below the first of these pass.
//!
//! Longer than 400 lines because it is one table: the forgeries, each with the rung that finds it.

use mnist_report::bundle::{MANIFEST, REPORT, REPORT_MARKDOWN, RESULTS, STUDY};
use mnist_report::demo::Draft;
use mnist_report::demo::Redo::{self, Everything, Report, Sums};
use mnist_report::digest::sha256_hex;
use mnist_report::report::CONCLUSIONS;
use mnist_report::results::{read_losses, write_losses};
use mnist_report::tensors::{NamedTensor, from_safetensors};
use mnist_report::verify::Rung::{self, Exact, Inputs, Metrics, Render, Replay, Rerun, Weights};
use serde_json::{Value, json};

pub struct Forgery {
    pub what: &'static str,
    pub change: fn(&mut Draft),
    pub redo: Redo,
    pub fails: &'static [Rung],
}

/// One row.
const fn row(what: &'static str, redo: Redo, fails: &'static [Rung], change: fn(&mut Draft)) -> Forgery {
    Forgery { what, change, redo, fails }
}

const STOPS: &str = "predictions/stops.idx1-ubyte";
const BN_WEIGHTS: &str = "weights/small-bn.safetensors";

pub const FORGERIES: &[Forgery] = &[
    // The results.
    row("a better accuracy", Sums, &[Exact, Render, Metrics], |d| results(d, embellish)),
    row("a better accuracy, rendered", Report, &[Metrics], |d| results(d, embellish)),
    row("a better accuracy and a prediction for it", Everything, &[Weights], predict_one_more),
    row("a count of images that two networks get right", Report, &[Metrics], |d| {
        results(d, |r| pass(&mut r["comparisons"]["norm"]["pairs"][0], "only_against", "only_run"));
    }),
    row("a comparison left out", Report, &[Metrics], |d| {
        results(d, |r| drop(r["comparisons"].as_object_mut().unwrap().shift_remove("early")));
    }),
    row("the picture of another digit", Report, &[Metrics], |d| results(d, swap_pictures)),
    row("an image that was not misclassified", Report, &[Metrics], |d| {
        seed(d, "stops", |seed| seed["misread"][0]["predicted"] = seed["misread"][0]["label"].clone());
    }),
    row("the confidence of an error", Report, &[Weights], |d| {
        seed(d, "stops", |seed| seed["misread"][0]["confidence"] = json!(1.0));
    }),
    row("the most confident errors left out", Report, &[Metrics], |d| {
        seed(d, "stops", |seed| drop(seed["misread"].as_array_mut().unwrap().remove(0)));
    }),
    row("the last result on the validation set", Report, &[Weights], |d| {
        seed(d, "small-bn", |seed| seed["epochs"][5]["held_out"]["correct"] = json!(100));
    }),
    row("a validation result of a run without a validation set", Report, &[Exact], |d| {
        let all = json!({"images": 1, "correct": 1, "loss": 0.0});
        seed(d, "small", |seed| seed["epochs"][1]["held_out"] = all);
    }),
    row("a validation result before the last epoch", Report, &[Replay, Rerun], |d| {
        seed(d, "small-bn", |seed| seed["epochs"][0]["held_out"]["correct"] = json!(99));
    }),
    row("a smaller last loss", Report, &[Weights], |d| {
        seed(d, "small", |seed| {
            seed["test_loss"] = json!(0.01);
            *last_test(seed) = json!({"images": 10_000, "correct": last_test(seed)["correct"], "loss": 0.01});
        });
    }),
    row("a smaller loss before the last epoch", Report, &[Exact], |d| {
        seed(d, "small", |seed| seed["epochs"][0]["train_loss"] = json!(0.5));
    }),
    row("a smoother curve in the figure", Report, &[Exact], |d| {
        results(d, |r| r["loss_curves"]["small"]["losses"][1][3] = json!(0.5));
    }),
    row("a curve of fewer steps", Report, &[Exact], |d| {
        results(d, |r| r["loss_curves"]["small-bn"]["steps_per_group"] = json!(2));
    }),
    row("a learning rate in the figure of a run that has a constant one", Report, &[Exact], |d| {
        results(d, |r| {
            let curve = &mut r["loss_curves"]["stops"];
            let rates: Vec<Value> = curve["losses"][0].as_array().unwrap().iter().map(|_| json!(0.1)).collect();
            curve["learning_rates"] = json!(rates);
        });
    }),
    row("another first convolution in the figure", Report, &[Metrics], |d| {
        results(d, |r| r["filters"]["small"] = r["filters"]["small-bn"].clone());
    }),
    row("another learning rate of an epoch", Report, &[Exact], |d| {
        seed(d, "small-bn", |seed| seed["epochs"][2]["lr"] = json!(0.05));
    }),
    row("an epoch's number", Report, &[Exact], |d| seed(d, "small-bn", |seed| seed["epochs"][2]["epoch"] = json!(4))),
    row("an epoch tested on more images", Report, &[Exact], |d| {
        seed(d, "small", |seed| seed["epochs"][0]["test"]["images"] = json!(10_001));
    }),
    row("the first epochs left out", Report, &[Exact], |d| {
        seed(d, "small-bn", |seed| drop(seed["epochs"].as_array_mut().unwrap().drain(..2)));
    }),
    row("a loss after which training had stopped", Report, &[Exact], |d| {
        seed(d, "stops", |seed| seed["epochs"][0]["train_loss"] = json!(0.001));
    }),
    row("a GPU of a precision that the study does not have", Report, &[Exact], |d| {
        let mut gpu = gpu();
        gpu["precision"] = json!("tf32");
        environment(d, "gpu", gpu);
    }),
    row("another arithmetic by the same program", Sums, &[Exact, Render], |d| {
        environment_everywhere(d, "arithmetic", &json!(0));
    }),
    row("another seed's training", Everything, &[Replay, Rerun], pass_off_another_seed),
    row("a GPU's bundle with a better prediction", Everything, &[Weights, Replay], |d| {
        environment(d, "gpu", gpu());
        predict_one_more(d);
    }),
    row("a GPU's bundle with a better epoch", Everything, &[Replay, Rerun], |d| {
        environment(d, "gpu", gpu());
        seed(d, "small-bn", |seed| {
            let correct = &mut seed["epochs"][2]["test"]["correct"];
            *correct = json!(correct.as_u64().unwrap() + 100);
        });
    }),
    row("a count of parameters", Report, &[Exact], |d| {
        results(d, |r| r["models"]["small"]["parameters"] = json!(1234));
    }),
    row("a shape", Report, &[Exact], |d| {
        results(d, |r| r["models"]["small"]["layers"][0]["output_shape"] = json!([64, 4, 24, 24]));
    }),
    row("a size", Report, &[Exact], |d| {
        results(d, |r| r["models"]["small"]["sizes"]["torchsummary"]["total"] = json!(2.5));
    }),
    row("a plan that was not followed", Report, &[Exact], |d| {
        results(d, |r| r["runs"]["small"]["plan"]["epochs"] = json!(20));
    }),
    row("other training images", Report, &[Exact], |d| {
        seed(d, "stops", |seed| seed["subset_sha256"] = json!("0".repeat(64)));
    }),
    row("another test set", Report, &[Metrics], |d| {
        results(d, |r| r["data"]["test_classes"][0] = json!(979));
    }),
    row("results in another form", Sums, &[Exact], |d| compact(d, RESULTS)),
    row("a value twice in the results", Sums, &[Inputs], |d| {
        replace(d, RESULTS, "\"test_loss\":", "\"test_loss\": 0.001,\n          \"test_loss\":");
    }),
    row("results that cannot be read", Sums, &[Inputs], |d| d.write(RESULTS, "{}")),
    row("a run said to have diverged in its first step", Everything, &[Replay], |d| diverge(d, "stops", 1, 1)),
    row("a run said to have diverged in its last step", Everything, &[Replay, Rerun], |d| diverge(d, "stops", 30, 4)),
    row("a run said to have diverged, but its files kept", Everything, &[Metrics], |d| {
        let kept = d.bundle.bytes(STOPS).unwrap().to_vec();
        diverge(d, "stops", 30, 4);
        d.write(STOPS, kept);
    }),
    row("a run said to have diverged with other images", Everything, &[Exact], |d| {
        diverge(d, "stops", 30, 4);
        results(d, |r| r["diverged"]["stops"]["seeds"][0]["diverged"]["subset_sha256"] = json!("0".repeat(64)));
    }),
    row("a run said to have diverged from other weights", Everything, &[Replay], |d| {
        diverge(d, "stops", 30, 4);
        zero_of(d, |r| &mut r["diverged"]["stops"]["seeds"][0]["diverged"]["initial_weights_sha256"]);
    }),
    row("a run said to have diverged with another plan", Everything, &[Exact], |d| {
        diverge(d, "stops", 30, 4);
        results(d, |r| r["diverged"]["stops"]["plan"]["optimizer"]["adam"]["lr"] = json!(1000.0));
    }),
    row("one of two seeds said to have diverged", Everything, &[Replay, Rerun], diverge_second_seed),
    row("a run left out", Report, &[Exact], |d| {
        diverge(d, "stops", 1, 1);
        results(d, |r| r["diverged"].as_object_mut().unwrap().clear());
    }),
    // Files made from the results.
    row("a number in the page", Sums, &[Render], |d| replace(d, REPORT, "1,554", "1,555")),
    row("a number in the report", Sums, &[Render], |d| replace(d, REPORT_MARKDOWN, "1,554", "1,555")),
    row("a figure", Sums, &[Render], |d| replace(d, "figures/parameters.svg", "1,554", "1,555")),
    row("an extra figure", Sums, &[Inputs], |d| d.write("figures/more.svg", "<svg/>")),
    // Predictions, weights, evidence.
    row("a prediction", Report, &[Metrics], |d| predict(d, 7)),
    row("a predicted class that does not exist", Report, &[Metrics], |d| predict(d, 77)),
    row("fewer predictions", Report, &[Metrics], |d| d.write(STOPS, [0, 0, 8, 1, 0, 0, 0, 1, 7])),
    row("a run's predictions removed", Report, &[Metrics], |d| remove(d, STOPS)),
    row("predictions of no run", Report, &[Metrics], |d| d.write("predictions/more.html", "<p>Full marks</p>")),
    row("weights of no run", Report, &[Metrics], |d| copy(d, BN_WEIGHTS, "weights/more.safetensors")),
    row("a weight", Report, &[Metrics], |d| nudge(d, BN_WEIGHTS)),
    row("a weight and its hash", Everything, &[Weights], |d| {
        nudge(d, BN_WEIGHTS);
        rehash_weights(d);
    }),
    row("weights that are not safetensors", Report, &[Metrics, Weights], |d| {
        d.write(BN_WEIGHTS, "none");
        rehash_weights(d);
    }),
    row("a value of the evidence", Report, &[Replay], |d| nudge(d, "evidence/small-bn.safetensors")),
    row("evidence that is not safetensors", Report, &[Replay], |d| d.write("evidence/small-bn.safetensors", "none")),
    row("a state for the first segment", Report, &[Replay], |d| {
        let path = "evidence/small.seed1.safetensors";
        let weights = from_safetensors(d.bundle.bytes("weights/small.seed1.safetensors").unwrap()).unwrap();
        let state = weights.into_iter().map(|t| NamedTensor { name: format!("step0/state.{}", t.name), ..t });
        d.change_tensors(path, |tensors| tensors.extend(state)).unwrap();
    }),
    row("a run's evidence removed", Report, &[Replay], |d| remove(d, "evidence/stops.safetensors")),
    row("losses of no run", Report, &[Metrics], |d| copy(d, "losses/stops.f32", "losses/more.f32")),
    row("a run's losses removed", Report, &[Exact], |d| remove(d, "losses/stops.f32")),
    row("fewer losses", Report, &[Exact], |d| change_losses(d, |losses| losses.truncate(8))),
    row("a part of a loss", Report, &[Exact], |d| {
        let bytes = d.bundle.bytes("losses/stops.f32").unwrap();
        let short = bytes[..bytes.len() - 1].to_vec();
        d.write("losses/stops.f32", short);
    }),
    row("a loss of a batch", Report, &[Exact], |d| change_losses(d, |losses| losses[1] = 0.5)),
    row("a loss that is infinite", Report, &[Exact], |d| change_losses(d, |losses| losses[1] = f32::INFINITY)),
    row("two losses of an epoch exchanged", Everything, &[Replay, Rerun], |d| {
        change_losses(d, |losses| losses.swap(0, 1));
        let losses = read_losses(d.bundle.bytes("losses/stops.f32").unwrap()).unwrap();
        // Three batches of 64 images and one of 8.
        let weighted = losses[..4].iter().zip([64.0, 64.0, 64.0, 8.0]).map(|(loss, n)| f64::from(*loss) * n);
        let mean = weighted.fold(0.0, |sum, loss| sum + loss) / 200.0;
        seed(d, "stops", |seed| seed["epochs"][0]["train_loss"] = json!(mean));
    }),
    row("a chain of other states", Report, &[Replay], |d| {
        seed(d, "small-bn", |seed| seed["chain"][0]["end_sha256"] = json!("0".repeat(64)));
    }),
    // The study.
    row("another learning rate", Sums, &[Inputs, Exact, Render], |d| replace(d, STUDY, "lr: 0.1,", "lr: 0.2,")),
    row("another learning rate, rendered", Report, &[Exact], |d| replace(d, STUDY, "lr: 0.1,", "lr: 0.2,")),
    row("another title", Sums, &[Inputs, Render], |d| replace(d, STUDY, "Tiny study", "Great study")),
    row("other seeds", Report, &[Exact], |d| replace(d, STUDY, "seeds: [1, 2]", "seeds: [1, 3]")),
    row("another run", Sums, &[Inputs, Exact], |d| {
        replace(d, STUDY, "runs:\n", "runs:\n  more: {model: small}\n");
    }),
    row("a study that cannot be read", Sums, &[Inputs], |d| d.write(STUDY, "title: [")),
    // The manifest.
    row("its environment", Sums, &[Inputs, Render], |d| manifest(d, |m| m["environment"]["arithmetic"] = json!(2))),
    row("its hash of the data", Sums, &[Inputs, Render], |d| manifest(d, |m| zero(&mut m["inputs"][1]["sha256"]))),
    row("its hash of the study", Sums, &[Inputs, Render], |d| manifest(d, |m| zero(&mut m["inputs"][0]["sha256"]))),
    row("an input left out", Sums, &[Inputs, Render], |d| {
        manifest(d, |m| drop(m["inputs"].as_array_mut().unwrap().pop()));
    }),
    row("its digest of inputs", Sums, &[Inputs, Render], |d| manifest(d, |m| zero(&mut m["digests"]["inputs"]))),
    row("the finding of a conclusion in conclusions.json", Sums, &[Exact, Render], |d| {
        d.change_json(CONCLUSIONS, |v| v["conclusions"][0]["finding"] = json!("refuted")).unwrap();
    }),
    row("a verdict in conclusions.json", Sums, &[Exact, Render], |d| {
        d.change_json(CONCLUSIONS, |v| v["claims"][3]["verdict"] = json!("matches")).unwrap();
    }),
    row("the answer of a conclusion in conclusions.json", Sums, &[Render], |d| {
        d.change_json(CONCLUSIONS, |v| v["conclusions"][0]["answer"] = json!("Yes, perfectly.")).unwrap();
    }),
    row("its exact digest", Sums, &[Exact, Render], |d| manifest(d, |m| zero(&mut m["digests"]["exact"]))),
    row("its measured digest", Sums, &[Exact, Render], |d| manifest(d, |m| zero(&mut m["digests"]["measured"]))),
    row("its list of files", Sums, &[Inputs, Render], |d| manifest(d, |m| m["files"][0] = json!("none"))),
    row("its title", Sums, &[Inputs, Render], |d| manifest(d, |m| m["title"] = json!("Other"))),
    row("its tolerances", Sums, &[Render], |d| manifest(d, |m| m["tolerances"]["rerun_loss"] = json!(9.0))),
    row("another date everywhere", Sums, &[Inputs], |d| {
        for name in [MANIFEST, REPORT_MARKDOWN, REPORT] {
            let text = d.bundle.text(name).unwrap().replace("2024-05-06", "2024-05-07");
            d.write(name, text);
        }
    }),
    row("a manifest in another form", Sums, &[Render], |d| compact(d, MANIFEST)),
    row("a manifest that cannot be read", Sums, &[Inputs], |d| d.write(MANIFEST, "{}")),
];

fn results(draft: &mut Draft, change: impl FnOnce(&mut Value)) {
    draft.change_json(RESULTS, change).unwrap();
}

fn manifest(draft: &mut Draft, change: impl FnOnce(&mut Value)) {
    draft.change_json(MANIFEST, change).unwrap();
}

fn replace(draft: &mut Draft, file: &str, from: &str, to: &str) {
    draft.replace(file, from, to).unwrap();
}

fn remove(draft: &mut Draft, file: &str) {
    draft.remove(file).unwrap();
}

fn copy(draft: &mut Draft, from: &str, to: &str) {
    let bytes = draft.bundle.bytes(from).unwrap().to_vec();
    draft.write(to, bytes);
}

/// Writes a JSON file without line breaks.
fn compact(draft: &mut Draft, file: &str) {
    let text = draft.json(file).unwrap().to_string();
    draft.write(file, text);
}

fn environment_everywhere(draft: &mut Draft, fact: &str, value: &Value) {
    environment(draft, fact, value.clone());
    manifest(draft, |m| m["environment"][fact] = value.clone());
}

fn environment(draft: &mut Draft, fact: &str, value: Value) {
    results(draft, |results| results["environment"][fact] = value);
}

/// Changes the result of a run's first seed.
fn seed(draft: &mut Draft, run: &str, change: impl FnOnce(&mut Value)) {
    results(draft, |results| change(&mut results["runs"][run]["seeds"][0]));
}

fn last_test(seed: &mut Value) -> &mut Value {
    &mut seed["epochs"].as_array_mut().unwrap().last_mut().unwrap()["test"]
}

/// The files of a trained network.
fn run_files(name: &str) -> [String; 4] {
    ["predictions/NAME.idx1-ubyte", "weights/NAME.safetensors", "evidence/NAME.safetensors", "losses/NAME.f32"]
        .map(|file| file.replace("NAME", name))
}

/// A GPU that no test machine has.
fn gpu() -> Value {
    json!({"name": "A", "libtorch": "2.11.0", "cuda": "13.0", "cudnn": "9.19.0", "precision": "float32"})
}

/// Changes the losses of `stops`.
fn change_losses(draft: &mut Draft, change: impl FnOnce(&mut Vec<f32>)) {
    let file = "losses/stops.f32";
    let mut losses = read_losses(draft.bundle.bytes(file).unwrap()).unwrap();
    change(&mut losses);
    draft.write(file, write_losses(&losses));
}

/// States that a run with one seed diverged, and removes its files.
fn diverge(draft: &mut Draft, run: &str, epoch: usize, step: usize) {
    for file in run_files(run) {
        remove(draft, &file);
    }
    results(draft, |results| {
        let mut removed = results["runs"].as_object_mut().unwrap().shift_remove(run).unwrap();
        removed["seeds"][0] = diverged(&removed["seeds"][0], epoch, step);
        results["diverged"][run] = removed;
        without_figures_of(results, run);
        results["comparisons"].as_object_mut().unwrap().retain(|_, c| c["run"] != run && c["against"] != run);
    });
}

/// States that the second seed of `small` diverged in the last step, and removes its files.
fn diverge_second_seed(draft: &mut Draft) {
    for file in run_files("small.seed2") {
        remove(draft, &file);
    }
    results(draft, |results| {
        let mut removed = results["runs"].as_object_mut().unwrap().shift_remove("small").unwrap();
        removed["seeds"][0] = json!({"finished": removed["seeds"][0]});
        removed["seeds"][1] = diverged(&removed["seeds"][1], 2, 7);
        results["diverged"]["small"] = removed;
        without_figures_of(results, "small");
    });
}

/// Removes a run's data for figures from the results.
fn without_figures_of(results: &mut Value, run: &str) {
    for part in ["loss_curves", "filters"] {
        results[part].as_object_mut().unwrap().shift_remove(run);
    }
}

/// The entry of a seed as if it had diverged.
fn diverged(seed: &Value, epoch: usize, step: usize) -> Value {
    json!({"diverged": {
        "seed": seed["seed"],
        "subset_sha256": seed["subset_sha256"],
        "initial_weights_sha256": seed["initial_weights_sha256"],
        "not_finite": {"epoch": epoch, "step": step, "value": "training_loss"},
    }})
}

fn zero_of(draft: &mut Draft, hash: fn(&mut Value) -> &mut Value) {
    results(draft, |results| zero(hash(results)));
}

fn zero(hash: &mut Value) {
    *hash = json!("0".repeat(64));
}

/// Predicts another class for the hundredth image of `stops`.
fn predict(draft: &mut Draft, class: u8) {
    let mut bytes = draft.bundle.bytes(STOPS).unwrap().to_vec();
    assert_ne!(bytes[107], class);
    bytes[107] = class;
    draft.write(STOPS, bytes);
}

/// Moves one from a count to another.
fn pass(counts: &mut Value, from: &str, to: &str) {
    for (name, by) in [(from, -1), (to, 1)] {
        counts[name] = json!(counts[name].as_i64().unwrap() + by);
    }
}

/// Swaps two of the pictures shown.
fn swap_pictures(results: &mut Value) {
    let pictures = results["digits"].as_object_mut().unwrap();
    let names: Vec<String> = pictures.keys().take(2).cloned().collect();
    let (one, other) = (pictures[&names[0]].clone(), pictures[&names[1]].clone());
    pictures.insert(names[0].clone(), other);
    pictures.insert(names[1].clone(), one);
}

/// A class other than 8 that `small-bn` predicts for some 8.
fn taken_for_another(results: &Value) -> usize {
    let row = &results["runs"]["small-bn"]["seeds"][0]["confusion"][8];
    (0..10).find(|class| *class != 8 && row[class] != 0).expect("some 8 is not taken for one")
}

/// Counts one more 8 as correct in the results of `small-bn`.
fn embellish(results: &mut Value) {
    let wrong = taken_for_another(results);
    let more = |n: &mut Value, by: i64| *n = json!(n.as_i64().unwrap() + by);
    let seed = &mut results["runs"]["small-bn"]["seeds"][0];
    more(&mut seed["confusion"][8][wrong], -1);
    more(&mut seed["confusion"][8][8], 1);
    more(&mut last_test(seed)["correct"], 1);
}

/// Does the same, and changes a prediction to match.
fn predict_one_more(draft: &mut Draft) {
    let name = "predictions/small-bn.idx1-ubyte";
    let mut predictions = draft.bundle.bytes(name).unwrap().to_vec();
    // The classes come after the 8 bytes of the header.
    let header = predictions.len() - draft.data().test.len();
    let value = draft.json(RESULTS).unwrap();
    let wrong = taken_for_another(&value);
    let shown = value["runs"]["small-bn"]["seeds"][0]["misread"].as_array().unwrap();
    let is_shown = |i: usize| shown.iter().any(|m| m["image"] == json!(i));
    let labels = &draft.data().test.labels;
    let fits = |i: &usize| labels[*i] == 8 && usize::from(predictions[header + *i]) == wrong && !is_shown(*i);
    let image = (0..labels.len()).find(fits).unwrap();
    predictions[header + image] = 8;
    draft.write(name, predictions);
    results(draft, embellish);
}

/// Gives `small`'s first seed the results of its second: an honest training, but not from this seed. The run stores no
/// segments except its first steps, so only training it again can show this.
fn pass_off_another_seed(draft: &mut Draft) {
    results(draft, |results| {
        let seeds = &mut results["runs"]["small"]["seeds"];
        let own = seeds[0].clone();
        seeds[0] = seeds[1].clone();
        for kept in ["seed", "subset_sha256", "initial_weights_sha256", "chain"] {
            seeds[0][kept] = own[kept].clone();
        }
    });
    for name in ["predictions/small.seedN.idx1-ubyte", "weights/small.seedN.safetensors", "losses/small.seedN.f32"] {
        copy(draft, &name.replace('N', "2"), &name.replace('N', "1"));
    }
}

/// Changes one value of a safetensors file.
fn nudge(draft: &mut Draft, name: &str) {
    let nudge = |tensors: &mut Vec<NamedTensor>| {
        tensors.iter_mut().find(|tensor| tensor.values.len() > 1).unwrap().values[0] += 0.5;
    };
    draft.change_tensors(name, nudge).unwrap();
}

fn rehash_weights(draft: &mut Draft) {
    let hash = sha256_hex(draft.bundle.bytes(BN_WEIGHTS).unwrap());
    seed(draft, "small-bn", |seed| seed["weights_sha256"] = json!(hash));
}
