//! Weights on a device: as they are, or as digits for products.

use super::faults::fault_of_reference;
use crate::{
    array::{Array, Kind},
    device::{Device, DeviceError, Memory},
    lower::{Call, Factor, Lowered, Slot, Way},
    operators::{as_planes, planes_of_second, Given, Launcher, Planes, FAULT_BYTES},
};
use assay_exact::{
    memory::Tensor,
    operator::{Bindings, Fault, Operator, Side, TensorType},
    program::{Place, PlanError},
    tensor::DType,
};
use std::{collections::HashMap, sync::Arc};

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
        expected: usize,
        /// What there is.
        got: usize,
    },
    /// The program cannot run at all.
    #[error("the program cannot run: {0}")]
    Plan(PlanError),
    /// What depends on weights alone fails: every run would.
    #[error("{place}: {fault}; no run of this model can succeed")]
    Weight {
        /// The operator.
        place: Place,
        /// What is wrong.
        fault: Fault,
    },
    /// The device has failed, or has no room.
    #[error(transparent)]
    Device(#[from] DeviceError),
}

/// All that is the same in every step.
#[derive(Debug)]
pub(super) struct Weights {
    arrays: HashMap<Slot, Array>,
    planes: HashMap<Factor, Arc<Planes>>,
    /// What stands for arrays that are not kept: digits are read instead.
    nothing: Array,
}

impl Weights {
    pub(super) fn load<E>(
        device: &Arc<dyn Device>,
        lowered: &Lowered,
        types: &[TensorType],
        names: &[String],
        mut read: impl FnMut(usize) -> Result<Vec<u8>, E>,
    ) -> Result<Self, LoadError<E>> {
        let mut weights = Self {
            arrays: HashMap::new(),
            planes: HashMap::new(),
            nothing: Array::new(device, 0)?,
        };
        let (kept, factors) = (kept(lowered), factors(lowered));
        for weight in 0..names.len() {
            let name = || names[weight].clone();
            let kind = Kind::from(&types[weight]);
            let own: Vec<_> = factors
                .iter()
                .filter(|((slot, ..), _)| lowered.root[*slot] == weight)
                .collect();
            if !kept[weight] && own.is_empty() {
                continue;
            }
            let bytes = read(weight).map_err(|error| LoadError::Read { name: name(), error })?;
            let (expected, got) = (kind.bytes(), bytes.len());
            if expected != got {
                let name = name();
                return Err(LoadError::Size { name, expected, got });
            }
            let array = Array::from_bytes(device, &bytes)?;
            let mut is_needed = kept[weight];
            for (factor, side) in own {
                let kind = Kind::from(&types[factor.0]);
                // Floats are made integers by magnitudes, which may have to be computed
                if kind.dtype == DType::F32 {
                    is_needed = true;
                    continue;
                }
                let planes = match as_planes(&kind, &array, &bytes) {
                    Some(planes) => planes,
                    None => planes_of(device, *side, kind, &array, None)?,
                };
                // Integers that are none of their class are told apart only where they are
                is_needed |= planes.may_be_faulty();
                weights.planes.insert(*factor, Arc::new(planes));
            }
            if is_needed {
                weights.arrays.insert(weight, array);
            }
        }
        weights.compute(device, lowered, types)?;
        for (factor, side) in factors {
            if weights.planes.contains_key(&factor) {
                continue;
            }
            let (slot, magnitudes, _) = factor;
            let array = weights.array(lowered.root[slot]);
            let magnitudes = magnitudes.map(|slot| weights.array(lowered.root[slot]).address());
            let planes = planes_of(device, side, Kind::from(&types[slot]), &array, magnitudes)?;
            weights.planes.insert(factor, Arc::new(planes));
        }
        Ok(weights)
    }

