//! One page about all bundles of a course (`verify --html`). What it says is put together here; templates/course.html.j2 lays it out.
//!
//! Longer than 400 lines because every part of the page reads the same hand-ins.

mod columns;
mod hand_in;

use minijinja::context;
use serde::Serialize;

pub(crate) use columns::{CourseColumns, named};

use crate::digest;
use crate::report::{Language, Result, RichText, Templates, program};
use crate::rung::Rung;
use crate::study::is_trained;
use crate::text::Lang;
use crate::text::terminal::{self, cut, one_line};
use crate::verify::{
    AssignmentResult, Common, DrawnRuns, Group, Judgement, Mark, Record, SharedNetwork, Status, groups, sorted,
};

/// Maximum number of differences that are listed for each bundle.
const MOST: usize = 12;
/// Maximum number of characters of a value.
const WIDEST: usize = 120;
/// Maximum number of characters of a message.
const LONGEST: usize = 600;
/// Maximum number of characters of a group or title in the table.
const IN_TABLE: usize = 60;

/// The study with which the bundles were compared.
pub(crate) struct Assignment {
    /// Its file, as it was named.
    pub(crate) file: String,
    /// Its title.
    pub(crate) title: String,
}

/// The page, as its template gets it.
#[derive(Serialize)]
struct Page {
    lang: &'static str,
    program: String,
    title: String,
    intro: RichText,
    counts: Vec<Count>,
    /// What is proven of most of them and what is not; none if it differs from one to the next.
    closing: Option<RichText>,
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
    /// Group and title, where any bundle has one; empty for none.
    names: Vec<String>,
    /// The first digits of the Report ID; empty for none.
    report_id: String,
    result: Badge,
    /// The comparison with the assignment, if the bundles were compared with one.
    assignment: Vec<Option<Badge>>,
    rungs: Vec<Option<Badge>>,
    /// The most that it has in common with others, and with how many it has anything in common; empty for none.
    alike: String,
    time: String,
    facts: Vec<Fact>,
    runs: Vec<RunRow>,
    /// Why nobody should believe the numbers; empty if they were checked.
    unconfirmed: String,
}

#[derive(Serialize)]
struct Fact {
    label: String,
    lines: Vec<RichText>,
    /// The words of `verify`, which are not translated.
    is_english: bool,
}

#[derive(Serialize)]
struct RunRow {
    title: String,
    model: String,
    parameters: String,
    accuracy: String,
    interval: String,
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
    unlike: Option<RichText>,
    /// That the studies are the same but for these keys.
    same_study: Option<RichText>,
    members: Vec<Member>,
    /// The networks that both have, where not all are the same.
    networks: Vec<RichText>,
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
///
/// # Errors
/// A template or a phrase that cannot be rendered.
pub(crate) fn page(records: &[Record], lang: Lang, assignment: Option<&Assignment>) -> Result<String> {
    let templates = Templates::built_in();
    let language = templates.language(lang)?;
    let (rows, columns) = (sorted(records), CourseColumns::of(records));
    let mut writer = Writer { lang: &language, rows, columns, closing: None };
    writer.closing = writer.common_closing()?;
    templates.course(&writer.page(records, lang, assignment)?)
}

/// Says what the records hold in a language.
struct Writer<'a> {
    lang: &'a Language,
    /// In the order of the table.
    rows: Vec<&'a Record>,
    columns: CourseColumns,
    /// What the page says once of several bundles; see [`Writer::common_closing`].
    closing: Option<RichText>,
}

