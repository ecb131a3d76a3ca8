//! The studies in examples/ are short, and do what their first lines promise.

use std::fs;

use crate::support::*;

const MAX_LINES: usize = 40;

#[test]
fn every_example_is_short_and_resolves() {
    let folder = root().join("examples");
    let examples = names(&folder);
    assert_eq!(examples.len(), 4, "{examples:?}");
    for name in examples {
        let text = fs::read_to_string(folder.join(&name)).unwrap();
        assert!(text.lines().count() <= MAX_LINES, "{name} has more than {MAX_LINES} lines");
        assert!(
            text.contains(&format!("#   mnist-report build examples/{name}\n")),
            "{name} does not say how to build it"
        );
        run(program(["summary"]).arg(folder.join(&name))).exits(0);
    }
}

#[test]
fn the_first_network_builds_and_recognises_digits() {
    let home = tempfile::tempdir().unwrap();
    let bundle = Bundle::at(home.path().join("first-network"));
    run(&mut build(&root().join("examples/first-network.yaml"), &bundle.path)).exits(0);
    let correct = bundle.json("results.json")["runs"]["first"]["seeds"][0]["epochs"][2]["test"]["correct"].as_u64();
    assert!(correct.unwrap() > 9_300, "{correct:?} of 10,000");
}
