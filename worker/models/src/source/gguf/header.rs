//! Reads the part of a GGUF file that comes before the tensors' data.

use super::{
    super::{dequantise::Encoding, elements_of, Blob, SourceError},
    Value,
};
use std::collections::BTreeMap;

/// Most tensors, and most values, that are accepted.
const MAX_COUNT: u64 = 1 << 16;

/// Longest key and longest name of a tensor that are accepted, in bytes. llama.cpp takes 64 for tensors.
const MAX_NAME: u64 = 1 << 10;

/// Elements of an array in the metadata, at most. Vocabularies are the longest arrays there are.
const MAX_ARRAY: u64 = 1 << 23;

/// Most dimensions of a tensor.
const MAX_DIMENSIONS: u32 = 4;

/// Where data begins is a multiple of this, unless the file says otherwise.
const ALIGNMENT: u64 = 32;

/// Largest alignment that is accepted.
const MAX_ALIGNMENT: u64 = 1 << 20;

/// Bytes read at a time.
const WINDOW: u64 = 1 << 16;

/// What the file says.
pub(super) struct Header {
    pub(super) metadata: BTreeMap<String, Value>,
    pub(super) tensors: Vec<Stored>,
}

/// A tensor as the file has it. Its data lie within the file.
pub(super) struct Stored {
    pub(super) name: String,
    pub(super) encoding: Encoding,
    /// The outermost dimension first; at least one.
    pub(super) shape: Vec<usize>,
    pub(super) elements: usize,
    /// From the beginning of the file.
    pub(super) offset: u64,
}

/// Reads a file from its beginning.
struct Reader<'a> {
    blob: &'a Blob,
    /// Where the next byte to be taken lies in the file.
    at: u64,
    window: Vec<u8>,
    /// Where the window begins in the file.
    start: u64,
}

pub(super) fn read(blob: &Blob) -> Result<Header, SourceError> {
    let mut reader = Reader {
        blob,
        at: 0,
        window: Vec::new(),
        start: 0,
    };
    let magic: [u8; 4] = reader.array("magic")?;
    if magic != *b"GGUF" {
        return Err(blob.malformed("magic", "the bytes of \"GGUF\"", format!("{magic:?}")));
    }
    let version = reader.u32("version")?;
    if !(2..=3).contains(&version) {
        return Err(blob.malformed("version", "2 or 3, little-endian", version));
    }
    let tensors = reader.count("number of tensors", MAX_COUNT, 24)?;
    let values = reader.count("number of metadata values", MAX_COUNT, 13)?;

    let mut metadata = BTreeMap::new();
    for _ in 0..values {
        let key = reader.text("metadata key", MAX_NAME)?;
        let value = reader.value(&key)?;
        if metadata.contains_key(&key) {
            return Err(blob.malformed("metadata", "each key once", format!("{key:?} twice")));
        }
        metadata.insert(key, value);
    }
    let alignment = match metadata.get("general.alignment") {
        None => ALIGNMENT,
        Some(value) => match value.as_u64() {
            Some(alignment) if alignment.is_power_of_two() && alignment <= MAX_ALIGNMENT => alignment,
            _ => {
                let expected = format!("a power of two up to {MAX_ALIGNMENT}");
                return Err(blob.malformed("general.alignment", expected, value));
            }
        },
    };
    let mut tensors = (0..tensors)
        .map(|_| reader.tensor(alignment))
        .collect::<Result<Vec<_>, _>>()?;
    let data = reader.at.next_multiple_of(alignment);
    for tensor in &mut tensors {
        let bytes = (tensor.elements / tensor.encoding.block_elements())
            .checked_mul(tensor.encoding.block_bytes())
            .map(|bytes| bytes as u64);
        let end = bytes.and_then(|bytes| data.checked_add(tensor.offset)?.checked_add(bytes));
        if end.is_none_or(|end| end > blob.length) {
            let expected = format!("data within the file's {} bytes", blob.length);
            let bytes = bytes.map_or("more than 2⁶⁴".into(), |bytes| bytes.to_string());
            let got = format!("{bytes} bytes at {data} + {}", tensor.offset);
            return Err(blob.malformed(format!("tensor {:?}", tensor.name), expected, got));
        }
        tensor.offset += data;
    }
    check_apart(blob, &tensors)?;
    Ok(Header { metadata, tensors })
}

