use super::*;

fn error(yaml: &str) -> String {
    Source::from_text(Path::new("s.yaml"), yaml).err().expect("refused").to_string()
}

#[test]
fn refuses_invisible_characters_and_long_expressions() {
    let study = |title: &str, rest: &str| format!("title: {title}\nmodels: {{}}\nruns: {{}}\n{rest}");
    assert!(Source::from_text(Path::new("s.yaml"), &study("\"Звіт\\n\\tЇ\"", "")).is_ok());
    let message = error(&study("\"T\\e[8m\"", ""));
    assert!(message.starts_with("s.yaml:1: title: holds the invisible character U+001B"), "{message}");
    let message = error(&study("T", "values: {a: [\"x\u{202e}y\"]}\n"));
    assert!(message.starts_with("s.yaml:4: values.a[0]: holds the invisible character U+202E"), "{message}");
    let claim = |measured: &str| {
        study(
            "T",
            &format!(
                "claims:\n- {{id: a, group: g, quote: q, printed: '1', measured: '{measured}', compare: exact}}\n"
            ),
        )
    };
    assert!(Source::from_text(Path::new("s.yaml"), &claim(&"-".repeat(4000))).is_ok());
    let message = error(&claim(&"-".repeat(4001)));
    assert!(message.starts_with("s.yaml:5: claims[0].measured: is longer than 4000 characters"), "{message}");
    let claims = |count: usize| {
        let claims: String = (0..count)
            .map(|i| format!("- id: c{i}\n  group: g\n  quote: q\n  printed: '1'\n  measured: '1'\n  compare: exact\n"))
            .collect();
        study("T", &format!("claims:\n{claims}"))
    };
    assert!(Source::from_text(Path::new("s.yaml"), &claims(1000)).is_ok());
    assert_eq!(error(&claims(1001)), "s.yaml:4: claims: 1001: at most 1000 are supported");
    let authors = study("T", &format!("author:\n{}", "- A\n".repeat(10_001)));
    assert_eq!(error(&authors), "s.yaml:4: author: a list of 10001 items: no study needs more than 10000");
    let rates: Vec<String> = (1..=101).map(|n| n.to_string()).collect();
    let grid = study("T", &format!("grid: {{batch_size: [{}], epochs: [1, 2]}}\n", rates.join(", ")));
    assert_eq!(error(&grid), "s.yaml:4: grid: 101 × 2 runs: at most 100; use shorter lists");
}

/// Some readers of YAML take these for the end of a comment, others for a part of it.
#[test]
fn lines_that_readers_of_yaml_do_not_read_alike_are_refused() {
    let study = |before: &str| format!("{before}title: T\nmodels: {{}}\nruns: {{}}\n");
    for (breaks, code) in [("\u{85}", "0085"), ("\u{2028}", "2028"), ("\u{2029}", "2029")] {
        let message = error(&study(&format!("# as taught:{breaks}values: {{chance: 0.1}}\n")));
        let expected =
            format!("s.yaml:1: has a line break that is not one for every program (U+{code}): press Enter instead");
        assert_eq!(message, expected);
    }
    let message = error(&study("# a comment\rvalues: {chance: 0.1}\n"));
    assert_eq!(message, "s.yaml:1: has a carriage return inside (U+000D): press Enter instead");
    assert!(
        Source::from_text(Path::new("s.yaml"), &study("# a\r\n").replace('\n', "\r\n").replace("\r\r", "\r")).is_ok()
    );
    let message = error(&study("# a comment\n%TAG !e! tag:x\n---\n"));
    assert_eq!(message, "s.yaml:2: starts with `%`, as a directive of YAML: no study needs one; remove it");
    assert!(Source::from_text(Path::new("s.yaml"), &study("# 5 % of it\n")).is_ok());
}

#[test]
fn only_what_is_between_braces_counts_as_expression() {
    for (text, expected) in [
        ("a { b } %}", 0),
        ("a {{ b }} c {% if d %}", 17),
        ("{{ '}}' }} a", 10),
        ("{{ (}} a) }}", 12),
        ("{{ {}}} a", 7),
        ("{{ \"\\\"}}\" }}a", 12),
        ("{{ (((", 6),
    ] {
        assert_eq!(in_braces(text), expected, "{text}");
    }
}

const HEAD: &str = "title: T\nmodels:\n  m:\n    layers:\n";

#[test]
fn names_line_and_key_of_an_unknown_key() {
    let yaml = format!("{HEAD}      - flatten\n      - linear: {{out_feature: 10}}\nruns: {{}}\n");
    let message = error(&yaml);
    assert!(message.starts_with("s.yaml:6: models.m.layers[1].linear.out_feature: unknown key"), "{message}");
}

#[test]
fn names_line_of_a_wrong_type_in_defaults() {
    let yaml = format!("{HEAD}      - flatten\ndefaults:\n  epochs: many\nruns:\n  r: {{model: m}}\n");
    let expected = "s.yaml:7: defaults.epochs: expected a whole number, 1 or more, found `many`";
    assert_eq!(error(&yaml), expected);
}

