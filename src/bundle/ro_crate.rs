//! ro-crate-metadata.json: the bundle as a research object, for archives and search engines.
//!
//! RO-Crate 1.1 with the Process Run Crate 0.5 profile: one run of the program as an action with inputs and results. It
//! states no times, because they differ from build to build; run-log.json has them.
//! <https://www.researchobject.org/ro-crate/specification/1.1/>,
//! <https://www.researchobject.org/workflow-run-crate/profiles/process_run_crate/>

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::Listing;
use super::layout::{
    CRATE, EVIDENCE, FIGURES, LOSSES, MANIFEST, PREDICTIONS, REPORT, REPORT_MARKDOWN, RESULTS, STUDY, SUMS, WEIGHTS,
};
use super::manifest::Manifest;
use crate::report::{CONCLUSIONS, PYTORCH};
use crate::study::Study;
use crate::text::Lang;

const PROFILE: &str = "https://w3id.org/ro/wfrun/process/0.5";
const MNIST: &str = "http://yann.lecun.com/exdb/mnist/";
const MNIST_LICENSE: &str = "https://creativecommons.org/licenses/by-sa/3.0/";
const PROGRAM: &str = "#mnist-report";
const SOURCE: &str = "#program-source";
const BUILD: &str = "#build";
const AUTHOR: &str = "#author";
const INSTITUTION: &str = "#institution";
/// RO-Crate requires a date. If neither the study nor SOURCE_DATE_EPOCH gives one, the crate has this one and its
/// description says so. Today's date would give other bytes each day.
const UNDATED: &str = "1980-01-01";

/// The bytes of ro-crate-metadata.json.
pub(super) fn metadata(study: &Study, manifest: &Manifest, files: &Listing) -> String {
    let mut graph = vec![
        json!({
            "@id": CRATE,
            "@type": "CreativeWork",
            "about": id("./"),
            "conformsTo": id("https://w3id.org/ro/crate/1.1"),
        }),
        root(study, manifest, files),
        json!({"@id": PROFILE, "@type": "CreativeWork", "name": "Process Run Crate", "version": "0.5"}),
        license(study.license.as_deref()),
    ];
    graph.extend(people(study));
    graph.push(action(study, manifest, files));
    graph.extend(program(manifest));
    graph.extend(data(manifest));
    graph.extend(files.iter().map(|(path, listed)| {
        let mut file = file(path, manifest);
        file["sha256"] = json!(listed.sha256);
        if let Some(bytes) = listed.bytes {
            file["contentSize"] = json!(bytes.to_string());
        }
        file
    }));
    // SHA256SUMS has no hash here, because it contains the hash of ro-crate-metadata.json.
    graph.push(file(SUMS, manifest));
    // The context of RO-Crate 1.1 is older than schema.org's `sha256` and does not have it.
    let context = json!(["https://w3id.org/ro/crate/1.1/context", {"sha256": "http://schema.org/sha256"}]);
    format!("{:#}\n", json!({"@context": context, "@graph": graph}))
}

/// The sizes of files that a crate states; empty if it cannot be parsed.
pub(super) fn stated_sizes(metadata: &[u8]) -> BTreeMap<String, u64> {
    let value: Value = serde_json::from_slice(metadata).unwrap_or_default();
    let entities = value["@graph"].as_array().map(Vec::as_slice).unwrap_or_default();
    let size = |e: &Value| Some((e["@id"].as_str()?.to_owned(), e["contentSize"].as_str()?.parse().ok()?));
    entities.iter().filter_map(size).collect()
}

fn id(of: &str) -> Value {
    json!({"@id": of})
}

/// References in the compact form that RO-Crate recommends: a single one is not in a list.
fn ids<'a>(of: impl IntoIterator<Item = &'a str>) -> Value {
    let mut ids: Vec<Value> = of.into_iter().map(id).collect();
    match ids.len() {
        1 => ids.remove(0),
        _ => Value::Array(ids),
    }
}

fn root(study: &Study, manifest: &Manifest, files: &Listing) -> Value {
    let mut description = study.description.trim().to_owned();
    if description.is_empty() {
        description = "A study of neural networks on MNIST: report, measured values and trained weights.".into();
    }
    if manifest.date.is_none() {
        description.push_str(" (The study carries no date; datePublished is a placeholder.)");
    }
    let mut root = json!({
        "@id": "./",
        "@type": "Dataset",
        "conformsTo": id(PROFILE),
        "name": study.title,
        "description": description,
        "inLanguage": manifest.languages,
        "datePublished": manifest.date.as_deref().unwrap_or(UNDATED),
        "license": id(license_id(study.license.as_deref())),
        "hasPart": ids(files.keys().map(String::as_str).chain([SUMS])),
        "mentions": id(BUILD),
    });
    if study.author.is_some() {
        root["author"] = id(AUTHOR);
    }
    root
}

fn is_url(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=%".contains(&b);
    (text.starts_with("https://") || text.starts_with("http://")) && text.bytes().all(plain)
}

fn license_id(license: Option<&str>) -> &str {
    license.filter(|text| is_url(text)).unwrap_or("#license")
}

/// Only the author can give a licence: without `license:` in the study, the crate states that there is none.
fn license(license: Option<&str>) -> Value {
    let (name, description) = match license {
        Some(text) => (text, "The licence that the study names."),
        None => (
            "No licence stated",
            "Ask the study's author before any use that the law does not allow without a licence.",
        ),
    };
    json!({"@id": license_id(license), "@type": "CreativeWork", "name": name, "description": description})
}

