//! The text of a paragraph: styles, links and images.

use pulldown_cmark::{Event, LinkType, Tag, TagEnd};

use super::{Image, Link, Span, Style};

/// Text that is being read.
#[derive(Default)]
pub(super) struct Inlines {
    pub(super) spans: Vec<Span>,
    pub(super) images: Vec<Image>,
    emphasis: usize,
    strong: usize,
    link: Option<Link>,
    /// The images that are open, each with the place of its first span.
    open: Vec<(usize, Image)>,
}

impl Inlines {
    /// Adds an event inside a paragraph.
    pub(super) fn add(&mut self, event: Event, fault: &mut Option<String>) {
        let code = matches!(event, Event::Code(_));
        match event {
            // HTML is shown as it was typed.
            Event::Text(text) | Event::Code(text) | Event::Html(text) | Event::InlineHtml(text) => {
                self.push(&text, code);
            }
            Event::SoftBreak => self.push(" ", false),
            Event::HardBreak => self.spans.push(Span::default()),
            Event::Start(Tag::Emphasis) => self.emphasis += 1,
            Event::End(TagEnd::Emphasis) => self.emphasis -= 1,
            Event::Start(Tag::Strong) => self.strong += 1,
            Event::End(TagEnd::Strong) => self.strong -= 1,
            Event::Start(Tag::Link { link_type, dest_url, .. }) => {
                let mail = if link_type == LinkType::Email { "mailto:" } else { "" };
                match Link::of(&format!("{mail}{dest_url}")) {
                    Ok(link) => self.link = Some(link),
                    Err(why) => complain(fault, why),
                }
            }
            Event::End(TagEnd::Link) => self.link = None,
            Event::Start(Tag::Image { dest_url, title, .. }) => {
                if self.link.is_some() || !self.open.is_empty() {
                    complain(fault, format!("the image `{dest_url}` is part of a link or of another image"));
                }
                let (file, description) = (dest_url.into_string(), title.into_string());
                self.open.push((self.spans.len(), Image { file, caption: Vec::new(), description }));
            }
            Event::End(TagEnd::Image) => {
                if let Some((start, image)) = self.open.pop() {
                    self.images.push(Image { caption: self.spans[start..].to_vec(), ..image });
                }
            }
            _ => {}
        }
    }

    /// Adds text in the style that is open, joined to the last span if that has the same.
    fn push(&mut self, text: &str, code: bool) {
        let style = Style { emphasis: self.emphasis > 0, strong: self.strong > 0, code };
        let span = Span { text: text.replace(['\n', '\r'], " "), style, link: self.link.clone() };
        let starts_image = self.open.last().is_some_and(|(start, _)| *start == self.spans.len());
        match self.spans.last_mut() {
            Some(last)
                if !starts_image && !code && last.style == style && last.link == span.link && !last.text.is_empty() =>
            {
                last.text.push_str(&span.text);
            }
            _ if span.text.is_empty() => {}
            _ => self.spans.push(span),
        }
    }
}

fn complain(fault: &mut Option<String>, why: String) {
    fault.get_or_insert(why);
}
