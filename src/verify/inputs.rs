//! Rung `inputs`: the data are MNIST or those that the study defines, the study is the one that the manifest names, and the
//! manifest is consistent.

use std::collections::{BTreeMap, BTreeSet};

use super::Outcome;
use super::differing::list_difference;
use super::outcome::json_differences;
use super::subject::Subject;
use crate::bundle::{self, Contents, Files, IMAGES, MANIFEST, Manifest, SOURCE_SHA256, STUDY};
use crate::dataset::DataSet;
use crate::digest::{sha256_hex, short};
use crate::report::TEMPLATES;
use crate::study::{Picture, Source, images_named, is_date};
use crate::text::numbers::plural;

pub(super) fn check(subject: &Subject) -> Outcome {
    let Contents { manifest, results, source, .. } = &subject.contents;
    let study = &subject.bundle.files[STUDY];
    let data = &subject.contents.plan.data;
    let mut differences = wrong_inputs(manifest, &subject.bundle.files, data);
    differences.extend(wrong_images(source, &subject.bundle.files));
    differences.extend(json_differences("environment", &manifest.environment, &results.environment));
    let mut require = |holds: bool, otherwise: &dyn Fn() -> String| {
        if !holds {
            differences.push(format!("{MANIFEST}: {}", otherwise()));
        }
    };
    let (title, date) = (&source.study.title, &source.study.date);
    require(manifest.title == *title, &|| format!("the title is `{}`, the study's is `{title}`", manifest.title));
    let stated = manifest.date.as_deref().unwrap_or("none");
    require(date.is_none() || manifest.date == *date, &|| {
        format!("the date is {stated}, the study's is {}", date.as_deref().unwrap_or("none"))
    });
    require(manifest.date.as_deref().is_none_or(is_date), &|| {
        format!("invalid date {stated}; expected YYYY-MM-DD, such as 2026-01-31, or YYYY")
    });
    let held = subject.bundle.covered().map(|(path, _)| path);
    let listed: BTreeSet<&String> = held.chain(subject.bundle.left_out.keys()).collect();
    require(manifest.files.iter().eq(listed.iter().copied()), &|| {
        list_difference(["its list of files", "the bundle"], &manifest.files, listed.iter().copied())
            .unwrap_or_else(|| "its list of files is not sorted, or has a file twice".to_owned())
    });
    let program = &manifest.program;
    require(program.source_sha256 != SOURCE_SHA256 || program.has_this_name(), &|| {
        format!("the program is `{} {}`, but the one with its source has another name", program.name, program.version)
    });
    if !differences.is_empty() {
        return Outcome::Failed(differences);
    }
    let data = if data.is_mnist() {
        data.title.clone()
    } else {
        format!("not MNIST, but the files that the study names as `{}`", data.title)
    };
    let mut passed = vec![format!("{data}; study SHA-256 {}", sha256_hex(study))];
    if program.source_sha256 != SOURCE_SHA256 {
        passed.push(format!(
            "built by another program than this one: {} {}, hash of the source {}; this one's is {}",
            program.name,
            program.version,
            short(&program.source_sha256),
            short(SOURCE_SHA256)
        ));
    }
    passed.push(format!("environment: {}", manifest.environment));
    Outcome::Passed(passed)
}

/// Images that the study's texts do not show, that are missing, or that are no images.
fn wrong_images(source: &Source, files: &Files) -> Vec<String> {
    let named = match images_named(source) {
        Ok(named) => named,
        Err(e) => return vec![e.to_string()],
    };
    let held: BTreeMap<&str, &Vec<u8>> =
        bundle::images(files).filter_map(|(path, bytes)| Some((path.strip_prefix(IMAGES)?, bytes))).collect();
    let missing = named.iter().filter(|name| !held.contains_key(name.as_str()));
    let mut differences: Vec<String> =
        missing.map(|name| format!("{IMAGES}{name}: the study shows it, and it is missing")).collect();
    for (name, bytes) in held {
        let fault = match Picture::read(bytes.clone()) {
            _ if !named.contains(name) => "no text of the study shows it".to_owned(),
            Err(why) => why,
            Ok(picture) if !picture.fits(name) => format!("is {} by its content", picture.media_type),
            Ok(_) => continue,
        };
        differences.push(format!("{IMAGES}{name}: {fault}"));
    }
    differences
}

/// Inputs that are not the study's data or not the bundle's study. Templates, program and libtorch may be others than here.
fn wrong_inputs(manifest: &Manifest, files: &Files, data: &DataSet) -> Vec<String> {
    let expected = bundle::inputs(files, data, &manifest.program, &manifest.environment);
    let of_data = format!("{}'s", data.title);
    let mut differences = Vec::new();
    if manifest.inputs.len() != expected.len() {
        differences.push(format!(
            "{MANIFEST} lists {}, not {}",
            plural(manifest.inputs.len(), "input"),
            expected.len()
        ));
    }
    let fixed = expected.iter().take_while(|input| input.name != TEMPLATES);
    for (stated, expected) in manifest.inputs.iter().zip(fixed) {
        if stated != expected {
            let what = match expected.name.as_str() {
                STUDY => "the bundle's study",
                name if name.starts_with(IMAGES) => "the bundle's image",
                _ => &of_data,
            };
            differences.push(format!(
                "{} is not {what}: {MANIFEST} has {} with the SHA-256 {}, {what} has {}",
                expected.name,
                stated.name,
                short(&stated.sha256),
                short(&expected.sha256)
            ));
        }
    }
    let digest = bundle::input_files_digest(&manifest.inputs);
    if digest != manifest.digests.inputs {
        let (stated, digest) = (short(&manifest.digests.inputs), short(&digest));
        differences.push(format!("{MANIFEST}: the inputs digest is {stated}, its inputs give {digest}"));
    }
    differences
}
