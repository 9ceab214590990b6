//! Operators with inputs on which arithmetic could differ, and disputes about their elements.
//!
//! A case is an operator with whole tensors. Whoever has those finds out what an answer needs; the referee has their
//! digests and what is opened.

use anyhow::{anyhow, Result};
use assay_exact::{
    expression::{Binary, Comparison, Expression, Node, Unary},
    memory::Tensor,
    opening::{HashMode, Opening},
    operator::{Bindings, Call, Coordinate, Dim, Operator, Side, TensorType, Term, Visible},
    product::Class,
    referee::{open, Answer, Committed, Input, Question, Request},
    row::GROUP,
    tensor::Element,
};
use codec::Decode;
use std::{collections::HashSet, mem::Discriminant};

/// Longer than two groups, so that a row has three.
pub const LONG: u32 = 2 * GROUP as u32 + 100;

/// A key, as private jobs have one.
const KEY: HashMode = HashMode::Keyed([7; 32]);

/// Bits of floats that are likely to go wrong: zeros, subnormals, powers of two, ties, limits of classes, of
/// conversions and of exponents.
const FINITE: [u32; 30] = [
    0x00000000, 0x80000000, 0x00000001, 0x80000001, 0x007fffff, 0x00800000, 0x80800000, 0x0f7fffff, 0x0f800000,
    0x20000000, 0x33800000, 0x3f000000, 0xbf000000, 0x3f7fffff, 0x3f800000, 0xbf800000, 0x3f800001, 0x3fc00000,
    0x40200000, 0x42b17217, 0xc2aeac50, 0xc2cff1b5, 0x4affffff, 0x4b000000, 0x4b000001, 0x4effffff, 0x4f000000,
    0xcf000000, 0x5f7fffff, 0xdf7fffff,
];

/// Those that no product takes, and those that are no numbers, quiet and signalling, of both signs.
const BROKEN: [u32; 9] = [
    0x5f800000, 0x7f7fffff, 0xff7fffff, 0x7f800000, 0xff800000, 0x7fc00000, 0xffc00001, 0x7f800001, 0xffbfffff,
];

/// What the elements of a case's floats are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Values {
    /// From −1 to 1.
    Plain,
    /// Finite, of all magnitudes that a product's operand may have.
    Finite,
    /// Of all bits that there are, now and then.
    Broken,
}

/// All of them.
pub const VALUES: [Values; 3] = [Values::Plain, Values::Finite, Values::Broken];

/// An operator with its inputs.
#[derive(Clone, Debug)]
pub struct Case {
    /// The operator.
    pub operator: Operator,
    /// The step in which it runs.
    pub bindings: Bindings,
    /// Its inputs.
    pub tensors: Vec<Tensor>,
    /// How they are hashed.
    pub modes: Vec<HashMode>,
}

/// Numbers that look random, the same in every run.
struct Noise(u64);

impl Noise {
    fn draw(&mut self) -> u32 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as u32 ^ (self.0 >> 20) as u32
    }

    fn float(&mut self, values: Values) -> f32 {
        let plain = (self.draw() >> 8) as f32 / (1 << 23) as f32 - 1.0;
        let special = |bits: &[u32], at: u32| f32::from_bits(bits[at as usize % bits.len()]);
        match (values, self.draw() % 64) {
            (Values::Plain, _) => plain,
            (Values::Finite, 0..32) => special(&FINITE, self.draw()),
            // Around one, with all bits of the significand
            (Values::Finite, _) => f32::from_bits(0x3a00_0000 + (self.draw() % 0x0a00_0000)) * plain.signum(),
            (Values::Broken, 0) => special(&BROKEN, self.draw()),
            (Values::Broken, _) => plain,
        }
    }
}

fn tensor<T: Element>(dims: &[u32], elements: impl FnMut(u32) -> T) -> Result<Tensor> {
    let elements: Vec<T> = (0..dims.iter().product()).map(elements).collect();
    Tensor::new(dims, &elements).map_err(|error| anyhow!("{dims:?}: {error}"))
}

fn floats(dims: &[u32], values: Values, seed: u64) -> Result<Tensor> {
    let mut noise = Noise(seed);
    tensor(dims, |_| noise.float(values))
}

/// Indices below `below`; with broken values one now and then that is not.
fn indices(dims: &[u32], below: u32, values: Values) -> Result<Tensor> {
    let mut noise = Noise(below.into());
    tensor(dims, |_| match (values, noise.draw() % 128) {
        (Values::Broken, 0) => below,
        (Values::Broken, 1) => u32::MAX,
        (_, index) => index.wrapping_mul(2_654_435_761) % below.max(1),
    })
}

