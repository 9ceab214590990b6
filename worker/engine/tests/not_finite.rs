//! Weights and inputs that are not finite, which operators that copy pass on: the engine fails at the operator at which the
//! reference fails, or gives the same bits.

#![allow(clippy::unwrap_used)]

use assay_engine::executor::{Buffer, Executor, Failure, Given, LoadError, Settings, WeightSource};
use assay_exact::{
    expression::{Binary, Comparison, Unary},
    memory::Tensor as Elements,
    operator::{Bindings, Coordinate, Dim, Operator, Side, TensorType, Term, Visible},
    product::Class,
    program::{run_step, Declaration, Place, Plan, Program, StepError},
    tensor::{to_bytes, DType},
};
use assay_kernels::Isa;
use assay_programs::{
    builder::{along, fixed, Builder, Tensor},
    formula::Formula,
};
use std::convert::Infallible;

/// Infinities; quiet and signalling NaNs of both signs; the greatest number, which is finite.
const SPECIAL: [u32; 9] = [
    0x7f800000, 0xff800000, 0x7fc00000, 0xffc00001, 0xffffffff, 0x7f800001, 0xff800001, 0x7fbfffff, 0x7f7fffff,
];

const WIDTH: usize = 4;
const TABLE_ROWS: usize = 5;
/// The row of the table, or of the input, that has the special value, and the columns in which it is tried.
const SPECIAL_ROW: usize = 3;
const SPECIAL_COLUMNS: [usize; 2] = [1, 3];

/// Where the rows come from that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    /// Rows of a table of weights.
    Table,
    /// An input.
    Input,
    /// Weights themselves: everything is known when they are loaded.
    Weight,
}

/// Rows x `[N, 4]`, with what operators want beside them: m `[N]`, above all elements, and indices `[N]`, below three.
struct Rows {
    x: Tensor,
    m: Tensor,
    indices: Tensor,
    count: Dim,
}

/// An operator that reads rows.
type Reader = Box<dyn Fn(&mut Builder, &Rows) -> Tensor>;

fn readers() -> Vec<Reader> {
    let mut all: Vec<Reader> = Vec::new();
    for function in [
        Unary::Relu,
        Unary::Exp,
        Unary::Sigmoid,
        Unary::SiluDerivative,
        Unary::GeluDerivative,
        Unary::GeluTanhDerivative,
        Unary::Silu,
        Unary::Tanh,
        Unary::Abs,
        Unary::Rne,
        Unary::Power,
    ] {
        all.push(Box::new(move |builder, rows| {
            builder.map(Formula::input(0).unary(function), &[rows.x])
        }));
    }
    for function in [Binary::Max, Binary::Min, Binary::Add] {
        all.push(Box::new(move |builder, rows| {
            builder.map(Formula::input(0).binary(function, Formula::constant(0.5)), &[rows.x])
        }));
        all.push(Box::new(move |builder, rows| {
            builder.map(Formula::constant(0.5).binary(function, Formula::input(0)), &[rows.x])
        }));
    }
    for comparison in [Comparison::Less, Comparison::Equal] {
        all.push(Box::new(move |builder, rows| {
            let (x, limit) = (Formula::input(0), Formula::constant(1e30));
            builder.map(
                x.clone().select(comparison, limit, x, Formula::constant(2.0)),
                &[rows.x],
            )
        }));
    }
    for operator in [
        Operator::Magnitude,
        Operator::Maximum(Visible::All),
        Operator::Maximum(Visible::Causal),
        Operator::ArgMax,
        Operator::WeightSum(30),
        Operator::Rank,
    ] {
        all.push(Box::new(move |builder, rows| builder.push(operator.clone(), &[rows.x])));
    }
    for operator in [
        Operator::Sum,
        Operator::Weights(Visible::All),
        Operator::Weights(Visible::Causal),
        Operator::Quantise(Class::Int8),
        Operator::Quantise(Class::Int16),
        Operator::Chance,
    ] {
        all.push(Box::new(move |builder, rows| {
            builder.push(operator.clone(), &[rows.x, rows.m])
        }));
    }
    let side = |class| Side { class, scaled: true };
    for (a, b) in [(Class::Int24, Class::Int16), (Class::Int8, Class::Int8)] {
        let operator = Operator::Product { a: side(a), b: side(b) };
        all.push(Box::new(move |builder, rows| {
            builder.push(operator.clone(), &[rows.x, rows.x, rows.m, rows.m])
        }));
    }
    all.push(Box::new(move |builder, rows| {
        let matrix = builder.quantised("matrix", Class::Int8, 3, WIDTH);
        let operator = Operator::Product {
            a: side(Class::Int16),
            b: side(Class::Int8),
        };
        builder.push(operator, &[rows.x, matrix.integers, rows.m, matrix.magnitudes])
    }));
    all.push(Box::new(|builder, rows| {
        builder.push(Operator::Pick, &[rows.x, rows.indices])
    }));
    all.push(Box::new(|builder, rows| {
        builder.push(Operator::Lookup, &[rows.x, rows.indices])
    }));
    all.push(Box::new(|builder, rows| {
        builder.push(Operator::Concat(0), &[rows.x, rows.x])
    }));
    all.push(Box::new(|builder, rows| {
        let frequencies = builder.weight("frequencies", DType::U64, &[fixed(WIDTH / 2)]);
        let rotate = Operator::Rotate {
            axis: 1,
            inverse: false,
        };
        builder.push(rotate, &[rows.x, frequencies])
    }));
    all.push(Box::new(|builder, rows| {
        let columns = builder.permute(rows.x, &[fixed(WIDTH), rows.count], &[1, 0]);
        let magnitudes = builder.weight("columns", DType::F32, &[fixed(WIDTH)]);
        builder.push(
            Operator::Scatter { rows: fixed(3) },
            &[columns, magnitudes, rows.indices],
        )
    }));
    all
}

