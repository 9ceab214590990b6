//! Speed on a model of the size of MiniLM or SmolLM2 with arbitrary weights.
use assay_engine::executor::{Buffer, Executor, Given, Settings, WeightSource};
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
use std::time::Instant;

struct Arbitrary(Vec<(DType, usize, bool)>);
impl WeightSource for Arbitrary {
    type Error = std::convert::Infallible;
    fn read(&self, weight: usize) -> Result<Vec<u8>, Self::Error> {
        let (dtype, len, magnitude) = self.0[weight];
        let mut x = weight as u64 + 1;
        let mut next = || {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            x
        };
        Ok(match dtype {
            DType::F32 if magnitude => (0..len).flat_map(|_| 0.1f32.to_le_bytes()).collect(),
            DType::F32 => (0..len)
                .flat_map(|_| ((next() % 2000) as f32 / 1000.0 - 1.0).to_le_bytes())
                .collect(),
            DType::I8 => (0..len).map(|_| ((next() % 255) as i16 - 127) as i8 as u8).collect(),
            DType::I16 => (0..len)
                .flat_map(|_| (((next() % 32769) as i32 - 16384) as i16).to_le_bytes())
                .collect(),
            DType::U64 => (0..len).flat_map(|_| (next() >> 8).to_le_bytes()).collect(),
            DType::U32 => vec![0; 4 * len],
        })
    }
}
fn source(program: &Program) -> Arbitrary {
    let plan = Plan::new(program, Bindings { length: 1, position: 0 }).unwrap();
    Arbitrary(
        plan.weights
            .iter()
            .zip(&program.weights)
            .map(|(kind, w)| (kind.dtype, kind.shape.len() as usize, w.name.ends_with(".magnitudes")))
            .collect(),
    )
}
fn cpu() -> f64 {
    std::fs::read_dir("/proc/self/task")
        .unwrap()
        .map(|t| {
            std::fs::read_to_string(t.unwrap().path().join("schedstat"))
                .unwrap()
                .split(' ')
                .next()
                .unwrap()
                .parse::<f64>()
                .unwrap()
                / 1e9
        })
        .sum()
}
fn main() {
    let encoder = Encoder {
        vocabulary: 30522,
        positions: 512,
        types: 2,
        width: 384,
        layers: 6,
        heads: 12,
        inner: 1536,
        activation: Activation::Gelu,
        epsilon: 1e-12,
        pooling: Pooling::Mean,
    };
    for precision in [Precision::W8A16] {
        let program = encoder.program(precision).unwrap();
        for threads in [1] {
            let executor = Executor::load(
                program.clone(),
                &source(&program),
                Settings {
                    threads,
                    ..Settings::default()
                },
            )
            .unwrap();
            for (count, length) in [(32, 128), (1, 16)] {
                let mut best = [f64::MAX; 2];
                for _ in 0..3 {
                    for (at, mode) in [None, Some(HashMode::Plain)].iter().enumerate() {
                        let mut sessions: Vec<_> = (0..count).map(|_| executor.session()).collect();
                        let given = sessions
                            .iter_mut()
                            .map(|session| Given {
                                session,
                                length,
                                inputs: vec![Buffer::U32((0..length).collect())],
                            })
                            .collect();
                        let start = cpu();
                        let outputs = executor.step(given, mode.as_ref());
                        best[at] = best[at].min(cpu() - start);
                        assert!(outputs.iter().all(Result::is_ok), "{:?}", outputs[0].as_ref().err());
                    }
                }
                println!(
                    "{precision:?} {threads} threads {count} x {length}: {:.1} ms, recorded {:.1} ms",
                    best[0] * 1e3,
                    best[1] * 1e3
                );
            }
        }
    }
    let decoder = Decoder {
        vocabulary: 49152,
        width: 576,
        layers: 30,
        heads: Heads {
            queries: 9,
            keys: 3,
            dimension: 64,
        },
        inner: 1536,
        epsilon: 1e-5,
        qkv_bias: false,
        tied: true,
    };
    let program = match decoder.program(Precision::W8A16, Purpose::Generate) {
        Ok(p) => p,
        Err(e) => {
            println!("{e}");
            return;
        }
    };
    for threads in [1] {
        let executor = Executor::load(
            program.clone(),
            &source(&program),
            Settings {
                threads,
                ..Settings::default()
            },
        )
        .unwrap();
        let mut session = executor.session();
        let given = |tokens: Vec<u32>| {
            vec![
                Buffer::U32(tokens),
                Buffer::U64(vec![1]),
                Buffer::U32(vec![0]),
                Buffer::F32(vec![1.0]),
                Buffer::U32(vec![1]),
                Buffer::U32(vec![65536]),
                Buffer::F32(vec![1.0]),
            ]
        };
        let start = Instant::now();
        executor
            .step(
                vec![Given {
                    session: &mut session,
                    length: 512,
                    inputs: given((0..512).collect()),
                }],
                None,
            )
            .remove(0)
            .unwrap();
        println!(
            "{threads} threads prefill 512: {:.1} ms",
            start.elapsed().as_secs_f64() * 1e3
        );
        let start = Instant::now();
        for _ in 0..32 {
            executor
                .step(
                    vec![Given {
                        session: &mut session,
                        length: 1,
                        inputs: given(vec![5]),
                    }],
                    None,
                )
                .remove(0)
                .unwrap();
        }
        println!(
            "{threads} threads decode: {:.2} ms a token",
            start.elapsed().as_secs_f64() * 1e3 / 32.0
        );
    }
}
