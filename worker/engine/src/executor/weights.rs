//! Weights in memory: as they are, or packed for products.

use super::{
    buffer::{Buffer, Slice},
    lower::{Call, Lowered, Slot, Stage},
    threads::Threads,
};
use assay_exact::{
    operator::{Fault, Operator, TensorType},
    product::Class,
    tensor::DType,
};
use assay_kernels::{
    product::{Packed, Rows},
    Isa,
};
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

/// Where an engine gets a package's tensors.
pub trait WeightSource {
    /// Why there is none.
    type Error;

    /// The bytes of a weight, row-major and little-endian, by its number in the program. Each is asked for at most
    /// twice.
    fn read(&self, weight: usize) -> Result<Vec<u8>, Self::Error>;
}

/// What products read: a matrix and, if they are scaled by it, its magnitudes; its class; its multipliers, if it has any.
type Factor = (Slot, Option<Slot>, Class, Option<Slot>);

/// All that is the same in every step.
#[derive(Debug, Default)]
pub(crate) struct Weights {
    /// For each tensor that is read as it is.
    constants: Vec<Option<Buffer>>,
    packed: HashMap<Factor, Arc<Packed>>,
    /// Of those that are read row by row too, by their number: they are not kept a second time as they are.
    tables: HashMap<Slot, Arc<Packed>>,
}

/// Why weights cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError<E> {
    /// One cannot be read.
    #[error("weight {name}: {error}")]
    Read {
        /// Its name.
        name: String,
        /// Why.
        error: E,
    },
    /// One has another size than the program declares.
    #[error("weight {name}: expected {expected} bytes, got {got}")]
    Size {
        /// Its name.
        name: String,
        /// What the program declares.
        expected: u64,
        /// What there is.
        got: u64,
    },
    /// The program cannot run at all.
    #[error("the program cannot run: {0}")]
    Plan(#[from] PlanFailure),
    /// What depends on weights alone fails: every run would.
    #[error("{place}: {fault}; no run of this model can succeed")]
    Weight {
        /// The operator.
        place: assay_exact::program::Place,
        /// What is wrong.
        fault: Fault,
    },
}

/// A program that cannot run in any step that was tried.
#[derive(Debug)]
pub struct PlanFailure(pub assay_exact::program::PlanError);

impl std::fmt::Display for PlanFailure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for PlanFailure {}

/// The factor of a product in a group.
fn factor(lowered: &Lowered, call: &Call) -> Option<Factor> {
    let Operator::Product { a, b } = call.operator else {
        return None;
    };
    let magnitudes = b.scaled.then(|| call.inputs[2 + usize::from(a.scaled)]);
    let multipliers = call.inputs.get(2 + usize::from(a.scaled) + usize::from(b.scaled));
    Some((
        lowered.root[call.inputs[1]],
        magnitudes.map(|slot| lowered.root[slot]),
        b.class,
        multipliers.map(|slot| lowered.root[*slot]),
    ))
}