#[test]
fn names_the_line_that_extends_a_missing_file_and_refuses_other_encodings() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("s.yaml");
    std::fs::write(&file, "title: T\nextends: no.yaml\n").unwrap();
    let message = Source::load(&file).err().expect("refused").to_string();
    assert!(message.starts_with(&format!("{}:2: extends: ", file.display())), "{message}");
    assert!(message.contains("no.yaml: cannot be read"), "{message}");
    std::fs::write(&file, b"title: \xd2\n").unwrap();
    let message = Source::load(&file).err().expect("refused").to_string();
    assert_eq!(message, format!("{}: is not UTF-8 text (see line 1): save it as UTF-8", file.display()));
}

#[test]
fn refuses_an_unknown_layer_and_two_layers_in_one_item() {
    let message = error(&format!("{HEAD}      - rellu\nruns: {{}}\n"));
    assert!(message.contains("s.yaml:5: models.m.layers[0]: unknown word `rellu`"), "{message}");
    let message = error(&format!("{HEAD}      - {{relu: {{}}, flatten: {{}}}}\nruns: {{}}\n"));
    assert!(message.ends_with("models.m.layers[0]: expected a layer, found two: `relu` and `flatten`"), "{message}");
}

#[test]
fn a_duplicate_key_is_refused() {
    let message = error("title: a\ntitle: b\n");
    assert!(message.starts_with("s.yaml:"), "{message}");
    let expected =
        "s.yaml:2: is not valid YAML: the key `title` is there twice, first in line 1: remove or rename one of them";
    assert!(message.ends_with(expected), "{message}");
}

#[test]
fn brackets_in_expressions_are_not_deeper_than_their_limit() {
    let refused = |measured: &str, sentence: &str, description: &str| {
        let quoted = |text: &str| serde_json::to_string(text).unwrap();
        let (measured, sentence, description) = (quoted(measured), quoted(sentence), quoted(description));
        let yaml = format!(
            "title: t\ndescription: {description}\nmodels: {{m: {{layers: [flatten]}}}}\nruns: {{r: {{model: m, epochs: 1, batch_size: 1, optimizer: adam, seeds: [1]}}}}\n\
             claims:\n- {{id: a, group: g, quote: q, printed: '1', measured: {measured}, compare: exact}}\n\
             conclusions:\n- {{id: c, question: q, supported_if: 'true', refuted_if: 'false', supported: {sentence}, refuted: n, undecided: n}}\n"
        );
        Source::from_text(Path::new("s.yaml"), &yaml).err().map(|e| e.to_string())
    };
    let deep = |open: &str, close: &str, n: usize| format!("{}1{}", open.repeat(n), close.repeat(n));
    assert_eq!(refused(&deep("(", ")", 64), "y", "d"), None);
    assert_eq!(refused(&format!("'{}' == '\\'{}'", "(".repeat(99), "[".repeat(99)), "y", "d"), None, "in quotes");
    assert_eq!(refused("1", &format!("a {} b", "(".repeat(99)), &"[".repeat(99)), None, "in words");
    assert_eq!(
        refused("1", &format!("{{{{ {} }}}}", deep("(", ")", 60)), &format!("{{{{ {} }}}}", deep("[", "]", 60))),
        None
    );
    for (measured, sentence, description, key) in [
        (deep("(", ")", 65), "y".to_owned(), "d".to_owned(), "claims[0].measured"),
        (format!("1 + {}", deep("([", "])", 33)), "y".to_owned(), "d".to_owned(), "claims[0].measured"),
        ("1".to_owned(), format!("{{{{ {} }}}}", deep("(", ")", 65)), "d".to_owned(), "conclusions[0].supported"),
        ("1".to_owned(), "y".to_owned(), format!("{{% if {} %}}x{{% endif %}}", deep("(", ")", 65)), "description"),
    ] {
        let why = refused(&measured, &sentence, &description).unwrap();
        assert!(why.contains(key) && why.contains("has brackets more than 64 deep: split it"), "{why}");
    }
}

/// A study whose last line is a conclusion with its keys in braces.
fn with_conclusion(keys: &str) -> String {
    format!("title: T\nmodels: {{}}\nruns: {{}}\nconclusions:\n  - {{better: a, {keys}}}\n")
}

