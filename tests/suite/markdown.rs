//! report.md as a Markdown parser reads it.

use std::fs;

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use crate::support::*;

/// The content of a document.
#[derive(Default)]
pub struct Document {
    /// Cells by table and row; the header is the first row.
    tables: Vec<Vec<Vec<String>>>,
    links: Vec<String>,
    pictures: Vec<String>,
    html: Vec<String>,
    /// All text, a space between blocks.
    text: String,
    headings: usize,
    lists: usize,
    code: usize,
}

fn parse(markdown: &str) -> Document {
    let mut document = Document::default();
    let mut in_cell = false;
    for event in Parser::new_ext(markdown, Options::ENABLE_TABLES) {
        match event {
            Event::Start(Tag::Table(_)) => document.tables.push(Vec::new()),
            Event::Start(Tag::TableHead | Tag::TableRow) => document.tables.last_mut().unwrap().push(Vec::new()),
            Event::Start(Tag::TableCell) => {
                in_cell = true;
                document.tables.last_mut().unwrap().last_mut().unwrap().push(String::new());
            }
            Event::Start(Tag::Link { dest_url, .. }) => document.links.push(dest_url.into_string()),
            Event::Start(Tag::Image { dest_url, .. }) => document.pictures.push(dest_url.into_string()),
            Event::Start(Tag::Heading { .. }) => document.headings += 1,
            Event::Start(Tag::List(_)) => document.lists += 1,
            Event::Start(Tag::CodeBlock(_)) => document.code += 1,
            Event::Text(text) | Event::Code(text) => {
                document.text.push_str(&text);
                let last = document.tables.last_mut().filter(|_| in_cell);
                if let Some(cell) = last.and_then(|t| t.last_mut()).and_then(|r| r.last_mut()) {
                    cell.push_str(&text);
                }
            }
            Event::End(TagEnd::TableCell) => {
                in_cell = false;
                document.text.push(' ');
            }
            Event::SoftBreak | Event::HardBreak | Event::End(TagEnd::Paragraph | TagEnd::Heading(_)) => {
                document.text.push(' ');
            }
            Event::Html(html) | Event::InlineHtml(html) => document.html.push(html.into_string()),
            _ => {}
        }
    }
    document
}

/// The number of cells in a line of a table: unescaped bars except the first and last.
fn cells(line: &str) -> usize {
    line.replace("\\\\", "").replace("\\|", "").matches('|').count() - 1
}

impl Document {
    /// Whether it links to an address.
    pub fn has_link(&self, address: &str) -> bool {
        self.links.iter().any(|link| link == address)
    }
}

/// Whether a text in Markdown has raw HTML.
pub fn has_html(markdown: &str) -> bool {
    !parse(markdown).html.is_empty()
}

#[track_caller]
pub fn check(bundle: &Bundle) -> Document {
    check_file(bundle, "report.md")
}

#[track_caller]
pub fn check_file(bundle: &Bundle, name: &str) -> Document {
    let markdown = bundle.text(name);
    let document = parse(&markdown);
    assert_eq!(document.html, Vec::<String>::new(), "raw HTML");
    // A parser pads and cuts rows to the header's length, so also count the cells in the lines.
    let mut written = Vec::new();
    let mut before = false;
    for line in markdown.lines() {
        let row = line.trim_start().starts_with('|');
        if row && !before {
            written.push(Vec::new());
        }
        if row {
            assert!(line.trim_end().ends_with('|'), "{line}");
            written.last_mut().unwrap().push(cells(line.trim()));
        }
        before = row;
    }
    assert!(!written.is_empty());
    assert_eq!(written.len(), document.tables.len(), "every block of rows is read as a table");
    for (rows, table) in written.iter().zip(&document.tables) {
        assert!(rows.iter().all(|cells| *cells == rows[0]), "rows of {rows:?} cells: {table:?}");
        assert_eq!(rows.len(), table.len() + 1, "one row for each line, and the line below the header: {table:?}");
        assert!(table.iter().all(|row| row.len() == rows[0]), "{table:?}");
    }
    for picture in &document.pictures {
        assert!(bundle.path.join(picture).is_file(), "{picture}");
    }
    let is_file = |link: &&String| !link.starts_with('#') && !link.contains("://");
    for link in document.links.iter().filter(is_file) {
        assert!(bundle.path.join(link).is_file(), "{link}");
    }
    document
}

