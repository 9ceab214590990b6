//! Operators with inputs that fit, made of bytes.
//!
//! Bytes that are decoded as an operator nearly never fit together with its inputs' types. Here the bytes choose among what
//! fits, and sometimes what does not.

use arbitrary::{Result, Unstructured};
use assay_exact::{
    expression::{Comparison, Expression, Node},
    operator::{Bindings, Coordinate, Dim, Operator, Side, TensorType, Term, Visible},
    product::Class,
    tensor::{DType, Shape},
};
use codec::Decode;

/// Most elements of a tensor that is made as an input.
const MOST: u64 = 1 << 13;

const DTYPES: [DType; 5] = [DType::F32, DType::I8, DType::I16, DType::U32, DType::U64];

/// Sizes of dimensions: small ones, and around what a group has.
const SIZES: [u32; 14] = [1, 2, 3, 4, 2, 1, 5, 0, 8, 17, 2_047, 2_048, 2_049, 4_097];

/// A step's length and position.
pub fn bindings(u: &mut Unstructured<'_>) -> Result<Bindings> {
    Ok(Bindings {
        length: *u.choose(&[1, 2, 3, 0, 5, u32::MAX])?,
        position: *u.choose(&[0, 1, 2, 7, 2_050, u32::MAX])?,
    })
}

/// Makes operators, one after the other, of tensors that are known.
pub struct Maker<'u, 'd> {
    u: &'u mut Unstructured<'d>,
    /// The step.
    pub bindings: Bindings,
    /// Types of all tensors. Those that an operator needs and that there were not are added at the end.
    pub known: Vec<TensorType>,
}

impl<'u, 'd> Maker<'u, 'd> {
    /// With no tensors yet, in this step.
    pub fn new(u: &'u mut Unstructured<'d>, bindings: Bindings) -> Self {
        let known = Vec::new();
        Self { u, bindings, known }
    }

    /// Chooses between two ways: as often the first as the numbers say.
    pub fn ratio(&mut self, numerator: u8, denominator: u8) -> Result<bool> {
        self.u.ratio(numerator, denominator)
    }

    /// What a tensor is declared as: 0 and 1 are less likely.
    pub fn kind_of_declaration(&mut self) -> Result<u8> {
        self.u.int_in_range(0..=3)
    }

    /// Adds a tensor that nobody has asked for, if there can be such a one.
    pub fn add(&mut self, dtype: DType, dims: &[u32]) -> Option<usize> {
        let shape = Shape::new(dims, dtype).ok()?;
        self.known.push(TensorType { dtype, shape });
        Some(self.known.len() - 1)
    }

    /// Whether there are bytes left to choose by.
    pub fn is_over(&self) -> bool {
        self.u.is_empty()
    }

