//! What all sections are built with: study, results, phrases, and the numbers of sections, tables and figures.

use std::cell::Cell;
use std::collections::BTreeSet;

use minijinja::{Value, context};

use super::Provenance;
use super::document::{Block, ColumnKind, FigureBlock, ReportSection, RowGroup, TableBlock, TableColumn, TableRow};
use super::error::Result;
use super::figures::{Drawing, Width};
use super::inline::{InlineStyle, RichText};
use super::language::Language;
use super::series::Series;
use crate::claims::OwnWords;
use crate::results::{AnyRun, Results, RunResult};
use crate::study::{self, Study};

/// The numbered sections of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SectionId {
    Parameters,
    Shapes,
    Diverged,
    /// One of the sections on training, counted from 1.
    Training(usize),
    Claims,
    Conclusions,
    Code,
    Inputs,
    Verify,
    References,
}

impl SectionId {
    /// Its anchor.
    fn anchor(self) -> String {
        let name = match self {
            Self::Training(number) => return format!("training-{number}"),
            Self::Inputs => "inputs",
            Self::Parameters => "parameters",
            Self::Shapes => "shapes",
            Self::Diverged => "diverged",
            Self::Claims => "claims",
            Self::Conclusions => "conclusions",
            Self::Code => "code",
            Self::Verify => "verify",
            Self::References => "references",
        };
        name.to_owned()
    }
}

/// Builds the parts of one report. Tables and figures are numbered in the order in which they are built.
pub(super) struct Builder<'a> {
    pub study: &'a Study,
    pub results: &'a Results,
    pub provenance: &'a Provenance<'a>,
    pub lang: &'a Language,
    /// The study's sections on training.
    pub training: Vec<study::Section>,
    /// Prints the values in the study's own words.
    pub own: OwnWords,
    /// The places that the study's own words may link to.
    pub anchors: BTreeSet<String>,
    /// The numbered sections, in order.
    pub outline: Vec<SectionId>,
    /// The number of the figure of all networks by size, once it is drawn.
    pub overview: Cell<usize>,
    /// The colours of runs in figures.
    series: Series,
    tables: Cell<usize>,
    figures: Cell<usize>,
    pictures: Cell<usize>,
}

/// The columns of a table whose rows are made from values of type `R`.
pub(super) struct Columns<'a, R>(Vec<Column<'a, R>>);

type MakeCell<'a, R> = dyn Fn(&R) -> Result<RichText> + 'a;

struct Column<'a, R> {
    heading: Heading,
    kind: ColumnKind,
    cell: Box<MakeCell<'a, R>>,
}

/// A column's heading: a key of `columns` in the catalogue, or the text itself.
pub(super) enum Heading {
    Key(&'static str),
    Text(RichText),
}

impl From<&'static str> for Heading {
    fn from(key: &'static str) -> Self {
        Self::Key(key)
    }
}

impl From<RichText> for Heading {
    fn from(text: RichText) -> Self {
        Self::Text(text)
    }
}

/// What a column makes of a row: a text, or a phrase that may be missing.
pub(super) trait IntoCell {
    fn into_cell(self) -> Result<RichText>;
}

impl IntoCell for String {
    fn into_cell(self) -> Result<RichText> {
        Ok(self.into())
    }
}

impl IntoCell for RichText {
    fn into_cell(self) -> Result<RichText> {
        Ok(self)
    }
}

impl<T: Into<RichText>> IntoCell for Result<T> {
    fn into_cell(self) -> Result<RichText> {
        self.map(T::into)
    }
}

impl<'a, R> Columns<'a, R> {
    pub(super) fn new() -> Self {
        Self(Vec::new())
    }

    /// Adds a column.
    #[must_use]
    pub(super) fn column<C: IntoCell>(
        mut self,
        heading: impl Into<Heading>,
        kind: ColumnKind,
        cell: impl Fn(&R) -> C + 'a,
    ) -> Self {
        self.0.push(Column { heading: heading.into(), kind, cell: Box::new(move |row| cell(row).into_cell()) });
        self
    }

    /// Keeps the last column only where a condition holds.
    #[must_use]
    pub(super) fn when(mut self, condition: bool) -> Self {
        if !condition {
            self.0.pop();
        }
        self
    }

    /// The cells of a row.
    pub(super) fn cells(&self, row: &R) -> Result<Vec<RichText>> {
        self.0.iter().map(|column| (column.cell)(row)).collect()
    }

    fn rows(&self, rows: impl IntoIterator<Item = R>) -> Result<Vec<TableRow>> {
        let row = |row| Ok(TableRow { cells: self.cells(&row)?, note: RichText::default() });
        rows.into_iter().map(row).collect()
    }
}