fn wide(dims: &[u32], factor: u64) -> Result<Tensor> {
    tensor(dims, |at| (u64::from(at) + 1).wrapping_mul(factor))
}

/// What the reference gives, and zero for elements that it refuses.
fn derived(operator: &Operator, inputs: &[&Tensor], bindings: Bindings) -> Result<Tensor> {
    let kinds: Vec<_> = inputs.iter().map(|tensor| tensor.kind).collect();
    let call = call(operator, &kinds, bindings)?;
    let kind = call.output();
    let size = kind.dtype.size() as usize;
    let element = |index| call.element(index, inputs).unwrap_or_default().to_le_bytes();
    let bytes = (0..kind.shape.len())
        .flat_map(|index| element(index).into_iter().take(size))
        .collect();
    Ok(Tensor { kind, bytes })
}

fn call<'a>(operator: &'a Operator, kinds: &'a [TensorType], bindings: Bindings) -> Result<Call<'a>> {
    Call::new(operator, kinds, bindings).map_err(|error| anyhow!("{operator:?}: {error}"))
}

const fn size(size: u32) -> Dim {
    Dim::constant(size as i32)
}

fn along(dimension: u8, offset: i32, factor: i32, divisor: u32) -> Coordinate {
    Coordinate {
        offset: Dim::constant(offset),
        terms: vec![Term { dimension, factor }],
        divisor,
    }
}

/// All functions of an expression: the coordinate, and of each function of the first input what is below the second, or else
/// that, added up.
fn every_function() -> Expression {
    let mut nodes = vec![Node::Input(0), Node::Input(1), Node::Coordinate(0)];
    for unary in unaries() {
        let at = nodes.len() as u8;
        nodes.extend([
            Node::Unary(unary, 0),
            Node::Select(Comparison::Less, [at, 1, at, 1]),
            Node::Binary(Binary::Add, at - 1, at + 1),
        ]);
    }
    Expression(nodes)
}

/// All functions of one scalar that expressions have.
fn unaries() -> impl Iterator<Item = Unary> {
    (0u8..).map_while(|number| Unary::decode(&mut &[number][..]).ok())
}

/// One function, or one combination, of two inputs.
fn map(node: Node) -> Operator {
    Operator::Map(Expression(vec![Node::Input(0), Node::Input(1), node]))
}

/// Collects cases.
struct Cases {
    bindings: Bindings,
    cases: Vec<Case>,
}

impl Cases {
    fn add(&mut self, operator: Operator, tensors: &[&Tensor]) {
        // Every third case is of a private job, whose weights are public
        let private = self.cases.len() % 3 == 2;
        let mode = |at: usize| if private && at != 1 { KEY } else { HashMode::Plain };
        self.cases.push(Case {
            operator,
            bindings: self.bindings,
            tensors: tensors.iter().map(|tensor| (*tensor).clone()).collect(),
            modes: (0..tensors.len()).map(mode).collect(),
        });
    }

    fn derived(&self, operator: Operator, inputs: &[&Tensor]) -> Result<Tensor> {
        derived(&operator, inputs, self.bindings)
    }

    /// What is computed of each element by itself, and elements in other places.
    fn elements(&mut self, values: Values) -> Result<()> {
        let (mut noise, y) = (Noise(1), floats(&[40], values, 2)?);
        let x = tensor(&[3, 40], |at| match values {
            Values::Broken if at.is_multiple_of(2) => f32::from_bits(BROKEN[at as usize / 2 % BROKEN.len()]),
            _ => noise.float(values),
        })?;
        self.add(Operator::Map(every_function()), &[&x, &y]);
        for unary in unaries() {
            self.add(map(Node::Unary(unary, 0)), &[&x, &y]);
        }
        for binary in [
            Binary::Add,
            Binary::Sub,
            Binary::Mul,
            Binary::Div,
            Binary::Max,
            Binary::Min,
        ] {
            self.add(map(Node::Binary(binary, 0, 1)), &[&x, &y]);
        }
        for comparison in [Comparison::Less, Comparison::Equal] {
            self.add(map(Node::Select(comparison, [0, 1, 1, 0])), &[&x, &y]);
        }
        let small = tensor(&[40], |at| at as i8)?;
        let large = tensor(&[3, 1], |at| u32::MAX - at)?;
        self.add(map(Node::Binary(Binary::Mul, 0, 1)), &[&small, &large]);

        let transposed = Operator::View {
            shape: vec![size(40), size(3)],
            coordinates: vec![along(1, 0, 1, 1), along(0, 0, 1, 1)],
        };
        let strided = Operator::View {
            shape: vec![size(3), size(90)],
            coordinates: vec![along(0, 0, 1, 1), along(1, -5, 1, 2)],
        };
        self.add(transposed, &[&x]);
        self.add(strided, &[&x]);
        self.add(Operator::Reshape(vec![size(5), size(24)]), &[&x]);
        self.add(Operator::Concat(0), &[&x, &floats(&[3, 7], values, 3)?]);
        self.add(Operator::Concat(1), &[&large, &large]);
        self.add(
            Operator::Lookup,
            &[&floats(&[100, 60], values, 4)?, &indices(&[9], 100, values)?],
        );
        self.add(Operator::Pick, &[&x, &indices(&[3], 40, values)?]);
        let turns = wide(&[32], 0x0123_4567_89ab_cdef)?;
        for inverse in [false, true] {
            let rotate = Operator::Rotate { axis: 1, inverse };
            self.add(rotate, &[&floats(&[3, 64], values, 5)?, &turns]);
        }
        self.add(Operator::Random(3), &[&wide(&[], 99)?, &indices(&[4], 1_000, values)?]);
        self.add(Operator::Count { rows: size(9) }, &[&indices(&[LONG], 9, values)?]);
        Ok(())
    }

