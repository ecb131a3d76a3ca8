//! Finds where a study's texts and expressions name a run, a comparison or a model.

use serde_yaml::Value;

/// Whether a value holds a text with some property.
pub(super) fn in_texts(value: &Value, is: &dyn Fn(&str) -> bool) -> bool {
    match value {
        Value::String(text) => is(text),
        Value::Sequence(items) => items.iter().any(|item| in_texts(item, is)),
        Value::Mapping(map) => map.values().any(|item| in_texts(item, is)),
        _ => false,
    }
}

/// Keeps the paragraphs of a text, in each language, that are not `gone`; none of one with `{% %}`, which may reach over several.
pub(super) fn keep_paragraphs(value: &mut Value, gone: &dyn Fn(&str) -> bool) {
    match value {
        Value::String(text) if gone(text) => {
            let kept = text.split("\n\n").filter(|paragraph| !gone(paragraph)).collect::<Vec<_>>().join("\n\n");
            *text = if text.contains("{%") { String::new() } else { kept };
        }
        Value::Mapping(map) => map.values_mut().for_each(|text| keep_paragraphs(text, gone)),
        _ => {}
    }
}

/// Whether an expression names a run, a comparison or a model: `runs.slim`, `runs["slim-bn"]`.
pub(super) fn names(text: &str, group: &str, name: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let ends_with_group = |before: &str| {
        let rest = before.trim_end().strip_suffix(group);
        rest.is_some_and(|rest| !rest.ends_with(|c| is_word(c) || c == '.'))
    };
    text.match_indices(name).any(|(at, _)| {
        let (before, after) = (text[..at].trim_end(), &text[at + name.len()..]);
        if let Some(before) = before.strip_suffix('.') {
            return ends_with_group(before) && !after.starts_with(is_word);
        }
        let quoted = ['"', '\''].into_iter().find(|mark| before.ends_with(*mark) && after.starts_with(*mark));
        let bracket = quoted.and_then(|mark| before.strip_suffix(mark)?.trim_end().strip_suffix('['));
        bracket.is_some_and(ends_with_group)
    })
}

#[cfg(test)]
mod tests {
    use super::names;

    #[test]
    fn names_are_found_in_expressions() {
        for text in
            ["runs.a.accuracy > 1", "x + runs.a", "runs[\"a\"].loss", "runs[ 'a' ]", "{{ runs.a-b }}", "runs . a"]
        {
            assert!(names(text, "runs", "a"), "{text}");
        }
        for text in
            ["runs.ab", "runs.b.a", "xruns.a", "models.a", "the runs a", "runs['ab']", "runs[\"a-b\"]", "values.runs.a"]
        {
            assert!(!names(text, "runs", "a"), "{text}");
        }
        assert!(names("runs['a-b'].loss", "runs", "a-b"));
    }
}