impl<'a> Builder<'a> {
    pub(super) fn new(
        study: &'a Study,
        results: &'a Results,
        provenance: &'a Provenance<'a>,
        lang: &'a Language,
    ) -> Result<Self> {
        let training =
            if study.sections.is_empty() { vec![default_section(study, lang)?] } else { study.sections.clone() };
        // The answers come before what they were made from.
        let mut outline = vec![SectionId::Parameters, SectionId::Shapes];
        outline.extend((!results.diverged.is_empty()).then_some(SectionId::Diverged));
        outline.extend((1..=training.len()).map(SectionId::Training));
        outline.extend((!study.claims.is_empty()).then_some(SectionId::Claims));
        outline.extend((!study.conclusions.is_empty()).then_some(SectionId::Conclusions));
        outline.extend([SectionId::Code, SectionId::Inputs, SectionId::Verify]);
        outline.extend((!study.references.is_empty()).then_some(SectionId::References));
        let [tables, figures, pictures, overview] = [0; 4].map(Cell::new);
        let (own, anchors) = (OwnWords::of(study, results), study.anchors());
        let series = Series::of(study, &training, results);
        Ok(Self {
            study,
            results,
            provenance,
            lang,
            training,
            own,
            anchors,
            outline,
            overview,
            series,
            tables,
            figures,
            pictures,
        })
    }

    /// A section with its number.
    pub(super) fn section(&self, id: SectionId, heading: impl Into<RichText>, blocks: Vec<Block>) -> ReportSection {
        ReportSection { number: self.number(id), id: id.anchor(), heading: heading.into(), blocks }
    }

    fn number(&self, id: SectionId) -> Option<usize> {
        Some(self.outline.iter().position(|other| *other == id)? + 1)
    }

    /// A section's number as a link to an anchor in it.
    pub(super) fn section_link(&self, id: SectionId, anchor: &str) -> Result<Value> {
        self.reference("reference.section", self.number(id).unwrap_or_default(), anchor.to_owned())
    }

    /// A table's number as a link.
    pub(super) fn table_link(&self, table: &TableBlock) -> Result<Value> {
        self.reference("reference.table", table.number, format!("table-{}", table.number))
    }

    /// A figure's number as a link.
    pub(super) fn figure_link(&self, figure: &FigureBlock) -> Result<Value> {
        self.link_to_figure(figure.number)
    }

    /// The number of a figure, which may be in another section, as a link.
    pub(super) fn link_to_figure(&self, number: usize) -> Result<Value> {
        self.reference("reference.figure", number, format!("figure-{number}"))
    }

    fn reference(&self, key: &str, n: usize, id: String) -> Result<Value> {
        Ok(RichText::linked(InlineStyle::Plain, self.lang.say(key, context! { n })?, id).value())
    }

    /// A phrase with its markup.
    pub(super) fn text(&self, key: &str, values: Value) -> Result<RichText> {
        self.lang.text(key, values)
    }

    /// A phrase without values.
    pub(super) fn phrase(&self, key: &str) -> Result<RichText> {
        self.lang.text(key, ().into())
    }

    /// A verdict or finding as a badge, by its key of `verdict` in the catalogue.
    pub(super) fn badge(&self, style: InlineStyle, key: &str) -> Result<RichText> {
        Ok(RichText::styled(style, self.lang.word(&format!("verdict.{key}"))?))
    }

    /// A numbered table, a row for each of `rows`.
    pub(super) fn table<R>(
        &self,
        caption: RichText,
        columns: &Columns<R>,
        rows: impl IntoIterator<Item = R>,
    ) -> Result<TableBlock> {
        self.grouped_table(caption, RichText::default(), columns, [(RichText::default(), rows)])
    }

    /// A numbered table whose rows are grouped: (the group's heading, its rows). `group_heading` says what groups are.
    pub(super) fn grouped_table<R, Rows: IntoIterator<Item = R>>(
        &self,
        caption: RichText,
        group_heading: RichText,
        columns: &Columns<R>,
        groups: impl IntoIterator<Item = (RichText, Rows)>,
    ) -> Result<TableBlock> {
        let number = next(&self.tables);
        let group = |(heading, rows)| Ok(RowGroup { heading, rows: columns.rows(rows)? });
        let heading = |column: &Column<R>| match &column.heading {
            Heading::Key(key) => self.heading(key),
            Heading::Text(text) => Ok(text.clone()),
        };
        let described = |column: &Column<R>| Ok(TableColumn::new(heading(column)?, column.kind));
        Ok(TableBlock {
            number,
            label: self.lang.say("page.table", context! { n => number })?,
            caption,
            style: "",
            columns: columns.0.iter().map(described).collect::<Result<_>>()?,
            group_heading,
            groups: groups.into_iter().map(group).collect::<Result<_>>()?,
            note_heading: RichText::default(),
            footer: Vec::new(),
        })
    }

