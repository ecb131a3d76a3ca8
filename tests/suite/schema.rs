//! The JSON Schema of a study: the tracked file equals the program's output, it accepts every study in the repository
//! and finds mistakes, and every study names it.

use std::fs;
use std::path::{Path, PathBuf};

use mnist_report::claims::load_study;
use mnist_report::study::schema;
use serde_json::{Value, json};

use crate::docs::{table, words};
use crate::support::*;

/// Why a value does not fit a schema: the first reason, with its place. Knows the keywords that the study's schema
/// uses, and panics at any other.
fn fault(root: &Value, schema: &Value, value: &Value, at: &str) -> Result<(), String> {
    let Some(map) = schema.as_object() else {
        return if *schema == json!(true) { Ok(()) } else { Err(format!("{at}: nothing is allowed")) };
    };
    for (keyword, wanted) in map {
        let holds = match keyword.as_str() {
            "$ref" => {
                let path = wanted.as_str().unwrap().strip_prefix('#').unwrap();
                fault(root, root.pointer(path).unwrap(), value, at)?;
                true
            }
            "allOf" => {
                wanted.as_array().unwrap().iter().try_for_each(|each| fault(root, each, value, at))?;
                true
            }
            "anyOf" => wanted.as_array().unwrap().iter().any(|each| fault(root, each, value, at).is_ok()),
            "oneOf" => {
                wanted.as_array().unwrap().iter().filter(|each| fault(root, each, value, at).is_ok()).count() == 1
            }
            "not" => fault(root, wanted, value, at).is_err(),
            "type" => {
                let types = wanted.as_array().cloned().unwrap_or_else(|| vec![wanted.clone()]);
                types.iter().any(|name| is_of_type(value, name.as_str().unwrap()))
            }
            "enum" => wanted.as_array().unwrap().contains(value),
            "const" => wanted == value,
            "minimum" => value.as_f64().is_none_or(|x| x >= wanted.as_f64().unwrap()),
            "maximum" => value.as_f64().is_none_or(|x| x <= wanted.as_f64().unwrap()),
            "minItems" => value.as_array().is_none_or(|items| items.len() as u64 >= wanted.as_u64().unwrap()),
            "maxItems" => value.as_array().is_none_or(|items| items.len() as u64 <= wanted.as_u64().unwrap()),
            "items" => {
                let items = value.as_array().map_or(&[][..], Vec::as_slice);
                items.iter().enumerate().try_for_each(|(i, item)| fault(root, wanted, item, &format!("{at}[{i}]")))?;
                true
            }
            "required" => {
                let keys = wanted.as_array().unwrap().iter().map(|key| key.as_str().unwrap());
                value.as_object().is_none_or(|map| keys.clone().all(|key| map.contains_key(key)))
            }
            "properties" => {
                for (key, value) in value.as_object().into_iter().flatten() {
                    let found = wanted.get(key).map(|schema| fault(root, schema, value, &format!("{at}.{key}")));
                    found.transpose()?;
                }
                true
            }
            "additionalProperties" => {
                let listed = |key: &str| map.get("properties").is_some_and(|keys| keys.get(key).is_some());
                let others = value.as_object().into_iter().flatten().filter(|(key, _)| !listed(key));
                others.into_iter().try_for_each(|(key, value)| fault(root, wanted, value, &format!("{at}.{key}")))?;
                true
            }
            "$schema" | "title" | "description" | "default" | "format" | "definitions" | "examples" => true,
            other => panic!("{at}: this test does not know `{other}`"),
        };
        if !holds {
            return Err(format!("{at}: {value} does not fit {keyword} {wanted}"));
        }
    }
    Ok(())
}

fn is_of_type(value: &Value, name: &str) -> bool {
    match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("unknown type {other}"),
    }
}

fn check(yaml: &str) -> Result<(), String> {
    let yaml: serde_yaml::Value = serde_yaml::from_str(yaml).unwrap();
    let schema = schema();
    fault(&schema, &schema, &serde_json::to_value(yaml).unwrap(), "study")
}

/// The studies of a folder of the repository.
fn studies(folder: &str) -> Vec<PathBuf> {
    let all = names(&root().join(folder)).into_iter().filter(|name| name.ends_with(".yaml"));
    all.map(|name| root().join(folder).join(name)).collect()
}

#[test]
fn the_tracked_schema_is_the_one_that_the_program_prints() {
    let printed = run(&mut program(["schema"])).exits(0).out;
    assert_eq!(serde_json::from_str::<Value>(&printed).unwrap(), schema());
    golden("../../docs/study.schema.json", &printed);
}

