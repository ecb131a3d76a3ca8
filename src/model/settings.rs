//! Settings that PyTorch takes in more than one form.

use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Unexpected, Visitor};

/// The size of a square, in pixels: a number, or a list of equal numbers for height and width.
#[derive(Clone, Copy)]
pub(super) struct Side(pub(super) usize);

/// For `deserialize_with`: reads a size like [`Side`].
pub(super) fn side<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    Side::deserialize(deserializer).map(|side| side.0)
}

/// Like [`side`], for an optional setting.
pub(super) fn optional_side<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<usize>, D::Error> {
    Option::<Side>::deserialize(deserializer).map(|side| side.map(|side| side.0))
}

impl<'de> Deserialize<'de> for Side {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SideVisitor).map(Self)
    }
}

impl JsonSchema for Side {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Side".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"anyOf": [
            {"type": "integer", "minimum": 0},
            {"type": "array", "items": {"type": "integer", "minimum": 0}, "minItems": 1, "maxItems": 2},
        ]})
    }
}

struct SideVisitor;

impl<'de> Visitor<'de> for SideVisitor {
    type Value = usize;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a whole number, 0 or more")
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<usize, E> {
        usize::try_from(value).map_err(|_| E::invalid_value(Unexpected::Unsigned(value), &self))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<usize, E> {
        usize::try_from(value).map_err(|_| E::invalid_value(Unexpected::Signed(value), &self))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<usize, A::Error> {
        let mut sides = Vec::new();
        while let Some(side) = seq.next_element::<usize>()? {
            sides.push(side);
        }
        match sides[..] {
            [side] => Ok(side),
            [height, width] if height == width => Ok(height),
            [_, _] => Err(A::Error::custom(format!("{sides:?}: only squares are supported: write one number"))),
            _ => Err(A::Error::custom(format!("{} numbers: write one", sides.len()))),
        }
    }
}

/// A convolution's padding: a size, or PyTorch's word for one.
#[derive(Clone, Copy)]
pub(super) enum Padding {
    Pixels(usize),
    /// The padding that keeps height and width.
    Same,
}

impl Default for Padding {
    fn default() -> Self {
        Self::Pixels(0)
    }
}

impl Padding {
    /// The padding in pixels.
    ///
    /// # Errors
    /// `same` with a stride, as in PyTorch, or with an even kernel, which would need more pixels on one side.
    pub(super) fn pixels(self, kernel_size: usize, stride: usize) -> Result<usize, String> {
        match self {
            Self::Pixels(pixels) => Ok(pixels),
            Self::Same if stride != 1 => Err(format!("padding `same` needs stride 1, not {stride}")),
            Self::Same if kernel_size.is_multiple_of(2) => Err(format!(
                "padding `same` needs an odd kernel_size, not {kernel_size}: write the padding as a number"
            )),
            Self::Same => Ok(kernel_size / 2),
        }
    }
}

impl<'de> Deserialize<'de> for Padding {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PaddingVisitor)
    }
}

impl JsonSchema for Padding {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Padding".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({"anyOf": [generator.subschema_for::<Side>(), {"enum": ["valid", "same"]}]})
    }
}

struct PaddingVisitor;

impl<'de> Visitor<'de> for PaddingVisitor {
    type Value = Padding;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a whole number, 0 or more, `same` or `valid`")
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Padding, E> {
        SideVisitor.visit_u64(value).map(Padding::Pixels)
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Padding, E> {
        SideVisitor.visit_i64(value).map(Padding::Pixels)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Padding, A::Error> {
        SideVisitor.visit_seq(seq).map(Padding::Pixels)
    }

    fn visit_str<E: Error>(self, word: &str) -> Result<Padding, E> {
        match word {
            "same" => Ok(Padding::Same),
            "valid" => Ok(Padding::Pixels(0)),
            other if other.starts_with(|c: char| c.is_ascii_digit()) => {
                Err(E::invalid_type(Unexpected::Str(other), &self))
            }
            other => Err(E::unknown_variant(other, &["same", "valid"])),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::model::{Conv2d, MaxPool2d};

    fn conv(settings: &str) -> Result<Conv2d, String> {
        serde_yaml::from_str(&format!("{{out_channels: 4, {settings}}}")).map_err(|e| e.to_string())
    }

    #[test]
    fn equal_pairs_and_words_for_paddings_are_what_pytorch_makes_of_them() {
        for (settings, same_as) in [
            ("kernel_size: [3, 3], stride: [2, 2], padding: [1, 1]", "kernel_size: 3, stride: 2, padding: 1"),
            ("kernel_size: [3]", "kernel_size: 3"),
            ("kernel_size: 5, padding: same", "kernel_size: 5, padding: 2"),
            ("kernel_size: [3, 3], padding: valid", "kernel_size: 3"),
            ("kernel_size: 1, padding: same", "kernel_size: 1"),
        ] {
            assert_eq!(conv(settings), conv(same_as), "{settings}");
            assert!(conv(settings).is_ok(), "{settings}");
        }
        let pool = |text: &str| serde_yaml::from_str::<MaxPool2d>(text).map_err(|e| e.to_string());
        assert_eq!(
            pool("{kernel_size: [2, 2], stride: [2, 2]}").unwrap(),
            pool("{kernel_size: 2, stride: 2}").unwrap()
        );
        assert_eq!(pool("{kernel_size: 2, stride: null}").unwrap(), pool("{kernel_size: 2}").unwrap());
        assert!(pool("{kernel_size: 2, padding: same}").is_err(), "PyTorch's pools take no word");
    }

    #[test]
    fn what_pytorch_refuses_or_is_not_square_is_refused() {
        for (settings, expected) in [
            ("kernel_size: [3, 5]", "[3, 5]: only squares are supported: write one number"),
            ("kernel_size: []", "0 numbers: write one"),
            ("kernel_size: [3, 3, 3]", "3 numbers: write one"),
            ("kernel_size: 3, stride: 2, padding: same", "padding `same` needs stride 1, not 2"),
            ("kernel_size: 4, padding: same", "padding `same` needs an odd kernel_size, not 4"),
            ("kernel_size: 3, padding: full", "unknown variant `full`, expected `same` or `valid`"),
            ("kernel_size: -3", "invalid value: integer `-3`, expected a whole number, 0 or more"),
            ("kernel_size: 2.5", "floating point `2.5`, expected a whole number, 0 or more"),
            ("kernel_size: 3, padding: [-1, -1]", "integer `-1`, expected"),
        ] {
            let message = conv(settings).expect_err(settings);
            assert!(message.contains(expected), "{settings}: {message}");
        }
    }
}
