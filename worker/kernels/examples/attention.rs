//! Measures attention in the shapes of models: milliseconds for one layer of one sequence, and nanoseconds a score.
//!
//! An argument selects the shapes whose names contain it.

use assay_exact::operator::Visible;
use assay_kernels::{
    attention::{attend, Block, Keys, Output, Queries, Scratch},
    Isa,
};
use std::time::Instant;

struct Shape {
    name: &'static str,
    length: usize,
    tokens: usize,
    heads: usize,
    groups: usize,
    dimension: usize,
    visible: Visible,
}

const SHAPES: [Shape; 5] = [
    Shape {
        name: "BERT, 128 tokens",
        length: 128,
        tokens: 128,
        heads: 12,
        groups: 12,
        dimension: 32,
        visible: Visible::All,
    },
    Shape {
        name: "Llama, prefill of 512",
        length: 512,
        tokens: 512,
        heads: 9,
        groups: 3,
        dimension: 64,
        visible: Visible::Causal,
    },
    Shape {
        name: "Llama, decode after 127",
        length: 1,
        tokens: 128,
        heads: 9,
        groups: 3,
        dimension: 64,
        visible: Visible::Causal,
    },
    Shape {
        name: "Llama, decode after 1023",
        length: 1,
        tokens: 1_024,
        heads: 9,
        groups: 3,
        dimension: 64,
        visible: Visible::Causal,
    },
    Shape {
        name: "Llama, decode after 8191",
        length: 1,
        tokens: 8_192,
        heads: 9,
        groups: 3,
        dimension: 64,
        visible: Visible::Causal,
    },
];

/// Measurements of each; the fastest counts.
const RUNS: usize = 50;

fn main() {
    let wanted = std::env::args().nth(1).unwrap_or_default();
    for isa in Isa::available() {
        for shape in SHAPES.iter().filter(|shape| shape.name.contains(&wanted)) {
            measure(isa, shape);
        }
    }
}

fn measure(isa: Isa, shape: &Shape) {
    let Shape {
        name,
        length,
        tokens,
        heads,
        groups,
        dimension,
        visible,
    } = *shape;
    let mut state = 1u32;
    let mut noise = move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    let mut integers = || -> Vec<i16> {
        (0..tokens * groups * dimension)
            .map(|_| (noise() * 16_383.0) as i16)
            .collect()
    };
    let (k, v) = (integers(), integers());
    let q: Vec<f32> = (0..length * heads * dimension).map(|_| 2.0 * noise()).collect();
    let magnitudes = vec![1.5f32; tokens * groups];
    let keys = Keys {
        k: &k,
        k_magnitudes: &magnitudes,
        v: &v,
        v_magnitudes: &magnitudes,
        tokens,
        heads: groups,
        dimension,
    };
    let queries = Queries {
        q: &q,
        length,
        heads,
        visible,
        factor: 1.0 / (dimension as f32).sqrt(),
    };
    let mut o = vec![0.0f32; length * heads * dimension];
    let mut scratch = Scratch::default();
    let mut fastest = f64::INFINITY;
    for _ in 0..RUNS {
        let start = Instant::now();
        for group in 0..groups {
            let block = Block { group, rows: 0..length };
            let output = Output {
                o: &mut o[group * (heads / groups) * dimension..],
                stride: heads * dimension,
            };
            attend(isa, &keys, &queries, &block, output, &mut scratch).expect("nothing faults; qed");
        }
        fastest = fastest.min(start.elapsed().as_secs_f64());
    }
    let scores: usize = match visible {
        Visible::All => length * tokens,
        Visible::Causal => (0..length).map(|row| tokens - length + row + 1).sum(),
    };
    let gigabytes = (2 * tokens * groups * dimension * size_of::<i16>()) as f64 / fastest / 1e9;
    println!(
        "{isa:>8}  {name:<26} {:>9.3} ms  {:>6.2} ns a score  {gigabytes:>6.2} GB/s of cache",
        fastest * 1e3,
        fastest * 1e9 / (heads * scores) as f64,
    );
}
