//! A macro for the study's "one of these" values: `relu`, or `conv2d: {...}`.
//!
//! serde's own externally tagged enums would need YAML tags (`!conv2d`).

use serde::{Deserialize, Serialize};

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
            /// The word that the study uses for it.
            pub fn key(&self) -> &'static str {
                match self { $(Self::$Variant(_) => $key,)+ }
            }
        }

        impl<'de> serde::Deserialize<'de> for $Name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                use serde::de::{Error, MapAccess, Visitor, value::MapDeserializer};
                struct OneOf;
                const KEYS: &[&str] = &[$($key),+];
                impl<'de> Visitor<'de> for OneOf {
                    type Value = $Name;
                    fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
                        write!(f, "{}: one of {}", $what, KEYS.join(", "))
                    }
                    fn visit_str<E: Error>(self, word: &str) -> Result<$Name, E> {
                        match word {
                            $($key => {
                                let empty = MapDeserializer::new(std::iter::empty::<(&str, &str)>());
                                serde::Deserialize::deserialize(empty)
                                    .map($Name::$Variant)
                                    .map_err(|e: E| E::custom(format!("`{}` needs a value: {e}", $key)))
                            })+
                            other => Err(E::unknown_variant(other, KEYS)),
                        }
                    }
                    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<$Name, A::Error> {
                        let Some(key) = map.next_key::<String>()? else {
                            return Err(A::Error::custom(format!("{} expected, found an empty map", $what)));
                        };
                        let value = match key.as_str() {
                            $($key => $Name::$Variant(map.next_value()?),)+
                            other => return Err(A::Error::unknown_variant(other, KEYS)),
                        };
                        match map.next_key::<String>()? {
                            None => Ok(value),
                            Some(second) => Err(A::Error::custom(format!(
                                "{} expected, found two: `{key}` and `{second}`", $what))),
                        }
                    }
                }
                deserializer.deserialize_any(OneOf)
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

/// No configuration.
#[derive(Clone, Debug, Default, Deserialize, Serialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}
