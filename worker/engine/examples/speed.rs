//! Times models of the sizes of MiniLM and SmolLM2 with weights that are any numbers:
//!
//! ```text
//! cargo run --release -p assay-engine --example speed
//! ```
//!
//! The least of several runs, with one thread and with two, with and without recording what a trace needs.

use assay_engine::{
    executor::{Buffer, Executor, Given, WeightSource},
    Settings,
};
use assay_exact::{
    opening::HashMode,
    operator::Bindings,
    program::{Plan, Program},
    tensor::DType,
};
use assay_programs::{
    attention::Heads,
    family::{
        bert::{Encoder, Pooling},
        decoder::{Decoder, Purpose},
        Precision,
    },
    layer::Activation,
};
use std::{convert::Infallible, error::Error, time::Instant};

/// Runs of which the least time is taken.
const RUNS: usize = 5;

/// Type and number of elements of each weight, and whether it is magnitudes.
struct Arbitrary(Vec<(DType, usize, bool)>);

impl Arbitrary {
    fn of(program: &Program) -> Result<Self, Box<dyn Error>> {
        let once = Bindings { length: 1, position: 0 };
        let plan = Plan::new(program, once).map_err(|error| error.to_string())?;
        let weights = plan.weights.iter().zip(&program.weights);
        let described = weights.map(|(kind, weight)| {
            let is_magnitudes = weight.name.ends_with(".magnitudes");
            (kind.dtype, kind.shape.len() as usize, is_magnitudes)
        });
        Ok(Self(described.collect()))
    }
}

impl WeightSource for Arbitrary {
    type Error = Infallible;

    fn read(&self, weight: usize) -> Result<Vec<u8>, Infallible> {
        let (dtype, len, is_magnitudes) = self.0[weight];
        let mut x = weight as u64 + 1;
        let mut next = move || {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            x
        };
        let all = 0..len;
        Ok(match dtype {
            DType::F32 if is_magnitudes => all.flat_map(|_| 0.1f32.to_le_bytes()).collect(),
            DType::F32 => all
                .flat_map(|_| ((next() % 2_000) as f32 / 1_000.0 - 1.0).to_le_bytes())
                .collect(),
            DType::I8 => all.map(|_| ((next() % 255) as i16 - 127) as i8 as u8).collect(),
            DType::I16 => all
                .flat_map(|_| (((next() % 32_769) as i32 - 16_384) as i16).to_le_bytes())
                .collect(),
            DType::U64 => all.flat_map(|_| (next() >> 8).to_le_bytes()).collect(),
            DType::U32 => vec![0; 4 * len],
        })
    }
}

/// Milliseconds of a step of several sequences.
fn embed(executor: &Executor, count: usize, length: u32, record: Option<&HashMode>) -> Result<f64, Box<dyn Error>> {
    let mut sessions: Vec<_> = (0..count).map(|_| executor.session()).collect();
    let given = sessions.iter_mut().map(|session| Given {
        session,
        length,
        inputs: vec![Buffer::U32((0..length).collect())],
    });
    let given = given.collect();
    let start = Instant::now();
    for output in executor.step(given, record) {
        output?;
    }
    Ok(start.elapsed().as_secs_f64() * 1e3)
}

fn encoder() -> Result<(), Box<dyn Error>> {
    let encoder = Encoder {
        vocabulary: 30_522,
        positions: 512,
        types: 2,
        width: 384,
        layers: 6,
        heads: 12,
        inner: 1_536,
        activation: Activation::Gelu,
        epsilon: 1e-12,
        pooling: Pooling::Mean,
    };
    for precision in [Precision::W8A16, Precision::W8A8, Precision::W16A24] {
        let program = encoder.program(precision).map_err(|error| error.to_string())?;
        for threads in [1, 2] {
            let settings = Settings {
                threads,
                ..Settings::default()
            };
            let executor = Executor::load(program.clone(), &Arbitrary::of(&program)?, settings)?;
            for (count, length) in [(32, 128), (1, 16)] {
                let [mut plain, mut recorded] = [f64::MAX; 2];
                for _ in 0..RUNS {
                    plain = plain.min(embed(&executor, count, length, None)?);
                    recorded = recorded.min(embed(&executor, count, length, Some(&HashMode::Plain))?);
                }
                println!("MiniLM {precision}, {threads} threads, {count} x {length} tokens: {plain:.1} ms, recorded {recorded:.1} ms");
            }
        }
    }
    Ok(())
}

fn decoder() -> Result<(), Box<dyn Error>> {
    const PROMPT: u32 = 512;
    const TOKENS: usize = 64;
    let decoder = Decoder {
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
    };
    let program = decoder
        .program(Precision::W8A16, Purpose::Generate)
        .map_err(|error| error.to_string())?;
    let inputs = |tokens: Vec<u32>| {
        vec![
            Buffer::U32(tokens),
            Buffer::U64(vec![1]),
            Buffer::U32(vec![0]),
            Buffer::F32(vec![1.0]),
            Buffer::U32(vec![1]),
            Buffer::U32(vec![1 << 16]),
            Buffer::F32(vec![1.0]),
        ]
    };
    for threads in [1, 2] {
        let settings = Settings {
            threads,
            ..Settings::default()
        };
        let executor = Executor::load(program.clone(), &Arbitrary::of(&program)?, settings)?;
        let mut session = executor.session();
        let mut step = |tokens: Vec<u32>| {
            let given = Given {
                session: &mut session,
                length: tokens.len() as u32,
                inputs: inputs(tokens),
            };
            let start = Instant::now();
            let output = executor.step(vec![given], None).remove(0);
            output.map(|_| start.elapsed().as_secs_f64() * 1e3)
        };
        let prefill = step((0..PROMPT).collect())?;
        let mut decode = Vec::with_capacity(TOKENS);
        for _ in 0..TOKENS {
            decode.push(step(vec![5])?);
        }
        decode.sort_by(f64::total_cmp);
        println!(
            "SmolLM2-135M w8a16, {threads} threads: prompt of {PROMPT} tokens {prefill:.0} ms, a token {:.2} ms (median of {TOKENS})",
            decode[TOKENS / 2]
        );
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    encoder()?;
    decoder()
}
