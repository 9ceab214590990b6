//! Operators as programs of their own, run by the reference and by the kernels.

#![allow(dead_code, clippy::unwrap_used, reason = "each test uses a part")]

use crate::host::Host;
use assay_cuda::{Executor, Failure, Given};
use assay_exact::{
    memory::Tensor,
    opening::HashMode,
    operator::{Bindings, Dim, Operator},
    program::{run_step, Declaration, Instruction, Program, Segment, StepError, Value, VERSION},
};

/// Lengths of rows: empty, short, odd, and beyond a group.
pub(crate) const LENGTHS: [usize; 9] = [0, 1, 2, 7, 16, 33, 300, 2_048, 4_099];

/// Numbers that look random.
pub(crate) struct Numbers(pub(crate) u64);

impl Numbers {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

/// What floats are like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// From −1 to 1.
    Usual,
    /// Of a few values, so that many are the same.
    Few,
    /// Any that is finite, and often one at which something changes.
    Finite,
    /// Any, and now and then none that is a number.
    Any,
}

pub(crate) const KINDS: [Kind; 4] = [Kind::Usual, Kind::Few, Kind::Finite, Kind::Any];

const SPECIAL: [u32; 14] = [
    0,
    0x8000_0000,
    1,
    0x8000_0001,
    0x007f_ffff,
    0x0080_0000,
    0x0f7f_ffff,
    0x0f80_0000,
    0x3f80_0000,
    0xbf80_0000,
    0x5f7f_ffff,
    0x5f80_0000,
    0x7f7f_ffff,
    0xff7f_ffff,
];

pub(crate) fn floats(numbers: &mut Numbers, kind: Kind, count: usize) -> Vec<f32> {
    let one = |_| match kind {
        Kind::Usual => numbers.below(1 << 24) as f32 / (1 << 23) as f32 - 1.0,
        Kind::Few => (numbers.below(5) as f32 - 2.0) / 2.0,
        Kind::Finite | Kind::Any => match numbers.below(16) {
            0 if kind == Kind::Any && numbers.below(4) == 0 => {
                let bits = [
                    0x7fc0_0000,
                    0xffc0_0001,
                    0x7f80_0001,
                    0xffbf_ffff,
                    0x7f80_0000,
                    0xff80_0000,
                ];
                f32::from_bits(bits[numbers.below(bits.len() as u64) as usize])
            }
            0..=4 => f32::from_bits(SPECIAL[numbers.below(SPECIAL.len() as u64) as usize]),
            5..=9 => numbers.below(1 << 24) as f32 / (1 << 23) as f32 - 1.0,
            _ => {
                let bits = numbers.next() as u32;
                f32::from_bits(if bits & 0x7f80_0000 == 0x7f80_0000 {
                    bits & 0x807f_ffff
                } else {
                    bits
                })
            }
        },
    };
    (0..count).map(one).collect()
}

fn declaration(name: usize, tensor: &Tensor) -> Declaration {
    Declaration {
        name: format!("tensor {name}"),
        dtype: tensor.dtype(),
        shape: tensor
            .kind
            .shape
            .dims()
            .iter()
            .map(|dim| Dim::constant(*dim as i32))
            .collect(),
    }
}

/// Runs an operator of these inputs, some of which are inputs of the step and the others weights.
fn run(operator: &Operator, tensors: &[Tensor], bindings: Bindings, is_given: impl Fn(usize) -> bool) {
    let (mut inputs, mut weights, mut values) = (Vec::new(), Vec::new(), Vec::new());
    for (at, tensor) in tensors.iter().enumerate() {
        if is_given(at) {
            values.push(Value::Input(inputs.len() as u16));
            inputs.push(tensor.clone());
        } else {
            values.push(Value::Weight(weights.len() as u16));
            weights.push(tensor.clone());
        }
    }
    let declarations = |tensors: &[Tensor]| {
        tensors
            .iter()
            .enumerate()
            .map(|(at, tensor)| declaration(at, tensor))
            .collect()
    };
    let program = Program {
        version: VERSION,
        weights: declarations(&weights),
        inputs: declarations(&inputs),
        states: vec![],
        segments: vec![Segment {
            instructions: vec![Instruction {
                operator: operator.clone(),
                inputs: values.clone(),
            }],
            hands_on: vec![0],
        }],
        results: vec![Value::Handed(0, 0)],
    };
    program.check().unwrap();
    let expected = run_step(&program, bindings, &weights, &inputs, &[]);
    for device in Host::all() {
        let read = |weight: usize| Ok::<_, String>(weights[weight].bytes.clone());
        let executor = Executor::load(program.clone(), device, read);
        let executor = match executor {
            Ok(executor) => executor,
            // What depends on weights alone fails when they are loaded
            Err(error) => {
                let Err(StepError::Failed { fault, .. }) = &expected else {
                    panic!("{operator:?}: {error}, expected {expected:?}")
                };
                assert!(error.to_string().contains(&fault.to_string()), "{operator:?}: {error}");
                continue;
            }
        };
        let mut session = executor.session().unwrap();
        session.set_position(bindings.position);
        let step = Given {
            session: &mut session,
            length: bindings.length,
            inputs: inputs.iter().map(|tensor| tensor.bytes.clone()).collect(),
        };
        // A keyed hash now and then
        let mode = match bindings.length % 2 {
            0 => HashMode::Plain,
            _ => HashMode::Keyed([bindings.length as u8; 32]),
        };
        let got = executor.step(vec![step], Some(&mode)).remove(0);
        let context = || {
            let kinds: Vec<_> = tensors.iter().map(|tensor| tensor.kind).collect();
            format!("{operator:?} of {kinds:?}, {bindings:?}, from {values:?}")
        };
        match (&expected, got) {
            (Ok(expected), Ok(got)) => {
                let tensor = &expected.results[0];
                assert_eq!(got.results, [(tensor.kind, tensor.bytes.clone())], "{}", context());
                assert_eq!(got.recorded, [[mode.digest(&tensor.bytes)]], "{}", context());
                assert_eq!(session.position(), bindings.position + bindings.length);
            }
            (
                Err(StepError::Failed { at, fault }),
                Err(Failure::Operator {
                    at: got_at,
                    fault: got,
                    recorded,
                }),
            ) => {
                assert_eq!((at, fault), (&got_at, &got), "{}", context());
                assert!(recorded.is_empty());
                assert_eq!(session.position(), bindings.position);
            }
            (expected, got) => panic!("{}: expected {expected:?}, got {got:?}", context()),
        }
    }
}

/// Checks that the kernels give what the reference gives, whatever is given and whatever is a weight.
pub(crate) fn check(operator: Operator, tensors: &[Tensor]) {
    check_at(operator, tensors, Bindings { length: 1, position: 0 });
}

/// The same in a step.
pub(crate) fn check_at(operator: Operator, tensors: &[Tensor], bindings: Bindings) {
    run(&operator, tensors, bindings, |_| true);
    match operator {
        Operator::Product { a, .. } => run(&operator, tensors, bindings, |at| at == 0 || (at == 2 && a.scaled)),
        _ => run(&operator, tensors, bindings, |_| false),
    }
}
