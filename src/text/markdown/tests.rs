use super::*;

/// Blocks in a short form: `p` a paragraph, `h` a heading, `l` and `n` lists, `q` a quotation, `c` code, `i` an image.
fn shape(blocks: &[Block]) -> String {
    let inside = |blocks: &[Block]| format!("[{}]", shape(blocks));
    let each = blocks.iter().map(|block| match block {
        Block::Paragraph(_) => "p".to_owned(),
        Block::Heading(_) => "h".to_owned(),
        Block::List { start, items } => {
            let kind = if start.is_some() { "n" } else { "l" };
            kind.to_owned() + &items.iter().map(|item| inside(item)).collect::<String>()
        }
        Block::Quotation(inner) => format!("q{}", inside(inner)),
        Block::Code { .. } => "c".to_owned(),
        Block::Image(_) => "i".to_owned(),
        Block::Rule => "-".to_owned(),
    });
    each.collect()
}

/// Text with marks for each span: `*`, `**`, backticks, and the link in round brackets.
fn words(spans: &[Span]) -> String {
    let each = spans.iter().map(|Span { text, style, link }| {
        let mark = ["*", "**", "`"].into_iter().zip([style.emphasis, style.strong, style.code]);
        let mark: String = mark.filter(|(_, on)| *on).map(|(mark, _)| mark).collect();
        let link = match link {
            None => String::new(),
            Some(Link::Address(to)) => format!("({to})"),
            Some(Link::Anchor(to)) => format!("(#{to})"),
        };
        let text = if text.is_empty() { "↵" } else { text };
        format!("{mark}{text}{mark}{link}|")
    });
    each.collect()
}

fn paragraph(text: &str) -> String {
    match &read(text).blocks[..] {
        [Block::Paragraph(spans)] => words(spans),
        other => panic!("{other:?}"),
    }
}

#[test]
fn blocks_are_those_of_commonmark() {
    for (text, expected) in [
        ("one\ntwo\n\nthree", "pp"),
        ("- a\n- b\n\n  more\n\n  1. c\n", "l[p][ppn[p]]"),
        ("2. a\n3. b", "n[p][p]"),
        ("> a\n> - b", "q[pl[p]]"),
        ("```python\nx = 1\n```\n\n    y", "cc"),
        ("## a\n\ntext\n\n---\n", "hp-"),
        ("![a](b.png)\n\ntext", "ip"),
        ("- a\n  > b\n\n    c", "l[pq[p]p]"),
        ("", ""),
    ] {
        let markdown = read(text);
        assert_eq!((shape(&markdown.blocks).as_str(), markdown.fault), (expected, None), "{text}");
    }
    assert_eq!(
        read("```python x\nx = `1`\n```").blocks,
        [Block::Code { language: "python".into(), text: "x = `1`\n".into() }]
    );
    assert_eq!(read("```<script>\nx\n```").blocks, [Block::Code { language: String::new(), text: "x\n".into() }]);
}

#[test]
fn spans_have_their_styles_and_links() {
    assert_eq!(paragraph("a *b **c*** `d*`"), "a |*b *|***c***| |`d*`|");
    assert_eq!(paragraph("a\nb  \nc"), "a b|↵|c|");
    assert_eq!(
        paragraph("[a *b*](https://x.org/?a=1&b) <x@y.org> [c](#training-1)"),
        "a (https://x.org/?a=1&b)|*b*(https://x.org/?a=1&b)| |x@y.org(mailto:x@y.org)| |c(#training-1)|"
    );
    assert_eq!(paragraph("[a][1]\n\n[1]: http://x.org"), "a(http://x.org)|");
}

#[test]
fn a_text_without_markup_has_the_words_alone() {
    assert_eq!(plain("## A\n\n*b* [c](https://x.org)  \nd\n\n- e\n- f"), "A b c d e f");
}

#[test]
fn html_is_text() {
    assert_eq!(paragraph("a <b>c</b> &lt; &amp;"), "a <b>c</b> < &|");
    assert_eq!(paragraph("<script>\nalert(1)\n</script>"), "<script> alert(1) </script>|");
    assert_eq!(paragraph("<!-- x -->"), "<!-- x -->|");
}

#[test]
fn an_unsafe_link_is_a_fault_and_stays_text() {
    for target in [
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        "data:text/html,x",
        "//x.org",
        "report.md",
        "../x",
        "file:///etc/passwd",
        "https://",
        "https://x.org@y.org",
        "mailto:",
        "vbscript:x",
        "&#106;avascript:x",
        "<java script:x>",
        "<https://x.org/a b>",
        "https://x.org/\\\\x",
    ] {
        let markdown = read(&format!("[a]({target})"));
        assert!(markdown.links().is_empty(), "{target}");
        assert!(markdown.fault.as_ref().is_some_and(|fault| fault.starts_with("the link `")), "{target}: {markdown:?}");
    }
    let long = format!("[a](https://x.org/{})", "x".repeat(2000));
    assert!(read(&long).fault.is_some_and(|fault| fault.len() < 150));
}

#[test]
fn an_image_is_a_paragraph_of_its_own() {
    let markdown = read("![the *curve*](a/b.png \"It falls.\")");
    let image = markdown.images().next().unwrap();
    assert_eq!((image.file.as_str(), image.description.as_str()), ("a/b.png", "It falls."));
    assert_eq!(words(&image.caption), "the |*curve*|");
    for text in [
        "see ![a](b.png)",
        "![a](b.png) ![c](d.png)",
        "- ![a](b.png)",
        "> ![a](b.png)",
        "[![a](b.png)](https://x.org)",
        "![a ![b](c.png)](d.png)",
        "## ![a](b.png)",
    ] {
        let markdown = read(text);
        let fault = markdown.fault.clone().unwrap_or_else(|| panic!("{text}"));
        assert!(fault.starts_with("the image `"), "{text}: {fault}");
    }
}

#[test]
fn deep_nesting_is_a_fault_and_takes_no_stack() {
    for text in [
        ">".repeat(30_000),
        "- ".repeat(15_000) + "a",
        "> - ".repeat(8_000),
        "*".repeat(60_000),
        "[".repeat(60_000),
        "![".repeat(30_000),
    ] {
        let markdown = read(&text);
        let is_nested = text.starts_with(['>', '-']);
        assert_eq!(markdown.fault.is_some(), is_nested, "{}", &text[..4]);
    }
    for text in ["", "a"] {
        let fault = read(&("> ".repeat(7) + text)).fault;
        assert!(fault.is_some_and(|fault| fault.contains("deeper than 6 levels")), "{text}");
    }
    assert_eq!(read(&("> ".repeat(6) + "a")).fault, None);
}
