//! Golden files of successful output. The golden files of help and errors are compared in the tests that provoke them.

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
