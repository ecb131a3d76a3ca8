//! Rung `render`: report, figures, manifest, crate and sums, made anew from results.json, have the same bytes.

use super::{Outcome, Read};
use crate::bundle::{self, CRATE, MANIFEST, SOURCE_SHA256, SUMS};
use crate::report::{Rendition, Templates};

pub fn check(read: &Read) -> Outcome {
    let templates = Templates::built_in();
    let program = &read.manifest.program;
    if program.source_sha256 != SOURCE_SHA256 {
        let version = &program.version;
        return Outcome::NotChecked(format!(
            "needs the program that built it: mnist-report {version} with source {}",
            program.source_sha256
        ));
    }
    if program.templates_sha256 != templates.digest() {
        return Outcome::NotChecked("rendered with other templates than the built-in ones".into());
    }
    let mut primary = read.opened.files.clone();
    primary.retain(|path, _| bundle::is_primary(path));
    let (lang, date) = (read.manifest.language, read.manifest.date.as_deref());
    let rendition = Rendition { lang, date, templates: &templates };
    let anew =
        match bundle::complete_beside(primary, &read.opened.left_out, &read.source.study, &read.results, &rendition) {
            Ok(anew) => anew,
            Err(e) => return Outcome::Failed(vec![format!("cannot be rendered: {e:#}")]),
        };
    let mut differences: Vec<String> = anew
        .iter()
        .filter(|(path, bytes)| read.opened.files.get(*path) != Some(*bytes))
        // These differ with any other file.
        .filter(|(path, _)| ![SUMS, CRATE, MANIFEST].contains(&path.as_str()))
        .map(|(path, _)| format!("{path} is not what results.json renders to"))
        .collect();
    for name in [MANIFEST, CRATE] {
        if differences.is_empty() && read.opened.files.get(name) != anew.get(name) {
            differences.push(format!("{name} is not what results.json and the study give"));
        }
    }
    Outcome::of(differences, "report, figures, manifest and crate have the same bytes")
}
