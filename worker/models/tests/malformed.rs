//! Files that strangers have changed: reading them ends, in an error or in finite numbers, and takes little memory.

#![allow(clippy::unwrap_used)]

mod support;

use assay_models::{
    config::Config,
    source::{Gguf, Safetensors, Source, Weights},
    tokenizer::{Imported, Tokenizer},
};
use proptest::prelude::*;
use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
};
use support::Writer;

/// Counts what each thread has asked for at once.
struct Counting;

thread_local! {
    static LARGEST: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: every call goes to the system's allocator as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = LARGEST.try_with(|largest| largest.set(largest.get().max(layout.size())));
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract of `dealloc`, and `alloc` gave what the system gave.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The largest piece of memory that is asked for at once: files here have at most 256 KiB, which may be kept in vectors
/// that double, of elements of up to eight times the bytes in the file.
const MOST: usize = 4 << 20;

/// Fails if `read` asks for much memory at once.
fn bounded(read: impl FnOnce()) {
    LARGEST.set(0);
    read();
    let largest = LARGEST.get();
    assert!(largest <= MOST, "{largest} bytes at once");
}

fn read_all(weights: &dyn Weights) {
    for name in weights.names() {
        weights.shape(&name).unwrap();
        if let Ok(values) = weights.read_f32(&name) {
            assert!(values.iter().all(|value| value.is_finite()));
        }
    }
}

/// All that is read from a GGUF file.
fn read_gguf(bytes: Vec<u8>) {
    let Ok(gguf) = Gguf::from_bytes(bytes) else { return };
    read_all(&gguf);
    let source = Source::Gguf(gguf);
    let Ok(config) = Config::of(&source) else { return };
    let Ok(imported) = Imported::of(&source, &config) else {
        return;
    };
    if let Ok(tokenizer) = Tokenizer::from_json(&imported.json, config.vocabulary(), 16) {
        let _ = tokenizer
            .encode("ab <|end|>", true)
            .map(|ids| tokenizer.decode(&ids, false));
    }
}

fn gguf() -> Vec<u8> {
    let blocks = |bytes: usize| vec![1; bytes];
    Writer::new("llama")
        .u32("llama.embedding_length", 256)
        .u32("llama.block_count", 1)
        .u32("llama.attention.head_count", 2)
        .u32("llama.feed_forward_length", 32)
        .u32("llama.context_length", 16)
        .f32("llama.attention.layer_norm_rms_epsilon", 1e-5)
        .text("tokenizer.ggml.model", "gpt2")
        .text("tokenizer.ggml.pre", "smollm")
        .texts("tokenizer.ggml.tokens", &["<|end|>", "a", "b", "Ġ", "ab"])
        .i32s("tokenizer.ggml.token_type", &[3, 1, 1, 1, 1])
        .texts("tokenizer.ggml.merges", &["a b"])
        .f32s("tokenizer.ggml.scores", &[0.0; 5])
        .u32("tokenizer.ggml.bos_token_id", 0)
        .tensor("token_embd.weight", &[5, 256], 12, &blocks(5 * 144))
        .tensor("output.weight", &[5, 256], 14, &blocks(5 * 210))
        .tensor("blk.0.attn_q.weight", &[4, 256], 8, &blocks(4 * 8 * 34))
        .tensor("blk.0.attn_v.weight", &[2, 32], 2, &blocks(2 * 18))
        .tensor("output_norm.weight", &[8], 1, &blocks(16))
        .build()
}

fn safetensors() -> Vec<u8> {
    let header = r#"{"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[4,2],"data_offsets":[0,32]},
        "b":{"dtype":"F16","shape":[16],"data_offsets":[32,64]},"c":{"dtype":"I64","shape":[1],"data_offsets":[64,72]}}"#;
    support::safetensors(header, &[1; 72])
}

/// A file of which a few bytes are others, and from some place on nothing is left.
fn changed(file: Vec<u8>, head: usize) -> impl Strategy<Value = Vec<u8>> {
    let length = file.len();
    // Half of the changes hit the head, where they matter most.
    let place = prop_oneof![0..head.min(length), 0..length];
    let byte = prop_oneof![any::<u8>(), Just(0), Just(1), Just(0x7f), Just(0xff)];
    let changes = prop::collection::vec((place, byte), 0..6);
    let cut = prop_oneof![3 => Just(length), 1 => 0..length];
    (changes, cut).prop_map(move |(changes, cut)| {
        let mut file = file.clone();
        for (at, byte) in changes {
            file[at] = byte;
        }
        file.truncate(cut);
        file
    })
}

#[test]
fn gguf_should_be_read_whole_when_nothing_is_changed() {
    let source = Source::Gguf(Gguf::from_bytes(gguf()).unwrap());
    assert_eq!(source.names().len(), 5);
    read_all(&source);
    let config = Config::of(&source).unwrap();
    Tokenizer::from_json(&Imported::of(&source, &config).unwrap().json, config.vocabulary(), 16).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn gguf_should_not_panic_when_bytes_are_changed(file in changed(gguf(), 1_400)) {
        bounded(|| read_gguf(file));
    }

    #[test]
    fn safetensors_should_not_panic_when_bytes_are_changed(file in changed(safetensors(), 240)) {
        bounded(|| {
            if let Ok(source) = Safetensors::from_bytes(file) {
                read_all(&source);
            }
        });
    }

    #[test]
    fn files_should_not_panic_when_they_are_noise(noise in prop::collection::vec(any::<u8>(), 0..200)) {
        bounded(|| {
            let _ = Safetensors::from_bytes(noise.clone());
            let _ = Gguf::from_bytes([b"GGUF\x03\0\0\0", noise.as_slice()].concat());
            let _ = Config::from_json(&noise);
        });
    }
}

#[test]
fn every_cut_of_a_gguf_file_should_be_refused() {
    let file = gguf();
    for length in 0..file.len() {
        assert!(Gguf::from_bytes(file[..length].into()).is_err(), "{length}");
    }
}

#[test]
fn every_cut_of_a_safetensors_file_should_be_refused() {
    let file = safetensors();
    for length in 0..file.len() {
        assert!(Safetensors::from_bytes(file[..length].into()).is_err(), "{length}");
    }
}