    /// The next operator and its inputs, by their numbers among the known.
    pub fn operator(&mut self) -> Result<(Operator, Vec<usize>)> {
        Ok(match self.u.int_in_range(0..=26)? {
            0 | 1 => self.map()?,
            2 | 3 => self.view()?,
            4 => self.reshape()?,
            5 => self.concat()?,
            6 => (Operator::Magnitude, vec![self.floats()?]),
            7 => (Operator::Maximum(self.visible()?), vec![self.floats()?]),
            8 => (Operator::ArgMax, vec![self.floats()?]),
            9 => {
                let x = self.floats()?;
                (Operator::Sum, vec![x, self.per_row(x, DType::F32)?])
            }
            10 => {
                let x = self.floats()?;
                (
                    Operator::Weights(self.visible()?),
                    vec![x, self.per_row(x, DType::F32)?],
                )
            }
            11 => (Operator::WeightSum(*self.u.choose(&[30, 40, 0])?), vec![self.floats()?]),
            12 => {
                let x = self.floats()?;
                (Operator::Quantise(self.class()?), vec![x, self.per_row(x, DType::F32)?])
            }
            13 | 14 => self.product()?,
            15 => {
                let table = self.any()?;
                (Operator::Lookup, vec![table, self.of(DType::U32)?])
            }
            16 => {
                let x = self.floats()?;
                (Operator::Pick, vec![x, self.per_row(x, DType::U32)?])
            }
            17 => {
                let x = self.floats_of_rank(2)?;
                let indices = [self.known[x].shape.row() as u32];
                let magnitudes = self.per_row(x, DType::F32)?;
                let indices = self.wanted(DType::U32, &indices)?;
                (Operator::Scatter { rows: self.dim()? }, vec![x, magnitudes, indices])
            }
            18 => {
                let x = self.floats()?;
                let pairs = self.known[x].shape.row() as u32 / 2;
                let operator = Operator::Rotate {
                    axis: self.u.int_in_range(0..=2)?,
                    inverse: self.u.arbitrary()?,
                };
                (operator, vec![x, self.wanted(DType::U64, &[pairs])?])
            }
            19 => {
                let x = self.floats()?;
                (Operator::Chance, vec![x, self.per_row(x, DType::F32)?])
            }
            20 => (Operator::Rank, vec![self.floats()?]),
            21 => {
                let x = self.floats()?;
                (Operator::Mass, vec![x, self.like(x, DType::U32)?])
            }
            22 => {
                let x = self.of(DType::U32)?;
                let ranks = self.like(x, DType::U32)?;
                (Operator::KeepRanks, vec![x, ranks, self.per_row(x, DType::U32)?])
            }
            23 => {
                let x = self.of(DType::U32)?;
                let masses = self.like(x, DType::U64)?;
                let totals = self.per_row(x, DType::U64)?;
                (
                    Operator::KeepMass,
                    vec![x, masses, totals, self.per_row(x, DType::U32)?],
                )
            }
            24 => {
                let x = self.of(DType::U32)?;
                if self.u.arbitrary()? {
                    return Ok((Operator::Total, vec![x]));
                }
                let totals = self.per_row(x, DType::U64)?;
                (Operator::Draw, vec![x, totals, self.per_row(x, DType::U64)?])
            }
            25 => {
                let seed = self.wanted(DType::U64, &[])?;
                let operator = Operator::Random(self.u.arbitrary()?);
                let x = self.of(DType::U32)?;
                if self.u.arbitrary()? {
                    return Ok((Operator::Count { rows: self.dim()? }, vec![x]));
                }
                (operator, vec![seed, x])
            }
            _ => {
                let inputs = (0..self.u.int_in_range(0..=4)?)
                    .map(|_| self.any())
                    .collect::<Result<_>>()?;
                let mut bytes = self.u.peek_bytes(self.u.len()).unwrap_or_default();
                let operator = Operator::decode(&mut bytes).unwrap_or(Operator::Lookup);
                (operator, inputs)
            }
        })
    }

    fn size(&mut self) -> Result<u32> {
        Ok(*self.u.choose(&SIZES)?)
    }

    /// A dimension of some size.
    fn dim(&mut self) -> Result<Dim> {
        let size = self.size()?;
        self.dim_of(size)
    }

    /// A dimension of this size, written in one way or another.
    pub fn dim_of(&mut self, size: u32) -> Result<Dim> {
        let (length, position): (i32, i32) = *self.u.choose(&[(0, 0), (0, 0), (1, 0), (1, 1), (3, -2), (-2, 1)])?;
        let part = |times: i32, of: u32| i128::from(times) * i128::from(of);
        let rest = i128::from(size) - part(length, self.bindings.length) - part(position, self.bindings.position);
        Ok(match i32::try_from(rest) {
            Ok(constant) => Dim {
                constant,
                length,
                position,
            },
            Err(_) => Dim::constant(size as i32),
        })
    }

    fn visible(&mut self) -> Result<Visible> {
        Ok(*self.u.choose(&[Visible::All, Visible::Causal])?)
    }

    fn class(&mut self) -> Result<Class> {
        Ok(*self.u.choose(&[Class::Int8, Class::Int16, Class::Int24])?)
    }

    /// A tensor of these dimensions, as far as it may have them: one that there is, or a new one.
    fn wanted(&mut self, dtype: DType, dims: &[u32]) -> Result<usize> {
        let shape = Shape::new(dims, dtype).unwrap_or(Shape::SCALAR);
        let kind = TensorType {
            dtype,
            shape: if shape.len() > MOST { Shape::SCALAR } else { shape },
        };
        if let Some(at) = self.known.iter().rposition(|known| *known == kind) {
            if self.u.ratio(3, 4)? {
                return Ok(at);
            }
        }
        self.known.push(kind);
        Ok(self.known.len() - 1)
    }

