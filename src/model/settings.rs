//! Settings that PyTorch takes in more than one form.

use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Unexpected, Visitor};
use serde::{Serialize, Serializer};

/// A size along height and width, in pixels. A study writes one number for both, or a list `[height, width]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "self-evident")]
pub struct Pair {
    pub height: usize,
    pub width: usize,
}

impl Pair {
    /// The same size along height and width.
    pub const fn square(side: usize) -> Self {
        Self { height: side, width: side }
    }

    /// Height and width.
    pub const fn sides(self) -> [usize; 2] {
        [self.height, self.width]
    }

    /// As an argument of a call in PyTorch: `3` or `(3, 5)`.
    pub(super) fn pytorch(self) -> String {
        let Self { height, width } = self;
        if height == width { height.to_string() } else { format!("({height}, {width})") }
    }
}

impl fmt::Display for Pair {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Self { height, width } = self;
        if height == width { write!(f, "{height}") } else { write!(f, "[{height}, {width}]") }
    }
}

impl Serialize for Pair {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { height, width } = self;
        if height == width { height.serialize(serializer) } else { self.sides().serialize(serializer) }
    }
}

impl<'de> Deserialize<'de> for Pair {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PairVisitor)
    }
}

impl JsonSchema for Pair {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Pair".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"anyOf": [
            {"type": "integer", "minimum": 0},
            {"type": "array", "items": {"type": "integer", "minimum": 0}, "minItems": 1, "maxItems": 2},
        ]})
    }
}

struct PairVisitor;

impl<'de> Visitor<'de> for PairVisitor {
    type Value = Pair;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a whole number, 0 or more")
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Pair, E> {
        usize::try_from(value).map(Pair::square).map_err(|_| E::invalid_value(Unexpected::Unsigned(value), &self))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Pair, E> {
        usize::try_from(value).map(Pair::square).map_err(|_| E::invalid_value(Unexpected::Signed(value), &self))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Pair, A::Error> {
        let mut sides = Vec::new();
        while let Some(side) = seq.next_element::<usize>()? {
            sides.push(side);
        }
        match sides[..] {
            [side] => Ok(Pair::square(side)),
            [height, width] => Ok(Pair { height, width }),
            _ => Err(A::Error::custom(format!("{} numbers: write one, or [height, width]", sides.len()))),
        }
    }
}

/// For `deserialize_with`: reads the size of a square like a [`Pair`].
pub(super) fn side<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    match Pair::deserialize(deserializer)? {
        Pair { height, width } if height == width => Ok(height),
        pair => Err(D::Error::custom(format!("{pair}: only squares are supported here: write one number"))),
    }
}

/// Like [`side`], for an optional setting.
pub(super) fn optional_side<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<usize>, D::Error> {
    struct Side(usize);
    impl<'de> Deserialize<'de> for Side {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            side(deserializer).map(Self)
        }
    }
    Option::<Side>::deserialize(deserializer).map(|side| side.map(|side| side.0))
}

/// A convolution's padding: a size, or PyTorch's word for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Padding {
    /// The same padding on both sides.
    Pixels(Pair),
    /// The padding that keeps height and width.
    Same,
}

impl Default for Padding {
    fn default() -> Self {
        Self::Pixels(Pair::square(0))
    }
}

impl Padding {
    /// `Same` in pixels, if both sides have as many.
    ///
    /// # Errors
    /// `same` with a stride, as in PyTorch.
    pub(super) fn in_pixels(self, kernel_size: Pair, stride: Pair, dilation: Pair) -> Result<Self, String> {
        match self {
            Self::Same if stride != Pair::square(1) => {
                Err(format!("padding `same` needs stride 1, not {stride}: write the padding as a number"))
            }
            Self::Same => {
                let [height, width] = same(kernel_size, dilation);
                let is_even = height.is_multiple_of(2) && width.is_multiple_of(2);
                Ok(if is_even { Self::Pixels(Pair { height: height / 2, width: width / 2 }) } else { Self::Same })
            }
            pixels @ Self::Pixels(_) => Ok(pixels),
        }
    }