#[test]
fn it_accepts_every_study_in_the_repository() {
    let folders = ["reports", "examples", "src/cli/starters", "tests/fixtures"];
    let all: Vec<PathBuf> = folders.iter().flat_map(|folder| studies(folder)).collect();
    assert!(all.len() > 12, "{all:?}");
    for study in all {
        check(&fs::read_to_string(&study).unwrap()).unwrap_or_else(|e| panic!("{}: {e}", study.display()));
    }
    // Texts may be written as numbers.
    check(&MINI.replace("title: Mini study", "title: 2026\nauthor: true")).unwrap();
    check(&MINI.replace("title: Mini study", "title: T\nauthor: [A, 7, {en: B, uk: Б}]")).unwrap();
    for classes in ["[a, 7]", "[a, {en: b, uk: в}]", "{en: [a, b], uk: [в, г]}"] {
        let data = format!("title: T\ndata: {{dir: d, title: {{en: S, uk: С}}, train_images: 9, classes: {classes}}}");
        check(&MINI.replace("title: Mini study", &data)).unwrap();
    }
    check(&MINI.replace("title: Mini study", "title: T\ndata: folder")).unwrap();
    check(&MINI.replace("title: Mini study", "title: T\ndata: {classes: a}")).unwrap_err();
}

#[test]
fn it_finds_mistakes() {
    check(MINI).unwrap();
    for (from, to) in [
        ("title: Mini study\n", ""),
        ("title: Mini study\n", "title: T\ntitel: T\n"),
        ("flatten", "flaten"),
        ("out_features: 10", "out_feature: 10"),
        ("epochs: 1", "epochs: many"),
        ("epochs: 1", "epochs: 1.5"),
        ("sgd: {lr: 0.1}", "sgd: {rate: 0.1}"),
        ("first: 50", "frist: 50"),
        ("seeds: [1]", "seeds: 1"),
        ("model: only", "modle: only"),
        ("title: Mini study", "title: T\nlang: fr"),
        ("title: Mini study", "title: null"),
        ("seeds: [1]", "seeds: []"),
        ("epochs: 1", "epochs: 0"),
        ("epochs: 1", "epochs: 10001"),
        ("batch_size: 50", "batch_size: 0"),
        ("first: 50", "first: 0"),
        ("out_features: 10", "out_features: 0"),
        ("title: Mini study", "title: T\nconclusions: [{overfits: single, learns: single}]"),
        ("title: Mini study", "title: T\nconclusions: [{overfits: single, supported_if: x}]"),
        ("title: Mini study", "title: T\ncomparisons: {c: {run: single, against: single, margin: 0.6}}"),
    ] {
        assert!(MINI.contains(from));
        assert!(check(&MINI.replace(from, to)).is_err(), "{to} was not found");
    }
}

/// Asserts that a schema accepts a study that the program accepts, too.
#[track_caller]
fn both_accept(study: &str) {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("mini.yaml"), MINI).unwrap();
    let file = home.path().join("study.yaml");
    fs::write(&file, study).unwrap();
    load_study(&file).unwrap_or_else(|e| panic!("{e}\n{study}"));
    check(study).unwrap_or_else(|e| panic!("{e}\n{study}"));
}

#[test]
fn it_accepts_null_where_that_removes_a_key() {
    let grid = "title: T\nmodels: {a: {layers: [flatten, {linear: {out_features: 10}}]}, b: {layers: [flatten, {linear: {out_features: 10}}]}}\n\
                grid: {model: [a, b], optimizer: [adam, {sgd: {lr: 0.1}}], epochs: 1, batch_size: 10, seeds: [1]}\n";
    both_accept(&format!("{grid}runs: {{a-adam: null}}\n"));
    let other = "runs: {other: {model: only}, single: null}\n";
    for changes in ["comparisons: null", "sections: null", "conclusions: null", "description: null", "values: null"] {
        both_accept(&format!("extends: mini.yaml\n{other}{changes}\n"));
    }
    both_accept(&MINI.replace("{model: only}", "{model: only, schedule: null, train: {hold_out: null}}"));
    // Not everywhere: a list has no key to remove.
    check(&MINI.replace("seeds: [1]", "seeds: [null]")).unwrap_err();
    check(&MINI.replace("out_features: 10", "out_features: null")).unwrap_err();
}

#[test]
fn a_conclusion_of_a_study_that_extends_another_may_have_a_part_of_its_keys() {
    for conclusion in
        ["{id: c, why: w}", "{id: c, refuted_if: x}", "{id: c, supported: s}", "{overfits: single, why: w}"]
    {
        check(&format!("extends: mini.yaml\nconclusions: [{conclusion}]\n")).unwrap();
    }
}

/// Asserts that every key of a type, in each of its forms, has a description; the number of keys.
fn described(name: &str, schema: &Value) -> usize {
    let mut count = 0;
    for (key, value) in schema["properties"].as_object().into_iter().flatten() {
        assert!(value["description"].as_str().is_some_and(|text| text.len() > 8), "{name}.{key}: {value}");
        count += 1;
    }
    let forms = ["anyOf", "oneOf"].iter().filter_map(|word| schema[*word].as_array()).flatten();
    count + forms.map(|form| described(name, form)).sum::<usize>()
}

