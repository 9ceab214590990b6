//! Weights in folders as Hugging Face lays them out: one safetensors file, or several with an index.

use super::{dequantise::Encoding, elements_of, Blob, SourceError, Weights};
use serde::{
    de::{Error, IgnoredAny, MapAccess, Visitor},
    Deserialize, Deserializer,
};
use std::{
    collections::{btree_map::Entry as Slot, BTreeMap},
    fmt,
    path::{Path, PathBuf},
};

/// The file, if there is one.
pub const SINGLE: &str = "model.safetensors";

/// Says which of several files has which tensor.
pub const INDEX: &str = "model.safetensors.index.json";

/// Longest header that is accepted, in bytes. One of 10,000 tensors has about 1 MB.
const MAX_HEADER: u64 = 16 << 20;

/// Longest index that is accepted, in bytes.
const MAX_INDEX: u64 = 16 << 20;

/// Most files that an index may name.
const MAX_SHARDS: usize = 1 << 10;

/// The weights of a folder.
#[derive(Debug)]
pub struct Safetensors {
    folder: PathBuf,
    files: Vec<Blob>,
    tensors: BTreeMap<String, Tensor>,
}

/// Where a tensor lies, and how.
#[derive(Debug)]
struct Tensor {
    file: usize,
    /// As the header has it.
    dtype: String,
    shape: Vec<usize>,
    elements: usize,
    /// From the beginning of the file, in bytes.
    offset: u64,
}

#[derive(Deserialize)]
struct Entry {
    dtype: String,
    shape: Vec<usize>,
    data_offsets: [u64; 2],
}

/// The header, without the free text that it may have.
struct Header(BTreeMap<String, Entry>);

impl<'de> Deserialize<'de> for Header {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = Header;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of tensors")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Header, A::Error> {
                let mut entries = BTreeMap::new();
                while let Some(name) = map.next_key::<String>()? {
                    if name == "__metadata__" {
                        map.next_value::<IgnoredAny>()?;
                        continue;
                    }
                    match entries.entry(name) {
                        Slot::Occupied(slot) => {
                            return Err(A::Error::custom(format_args!("tensor {:?} twice", slot.key())))
                        }
                        Slot::Vacant(slot) => slot.insert(map.next_value()?),
                    };
                }
                Ok(Header(entries))
            }
        }
        deserializer.deserialize_map(Entries)
    }
}

#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

impl Safetensors {
    /// Opens the folder's [`SINGLE`] file or else those that its [`INDEX`] names.
    pub fn open(folder: &Path) -> Result<Self, SourceError> {
        let single = folder.join(SINGLE);
        if single.is_file() {
            return Self::new(folder.into(), vec![Blob::open(&single)?]);
        }
        let index = Blob::open(&folder.join(INDEX))?;
        if index.length > MAX_INDEX {
            return Err(index.malformed("length", format!("at most {MAX_INDEX} bytes"), index.length));
        }
        let mut json = vec![0; index.length as usize];
        index.read_at(0, &mut json)?;
        let Index { weight_map } = serde_json::from_slice(&json)
            .map_err(|error| index.malformed("content", "JSON with a `weight_map` of names to files", error))?;

        let mut names: Vec<&String> = weight_map.values().collect();
        names.sort();
        names.dedup();
        if names.len() > MAX_SHARDS {
            return Err(index.malformed("weight_map", format!("at most {MAX_SHARDS} files"), names.len()));
        }
        for name in &names {
            if name.contains(['/', '\\']) || !name.ends_with(".safetensors") {
                let expected = "names of .safetensors files in the same folder";
                return Err(index.malformed("weight_map", expected, format!("{name:?}")));
            }
        }
        let files = names
            .iter()
            .map(|name| Blob::open(&folder.join(name)))
            .collect::<Result<_, _>>()?;
        let mut source = Self::new(folder.into(), files)?;
        for (tensor, file) in &weight_map {
            let place = source.tensors.get(tensor).map(|tensor| names[tensor.file]);
            if place != Some(file) {
                let got = place.map_or("none".into(), |place| format!("it in {place}"));
                return Err(index.malformed("weight_map", format!("tensor {tensor:?} in {file}"), got));
            }
        }
        source.tensors.retain(|name, _| weight_map.contains_key(name));
        Ok(source)
    }

