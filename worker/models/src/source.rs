//! Where weights come from: folders as Hugging Face lays them out, and GGUF files.
//!
//! Opening a source reads headers only. Tensors are read one by one, in pieces of [`PIECE`] bytes, so that a reader
//! needs the memory of one tensor in f32 and no more.

pub mod dequantise;
pub mod gguf;
pub mod safetensors;

pub use gguf::Gguf;
pub use safetensors::Safetensors;

use dequantise::Encoding;
use std::{
    fs::File,
    io::{self, Cursor, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

/// Bytes of a tensor that are read and decoded at a time.
pub const PIECE: usize = 1 << 20;

/// Most dimensions of a tensor that are accepted.
const MAX_RANK: usize = 8;

/// Why weights cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The operating system refuses to read a file.
    #[error("{file}: expected a readable file, got: {source}")]
    Read {
        /// The file.
        file: String,
        /// What the system says.
        source: io::Error,
    },
    /// There is no model where one was said to be.
    #[error("{path}: expected a folder with model.safetensors, model.safetensors.index.json or one .gguf file, or a .gguf file itself, got {got}", path = path.display())]
    NoModel {
        /// Where.
        path: PathBuf,
        /// What is there.
        got: String,
    },
    /// A file breaks the rules of its format, or says something that cannot be.
    #[error("{file}: {what}: expected {expected}, got {got}")]
    Malformed {
        /// The file.
        file: String,
        /// The part of the file.
        what: String,
        /// What it would have to be.
        expected: String,
        /// What it is.
        got: String,
    },
    /// A tensor is not there.
    #[error("{file}: expected a tensor {name:?}, got none of that name among {count}")]
    Missing {
        /// The file.
        file: String,
        /// The tensor.
        name: String,
        /// How many tensors there are.
        count: usize,
    },
    /// A tensor's elements are of a kind that is not read.
    #[error("{file}: tensor {name:?}: expected elements of type {expected}, got {got}")]
    Encoding {
        /// The file.
        file: String,
        /// The tensor.
        name: String,
        /// The kinds that are read.
        expected: &'static str,
        /// The kind it has.
        got: String,
    },
    /// A weight is infinite or not a number.
    #[error("{file}: tensor {name:?}, element {index}: expected a finite number, got {got}")]
    NotFinite {
        /// The file.
        file: String,
        /// The tensor.
        name: String,
        /// Which of its elements, in row-major order.
        index: usize,
        /// What it is.
        got: f32,
    },
}

/// Named tensors of finite numbers.
///
/// Names are Hugging Face's whatever the file's format, and so is the order of rows.
pub trait Weights {
    /// All tensors' names, in ascending order.
    fn names(&self) -> Vec<String>;

    /// A tensor's dimensions, the outermost first.
    fn shape(&self, name: &str) -> Result<Vec<usize>, SourceError>;

    /// A tensor's elements in row-major order, all of them finite.
    fn read_f32(&self, name: &str) -> Result<Vec<f32>, SourceError>;
}

/// A model's weights, of any of the formats.
#[derive(Debug)]
pub enum Source {
    /// A folder as Hugging Face lays models out.
    Folder(Safetensors),
    /// A GGUF file, which has everything in it.
    Gguf(Gguf),
}

impl Source {
    /// Opens a folder or a GGUF file. In a folder, safetensors go before GGUF.
    pub fn open(path: &Path) -> Result<Self, SourceError> {
        if path.is_file() {
            return Gguf::open(path).map(Self::Gguf);
        }
        if [safetensors::SINGLE, safetensors::INDEX]
            .iter()
            .any(|file| path.join(file).is_file())
        {
            return Safetensors::open(path).map(Self::Folder);
        }
        let no_model = |got: String| SourceError::NoModel { path: path.into(), got };
        let entries = std::fs::read_dir(path).map_err(|error| no_model(error.to_string()))?;
        let mut files: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        files.retain(|file| file.extension().is_some_and(|extension| extension == "gguf"));
        match files.as_slice() {
            [file] => Gguf::open(file).map(Self::Gguf),
            files => Err(no_model(format!("no safetensors and {} .gguf files", files.len()))),
        }
    }

    /// The weights.
    pub fn weights(&self) -> &dyn Weights {
        match self {
            Self::Folder(source) => source,
            Self::Gguf(source) => source,
        }
    }
}

impl Weights for Source {
    fn names(&self) -> Vec<String> {
        self.weights().names()
    }

    fn shape(&self, name: &str) -> Result<Vec<usize>, SourceError> {
        self.weights().shape(name)
    }

    fn read_f32(&self, name: &str) -> Result<Vec<f32>, SourceError> {
        self.weights().read_f32(name)
    }
}

/// What bytes can be read from.
trait Content: Read + Seek + Send {}
impl<T: Read + Seek + Send> Content for T {}

/// A file of known length, read at any place.
///
/// It is not mapped into memory: a file that changes or shrinks while it is mapped is undefined behaviour, and one
/// that is read is at worst an error.
struct Blob {
    name: String,
    length: u64,
    content: Mutex<Box<dyn Content>>,
}

impl Blob {
    fn open(path: &Path) -> Result<Self, SourceError> {
        let name = path.display().to_string();
        let read = |source| SourceError::Read {
            file: name.clone(),
            source,
        };
        let file = File::open(path).map_err(read)?;
        let metadata = file.metadata().map_err(read)?;
        if !metadata.is_file() {
            return Err(read(io::Error::other("not a regular file")));
        }
        Ok(Self {
            length: metadata.len(),
            content: Mutex::new(Box::new(file)),
            name,
        })
    }

    fn from_bytes(name: &str, bytes: Vec<u8>) -> Self {
        Self {
            name: name.into(),
            length: bytes.len() as u64,
            content: Mutex::new(Box::new(Cursor::new(bytes))),
        }
    }

    /// Fills `into` from `offset` on.
    fn read_at(&self, offset: u64, into: &mut [u8]) -> Result<(), SourceError> {
        let mut content = self.content.lock().unwrap_or_else(PoisonError::into_inner);
        let read = |source| SourceError::Read {
            file: self.name.clone(),
            source,
        };
        content.seek(SeekFrom::Start(offset)).map_err(read)?;
        content.read_exact(into).map_err(read)
    }

    fn malformed(&self, what: impl ToString, expected: impl ToString, got: impl ToString) -> SourceError {
        SourceError::Malformed {
            file: self.name.clone(),
            what: what.to_string(),
            expected: expected.to_string(),
            got: got.to_string(),
        }
    }

    /// Decodes `elements` numbers of the tensor `name`, which lie at `offset`. The caller has made sure that they lie
    /// within the file and are a whole number of blocks.
    fn decode(&self, name: &str, encoding: Encoding, elements: usize, offset: u64) -> Result<Vec<f32>, SourceError> {
        let (block, bytes) = (encoding.block_elements(), encoding.block_bytes());
        let blocks = elements / block;
        let mut values = Vec::with_capacity(elements);
        let mut piece = vec![0; (PIECE / bytes).min(blocks) * bytes];
        let mut at = offset;
        let mut left = blocks * bytes;
        while left > 0 {
            let length = piece.len().min(left);
            let piece = &mut piece[..length];
            self.read_at(at, piece)?;
            let start = values.len();
            encoding.decode(piece, &mut values);
            if let Some(index) = values[start..].iter().position(|value| !value.is_finite()) {
                let index = start + index;
                return Err(SourceError::NotFinite {
                    file: self.name.clone(),
                    name: name.into(),
                    index,
                    got: values[index],
                });
            }
            at += length as u64;
            left -= length;
        }
        Ok(values)
    }
}

impl std::fmt::Debug for Blob {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({} bytes)", self.name, self.length)
    }
}