/// Checks that no two tensors share data: else a small file could hold any number of large tensors, all the same.
fn check_apart(blob: &Blob, tensors: &[Stored]) -> Result<(), SourceError> {
    let mut places: Vec<_> = tensors
        .iter()
        .map(|tensor| {
            let blocks = tensor.elements / tensor.encoding.block_elements();
            let bytes = (blocks * tensor.encoding.block_bytes()) as u64;
            (tensor.offset, tensor.offset + bytes, &tensor.name)
        })
        .collect();
    places.sort_unstable();
    for pair in places.windows(2) {
        let ((_, end, _), (start, _, name)) = (pair[0], pair[1]);
        if start < end {
            return Err(blob.malformed(
                format!("tensor {name:?}"),
                format!("data that begin at byte {end} or later, behind another's"),
                start,
            ));
        }
    }
    Ok(())
}

impl Reader<'_> {
    fn left(&self) -> u64 {
        self.blob.length - self.at
    }

    /// The next bytes, which must be there.
    fn take(&mut self, length: u64, what: &str) -> Result<&[u8], SourceError> {
        if length > self.left() {
            let got = format!("{} left in the file", self.left());
            return Err(self.blob.malformed(what, format!("{length} bytes"), got));
        }
        let end = self.at + length;
        if self.at < self.start || end > self.start + self.window.len() as u64 {
            let size = length.max(WINDOW).min(self.left());
            self.window.resize(size as usize, 0);
            self.blob.read_at(self.at, &mut self.window)?;
            self.start = self.at;
        }
        let from = (self.at - self.start) as usize;
        self.at = end;
        Ok(&self.window[from..from + length as usize])
    }

    fn array<const N: usize>(&mut self, what: &str) -> Result<[u8; N], SourceError> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N as u64, what)?);
        Ok(array)
    }

    fn u32(&mut self, what: &str) -> Result<u32, SourceError> {
        self.array(what).map(u32::from_le_bytes)
    }

    fn u64(&mut self, what: &str) -> Result<u64, SourceError> {
        self.array(what).map(u64::from_le_bytes)
    }

    /// A number of things that take at least `bytes` bytes each.
    fn count(&mut self, what: &str, most: u64, bytes: u64) -> Result<u64, SourceError> {
        let count = self.u64(what)?;
        let most = most.min(self.left() / bytes);
        if count > most {
            return Err(self.blob.malformed(what, format!("at most {most}"), count));
        }
        Ok(count)
    }

    fn text(&mut self, what: &str, longest: u64) -> Result<String, SourceError> {
        let length = self.u64(what)?;
        let longest = longest.min(self.left());
        if length > longest {
            return Err(self
                .blob
                .malformed(what, format!("at most {longest} bytes of text"), length));
        }
        let bytes = self.take(length, what)?.to_vec();
        String::from_utf8(bytes).map_err(|error| self.blob.malformed(what, "UTF-8", error.utf8_error()))
    }

    fn value(&mut self, key: &str) -> Result<Value, SourceError> {
        let what = format!("metadata {key:?}");
        let kind = self.u32(&what)?;
        if kind == 9 {
            self.array_value(&what)
        } else {
            self.single_value(kind, &what)
        }
    }

    fn single_value(&mut self, kind: u32, what: &str) -> Result<Value, SourceError> {
        Ok(match kind {
            0 => Value::Unsigned(u8::from_le_bytes(self.array(what)?).into()),
            1 => Value::Signed(i8::from_le_bytes(self.array(what)?).into()),
            2 => Value::Unsigned(u16::from_le_bytes(self.array(what)?).into()),
            3 => Value::Signed(i16::from_le_bytes(self.array(what)?).into()),
            4 => Value::Unsigned(self.u32(what)?.into()),
            5 => Value::Signed(i32::from_le_bytes(self.array(what)?).into()),
            6 => Value::Float(f32::from_le_bytes(self.array(what)?).into()),
            7 => match self.array(what)? {
                [0] => Value::Bool(false),
                [1] => Value::Bool(true),
                [got] => return Err(self.blob.malformed(what, "0 or 1 for a truth value", got)),
            },
            8 => Value::Text(self.text(what, u64::MAX)?),
            10 => Value::Unsigned(self.u64(what)?),
            11 => Value::Signed(i64::from_le_bytes(self.array(what)?)),
            12 => Value::Float(f64::from_le_bytes(self.array(what)?)),
            _ => return Err(self.blob.malformed(what, "a type from 0 to 12", kind)),
        })
    }

    fn array_value(&mut self, what: &str) -> Result<Value, SourceError> {
        let kind = self.u32(what)?;
        let bytes = match kind {
            0 | 1 | 7 => 1,
            2 | 3 => 2,
            4..=6 => 4,
            8 | 10..=12 => 8,
            _ => {
                return Err(self.blob.malformed(
                    what,
                    "an array of numbers, truth values or text",
                    format!("type {kind}"),
                ))
            }
        };
        let count = self.count(what, MAX_ARRAY, bytes)?;
        Ok(match kind {
            6 => {
                let floats = self.take(4 * count, what)?.as_chunks().0;
                Value::Floats(floats.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect())
            }
            8 => Value::Texts(
                (0..count)
                    .map(|_| self.text(what, u64::MAX))
                    .collect::<Result<_, _>>()?,
            ),
            _ => {
                let mut integers = Vec::new();
                for _ in 0..count {
                    integers.push(match self.single_value(kind, what)? {
                        Value::Signed(number) => number,
                        Value::Bool(value) => value.into(),
                        Value::Unsigned(number) => {
                            i64::try_from(number).map_err(|_| self.blob.malformed(what, "numbers below 2⁶³", number))?
                        }
                        other => return Err(self.blob.malformed(what, "whole numbers, f32 or text", other)),
                    });
                }
                Value::Integers(integers)
            }
        })
    }

    fn tensor(&mut self, alignment: u64) -> Result<Stored, SourceError> {
        let name = self.text("tensor's name", MAX_NAME)?;
        let what = format!("tensor {name:?}");
        let blob = self.blob;
        let malformed = |expected: &dyn ToString, got: &dyn ToString| {
            Err(blob.malformed(&what, expected.to_string(), got.to_string()))
        };
        let dimensions = self.u32(&what)?;
        if !(1..=MAX_DIMENSIONS).contains(&dimensions) {
            return malformed(&format!("1 to {MAX_DIMENSIONS} dimensions"), &dimensions);
        }
        let mut shape = Vec::new();
        for _ in 0..dimensions {
            shape.push(usize::try_from(self.u64(&what)?).unwrap_or(usize::MAX));
        }
        // The file has the innermost dimension, along which blocks run, first.
        let columns = shape[0];
        shape.reverse();
        let number = self.u32(&what)?;
        let offset = self.u64(&what)?;
        let Some(encoding) = Encoding::from_gguf(number) else {
            return Err(SourceError::Encoding {
                file: blob.name.clone(),
                name,
                expected: Encoding::NAMES,
                got: format!("type {number}"),
            });
        };
        let Some(elements) = elements_of(&shape) else {
            return malformed(&"a tensor that fits into memory", &format!("{shape:?}"));
        };
        if !columns.is_multiple_of(encoding.block_elements()) {
            let expected = format!("rows of whole blocks of {} elements", encoding.block_elements());
            return malformed(&expected, &columns);
        }
        if !offset.is_multiple_of(alignment) {
            return malformed(&format!("data at a multiple of {alignment} bytes"), &offset);
        }
        Ok(Stored {
            name,
            encoding,
            shape,
            elements,
            offset,
        })
    }
}
