//! Golden files of successful output. The golden files of help and errors are compared in the tests that provoke them.

use std::collections::BTreeSet;
use std::fs;

use mnist_report::claims::load_study;
use mnist_report::model::{LayerKind, module_names};
use mnist_report::text::Lang;

use crate::support::*;

#[test]
fn report_and_page_in_every_language() {
    let bundle = copy();
    for lang in Lang::ALL.map(Lang::code) {
        bundle.run("render", &["--lang", lang]).exits(0);
        golden(&format!("report.{lang}.md"), &bundle.text("report.md"));
        golden(&format!("page.{lang}.txt"), &page_text(&bundle.text("report.html")));
    }
}

#[test]
fn summary_of_a_study() {
    golden("summary.txt", &run(program(["summary"]).arg(tiny())).exits(0).out);
}

/// scripts/test-pytorch.sh compares these files with the programs that PyTorch ran.
#[test]
fn pytorch_programs_of_every_kind_of_layer() {
    let study = root().join("src/arithmetic/portable.yaml");
    let plan = load_study(&study).unwrap().1;
    let kinds: BTreeSet<&str> = plan.models.values().flat_map(|m| &m.layers).map(|layer| layer.kind.key()).collect();
    assert_eq!(kinds, LayerKind::WORDS.iter().copied().collect());
    let mut files = Vec::new();
    for (name, file) in module_names(plan.models.keys().map(String::as_str)) {
        let program = run(program(["code", "--model", name]).arg(&study)).exits(0).out;
        golden(&format!("pytorch/{file}.py"), &program);
        files.push(format!("{file}.py"));
    }
    files.sort();
    assert_eq!(names(&root().join("tests/golden/pytorch")), files);
}

#[test]
fn verification_of_an_honest_bundle() {
    golden("verify.txt", &shared().0.run("verify", &[]).exits(0).out);
}

#[test]
fn the_two_sides_of_a_difference() {
    let other = built_with(&[("lr: 0.1,", "lr: 0.05,")]);
    let (a, b) = (&shared().0, other);
    let text = a.run("diff", &[b.name()]).exits(1).out;
    golden("diff.txt", &text.replace(a.name(), "A").replace(b.name(), "B"));
}

/// Two runs with a section that shows every figure, so that a change in any figure shows up in a text diff.
#[test]
fn figures_of_a_small_study() {
    let layers = "{conv2d: {out_channels: 2, kernel_size: 5}}, relu, {max_pool2d: {kernel_size: 6}}, flatten, \
        {linear: {out_features: 10}}";
    let study = MINI
        .replace("flatten, {linear: {out_features: 10}}", layers)
        .replace("batch_size: 50", "batch_size: 25")
        .replace("epochs: 1", "epochs: 2")
        .replace(
            "{single: {model: only}}",
            "{slow: {model: only}, fast: {model: only, optimizer: {adam: {lr: 0.01}}}}",
        );
    let section = "comparisons: {rule: {run: fast, against: slow, margin: 0.01}}\nsections: [{title: All, runs: [slow, fast], \
        comparisons: [rule], show: [curves, predictions, per_class, confusion, gain, ladder, misclassified, \
        filters, disagreements], points: [{title: elsewhere, parameters: 200, accuracy: 0.5}]}, \
        {title: Alone, runs: [slow], show: [curves]}]\n";
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("s.yaml"), study + section).unwrap();
    let bundle = Bundle::at(home.path().join("s"));
    run(&mut build(&home.path().join("s.yaml"), &bundle.path)).exits(0);
    let drawn = names(&bundle.path.join("figures"));
    golden("figures/names.txt", &(drawn.join("\n") + "\n"));
    for name in drawn {
        golden(&format!("figures/{name}"), &bundle.text(&format!("figures/{name}")));
    }
    // For narrow screens, the page has them drawn again.
    let page = bundle.text("report.html");
    let narrow: Vec<&str> = page.split("<svg ").skip(1).filter(|svg| svg.contains("-narrow-title")).collect();
    for svg in narrow {
        let name = svg.split_once("aria-labelledby=\"figure-").unwrap().1.split_once("-narrow-title").unwrap().0;
        let svg = svg.split_once("</svg>").unwrap().0;
        golden(&format!("figures/narrow/{name}.svg"), &format!("<svg {svg}</svg>\n"));
    }
}