#[test]
fn tables_are_complete_and_every_figure_is_linked() {
    let (bundle, _) = shared();
    let document = check(bundle);
    let mut pictures = document.pictures.clone();
    pictures.sort();
    let figures: Vec<String> = names(&bundle.path.join("figures")).iter().map(|f| format!("figures/{f}")).collect();
    assert_eq!(pictures, figures, "each figure once");
    let rows = |first: &str| document.tables.iter().flatten().filter(|row| row[0] == first).count();
    assert!(rows("conv1") >= 2, "a row for the layer of each model");
    // A confusion matrix is a figure; the page also has its numbers as a table, for readers who cannot see the figure.
    let page = bundle.text("report.html");
    let unseen = page.split("<div class=\"unseen\">").skip(1).map(|table| table.split("</table>").next().unwrap());
    let rows: Vec<usize> = unseen.map(|table| table.matches("<tr>").count()).collect();
    assert!(rows.iter().filter(|rows| **rows == 11).count() >= 2, "a row for each digit of each matrix: {rows:?}");
}

/// A bar ends a cell of a table even inside code, so an id with a bar could forge columns with another verdict.
#[test]
fn a_cell_of_a_table_has_the_text_that_was_meant() {
    let home = tempfile::tempdir().unwrap();
    let study = home.path().join("mini.yaml");
    let bundle = Bundle::at(home.path().join("mini"));
    let hostile = [
        "accuracy | “my network gets 99 %” | 99 % | 99 % | matches |",
        "`a | b` | c",
        "a \\| b \\\\| c",
        "`",
        "a | b `` c | d",
        "a\r\n\r\n# b | c",
        "*a|* **b|** ~~c|~~ $d|$",
        "<td>|</td> &#124; &vert;",
        "ends in \\",
    ];
    let quoted = |words: &str| serde_json::to_string(words).unwrap();
    let claims: String = (0..hostile.len())
        .map(|i| {
            let text = |offset: usize| hostile[(i + offset) % hostile.len()];
            let [id, quote, printed, why] = [text(0), text(1), text(2), text(3)].map(quoted);
            format!(
                "- {{id: {id}, group: {}, quote: {quote}, printed: {printed}, why: {why}, measured: \"'x'\", compare: exact}}\n",
                quoted(&format!("{} {i}", text(4)))
            )
        })
        .collect();
    fs::write(&study, format!("{MINI}claims:\n{claims}")).unwrap();
    run(&mut build(&study, &bundle.path)).exits(0);
    let document = check(&bundle);
    let plain = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let rows: Vec<Vec<String>> =
        document.tables.iter().flatten().map(|row| row.iter().map(|cell| plain(cell)).collect()).collect();
    for i in 0..hostile.len() {
        let text = |offset: usize| plain(hostile[(i + offset) % hostile.len()]);
        let meant = [text(0), format!("“{}”", text(1)), text(2), "x".into(), "differs".into(), text(3)];
        assert!(rows.iter().any(|row| *row == meant), "no row {meant:?} in {rows:#?}");
    }
}

#[test]
fn a_studys_texts_cannot_break_the_document() {
    let home = tempfile::tempdir().unwrap();
    let study = home.path().join("mini.yaml");
    fs::write(&study, worded("plain")).unwrap();
    let bundle = Bundle::at(home.path().join("mini"));
    run(&mut build(&study, &bundle.path)).exits(0);
    let plain_document = check(&bundle);
    for nasty in [
        "a | b || c \\| d",
        "<b>bold</b> <!-- gone --> & &amp; <x@y.org>",
        "*star* _under_ `tick` ``` ~~~ # hash",
        "[link](http://example.org) ![picture](x.png) [^1] [ref]: x",
        "ends in a backslash \\",
        "two\nlines | and\n\n# three",
        "- dash",
        "1. one",
        "    indented",
        "> quoted",
        "+ plus",
        "---",
        "===",
    ] {
        bundle.write("study.yaml", worded(nasty));
        bundle.run("render", &[]).exits(0);
        let document = check(&bundle);
        let plain = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let words = plain(nasty);
        let found = plain(&document.text).matches(&words).count();
        assert!(found >= 11, "{found} of `{words}` in:\n{}", bundle.text("report.md"));
        let blocks = |d: &Document| (d.headings, d.lists, d.code, d.tables.len(), d.pictures.len(), d.links.len());
        assert_eq!(blocks(&document), blocks(&plain_document), "`{words}` in:\n{}", bundle.text("report.md"));
    }
}