    /// A column's heading, by its key of `columns` in the catalogue.
    pub(super) fn heading(&self, key: &str) -> Result<RichText> {
        self.phrase(&format!("columns.{key}"))
    }

    /// An image, unless the report has already shown as many as it may.
    pub(super) fn next_picture(&self, file: &str) -> Option<&'a study::Picture> {
        let picture = self.provenance.pictures.get(file)?;
        (next(&self.pictures) <= study::MAX_IMAGES).then_some(picture)
    }

    pub(super) fn figures_so_far(&self) -> usize {
        self.figures.get()
    }

    /// The number and label of the next figure.
    pub(super) fn next_figure(&self) -> Result<(usize, String)> {
        let number = next(&self.figures);
        Ok((number, self.lang.say("page.figure", context! { n => number })?))
    }

    /// A drawing with its number.
    pub(super) fn figure(&self, drawing: Drawing) -> Result<FigureBlock> {
        let (number, label) = self.next_figure()?;
        let Drawing { name, caption, description, svg, width, narrow, table } = drawing;
        let half = width == Width::Half;
        let file = self.provenance.languages.file_in(self.lang.lang, &format!("figures/{name}.svg"));
        Ok(FigureBlock { number, label, file, caption, description, svg, half, narrow, table })
    }

    /// A model's title; its name where the study gives none.
    pub(super) fn model_title<'n>(&self, name: &'n str) -> &'n str
    where
        'a: 'n,
    {
        self.study.models.get(name).and_then(|spec| spec.title.as_deref()).unwrap_or(name)
    }

    /// A run's title; its name where the study gives none.
    pub(super) fn run_title<'n>(&self, name: &'n str) -> &'n str
    where
        'a: 'n,
    {
        self.study.runs.get(name).and_then(|spec| spec.title.as_deref()).unwrap_or(name)
    }

    /// The number by which figures choose a run's colour and mark.
    pub(super) fn series(&self, run: &str) -> usize {
        self.series.of_run(run)
    }

    /// Every run, in the study's order.
    pub(super) fn runs(&self) -> Vec<(&'a String, AnyRun<'a>)> {
        let mut runs: Vec<_> = self.results.all_runs().collect();
        runs.sort_by_key(|(name, _)| self.study.runs.get_index_of(*name));
        runs
    }

    /// Whether any run of the sections on training has a property.
    pub(super) fn any_run(&self, has: impl Fn(&RunResult) -> bool) -> bool {
        self.training.iter().flat_map(|s| &s.runs).filter_map(|name| self.results.runs.get(name)).any(has)
    }

    /// Whether any run of the sections on training has several seeds.
    pub(super) fn several_seeds(&self) -> bool {
        self.any_run(|run| run.seeds.len() > 1)
    }
}

/// A model's name as a link to its parameters.
pub(super) fn model_link(model: &str) -> RichText {
    RichText::linked(InlineStyle::Code, model, format!("parameters-{model}"))
}

/// Whether a run reports another epoch than the last one.
pub(super) fn chooses_epoch(run: &RunResult) -> bool {
    !run.plan.report_epoch.is_last()
}

/// Whether a run evaluates its training images as it does its test images.
pub(super) fn evaluates_training(run: &RunResult) -> bool {
    run.seeds[0].epochs.last().is_some_and(|e| e.train_eval.is_some())
}

/// The one section on training of a study that has no sections.
fn default_section(study: &Study, lang: &Language) -> Result<study::Section> {
    let (tables, show) = match study.grid {
        None => {
            (study::Table::default_tables(), vec![study::Show::Curves, study::Show::PerClass, study::Show::Confusion])
        }
        // A column for each of many runs, or a confusion matrix, says less than how they rank.
        Some(_) => {
            (vec![study::Table::Ranking, study::Table::Matrix, study::Table::Results], vec![study::Show::Curves])
        }
    };
    Ok(study::Section {
        title: lang.word("training.heading")?,
        text: String::new(),
        discussion: String::new(),
        answers: Vec::new(),
        runs: study.runs.keys().cloned().collect(),
        tables,
        comparisons: study.comparisons.keys().cloned().collect(),
        show,
        points: Vec::new(),
    })
}

fn next(counter: &Cell<usize>) -> usize {
    counter.set(counter.get() + 1);
    counter.get()
}
