//! Fields of a JSON object, each read with its bounds, and errors that name it.

use super::ConfigError;
use serde_json::{Map, Value};

/// A JSON object of a file.
pub(super) struct Fields {
    file: String,
    map: Map<String, Value>,
}

impl Fields {
    pub(super) fn parse(file: &str, json: &[u8]) -> Result<Self, ConfigError> {
        match serde_json::from_slice(json) {
            Ok(map) => Ok(Self { file: file.into(), map }),
            Err(error) => Err(ConfigError::Json {
                file: file.into(),
                got: error.to_string(),
            }),
        }
    }

    /// A field, unless it is absent or null.
    pub(super) fn get(&self, field: &str) -> Option<&Value> {
        self.map.get(field).filter(|value| !value.is_null())
    }

    /// An object in a field.
    pub(super) fn object(&self, field: &str) -> Result<Option<Fields>, ConfigError> {
        match self.get(field) {
            None => Ok(None),
            Some(Value::Object(map)) => Ok(Some(Self {
                file: format!("{}, {field}", self.file),
                map: map.clone(),
            })),
            Some(_) => Err(self.wrong(field, "an object")),
        }
    }

    pub(super) fn text(&self, field: &str) -> Result<Option<String>, ConfigError> {
        match self.get(field) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(self.wrong(field, "text")),
        }
    }

    pub(super) fn flag(&self, field: &str, default: bool) -> Result<bool, ConfigError> {
        match self.get(field) {
            None => Ok(default),
            Some(Value::Bool(value)) => Ok(*value),
            Some(_) => Err(self.wrong(field, "true or false")),
        }
    }

    /// A whole number from 1 to `most`.
    pub(super) fn size(&self, field: &str, most: u64) -> Result<u32, ConfigError> {
        let size = self
            .get(field)
            .and_then(Value::as_u64)
            .filter(|size| (1..=most).contains(size));
        size.and_then(|size| u32::try_from(size).ok())
            .ok_or_else(|| self.wrong(field, format!("1 to {most}")))
    }

    /// As [`Self::size`], where the field may be absent.
    pub(super) fn size_or(&self, field: &str, most: u64, default: u32) -> Result<u32, ConfigError> {
        self.get(field).map_or(Ok(default), |_| self.size(field, most))
    }

    /// A positive number that an f32 holds, where the field may be absent. It is rounded to f32.
    pub(super) fn positive(&self, field: &str) -> Result<Option<f32>, ConfigError> {
        let Some(value) = self.get(field) else { return Ok(None) };
        match value.as_f64().map(|number| number as f32) {
            Some(number) if number.is_normal() && number > 0.0 => Ok(Some(number)),
            _ => Err(self.wrong(field, "a positive number")),
        }
    }

    /// As [`Self::positive`], in f64.
    pub(super) fn positive_f64(&self, field: &str) -> Result<Option<f64>, ConfigError> {
        self.positive(field)?;
        Ok(self.get(field).and_then(Value::as_f64))
    }

    /// Token ids: one, or an array of at most 64.
    pub(super) fn ids(&self, field: &str, vocab: u32) -> Result<Option<Vec<u32>>, ConfigError> {
        let Some(value) = self.get(field) else { return Ok(None) };
        let values = match value {
            Value::Array(array) => array.as_slice(),
            single => std::slice::from_ref(single),
        };
        let id = |value: &Value| {
            value
                .as_u64()
                .and_then(|id| u32::try_from(id).ok())
                .filter(|id| *id < vocab)
        };
        let ids: Option<Vec<u32>> = values.iter().map(id).collect();
        match ids {
            Some(ids) if ids.len() <= 64 => Ok(Some(ids)),
            _ => Err(self.wrong(field, format!("up to 64 token ids below {vocab}"))),
        }
    }

    /// The error that says what a field has in place of what is expected.
    pub(super) fn wrong(&self, field: &str, expected: impl ToString) -> ConfigError {
        let mut got = self.map.get(field).map_or("none".into(), Value::to_string);
        if let Some((end, _)) = got.char_indices().nth(200) {
            got.truncate(end);
            got.push('…');
        }
        ConfigError::Field {
            file: self.file.clone(),
            field: field.into(),
            expected: expected.to_string(),
            got,
        }
    }
}
