//! Templates and expressions of a hostile bundle: `verify` evaluates them with limits, says what is wrong, and goes on with the
//! next bundle.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::starved::with_study;
use crate::support::*;

/// The most seconds that one of them may take, on a machine that is busy. Each needs a fraction of one.
const MOST_SECONDS: f64 = 20.0;

/// A study with a sentence, or with a condition.
fn sentence(text: &str) -> Bundle {
    conclusion("'runs.single.accuracy >= 0'", &quoted(text))
}

fn condition(text: &str) -> Bundle {
    conclusion(&quoted(text), "'yes'")
}

fn conclusion(condition: &str, sentence: &str) -> Bundle {
    with_study(|study| {
        format!(
            "{study}conclusions:\n- {{id: c, question: q, supported_if: {condition}, refuted_if: 'false', supported: \
             {sentence}, refuted: 'no', undecided: 'no'}}\n"
        )
    })
}

/// A study with so many claims with the same expression.
fn claims(count: usize, measured: &str) -> Bundle {
    claims_about("", count, measured)
}

/// The same, with values.
fn claims_about(values: &str, count: usize, measured: &str) -> Bundle {
    with_study(|study| {
        let mut study = format!("{study}{values}claims:\n");
        for i in 0..count {
            let measured = quoted(measured);
            let _ = writeln!(
                study,
                "- {{id: c{i}, group: g, quote: q, printed: '1', measured: {measured}, compare: printed}}"
            );
        }
        study
    })
}

/// A list of numbers with a text at its end, which a thousand claims read.
fn refused_lists() -> Bundle {
    let list = "  - 1\n".repeat(99_000);
    claims_about(&format!("values:\n  l:\n{list}  - x\n"), 1000, "values.l == 1")
}

/// A thousand claims with one long expression, most of which is never evaluated.
fn parsed_only() -> Bundle {
    let long = quoted(&format!("1 if true else (runs.zzzz is divisibleby({}))", vec!["1"; 1900].join("+")));
    with_study(|study| {
        let mut study = format!("{study}claims:\n");
        for i in 0..1000 {
            let measured = if i == 0 { format!("&long {long}") } else { "*long".to_owned() };
            let _ = writeln!(
                study,
                "- {{id: c{i}, group: g, quote: q, printed: '1', measured: {measured}, compare: exact}}"
            );
        }
        study
    })
}

fn typos() -> Bundle {
    let mut values = "values:\n".to_owned();
    for i in 0..180_000 {
        let _ = writeln!(values, "  k{i:012}: 1");
    }
    claims_about(&values, 700, "values.k00000000000x")
}

/// A word of 60 letters for each number, unlike the others.
fn long_name(i: usize) -> String {
    let letter = |j: usize| char::from(b'a' + ((i * 7919 + j * j * 31 + i * j) % 26) as u8);
    (0..60).map(letter).collect()
}

/// Claims on values that the study does not have, each of which might be a typo of any that it has.
fn missed_names() -> Bundle {
    let values: String = (0..1000).map(|i| format!("  v{i}{}: 1\n", long_name(i))).collect();
    with_study(|study| {
        let mut study = format!("{study}values:\n{values}claims:\n");
        for i in 0..1000 {
            let measured = format!("values.w{i}{}", long_name(i + 5000));
            let _ = writeln!(
                study,
                "- {{id: c{i}, group: g, quote: q, printed: '1', measured: {measured}, compare: printed}}"
            );
        }
        study
    })
}

/// A grid with one value a hundred times, by alias.
fn grid() -> String {
    let settings: String = (0..4500).map(|i| format!("k{i}: a, ")).collect();
    format!("grid:\n  optimizer: [&m {{sgd: {{{settings}lr: 0.1}}}}{}]\n", ", *m".repeat(99))
}

/// Invalid YAML: what is wrong with it is looked for in each of its values.
fn long_line() -> String {
    let maps: String = (0..19_990).map(|i| format!("r{i}: {{title: a}}, ")).collect();
    format!("title: x\nruns: {{{maps}z: {}, e: \"b\" c}}\n", "a".repeat(3_600_000))
}

/// Sections that all show the run of the study.
fn sections(count: usize, more: &str) -> String {
    let mut text = "sections:\n".to_owned();
    for i in 0..count {
        let _ = writeln!(text, "- title: S{i}\n  runs: [single]\n  {more}");
    }
    text
}