impl Writer<'_> {
    fn word(&self, key: &str) -> Result<String> {
        self.lang.word(&format!("course.{key}"))
    }

    fn say(&self, key: &str, values: minijinja::Value) -> Result<RichText> {
        self.lang.text(&format!("course.{key}"), values)
    }

    fn page(&self, records: &[Record], lang: Lang, assignment: Option<&Assignment>) -> Result<Page> {
        let title = match assignment {
            Some(assignment) => self.say("heading", context! { title => assignment.title.clone() })?,
            None => self.say("heading_plain", ().into())?,
        };
        let file = assignment.map(|assignment| terminal::path(&assignment.file));
        let intro = match self.columns.rungs.last() {
            Some(upto) => self.say("intro", context! { n => records.len(), upto => upto.name(), file })?,
            None => self.say("intro_none", context! { n => records.len() })?,
        };
        Ok(Page {
            lang: lang.code(),
            program: program(),
            title: title.plain(),
            intro,
            counts: self.counts(records)?,
            closing: self.closing.as_ref().map(|closing| self.said_once(closing)).transpose()?,
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
        let counts =
            Judgement::ALL.map(|found| (found, records.iter().filter(|record| record.result == found).count()));
        let count = |(found, n): (Judgement, usize)| {
            Ok(Count { badge: self.result(found)?, number: self.lang.numbers.count(n as u64) })
        };
        let mut all: Vec<Count> = counts.into_iter().filter(|(_, n)| *n > 0).map(count).collect::<Result<_>>()?;
        let is_alike = |record: &&Record| record.likenesses().iter().any(|(_, paths)| !paths.is_empty());
        let alike = records.iter().filter(is_alike).count();
        if alike > 0 {
            let badge = badge(OPEN, self.word("found.alike")?);
            all.push(Count { badge, number: self.lang.numbers.count(alike as u64) });
        }
        Ok(all)
    }

    /// What is proven and what is not, in the words that most bundles have; `None` if no two have the same.
    fn common_closing(&self) -> Result<Option<RichText>> {
        let verifications = self.rows.iter().filter_map(|record| record.verification.as_deref());
        let mut counts: Vec<(RichText, usize)> = Vec::new();
        for verification in verifications {
            let closing = self.closing(verification)?;
            match counts.iter_mut().find(|(other, _)| *other == closing) {
                Some((_, n)) => *n += 1,
                None => counts.push((closing, 1)),
            }
        }
        // The first of several that are equally frequent.
        let most = counts.into_iter().rev().max_by_key(|(_, n)| *n);
        Ok(most.filter(|(_, n)| *n > 1).map(|(closing, _)| closing))
    }

    fn said_once(&self, closing: &RichText) -> Result<RichText> {
        self.say("closing_once", context! { closing => closing.value() })
    }

    fn column_names(&self) -> Result<Vec<String>> {
        let mut names = vec![self.word("column.who")?, self.word("column.result")?];
        if self.columns.has_assignment {
            names.push(self.word("column.assignment")?);
        }
        names.push(self.word("column.alike")?);
        for (key, has) in [("column.group", self.columns.has_groups), ("column.title", self.columns.has_titles)] {
            names.extend(has.then(|| self.word(key)).transpose()?);
        }
        names.push(self.word("column.report_id")?);
        names.extend(self.columns.rungs.iter().map(|rung| rung.name().to_owned()));
        names.push(self.word("column.time")?);
        Ok(names)
    }

    fn row(&self, record: &Record) -> Result<Row> {
        let of_rung = |rung: &Rung| record.mark(*rung).map(|mark| self.mark(mark, record.drawn(*rung))).transpose();
        let rungs = self.columns.rungs.iter().map(of_rung).collect::<Result<_>>()?;
        let compared = || record.assignment().map(|assignment| self.compared(assignment)).transpose();
        let assignment = self.columns.has_assignment.then(compared).transpose()?.into_iter().collect();
        let seconds = self.lang.numbers.fixed(record.seconds, 1);
        Ok(Row {
            id: self.id(record),
            who: who(record),
            file: terminal::path(&record.path),
            names: self.names(record),
            report_id: record.report_id().map(digest::short).unwrap_or_default().to_owned(),
            result: self.result(record.result)?,
            assignment,
            rungs,
            alike: self.strongest_likeness(record)?,
            time: self.say("seconds", context! { seconds })?.plain(),
            facts: self.facts(record)?,
            runs: self.runs(record)?,
            unconfirmed: if is_confirmed(record) { String::new() } else { self.word("fact.numbers_unconfirmed")? },
        })
    }

    /// Group and title, where any bundle has one.
    fn names(&self, record: &Record) -> Vec<String> {
        let [_, group, title] = record.names();
        let shown = [(group, self.columns.has_groups), (title, self.columns.has_titles)];
        let text = |text: Option<&str>| text.map_or_else(String::new, |text| short(text, IN_TABLE));
        shown.into_iter().filter(|(_, has)| *has).map(|(name, _)| text(name)).collect()
    }

    /// The anchor of a bundle's part of the page.
    fn id(&self, record: &Record) -> String {
        let place = self.rows.iter().position(|other| std::ptr::eq(*other, record)).unwrap_or_default();
        format!("hand-in-{}", place + 1)
    }

    fn result(&self, found: Judgement) -> Result<Badge> {
        let style = match found {
            Judgement::Verified => AGREES,
            Judgement::AnotherStudy | Judgement::Failed => OPPOSES,
            Judgement::Lean | Judgement::NotChecked | Judgement::Unreadable => OPEN,
        };
        Ok(badge(style, self.word(&format!("found.{}", found.name()))?))
    }

    /// The result of a rung; of one that checked only some runs, with how many.
    fn mark(&self, mark: Mark, drawn: Option<DrawnRuns>) -> Result<Badge> {
        let style = match mark {
            Mark::Passed => AGREES,
            Mark::Failed => OPPOSES,
            Mark::NotChecked | Mark::Lean => OPEN,
        };
        let word = self.word(&format!("mark.{}", mark.name()))?;
        Ok(badge(
            style,
            match drawn {
                Some(DrawnRuns { runs, of }) => self.say("drawn", context! { word, runs, of })?.plain(),
                None => word,
            },
        ))
    }

    /// Where the comparison with the assignment puts a bundle.
    fn compared(&self, found: &AssignmentResult) -> Result<Badge> {
        let free = &found.differences.free;
        let is_changed = found.free_count > free.len() || free.iter().any(|difference| is_trained(&difference.key));
        match found.status {
            Status::Passed if is_changed => Ok(badge(AGREES, self.word("put.changed")?)),
            Status::Passed => Ok(badge(AGREES, self.word("put.as_assigned")?)),
            Status::Failed => self.result(Judgement::AnotherStudy),
            Status::NotChecked => self.mark(Mark::NotChecked, None),
        }
    }

    /// `The same Report ID (1)`; empty if a bundle is like no other.
    fn strongest_likeness(&self, record: &Record) -> Result<String> {
        let all = record.likenesses();
        let Some((strongest, _)) = all.iter().find(|(_, paths)| !paths.is_empty()) else { return Ok(String::new()) };
        let others = all.iter().map(|(_, paths)| paths.len()).sum::<usize>();
        let what = self.word(&format!("same.{}", strongest.name()))?;
        Ok(self.say("with_others", context! { what, n => others })?.plain())
    }

    fn fact(&self, key: &str, lines: Vec<RichText>, is_english: bool) -> Result<Fact> {
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
        let keys = |phrase: &str, keys: &[&str]| match keys {
            [] => Ok(None),
            keys => self.say(phrase, context! { keys => short(&named(keys), LONGEST) }).map(Some),
        };
        let (shared, unlike) = (
            keys("shared", &group.shared)?,
            keys(if group.are_retrained { "unlike" } else { "unlike_open" }, &group.unlike)?,
        );
        let same_study = match &group.same_study_but {
            None => None,
            Some(keys) => Some(self.say("same_study", context! { keys => short(&named(keys), LONGEST) })?),
        };
        let of = |shared: &&SharedNetwork| {
            let other = group.members.iter().find(|record| record.path == shared.path);
            self.shared_network(shared, &other.map_or_else(|| terminal::path(&shared.path), |record| who(record)))
        };
        let networks = group.networks.iter().map(of).collect::<Result<_>>()?;
        Ok(Alike {
            shared,
            unlike,
            same_study,
            networks,
            members: group.members.iter().map(member).collect::<Result<_>>()?,
        })
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
fn who(record: &Record) -> String {
    let [author, ..] = record.names();
    author.map(|author| short(author, WIDEST)).filter(|author| !author.is_empty()).unwrap_or_else(|| {
        let name = std::path::Path::new(&record.path).file_name().unwrap_or_default();
        terminal::path(&name.to_string_lossy())
    })
}

/// Whether the accuracies of results.json were counted from the predictions, and no rung found a difference but in the pages.
fn is_confirmed(record: &Record) -> bool {
    let failed = |rung: &Rung| record.mark(*rung) == Some(Mark::Failed);
    record.mark(Rung::Metrics) == Some(Mark::Passed)
        && Rung::ALL.into_iter().filter(failed).all(|rung| rung == Rung::Render)
}

fn short(text: &str, width: usize) -> String {
    cut(&one_line(text), width)
}
