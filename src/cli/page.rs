//! `verify --html`: one page about all bundles of a course. What it says is put together here; templates/course.html.j2 lays it out.

use anyhow::Result;
use minijinja::context;
use serde::Serialize;

use super::batch::{Columns, named};
use super::one_line;
use super::options::Verify;
use crate::claims::load_study;
use crate::report::{Language, RichText, Templates, program};
use crate::rung::Rung;
use crate::text::terminal;
use crate::text::terminal::cut;
use crate::verify::{Common, Finding, Group, Mark, Record, groups, sorted};

/// Maximum number of differences that are listed for each bundle.
pub(super) const MOST: usize = 12;
/// Maximum number of characters of a value.
pub(super) const WIDEST: usize = 120;
/// Maximum number of characters of a message.
pub(super) const LONGEST: usize = 600;

/// The page, as its template gets it.
#[derive(Serialize)]
struct Page {
    lang: &'static str,
    program: String,
    title: String,
    intro: RichText,
    counts: Vec<Count>,
    headings: Headings,
    columns: Vec<String>,
    rows: Vec<Row>,
    numbers: Numbers,
    groups: Vec<Kind>,
    alike_note: RichText,
    trust: RichText,
}

#[derive(Serialize)]
struct Headings {
    table: String,
    alike: String,
    each: String,
    nothing_alike: String,
}

/// The headings of a bundle's table of numbers.
#[derive(Serialize)]
struct Numbers {
    run: String,
    model: String,
    parameters: String,
    accuracy: String,
    interval: String,
}

/// How many bundles have a result.
#[derive(Serialize)]
struct Count {
    badge: Badge,
    number: String,
}

/// A word with a sign and a colour.
#[derive(Clone, Serialize)]
struct Badge {
    style: &'static str,
    sign: &'static str,
    word: String,
}

/// A bundle: its row of the table, and its own part of the page.
#[derive(Serialize)]
struct Row {
    id: String,
    who: String,
    file: String,
    /// The result, each rung, and the assignment.
    cells: Vec<Option<Badge>>,
    /// How many others are like it; empty for none.
    alike: String,
    time: String,
    facts: Vec<Fact>,
    runs: Vec<RunRow>,
    /// Why nobody should believe the numbers; empty if they were checked.
    unconfirmed: String,
}

#[derive(Serialize)]
pub(super) struct Fact {
    pub(super) label: String,
    pub(super) lines: Vec<RichText>,
    /// The words of `verify`, which are not translated.
    pub(super) is_english: bool,
}

#[derive(Serialize)]
pub(super) struct RunRow {
    pub(super) title: String,
    pub(super) model: String,
    pub(super) parameters: String,
    pub(super) accuracy: String,
    pub(super) interval: String,
}

/// A kind of thing that bundles have in common, with the groups of those that do.
#[derive(Serialize)]
struct Kind {
    what: String,
    note: String,
    groups: Vec<Alike>,
}

#[derive(Serialize)]
struct Alike {
    shared: Option<RichText>,
    members: Vec<Member>,
}

#[derive(Serialize)]
struct Member {
    id: String,
    who: String,
    file: String,
    /// That its files were changed, where the group is of bundles that state one Report ID; otherwise empty.
    note: String,
}

/// The page's text.
pub(super) fn text(records: &[Record], options: &Verify) -> Result<String> {
    let templates = Templates::built_in();
    let lang = templates.language(options.lang)?;
    let writer = Writer { lang: &lang, rows: sorted(records), columns: Columns::of(records) };
    Ok(templates.course(&writer.page(records, options)?)?)
}

/// Says what the records hold in a language.
pub(super) struct Writer<'a> {
    pub(super) lang: &'a Language,
    /// In the order of the table.
    pub(super) rows: Vec<&'a Record>,
    columns: Columns,
}

