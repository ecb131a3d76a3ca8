//! Bounds what a YAML file becomes when its aliases are replaced by what they stand for: five kilobytes of nested aliases can
//! stand for billions of values.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser};
use serde::de::IgnoredAny;

/// Values of a study with all aliases replaced. The largest study in the repository has about 5,000.
pub(super) const MAX_NODES: u64 = 1_000_000;
/// Bytes of their texts.
pub(super) const MAX_BYTES: u64 = 16 << 20;

/// The size of a value with everything in it, aliases replaced.
#[derive(Clone, Copy, Default)]
struct Size {
    nodes: u64,
    bytes: u64,
}

impl Size {
    fn of(text: &str) -> Self {
        Self { nodes: 1, bytes: text.len() as u64 }
    }

    fn add(&mut self, other: Self) {
        self.nodes = self.nodes.saturating_add(other.nodes);
        self.bytes = self.bytes.saturating_add(other.bytes);
    }
}

/// Refuses a YAML text that is too large with all aliases replaced. Fails with the reason, which starts with a verb.
pub(super) fn check_expansion(yaml: &str) -> Result<(), String> {
    // Without aliases, the text is as large as what it becomes. Most studies have none.
    if !yaml.contains('*') {
        return Ok(());
    }
    // The innermost open list or map comes last, each with its anchor.
    let mut open = vec![(0, Size::default())];
    let mut anchors: HashMap<usize, Size> = HashMap::new();
    for event in Parser::new_from_str(yaml) {
        let event = match event {
            Ok((event, _)) => event,
            Err(e) => return read_elsewhere(yaml, e.marker().line()),
        };
        let (anchor, size) = match event {
            Event::Alias(anchor) => (0, anchors.get(&anchor).copied().unwrap_or_default()),
            Event::Scalar(text, _, anchor, _) => (anchor, Size::of(&text)),
            Event::SequenceStart(anchor, _) | Event::MappingStart(anchor, _) => {
                open.push((anchor, Size::of("")));
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd if open.len() > 1 => open.pop().unwrap_or_default(),
            _ => continue,
        };
        if anchor != 0 {
            anchors.insert(anchor, size);
        }
        if let Some((_, outer)) = open.last_mut() {
            outer.add(size);
            if outer.nodes > MAX_NODES || outer.bytes > MAX_BYTES {
                return Err(too_large());
            }
        }
    }
    Ok(())
}

/// Whether the reader that follows refuses the text as well, and says what is wrong. If it does not, it reads more than was counted
/// here. Its own limit on repetition bounds the time that this takes.
fn read_elsewhere(yaml: &str, line: usize) -> Result<(), String> {
    if serde_yaml::from_str::<IgnoredAny>(yaml).is_err() {
        return Ok(());
    }
    Err(format!(
        "parsers of YAML read line {line} in different ways, and it has aliases (`*name`): write that line in another way"
    ))
}

/// The message for a study that is too large when aliases and `defaults` are filled in.
pub(super) fn too_large() -> String {
    format!(
        "becomes more than {MAX_NODES} values or {} MiB with its aliases and `defaults` filled in: not a study",
        MAX_BYTES >> 20
    )
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    /// Each list has ten aliases of the one before.
    fn nested(levels: usize, first: &str) -> String {
        let mut yaml = format!("a0: &a0 {first}\n");
        for i in 1..=levels {
            let aliases = vec![format!("*a{}", i - 1); 10].join(", ");
            writeln!(yaml, "a{i}: &a{i} [{aliases}]").unwrap();
        }
        yaml
    }

    #[test]
    fn nested_aliases_are_counted_as_what_they_stand_for() {
        assert_eq!(check_expansion(&nested(4, "[x]")), Ok(()));
        assert!(check_expansion(&nested(6, "[x]")).is_err());
        assert!(check_expansion(&nested(60, "x")).is_err(), "without overflow");
        assert_eq!(check_expansion(&nested(2, &"x".repeat(1000))), Ok(()));
        assert!(check_expansion(&nested(4, &"x".repeat(10_000))).is_err());
        for before in ["x: [1,\t2]\ntitle:\tx\n", "x: \"a\nb\"\n", "x: \"a\"#c\n"] {
            let told = check_expansion(&format!("{before}{}", nested(60, "x")));
            assert!(told.is_err(), "{before}: {told:?}");
        }
        assert_eq!(check_expansion("a: [*b\n"), Ok(()), "the reader says what is wrong");
        let map = "a: &a {k: [1, 2]}\nb: {<<: *a, c: *a}\n\"2 * 3\": '*'\n";
        assert_eq!(check_expansion(map), Ok(()));
    }
}
