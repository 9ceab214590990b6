//! What models run on: this machine's processor, or a GPU. The bits are the same.

#[cfg(feature = "device")]
use crate::executor::InputError;
use crate::executor::{Buffer, Executor, Failure, Output, Session};
use assay_exact::{opening::HashMode, program::Program};

/// A program with its weights, where it runs.
#[derive(Debug)]
pub(crate) enum Backend {
    /// On the processor.
    Cpu(Executor),
    /// On a device.
    #[cfg(feature = "device")]
    Device(assay_cuda::Executor),
}

/// The states of one run, where they are.
#[derive(Clone, Debug)]
pub(crate) enum Run {
    /// In this machine's memory.
    Cpu(Session),
    /// In a device's.
    #[cfg(feature = "device")]
    Device(assay_cuda::Session),
}

impl Run {
    /// Bytes of all states.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Cpu(session) => session.bytes(),
            #[cfg(feature = "device")]
            Self::Device(session) => session.bytes(),
        }
    }
}

/// What a step of a run is given.
#[derive(Debug)]
pub(crate) struct Given<'a> {
    /// The run.
    pub(crate) run: &'a mut Run,
    /// Tokens of the step.
    pub(crate) length: u32,
    /// The program's inputs, in its order.
    pub(crate) inputs: Vec<Buffer>,
}

impl Backend {
    pub(crate) fn program(&self) -> &Program {
        match self {
            Self::Cpu(executor) => executor.program(),
            #[cfg(feature = "device")]
            Self::Device(executor) => executor.program(),
        }
    }

    /// A run that has not begun.
    ///
    /// # Panics
    ///
    /// If the device fails.
    pub(crate) fn start(&self) -> Run {
        match self {
            Self::Cpu(executor) => Run::Cpu(executor.session()),
            #[cfg(feature = "device")]
            Self::Device(executor) => Run::Device(executor.session().unwrap_or_else(|error| device_failed(&error))),
        }
    }

    /// Takes a step of several runs that were started here: see [`Executor::step`].
    ///
    /// # Panics
    ///
    /// If the device fails: that is no result, and what it would give after that cannot be trusted.
    pub(crate) fn step(&self, given: Vec<Given<'_>>, record: Option<&HashMode>) -> Vec<Result<Output, Failure>> {
        match self {
            Self::Cpu(executor) => {
                let given = given.into_iter().map(|given| crate::executor::Given {
                    session: match given.run {
                        Run::Cpu(session) => session,
                        #[cfg(feature = "device")]
                        Run::Device(_) => unreachable!("a run goes on where it was started"),
                    },
                    length: given.length,
                    inputs: given.inputs,
                });
                executor.step(given.collect(), record)
            }
            #[cfg(feature = "device")]
            Self::Device(executor) => {
                let given = given.into_iter().map(|given| assay_cuda::Given {
                    session: match given.run {
                        Run::Device(session) => session,
                        Run::Cpu(_) => unreachable!("a run goes on where it was started"),
                    },
                    length: given.length,
                    inputs: given.inputs.iter().map(|input| input.all().bytes().to_vec()).collect(),
                });
                let outcomes = executor.step(given.collect(), record).into_iter();
                outcomes.map(|outcome| outcome.map(output).map_err(failure)).collect()
            }
        }
    }
}

#[cfg(feature = "device")]
fn device_failed(error: &assay_cuda::device::DeviceError) -> ! {
    panic!("the device has failed: {error}; restart on another device, or without one")
}

#[cfg(feature = "device")]
fn output(output: assay_cuda::Output) -> Output {
    let results = output.results.into_iter();
    Output {
        results: results
            .map(|(kind, bytes)| (kind, Buffer::from_bytes(kind.dtype, &bytes)))
            .collect(),
        recorded: output.recorded,
    }
}

#[cfg(feature = "device")]
fn failure(failure: assay_cuda::Failure) -> Failure {
    match failure {
        assay_cuda::Failure::Operator { at, fault, recorded } => Failure::Operator { at, fault, recorded },
        assay_cuda::Failure::Input(assay_cuda::InputError::Plan {
            length,
            position,
            error,
        }) => Failure::Input(InputError::Plan {
            length,
            position,
            error,
        }),
        assay_cuda::Failure::Input(error) => unreachable!("inputs are made for the program: {error}"),
        assay_cuda::Failure::Device(error) => device_failed(&error),
    }
}
