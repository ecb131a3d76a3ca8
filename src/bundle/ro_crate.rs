//! ro-crate-metadata.json: the bundle as a research object, for archives and search engines.
//!
//! RO-Crate 1.1 with the Process Run Crate 0.5 profile: one run of the program as an action with inputs and results. It
//! states no times, because they differ from build to build; run-log.json has them.
//! <https://www.researchobject.org/ro-crate/specification/1.1/>,
//! <https://www.researchobject.org/workflow-run-crate/profiles/process_run_crate/>

use std::collections::BTreeMap;

use minijinja::context;
use serde_json::{Value, json};

use super::Listing;
use super::layout::{
    CRATE, EVIDENCE, FIGURES, IMAGES, LOSSES, MANIFEST, PREDICTIONS, REPORT, REPORT_MARKDOWN, RESULTS, STUDY, SUMS,
    WEIGHTS,
};
use super::manifest::Manifest;
use crate::report::{self, CONCLUSIONS, Language, PYTORCH, README};
use crate::study::{Authors, Study};
use crate::text::Lang;

const PROFILE: &str = "https://w3id.org/ro/wfrun/process/0.5";
/// The data set of a study that takes another one than MNIST.
const DATA: &str = "#data";
const MNIST: &str = "http://yann.lecun.com/exdb/mnist/";
const MNIST_LICENSE: &str = "https://creativecommons.org/licenses/by-sa/3.0/";
const PROGRAM: &str = "#mnist-report";
const SOURCE: &str = "#program-source";
const BUILD: &str = "#build";
const AUTHOR: &str = "#author";
const INSTITUTION: &str = "#institution";
/// RO-Crate requires a date. If neither the study nor SOURCE_DATE_EPOCH gives one, the crate has this date, and its
/// description states that. With today's date, the bytes would change every day.
const UNDATED: &str = "1980-01-01";

/// The content of a crate, in the report's first language.
pub(super) struct Described<'a> {
    pub(super) study: &'a Study,
    /// The study's description, with its values and without markup.
    pub(super) description: String,
    pub(super) manifest: &'a Manifest,
    pub(super) language: &'a Language,
}

type Result<T> = std::result::Result<T, report::Error>;