    /// Weights in the content of one file.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, SourceError> {
        Self::new(PathBuf::new(), vec![Blob::from_bytes(SINGLE, bytes)])
    }

    /// The folder that was opened.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    fn new(folder: PathBuf, files: Vec<Blob>) -> Result<Self, SourceError> {
        let mut tensors = BTreeMap::new();
        for (file, blob) in files.iter().enumerate() {
            for (name, tensor) in header(blob, file)? {
                if tensors.contains_key(&name) {
                    return Err(blob.malformed("header", "each tensor once", format!("{name:?} twice")));
                }
                tensors.insert(name, tensor);
            }
        }
        Ok(Self { folder, files, tensors })
    }

    fn tensor(&self, name: &str) -> Result<&Tensor, SourceError> {
        self.tensors.get(name).ok_or_else(|| SourceError::Missing {
            file: self
                .files
                .iter()
                .map(|file| file.name.as_str())
                .collect::<Vec<_>>()
                .join(", "),
            name: name.into(),
            count: self.tensors.len(),
        })
    }
}

impl Weights for Safetensors {
    fn names(&self) -> Vec<String> {
        self.tensors.keys().cloned().collect()
    }

    fn shape(&self, name: &str) -> Result<Vec<usize>, SourceError> {
        Ok(self.tensor(name)?.shape.clone())
    }

    fn read_f32(&self, name: &str) -> Result<Vec<f32>, SourceError> {
        let tensor = self.tensor(name)?;
        let file = &self.files[tensor.file];
        let encoding = match tensor.dtype.as_str() {
            "F32" => Encoding::F32,
            "F16" => Encoding::F16,
            "BF16" => Encoding::BF16,
            got => {
                return Err(SourceError::Encoding {
                    file: file.name.clone(),
                    name: name.into(),
                    expected: "F32, F16 or BF16",
                    got: got.into(),
                })
            }
        };
        file.decode(name, encoding, tensor.elements, tensor.offset)
    }
}

/// The tensors of a file: eight bytes that say how long the header is, the header in JSON, then the data without gaps.
fn header(blob: &Blob, file: usize) -> Result<Vec<(String, Tensor)>, SourceError> {
    if blob.length < 8 {
        return Err(blob.malformed("length", "at least 8 bytes", blob.length));
    }
    let mut length = [0; 8];
    blob.read_at(0, &mut length)?;
    let length = u64::from_le_bytes(length);
    let longest = MAX_HEADER.min(blob.length - 8);
    if length > longest {
        return Err(blob.malformed("header's length", format!("at most {longest} bytes"), length));
    }
    let mut json = vec![0; length as usize];
    blob.read_at(8, &mut json)?;
    let expected = "JSON of distinct names, each with dtype, shape and data_offsets";
    let Header(entries) = serde_json::from_slice(&json).map_err(|error| blob.malformed("header", expected, error))?;
    drop(json);

    let mut tensors = Vec::new();
    for (name, entry) in entries {
        let what = |field: &str| format!("header, tensor {name:?}{field}");
        let [begin, end] = entry.data_offsets;
        let data = blob.length - 8 - length;
        if begin > end || end > data {
            let got = format!("{begin} to {end}");
            return Err(blob.malformed(what(", data_offsets"), format!("a range within {data} bytes"), got));
        }
        let elements = elements_of(&entry.shape).ok_or_else(|| {
            blob.malformed(
                what(", shape"),
                "a tensor that fits into memory",
                format!("{:?}", entry.shape),
            )
        })?;
        if let Some(size) = element_bytes(&entry.dtype) {
            if elements.checked_mul(size).map(|bytes| bytes as u64) != Some(end - begin) {
                let expected = format!("{size} bytes for each of {elements} elements of {}", entry.dtype);
                return Err(blob.malformed(what(", data_offsets"), expected, format!("{} bytes", end - begin)));
            }
        }
        let offset = 8 + length + begin;
        tensors.push((offset, end - begin, name, entry, elements));
    }

    tensors.sort_by(|a, b| (a.0, a.1, &a.2).cmp(&(b.0, b.1, &b.2)));
    let mut next = 8 + length;
    for (offset, bytes, name, ..) in &tensors {
        if *offset != next {
            let what = format!("header, tensor {name:?}, data_offsets");
            return Err(blob.malformed(what, format!("data that begins at byte {next}"), offset));
        }
        next += bytes;
    }
    if next != blob.length {
        return Err(blob.malformed("length", format!("{next} bytes, as the header says"), blob.length));
    }
    let tensor = |(offset, _, name, entry, elements): (u64, u64, String, Entry, usize)| {
        (
            name,
            Tensor {
                file,
                dtype: entry.dtype,
                shape: entry.shape,
                elements,
                offset,
            },
        )
    };
    Ok(tensors.into_iter().map(tensor).collect())
}

/// Bytes of an element, where whole bytes hold it. Only the floats are read; the others are checked to lie right.
fn element_bytes(dtype: &str) -> Option<usize> {
    match dtype {
        "BOOL" | "U8" | "I8" => Some(1),
        "F16" | "BF16" | "U16" | "I16" => Some(2),
        "F32" | "U32" | "I32" => Some(4),
        "F64" | "U64" | "I64" => Some(8),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
