//! A macro for the study's "one of these" values: `relu`, or `conv2d: {...}`.
//!
//! serde's own externally tagged enums would need YAML tags (`!conv2d`).

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Defines an enum that YAML writes as a word (`relu`) or as a map of one key (`conv2d: {...}`).
/// A bare word stands for the key with an empty configuration. With `as dyn Trait`, which every configuration has to
/// implement, `config()` gives the configuration of any variant.
macro_rules! one_of {
    ($(#[$meta:meta])* pub enum $Name:ident ($what:literal) as dyn $Trait:ident { $($body:tt)+ }) => {
        one_of! { $(#[$meta])* pub enum $Name ($what) { $($body)+ } }
        one_of! { @config $Name $Trait { $($body)+ } }
    };
    (@config $Name:ident $Trait:ident { $($(#[$vmeta:meta])* $key:literal => $Variant:ident($Config:ty),)+ }) => {
        impl $Name {
            /// The configuration, whichever variant it is of.
            pub fn config(&self) -> &dyn $Trait {
                match self { $(Self::$Variant(config) => config,)+ }
            }
        }
    };
    ($(#[$meta:meta])* pub enum $Name:ident ($what:literal) {
        $($(#[$vmeta:meta])* $key:literal => $Variant:ident($Config:ty),)+
    }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq)]
        pub enum $Name { $(#[doc = concat!("`", $key, "`.")] $(#[$vmeta])* $Variant($Config),)+ }

        impl $Name {
            /// The words that a study can use.
            pub const WORDS: &'static [&'static str] = &[$($key),+];

            /// The word that the study uses for it.
            pub fn key(&self) -> &'static str {
                match self { $(Self::$Variant(_) => $key,)+ }
            }
        }

        impl<'de> serde::Deserialize<'de> for $Name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                use serde::de::{Error, MapAccess, Visitor, value::MapDeserializer};
                struct OneOf;
                impl<'de> Visitor<'de> for OneOf {
                    type Value = $Name;
                    fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
                        write!(f, "{}: one of {}", $what, $Name::WORDS.join(", "))
                    }
                    fn visit_str<E: Error>(self, word: &str) -> Result<$Name, E> {
                        match word {
                            $($key => {
                                let empty = MapDeserializer::new(std::iter::empty::<(&str, &str)>());
                                serde::Deserialize::deserialize(empty)
                                    .map($Name::$Variant)
                                    .map_err(|e: E| E::custom(format!("`{}` needs a value: {e}", $key)))
                            })+
                            other => Err(E::unknown_variant(other, $Name::WORDS)),
                        }
                    }
                    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<$Name, A::Error> {
                        let Some(key) = map.next_key::<String>()? else {
                            return Err(A::Error::custom(format!("expected {}, found an empty map", $what)));
                        };
                        let value = match key.as_str() {
                            $($key => $Name::$Variant(map.next_value()?),)+
                            other => return Err(A::Error::unknown_variant(other, $Name::WORDS)),
                        };
                        match map.next_key::<String>()? {
                            None => Ok(value),
                            Some(second) => {
                                // A word that is none of these is probably a setting.
                                let is_word = $Name::WORDS.contains(&second.as_str());
                                let form = format!("; write {{{key}: {{{second}: ...}}}}");
                                Err(A::Error::custom(format!(
                                    "expected {}, found two: `{key}` and `{second}`{}", $what, if is_word { "" } else { &form })))
                            }
                        }
                    }
                }
                deserializer.deserialize_any(OneOf)
            }
        }

        impl schemars::JsonSchema for $Name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($Name).into()
            }

            fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
                let nothing = || serde::de::value::MapDeserializer::<_, serde::de::value::Error>::new(
                    std::iter::empty::<(&str, &str)>());
                let words: Vec<&str> = [
                    $(<$Config as serde::Deserialize>::deserialize(nothing()).is_ok().then_some($key),)+
                ].into_iter().flatten().collect();
                let mut forms = Vec::new();
                if !words.is_empty() {
                    forms.push(serde_json::json!({"enum": words}));
                }
                $(forms.push($crate::one_of::form($key, generator.subschema_for::<$Config>()));)+
                schemars::json_schema!({"anyOf": forms})
            }
        }

        impl serde::Serialize for $Name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                use serde::ser::SerializeMap;
                let mut map = serializer.serialize_map(Some(1))?;
                match self { $(Self::$Variant(config) => map.serialize_entry($key, config)?,)+ }
                map.end()
            }
        }
    };
}
pub(crate) use one_of;

/// The JSON Schema of a map of one key.
pub(crate) fn form(key: &str, value: schemars::Schema) -> Value {
    let properties = Value::Object(Map::from_iter([(key.to_owned(), value.to_value())]));
    serde_json::json!({"type": "object", "properties": properties, "required": [key], "additionalProperties": false})
}

/// No configuration.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

