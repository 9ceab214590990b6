//! How long the real runtime's WASM takes to recompute an element, and how large the openings are: `cargo xtask bench
//! referee`.

use anyhow::{anyhow, ensure, Result};
use assay_exact::{
    expression::{Binary, Expression, Node, Unary, MAX_NODES},
    memory::Tensor,
    opening::HashMode,
    operator::{Bindings, Operator, Partial, Side},
    product::Class,
    program::MAX_INPUTS,
    referee::{Answer, Question, Request},
    row::{GROUP, MAX_SUM},
    tensor::Element,
};
use assay_system_tests::{
    checked_runtime::CheckedRuntime,
    referee::{cases, Case},
};
use codec::Encode;
use sp_core::storage::Storage;
use std::time::Duration;

/// How often each question is asked; the median counts.
const REPEAT: usize = 9;

/// Questions that are printed: those that take longest.
const PRINTED: usize = 12;

/// A question and what it took.
struct Measured {
    took: Duration,
    opened: usize,
    what: String,
}

fn tensor<T: Element>(dims: &[u32], element: impl Fn(u32) -> T) -> Result<Tensor> {
    let elements: Vec<T> = (0..dims.iter().product()).map(element).collect();
    Tensor::new(dims, &elements).map_err(|error| anyhow!("{dims:?}: {error}"))
}

fn float(at: u32) -> f32 {
    (at.wrapping_mul(2_654_435_761) >> 8) as f32 / (1 << 23) as f32 - 1.0
}

fn case(operator: Operator, tensors: Vec<Tensor>) -> Case {
    Case {
        operator,
        bindings: Bindings::default(),
        modes: vec![HashMode::Plain; tensors.len()],
        tensors,
    }
}

/// Operators of the sizes that models have, where most is opened or most is computed, each with a question.
fn heaviest() -> Result<Vec<(Case, Question)>> {
    let group = |element, group| Question::Group { element, group };
    let side = |class| Side { class, scaled: true };
    let magnitudes = |rows: u32| tensor(&[rows], |_| 1.0f32);
    let (x, weights) = (tensor(&[8, 4_096], float)?, tensor(&[4_096, 4_096], float)?);
    let product = Operator::Product {
        a: side(Class::Int24),
        b: side(Class::Int24),
    };
    let stored = tensor(&[4_096, 4_096], |at| (at.wrapping_mul(40_503) >> 8) as i16 >> 1)?;
    let mixed = Operator::Product {
        a: side(Class::Int24),
        b: side(Class::Int16),
    };
    let scores = tensor(&[1, 1 << 18], float)?;
    let chances = tensor(&[1, 1 << 18], |at| at % 1_000)?;

    // As many inputs and as many functions as there can be
    let mut nodes: Vec<_> = (0..MAX_INPUTS as u8).map(Node::Input).collect();
    let inputs = nodes.len() as u8;
    for input in 1..inputs {
        nodes.push(Node::Binary(
            Binary::Add,
            if input == 1 { 0 } else { nodes.len() as u8 - 1 },
            input,
        ));
    }
    while nodes.len() < MAX_NODES {
        nodes.push(Node::Unary(Unary::GeluDerivative, nodes.len() as u8 - 1));
    }
    let one = tensor(&[1 << 18], float)?;
    let map = case(Operator::Map(Expression(nodes)), vec![one; MAX_INPUTS]);

    // The longest row there can be
    let long = tensor(&[1, MAX_SUM as u32], float)?;
    let partials = vec![Partial::Sum(12_345); (MAX_SUM / GROUP) as usize];
    let combination = Question::Combination { element: 0, partials };
    let scatter = Operator::Scatter {
        rows: assay_exact::operator::Dim::constant(1_000),
    };
    let columns = tensor(&[8, 1 << 18], float)?;
    let places = tensor(&[1 << 18], |at| at % 1_000)?;
    Ok(vec![
        (
            case(product, vec![x.clone(), weights, magnitudes(8)?, magnitudes(4_096)?]),
            group(5_000, 1),
        ),
        (
            case(mixed, vec![x, stored, magnitudes(8)?, magnitudes(4_096)?]),
            group(5_000, 1),
        ),
        (case(Operator::Mass, vec![scores, chances]), group(9, 77)),
        (case(scatter, vec![columns, magnitudes(8)?, places]), group(1_500, 100)),
        (map, Question::Element(200_000)),
        (case(Operator::Sum, vec![long.clone(), magnitudes(1)?]), group(0, 4_000)),
        (case(Operator::Sum, vec![long, magnitudes(1)?]), combination),
    ])
}

/// Asks the runtime and compares with native code.
fn measure(runtime: &CheckedRuntime, request: &Request) -> Result<Measured> {
    let native = request.answer().map_err(|error| anyhow!("{error}"))?;
    let mut times = Vec::with_capacity(REPEAT);
    for _ in 0..REPEAT {
        let (answer, took) = runtime.recompute(request)?;
        ensure!(answer.as_ref() == Ok(&native), "expected {native:?}, got {answer:?}");
        times.push(took);
    }
    times.sort();
    let question = match &request.question {
        Question::Element(_) => "an element".to_string(),
        Question::Group { .. } => "a group".to_string(),
        Question::Combination { partials, .. } => format!("a combination of {} groups", partials.len()),
    };
    let operator = format!("{:?}", request.operator);
    let name = operator.split(['(', ' ']).next().unwrap_or_default();
    let dims: Vec<_> = request.inputs.iter().map(|input| &input.dims).collect();
    let dims = format!("{dims:?}").chars().take(60).collect::<String>();
    Ok(Measured {
        took: times[REPEAT / 2],
        opened: request.openings.encoded_size(),
        what: format!("{question} of {name} of {dims}"),
    })
}

fn main() -> Result<()> {
    let runtime = CheckedRuntime::new()?;
    let mut measured = Vec::new();
    for case in cases()? {
        for element in case.elements()? {
            let mut ask = |request: Request| {
                measured.push(measure(&runtime, &request)?);
                request.answer().map_err(|error| anyhow!("{error}"))
            };
            let _: Answer = case.dispute(element, &mut ask)?;
        }
    }
    for (case, question) in heaviest()? {
        measured.push(measure(&runtime, &case.request(question)?)?);
    }
    let (_, empty) = runtime.call_timed::<u8>(&Storage::default(), "Core_version", &[])?;

    measured.sort_by_key(|measured| std::cmp::Reverse(measured.took));
    println!(
        "{} questions; those that take longest, each the median of {REPEAT}:",
        measured.len()
    );
    println!("   µs  bytes opened");
    for Measured { took, opened, what } in measured.iter().take(PRINTED) {
        println!("{:5} {opened:7}        {what}", took.as_micros());
    }
    let opened = measured.iter().max_by_key(|measured| measured.opened);
    if let (Some(longest), Some(largest)) = (measured.first(), opened) {
        println!(
            "longest: {} µs, of which a call that does nothing takes {}",
            longest.took.as_micros(),
            empty.as_micros()
        );
        println!("largest openings: {} bytes, for {}", largest.opened, largest.what);
    }
    Ok(())
}
