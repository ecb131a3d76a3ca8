//! A study's own words: Markdown with measured values, as blocks of the document.
//!
//! The study's checks have refused what is wrong with them. A bundle that somebody else made was not checked, so everything is
//! shown as far as it is safe.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use minijinja::context;

use super::builder::Builder;
use super::document::{Block, Picture};
use super::error::Result;
use super::inline::{InlineStyle, RichText};
use crate::claims::Obstacle;
use crate::study;
use crate::text::markdown::{self, Image, Link, Span};

/// The blocks of a text.
pub(super) fn blocks(b: &Builder, text: &str) -> Result<Vec<Block>> {
    match b.own.print(text) {
        Ok(printed) => converted(b, &markdown::read(&printed).blocks),
        Err(obstacle) => not_shown(b, &obstacle).map(|sentence| vec![Block::paragraph(sentence)]),
    }
}

/// A text of one paragraph.
pub(super) fn line(b: &Builder, text: &str) -> Result<RichText> {
    let printed = match b.own.print(text) {
        Ok(printed) => printed,
        Err(obstacle) => return not_shown(b, &obstacle),
    };
    let mut line = RichText::default();
    for block in markdown::read(&printed).blocks {
        if let markdown::Block::Paragraph(spans) = block {
            line = line.then(rich(b, &spans));
        }
    }
    Ok(line)
}

/// What stands in the place of a text whose values were not measured.
fn not_shown(b: &Builder, obstacle: &Obstacle) -> Result<RichText> {
    let names = match obstacle {
        Obstacle::NotMeasured(names) => names.clone(),
        _ => Vec::new(),
    };
    b.text("own.not_shown", context! { names })
}

fn converted(b: &Builder, blocks: &[markdown::Block]) -> Result<Vec<Block>> {
    let mut all = Vec::new();
    for block in blocks {
        all.push(match block {
            markdown::Block::Paragraph(spans) => Block::paragraph(rich(b, spans)),
            markdown::Block::Heading(spans) => Block::heading("", rich(b, spans)),
            markdown::Block::List { start, items } => {
                let items = items.iter().map(|item| converted(b, item)).collect::<Result<_>>()?;
                Block::Nested { start: *start, items }
            }
            markdown::Block::Quotation(inner) => Block::Quotation { blocks: converted(b, inner)? },
            markdown::Block::Code { language, text } => {
                Block::Listing { language: language.clone(), text: text.clone() }
            }
            // Each picture holds its bytes, so a text that shows one thousands of times would fill the memory.
            markdown::Block::Image(image) => match b.next_picture(&image.file) {
                Some(picture) => Block::Picture(shown(b, image, picture)?),
                None => Block::paragraph(rich(b, &image.caption)),
            },
            markdown::Block::Rule => Block::Rule,
        });
    }
    Ok(all)
}

fn shown(b: &Builder, image: &Image, picture: &study::Picture) -> Result<Picture> {
    let mut caption = rich(b, &image.caption);
    let description = if image.description.is_empty() { caption.plain() } else { image.description.clone() };
    if !caption.plain().ends_with(['.', '!', '?', '…']) {
        caption.push(InlineStyle::Plain, ".", "", "");
    }
    let (number, label) = b.next_figure()?;
    Ok(Picture {
        number,
        label,
        file: format!("images/{}", image.file),
        caption,
        description,
        data: format!("data:{};base64,{}", picture.media_type, STANDARD.encode(&picture.bytes)),
        width: picture.width,
        height: picture.height,
    })
}

fn rich(b: &Builder, spans: &[Span]) -> RichText {
    let mut text = RichText::default();
    for span in spans {
        let style = match span.style {
            _ if span.text.is_empty() => InlineStyle::Break,
            style if style.code => InlineStyle::Code,
            style if style.emphasis && style.strong => InlineStyle::StrongEmphasis,
            style if style.emphasis => InlineStyle::Emphasis,
            style if style.strong => InlineStyle::Strong,
            _ => InlineStyle::Plain,
        };
        match &span.link {
            Some(Link::Address(url)) => text.push(style, &span.text, "", url),
            Some(Link::Anchor(id)) if b.anchors.contains(id) => text.push(style, &span.text, id, ""),
            _ => text.push(style, &span.text, "", ""),
        }
    }
    text
}
