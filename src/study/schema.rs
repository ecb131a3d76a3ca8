//! The JSON Schema of a study file, from the types that it is read into, so that editors complete and check it.

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::conclusion::Kind;
use super::descriptions;
use super::only::ONLY;
use super::spec::Study;
use super::yaml::{PROSE, TEXTS};
use crate::text::Lang;

/// Types whose keys may all be left out of a file, because `defaults` or the extended study can give them. `build` still asks for
/// them.
const PARTIAL: [&str; 7] = ["RunSpec", "ModelSpec", "Comparison", "Claim", "Conclusion", "PinnedData", "PinnedHashes"];

/// Types whose keys a study may remove with `null`, because another study or `defaults` gives them.
const REMOVABLE: [&str; 4] = ["RunSpec", "TrainImages", "ModelSpec", "Comparison"];

/// The types of a value that is read as a text.
const TYPED: [&str; 3] = ["string", "number", "boolean"];

/// The name of a text in several languages.
const BY_LANGUAGE: &str = "TextByLanguage";

/// The schema (draft 7, which editors support best).
///
/// # Panics
/// Never: a derived schema is a map.
pub fn schema() -> Value {
    let generator = SchemaSettings::draft07().into_generator();
    let mut schema = generator.into_root_schema_for::<Study>().to_value();
    if let Some(types) = schema["definitions"].as_object_mut() {
        for (name, definition) in types.iter_mut() {
            if PARTIAL.contains(&name.as_str()) {
                definition.as_object_mut().map(|map| map.remove("required"));
            }
        }
    }
    refine(&mut schema);
    let defaults = json!({"allOf": [{"$ref": "#/definitions/RunSpec"}], "description": "Run settings for all runs."});
    let extends = json!({"type": "string", "description": "Path of another study, relative to this file, that this one changes."});
    let top = schema.as_object_mut().expect("a type's schema is a map");
    let required = top.remove("required");
    // A grid makes the runs.
    let of_grid = json!(["title", "models", "grid"]);
    top.insert("anyOf".into(), json!([{"required": ["extends"]}, {"required": required}, {"required": of_grid}]));
    if let Some(Value::Object(keys)) = top.get_mut("properties") {
        keys.insert("extends".into(), extends);
        keys.insert("defaults".into(), defaults);
        let lang = json!({"anyOf": [{"$ref": "#/definitions/Lang"}, {"type": "array", "items": {"$ref": "#/definitions/Lang"}}]});
        if let Some(key) = keys.get_mut("lang").and_then(Value::as_object_mut) {
            key.remove("allOf");
            key.append(&mut lang.as_object().cloned().unwrap_or_default());
        }
    }
    if let Some(runs) = schema["properties"]["runs"].as_object_mut() {
        let only = json!({
            "type": "array", "items": {"type": "string"}, "minItems": 1,
            "description": "With `extends`: the runs to keep of the extended study. What names only others is left out, too.",
        });
        runs.insert("properties".into(), json!({ONLY: only}));
    }
    set_grid(&mut schema);
    allow_typed_texts(&mut schema);
    // The classes of a data set: a list of texts, also by language.
    if let Some(Value::Object(classes)) = schema.pointer_mut("/definitions/PinnedData/properties/classes") {
        let text = json!({"anyOf": [{"type": TYPED}, {"$ref": format!("#/definitions/{BY_LANGUAGE}")}]});
        let list = json!({"type": "array", "items": text});
        let lists: Map<String, Value> = Lang::ALL.iter().map(|lang| (lang.code().to_owned(), list.clone())).collect();
        classes.remove("items");
        classes.insert(
            "anyOf".into(),
            json!([list, {"type": "object", "properties": lists, "additionalProperties": false}]),
        );
    }
    // One author or several.
    if let Some(Value::Array(forms)) = schema.pointer_mut("/properties/author/anyOf") {
        let text = json!({"anyOf": [{"type": TYPED}, {"$ref": format!("#/definitions/{BY_LANGUAGE}")}]});
        forms.push(json!({"type": "array", "items": text}));
    }
    let texts: Map<String, Value> =
        Lang::ALL.iter().map(|lang| (lang.code().to_owned(), json!({"type": TYPED}))).collect();
    if let Some(types) = schema["definitions"].as_object_mut() {
        let by_language = json!({"type": "object", "properties": texts, "additionalProperties": false});
        types.insert(BY_LANGUAGE.into(), by_language);
        types.get_mut(BY_LANGUAGE).into_iter().for_each(|texts| descriptions::describe(BY_LANGUAGE, texts));
    }
    schema
}

