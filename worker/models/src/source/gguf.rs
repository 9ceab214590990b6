//! Weights and metadata in GGUF files of llama.cpp, versions 2 and 3.
//!
//! <https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>. Tensors are named as Hugging Face names them
//! ([`names`]). A tensor of no known name is refused: what a model computes with it would be left out.

mod header;
pub mod names;
pub mod value;

pub use value::Value;

use super::{dequantise::Encoding, Blob, SourceError, Weights};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

/// Families, as `general.architecture` names them.
pub const ARCHITECTURES: [&str; 2] = ["llama", "qwen2"];

/// A GGUF file.
#[derive(Debug)]
pub struct Gguf {
    path: PathBuf,
    file: Blob,
    architecture: String,
    metadata: BTreeMap<String, Value>,
    tensors: BTreeMap<String, Tensor>,
}

/// Where a tensor lies, and how.
#[derive(Debug)]
struct Tensor {
    encoding: Encoding,
    /// The outermost dimension first, as everywhere else and unlike in the file.
    shape: Vec<usize>,
    elements: usize,
    /// From the beginning of the file, in bytes.
    offset: u64,
    /// Heads whose rows lie in pairs in the file ([`names::halves_of_pairs`]).
    paired_heads: Option<usize>,
}

impl Gguf {
    /// Opens a file and reads all but its tensors' data.
    pub fn open(path: &Path) -> Result<Self, SourceError> {
        Self::new(path.into(), Blob::open(path)?)
    }

    /// Reads the content of a file.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, SourceError> {
        Self::new(PathBuf::new(), Blob::from_bytes("model.gguf", bytes))
    }

    /// The file that was opened.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The model's family, one of [`ARCHITECTURES`].
    pub fn architecture(&self) -> &str {
        &self.architecture
    }

    /// A value of the metadata.
    pub fn value(&self, key: &str) -> Option<&Value> {
        self.metadata.get(key)
    }

    /// The file's name in messages.
    pub fn name(&self) -> &str {
        &self.file.name
    }

    /// Whether there is a tensor of this (Hugging Face) name.
    pub fn has(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    fn new(path: PathBuf, file: Blob) -> Result<Self, SourceError> {
        let header = header::read(&file)?;
        let supported = ARCHITECTURES.join(" or ");
        let architecture = match header.metadata.get("general.architecture") {
            Some(Value::Text(name)) if ARCHITECTURES.contains(&name.as_str()) => name.clone(),
            got => {
                let got = got.map_or("none".into(), ToString::to_string);
                return Err(file.malformed("general.architecture", supported, got));
            }
        };
        let mut tensors = BTreeMap::new();
        for stored in header.tensors {
            let Some(name) = names::hugging_face(&stored.name) else {
                let expected = format!("tensors of {supported} models");
                return Err(file.malformed("tensors", expected, format!("one named {:?}", stored.name)));
            };
            let heads = match names::paired(&architecture, &name) {
                Some(keys) => Some(heads(&file, &architecture, &header.metadata, keys, &stored)?),
                None => None,
            };
            let tensor = Tensor {
                encoding: stored.encoding,
                shape: stored.shape,
                elements: stored.elements,
                offset: stored.offset,
                paired_heads: heads,
            };
            if tensors.insert(name, tensor).is_some() {
                return Err(file.malformed("tensors", "each name once", format!("{:?} twice", stored.name)));
            }
        }
        Ok(Self {
            path,
            file,
            architecture,
            metadata: header.metadata,
            tensors,
        })
    }

    fn tensor(&self, name: &str) -> Result<&Tensor, SourceError> {
        self.tensors.get(name).ok_or_else(|| SourceError::Missing {
            file: self.file.name.clone(),
            name: name.into(),
            count: self.tensors.len(),
        })
    }
}

/// The number of heads of a tensor whose rows lie in pairs; it divides the rows into even parts.
fn heads(
    file: &Blob,
    architecture: &str,
    metadata: &BTreeMap<String, Value>,
    keys: names::Heads,
    stored: &header::Stored,
) -> Result<usize, SourceError> {
    let key = |name: &str| format!("{architecture}.{name}");
    let all = key("attention.head_count");
    let of_keys = key("attention.head_count_kv");
    let name = if keys == names::Heads::KeyValue && metadata.contains_key(&of_keys) {
        of_keys
    } else {
        all
    };
    let rows = stored.shape[0];
    let fits =
        |heads: &u64| *heads > 0 && (rows as u64).is_multiple_of(*heads) && (rows as u64 / heads).is_multiple_of(2);
    match metadata.get(&name).and_then(Value::as_u64).filter(fits) {
        Some(heads) => Ok(heads as usize),
        None => {
            let got = metadata.get(&name).map_or("none".into(), ToString::to_string);
            let expected = format!(
                "a number of heads that divides the {rows} rows of {:?} into even parts",
                stored.name
            );
            Err(file.malformed(name, expected, got))
        }
    }
}

impl Weights for Gguf {
    fn names(&self) -> Vec<String> {
        self.tensors.keys().cloned().collect()
    }

    fn shape(&self, name: &str) -> Result<Vec<usize>, SourceError> {
        Ok(self.tensor(name)?.shape.clone())
    }

    fn read_f32(&self, name: &str) -> Result<Vec<f32>, SourceError> {
        let tensor = self.tensor(name)?;
        let values = self
            .file
            .decode(name, tensor.encoding, tensor.elements, tensor.offset)?;
        Ok(match tensor.paired_heads {
            Some(heads) => names::halves_of_pairs(&values, tensor.shape[0], heads),
            None => values,
        })
    }
}

#[cfg(test)]
mod tests;
