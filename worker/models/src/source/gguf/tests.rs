//! What GGUF files give, and why they are refused.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::support::Writer;

fn refused(writer: &Writer) -> String {
    Gguf::from_bytes(writer.build()).unwrap_err().to_string()
}

#[test]
fn names_should_be_those_of_hugging_face() {
    let names = Gguf::from_bytes(Writer::model("qwen2").build()).unwrap().names();
    assert_eq!(names.len(), 20);
    assert_eq!(names[0], "model.embed_tokens.weight");
    assert_eq!(names[10], "model.layers.1.input_layernorm.weight");
}

#[test]
fn read_should_leave_rows_where_they_are_when_the_family_is_qwen2() {
    let gguf = Gguf::from_bytes(Writer::model("qwen2").build()).unwrap();
    let name = "model.layers.0.self_attn.q_proj.weight";
    assert_eq!(gguf.shape(name).unwrap(), [64, 64]);
    assert_eq!(gguf.read_f32(name).unwrap()[..3], [0.0, 1.0 / 64.0, 2.0 / 64.0]);
    assert_eq!(gguf.read_f32(name).unwrap()[64], 1.0);
}

#[test]
fn read_should_put_queries_and_keys_in_halves_when_the_family_is_llama() {
    let gguf = Gguf::from_bytes(Writer::model("llama").build()).unwrap();
    // 16 dimensions a head: row 1 was row 2, row 8 was row 1. A row of 64 numbers begins with its number.
    let firsts = |name: &str| -> Vec<f32> { gguf.read_f32(name).unwrap().chunks(64).map(|row| row[0]).collect() };
    for name in [
        "model.layers.0.self_attn.q_proj.weight",
        "model.layers.0.self_attn.k_proj.weight",
    ] {
        assert_eq!(
            firsts(name)[..16],
            [0., 2., 4., 6., 8., 10., 12., 14., 1., 3., 5., 7., 9., 11., 13., 15.]
        );
    }
    assert_eq!(firsts("model.layers.0.self_attn.v_proj.weight")[..4], [0., 1., 2., 3.]);
}

#[test]
fn read_should_decode_blocks_along_rows() {
    // Q8_0: d = 0.5, then 32 bytes.
    let mut block = 0x3800_u16.to_le_bytes().to_vec();
    block.extend((0..32).map(|i| i as u8));
    let writer = Writer::new("qwen2").tensor("output.weight", &[2, 32], 8, &block.repeat(2));
    let gguf = Gguf::from_bytes(writer.build()).unwrap();
    let values = gguf.read_f32("lm_head.weight").unwrap();
    assert_eq!((values.len(), values[31], values[33]), (64, 15.5, 0.5));
}

#[test]
fn file_should_be_refused_when_it_is_of_another_family() {
    let error = refused(&Writer::new("gemma"));
    assert!(error.contains("expected llama or qwen2, got \"gemma\""), "{error}");
}

#[test]
fn file_should_be_refused_when_a_tensor_is_unknown() {
    let error = refused(&Writer::model("qwen2").floats("blk.0.attn_q_norm.weight", 16, 0));
    assert!(error.contains("blk.0.attn_q_norm.weight"), "{error}");
}

#[test]
fn file_should_be_refused_when_an_encoding_is_not_supported() {
    let error = refused(&Writer::new("llama").tensor("output.weight", &[1, 256], 10, &[0; 84]));
    assert!(error.contains("Q6_K, got type 10"), "{error}");
}

#[test]
fn file_should_be_refused_when_data_lie_outside() {
    let error = refused(&Writer::new("llama").tensor("output.weight", &[4, 4], 0, &[0; 60]));
    assert!(error.contains("64 bytes at"), "{error}");
}

#[test]
fn file_should_be_refused_when_tensors_share_data() {
    let names = ["output.weight", "token_embd.weight"];
    let writer = Writer::new("llama")
        .tensor(names[0], &[8], 0, &[0; 32])
        .tensor(names[1], &[8], 0, &[0; 32]);
    let mut file = writer.build();
    // Behind the name: dimensions, one of 8 bytes, the type, then the offset
    let at = file
        .windows(names[1].len())
        .position(|part| part == names[1].as_bytes());
    let offset = at.unwrap() + names[1].len() + 4 + 8 + 4;
    assert_eq!(file[offset..offset + 8], 32_u64.to_le_bytes());
    file[offset..offset + 8].fill(0);
    let error = Gguf::from_bytes(file).unwrap_err().to_string();
    assert!(
        error.contains("\"token_embd.weight\": expected data that begin at byte"),
        "{error}"
    );
}

#[test]
fn file_should_be_refused_when_a_shape_overflows() {
    for shape in [&[u64::MAX, 32][..], &[1 << 40, 1 << 40], &[1, 1, 1, 1, 1]] {
        let error = refused(&Writer::new("llama").tensor("output.weight", shape, 0, &[0; 64]));
        assert!(error.contains("output.weight"), "{error}");
    }
}

#[test]
fn file_should_be_refused_when_rows_are_no_whole_blocks() {
    let error = refused(&Writer::new("llama").tensor("output.weight", &[2, 16], 8, &[0; 34]));
    assert!(error.contains("whole blocks of 32 elements, got 16"), "{error}");
}

#[test]
fn file_should_be_refused_when_it_counts_more_than_it_has() {
    let mut file = Writer::model("llama").build();
    file[8..16].copy_from_slice(&u64::MAX.to_le_bytes());
    let error = Gguf::from_bytes(file).unwrap_err().to_string();
    assert!(error.contains("number of tensors: expected at most"), "{error}");
}

#[test]
fn file_should_be_refused_when_the_version_is_another() {
    let mut file = Writer::model("llama").build();
    file[4..8].copy_from_slice(&1_u32.to_le_bytes());
    let error = Gguf::from_bytes(file).unwrap_err().to_string();
    assert!(error.contains("version: expected 2 or 3"), "{error}");
}

#[test]
fn file_should_be_refused_when_heads_do_not_divide_rows() {
    let error = refused(&Writer::model("llama").u32("llama.attention.head_count", 3));
    assert!(error.contains("llama.attention.head_count: expected"), "{error}");
}

#[test]
fn read_should_name_the_element_when_a_weight_is_not_finite() {
    let data: Vec<u8> = [1.0, f32::INFINITY]
        .iter()
        .flat_map(|number| number.to_le_bytes())
        .collect();
    let gguf = Gguf::from_bytes(
        Writer::new("llama")
            .tensor("output_norm.weight", &[2], 0, &data)
            .build(),
    )
    .unwrap();
    let error = gguf.read_f32("model.norm.weight").unwrap_err().to_string();
    assert!(
        error.contains("\"model.norm.weight\", element 1: expected a finite number, got inf"),
        "{error}"
    );
}

#[test]
fn shape_should_fail_when_there_is_no_such_tensor() {
    let gguf = Gguf::from_bytes(Writer::model("llama").build()).unwrap();
    let error = gguf.shape("lm_head.weight").unwrap_err().to_string();
    assert!(
        error.contains("\"lm_head.weight\", got none of that name among 20"),
        "{error}"
    );
}