/// What is found must reach the grader, however long the bundle's own words are.
#[test]
fn long_texts_hide_neither_a_result_nor_a_difference() {
    let bundle = built(&format!("group: {}\n{MINI}", "CS31 ".repeat(400_000).trim()));
    bundle.run("verify", &["--upto", "metrics"]).exits(0);
    let predictions = "predictions/single.idx1-ubyte";
    let mut bytes = fs::read(bundle.path.join(predictions)).unwrap();
    let last = bytes.len() - 1;
    bytes[last] = (bytes[last] + 1) % 10;
    fs::write(bundle.path.join(predictions), bytes).unwrap();
    bundle.redo_sums();
    bundle.run("verify", &["--upto", "metrics"]).exits(1);
}

/// A study with a description: Markdown that may print values.
fn description(text: &str) -> Bundle {
    with_study(|study| format!("description: {}\n{study}", quoted(text)))
}

/// A JSON string is a YAML string.
fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap()
}

/// Each way to keep a machine busy, or to fill its memory, by what it tries.
fn hostile() -> Vec<(&'static str, Bundle)> {
    let deep = |open: &str, close: &str, n: usize| format!("{}1{}", open.repeat(n), close.repeat(n));
    vec![
        // Loops and recursion.
        ("a loop", sentence("{% for i in range(1000000000) %}x{% endfor %}")),
        (
            "a loop in a loop",
            sentence("{% for i in range(99999) %}{% for j in range(99999) %}{{ i }}{% endfor %}{% endfor %}"),
        ),
        ("a macro that calls itself", sentence("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}")),
        ("a recursive loop", sentence("{% for i in [1] recursive %}{{ loop([1]) }}{% endfor %}")),
        ("a block that includes a file", sentence("{% include 'study.yaml' %}{% extends 'study.yaml' %}")),
        ("an import", sentence("{% import '/etc/passwd' as p %}{{ p }}")),
        // Large ranges, lists and texts.
        ("a range", condition("range(1000000000)|length > 0")),
        ("a sum over a range", condition("range(100000000)|sum > 0")),
        ("a sorted range", condition("range(90000)|sort|reverse|first > 0")),
        ("a product of lists", condition("([0] * 1000000000)|length > 0")),
        ("a product of texts", condition("('a' * 1000000000)|length > 0")),
        (
            "texts that replace each other",
            sentence(&format!("{{{{ 'xxxxxxxx'{} }}}}", "|replace('x', 'xxxxxxxx')".repeat(20))),
        ),
        ("texts that join themselves", condition(&format!("'aaaaaaaa'{} == ''", "|list|join('aaaaaaaa')".repeat(20)))),
        ("an indent", sentence("{{ 'a\nb'|indent(1000000000) }}")),
        ("a width", sentence("{{ '%01000000000d'|format(1) }}")),
        ("decimals", sentence("{{ runs.single.accuracy|percent(1000000000) }}")),
        ("batches", condition("(range(90000)|batch(1, 0)|list|length) > 0")),
        ("slices", condition("(range(90000)|slice(90000)|list|length) > 0")),
        ("a search of lists in lists", condition("range(9000)|list in [range(9000)|list, range(9000)|list]")),
        ("a table of everything", sentence("{{ runs|pprint }}{{ runs|tojson(indent=100000) }}")),
        ("a power of a power", condition("9**9**9**9**9 > 0")),
        ("a range of huge numbers", condition("range(-9223372036854775807, 9223372036854775807)|length > 0")),
        // Deep nesting.
        ("brackets", condition(&format!("{} == 1", deep("(", ")", 1900)))),
        ("lists", condition(&format!("{} == 1", deep("[", "]", 1900)))),
        ("signs", condition(&format!("{}1 > 0", "-".repeat(3900)))),
        ("negations", condition(&format!("{}true", "not ".repeat(950)))),
        ("attributes", condition(&format!("runs{} > 0", ".a".repeat(1900)))),
        ("choices", condition(&"1 if 1 else ".repeat(320))),
        ("operators", condition(&format!("{}1 > 0", "1+".repeat(1900)))),
        ("filters", condition(&format!("1{} > 0", "|abs".repeat(950)))),
        ("blocks", sentence(&format!("{}x{}", "{% if 1 %}".repeat(190), "{% endif %}".repeat(190)))),
        ("quotations of quotations", description(&">".repeat(31_000))),
        ("lists of lists", description(&(0..250).map(|i| format!("{}- a\n", " ".repeat(2 * i))).collect::<String>())),
        ("values in a description", description(&"{{ runs.single.accuracy }}".repeat(1200))),
        // Much of everything.
        ("many claims", claims(1000, "range(9000)|sum")),
        ("more claims than are supported", claims(1001, "1")),
        ("a claim of a long text", claims(1, &format!("'{}'", "a".repeat(4_000)))),
        ("the deepest YAML", with_study(|study| format!("{study}values: {}\n", deep("[", "]", 9000)))),
        ("a thousand sections", with_study(|study| format!("{study}{}", sections(1000, "")))),
        (
            "a report of a thousand figures",
            with_study(|study| {
                format!(
                    "{study}{}",
                    sections(200, "show: [curves, ladder, predictions, per_class, confusion, misclassified]")
                )
            }),
        ),
        ("a long text in braces", description(&format!("{{{{ '{}' }}}}", "a".repeat(31_000)))),
    ]
}