/// Rows that are copied in several ways and handed on, then an operator that reads them.
fn program(origin: Origin, reader: &Reader) -> Program {
    let mut builder = Builder::new();
    let count = match origin {
        Origin::Table | Origin::Input => Dim::LENGTH,
        Origin::Weight => fixed(TABLE_ROWS),
    };
    let (rows, table) = ([count, fixed(WIDTH)], [fixed(TABLE_ROWS), fixed(WIDTH)]);
    let x = match origin {
        Origin::Table => {
            let table = builder.weight("special", DType::F32, &table);
            let tokens = builder.input("tokens", DType::U32, &[count]);
            builder.push(Operator::Lookup, &[table, tokens])
        }
        Origin::Input => builder.input("special", DType::F32, &rows),
        Origin::Weight => builder.weight("special", DType::F32, &table),
    };
    let beside = |builder: &mut Builder, name: &str, dtype| match origin {
        Origin::Weight => builder.weight(name, dtype, &[count]),
        _ => builder.input(name, dtype, &[count]),
    };
    let m = beside(&mut builder, "m", DType::F32);
    let indices = beside(&mut builder, "indices", DType::U32);
    // From the last column to the first
    let reversed = Coordinate {
        offset: fixed(WIDTH - 1),
        terms: vec![Term {
            dimension: 1,
            factor: -1,
        }],
        divisor: 1,
    };
    let view = Operator::View {
        shape: rows.to_vec(),
        coordinates: vec![along(0), reversed],
    };
    let copied = builder.push(view, &[x]);
    let copied = builder.reshape(copied, &[count, fixed(2), fixed(2)]);
    builder.next_segment();
    let copied = builder.reshape(copied, &rows);
    builder.result(copied);
    let doubled = builder.add(m, m);
    builder.result(doubled);
    let rows = Rows {
        x: copied,
        m,
        indices,
        count,
    };
    let read = reader(&mut builder, &rows);
    builder.result(read);
    builder.finish().unwrap()
}

