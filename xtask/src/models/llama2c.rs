//! Models in the format of llama2.c (version 0), written as Hugging Face has them: `config.json` and
//! `model.safetensors`.
//!
//! The file is a header of seven little-endian `i32`, then the tensors as little-endian `f32`: those of
//! one kind follow each other, layer by layer. Tables of the rotary embedding, which follow from the
//! shape, come after the last tensor and are left out.

use anyhow::{ensure, Context, Result};

/// Numbers in the header.
const HEADER: usize = 7;

/// Bytes of a number, in the header and in tensors.
const WORD: usize = 4;

/// Safetensors headers are padded to a multiple of this, in bytes.
const ALIGNMENT: usize = 8;

/// The two files of a converted model.
pub(super) struct Converted {
    /// Text of `config.json`.
    pub(super) config: String,
    /// Bytes of `model.safetensors`.
    pub(super) weights: Vec<u8>,
}

/// Converts a model; an error if `data` ends before its last tensor. What comes after that is ignored.
pub(super) fn convert(data: &[u8]) -> Result<Converted> {
    let mut source = Source { rest: data };
    let shape = Shape::read(&mut source)?;
    let tensors = shape.tensors(&mut source)?;
    Ok(Converted {
        config: shape.config(),
        weights: safetensors(&tensors),
    })
}

/// What has not been read yet.
struct Source<'a> {
    rest: &'a [u8],
}

impl<'a> Source<'a> {
    /// The next `words` numbers.
    fn take(&mut self, words: Option<usize>, what: &str) -> Result<&'a [u8]> {
        let bytes = words.and_then(|words| words.checked_mul(WORD));
        let bytes = bytes.with_context(|| format!("{what}: too large for this machine"))?;
        let got = self.rest.len();
        let (taken, rest) = self
            .rest
            .split_at_checked(bytes)
            .with_context(|| format!("the file ends in {what}: expected {bytes} bytes, got {got}"))?;
        self.rest = rest;
        Ok(taken)
    }
}

/// The header.
struct Shape {
    dim: usize,
    hidden: usize,
    layers: usize,
    heads: usize,
    vocabulary: usize,
    context: usize,
}

impl Shape {
    fn read(source: &mut Source) -> Result<Self> {
        let header = source.take(Some(HEADER), "the header")?;
        let mut numbers = [0; HEADER];
        for (number, bytes) in numbers.iter_mut().zip(header.chunks_exact(WORD)) {
            let value = i32::from_le_bytes(bytes.try_into().expect("chunks have this length; qed"));
            // A negative size of the vocabulary says that the output has weights of its own
            ensure!(value > 0, "a number of the header is {value}, expected a positive one");
            *number = usize::try_from(value)?;
        }
        let [dim, hidden, layers, heads, kv_heads, vocabulary, context] = numbers;
        ensure!(
            kv_heads == heads,
            "{kv_heads} heads of keys and values, expected as many as of queries, {heads}"
        );
        ensure!(
            dim % (2 * heads) == 0,
            "{dim} columns in {heads} heads: expected heads of an even number of columns"
        );
        Ok(Self {
            dim,
            hidden,
            layers,
            heads,
            vocabulary,
            context,
        })
    }

