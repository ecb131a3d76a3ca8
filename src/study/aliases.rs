//! Bounds what a YAML file becomes when its aliases are replaced by what they stand for: five kilobytes of nested aliases can
//! stand for billions of values.

use std::collections::HashMap;
use std::fmt;

use saphyr_parser::{Event, Parser};
use serde::Deserializer;
use serde::de::{DeserializeSeed, EnumAccess, Error, MapAccess, SeqAccess, VariantAccess, Visitor};

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

    fn is_too_large(self) -> bool {
        self.nodes > MAX_NODES || self.bytes > MAX_BYTES
    }
}

/// Refuses a YAML text that is too large with all aliases replaced. Fails with the reason, which starts with a verb.
pub(super) fn check_expansion(yaml: &str) -> Result<(), String> {
    // Without aliases, the text is as large as what it becomes. Most studies have none.
    if !yaml.contains('*') {
        return Ok(());
    }
    // Both parsers read the text afterwards, and do not always agree on what an alias is: `[&a:b x]` names `a` for one of them
    // and `a:b` for the other.
    if is_large_to_saphyr(yaml) || is_large_to_serde_yaml(yaml) { Err(too_large()) } else { Ok(()) }
}

/// Whether saphyr, which finds the lines of keys, reads more than the limits allow before the text ends or a mistake.
fn is_large_to_saphyr(yaml: &str) -> bool {
    // The innermost open list or map comes last, each with its anchor.
    let mut open = vec![(0, Size::default())];
    let mut anchors: HashMap<usize, Size> = HashMap::new();
    for event in Parser::new_from_str(yaml) {
        let Ok((event, _)) = event else { return false };
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
            if outer.is_too_large() {
                return true;
            }
        }
    }
    false
}

/// Whether serde_yaml, which gives the values, reads more than the limits allow. Nothing that it reads is kept.
fn is_large_to_serde_yaml(yaml: &str) -> bool {
    // A number comes without its text, which has neither spaces nor the marks of lists and maps.
    let is_between = |c: char| c.is_whitespace() || ",[]{}".contains(c);
    let longest = yaml.split(is_between).map(str::len).max().unwrap_or(0);
    let mut counted = Counted { size: Size::default(), longest: longest as u64 };
    // Of a mistake, the reader that follows says what is wrong; so it does of more aliases than its own limit.
    let _ = counted.deserialize(serde_yaml::Deserializer::from_str(yaml));
    counted.size.is_too_large()
}

/// Counts values while serde_yaml reads them, and stops it at the limits.
struct Counted {
    size: Size,
    /// The most bytes of a value that is not a text.
    longest: u64,
}

impl Counted {
    fn add<E: Error>(&mut self, bytes: u64) -> Result<(), E> {
        self.size.add(Size { nodes: 1, bytes });
        if self.size.is_too_large() { Err(E::custom("too large")) } else { Ok(()) }
    }
}

impl<'de> DeserializeSeed<'de> for &mut Counted {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for &mut Counted {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.add(0)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        self.add(self.longest)
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        self.add(self.longest)
    }

    fn visit_i128<E: Error>(self, _: i128) -> Result<(), E> {
        self.add(self.longest)
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<(), E> {
        self.add(self.longest)
    }

    fn visit_u128<E: Error>(self, _: u128) -> Result<(), E> {
        self.add(self.longest)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        self.add(self.longest)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        self.add(text.len() as u64)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        self.add(0)?;
        while items.next_element_seed(&mut *self)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        self.add(0)?;
        while entries.next_key_seed(&mut *self)?.is_some() {
            entries.next_value_seed(&mut *self)?;
        }
        Ok(())
    }

    // A value with a tag.
    fn visit_enum<A: EnumAccess<'de>>(self, tagged: A) -> Result<(), A::Error> {
        let ((), value) = tagged.variant_seed(&mut *self)?;
        value.newtype_variant_seed(self)
    }
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

    use serde_yaml::Value;

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
            let yaml = format!("{before}{}", nested(60, "x"));
            let is_refused = check_expansion(&yaml).is_err() || serde_yaml::from_str::<Value>(&yaml).is_err();
            assert!(is_refused, "{before}");
        }
        // What is an alias to one of the parsers is another one, or text, to the other.
        for large in
            [format!("\"{}\"", "x".repeat(1 << 20)), "1".repeat(1 << 20), format!("[{}]", "x, ".repeat(20_000))]
        {
            for name in [":y", "?y", "%y", "@y", "`y"] {
                let aliases = vec![format!("*a{name}"); 100].join(", ");
                let yaml = format!("s: [&a{name} small]\nb: &a {large}\nl: [{aliases}]\n");
                assert!(check_expansion(&yaml).is_err() || serde_yaml::from_str::<Value>(&yaml).is_err(), "{name}");
            }
        }
        assert_eq!(check_expansion("a: [*b\n"), Ok(()), "the reader says what is wrong");
        let numbers = (1000..3000).map(|n| n.to_string()).collect::<Vec<_>>().join(",");
        assert_eq!(check_expansion(&format!("values: {{measured: [{numbers}]}}\ndescription: 5*5 weights\n")), Ok(()));
        let map = "a: &a {k: [1, 2]}\nb: {<<: *a, c: *a}\n\"2 * 3\": '*'\n";
        assert_eq!(check_expansion(map), Ok(()));
    }
}
