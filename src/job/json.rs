//! A JSON object's fields, each with its type still to be checked, so that an error can name the field.

use std::collections::{BTreeMap, HashSet};
use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::JobError;

/// The value of one field.
#[derive(Debug)]
pub struct Field<'a>(&'a RawValue);

impl Field<'_> {
    pub fn string(self, field: &'static str) -> Result<String, JobError> {
        let wrong = JobError::Type { field, expected: "a string" };
        if !self.0.get().starts_with('"') {
            return Err(wrong);
        }
        // What is left to fail is an escaped half of a surrogate pair.
        serde_json::from_str(self.0.get()).map_err(|error| JobError::Json(format!("field '{field}': {error}")))
    }

    pub fn number(self, field: &'static str) -> Result<f64, JobError> {
        let wrong = JobError::Type { field, expected: "a number" };
        serde_json::from_str(self.0.get()).map_err(|_| wrong)
    }

    /// The object's text as it stands. No object in it has a key twice.
    pub fn object(self, field: &'static str) -> Result<String, JobError> {
        let text = self.0.get();
        if !text.starts_with('{') {
            return Err(JobError::Type { field, expected: "an object" });
        }
        let mut duplicate = None;
        Unique { duplicate: &mut duplicate }
            .deserialize(&mut serde_json::Deserializer::from_str(text))
            .map_err(|error| JobError::Json(format!("field '{field}': {error}")))?;
        duplicate.map_or(Ok(text.to_owned()), |key| Err(JobError::Duplicate(key)))
    }
}

/// Reads a body that must be one object.
pub fn object(body: &[u8]) -> Result<BTreeMap<String, Field<'_>>, JobError> {
    let value: &RawValue = serde_json::from_slice(body).map_err(|error| JobError::Json(error.to_string()))?;
    if !value.get().starts_with('{') {
        return Err(JobError::NotAnObject);
    }
    let Fields { fields, duplicate } =
        serde_json::from_str(value.get()).map_err(|error| JobError::Json(error.to_string()))?;
    duplicate.map_or(Ok(fields), |key| Err(JobError::Duplicate(key)))
}

struct Fields<'a> {
    fields: BTreeMap<String, Field<'a>>,
    duplicate: Option<String>,
}

impl<'de: 'a, 'a> Deserialize<'de> for Fields<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;
        impl<'de> Visitor<'de> for Collect {
            type Value = Fields<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut found = Fields { fields: BTreeMap::new(), duplicate: None };
                while let Some((key, value)) = map.next_entry::<String, &'de RawValue>()? {
                    if found.fields.insert(key.clone(), Field(value)).is_some() {
                        found.duplicate.get_or_insert(key);
                    }
                }
                Ok(found)
            }
        }
        deserializer.deserialize_map(Collect)
    }
}

/// Walks over a value and notes the first key that an object has twice.
struct Unique<'a> {
    duplicate: &'a mut Option<String>,
}

impl<'de> DeserializeSeed<'de> for Unique<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Unique<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut seen = HashSet::new();
        while let Some(key) = map.next_key::<String>()? {
            map.next_value_seed(Unique { duplicate: self.duplicate })?;
            if let Some(again) = seen.replace(key) {
                self.duplicate.get_or_insert(again);
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while seq.next_element_seed(Unique { duplicate: self.duplicate })?.is_some() {}
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}
