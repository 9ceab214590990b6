//! How fast products of rows are: `cargo run --release -p assay-kernels --example product`.
//!
//! One thread. GMAC/s counts a multiplication with addition once, whatever the classes are. With one row in a, the
//! GB/s are those of b's bytes without multipliers (·c); everything else is the best of some repetitions, since machines are noisy.

use assay_exact::product::{Class, BLOCK};
use assay_kernels::{
    product::{multiply, Integers, Packed, Prepared, Rows},
    Isa,
};
use std::time::Instant;

const CLASSES: [Class; 3] = [Class::Int8, Class::Int16, Class::Int24];

/// Integers of a class, in its type.
enum Data {
    Int8(Vec<i8>),
    Int16(Vec<i16>),
    Int24(Vec<i32>),
}

impl Data {
    fn new(class: Class, count: usize) -> Self {
        let mut state = count as u32 | 1;
        let most = class.most();
        let next = move || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as i32 % (2 * most + 1) - most
        };
        let integers = std::iter::repeat_with(next).take(count);
        match class {
            Class::Int8 => Self::Int8(integers.map(|q| q as i8).collect()),
            Class::Int16 => Self::Int16(integers.map(|q| q as i16).collect()),
            Class::Int24 => Self::Int24(integers.collect()),
        }
    }

    fn integers(&self) -> Integers<'_> {
        match self {
            Self::Int8(integers) => Integers::Int8(integers),
            Self::Int16(integers) => Integers::Int16(integers),
            Self::Int24(integers) => Integers::Int24(integers),
        }
    }
}

/// The least seconds that `run` took, of as many times as fit a twentieth of a second, at least three.
fn best(mut run: impl FnMut()) -> f64 {
    let (begin, mut least) = (Instant::now(), f64::INFINITY);
    for round in 0.. {
        let start = Instant::now();
        run();
        least = least.min(start.elapsed().as_secs_f64());
        if round >= 2 && begin.elapsed().as_secs_f64() > 0.05 {
            break;
        }
    }
    least
}

/// Billions a second.
fn rate(count: usize, seconds: f64) -> f64 {
    count as f64 / seconds / 1e9
}

fn main() {
    let shapes = [
        (48, 384, 384),
        (128, 384, 384),
        (128, 384, 1_536),
        (128, 1_536, 384),
        (512, 1_024, 1_024),
        (96, 64, 96),
    ];
    println!("GMAC/s; for each: product, with preparing a, with packing b too");
    print!("{:>18} {:>8}", "a × b", "isa");
    shapes
        .iter()
        .for_each(|(m, k, n)| print!("{:>22}", format!("{m}×{k}×{n}")));
    println!("{:>22}", "1×4096×4096, GB/s");
    // Eight bits, without and with multipliers
    for (class_b, in_blocks) in CLASSES
        .into_iter()
        .map(|class| (class, false))
        .chain([(Class::Int8, true)])
    {
        for class_a in CLASSES {
            for isa in Isa::available().into_iter().rev() {
                let blocks = if in_blocks { " ·c" } else { "" };
                print!(
                    "{:>18} {:>8}",
                    format!("{class_a:?} × {class_b:?}{blocks}"),
                    isa.to_string()
                );
                for (m, k, n) in shapes {
                    let [product, prepared, packed] =
                        measure(isa, (class_a, class_b, in_blocks), (m, k, n)).map(|seconds| rate(m * k * n, seconds));
                    print!("{:>22}", format!("{product:.1} {prepared:.1} {packed:.1}"));
                }
                let [decode, ..] = measure(isa, (class_a, class_b, in_blocks), (1, 4_096, 4_096));
                println!("{:>22.1}", rate(4_096 * 4_096 * class_b.digits(), decode));
            }
        }
    }
    for class in CLASSES {
        let words = vec![1u64; 4_096 * 4_096 * class.digits() / 8];
        let read = best(|| {
            std::hint::black_box(words.iter().fold(0, |sum, word| sum ^ word));
        });
        println!(
            "{class:?}: as many bytes only read, {:.1} GB/s",
            rate(words.len() * 8, read)
        );
        for isa in Isa::available().into_iter().rev() {
            let (n, k) = (1_024, 1_024);
            let data = Data::new(class, n * k);
            let rows = Rows::new(data.integers(), n, k, None);
            let (mut a, mut b) = (Prepared::new(), Packed::new());
            let prepare = best(|| a.fill(isa, &rows, class).expect("integers are in their class"));
            let pack = best(|| b.fill(isa, &rows).expect("integers are in their class"));
            println!(
                "{class:?} {isa}: {:.2} billion integers a second prepared, {:.2} packed",
                rate(n * k, prepare),
                rate(n * k, pack)
            );
        }
    }
}

/// Seconds for a product; with a prepared; with a prepared and b packed.
fn measure(
    isa: Isa,
    (class_a, class_b, in_blocks): (Class, Class, bool),
    (m, k, n): (usize, usize, usize),
) -> [f64; 3] {
    let (data_a, data_b) = (Data::new(class_a, m * k), Data::new(class_b, n * k));
    let (magnitudes_a, magnitudes_b) = (vec![1.5; m], vec![0.75; n]);
    let rows_a = Rows::new(data_a.integers(), m, k, Some(&magnitudes_a));
    let rows_b = Rows::new(data_b.integers(), n, k, Some(&magnitudes_b));
    let (mut a, mut b) = (Prepared::new(), Packed::new());
    let mut out = vec![0.0; m * n];
    let prepare = |a: &mut Prepared| a.fill(isa, &rows_a, class_b).expect("integers are in their class");
    let multipliers = vec![9_999; n * k / BLOCK as usize];
    let pack = |b: &mut Packed| {
        let packed = match in_blocks {
            false => b.fill(isa, &rows_b),
            true => b.fill_multiplied(isa, &rows_b, &multipliers),
        };
        packed.expect("integers are in their class");
    };
    let mut product =
        |a: &Prepared, b: &Packed| multiply(isa, a, b, 0..m, 0..n, &mut out, n).expect("products are finite");
    prepare(&mut a);
    pack(&mut b);
    [
        best(|| product(&a, &b)),
        best(|| {
            prepare(&mut a);
            product(&a, &b);
        }),
        best(|| {
            prepare(&mut a);
            pack(&mut b);
            product(&a, &b);
        }),
    ]
}