    /// Computes what depends on weights alone.
    fn compute<E>(
        &mut self,
        device: &Arc<dyn Device>,
        lowered: &Lowered,
        types: &[TensorType],
    ) -> Result<(), LoadError<E>> {
        for call in &lowered.calls {
            if !lowered.constant[call.output] || lowered.root[call.output] != call.output {
                continue;
            }
            let inputs: Vec<_> = call
                .inputs
                .iter()
                .map(|slot| Given {
                    kind: Kind::from(&types[*slot]),
                    array: self.array(lowered.root[*slot]),
                    planes: None,
                })
                .collect();
            let kind = Kind::from(&types[call.output]);
            let array = Array::new(device, kind.bytes())?;
            let fault = Memory::new(device, FAULT_BYTES)?;
            device.fill(fault.address(), 0xff, FAULT_BYTES)?;
            let launcher = Launcher {
                device,
                bindings: Bindings::default(),
                fault: fault.address(),
            };
            launcher.run(&call.operator, &inputs, &kind, &array)?;
            let mut element = [0; FAULT_BYTES];
            device.download(fault.address(), &mut element)?;
            let element = u32::from_le_bytes(element);
            if element != u32::MAX {
                return Err(explain(device, call, types, &inputs, element)?);
            }
            self.arrays.insert(call.output, array);
        }
        Ok(())
    }

    /// A tensor that is the same in every step, or nothing if only its digits are kept.
    /// `root` is the tensor in whose memory it lies.
    pub(super) fn array(&self, root: Slot) -> Array {
        self.arrays.get(&root).unwrap_or(&self.nothing).clone()
    }

    /// The digits of an operator's input, if it is a product's second operand and the same in every step.
    pub(super) fn planes(&self, lowered: &Lowered, call: &Call, slot: Slot) -> Option<Arc<Planes>> {
        let factor = lowered
            .factor(call)
            .filter(|factor| factor.0 == slot && call.inputs[1] == slot)?;
        self.planes.get(&factor).cloned()
    }

    /// The bytes of a second operand, out of its digits if it is not kept.
    pub(super) fn original(
        &self,
        device: &Arc<dyn Device>,
        planes: &Planes,
        kind: &Kind,
        array: &Array,
    ) -> Result<Vec<u8>, DeviceError> {
        if array.bytes() == kind.bytes() {
            array.to_bytes(device)
        } else {
            planes.integers(device, kind)
        }
    }
}

/// Which tensors are read as they are, by root.
fn kept(lowered: &Lowered) -> Vec<bool> {
    let mut kept = vec![false; lowered.root.len()];
    for call in &lowered.calls {
        if call.way == Way::Known && matches!(call.operator, Operator::Reshape(_)) {
            continue;
        }
        let factor = lowered.factor(call).filter(|_| !lowered.constant[call.output]);
        for (at, slot) in call.inputs.iter().enumerate() {
            if at != 1 || factor.is_none() {
                kept[lowered.root[*slot]] = true;
            }
        }
    }
    let handed = lowered.hands_on.iter().flatten();
    for slot in lowered.results.iter().chain(&lowered.next).chain(handed) {
        kept[lowered.root[*slot]] = true;
    }
    kept
}

/// Second operands of products that are the same in every step.
fn factors(lowered: &Lowered) -> HashMap<Factor, Side> {
    let products = lowered.calls.iter().filter(|call| !lowered.constant[call.output]);
    products
        .filter_map(|call| match call.operator {
            Operator::Product { b, .. } => Some((lowered.factor(call)?, b)),
            _ => None,
        })
        .collect()
}

fn planes_of(
    device: &Arc<dyn Device>,
    side: Side,
    kind: Kind,
    array: &Array,
    magnitudes: Option<u64>,
) -> Result<Planes, DeviceError> {
    let given = Given {
        kind,
        array: array.clone(),
        planes: None,
    };
    let mut planes = planes_of_second(device, side, &given, magnitudes)?;
    planes.forget_faults_if_none(device)?;
    Ok(planes)
}

fn explain<E>(
    device: &Arc<dyn Device>,
    call: &Call,
    types: &[TensorType],
    inputs: &[Given],
    element: u32,
) -> Result<LoadError<E>, DeviceError> {
    let tensors = inputs.iter().zip(&call.inputs).map(|(input, slot)| {
        Ok(Tensor {
            kind: types[*slot],
            bytes: input.array.to_bytes(device)?,
        })
    });
    let tensors = tensors.collect::<Result<Vec<_>, DeviceError>>()?;
    let fault = fault_of_reference(call, &tensors, Bindings::default(), element)?;
    Ok(LoadError::Weight {
        place: call.place,
        fault,
    })
}