#[test]
fn a_text_inside_braces_that_needs_quotation_marks_is_named() {
    for text in ["Так, бо градієнти не згасають.", "a, b, c", "Див., https://x.org", "Так, (бо)"]
    {
        let message = error(&with_conclusion(&format!("why: {text}")));
        assert!(message.starts_with("s.yaml:5: conclusions[0].why: the text ends at a comma, and `"), "{message}");
        assert!(message.ends_with("a text with a comma must be in quotes: why: \"…\""), "{message}");
    }
    let both = "a comma between two keys is missing, or a text with a comma, a colon or # must be in quotes";
    let message = error(&with_conclusion("why: Так, бо так є: ні"));
    assert_eq!(message, format!("s.yaml:5: conclusions[0].бо так є: unknown key `бо так є`; {both}"));
    let message = error(&with_conclusion("why: Так, titel"));
    assert!(message.ends_with("conclusions[0].titel: unknown key `titel`; did you mean `title`?"), "{message}");
    for text in ["Так: бо так", "[[1]](#reference-1)", "\"Так\" чи ні", "Так {{ x }}", "@ні", "Так #3 ні"]
    {
        let message = error(&with_conclusion(&format!("why: {text}")));
        let expected = format!("s.yaml:5: is not valid YAML: {}", super::super::unquoted::IN_BRACES);
        assert_eq!(message, expected, "{text}");
    }
    for (text, mark, inside) in [
        ("'п'ять'", "'", "''"),
        ("\"Мережа \"А\", яка: вчиться\"", "\"", "\\\""),
        ("{uk: \"Мережа \"А\" {{ x }}\", en: A}", "\"", "\\\""),
        ("{uk: Так, en: \"The network \"A\"\"}", "\"", "\\\""),
    ] {
        let message = error(&with_conclusion(&format!("why: {text}")));
        let expected = format!(
            "s.yaml:5: is not valid YAML: text follows the closing {mark}, which ends the text there: put the whole text in \
             quotes, with {inside} for a quotation mark inside"
        );
        assert_eq!(message, expected, "{text}");
    }
    for yaml in ["title: {uk: \"Так\", en: \"Yes}\n", "title: {uk: \"Так\", en: \"Yes}\nauthor: \"A\"\ncity: \"B\"\n"]
    {
        let message = error(yaml);
        assert!(message.contains("s.yaml:1: is not valid YAML: a text opened with \" is not closed"), "{message}");
    }
    // Others have nothing to do with a text.
    let message = error(&with_conclusion("why: Так, banana: 1"));
    assert!(message.starts_with("s.yaml:5: conclusions[0].banana: unknown key `banana`; the keys here"), "{message}");
    let message = error("title: T\nbanana:\n");
    assert!(message.starts_with("s.yaml:2: banana: unknown key `banana`; the keys here"), "{message}");
    let message = error("title: T\nconclusions:\n  - {better: a, why: Так\n");
    assert!(message.contains("the `{` of this line is not closed, or a comma is missing"), "{message}");
}

#[test]
fn indentation_and_places_of_keys_are_explained() {
    let deeper = "the lines of a text after `|` must be indented deeper than its key";
    let indented = "s.yaml:3: is not valid YAML: this line is indented deeper than line 2, which has a value already: indent \
                    both alike, or put a text of several lines in quotes";
    let starts = "a text that starts with , must be in quotes";
    let follows = "text follows the closing \", which ends the text there: put the whole text in quotes, with \\\" for a \
                   quotation mark inside";
    for (yaml, expected) in [
        ("train: {images: all}\ntitle: T\n", "s.yaml:1: train: `train` belongs in `defaults` or in a run"),
        ("title: T\ndescription:\n  uk: |\n  Текст\nruns: {}\n", &format!("s.yaml:4: is not valid YAML: {deeper}")),
        ("title: T\ndescription:\n  en: |\n  Текст: a\n", &format!("`en` and `uk`; {deeper}")),
        ("title: T\ndescription: |\nТекст: a\n", &format!("s.yaml:2: description: is empty: {deeper}")),
        ("conclusions:\n  - id: a\n     question: \"a: b\"\n", indented),
        (
            "models:\n  a:\n     title: A\n    layers: []\n",
            "s.yaml:4: is not valid YAML: this line is indented by 4 spaces, those above it by 5 (line 3), 2 (line 2), 0 (line \
             1): indent the keys of one map, or the items of one list, alike",
        ),
        (
            "sections:\n   - title: S\n    text: a\n",
            "s.yaml:3: is not valid YAML: this line is indented by 4 spaces, those above it by 5 (line 2), 0 (line 1): ",
        ),
        (
            "layers:\n  - relu\n - flatten\n",
            "s.yaml:3: is not valid YAML: this line is indented by 1 space, those above it by 2 (line 2): ",
        ),
        (
            "runs:\n  a:\n   model: m\n    train: {images: {first: 9}}\n",
            "s.yaml:4: is not valid YAML: this line is indented deeper than line 3, which has a value already: ",
        ),
        (
            "title: A: b\ndate: c\n",
            "s.yaml:1: is not valid YAML: a text that has a colon and a space must be in quotes, such as",
        ),
        ("title: T\nreferences:\n  - LeCun: ,x\n", starts),
        (
            "runs:\n  a: {title: Менша, але швидша, model: m}\n",
            "s.yaml:2: runs.a.title: the text ends at a comma, and `але швидша`",
        ),
        ("runs:\n  a:\n    model: m\n    сід:\n", "s.yaml:4: runs.a.сід: unknown key `сід`"),
        ("title: T\nreferences:\n  - LeCun: \"G\", 1998\n", follows),
    ] {
        let message = error(yaml);
        assert!(message.contains(expected), "{message}");
    }
}
