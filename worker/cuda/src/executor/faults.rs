//! What is wrong with an element that the device found faulty: the reference says it.

use super::{Executor, Failure, Lane};
use crate::{device::DeviceError, lower::Call};
use assay_exact::{
    memory::Tensor,
    opening::HashMode,
    operator::{self, Bindings, Fault},
};

impl Executor {
    /// What is wrong with an element of an operator of a lane that runs alone.
    pub(super) fn explain(
        &self,
        lane: &mut Lane<'_>,
        at: usize,
        element: u32,
        digests: &[u8],
        record: Option<&HashMode>,
    ) -> Failure {
        let call = &self.lowered.calls[at];
        match self.fault(lane, at, element) {
            Ok(fault) => Failure::Operator {
                at: call.place,
                fault,
                recorded: self.recorded(digests, (0, 1), call.place.segment, record),
            },
            Err(error) => error.into(),
        }
    }

    fn fault(&self, lane: &mut Lane<'_>, at: usize, element: u32) -> Result<Fault, DeviceError> {
        let call = &self.lowered.calls[at];
        lane.session.begin();
        let inputs = self
            .tell(std::slice::from_mut(lane), None, at)
            .map(|told| self.inputs(call, 0, lane, &told.made));
        let read = inputs.and_then(|inputs| {
            let tensors = inputs.iter().zip(&call.inputs).map(|(input, slot)| {
                Ok(Tensor {
                    kind: lane.types[*slot],
                    bytes: match &input.planes {
                        Some(planes) => self.weights.original(&self.device, planes, &input.kind, &input.array)?,
                        None => input.array.to_bytes(&self.device)?,
                    },
                })
            });
            tensors.collect::<Result<Vec<_>, DeviceError>>()
        });
        lane.session.undo();
        fault_of_reference(call, &read?, lane.bindings, element)
    }
}

/// What the reference finds wrong with an element of an operator of these inputs.
pub(super) fn fault_of_reference(
    call: &Call,
    tensors: &[Tensor],
    bindings: Bindings,
    element: u32,
) -> Result<Fault, DeviceError> {
    let kinds: Vec<_> = tensors.iter().map(|tensor| tensor.kind).collect();
    let tensors: Vec<_> = tensors.iter().collect();
    let reference = operator::Call::new(&call.operator, &kinds, bindings)
        .map_err(|error| mismatch(call, element, &error.to_string()))?;
    match reference.element(element.into(), &tensors[..]) {
        Err(fault) => Ok(fault),
        Ok(_) => Err(mismatch(call, element, "the reference finds none")),
    }
}

fn mismatch(call: &Call, element: u32, reason: &str) -> DeviceError {
    DeviceError {
        what: "finding out what is wrong with an element",
        reason: format!(
            "the device reports a fault in element {element} of {}, but {reason}; do not trust this device",
            call.place
        ),
    }
}
