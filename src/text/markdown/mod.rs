//! Reads CommonMark into blocks of styled text. Raw HTML is text, and only safe links remain links.
//!
//! Reading never fails, so that a bundle that somebody else made can always be rendered. What a study may not use is a fault,
//! which the study's checks report.

mod inline;
mod link;

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

use inline::Inlines;
pub(crate) use link::Link;

/// Lists and quotations inside each other. Deeper ones would overflow the stack of what reads the blocks.
const MAX_DEPTH: usize = 6;

/// A paragraph, or what contains some.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Block {
    Paragraph(Vec<Span>),
    /// A heading of any level.
    Heading(Vec<Span>),
    /// The number of the first item; none if the items are not numbered.
    List {
        start: Option<u64>,
        items: Vec<Vec<Block>>,
    },
    Quotation(Vec<Block>),
    /// Code with the word after its fence, such as `python`.
    Code {
        language: String,
        text: String,
    },
    Image(Image),
    /// A line across the page.
    Rule,
}

/// Text in one style.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Span {
    /// A line break if empty.
    pub(crate) text: String,
    pub(crate) style: Style,
    pub(crate) link: Option<Link>,
}

/// How a span is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Style {
    pub(crate) emphasis: bool,
    pub(crate) strong: bool,
    pub(crate) code: bool,
}

/// An image, which is a paragraph of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Image {
    /// The file, as written.
    pub(crate) file: String,
    /// The text in its brackets.
    pub(crate) caption: Vec<Span>,
    /// The text in quotation marks after the file.
    pub(crate) description: String,
}

/// A text as it was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Markdown {
    pub(crate) blocks: Vec<Block>,
    /// The first thing that a study may not use.
    pub(crate) fault: Option<String>,
}

/// Reads a text.
pub(crate) fn read(text: &str) -> Markdown {
    let mut reader = Reader { events: Parser::new_ext(text, Options::empty()), fault: None };
    let blocks = reader.blocks(0);
    Markdown { blocks, fault: reader.fault }
}

/// A text's paragraphs and headings without markup, a space between them.
pub(crate) fn plain(text: &str) -> String {
    let markdown = read(text);
    let mut parts = Vec::new();
    visit(&markdown.blocks, &mut |spans| {
        let words = spans.iter().map(|span| if span.text.is_empty() { " " } else { &span.text });
        parts.push(words.collect::<String>());
    });
    parts.join(" ")
}

impl Markdown {
    /// All links, in order.
    pub(crate) fn links(&self) -> Vec<&Link> {
        let mut found = Vec::new();
        visit(&self.blocks, &mut |spans| found.extend(spans.iter().filter_map(|span| span.link.as_ref())));
        found
    }

    /// The text of each paragraph and heading that is neither code nor a link, each of which is left out.
    pub(crate) fn printed(&self) -> Vec<String> {
        let mut found = Vec::new();
        visit(&self.blocks, &mut |spans| {
            let words = spans.iter().filter(|span| !span.style.code && span.link.is_none());
            found.push(words.map(|span| span.text.as_str()).collect());
        });
        found
    }

    /// All images, in order. They stand outside lists and quotations.
    pub(crate) fn images(&self) -> impl Iterator<Item = &Image> {
        self.blocks.iter().filter_map(|block| if let Block::Image(image) = block { Some(image) } else { None })
    }
}

fn visit<'a>(blocks: &'a [Block], see: &mut impl FnMut(&'a [Span])) {
    for block in blocks {
        match block {
            Block::Paragraph(spans) | Block::Heading(spans) => see(spans),
            Block::List { items, .. } => items.iter().for_each(|item| visit(item, see)),
            Block::Quotation(inner) => visit(inner, see),
            Block::Image(image) => see(&image.caption),
            Block::Code { .. } | Block::Rule => {}
        }
    }
}

struct Reader<'t> {
    events: Parser<'t>,
    fault: Option<String>,
}