    /// Reductions of rows of this length, and what is made of rows with their help.
    fn rows(&mut self, length: u32, values: Values) -> Result<()> {
        let x = floats(&[2, length], values, length.into())?;
        let magnitudes = self.derived(Operator::Magnitude, &[&x])?;
        self.add(Operator::Magnitude, &[&x]);
        self.add(Operator::Sum, &[&x, &magnitudes]);
        for class in [Class::Int8, Class::Int16] {
            self.add(Operator::Quantise(class), &[&x, &magnitudes]);
        }
        let scatter = Operator::Scatter { rows: size(7) };
        self.add(scatter, &[&x, &magnitudes, &indices(&[length], 7, values)?]);
        self.products(&x, &magnitudes)?;
        if length == 0 {
            return Ok(());
        }
        self.add(Operator::ArgMax, &[&x]);
        for visible in [Visible::All, Visible::Causal] {
            self.add(Operator::Maximum(visible), &[&x]);
            let maxima = self.derived(Operator::Maximum(visible), &[&x])?;
            self.add(Operator::Weights(visible), &[&x, &maxima]);
            let weights = self.derived(Operator::Weights(visible), &[&x, &maxima])?;
            self.add(Operator::WeightSum(30), &[&weights]);
            self.add(Operator::WeightSum(40), &[&weights]);
        }
        // Not all of them are weights
        self.add(Operator::WeightSum(30), &[&x]);
        self.draws(&x)
    }

    fn products(&mut self, x: &Tensor, magnitudes: &Tensor) -> Result<()> {
        let classes = [Class::Int8, Class::Int16, Class::Int24];
        let side = |class, scaled| Side { class, scaled };
        for a in classes {
            for b in classes {
                let product = Operator::Product {
                    a: side(a, true),
                    b: side(b, true),
                };
                self.add(product, &[x, x, magnitudes, magnitudes]);
            }
        }
        let dims = x.kind.shape.dims();
        let mut noise = Noise(dims.len() as u64);
        // Some are outside of their class
        let small = tensor(dims, |_| noise.draw() as i8)?;
        let large = tensor(dims, |_| ((noise.draw() % 32_800) as i32 - 16_400) as i16)?;
        for (stored, class) in [(small, Class::Int8), (large, Class::Int16)] {
            let product = Operator::Product {
                a: side(Class::Int24, true),
                b: side(class, false),
            };
            self.add(product, &[x, &stored, magnitudes]);
        }
        Ok(())
    }

    fn draws(&mut self, x: &Tensor) -> Result<()> {
        let maxima = self.derived(Operator::Maximum(Visible::All), &[x])?;
        let chances = self.derived(Operator::Chance, &[x, &maxima])?;
        let ranks = self.derived(Operator::Rank, &[x])?;
        let masses = self.derived(Operator::Mass, &[x, &chances])?;
        let totals = self.derived(Operator::Total, &[&chances])?;
        let (k, p) = (
            tensor(&[2], |row| row * 50)?,
            tensor(&[2], |row| 40_000 + 25_536 * row)?,
        );
        self.add(Operator::Chance, &[x, &maxima]);
        self.add(Operator::Rank, &[x]);
        self.add(Operator::Mass, &[x, &chances]);
        self.add(Operator::KeepRanks, &[&chances, &ranks, &k]);
        self.add(Operator::KeepMass, &[&chances, &masses, &totals, &p]);
        self.add(Operator::Total, &[&chances]);
        for factor in [0x5555_5555_5555_5555, u64::MAX] {
            self.add(Operator::Draw, &[&chances, &totals, &wide(&[2], factor)?]);
        }
        Ok(())
    }
}

