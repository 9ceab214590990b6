//! Prints what kernels over rows take, in nanoseconds an element, for each instruction set of this machine.

use assay_exact::{
    expression::{Binary, Comparison, Expression, Node, Unary},
    operator::{Bindings, Coordinate, Dim, Term},
    tensor::{DType, Shape},
};
use assay_kernels::{
    expression::{map, unary, Data, Evaluator, Input},
    rotate::Turns,
    row, sample,
    view::View,
    Isa,
};
use std::{hint::black_box, time::Instant};

/// Elements of a row, and rows.
const WIDTH: usize = 1_536;
const ROWS: usize = 64;

const NOWHERE: Bindings = Bindings { length: 0, position: 0 };

/// The least of several runs, in nanoseconds an element.
fn time(elements: usize, mut work: impl FnMut()) -> f64 {
    let run = |_| {
        let start = Instant::now();
        for _ in 0..4 {
            work();
        }
        start.elapsed().as_secs_f64() * 1e9 / (4 * elements) as f64
    };
    (0..15).map(run).fold(f64::INFINITY, f64::min)
}

fn noise(count: usize) -> Vec<f32> {
    let mut state = 1u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 21) as f32 - 4.0
    };
    (0..count).map(|_| next()).collect()
}

fn report(name: &str, elements: usize, mut work: impl FnMut(Isa)) {
    print!("{name:32}");
    for isa in Isa::available() {
        print!(" {:10.3}", time(elements, || work(isa)));
    }
    println!();
}

fn functions(x: &[f32], out: &mut [f32]) {
    let all = [
        Unary::Neg,
        Unary::Abs,
        Unary::Sqrt,
        Unary::Exp,
        Unary::Ln,
        Unary::Tanh,
        Unary::Erf,
        Unary::Sigmoid,
        Unary::Silu,
        Unary::SiluDerivative,
        Unary::Gelu,
        Unary::GeluDerivative,
        Unary::GeluTanh,
        Unary::GeluTanhDerivative,
        Unary::Relu,
        Unary::Rne,
        Unary::Floor,
        Unary::Power,
    ];
    for function in all {
        report(&format!("{function:?}"), WIDTH, |isa| {
            unary(isa, function, black_box(&x[..WIDTH]), &mut out[..WIDTH])
        });
    }
}

fn rows(x: &[f32], out: &mut [f32]) {
    let mut of_rows = vec![0.0; ROWS];
    let mut indices = vec![0; ROWS];
    report("magnitude", x.len(), |isa| {
        row::magnitudes(isa, black_box(x), WIDTH, &mut of_rows).expect("finite")
    });
    let magnitudes = of_rows.clone();
    report("maximum", x.len(), |isa| {
        row::maxima(isa, black_box(x), WIDTH, |_| WIDTH, &mut of_rows).expect("finite")
    });
    report("argmax", x.len(), |isa| {
        row::argmaxima(isa, black_box(x), WIDTH, &mut indices).expect("finite")
    });
    report("sum", x.len(), |isa| {
        row::sums(isa, black_box(x), WIDTH, &magnitudes, &mut of_rows).expect("finite")
    });
    report("weights", WIDTH, |isa| {
        row::weights(isa, black_box(&x[..WIDTH]), 4.0, WIDTH, &mut out[..WIDTH]).expect("finite")
    });
    let weights = vec![0.25; x.len()];
    for bits in [30, 40] {
        report(&format!("weight_sum {bits}"), x.len(), |isa| {
            row::weight_sums(isa, black_box(&weights), WIDTH, bits, &mut of_rows).expect("weights")
        });
    }
    let (mut int8, mut int16, mut int24) = (vec![0i8; x.len()], vec![0i16; x.len()], vec![0i32; x.len()]);
    report("quantise 8", x.len(), |isa| {
        row::quantise_rows(isa, black_box(x), WIDTH, &magnitudes, &mut int8).expect("finite")
    });
    report("quantise 16", x.len(), |isa| {
        row::quantise_rows(isa, black_box(x), WIDTH, &magnitudes, &mut int16).expect("finite")
    });
    report("quantise 24", x.len(), |isa| {
        row::quantise_rows(isa, black_box(x), WIDTH, &magnitudes, &mut int24).expect("finite")
    });
}

