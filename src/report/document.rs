//! The report as one tree of sections and blocks, ready to print: every number, caption and reference is in place.
//!
//! Both formats are rendered from it by `templates/page.*.j2` and `templates/blocks.*.j2`. A new kind of block needs a
//! variant of `Block` and a branch in each of the two block files.

use serde::Serialize;

use super::inline::RichText;
use super::verdicts::Verdicts;
use crate::text::Lang;

/// The whole report: what the page templates receive.
#[derive(Serialize)]
pub struct Document {
    /// The language of the phrases and numbers.
    pub lang: Lang,
    /// The report's files in this language.
    pub file: ReportFiles,
    /// Those in its other languages.
    pub translations: Vec<ReportFiles>,
    /// The study's title.
    pub title: String,
    /// The study's own words below the title.
    pub description: Vec<Block>,
    /// Author, group, course, institution, date: those that the study gives.
    pub meta: Definitions,
    /// What the study found in a paragraph, its key figures, and its most telling figures.
    pub lead: Vec<Block>,
    /// The first section. It has no number.
    pub summary: ReportSection,
    /// The heading of the list of contents.
    pub contents: String,
    /// The numbered sections.
    pub sections: Vec<ReportSection>,
    /// The last line of the page.
    pub footer: RichText,
    /// What is printed at the foot of every page: the digest of the results.
    pub page_footer: String,
    /// The program's name and version.
    pub program: String,
    /// The claims and conclusions as data, which are a file of their own.
    #[serde(skip)]
    pub verdicts: Verdicts,
}

/// The names of a report's pages in one of its languages.
#[derive(Serialize)]
pub struct ReportFiles {
    pub lang: Lang,
    /// The language's name in the language itself.
    pub name: &'static str,
    pub html: String,
    pub md: String,
}

/// A section with its place in the table of contents.
#[derive(Serialize)]
pub struct ReportSection {
    /// The section's anchor.
    pub id: String,
    /// From 1; the summary has none.
    pub number: Option<usize>,
    pub heading: RichText,
    pub blocks: Vec<Block>,
}

/// What sections consist of.
#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Block {
    Paragraph {
        text: RichText,
    },
    /// A heading below the section's own.
    Heading {
        /// The heading's anchor; empty for none.
        id: String,
        text: RichText,
    },
    List {
        items: Vec<RichText>,
    },
    Definitions(Definitions),
    /// Questions with the findings on them.
    Findings {
        items: Vec<FindingItem>,
    },
    /// A few numbers that answer the study's questions.
    KeyFigures {
        items: Vec<KeyFigure>,
    },
    Table(TableBlock),
    Figure(FigureBlock),
    /// A program in Python.
    Code {
        text: String,
    },
    /// A command for a shell.
    Command {
        text: String,
    },
    /// Blocks that are shown when the reader asks for them, in formats that can do so.
    Folded {
        title: RichText,
        blocks: Vec<Block>,
    },
    /// A list of the study's own words, whose items have blocks.
    Nested {
        /// The number of the first item; none if they are not numbered.
        start: Option<u64>,
        items: Vec<Vec<Block>>,
    },
    Quotation {
        blocks: Vec<Block>,
    },
    /// Code in any language, of the study's own words.
    Listing {
        /// Empty if it is not known.
        language: String,
        text: String,
    },
    Picture(Picture),
    /// A line across the page.
    Rule,
    /// The study's references. Each has the id `reference-1` and so on.
    References {
        items: Vec<RichText>,
    },
    /// Blocks that belong side by side, where there is room.
    Group {
        style: &'static str,
        blocks: Vec<Block>,
    },
}

impl Block {
    pub fn paragraph(text: impl Into<RichText>) -> Self {
        Self::Paragraph { text: text.into() }
    }

    pub fn heading(id: impl Into<String>, text: impl Into<RichText>) -> Self {
        Self::Heading { id: id.into(), text: text.into() }
    }

    fn figures<'a>(&'a self, found: &mut Vec<&'a FigureBlock>) {
        match self {
            Self::Figure(figure) => found.push(figure),
            Self::Group { blocks, .. } | Self::Folded { blocks, .. } => {
                for block in blocks {
                    block.figures(found);
                }
            }
            _ => {}
        }
    }
}

/// A number that stands out, with what it is and how sure it is.
#[derive(Serialize)]
pub struct KeyFigure {
    pub label: RichText,
    pub value: String,
    pub note: RichText,
}

/// Terms with what they mean. The style is the list's class in the page.
#[derive(Serialize)]
pub struct Definitions {
    pub style: &'static str,
    pub items: Vec<Definition>,
}

#[derive(Serialize)]
pub struct Definition {
    pub term: RichText,
    pub text: RichText,
    /// Its place on a printed title page, such as `institution`; empty for others.
    pub place: &'static str,
}