impl Weights {
    /// Loads all weights of a program: one at a time, so that little more is ever in memory than what stays.
    pub(crate) fn load<S: WeightSource>(
        isa: Isa,
        lowered: &Lowered,
        types: &[TensorType],
        names: &[String],
        source: &S,
    ) -> Result<Self, LoadError<S::Error>> {
        let mut weights = Self {
            constants: (0..lowered.slots()).map(|_| None).collect(),
            packed: HashMap::new(),
            tables: HashMap::new(),
        };
        let in_groups: Vec<&Call> = lowered
            .parts
            .iter()
            .flat_map(|part| &part.stages)
            .filter_map(|stage| match stage {
                Stage::Group(group) => Some(group.calls.iter().map(|call| &lowered.calls[*call])),
                _ => None,
            })
            .flatten()
            .collect();
        let factors: Vec<Factor> = in_groups.iter().filter_map(|call| factor(lowered, call)).collect();
        // Packed rows of eight bits can be read one by one
        let of_bytes: HashSet<Slot> = factors
            .iter()
            .map(|(matrix, ..)| *matrix)
            .filter(|matrix| types[*matrix].dtype == DType::I8)
            .collect();
        let is_table = |call: &Call| {
            let (slot, root) = (call.inputs[0], lowered.root[call.inputs[0]]);
            let same = types[slot].shape == types[root].shape;
            matches!(call.operator, Operator::Lookup)
                && !lowered.constant[call.output]
                && same
                && of_bytes.contains(&root)
        };
        // A weight that is only ever a factor, or a table that is one too, is not kept as it is
        let mut kept = vec![false; names.len()];
        let is_grouped = |call: &Call| in_groups.iter().any(|other| std::ptr::eq(*other, call));
        for call in &lowered.calls {
            let grouped = is_grouped(call);
            for (at, slot) in call.inputs.iter().enumerate() {
                let is_factor = grouped && at == 1 && matches!(call.operator, Operator::Product { .. });
                let is_packed = is_factor || (at == 0 && is_table(call));
                if let Some(kept) = kept.get_mut(lowered.root[*slot]).filter(|_| !is_packed) {
                    *kept = true;
                }
            }
        }
        for slot in lowered.results.iter().chain(&lowered.next) {
            if let Some(kept) = kept.get_mut(lowered.root[*slot]) {
                *kept = true;
            }
        }
        let read = |weight: Slot| {
            let name = || names[weight].clone();
            let bytes = source
                .read(weight)
                .map_err(|error| LoadError::Read { name: name(), error })?;
            let kind = types[weight];
            let expected = kind.shape.len() * kind.dtype.size();
            if bytes.len() as u64 != expected {
                return Err(LoadError::Size {
                    name: name(),
                    expected,
                    got: bytes.len() as u64,
                });
            }
            Ok(Buffer::from_bytes(kind.dtype, &bytes))
        };
        for weight in (0..names.len()).filter(|weight| kept[*weight]) {
            weights.constants[weight] = Some(read(weight)?);
        }
        for call in lowered.constant_calls() {
            if lowered.root[call.output] != call.output {
                continue;
            }
            let inputs: Vec<_> = call
                .inputs
                .iter()
                .map(|slot| weights.constant(lowered.root[*slot]))
                .collect();
            let kinds: Vec<_> = call.inputs.iter().map(|slot| types[*slot]).collect();
            let output = types[call.output];
            let mut out = Buffer::zeros(output.dtype, output.shape.len() as usize);
            let bindings = assay_exact::operator::Bindings::default();
            crate::executor::whole::evaluate(
                isa,
                &call.operator,
                &kinds,
                &inputs,
                output,
                bindings,
                out.all_mut(),
                Threads::alone(),
            )
            .map_err(|fault| LoadError::Weight {
                place: call.place,
                fault,
            })?;
            weights.constants[call.output] = Some(out);
        }
        for (at, factor) in factors.iter().enumerate() {
            if weights.packed.contains_key(factor) {
                continue;
            }
            let (matrix, magnitudes, class, multipliers) = *factor;
            let loaded;
            let integers = match &weights.constants[matrix] {
                Some(buffer) => buffer,
                None => {
                    loaded = read(matrix)?;
                    &loaded
                }
            };
            let [rows, depth] = *types[matrix].shape.dims() else {
                unreachable!("grouped products have matrices as factors")
            };
            let magnitudes = magnitudes.map(|slot| weights.constant(slot).floats());
            let fault = |fault| {
                let call = in_groups
                    .iter()
                    .filter(|call| self::factor(lowered, call).is_some())
                    .nth(at);
                LoadError::Weight {
                    place: call.map_or(
                        assay_exact::program::Place {
                            segment: 0,
                            operator: 0,
                        },
                        |call| call.place,
                    ),
                    fault,
                }
            };
            let (mut int8, mut int16, mut int24) = (Vec::new(), Vec::new(), Vec::new());
            let integers = crate::executor::group::integers(
                isa,
                integers.all(),
                class,
                depth as usize,
                magnitudes,
                (&mut int8, &mut int16, &mut int24),
            )
            .map_err(fault)?;
            let mut packed = Packed::new();
            let rows = Rows::new(integers, rows as usize, depth as usize, magnitudes);
            match multipliers {
                None => packed.fill(isa, &rows),
                Some(slot) => packed.fill_multiplied(isa, &rows, weights.constant(slot).words()),
            }
            .map_err(fault)?;
            let packed = Arc::new(packed);
            if weights.constants[matrix].is_none() && of_bytes.contains(&matrix) {
                weights.tables.insert(matrix, packed.clone());
            }
            weights.packed.insert(*factor, packed);
        }
        Ok(weights)
    }

    /// A tensor that is the same in every step, by its root.
    ///
    /// # Panics
    ///
    /// If it has not been kept.
    pub(crate) fn constant(&self, root: Slot) -> Slice<'_> {
        self.constants[root]
            .as_ref()
            .expect("what operators read of constants is kept; qed")
            .all()
    }

    /// Whether a tensor is in memory as it is.
    #[cfg(test)]
    pub(crate) fn is_kept(&self, root: Slot) -> bool {
        self.constants[root].is_some()
    }

    /// The packed rows of a table that is not kept as it is, by its root.
    pub(crate) fn table(&self, root: Slot) -> Option<&Packed> {
        self.tables.get(&root).map(Arc::as_ref)
    }

    /// The matrix of a product with weights, if it is packed: those of all groups are.
    pub(crate) fn packed(&self, lowered: &Lowered, call: &Call) -> Option<&Arc<Packed>> {
        self.packed.get(&factor(lowered, call)?)
    }
}