    /// All tensors, in the order of the file.
    fn tensors<'a>(&self, source: &mut Source<'a>) -> Result<Vec<Tensor<'a>>> {
        let Self { dim, hidden, .. } = *self;
        let kinds = [
            ("input_layernorm", vec![dim], Rows::AsTheyAre),
            ("self_attn.q_proj", vec![dim, dim], Rows::Rotary),
            ("self_attn.k_proj", vec![dim, dim], Rows::Rotary),
            ("self_attn.v_proj", vec![dim, dim], Rows::AsTheyAre),
            ("self_attn.o_proj", vec![dim, dim], Rows::AsTheyAre),
            ("post_attention_layernorm", vec![dim], Rows::AsTheyAre),
            ("mlp.gate_proj", vec![hidden, dim], Rows::AsTheyAre),
            ("mlp.down_proj", vec![dim, hidden], Rows::AsTheyAre),
            ("mlp.up_proj", vec![hidden, dim], Rows::AsTheyAre),
        ];
        let embedding = "model.embed_tokens.weight".to_string();
        let mut tensors = vec![self.tensor(source, embedding, &[self.vocabulary, dim], Rows::AsTheyAre)?];
        for (kind, shape, rows) in kinds {
            for layer in 0..self.layers {
                let name = format!("model.layers.{layer}.{kind}.weight");
                tensors.push(self.tensor(source, name, &shape, rows)?);
            }
        }
        tensors.push(self.tensor(source, "model.norm.weight".to_string(), &[dim], Rows::AsTheyAre)?);
        Ok(tensors)
    }

    fn tensor<'a>(&self, source: &mut Source<'a>, name: String, shape: &[usize], rows: Rows) -> Result<Tensor<'a>> {
        let words = shape.iter().try_fold(1, |words: usize, size| words.checked_mul(*size));
        let data = source.take(words, &name)?;
        let row = self.dim * WORD;
        let pieces = match rows {
            Rows::AsTheyAre => vec![data],
            Rows::Rotary => self.halves().map(|at| &data[at * row..(at + 1) * row]).collect(),
        };
        Ok(Tensor {
            name,
            shape: shape.to_vec(),
            pieces,
        })
    }

    /// Rows of a query or key projection in Hugging Face's order. What the rotary embedding turns
    /// together are rows 2i and 2i + 1 of a head in llama2.c, rows i and i + half there.
    fn halves(&self) -> impl Iterator<Item = usize> {
        let size = self.dim / self.heads;
        (0..self.heads).flat_map(move |head| {
            let pairs = (0..size).step_by(2);
            pairs
                .clone()
                .chain(pairs.map(|row| row + 1))
                .map(move |row| head * size + row)
        })
    }

    fn config(&self) -> String {
        let Self {
            dim,
            hidden,
            layers,
            heads,
            vocabulary,
            context,
        } = self;
        format!(
            r#"{{
  "architectures": [
    "LlamaForCausalLM"
  ],
  "model_type": "llama",
  "hidden_act": "silu",
  "hidden_size": {dim},
  "intermediate_size": {hidden},
  "num_hidden_layers": {layers},
  "num_attention_heads": {heads},
  "num_key_value_heads": {heads},
  "vocab_size": {vocabulary},
  "max_position_embeddings": {context},
  "rms_norm_eps": 1e-05,
  "rope_theta": 10000.0,
  "tie_word_embeddings": true,
  "bos_token_id": 1,
  "eos_token_id": 2,
  "torch_dtype": "float32"
}}
"#
        )
    }
}

/// In which order a tensor's rows are written.
#[derive(Clone, Copy)]
enum Rows {
    AsTheyAre,
    /// From interleaved pairs to two halves, in each head.
    Rotary,
}

/// A tensor of f32.
struct Tensor<'a> {
    name: String,
    shape: Vec<usize>,
    /// Its numbers are these, one after the other.
    pieces: Vec<&'a [u8]>,
}