    /// Rows above and columns left of the input, then rows below and columns right of it. As in PyTorch, `Same` puts one
    /// more row below and one more column to the right if their number is odd.
    pub(super) fn around(self, kernel_size: Pair, dilation: Pair) -> [[usize; 2]; 2] {
        match self {
            Self::Pixels(pixels) => [pixels.sides(); 2],
            Self::Same => {
                let total = same(kernel_size, dilation);
                [total.map(|n| n / 2), total.map(|n| n - n / 2)]
            }
        }
    }

    /// As an argument of a call in PyTorch.
    pub(super) fn pytorch(self) -> String {
        match self {
            Self::Pixels(pixels) => pixels.pytorch(),
            Self::Same => "'same'".to_owned(),
        }
    }
}

/// Rows and columns of padding that keep height and width with stride 1.
fn same(kernel_size: Pair, dilation: Pair) -> [usize; 2] {
    let total = |kernel: usize, dilation: usize| kernel.saturating_sub(1).saturating_mul(dilation);
    [total(kernel_size.height, dilation.height), total(kernel_size.width, dilation.width)]
}

impl fmt::Display for Padding {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Pixels(pixels) => pixels.fmt(f),
            Self::Same => f.write_str("same"),
        }
    }
}

impl Serialize for Padding {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Pixels(pixels) => pixels.serialize(serializer),
            Self::Same => serializer.serialize_str("same"),
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
        json_schema!({"anyOf": [generator.subschema_for::<Pair>(), {"enum": ["valid", "same"]}]})
    }
}

struct PaddingVisitor;

impl<'de> Visitor<'de> for PaddingVisitor {
    type Value = Padding;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a whole number, 0 or more, `same` or `valid`")
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Padding, E> {
        PairVisitor.visit_u64(value).map(Padding::Pixels)
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Padding, E> {
        PairVisitor.visit_i64(value).map(Padding::Pixels)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Padding, A::Error> {
        PairVisitor.visit_seq(seq).map(Padding::Pixels)
    }

    fn visit_str<E: Error>(self, word: &str) -> Result<Padding, E> {
        match word {
            "same" => Ok(Padding::Same),
            "valid" => Ok(Padding::default()),
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
            ("kernel_size: [3, 5], padding: same", "kernel_size: [3, 5], padding: [1, 2]"),
            ("kernel_size: 3, padding: same, dilation: [2, 1]", "kernel_size: 3, padding: [2, 1], dilation: [2, 1]"),
            ("kernel_size: 2, padding: same, dilation: 2", "kernel_size: 2, padding: 1, dilation: 2"),
            ("kernel_size: [4, 3], padding: same, dilation: [1]", "kernel_size: [4, 3], padding: same"),
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
    fn same_puts_the_odd_pixel_below_and_to_the_right() {
        let around = |settings: &str| conv(settings).map(|conv| conv.padding_around());
        assert_eq!(around("kernel_size: [4, 3], padding: same"), Ok([[1, 1], [2, 1]]));
        assert_eq!(around("kernel_size: 2, padding: same, dilation: [3, 4]"), Ok([[1, 2], [2, 2]]));
        assert_eq!(around("kernel_size: 5, padding: [0, 3]"), Ok([[0, 3]; 2]));
    }

    #[test]
    fn what_pytorch_refuses_is_refused_and_pools_are_square() {
        let pool = serde_yaml::from_str::<MaxPool2d>("{kernel_size: [3, 5]}").unwrap_err().to_string();
        assert!(pool.contains("[3, 5]: only squares are supported here: write one number"), "{pool}");
        for (settings, expected) in [
            ("kernel_size: []", "0 numbers: write one, or [height, width]"),
            ("kernel_size: [3, 3, 3]", "3 numbers: write one, or [height, width]"),
            ("kernel_size: 3, stride: 2, padding: same", "padding `same` needs stride 1, not 2"),
            ("kernel_size: 3, stride: [1, 2], padding: same", "padding `same` needs stride 1, not [1, 2]"),
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