    fn fresh(&mut self, dtype: DType, rank: usize) -> Result<usize> {
        let mut dims = Vec::new();
        for _ in 0..rank {
            dims.push(self.size()?);
        }
        // What may be long is the last dimension
        dims.sort_unstable();
        self.wanted(dtype, &dims)
    }

    /// A tensor of any type.
    fn any(&mut self) -> Result<usize> {
        if !self.known.is_empty() && self.u.ratio(7, 8)? {
            return self.u.choose_index(self.known.len());
        }
        let dtype = *self.u.choose(&DTYPES)?;
        self.of(dtype)
    }

    /// A tensor of this type.
    fn of(&mut self, dtype: DType) -> Result<usize> {
        let own: Vec<usize> = (0..self.known.len())
            .filter(|at| self.known[*at].dtype == dtype)
            .collect();
        if !own.is_empty() && self.u.ratio(3, 4)? {
            return Ok(*self.u.choose(&own)?);
        }
        let rank = *self.u.choose(&[2, 1, 3, 2, 0, 4, 5])?;
        self.fresh(dtype, rank)
    }

    fn floats(&mut self) -> Result<usize> {
        self.of(DType::F32)
    }

    fn floats_of_rank(&mut self, rank: usize) -> Result<usize> {
        let is_one = |kind: &TensorType| kind.dtype == DType::F32 && kind.shape.rank() == rank;
        match self.known.iter().rposition(is_one) {
            Some(at) if self.u.ratio(3, 4)? => Ok(at),
            _ => self.fresh(DType::F32, rank),
        }
    }

    fn like(&mut self, x: usize, dtype: DType) -> Result<usize> {
        let shape = self.known[x].shape;
        self.wanted(dtype, shape.dims())
    }

    fn per_row(&mut self, x: usize, dtype: DType) -> Result<usize> {
        let shape = self.known[x].shape;
        self.wanted(dtype, shape.dims().split_last().map_or(&[][..], |(_, outer)| outer))
    }

    fn map(&mut self) -> Result<(Operator, Vec<usize>)> {
        let mut inputs = vec![self.any()?];
        for _ in 0..self.u.int_in_range(0..=2)? {
            // The same, its last dimensions, or with a dimension that is repeated
            let mut dims = self.known[inputs[0]].shape.dims().to_vec();
            let cut = self.u.int_in_range(0..=dims.len())?;
            dims.drain(..cut);
            if let Some(dim) = dims.first_mut() {
                if self.u.arbitrary()? {
                    *dim = 1;
                }
            }
            let dtype = *self.u.choose(&DTYPES[..4])?;
            inputs.push(self.wanted(dtype, &dims)?);
        }
        let count = self.u.int_in_range(1..=10)?;
        let mut nodes = Vec::new();
        for at in 0..count {
            let earlier = |u: &mut Unstructured<'_>| u.int_in_range(0..=u8::max(at, 1) - 1);
            let u = &mut *self.u;
            nodes.push(match if at == 0 { 0 } else { u.int_in_range(0..=5)? } {
                0 => Node::Input(u.int_in_range(0..=inputs.len() as u8 - 1)?),
                1 => Node::Constant(u.arbitrary()?),
                2 => Node::Coordinate(u.int_in_range(0..=2)?),
                3 => {
                    let function = [u.int_in_range(0..=17u8)?];
                    let function = Decode::decode(&mut &function[..]).expect("there are 18 functions; qed");
                    Node::Unary(function, earlier(u)?)
                }
                4 => {
                    let function = [u.int_in_range(0..=5u8)?];
                    let function = Decode::decode(&mut &function[..]).expect("there are 6 functions; qed");
                    Node::Binary(function, earlier(u)?, earlier(u)?)
                }
                _ => Node::Select(
                    *u.choose(&[Comparison::Less, Comparison::Equal])?,
                    [earlier(u)?, earlier(u)?, earlier(u)?, earlier(u)?],
                ),
            });
        }
        Ok((Operator::Map(Expression(nodes)), inputs))
    }