/// All cases: every operator, with every kind of values, and where it reduces rows, with rows of none, part of one, one
/// and several groups.
pub fn cases() -> Result<Vec<Case>> {
    let mut cases = Cases {
        // A step in which causal rows see less than all
        bindings: Bindings {
            length: 2,
            position: LONG - 2,
        },
        cases: Vec::new(),
    };
    for values in VALUES {
        cases.elements(values)?;
        for length in [0, 1, 301, GROUP as u32, LONG] {
            cases.rows(length, values)?;
        }
    }
    Ok(cases.cases)
}

/// One of each operator that there is, whatever its parameters: what bytes of zeros behind its number give.
pub fn operators() -> HashSet<Discriminant<Operator>> {
    let of = |number: u8| Operator::decode(&mut &[&[number][..], &[0; 32]].concat()[..]).ok();
    (0..=u8::MAX)
        .filter_map(of)
        .map(|operator| std::mem::discriminant(&operator))
        .collect()
}

impl Case {
    /// What the inputs are.
    pub fn kinds(&self) -> Vec<TensorType> {
        self.tensors.iter().map(|tensor| tensor.kind).collect()
    }

    /// The inputs, as the reference reads them.
    pub fn inputs(&self) -> Vec<&Tensor> {
        self.tensors.iter().collect()
    }

    /// The operator with inputs of these kinds, which must be its own.
    pub fn call<'a>(&'a self, kinds: &'a [TensorType]) -> Result<Call<'a>> {
        call(&self.operator, kinds, self.bindings)
    }

    /// Opens what a question needs, and asks it.
    pub fn request(&self, question: Question) -> Result<Request> {
        let kinds = self.kinds();
        let openings = open(&self.call(&kinds)?, &question, &self.inputs(), &self.modes)
            .map_err(|error| anyhow!("{:?}, {question:?}: {error}", self.operator))?;
        Ok(self.request_with(question, openings))
    }

    /// Asks a question with these openings.
    pub fn request_with(&self, question: Question, openings: Vec<Option<Opening>>) -> Request {
        let input = |(tensor, mode): (&Tensor, &HashMode)| Input {
            dtype: tensor.kind.dtype,
            dims: tensor.kind.shape.dims().to_vec(),
            committed: Committed {
                digest: mode.digest(&tensor.bytes),
                mode: *mode,
            },
        };
        Request {
            operator: self.operator.clone(),
            bindings: self.bindings,
            inputs: self.tensors.iter().zip(&self.modes).map(input).collect(),
            question,
            openings,
        }
    }

    /// What the reference gives with whole tensors.
    pub fn expected(&self, element: u64) -> Result<Answer> {
        let kinds = self.kinds();
        let element = self.call(&kinds)?.element(element, &self.inputs()[..]);
        Ok(element.map_or_else(Answer::Fault, Answer::Element))
    }

    /// Elements worth asking for: the ends, and some between them; fewer where each is several questions.
    pub fn elements(&self) -> Result<Vec<u64>> {
        let kinds = self.kinds();
        let call = self.call(&kinds)?;
        let (count, wanted) = (call.output().shape.len(), if call.groups() > 1 { 4 } else { 16 });
        let mut elements: Vec<_> = (0..wanted)
            .map(|at| count.saturating_sub(1) * at / (wanted - 1))
            .collect();
        elements.retain(|element| *element < count);
        elements.dedup();
        Ok(elements)
    }

    /// Finds an element as a dispute does: at once, or group by group. Each answer comes from `ask`. The first fault is
    /// that of the whole.
    pub fn dispute(&self, element: u64, ask: &mut dyn FnMut(Request) -> Result<Answer>) -> Result<Answer> {
        let kinds = self.kinds();
        let groups = self.call(&kinds)?.groups();
        if groups <= 1 {
            return ask(self.request(Question::Element(element))?);
        }
        let mut partials = Vec::new();
        for group in 0..groups {
            match ask(self.request(Question::Group { element, group })?)? {
                Answer::Partial(partial) => partials.push(partial),
                fault => return Ok(fault),
            }
        }
        ask(self.request(Question::Combination { element, partials })?)
    }
}