/// The bytes of a safetensors file: length of the header, header, numbers.
fn safetensors(tensors: &[Tensor]) -> Vec<u8> {
    let mut end = 0;
    let entries = tensors.iter().map(|tensor| {
        let start = end;
        end += tensor.pieces.iter().map(|piece| piece.len()).sum::<usize>();
        let shape: Vec<_> = tensor.shape.iter().map(usize::to_string).collect();
        format!(
            r#""{}":{{"dtype":"F32","shape":[{}],"data_offsets":[{start},{end}]}}"#,
            tensor.name,
            shape.join(",")
        )
    });
    let mut header = format!("{{{}}}", entries.collect::<Vec<_>>().join(","));
    let padded = header.len().next_multiple_of(ALIGNMENT);
    header.push_str(&" ".repeat(padded - header.len()));

    let mut file = Vec::with_capacity(size_of::<u64>() + padded + end);
    file.extend((padded as u64).to_le_bytes());
    file.extend(header.bytes());
    for piece in tensors.iter().flat_map(|tensor| &tensor.pieces) {
        file.extend(*piece);
    }
    file
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::{json, Value};

    const DIM: usize = 8;
    const SHAPE: [i32; HEADER] = [DIM as i32, 3, 1, 2, 2, 5, 16];

    /// Numbers of all tensors of a model of `SHAPE`.
    const WORDS: usize = 5 * DIM + DIM + 4 * DIM * DIM + DIM + 3 * 3 * DIM + DIM;

    /// A model whose numbers are 0, 1, 2, …
    fn model(shape: [i32; HEADER]) -> Vec<u8> {
        let header = shape.into_iter().flat_map(i32::to_le_bytes);
        header
            .chain((0..WORDS).flat_map(|number| (number as f32).to_le_bytes()))
            .collect()
    }

    fn header(weights: &[u8]) -> (Value, &[u8]) {
        let length = u64::from_le_bytes(weights[..8].try_into().unwrap()) as usize;
        let (header, data) = weights[8..].split_at(length);
        (serde_json::from_slice(header).unwrap(), data)
    }

    /// First number of each row of a projection.
    fn rows(weights: &[u8], kind: &str) -> Vec<usize> {
        let (header, data) = header(weights);
        let entry = &header[format!("model.layers.0.{kind}.weight")];
        assert_eq!(entry["shape"], json!([DIM, DIM]));
        let offset = |at: usize| entry["data_offsets"][at].as_u64().unwrap() as usize;
        let rows = data[offset(0)..offset(1)].chunks(DIM * WORD);
        rows.map(|row| f32::from_le_bytes(row[..WORD].try_into().unwrap()) as usize)
            .collect()
    }

    #[test]
    fn queries_and_keys_should_be_in_halves_when_converted() {
        let weights = convert(&model(SHAPE)).unwrap().weights;
        let first = 5 * DIM + DIM;
        let halves = [0, 2, 1, 3, 4, 6, 5, 7];
        assert_eq!(rows(&weights, "self_attn.q_proj"), halves.map(|row| first + DIM * row));
        let second = first + DIM * DIM;
        assert_eq!(rows(&weights, "self_attn.k_proj"), halves.map(|row| second + DIM * row));
    }

    #[test]
    fn other_rows_should_stay_in_order_when_converted() {
        let weights = convert(&model(SHAPE)).unwrap().weights;
        let third = 5 * DIM + DIM + 2 * DIM * DIM;
        let expected: Vec<_> = (0..DIM).map(|row| third + DIM * row).collect();
        assert_eq!(rows(&weights, "self_attn.v_proj"), expected);
    }

    #[test]
    fn tensors_should_be_listed_with_shape_and_place() {
        let weights = convert(&model(SHAPE)).unwrap().weights;
        let (header, data) = header(&weights);
        assert_eq!((weights.len() - data.len()) % ALIGNMENT, 0);
        assert_eq!(data.len(), WORDS * WORD);
        assert_eq!(header.as_object().unwrap().len(), 11);
        assert_eq!(
            header["model.norm.weight"],
            json!({ "dtype": "F32", "shape": [DIM], "data_offsets": [(WORDS - DIM) * WORD, WORDS * WORD] })
        );
        assert_eq!(header["model.layers.0.mlp.down_proj.weight"]["shape"], json!([DIM, 3]));
    }

    #[test]
    fn config_should_repeat_the_header() {
        let config: Value = serde_json::from_str(&convert(&model(SHAPE)).unwrap().config).unwrap();
        let fields = [
            "hidden_size",
            "intermediate_size",
            "num_hidden_layers",
            "num_attention_heads",
            "num_key_value_heads",
            "vocab_size",
            "max_position_embeddings",
        ];
        assert_eq!(fields.map(|field| config[field].as_i64().unwrap() as i32), SHAPE);
    }

    #[test]
    fn rest_should_be_ignored_when_it_comes_after_the_last_tensor() {
        let mut longer = model(SHAPE);
        longer.extend([1; 100]);
        assert_eq!(
            convert(&longer).unwrap().weights,
            convert(&model(SHAPE)).unwrap().weights
        );
    }

    #[test]
    fn file_should_be_refused_when_truncated() {
        let whole = model(SHAPE);
        for length in [0, HEADER * WORD - 1, HEADER * WORD, whole.len() - 1] {
            let error = convert(&whole[..length]).err().unwrap().to_string();
            assert!(error.starts_with("the file ends in "), "{length} bytes: {error}");
        }
    }

    #[test]
    fn header_should_be_refused_when_it_is_of_another_kind() {
        for (at, value) in [(5, -5), (2, 0), (4, 1), (0, 6)] {
            let mut shape = SHAPE;
            shape[at] = value;
            assert!(convert(&model(shape)).is_err(), "number {at} is {value}");
        }
    }
}