fn people(study: &Study) -> Vec<Value> {
    let mut people = Vec::new();
    if let Some(author) = &study.author {
        people.push(json!({"@id": AUTHOR, "@type": "Person", "name": author}));
        if let Some(institution) = &study.institution {
            people[0]["affiliation"] = id(INSTITUTION);
            people.push(json!({"@id": INSTITUTION, "@type": "Organization", "name": institution}));
        }
    }
    people
}

fn action(study: &Study, manifest: &Manifest, files: &Listing) -> Value {
    let data: Vec<String> = data_files(manifest).map(|(name, _)| data_id(name)).collect();
    let inputs = std::iter::once(STUDY).chain(data.iter().map(String::as_str)).chain([SOURCE]);
    let results = files.keys().map(String::as_str).filter(|path| *path != STUDY).chain([CRATE, SUMS]);
    let mut action = json!({
        "@id": BUILD,
        "@type": "CreateAction",
        "name": format!("Build of the bundle \"{}\"", study.title),
        "description": format!("Trains, measures and reports the study's networks. {}.", manifest.environment),
        "instrument": id(PROGRAM),
        "object": ids(inputs),
        "result": ids(results),
        "actionStatus": "http://schema.org/CompletedActionStatus",
    });
    if study.author.is_some() {
        action["agent"] = id(AUTHOR);
    }
    action
}

fn program(manifest: &Manifest) -> Vec<Value> {
    let program = &manifest.program;
    let mut entities = vec![
        json!({
            "@id": PROGRAM,
            "@type": "SoftwareApplication",
            "name": program.name,
            "softwareVersion": program.version,
        }),
        json!({
            "@id": SOURCE,
            "@type": "SoftwareSourceCode",
            "name": format!("Source, templates and lock file of {} {}", program.name, program.version),
            "version": program.version,
            "programmingLanguage": "Rust",
            "targetProduct": id(PROGRAM),
            "sha256": program.source_sha256,
        }),
    ];
    if let Some(gpu) = &manifest.environment.gpu {
        let libtorch = format!("https://github.com/pytorch/pytorch/releases/tag/v{}", gpu.libtorch);
        entities[0]["softwareRequirements"] = id(&libtorch);
        entities.push(json!({
            "@id": libtorch,
            "@type": "SoftwareApplication",
            "name": "libtorch",
            "softwareVersion": gpu.libtorch,
            "url": "https://pytorch.org/",
        }));
    }
    entities
}

/// The inputs that are data: (name, SHA-256).
fn data_files(manifest: &Manifest) -> impl Iterator<Item = (&str, &str)> {
    let files = manifest.inputs.iter().filter(|input| input.name.ends_with("-ubyte"));
    files.map(|input| (input.name.as_str(), input.sha256.as_str()))
}

fn data_id(name: &str) -> String {
    format!("#mnist/{name}")
}

/// The crate names MNIST's files with their hashes. They are not in the bundle, so they are not parts of the crate.
fn data(manifest: &Manifest) -> Vec<Value> {
    let mut entities: Vec<Value> = data_files(manifest)
        .map(|(name, sha256)| {
            json!({
                "@id": data_id(name),
                "@type": "CreativeWork",
                "name": name,
                "encodingFormat": "application/octet-stream",
                "sha256": sha256,
                "isPartOf": id(MNIST),
            })
        })
        .collect();
    entities.push(json!({
        "@id": MNIST,
        "@type": "CreativeWork",
        "name": "The MNIST database of handwritten digits",
        "license": id(MNIST_LICENSE),
    }));
    entities.push(json!({
        "@id": MNIST_LICENSE,
        "@type": "CreativeWork",
        "name": "Creative Commons Attribution-ShareAlike 3.0",
        "description": "The licence of MNIST, which is not part of this bundle.",
    }));
    entities
}

fn file(path: &str, manifest: &Manifest) -> Value {
    let (format, description) = kind(path);
    let mut file =
        json!({"@id": path, "@type": "File", "name": path, "description": description, "encodingFormat": format});
    if let Some(lang) = language_of_page(path, manifest) {
        file["description"] = format!("The report in {}", lang.name()).into();
        file["inLanguage"] = lang.code().into();
    }
    file
}

/// The language of a report's page; `None` for other files.
fn language_of_page(path: &str, manifest: &Manifest) -> Option<Lang> {
    let provenance = manifest.provenance();
    let is_of = |lang: &&Lang| [REPORT, REPORT_MARKDOWN].iter().any(|page| provenance.file_in(**lang, page) == path);
    manifest.languages.all().iter().find(is_of).copied()
}

/// A file's media type and description, by its name.
fn kind(path: &str) -> (&'static str, &'static str) {
    let format = match path.rsplit_once('.').map_or("", |(_, ending)| ending) {
        "html" => "text/html",
        "md" => "text/markdown",
        "svg" => "image/svg+xml",
        "json" => "application/json",
        "yaml" => "application/yaml",
        "py" => "text/x-python",
        _ if path == SUMS => "text/plain",
        _ => "application/octet-stream",
    };
    // A folder ends in `/`.
    let top = path.split_inclusive('/').next().unwrap_or_default();
    let description = match top {
        FIGURES => "A figure of the report",
        PYTORCH => "A network as a PyTorch module",
        RESULTS => "Every measured value",
        CONCLUSIONS => "The verdicts on claims and the answers of conclusions",
        STUDY => "The study: models, runs, claims and conclusions",
        PREDICTIONS => "The predicted class of each test image, in IDX format",
        WEIGHTS => "Weights after training, in safetensors format",
        MANIFEST => "Inputs, digests, environment and files of the bundle",
        EVIDENCE => "States of a training from which parts of it can be replayed",
        LOSSES => "The training loss of every batch of a run: float32, little-endian, in the order of the steps",
        SUMS => "The SHA-256 of every other file except run-log.json; its own SHA-256 is the Report ID",
        _ => "A file of the bundle",
    };
    (format, description)
}