/// The keys of a grid are those of a run.
fn set_grid(schema: &mut Value) {
    let grid = grid_of(&schema["definitions"]["RunSpec"]["properties"]);
    if let Some(key) = schema["properties"]["grid"].as_object_mut() {
        key.remove("additionalProperties");
        key.insert("type".into(), json!(["object", "null"]));
        key.insert("properties".into(), grid);
        key.insert("additionalProperties".into(), json!(false));
    }
}

/// Adds descriptions, ranges, and `null` where it removes a key; only one kind of a conclusion is allowed.
fn refine(schema: &mut Value) {
    // A report needs a title and models. Every other key may be removed.
    const NEEDED: [&str; 2] = ["title", "models"];
    if let Some(types) = schema["definitions"].as_object_mut() {
        for (name, definition) in types.iter_mut() {
            descriptions::describe(name, definition);
        }
        if let Some(conclusion) = types.get_mut("Conclusion") {
            let keys: Vec<&str> = Kind::WORDS.into_iter().chain(["supported_if"]).collect();
            descriptions::allow_one(conclusion, &keys);
        }
        if let Some(seeds) = types.get_mut("RunSpec").and_then(|run| run["properties"]["seeds"].as_object_mut()) {
            seeds.insert("minItems".into(), json!(1));
        }
        for name in REMOVABLE {
            let keys = types.get_mut(name).and_then(|of| of["properties"].as_object_mut());
            keys.into_iter().flatten().for_each(|(_, value)| descriptions::allow_null(value));
        }
    }
    for (key, value) in schema["properties"].as_object_mut().into_iter().flatten() {
        if let Some(each) = value.get_mut("additionalProperties").filter(|each| each.is_object()) {
            descriptions::allow_null(each);
        }
        if !NEEDED.contains(&key.as_str()) {
            descriptions::allow_null(value);
        }
    }
}

/// The keys of a grid: those of a run, each with a value or a list of values. Runs are named by their values.
fn grid_of(run: &Value) -> Value {
    let keys = run.as_object().into_iter().flatten().filter(|(key, _)| *key != "title");
    let key = |(name, value): (&String, &Value)| {
        let value = if name == "seeds" { value.clone() } else { Value::Object(descriptions::of_grid(value)) };
        (name.clone(), value)
    };
    Value::Object(keys.map(key).collect())
}

/// Allows numbers and truth values where a text is expected, which is then read as it was typed.
fn allow_typed_texts(schema: &mut Value) {
    match schema {
        Value::Object(map) => {
            if let Some(Value::Object(keys)) = map.get_mut("properties") {
                keys.iter_mut().filter(|(key, _)| TEXTS.contains(&key.as_str())).for_each(|(_, value)| widen(value));
                keys.iter_mut()
                    .filter(|(key, _)| PROSE.contains(&key.as_str()))
                    .for_each(|(_, value)| translate(value));
            }
            map.values_mut().for_each(allow_typed_texts);
        }
        Value::Array(items) => items.iter_mut().for_each(allow_typed_texts),
        _ => {}
    }
}

/// Allows a text by language in the place of a text.
fn translate(value: &mut Value) {
    let Some(map) = value.as_object_mut() else { return };
    if let Some(types) = map.remove("type") {
        map.insert("anyOf".into(), json!([{"type": types}, {"$ref": format!("#/definitions/{BY_LANGUAGE}")}]));
    }
}

/// Adds numbers and truth values to the types of a text, or of the texts of a list.
fn widen(value: &mut Value) {
    let Some(map) = value.as_object_mut() else { return };
    let types: Vec<&str> = match map.get("type") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
        _ => return,
    };
    if types.contains(&"string") {
        let more = TYPED.into_iter().filter(|name| !types.contains(name));
        let all: Vec<&str> = types.iter().copied().chain(more).collect();
        let all = json!(all);
        map.insert("type".into(), all);
    } else if types.contains(&"array") {
        map.get_mut("items").map(widen);
    }
}