#[test]
fn every_key_of_a_study_has_a_description() {
    let schema = schema();
    let types = schema["definitions"].as_object().unwrap();
    let counts: Vec<(&String, usize)> = types.iter().map(|(name, of)| (name, described(name, of))).collect();
    for name in [
        "RunSpec",
        "TrainImages",
        "Conv2d",
        "Residual",
        "LayerKind",
        "Optimizer",
        "Sgd",
        "Schedule",
        "OneCycle",
        "Conclusion",
    ] {
        assert!(counts.iter().any(|(other, count)| *other == name && *count > 1), "{name}: {counts:?}");
    }
    let grid = &schema["properties"]["grid"];
    assert!(described("Study", &schema) > 20 && described("grid", grid) > 15);
}

/// Whether a schema accepts values of a type.
fn accepts(root: &Value, schema: &Value, kind: &str) -> bool {
    if *schema == json!(true) {
        return true;
    }
    if let Some(reference) = schema["$ref"].as_str() {
        return accepts(root, root.pointer(reference.trim_start_matches('#')).unwrap(), kind);
    }
    let of = |word: &str| schema[word].as_array().cloned().unwrap_or_default();
    let forms = [of("anyOf"), of("oneOf"), of("allOf")].concat();
    let types = schema["type"].as_array().cloned().unwrap_or_else(|| vec![schema["type"].clone()]);
    let is_any = types == [Value::Null] && forms.is_empty() && schema["enum"].is_null();
    is_any
        || types.contains(&kind.into())
        || (kind == "string" && !schema["enum"].is_null())
        || forms.iter().any(|form| accepts(root, form, kind))
}

#[test]
fn the_types_of_the_guide_are_those_of_the_schema() {
    const TYPES: [(&str, &str); 6] = [
        ("text", "string"),
        ("whole number", "integer"),
        ("number", "number"),
        ("true or false", "boolean"),
        ("list", "array"),
        ("map", "object"),
    ];
    let schema = schema();
    let of = |name: &str| schema["definitions"][name]["properties"].clone();
    let mut checked = 0;
    for (heading, keys) in [
        ("## Top level", schema["properties"].clone()),
        ("## Runs", of("RunSpec")),
        ("### compute", of("Compute")),
        ("### Evidence", of("EvidenceSettings")),
        ("### Another data set", of("PinnedData")),
    ] {
        for row in table(heading) {
            let stated: Vec<&str> = match &*row[2] {
                "any" => TYPES.iter().map(|(_, kind)| *kind).collect(),
                "text or list" => vec!["string", "array"],
                "text or map" => vec!["string", "object"],
                word => TYPES.iter().filter(|(known, _)| *known == word).map(|(_, kind)| *kind).collect(),
            };
            assert!(!stated.is_empty(), "{heading}: {}", row[2]);
            for key in words(&row[0]) {
                let key_schema = match key.strip_prefix("train.") {
                    Some(key) => of("TrainImages")[key].clone(),
                    None => keys[key].clone(),
                };
                assert!(!key_schema.is_null(), "{heading}: {key}");
                let found: Vec<&str> =
                    TYPES.iter().map(|(_, kind)| *kind).filter(|kind| accepts(&schema, &key_schema, kind)).collect();
                // A text may be typed as a number, and be a map by language; so may a list of texts.
                let also = |kind: &str| {
                    (stated.contains(&"string") && ["number", "boolean", "object"].contains(&kind))
                        || (stated.contains(&"array") && kind == "object")
                };
                assert!(stated.iter().all(|kind| found.contains(kind)), "{heading}: {key}: {stated:?}, {found:?}");
                assert!(
                    found.iter().all(|kind| stated.contains(kind) || also(kind)),
                    "{heading}: {key}: {stated:?}, {found:?}"
                );
                checked += 1;
            }
        }
    }
    assert!(checked > 50, "{checked}");
}

#[test]
fn every_study_names_the_schema_in_its_first_line() {
    for study in ["reports", "examples"].iter().flat_map(|folder| studies(folder)) {
        let text = fs::read_to_string(&study).unwrap();
        let named = text.lines().next().unwrap().strip_prefix("# yaml-language-server: $schema=");
        let named = named.unwrap_or_else(|| panic!("{}: no schema in its first line", study.display()));
        assert!(same_file(&study.parent().unwrap().join(named), &root().join("docs/study.schema.json")), "{named}");
    }
    // A new study can be anywhere, so its schema is beside it.
    let home = tempfile::tempdir().unwrap();
    let here = |arguments: &[&str]| run(program(arguments).current_dir(home.path()));
    here(&["new", "a.yaml"]).exits(0);
    let beside = home.path().join("study.schema.json");
    assert!(
        fs::read_to_string(home.path().join("a.yaml"))
            .unwrap()
            .starts_with("# yaml-language-server: $schema=study.schema.json\n")
    );
    let written: Value = serde_json::from_str(&fs::read_to_string(&beside).unwrap()).unwrap();
    assert_eq!(written, schema());
    // An existing file of this name is not changed.
    fs::write(&beside, "mine").unwrap();
    let done = here(&["new", "b.yaml"]).exits(0);
    assert!(done.err.contains("study.schema.json") && fs::read_to_string(&beside).unwrap() == "mine", "{}", done.err);
}

fn same_file(a: &Path, b: &Path) -> bool {
    a.canonicalize().ok().is_some_and(|a| a == b.canonicalize().unwrap())
}
