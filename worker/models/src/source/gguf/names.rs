//! Tensors' names and order in GGUF files, and Hugging Face's.

/// Tensors outside of the layers.
const MODEL: [(&str, &str); 4] = [
    ("token_embd.weight", "model.embed_tokens.weight"),
    ("output_norm.weight", "model.norm.weight"),
    ("output.weight", "lm_head.weight"),
    // Llama 3.1's frequency factors, one for each pair of a head's dimensions. Hugging Face has no such tensor.
    ("rope_freqs.weight", FREQUENCY_FACTORS),
];

/// Tensors of a layer, without the `blk.N.` or `model.layers.N.` before and the `.weight` or `.bias` behind.
const LAYER: [(&str, &str); 9] = [
    ("attn_norm", "input_layernorm"),
    ("attn_q", "self_attn.q_proj"),
    ("attn_k", "self_attn.k_proj"),
    ("attn_v", "self_attn.v_proj"),
    ("attn_output", "self_attn.o_proj"),
    ("ffn_norm", "post_attention_layernorm"),
    ("ffn_gate", "mlp.gate_proj"),
    ("ffn_up", "mlp.up_proj"),
    ("ffn_down", "mlp.down_proj"),
];

/// The name of the tensor by which Llama 3.1's frequencies are divided.
pub const FREQUENCY_FACTORS: &str = "rope_freqs.weight";

/// Whose heads a tensor's rows belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heads {
    /// The queries'.
    Query,
    /// The keys' and values'.
    KeyValue,
}

/// Hugging Face's name for a GGUF file's tensor.
pub fn hugging_face(name: &str) -> Option<String> {
    if let Some((_, name)) = MODEL.iter().find(|(gguf, _)| *gguf == name) {
        return Some((*name).into());
    }
    let (layer, rest) = name.strip_prefix("blk.")?.split_once('.')?;
    // Only numbers as they are printed, so that no two names become one.
    let layer: u32 = layer.parse().ok().filter(|number: &u32| number.to_string() == layer)?;
    let (part, kind) = rest.rsplit_once('.')?;
    let (_, part) = LAYER.iter().find(|(gguf, _)| *gguf == part)?;
    matches!(kind, "weight" | "bias").then(|| format!("model.layers.{layer}.{part}.{kind}"))
}

/// Whether the file has the rows of this tensor (by Hugging Face's name) in pairs, and whose heads they are.
///
/// llama.cpp rotates neighbouring dimensions of `llama` models, so that its converter moves the rows of query and key
/// projections. It leaves those of `qwen2` where they are.
pub fn paired(architecture: &str, name: &str) -> Option<Heads> {
    if architecture != "llama" {
        return None;
    }
    let (rest, _) = name.rsplit_once('.')?;
    match rest.rsplit_once('.')?.1 {
        "q_proj" => Some(Heads::Query),
        "k_proj" => Some(Heads::KeyValue),
        _ => None,
    }
}

/// Rows of each head from the order 0, D/2, 1, D/2 + 1, … to 0, 1, …, D − 1.
pub fn halves_of_pairs(values: &[f32], rows: usize, heads: usize) -> Vec<f32> {
    if rows == 0 || heads == 0 {
        return values.to_vec();
    }
    let (columns, size) = (values.len() / rows, rows / heads);
    let mut moved = Vec::with_capacity(values.len());
    for head in 0..heads {
        for row in 0..size {
            let (half, pair) = (row / (size / 2), row % (size / 2));
            let from = head * size + 2 * pair + half;
            moved.extend_from_slice(&values[from * columns..][..columns]);
        }
    }
    moved
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hugging_face_should_name_tensors_of_layers() {
        let names = [
            ("blk.11.attn_q.weight", Some("model.layers.11.self_attn.q_proj.weight")),
            ("blk.0.attn_v.bias", Some("model.layers.0.self_attn.v_proj.bias")),
            (
                "blk.0.ffn_norm.weight",
                Some("model.layers.0.post_attention_layernorm.weight"),
            ),
            ("output.weight", Some("lm_head.weight")),
            ("blk.00.attn_q.weight", None),
            ("blk.0.attn_q.scale", None),
            ("blk.0.ffn_gate_exps.weight", None),
            ("position_embd.weight", None),
        ];
        for (gguf, expected) in names {
            assert_eq!(hugging_face(gguf).as_deref(), expected, "{gguf}");
        }
    }

    #[test]
    fn halves_of_pairs_should_undo_the_converter() {
        // Two heads of six rows of two columns; the converter interleaves each head's halves.
        let row = |r: usize| [r as f32, r as f32 + 0.5];
        let stored: Vec<f32> = [0, 3, 1, 4, 2, 5, 6, 9, 7, 10, 8, 11]
            .into_iter()
            .flat_map(row)
            .collect();
        let expected: Vec<f32> = (0..12).flat_map(row).collect();
        assert_eq!(halves_of_pairs(&stored, 12, 2), expected);
    }

    #[test]
    fn paired_should_be_queries_and_keys_of_llama_only() {
        assert_eq!(
            paired("llama", "model.layers.0.self_attn.q_proj.weight"),
            Some(Heads::Query)
        );
        assert_eq!(
            paired("llama", "model.layers.0.self_attn.k_proj.bias"),
            Some(Heads::KeyValue)
        );
        assert_eq!(paired("llama", "model.layers.0.self_attn.v_proj.weight"), None);
        assert_eq!(paired("qwen2", "model.layers.0.self_attn.q_proj.weight"), None);
    }
}