/// The settings of a value of `one_of!` that a report has to print, in the order of its type: those that have no default, and
/// those that are not the default. They are found by reading the value again without each setting, so a new key of a
/// configuration is among them without a line of its own.
pub fn settings<T>(value: &T) -> Vec<(String, Value)>
where
    T: DeserializeOwned + PartialEq + Serialize,
{
    let Ok(Value::Object(written)) = serde_json::to_value(value) else { return Vec::new() };
    let Some((word, Value::Object(all))) = written.into_iter().next() else { return Vec::new() };
    let is_default = |key: &String| {
        let rest: Map<String, Value> =
            all.iter().filter(|(k, _)| *k != key).map(|(k, v)| (k.clone(), v.clone())).collect();
        let without = Value::Object(Map::from_iter([(word.clone(), Value::Object(rest))]));
        serde_json::from_value::<T>(without).is_ok_and(|read| read == *value)
    };
    let printed = all.iter().filter(|(key, setting)| !setting.is_null() && !is_default(key));
    printed.map(|(key, setting)| (key.clone(), setting.clone())).collect()
}

/// What tests of rules about all settings share.
#[cfg(test)]
pub(crate) mod variants {
    use super::{DeserializeOwned, Map, Serialize, Value};

    /// For a word, a configuration and, for each of its keys, the same configuration with that key changed: (key, changed).
    /// Required keys are numbers.
    pub(crate) fn of<T: DeserializeOwned + Serialize>(word: &str) -> (T, Vec<(String, T)>) {
        let base = base::<T>(word, Map::new());
        let written = serde_json::to_value(&base).unwrap();
        let all = written[word].as_object().unwrap().clone();
        let changed = all.iter().map(|(key, value)| {
            let mut other = all.clone();
            other.insert(key.clone(), changed(key, value));
            let read = serde_json::from_value(Value::Object(Map::from_iter([(word.to_owned(), Value::Object(other))])));
            (key.clone(), read.unwrap_or_else(|e| panic!("{word}.{key}: {e}")))
        });
        (base, changed.collect())
    }

    /// The configuration with the fewest keys.
    fn base<T: DeserializeOwned>(word: &str, mut keys: Map<String, Value>) -> T {
        let written = Value::Object(Map::from_iter([(word.to_owned(), Value::Object(keys.clone()))]));
        match serde_json::from_value(written) {
            Ok(read) => read,
            Err(e) => {
                let message = e.to_string();
                let key = message.strip_prefix("missing field `").and_then(|rest| rest.split_once('`'));
                let (key, _) = key.unwrap_or_else(|| panic!("{word}: {message}"));
                assert!(keys.insert(key.to_owned(), 2.into()).is_none(), "{word}: {message}");
                base(word, keys)
            }
        }
    }

    /// Another value for a setting.
    fn changed(key: &str, value: &Value) -> Value {
        match value {
            Value::Bool(on) => (!on).into(),
            Value::Null if key == "name" => "named".into(),
            Value::Null => 3.into(),
            // The schedule after a warm-up.
            Value::Object(_) if key == "then" => serde_json::json!({"cosine": {}}),
            Value::Array(items) => items.iter().map(|item| changed(key, item)).collect(),
            Value::Number(n) if n.is_f64() => (n.as_f64().unwrap() / 2.0 + 0.031_25).into(),
            Value::Number(n) => (n.as_u64().unwrap() + 1).into(),
            other => panic!("{key}: {other}"),
        }
    }
}

#[cfg(test)]
#[allow(unreachable_pub, reason = "the macro writes `pub`")]
mod tests {
    use serde_json::json;

    use super::*;

    #[derive(Clone, Debug, Deserialize, JsonSchema, Serialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    pub struct Circle {
        radius: usize,
        #[serde(default)]
        width: f64,
        colour: Option<String>,
    }

    one_of! {
        /// A shape.
        pub enum Shape ("a shape") {
            "point" => Point(Nothing),
            "circle" => Circle(Circle),
            "regular" => Regular(usize),
        }
    }

    #[test]
    fn settings_are_those_without_a_default_or_with_another_value() {
        for (written, expected) in [
            (json!("point"), json!({})),
            (json!({"regular": 3}), json!({})),
            (json!({"circle": {"radius": 1}}), json!({"radius": 1})),
            (json!({"circle": {"width": 0.0, "radius": 1}}), json!({"radius": 1})),
            (
                json!({"circle": {"colour": "red", "radius": 0, "width": 1e-9}}),
                json!({"radius": 0, "width": 1e-9, "colour": "red"}),
            ),
        ] {
            let shape: Shape = serde_json::from_value(written.clone()).unwrap();
            assert!(Shape::WORDS.contains(&shape.key()));
            let found = Value::Object(settings(&shape).into_iter().collect());
            assert_eq!(found.to_string(), expected.to_string(), "{written}");
        }
    }
}