fn expressions(x: &[f32], out: &mut [f32]) {
    let shape = |dims: &[usize]| {
        let dims: Vec<_> = dims.iter().map(|dim| *dim as u32).collect();
        Shape::new(&dims, DType::F32).expect("small")
    };
    let whole = Input {
        shape: shape(&[ROWS, WIDTH]),
        data: Data::F32(x),
    };
    let bias = Input {
        shape: shape(&[WIDTH]),
        data: Data::F32(&x[..WIDTH]),
    };
    let column = Input {
        shape: shape(&[ROWS, 1]),
        data: Data::F32(&x[..ROWS]),
    };
    let bytes = vec![3i8; x.len()];
    let integers = Input {
        shape: shape(&[ROWS, WIDTH]),
        data: Data::I8(&bytes),
    };
    let (mul, add, sub) = (Binary::Mul, Binary::Add, Binary::Sub);
    let cases: [(&str, Vec<Node>, Vec<Input<'_>>); 6] = [
        (
            "x + y",
            vec![Node::Input(0), Node::Input(1), Node::Binary(add, 0, 1)],
            vec![whole, whole],
        ),
        (
            "gelu(x + bias)",
            vec![
                Node::Input(0),
                Node::Input(1),
                Node::Binary(add, 0, 1),
                Node::Unary(Unary::Gelu, 2),
            ],
            vec![whole, bias],
        ),
        (
            "(x − μ) · r · γ + β",
            vec![
                Node::Input(0),
                Node::Input(1),
                Node::Binary(sub, 0, 1),
                Node::Binary(mul, 2, 1),
                Node::Input(2),
                Node::Binary(mul, 3, 4),
                Node::Binary(add, 5, 4),
            ],
            vec![whole, column, bias],
        ),
        (
            "silu(x) · y",
            vec![
                Node::Input(0),
                Node::Unary(Unary::Silu, 0),
                Node::Input(1),
                Node::Binary(mul, 1, 2),
            ],
            vec![whole, whole],
        ),
        (
            "int8 · s",
            vec![Node::Input(0), Node::Input(1), Node::Binary(mul, 0, 1)],
            vec![integers, column],
        ),
        (
            "x < 0 ? 0 : y",
            vec![
                Node::Input(0),
                Node::Input(1),
                Node::Constant(0),
                Node::Select(Comparison::Less, [0, 2, 2, 1]),
            ],
            vec![whole, whole],
        ),
    ];
    for (name, nodes, inputs) in cases {
        let evaluator = Evaluator::new(&Expression(nodes));
        let output = shape(&[ROWS, WIDTH]);
        report(name, x.len(), |isa| {
            map(isa, &evaluator, black_box(&inputs), &output, 0..ROWS as u64, out).expect("finite");
        });
    }
}

fn views(x: &[f32], out: &mut [f32]) {
    let along = |dimension: u8, offset: i32, factors: &[(u8, i32)]| Coordinate {
        offset: Dim::constant(offset),
        terms: [(dimension, 1)]
            .iter()
            .chain(factors)
            .map(|(dimension, factor)| Term {
                dimension: *dimension,
                factor: *factor,
            })
            .collect(),
        divisor: 1,
    };
    let shape = |dims: &[u32]| Shape::new(dims, DType::F32).expect("small");
    let (rows, width) = (ROWS as u32, WIDTH as u32);
    let transpose = View::new(
        &shape(&[width, rows]),
        &[along(1, 0, &[]), along(0, 0, &[])],
        &shape(&[rows, width]),
        NOWHERE,
    );
    let bytes: Vec<u8> = x.iter().map(|x| x.to_bits() as u8).collect();
    let words: Vec<u16> = x.iter().map(|x| x.to_bits() as u16).collect();
    let (mut out_bytes, mut out_words) = (bytes.clone(), words.clone());
    report("transpose, 1 byte", x.len(), |_| {
        transpose.copy(black_box(&bytes), 0..width.into(), &mut out_bytes)
    });
    report("transpose, 2 bytes", x.len(), |_| {
        transpose.copy(black_box(&words), 0..width.into(), &mut out_words)
    });
    report("transpose, 4 bytes", x.len(), |_| {
        transpose.copy(black_box(x), 0..width.into(), out)
    });
    let heads = [along(1, 0, &[]), along(0, 0, &[]), along(2, 0, &[])];
    let heads = View::new(
        &shape(&[width / 64, rows, 64]),
        &heads,
        &shape(&[rows, width / 64, 64]),
        NOWHERE,
    );
    report("heads of 64", x.len(), |_| {
        heads.copy(black_box(x), 0..u64::from(rows * width / 64), out)
    });
    let windows = [along(0, 0, &[]), along(1, -1, &[(3, 1)]), along(2, -1, &[(4, 1)])];
    let windows = View::new(&shape(&[10, 32, 32, 3, 3]), &windows, &shape(&[10, 32, 32]), NOWHERE);
    let count = 10 * 32 * 32 * 9;
    report("windows of 3 × 3, last", count, |_| {
        windows.copy(&x[..10_240], 0..10 * 32 * 32 * 3, &mut out[..count])
    });
    let windows = [along(0, 0, &[]), along(3, -1, &[(1, 1)]), along(4, -1, &[(2, 1)])];
    let windows = View::new(&shape(&[10, 3, 3, 32, 32]), &windows, &shape(&[10, 32, 32]), NOWHERE);
    report("windows of 3 × 3, before", count, |_| {
        windows.copy(&x[..10_240], 0..10 * 32 * 9, &mut out[..count])
    });
}

fn sampling(x: &[f32], out: &mut [f32]) {
    let vocabulary = 32_768;
    let scores = &x[..vocabulary];
    let mut of_all = vec![0u32; vocabulary];
    let mut masses = vec![0u64; vocabulary];
    report("chance", vocabulary, |isa| {
        sample::chances(isa, scores, vocabulary, &[4.0], &mut of_all).expect("below 4")
    });
    let chances = of_all.clone();
    report("rank", vocabulary, |_| {
        sample::ranks(black_box(scores), vocabulary, &mut of_all)
    });
    report("mass", vocabulary, |_| {
        sample::masses(black_box(scores), &chances, vocabulary, &mut masses)
    });
    let mut kept = vec![0u32; vocabulary];
    report("keep by rank", vocabulary, |isa| {
        sample::keep_ranks(isa, black_box(&chances), &of_all, vocabulary, &[50], &mut kept)
    });
    report("keep by mass", vocabulary, |isa| {
        sample::keep_mass(
            isa,
            black_box(&chances),
            &masses,
            vocabulary,
            (&[1 << 40], &[60_000]),
            &mut kept,
        )
    });
    let indices: Vec<_> = x[..WIDTH].iter().map(|x| x.to_bits() >> 3 & 511).collect();
    report("scatter", x.len(), |isa| {
        sample::scatter(isa, black_box(x), &[4.0; ROWS], &indices, 512, &mut out[..512 * ROWS]).expect("finite")
    });
    let frequencies: Vec<_> = (1..33u64).map(|pair| u64::MAX / (pair * pair)).collect();
    report("turns, a pair", 32 * ROWS, |isa| {
        black_box(Turns::new(isa, &frequencies, 0, ROWS, false));
    });
    let turns = Turns::new(Isa::detect(), &frequencies, 0, ROWS, false);
    report("rotate", x.len(), |isa| {
        let dims = [ROWS as u32, (WIDTH / 64) as u32, 64];
        turns
            .apply_rows(isa, &dims, 2, 0..x.len() / 64, black_box(x), out)
            .expect("finite")
    });
}

fn main() {
    let isas: Vec<_> = Isa::available().iter().map(|isa| format!("{isa:>10}")).collect();
    println!("{:32} {}", "ns an element", isas.join(" "));
    let x = noise(ROWS * WIDTH);
    let mut out = vec![0.0; x.len()];
    functions(&x, &mut out);
    rows(&x, &mut out);
    expressions(&x, &mut out);
    views(&x, &mut out);
    sampling(&x, &mut out);
}
