//! Sequences of token ids to the tokens behind them.
//!
//! Any number of generations advance together, a token each; new ones join and others leave between any two tokens
//! (continuous batching). Not a bit of one depends on the others.

use crate::{
    backend::{Backend, Given, Run},
    embed::{check_sequence, vocabulary, InputError},
    executor::{Buffer, Executor, Failure, Settings},
    ModelError,
};
use assay_exact::{
    opening::{Digest, HashMode},
    operator::Fault,
    program::Place,
};
use assay_models::{Package, Profile};

/// Share of chance that stands for all of it, in 2⁻¹⁶.
const WHOLE: u32 = 1 << 16;

/// How tokens are drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampling {
    /// What scores are divided by. At 0 the likeliest token is taken.
    pub temperature: f32,
    /// How many of the likeliest tokens are drawn from; all, if 0.
    pub top_k: u32,
    /// Share of chance of the tokens drawn from, from above 0 to 1.
    pub top_p: f32,
    /// What scores of tokens that have occurred are divided by, or multiplied where negative.
    pub repetition_penalty: f32,
    /// Seed of the random numbers.
    pub seed: u64,
    /// Which of the sequences under this seed it is.
    pub sequence: u32,
}

impl Sampling {
    /// The likeliest token, always.
    pub const GREEDY: Self = Self {
        temperature: 0.0,
        top_k: 0,
        top_p: 1.0,
        repetition_penalty: 1.0,
        seed: 0,
        sequence: 0,
    };

    /// The program's inputs behind the tokens, in its order.
    fn inputs(&self) -> [Buffer; 6] {
        let is_greedy = self.temperature == 0.0;
        let (temperature, top_k) = if is_greedy {
            (1.0, 1)
        } else {
            (self.temperature, self.top_k)
        };
        // In range: the share is from 0 to 1; at least one token remains whatever it is
        let top_p = ((f64::from(self.top_p) * f64::from(WHOLE)).round() as u32).clamp(1, WHOLE);
        [
            Buffer::U64(vec![self.seed]),
            Buffer::U32(vec![self.sequence]),
            Buffer::F32(vec![temperature]),
            Buffer::U32(vec![top_k]),
            Buffer::U32(vec![top_p]),
            Buffer::F32(vec![self.repetition_penalty]),
        ]
    }

    fn check(&self) -> Result<(), RequestError> {
        let refuse = |what, expected, got| Err(RequestError::Sampling { what, expected, got });
        if !(0.0..=1e6).contains(&self.temperature) {
            return refuse("temperature", "a number from 0 to 1,000,000", self.temperature);
        }
        if !(self.top_p > 0.0 && self.top_p <= 1.0) {
            return refuse("top_p", "a number above 0, up to 1", self.top_p);
        }
        if !(0.01..=100.0).contains(&self.repetition_penalty) {
            return refuse(
                "repetition_penalty",
                "a number from 0.01 to 100",
                self.repetition_penalty,
            );
        }
        Ok(())
    }
}

/// What is to be generated.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// Token ids behind which it goes on.
    pub prompt: Vec<u32>,
    /// Most tokens that are generated.
    pub max_tokens: u32,
    /// How they are drawn.
    pub sampling: Sampling,
    /// Tokens that end it; the model's own, if `None`.
    pub end: Option<Vec<u32>>,
}

/// Why something cannot be generated.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum RequestError {
    /// The prompt is none that the model takes.
    #[error("prompt: {0}")]
    Prompt(#[from] InputError),
    /// Prompt and generated tokens together are longer than the model takes.
    #[error("expected at most {expected} tokens with the prompt, got {prompt} and up to {max_tokens} more")]
    TooLong {
        /// Tokens that the model takes.
        expected: u32,
        /// Tokens of the prompt.
        prompt: usize,
        /// Tokens that might follow.
        max_tokens: u32,
    },
    /// Nothing would be generated.
    #[error("max_tokens: expected at least 1, got 0")]
    NoTokens,
    /// Tokens cannot be drawn like that.
    #[error("{what}: expected {expected}, got {got}")]
    Sampling {
        /// The parameter.
        what: &'static str,
        /// What it may be.
        expected: &'static str,
        /// What it is.
        got: f32,
    },
}

/// Why a generation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// A token came that ends it.
    Stop,
    /// It has as many tokens as were asked for.
    Length,
    /// An operator failed: this is a result.
    Failed {
        /// The operator.
        at: Place,
        /// What is wrong.
        fault: Fault,
    },
}

/// A model in memory that generates.
#[derive(Debug)]
pub struct Generator {
    executor: Backend,
    profile: Profile,
    vocabulary: u32,
    /// Most tokens of a step.
    step: usize,
    end: Vec<u32>,
}

/// One sequence that is being generated.
#[derive(Clone, Debug)]
pub struct Generation {
    run: Run,
    /// What is still to be taken in: the prompt, then the last token.
    next: Vec<u32>,
    tokens: Vec<u32>,
    max_tokens: u32,
    sampling: Sampling,
    end_tokens: Vec<u32>,
    end: Option<End>,
    /// Digests of all segments so far, if they are recorded.
    recorded: Vec<Vec<Digest>>,
}

impl Generation {
    /// The tokens so far, without the prompt; with the one that ended it, if one did.
    pub fn tokens(&self) -> &[u32] {
        &self.tokens
    }