    fn view(&mut self) -> Result<(Operator, Vec<usize>)> {
        let x = self.any()?;
        let own = self.known[x].shape;
        let mut shape = Vec::new();
        for _ in 0..self.u.int_in_range(0..=4)? {
            shape.push(self.dim()?);
        }
        let mut coordinates = Vec::new();
        for _ in 0..own.rank() {
            let mut terms = Vec::new();
            for _ in 0..self.u.int_in_range(0..=2)? {
                terms.push(Term {
                    dimension: self.u.int_in_range(0..=u8::max(shape.len() as u8, 1) - 1)?,
                    factor: *self.u.choose(&[1, 1, 2, -1, 3, i32::MAX, i32::MIN, 0])?,
                });
            }
            let offset = *self.u.choose(&[0, 0, 1, -1, 2, i32::MAX, i32::MIN])?;
            coordinates.push(Coordinate {
                offset: Dim {
                    length: *self.u.choose(&[0, 0, 1, -1, i32::MIN])?,
                    ..Dim::constant(offset)
                },
                terms,
                divisor: *self.u.choose(&[1, 1, 2, 3, u32::MAX, 0])?,
            });
        }
        Ok((Operator::View { shape, coordinates }, vec![x]))
    }

    fn reshape(&mut self) -> Result<(Operator, Vec<usize>)> {
        let x = self.any()?;
        let own = self.known[x].shape;
        let mut sizes = own.dims().to_vec();
        match self.u.int_in_range(0..=3)? {
            0 => sizes = vec![own.len() as u32],
            1 => sizes.reverse(),
            2 => sizes.push(1),
            _ => sizes.insert(0, 1),
        }
        let mut dims = Vec::new();
        for size in sizes {
            dims.push(self.dim_of(size)?);
        }
        Ok((Operator::Reshape(dims), vec![x]))
    }

    fn concat(&mut self) -> Result<(Operator, Vec<usize>)> {
        let x = self.any()?;
        let TensorType { dtype, shape } = self.known[x];
        let axis = self.u.int_in_range(0..=u8::max(shape.rank() as u8, 1) - 1)?;
        let mut inputs = vec![x];
        for _ in 0..self.u.int_in_range(0..=3)? {
            let mut dims = shape.dims().to_vec();
            let at = dims.len().checked_sub(1 + usize::from(axis));
            if let Some(dim) = at.and_then(|at| dims.get_mut(at)) {
                *dim = self.size()?;
            }
            inputs.push(self.wanted(dtype, &dims)?);
        }
        Ok((Operator::Concat(axis), inputs))
    }

    fn product(&mut self) -> Result<(Operator, Vec<usize>)> {
        let (mut inputs, mut magnitudes): (Vec<usize>, Vec<usize>) = (Vec::new(), Vec::new());
        let mut sides = Vec::new();
        for number in 0..2 {
            let (class, dtype) = *self.u.choose(&[
                (Class::Int16, DType::F32),
                (Class::Int8, DType::I8),
                (Class::Int24, DType::F32),
                (Class::Int16, DType::I16),
                (Class::Int8, DType::F32),
            ])?;
            let operand = if number == 0 {
                self.of(dtype)?
            } else {
                let mut dims = self.known[inputs[0]].shape.dims().to_vec();
                let rank = dims.len();
                if rank >= 2 {
                    dims[rank - 2] = self.size()?;
                    let cut = self.u.int_in_range(0..=rank - 2)?;
                    dims.drain(..cut);
                }
                self.wanted(dtype, &dims)?
            };
            let scaled = dtype == DType::F32 || self.u.arbitrary()?;
            inputs.push(operand);
            if scaled {
                magnitudes.push(self.per_row(operand, DType::F32)?);
            }
            sides.push(Side { class, scaled });
        }
        inputs.append(&mut magnitudes);
        let (a, b) = (sides[0], sides[1]);
        Ok((Operator::Product { a, b }, inputs))
    }
}

/// About how many scalar operations it takes to compute the whole output as the reference does.
pub fn effort(operator: &Operator, inputs: &[TensorType], output: TensorType) -> u64 {
    let each = match operator {
        Operator::Map(expression) => 4 * expression.0.len() as u64,
        Operator::View { .. } | Operator::Reshape(_) | Operator::Concat(_) | Operator::Lookup | Operator::Pick => 4,
        _ => inputs.first().map_or(1, |x| x.shape.row()).max(8),
    };
    output.shape.len().saturating_mul(each)
}
