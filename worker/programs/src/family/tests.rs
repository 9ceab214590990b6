//! Families: that the programs of models in use are small enough to be registered.

#![allow(clippy::unwrap_used)]

use super::{
    bert::Encoder,
    decoder::{Decoder, Purpose},
    Precision,
};
use crate::{attention::Heads, layer::Activation};
use assay_exact::program::{Program, MAX_ENCODED};

/// Checks that a program leads back from its encoding, and returns its length.
fn size(program: &Program) -> usize {
    let bytes = program.to_bytes();
    assert_eq!(Program::from_bytes(&bytes).as_ref(), Ok(program));
    bytes.len()
}

fn decoder(layers: usize) -> Decoder {
    Decoder {
        vocabulary: 128_256,
        width: 4_096,
        layers,
        heads: Heads {
            queries: 32,
            keys: 8,
            dimension: 128,
        },
        inner: 14_336,
        epsilon: 1e-5,
        qkv_bias: false,
        tied: false,
    }
}

fn smol() -> Decoder {
    Decoder {
        vocabulary: 49_152,
        width: 576,
        layers: 30,
        heads: Heads {
            queries: 9,
            keys: 3,
            dimension: 64,
        },
        inner: 1_536,
        epsilon: 1e-5,
        qkv_bias: false,
        tied: true,
    }
}

fn sizes(decoder: Decoder) -> [usize; 2] {
    [Purpose::Generate, Purpose::Score].map(|purpose| size(&decoder.program(Precision::W8A16, purpose).unwrap()))
}

#[test]
fn encoder_of_twelve_layers_should_be_small() {
    let encoder = Encoder {
        pooling: crate::family::bert::Pooling::Mean,
        vocabulary: 30_522,
        positions: 512,
        types: 2,
        width: 384,
        layers: 12,
        heads: 12,
        inner: 1_536,
        activation: Activation::Gelu,
        epsilon: 1e-12,
    };
    let size = size(&encoder.program(Precision::W8A16).unwrap());
    println!("BERT, 12 layers: {size} bytes");
    assert!(size < MAX_ENCODED / 4, "{size}");
}

#[test]
fn decoder_of_thirty_layers_should_be_small() {
    let sizes = sizes(smol());
    println!("SmolLM2-135M, generate and score: {sizes:?} bytes");
    assert!(sizes.iter().all(|size| *size < MAX_ENCODED / 2), "{sizes:?}");
}

#[test]
fn decoder_of_eighty_layers_should_fit() {
    let of_layers = |layers| sizes(decoder(layers));
    let (few, many) = (of_layers(32), of_layers(80));
    println!("Llama, generate and score: 32 layers {few:?}, 80 layers {many:?} bytes");
    assert!(few.iter().all(|size| *size < MAX_ENCODED / 2), "{few:?}");
    assert!(many.iter().all(|size| *size < MAX_ENCODED), "{many:?}");
}

#[test]
fn precision_should_lead_back_from_its_name() {
    for precision in Precision::ALL {
        assert_eq!(precision.to_string().parse(), Ok(precision));
    }
    assert_eq!(Precision::W8A16.to_string(), "w8a16");
    let error = "w4a4".parse::<Precision>().map_err(|error| error.to_string());
    assert_eq!(
        error,
        Err("expected a precision among w8a16, w8a8, w8a24, w16a16, w16a24, got \"w4a4\"".into())
    );
}