/// The bytes of ro-crate-metadata.json.
pub(super) fn metadata(about: &Described, files: &Listing) -> Result<String> {
    let Described { study, manifest, language, .. } = about;
    let mut graph = vec![
        json!({
            "@id": CRATE,
            "@type": "CreativeWork",
            "about": id("./"),
            "conformsTo": id("https://w3id.org/ro/crate/1.1"),
        }),
        root(about, files)?,
        json!({"@id": PROFILE, "@type": "CreativeWork", "name": "Process Run Crate", "version": "0.5"}),
        license(study.license.as_deref(), language)?,
    ];
    graph.extend(people(study));
    graph.push(action(about, files)?);
    graph.extend(program(manifest, language)?);
    graph.extend(data(study, manifest, language)?);
    for (path, listed) in files {
        let mut file = file(path, about)?;
        file["sha256"] = json!(listed.sha256);
        if let Some(bytes) = listed.bytes {
            file["contentSize"] = json!(bytes.to_string());
        }
        graph.push(file);
    }
    // SHA256SUMS has no hash here, because it contains the hash of ro-crate-metadata.json.
    graph.push(file(SUMS, about)?);
    // The context of RO-Crate 1.1 is older than schema.org's `sha256` and does not have it.
    let context = json!(["https://w3id.org/ro/crate/1.1/context", {"sha256": "http://schema.org/sha256"}]);
    Ok(format!("{:#}\n", json!({"@context": context, "@graph": graph})))
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

fn root(about: &Described, files: &Listing) -> Result<Value> {
    let Described { study, manifest, language, .. } = about;
    let mut description = about.description.clone();
    if description.is_empty() {
        description = language.word("crate.description")?;
    }
    if manifest.date.is_none() {
        description = format!("{description} {}", language.word("crate.undated")?);
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
    if let Some(authors) = authors(study) {
        root["author"] = authors;
    }
    Ok(root)
}

fn is_url(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=%".contains(&b);
    (text.starts_with("https://") || text.starts_with("http://")) && text.bytes().all(plain)
}

fn license_id(license: Option<&str>) -> &str {
    license.filter(|text| is_url(text)).unwrap_or("#license")
}

/// Only the author can give a licence: without `license:` in the study, the crate states that there is none.
fn license(license: Option<&str>, language: &Language) -> Result<Value> {
    let (name, description) = match license {
        Some(text) => (text.to_owned(), "crate.license"),
        None => (language.word("crate.no_license")?, "crate.no_license_text"),
    };
    let description = language.word(description)?;
    Ok(json!({"@id": license_id(license), "@type": "CreativeWork", "name": name, "description": description}))
}

/// The ids of a study's authors, with their names.
fn persons(study: &Study) -> Vec<(String, &str)> {
    let names = study.author.iter().flat_map(Authors::names);
    let id = |i: usize| if i == 0 { AUTHOR.to_owned() } else { format!("{AUTHOR}-{}", i + 1) };
    names.enumerate().map(|(i, name)| (id(i), name.as_str())).collect()
}

/// References to a study's authors: one, or a list of several.
fn authors(study: &Study) -> Option<Value> {
    let mut references: Vec<Value> = persons(study).iter().map(|(author, _)| id(author)).collect();
    if references.len() > 1 { Some(references.into()) } else { references.pop() }
}

fn people(study: &Study) -> Vec<Value> {
    let persons = persons(study);
    let institution = study.institution.as_ref().filter(|_| !persons.is_empty());
    let person = |(author, name): &(String, &str)| {
        let mut person = json!({"@id": author, "@type": "Person", "name": name});
        if institution.is_some() {
            person["affiliation"] = id(INSTITUTION);
        }
        person
    };
    let organization = |name| json!({"@id": INSTITUTION, "@type": "Organization", "name": name});
    persons.iter().map(person).chain(institution.map(organization)).collect()
}

fn action(about: &Described, files: &Listing) -> Result<Value> {
    let Described { study, manifest, language, .. } = about;
    let data: Vec<String> = data_files(manifest).map(|(name, _)| data_id(study, name)).collect();
    let inputs = std::iter::once(STUDY).chain(data.iter().map(String::as_str)).chain([SOURCE]);
    let results = files.keys().map(String::as_str).filter(|path| *path != STUDY).chain([CRATE, SUMS]);
    let mut action = json!({
        "@id": BUILD,
        "@type": "CreateAction",
        "name": language.say("crate.build", context! { title => study.title.as_str() })?,
        "description": language.word("crate.build_text")?,
        "instrument": id(PROGRAM),
        "object": ids(inputs),
        "result": ids(results),
        "actionStatus": "http://schema.org/CompletedActionStatus",
    });
    if let Some(authors) = authors(study) {
        action["agent"] = authors;
    }
    Ok(action)
}

fn program(manifest: &Manifest, language: &Language) -> Result<Vec<Value>> {
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
            "name": language.say("crate.source", context! { program => format!("{} {}", program.name, program.version) })?,
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
    Ok(entities)
}

/// The inputs that are data: (name, SHA-256).
fn data_files(manifest: &Manifest) -> impl Iterator<Item = (&str, &str)> {
    let files = manifest.inputs.iter().filter(|input| input.name.ends_with("-ubyte"));
    files.map(|input| (input.name.as_str(), input.sha256.as_str()))
}

fn data_id(study: &Study, name: &str) -> String {
    if study.pinned().is_none() { format!("#mnist/{name}") } else { format!("{DATA}/{name}") }
}

/// The crate names the data set's files with their hashes. They are not in the bundle, so they are not parts of the crate.
fn data(study: &Study, manifest: &Manifest, language: &Language) -> Result<Vec<Value>> {
    let set = if study.pinned().is_none() { MNIST } else { DATA };
    let mut entities: Vec<Value> = data_files(manifest)
        .map(|(name, sha256)| {
            json!({
                "@id": data_id(study, name),
                "@type": "CreativeWork",
                "name": name,
                "encodingFormat": "application/octet-stream",
                "sha256": sha256,
                "isPartOf": id(set),
            })
        })
        .collect();
    if let Some(data) = study.pinned() {
        entities.push(json!({"@id": DATA, "@type": "CreativeWork", "name": data.title}));
        return Ok(entities);
    }
    entities.push(json!({
        "@id": MNIST,
        "@type": "CreativeWork",
        "name": language.word("crate.mnist")?,
        "license": id(MNIST_LICENSE),
    }));
    entities.push(json!({
        "@id": MNIST_LICENSE,
        "@type": "CreativeWork",
        "name": "Creative Commons Attribution-ShareAlike 3.0",
        "description": language.word("crate.mnist_license")?,
    }));
    Ok(entities)
}

fn file(path: &str, about: &Described) -> Result<Value> {
    let Described { manifest, language, .. } = about;
    let (page, format) = (language_of_page(path, manifest), media_type(path));
    let description = match page {
        Some(lang) => {
            let named = language.word(&format!("crate.in_{}", lang.code()))?;
            language.say("crate.report", context! { language => named })?
        }
        None => language.word(description(path))?,
    };
    let mut file =
        json!({"@id": path, "@type": "File", "name": path, "description": description, "encodingFormat": format});
    if let Some(lang) = page {
        file["inLanguage"] = lang.code().into();
    }
    Ok(file)
}

/// The language of a report's page; `None` for other files.
fn language_of_page(path: &str, manifest: &Manifest) -> Option<Lang> {
    let is_of =
        |lang: &&Lang| [REPORT, REPORT_MARKDOWN].iter().any(|page| manifest.languages.file_in(**lang, page) == path);
    manifest.languages.all().iter().find(is_of).copied()
}

/// A file's media type.
fn media_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map_or("", |(_, ending)| ending) {
        "html" => "text/html",
        "md" => "text/markdown",
        "svg" => "image/svg+xml",
        "json" => "application/json",
        "yaml" => "application/yaml",
        "png" | "PNG" => "image/png",
        "jpg" | "jpeg" | "JPG" | "JPEG" => "image/jpeg",
        "py" => "text/x-python",
        "txt" => "text/plain",
        _ if path == SUMS => "text/plain",
        _ => "application/octet-stream",
    }
}

/// The key in the text catalogue of a file's description.
fn description(path: &str) -> &'static str {
    // A folder ends in `/`.
    match path.split_inclusive('/').next().unwrap_or_default() {
        FIGURES => "crate.figure",
        IMAGES => "crate.image",
        PYTORCH => "crate.module",
        RESULTS => "crate.results",
        CONCLUSIONS => "crate.verdicts",
        STUDY => "crate.study",
        PREDICTIONS => "crate.predictions",
        WEIGHTS => "crate.weights",
        MANIFEST => "crate.manifest",
        EVIDENCE => "crate.evidence",
        LOSSES => "crate.losses",
        SUMS => "crate.sums",
        README => "crate.readme",
        _ => "crate.file",
    }
}