impl Writer<'_> {
    pub(super) fn word(&self, key: &str) -> Result<String> {
        Ok(self.lang.word(&format!("course.{key}"))?)
    }

    pub(super) fn say(&self, key: &str, values: minijinja::Value) -> Result<RichText> {
        Ok(self.lang.text(&format!("course.{key}"), values)?)
    }

    fn page(&self, records: &[Record], options: &Verify) -> Result<Page> {
        let assignment = options.assignment.as_deref();
        let title = match assignment.map(load_study).transpose()? {
            Some((source, _)) => self.say("heading", context! { title => source.study.title })?,
            None => self.say("heading_plain", ().into())?,
        };
        let file = assignment.map(|file| terminal::path(&file.display().to_string()));
        let intro = match self.columns.rungs.last() {
            Some(upto) => self.say("intro", context! { n => records.len(), upto => upto.name(), file })?,
            None => self.say("intro_none", context! { n => records.len() })?,
        };
        Ok(Page {
            lang: options.lang.code(),
            program: program(),
            title: title.plain(),
            intro,
            counts: self.counts(records)?,
            headings: Headings {
                table: self.word("table")?,
                alike: self.word("alike")?,
                each: self.word("each")?,
                nothing_alike: self.word("nothing_alike")?,
            },
            columns: self.column_names()?,
            rows: self.rows.iter().map(|record| self.row(record)).collect::<Result<_>>()?,
            numbers: Numbers {
                run: self.word("column.run")?,
                model: self.word("column.model")?,
                parameters: self.word("column.parameters")?,
                accuracy: self.word("column.accuracy")?,
                interval: self.word("column.interval")?,
            },
            groups: self.kinds(&groups(records))?,
            alike_note: self.say("alike_note", context! { assignment => assignment.is_some() })?,
            trust: self.say("trust", context! { program => program() })?,
        })
    }

    /// How many bundles have each result, without results that none has.
    fn counts(&self, records: &[Record]) -> Result<Vec<Count>> {
        let counts = Finding::ALL.map(|found| (found, records.iter().filter(|record| record.result == found).count()));
        let count = |(found, n): (Finding, usize)| {
            Ok(Count { badge: self.result(found)?, number: self.lang.numbers.count(n as u64) })
        };
        counts.into_iter().filter(|(_, n)| *n > 0).map(count).collect()
    }

    fn column_names(&self) -> Result<Vec<String>> {
        let mut names = vec![self.word("column.who")?, self.word("column.result")?];
        names.extend(self.columns.rungs.iter().map(|rung| rung.name().to_owned()));
        if self.columns.has_assignment {
            names.push(self.word("column.assignment")?);
        }
        names.extend([self.word("column.alike")?, self.word("column.time")?]);
        Ok(names)
    }

    fn row(&self, record: &Record) -> Result<Row> {
        let mut cells = vec![Some(self.result(record.result)?)];
        let marks = self.columns.rungs.iter().map(|rung| record.mark(*rung));
        cells.extend(marks.map(|mark| mark.map(|mark| self.mark(mark)).transpose()).collect::<Result<Vec<_>>>()?);
        if self.columns.has_assignment {
            let mark = record.assignment().map(|assignment| self.mark(assignment.status.into()));
            cells.push(mark.transpose()?);
        }
        let alike = record.likenesses().iter().map(|(_, paths)| paths.len()).sum::<usize>();
        let seconds = self.lang.numbers.fixed(record.seconds, 1);
        Ok(Row {
            id: self.id(record),
            who: who(record),
            file: terminal::path(&record.path),
            cells,
            alike: if alike > 0 { self.lang.numbers.count(alike as u64) } else { String::new() },
            time: self.say("seconds", context! { seconds })?.plain(),
            facts: self.facts(record)?,
            runs: self.runs(record)?,
            unconfirmed: if is_confirmed(record) { String::new() } else { self.word("fact.numbers_unconfirmed")? },
        })
    }

    /// The anchor of a bundle's part of the page.
    fn id(&self, record: &Record) -> String {
        let place = self.rows.iter().position(|other| std::ptr::eq(*other, record)).unwrap_or_default();
        format!("hand-in-{}", place + 1)
    }

    fn result(&self, found: Finding) -> Result<Badge> {
        let style = match found {
            Finding::Verified => AGREES,
            Finding::AnotherStudy | Finding::Failed => OPPOSES,
            Finding::Lean | Finding::NotChecked | Finding::Unreadable => OPEN,
        };
        Ok(badge(style, self.word(&format!("found.{}", found.name()))?))
    }

    fn mark(&self, mark: Mark) -> Result<Badge> {
        let style = match mark {
            Mark::Passed => AGREES,
            Mark::Failed => OPPOSES,
            Mark::NotChecked | Mark::Lean => OPEN,
        };
        Ok(badge(style, self.word(&format!("mark.{}", mark.name()))?))
    }

    pub(super) fn fact(&self, key: &str, lines: Vec<RichText>, is_english: bool) -> Result<Fact> {
        Ok(Fact { label: self.word(&format!("fact.{key}"))?, lines, is_english })
    }

    fn kinds(&self, groups: &[Group]) -> Result<Vec<Kind>> {
        let kind = |of: &[Group]| {
            let name = of[0].common.name();
            Ok(Kind {
                what: self.word(&format!("same.{name}"))?,
                note: self.word(&format!("same_note.{name}"))?,
                groups: of.iter().map(|group| self.alike(group)).collect::<Result<_>>()?,
            })
        };
        groups.chunk_by(|a, b| a.common == b.common).map(kind).collect()
    }

    fn alike(&self, group: &Group) -> Result<Alike> {
        let member = |record: &&Record| {
            let is_broken = group.common == Common::StatedReportId && record.has_changed_files();
            let note = if is_broken { self.word("files_changed")? } else { String::new() };
            Ok(Member { id: self.id(record), who: who(record), file: terminal::path(&record.path), note })
        };
        let shared = match group.shared.as_slice() {
            [] => None,
            keys => Some(self.say("shared", context! { keys => short(&named(keys), LONGEST) })?),
        };
        Ok(Alike { shared, members: group.members.iter().map(member).collect::<Result<_>>()? })
    }
}

/// The style of a badge, and its sign: colour is not needed to tell them apart.
type Style = (&'static str, &'static str);
const AGREES: Style = ("agrees", "✓");
const OPPOSES: Style = ("opposes", "✗");
const OPEN: Style = ("open", "?");

fn badge((style, sign): Style, word: String) -> Badge {
    Badge { style, sign, word }
}

/// The author, or the file where no author is known.
pub(super) fn who(record: &Record) -> String {
    let [author, ..] = record.names();
    author.map(|author| short(author, WIDEST)).filter(|author| !author.is_empty()).unwrap_or_else(|| {
        let name = std::path::Path::new(&record.path).file_name().unwrap_or_default();
        terminal::path(&name.to_string_lossy())
    })
}

/// Whether the accuracies were counted from the predictions, and no rung found a difference.
fn is_confirmed(record: &Record) -> bool {
    record.mark(Rung::Metrics) == Some(Mark::Passed) && record.first_difference().is_none()
}

pub(super) fn short(text: &str, width: usize) -> String {
    cut(&one_line(text), width)
}
