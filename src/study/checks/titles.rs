//! Checks of titles: tables and figures show only titles, so no two things of a kind may look alike.

use std::collections::HashMap;

use crate::study::{Source, StudyError};
use crate::text::look_alike::looks_like;

/// The headings of the row that sums up all groups of claims, in all languages.
const ALL_CLAIMS: [&str; 2] = ["All", "Усі"];

/// The most bytes of a title: a report prints it in every place that names what it stands for.
const MAX_BYTES: usize = 2000;

/// Something that is shown by its title, or by its name if it has none.
struct Titled<'a> {
    /// Its key in the study.
    key: String,
    /// None for a point of a figure.
    name: Option<&'a str>,
    title: Option<&'a str>,
}

impl<'a> Titled<'a> {
    fn new(part: &str, name: &'a str, title: Option<&'a String>) -> Self {
        Self { key: format!("{part}.{name}"), name: Some(name), title: title.map(String::as_str) }
    }

    fn shown(&self) -> &'a str {
        self.title.or(self.name).unwrap_or_default()
    }
}

/// Checks the titles of models, runs, comparisons, points, sections and groups of claims.
pub(super) fn check(source: &Source) -> Result<(), StudyError> {
    let study = &source.study;
    let runs = study.runs.iter().map(|(name, run)| Titled::new("runs", name, run.title.as_ref()));
    let models = study.models.iter().map(|(name, model)| Titled::new("models", name, model.title.as_ref()));
    let comparisons = study.comparisons.iter().map(|(name, c)| Titled::new("comparisons", name, c.title.as_ref()));
    check_kind(source, "models", models, None)?;
    let runs = check_kind(source, "runs", runs, None)?;
    check_kind(source, "comparisons", comparisons, None)?;
    not_empty(source, "title", &study.title)?;
    for (i, section) in study.sections.iter().enumerate() {
        not_empty(source, &format!("sections[{i}].title"), &section.title)?;
        let point = |(j, title)| Titled { key: format!("sections[{i}].points[{j}]"), name: None, title: Some(title) };
        let points = section.points.iter().map(|point| point.title.as_str()).enumerate().map(point);
        check_kind(source, "runs and points", points, Some(&runs))?;
    }
    for (i, claim) in study.claims.iter().enumerate() {
        let key = format!("claims[{i}].group");
        not_empty(source, &key, &claim.group)?;
        if ALL_CLAIMS.iter().any(|all| looks_like(all).eq_ignore_ascii_case(&looks_like(&claim.group))) {
            let message =
                format!("`{}` is the heading of the row that sums up all groups: choose another", claim.group);
            return Err(source.error(key, message));
        }
    }
    Ok(())
}

fn not_empty(source: &Source, key: &str, title: &str) -> Result<(), StudyError> {
    not_long(source, key, title)?;
    if looks_like(title).is_empty() { Err(source.error(key, "is empty: write a title")) } else { Ok(()) }
}

fn not_long(source: &Source, key: &str, title: &str) -> Result<(), StudyError> {
    if title.len() <= MAX_BYTES {
        return Ok(());
    }
    Err(source.error(key, format!("has {} bytes, and a title at most {MAX_BYTES}: shorten it", title.len())))
}

/// What is shown of a kind of things, by what it looks like.
struct Shown<'a> {
    names: HashMap<String, &'a str>,
    titles: HashMap<String, Titled<'a>>,
}

/// Checks that no two things of a kind are shown alike, and that none is shown by the name of another. `others` were checked before
/// and are shown beside them: the runs, beside which each section has its points. They are not compared with each other again,
/// because a study may have a thousand runs and a thousand sections.
fn check_kind<'a>(
    source: &Source,
    kind: &str,
    all: impl Iterator<Item = Titled<'a>>,
    others: Option<&Shown<'a>>,
) -> Result<Shown<'a>, StudyError> {
    let all: Vec<Titled> = all.collect();
    let names = all.iter().filter_map(|titled| Some((looks_like(titled.name?), titled.name?))).collect();
    let mut shown = Shown { names, titles: HashMap::new() };
    for titled in all {
        let title = titled.shown();
        not_long(source, &format!("{}.title", titled.key), title)?;
        let plain = looks_like(title);
        if plain.is_empty() {
            return Err(source.error(format!("{}.title", titled.key), "is empty: write a title, or leave it out"));
        }
        if let Some(other) = shown.titles.get(&plain).or_else(|| others?.titles.get(&plain)) {
            let [one, two] = [other, &titled].map(|t| t.name.unwrap_or(t.shown()));
            let message = if other.shown().trim() == title.trim() {
                format!("the {kind} `{one}` and `{two}` are both shown as `{}`; give one another title", title.trim())
            } else {
                format!("the {kind} `{one}` and `{two}` have titles that look alike; give one another title")
            };
            return Err(source.error(&titled.key, message));
        }
        let name = shown.names.get(&plain).or_else(|| others?.names.get(&plain));
        if let Some(name) = name.filter(|name| titled.title.is_some() && titled.name != Some(**name)) {
            let message = format!("`{title}` looks like the name of another, `{name}`; give it another title");
            return Err(source.error(format!("{}.title", titled.key), message));
        }
        shown.titles.insert(plain, titled);
    }
    Ok(shown)
}