/// A declared tensor's elements, of which the special rows have this value in this column.
fn elements(declaration: &Declaration, kind: TensorType, (special, column): (u32, usize)) -> Elements {
    let count = kind.shape.len() as usize;
    let bytes = match (declaration.name.as_str(), kind.dtype) {
        ("special", _) => {
            let mut bits: Vec<u32> = (0..count).map(|at| (at as f32 / 64.0).to_bits()).collect();
            if let Some(element) = bits.get_mut(SPECIAL_ROW * WIDTH + column) {
                *element = special;
            }
            to_bytes(&bits)
        }
        ("tokens", _) => {
            let rows = [0, 1, SPECIAL_ROW as u32, 4, 2, SPECIAL_ROW as u32];
            to_bytes(&rows[..count])
        }
        (_, DType::F32) => to_bytes(&vec![8f32; count]),
        (_, DType::I8) => to_bytes(&vec![3i8; count]),
        (_, DType::I16) => to_bytes(&vec![3i16; count]),
        (_, DType::U32) => to_bytes(&(0..count as u32).map(|at| (at + 1) % 3).collect::<Vec<_>>()),
        (_, DType::U64) => to_bytes(&(0..count as u64).map(|at| (at + 1) << 59).collect::<Vec<_>>()),
    };
    Elements { kind, bytes }
}

struct Memory<'a>(&'a [Elements]);

impl WeightSource for Memory<'_> {
    type Error = Infallible;

    fn read(&self, weight: usize) -> Result<Vec<u8>, Infallible> {
        Ok(self.0[weight].bytes.clone())
    }
}

/// What a step gives: the bytes of its results, or the operator that fails.
type Outcome = Result<Vec<Vec<u8>>, Place>;

fn by_reference(program: &Program, bindings: Bindings, weights: &[Elements], inputs: &[Elements]) -> Outcome {
    match run_step(program, bindings, weights, inputs, &[]) {
        Ok(step) => Ok(step.results.into_iter().map(|result| result.bytes).collect()),
        Err(StepError::Failed { at, .. }) => Err(at),
        Err(other) => panic!("{other}"),
    }
}

fn by_engine(program: &Program, length: u32, weights: &[Elements], inputs: &[Elements], settings: Settings) -> Outcome {
    let executor = match Executor::load(program.clone(), &Memory(weights), settings) {
        Ok(executor) => executor,
        Err(LoadError::Weight { place, .. }) => return Err(place),
        Err(other) => panic!("{other}"),
    };
    let mut session = executor.session();
    let given = Given {
        session: &mut session,
        length,
        inputs: inputs
            .iter()
            .map(|input| Buffer::from_bytes(input.dtype(), &input.bytes))
            .collect(),
    };
    match executor.step(vec![given], None).remove(0) {
        Ok(output) => {
            let results = output.results.iter();
            Ok(results.map(|(_, buffer)| buffer.all().bytes().to_vec()).collect())
        }
        Err(Failure::Operator { at, .. }) => Err(at),
        Err(other) => panic!("{other}"),
    }
}

fn check(origin: Origin) {
    let (mut failed, mut done) = (0, 0);
    for reader in readers() {
        let program = program(origin, &reader);
        for length in [2, 6] {
            let bindings = Bindings { length, position: 0 };
            let plan = Plan::new(&program, bindings).unwrap();
            for special in SPECIAL
                .into_iter()
                .flat_map(|bits| SPECIAL_COLUMNS.map(|column| (bits, column)))
            {
                let of = |declarations: &[Declaration], kinds: &[TensorType]| -> Vec<_> {
                    let each = declarations.iter().zip(kinds);
                    each.map(|(declaration, kind)| elements(declaration, *kind, special))
                        .collect()
                };
                let weights = of(&program.weights, &plan.weights);
                let inputs = of(&program.inputs, &plan.inputs);
                let expected = by_reference(&program, bindings, &weights, &inputs);
                match expected {
                    Ok(_) => done += 1,
                    Err(_) => failed += 1,
                }
                for isa in Isa::available() {
                    for threads in [1, 2] {
                        let got = by_engine(&program, length, &weights, &inputs, Settings { isa, threads });
                        let operators = &program.segments[1].instructions;
                        assert_eq!(
                            got, expected,
                            "{origin:?} {special:08x?} {isa} {threads}: {operators:?}"
                        );
                    }
                }
            }
        }
    }
    assert!(failed > 100 && done > 100, "{failed} of {} failed", failed + done);
}

#[test]
fn step_should_fail_where_the_reference_does_when_a_row_of_a_table_is_not_finite() {
    check(Origin::Table);
}

#[test]
fn step_should_fail_where_the_reference_does_when_an_input_is_not_finite() {
    check(Origin::Input);
}

#[test]
fn load_should_fail_where_the_reference_does_when_a_weight_is_not_finite() {
    check(Origin::Weight);
}