impl Definition {
    pub fn new(term: impl Into<RichText>, text: impl Into<RichText>) -> Self {
        Self { term: term.into(), text: text.into(), place: "" }
    }

    /// The definition with its place on a printed title page.
    #[must_use]
    pub fn at(mut self, place: &'static str) -> Self {
        self.place = place;
        self
    }
}

#[derive(Serialize)]
pub struct FindingItem {
    /// Its place among the questions, from 1. Its anchor is `question-1` and so on.
    pub number: usize,
    pub badge: RichText,
    /// What limits the finding, such as that it rests on one seed; empty for nothing.
    pub limit: String,
    pub question: RichText,
    pub text: RichText,
}

/// A table with a number. The first cell of a row is its heading.
#[derive(Serialize)]
pub struct TableBlock {
    pub number: usize,
    /// `Table 4`.
    pub label: String,
    pub caption: RichText,
    /// The table's classes in the page.
    pub style: &'static str,
    pub columns: Vec<TableColumn>,
    /// The heading of the column of group headings, in formats where a group cannot have a line of its own; empty where
    /// rows are not grouped.
    pub group_heading: RichText,
    pub groups: Vec<RowGroup>,
    /// The heading of the column of notes, in formats where a note cannot have a line of its own; empty for none.
    pub note_heading: RichText,
    /// The last row, of totals; empty for none.
    pub footer: Vec<RichText>,
}

#[derive(Serialize)]
pub struct TableColumn {
    pub heading: RichText,
    /// The class of the column's cells in the page.
    pub style: &'static str,
    /// Whether cells are aligned to the right.
    pub right: bool,
}

/// What a column holds, which decides its alignment.
#[derive(Clone, Copy)]
pub enum ColumnKind {
    Text,
    Number,
    /// Numbers that are long, or have a remark.
    LongNumber,
    /// Numbers that head their rows.
    Key,
    Formula,
    Shape,
}

impl TableColumn {
    pub fn new(heading: impl Into<RichText>, kind: ColumnKind) -> Self {
        let (style, right) = match kind {
            ColumnKind::Text => ("", false),
            ColumnKind::Number => ("n", true),
            ColumnKind::LongNumber => ("n wraps", true),
            ColumnKind::Key => ("n first", true),
            ColumnKind::Formula => ("formula", false),
            ColumnKind::Shape => ("shape", false),
        };
        Self { heading: heading.into(), style, right }
    }
}

/// Rows under one heading; without a heading where a table has one group.
#[derive(Default, Serialize)]
pub struct RowGroup {
    pub heading: RichText,
    pub rows: Vec<TableRow>,
}

#[derive(Serialize)]
pub struct TableRow {
    pub cells: Vec<RichText>,
    /// A remark on the whole row; empty for none.
    pub note: RichText,
}

impl TableBlock {
    #[must_use]
    pub fn styled(self, style: &'static str) -> Self {
        Self { style, ..self }
    }
}

/// A figure with a number.
#[derive(Serialize)]
pub struct FigureBlock {
    pub number: usize,
    /// `Figure 2`.
    pub label: String,
    /// Below the bundle: `figures/NAME.svg`.
    pub file: String,
    pub caption: String,
    /// What the figure shows; empty where the caption says it all.
    pub description: String,
    pub svg: String,
    /// Whether it is half as wide as the others.
    pub half: bool,
    /// None where it is the same at every width.
    pub narrow: Option<NarrowFigure>,
    pub table: Option<FigureTable>,
}

/// A figure as it is drawn for narrow screens: panels below each other, in text of the same size.
#[derive(Serialize)]
pub struct NarrowFigure {
    pub svg: String,
    /// As the figure's own; they differ where a label has less room.
    pub description: String,
}

/// A figure's numbers as a table, for readers who cannot see the figure: the page hides it from the others.
#[derive(Serialize)]
pub struct FigureTable {
    pub columns: Vec<String>,
    /// The first cell of a row is its heading.
    pub rows: Vec<Vec<String>>,
}

/// An image of the study's own words, numbered with the figures.
#[derive(Serialize)]
pub struct Picture {
    pub number: usize,
    /// `Figure 2`.
    pub label: String,
    /// Below the bundle: `images/NAME`.
    pub file: String,
    pub caption: RichText,
    /// What the image shows, for readers who do not see it.
    pub description: String,
    /// The image as a `data:` URI.
    pub data: String,
    /// In pixels.
    pub width: u32,
    pub height: u32,
}

impl FigureBlock {
    pub fn id(&self) -> String {
        format!("figure-{}", self.number)
    }
}

impl Document {
    /// All figures, in order.
    pub fn figures(&self) -> Vec<&FigureBlock> {
        let mut figures = Vec::new();
        let sections = std::iter::once(&self.summary).chain(&self.sections);
        self.lead.iter().chain(sections.flat_map(|s| &s.blocks)).for_each(|block| block.figures(&mut figures));
        figures
    }
}
