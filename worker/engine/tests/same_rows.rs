//! Products of the same rows that take them by other magnitudes, or as integers with magnitudes and without.

#![allow(clippy::unwrap_used)]

use assay_engine::executor::{Buffer, Executor, Given, Settings, WeightSource};
use assay_exact::{
    expression::Binary,
    memory::Tensor as Elements,
    operator::{Bindings, Dim, Operator, Side},
    product::Class,
    program::{run_step, Plan},
    tensor::{to_bytes, DType},
};
use assay_kernels::Isa;
use assay_programs::{
    builder::{fixed, Builder, Quantised, Tensor},
    formula::Formula,
};
use std::convert::Infallible;

const ROWS: u32 = 7;
const WIDTH: usize = 40;

struct Memory(Vec<Elements>);

impl WeightSource for Memory {
    type Error = Infallible;

    fn read(&self, weight: usize) -> Result<Vec<u8>, Infallible> {
        Ok(self.0[weight].bytes.clone())
    }
}

/// A product with weights, of rows with magnitudes or without.
fn product(builder: &mut Builder, class: Class, x: Tensor, magnitudes: Option<Tensor>, w: Quantised) -> Tensor {
    let side = |class, scaled| Side { class, scaled };
    let operator = Operator::Product {
        a: side(class, magnitudes.is_some()),
        b: side(w.class, true),
    };
    let inputs: Vec<_> = [x, w.integers]
        .into_iter()
        .chain(magnitudes)
        .chain([w.magnitudes])
        .collect();
    builder.push(operator, &inputs)
}

#[test]
fn product_should_be_the_reference_s_when_another_of_the_same_rows_has_other_magnitudes() {
    let mut builder = Builder::new();
    let x = builder.input("x", DType::F32, &[Dim::LENGTH, fixed(WIDTH)]);
    let [first, second] = ["first", "second"].map(|name| builder.quantised(name, Class::Int8, 19, WIDTH));
    let own = builder.magnitude(x);
    let larger = Formula::input(0).binary(Binary::Mul, Formula::constant(5.0));
    let larger = builder.map(larger, &[own]);
    for class in [Class::Int8, Class::Int16, Class::Int24] {
        let by_own = product(&mut builder, class, x, Some(own), first);
        let by_larger = product(&mut builder, class, x, Some(larger), second);
        builder.result(by_own);
        builder.result(by_larger);
    }
    let integers = builder.push(Operator::Quantise(Class::Int16), &[x, own]);
    let scaled = product(&mut builder, Class::Int16, integers, Some(own), first);
    let unscaled = product(&mut builder, Class::Int16, integers, None, second);
    builder.result(scaled);
    builder.result(unscaled);
    let program = builder.finish().unwrap();

    let bindings = Bindings {
        length: ROWS,
        position: 0,
    };
    let plan = Plan::new(&program, bindings).unwrap();
    let weights = plan.weights.iter().map(|kind| {
        let count = kind.shape.len() as usize;
        let bytes = match kind.dtype {
            DType::F32 => to_bytes(&vec![0.75f32; count]),
            _ => to_bytes(
                &(0..count)
                    .map(|at| (at * 37 % 255) as i8)
                    .map(|q| q.max(-127))
                    .collect::<Vec<_>>(),
            ),
        };
        Elements { kind: *kind, bytes }
    });
    let weights = Memory(weights.collect());
    let x: Vec<f32> = (0..ROWS as usize * WIDTH)
        .map(|at| (at * 89 % 401) as f32 / 97.0 - 2.0)
        .collect();
    let input = Elements {
        kind: plan.inputs[0],
        bytes: to_bytes(&x),
    };
    let expected = run_step(&program, bindings, &weights.0, &[input], &[]).unwrap();
    let expected: Vec<_> = expected.results.into_iter().map(|result| result.bytes).collect();
    for isa in Isa::available() {
        let executor = Executor::load(program.clone(), &weights, Settings { isa, threads: 1 }).unwrap();
        let given = Given {
            session: &mut executor.session(),
            length: ROWS,
            inputs: vec![Buffer::F32(x.clone())],
        };
        let output = executor.step(vec![given], None).remove(0).unwrap();
        let got: Vec<_> = output
            .results
            .iter()
            .map(|(_, buffer)| buffer.all().bytes().to_vec())
            .collect();
        for (at, (got, expected)) in got.iter().zip(&expected).enumerate() {
            assert_eq!(got, expected, "{isa}: result {at}");
        }
    }
}