impl Reader<'_> {
    /// The blocks up to the end of what contains them.
    fn blocks(&mut self, depth: usize) -> Vec<Block> {
        let mut blocks = Vec::new();
        // Items of a list without empty lines have text that is in no paragraph.
        let mut loose = Inlines::default();
        while let Some(event) = self.events.next() {
            let block = match event {
                Event::Start(Tag::Paragraph) => self.paragraph(depth),
                Event::Start(Tag::Heading { .. }) => vec![self.heading()],
                Event::Start(Tag::List(start)) => self.list(start, depth),
                Event::Start(Tag::BlockQuote(_)) => self.inside(depth).map(Block::Quotation).into_iter().collect(),
                Event::Start(Tag::CodeBlock(kind)) => vec![self.code(&kind)],
                Event::Start(Tag::HtmlBlock) => vec![self.html()],
                Event::Rule => vec![Block::Rule],
                Event::End(TagEnd::BlockQuote(_) | TagEnd::Item) => break,
                event => {
                    loose.add(event, &mut self.fault);
                    continue;
                }
            };
            self.end_loose(&mut loose, &mut blocks);
            blocks.extend(block);
        }
        self.end_loose(&mut loose, &mut blocks);
        blocks
    }

    fn end_loose(&mut self, loose: &mut Inlines, blocks: &mut Vec<Block>) {
        let inlines = std::mem::take(loose);
        self.complain(inlines.images.first().map(misplaced));
        if !inlines.spans.is_empty() {
            blocks.push(Block::Paragraph(inlines.spans));
        }
    }

    /// The blocks of a list's item or a quotation; none if it is nested too deep.
    fn inside(&mut self, depth: usize) -> Option<Vec<Block>> {
        if depth < MAX_DEPTH {
            return Some(self.blocks(depth + 1));
        }
        self.complain(Some(format!("lists and quotations are nested deeper than {MAX_DEPTH} levels")));
        let mut open = 1;
        while open > 0
            && let Some(event) = self.events.next()
        {
            match event {
                Event::Start(_) => open += 1,
                Event::End(_) => open -= 1,
                _ => {}
            }
        }
        None
    }

    fn list(&mut self, start: Option<u64>, depth: usize) -> Vec<Block> {
        let mut items = Vec::new();
        while let Some(Event::Start(Tag::Item)) = self.events.next() {
            items.extend(self.inside(depth));
        }
        vec![Block::List { start, items }]
    }

    fn heading(&mut self) -> Block {
        let Inlines { spans, images, .. } = self.inlines();
        self.complain(images.first().map(misplaced));
        Block::Heading(spans)
    }

    /// HTML as a paragraph, as it was typed.
    fn html(&mut self) -> Block {
        let mut spans = self.inlines().spans;
        if let Some(last) = spans.last_mut() {
            last.text.truncate(last.text.trim_end().len());
        }
        Block::Paragraph(spans)
    }

    fn paragraph(&mut self, depth: usize) -> Vec<Block> {
        let Inlines { spans, mut images, .. } = self.inlines();
        let is_alone = |image: &Image| spans == image.caption;
        match images.pop() {
            Some(image) if images.is_empty() && depth == 0 && is_alone(&image) => vec![Block::Image(image)],
            Some(image) => {
                self.complain(Some(misplaced(&image)));
                vec![Block::Paragraph(spans)]
            }
            None => vec![Block::Paragraph(spans)],
        }
    }

    fn code(&mut self, kind: &CodeBlockKind) -> Block {
        let word = match kind {
            CodeBlockKind::Fenced(info) => info.split_whitespace().next().unwrap_or_default(),
            CodeBlockKind::Indented => "",
        };
        let is_word = word.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-_#.".contains(&b));
        let mut text = String::new();
        for event in self.events.by_ref() {
            match event {
                Event::Text(part) => text.push_str(&part),
                Event::End(_) => break,
                _ => {}
            }
        }
        Block::Code { language: if is_word { word.to_owned() } else { String::new() }, text }
    }

    /// The text up to the end of a paragraph or heading.
    fn inlines(&mut self) -> Inlines {
        let mut inlines = Inlines::default();
        for event in self.events.by_ref() {
            if let Event::End(TagEnd::Paragraph | TagEnd::Heading(_) | TagEnd::HtmlBlock) = event {
                break;
            }
            inlines.add(event, &mut self.fault);
        }
        inlines
    }

    fn complain(&mut self, fault: Option<String>) {
        if self.fault.is_none() {
            self.fault = fault;
        }
    }
}

fn misplaced(image: &Image) -> String {
    let file = &image.file;
    format!(
        "the image `{file}` must be a paragraph of its own, outside lists and quotations, with empty lines around it"
    )
}

#[cfg(test)]
mod tests;