    /// Why it ended, if it has.
    pub fn end(&self) -> Option<End> {
        self.end
    }

    /// Bytes that its states take: keys and values of all tokens so far.
    pub fn state_bytes(&self) -> usize {
        self.run.bytes()
    }

    /// Digests of what all segments of all steps handed on, if they were recorded.
    pub fn recorded(&self) -> &[Vec<Digest>] {
        &self.recorded
    }
}

impl Generator {
    /// Loads a package's weights.
    ///
    /// # Errors
    ///
    /// If they cannot be read, or no run could succeed with them.
    pub fn load(package: &Package, settings: Settings) -> Result<Self, ModelError> {
        let executor = Executor::load(package.program().clone(), package, settings)?;
        Ok(Self::with(package, Backend::Cpu(executor)))
    }

    /// Loads a package's weights onto a device. Whoever calls this model's functions panics if the device fails: that is
    /// no result.
    ///
    /// # Errors
    ///
    /// If they cannot be read, if no run could succeed with them, or if the device has no room.
    #[cfg(feature = "device")]
    pub fn load_on(
        package: &Package,
        device: std::sync::Arc<dyn assay_cuda::device::Device>,
    ) -> Result<Self, crate::DeviceModelError> {
        let read = |weight| package.weight(weight).map_err(Box::new);
        let executor = assay_cuda::Executor::load(package.program().clone(), device, read)?;
        Ok(Self::with(package, Backend::Device(executor)))
    }

    fn with(package: &Package, executor: Backend) -> Self {
        Self {
            executor,
            profile: package.manifest().profile(),
            vocabulary: vocabulary(package),
            step: package.manifest().step() as usize,
            end: package.manifest().end().to_vec(),
        }
    }

    /// Begins a generation; nothing is computed yet.
    pub fn start(&self, request: Request) -> Result<Generation, RequestError> {
        let max = self.profile.max_sequence;
        check_sequence(0, &request.prompt, max, self.vocabulary)?;
        request.sampling.check()?;
        if request.max_tokens == 0 {
            return Err(RequestError::NoTokens);
        }
        let prompt = request.prompt.len();
        if prompt as u64 + u64::from(request.max_tokens) > u64::from(max) {
            return Err(RequestError::TooLong {
                expected: max,
                prompt,
                max_tokens: request.max_tokens,
            });
        }
        Ok(Generation {
            run: self.executor.start(),
            next: request.prompt,
            tokens: Vec::new(),
            max_tokens: request.max_tokens,
            sampling: request.sampling,
            end_tokens: request.end.unwrap_or_else(|| self.end.clone()),
            end: None,
            recorded: Vec::new(),
        })
    }

    /// Advances all generations that have not ended by a step: a token, or a part of the prompt.
    pub fn advance<'a>(&self, generations: impl IntoIterator<Item = &'a mut Generation>, record: Option<&HashMode>) {
        let running: Vec<_> = generations
            .into_iter()
            .filter(|generation| generation.end.is_none())
            .collect();
        let mut rest = Vec::with_capacity(running.len());
        let mut given = Vec::with_capacity(running.len());
        for generation in running {
            let Generation {
                run,
                next,
                tokens,
                max_tokens,
                sampling,
                end_tokens,
                end,
                recorded,
            } = generation;
            let rest_of_prompt = next.split_off(next.len().min(self.step));
            let taken = std::mem::replace(next, rest_of_prompt);
            let length = taken.len() as u32;
            let mut inputs = vec![Buffer::U32(taken)];
            inputs.extend(sampling.inputs());
            given.push(Given { run, length, inputs });
            rest.push((next, tokens, *max_tokens, end_tokens, end, recorded));
        }
        let outcomes = self.executor.step(given, record);
        for ((next, tokens, max_tokens, end_tokens, end, recorded), outcome) in rest.into_iter().zip(outcomes) {
            match outcome {
                Ok(output) => {
                    let Some((_, Buffer::U32(drawn))) = output.results.into_iter().next() else {
                        unreachable!("a package for generation has the next token as its result")
                    };
                    recorded.extend(output.recorded);
                    if !next.is_empty() {
                        // What follows is known: it is the rest of the prompt
                        continue;
                    }
                    tokens.extend_from_slice(&drawn);
                    if drawn.iter().any(|token| end_tokens.contains(token)) {
                        *end = Some(End::Stop);
                    } else if tokens.len() as u64 >= u64::from(max_tokens) {
                        *end = Some(End::Length);
                    }
                    *next = drawn;
                }
                Err(Failure::Operator {
                    at,
                    fault,
                    recorded: before,
                }) => {
                    recorded.extend(before);
                    *end = Some(End::Failed { at, fault });
                }
                Err(Failure::Input(error)) => {
                    unreachable!("requests were checked, and steps up to the greatest length planned: {error}")
                }
            }
        }
    }

    /// Generates until all have ended.
    pub fn run(&self, requests: Vec<Request>) -> Result<Vec<Generation>, RequestError> {
        let mut generations: Vec<_> = requests
            .into_iter()
            .map(|request| self.start(request))
            .collect::<Result<_, _>>()?;
        while generations.iter().any(|generation| generation.end.is_none()) {
            self.advance(&mut generations, None);
        }
        Ok(generations)
    }
}