/// Those that took about a minute or more.
fn slow() -> Vec<(&'static str, Bundle)> {
    vec![
        ("a thousand lists that are refused", refused_lists()),
        ("a thousand typos among 180,000 names", typos()),
        ("a thousand texts that are only parsed", parsed_only()),
        ("a thousand long names that are none of a thousand others", missed_names()),
        (
            "subscripts in subscripts",
            claims_about(
                "values: {v: [0, 0, 0]}\n",
                1000,
                &format!("{}0 if true else '{}'{}", "values.v[".repeat(60), "a".repeat(3200), "]".repeat(60)),
            ),
        ),
        ("a grid of a hundred values with thousands of settings", with_study(|study| study.to_owned() + &grid())),
        ("a line of four megabytes with a mistake", with_study(|_| long_line())),
        (
            "texts in a text, with a mistake",
            with_study(|_| format!("title: x\nruns: {{z: \"a{}\", e: \"b\" c}}\n", ", en: 'b'".repeat(400_000))),
        ),
        (
            "brackets and a long list",
            with_study(|study| format!("{study}values: {{x: {}{}\n", "[".repeat(19_000), "a,".repeat(1_800_000))),
        ),
        (
            "a long key there twice",
            with_study(|_| {
                let key = "a ".repeat(1_900_000);
                format!("title: x\nruns: {{? {key} : 1, ? {key} : 2}}\n")
            }),
        ),
    ]
}

#[test]
fn no_template_of_a_bundle_is_executed_without_bounds() {
    let hostile = [hostile(), slow()].into_iter().flatten().collect::<Vec<_>>();
    let honest = &*shared().0.path;
    let paths: Vec<&Path> = hostile.iter().map(|(_, bundle)| &*bundle.path).chain([honest]).collect();
    // Half of the memory, and a third of the time, that is allowed up to `metrics`.
    let limits = ["--json", "--upto", "metrics", "--memory", "512", "--timeout", "20"];
    let out = on_paths("verify", &limits, &paths).exits(1).out;
    let records: Vec<Value> = serde_json::from_str(&out).unwrap();
    let mut wrong = Vec::new();
    for ((what, _), record) in hostile.iter().zip(&records) {
        let is_slow = record["seconds"].as_f64().unwrap() > MOST_SECONDS;
        // The report of the honest bundle does not show what this study says: whatever became of it, `render` or a rung before
        // it must fail, or nothing was checked.
        let found = record["result"].as_str().unwrap();
        let has_a_reason = match found {
            "failed" => record["steps"].as_array().unwrap().iter().any(|step| step["status"] == "failed"),
            "not_checked" | "unreadable" => !record["error"].as_str().unwrap_or("why").is_empty(),
            _ => false,
        };
        if is_slow || !has_a_reason {
            wrong.push(format!("{what}: {found} after {} s: {record}", record["seconds"]));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(records.last().unwrap()["result"], "verified", "the batch goes on");
}

#[test]
fn the_templates_of_a_bundle_are_not_used() {
    let bundle = built(MINI);
    fs::create_dir(bundle.path.join("templates")).unwrap();
    bundle.write("templates/page.html.j2", "{% for i in range(1000000000) %}{% endfor %}");
    bundle.redo_sums();
    let out = bundle.run("verify", &["--upto", "metrics", "--timeout", "20"]).exits(1).out;
    assert!(out.contains("templates/page.html.j2"), "{out}");
}

/// Reading weights takes several times their size in memory.
#[test]
fn weights_larger_than_their_network_are_not_read() {
    let bundle = copy();
    let file = "weights/small-bn.safetensors";
    bundle.write(file, [bundle.bytes(file), vec![0; 4 << 20]].concat());
    bundle.redo_sums();
    let done = bundle.run("verify", &["--upto", "metrics"]).exits(1);
    assert!(done.out.contains(&format!("{file} has 4,")), "{}", done.out);
    assert!(done.out.contains(" bytes, more than a network of 1,"), "{}", done.out);
}