/// The product of dimensions, unless it is more than a tensor in memory could have.
fn elements_of(shape: &[usize]) -> Option<usize> {
    let elements = shape
        .iter()
        .try_fold(1_usize, |product, size| product.checked_mul(*size))?;
    (shape.len() <= MAX_RANK && elements <= isize::MAX as usize / size_of::<f32>()).then_some(elements)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn open_should_say_what_is_missing_when_a_folder_has_no_model() {
        let folder = tempfile::tempdir().unwrap();
        let error = Source::open(folder.path()).unwrap_err().to_string();
        assert!(
            error.contains("model.safetensors") && error.contains("0 .gguf files"),
            "{error}"
        );
    }

    #[test]
    fn decode_should_give_the_same_when_a_tensor_has_many_pieces() {
        let numbers: Vec<f32> = (0..PIECE / 4 * 2 + 5).map(|i| i as f32).collect();
        let mut bytes = vec![9; 3];
        bytes.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
        let blob = Blob::from_bytes("blob", bytes);
        assert_eq!(blob.decode("t", Encoding::F32, numbers.len(), 3).unwrap(), numbers);
    }

    #[test]
    fn decode_should_name_the_element_when_it_is_not_finite() {
        let mut numbers = vec![0_f32; PIECE / 4 + 7];
        numbers[PIECE / 4 + 3] = f32::NAN;
        let blob = Blob::from_bytes("blob", numbers.iter().flat_map(|number| number.to_le_bytes()).collect());
        let error = blob.decode("t", Encoding::F32, numbers.len(), 0).unwrap_err();
        assert!(
            matches!(error, SourceError::NotFinite { index, .. } if index == PIECE / 4 + 3),
            "{error}"
        );
    }
}
