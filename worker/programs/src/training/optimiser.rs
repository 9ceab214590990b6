//! What a step makes of its gradients: their norm, clipping, the learning rate, and the parameters of the next step.

use super::{Network, Parameter, ParameterSpec, Training};
use crate::{
    builder::{fixed, Tensor},
    formula::Formula,
};
use assay_exact::{
    expression::Comparison,
    operator::Operator,
    program::{ProgramError, MAX_INPUTS},
    tensor::DType,
};

/// A parameter that trains, and its gradient.
struct Trained {
    parameter: Parameter,
    spec: ParameterSpec,
    group: usize,
    gradient: Tensor,
    /// What the optimiser keeps of it.
    kept: Vec<Tensor>,
}

/// Those of a group each, but at most as many as one operator can join.
fn groups(trained: &[Trained]) -> impl Iterator<Item = &[Trained]> {
    trained
        .chunk_by(|one, other| one.group == other.group)
        .flat_map(|group| group.chunks(MAX_INPUTS))
}

/// How parameters follow from gradients.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Optimiser {
    /// Loshchilov and Hutter 2017 (arXiv:1711.05101).
    AdamW {
        /// How much of the mean of gradients stays from step to step.
        beta1: f32,
        /// How much of the mean of their squares stays.
        beta2: f32,
        /// What is added to the root of the latter.
        epsilon: f32,
    },
    /// Gradient descent with momentum.
    Sgd {
        /// How much of the velocity stays from step to step.
        momentum: f32,
    },
}

impl Optimiser {
    /// AdamW as it is commonly set.
    pub const ADAM_W: Self = Self::AdamW {
        beta1: 0.9,
        beta2: 0.999,
        epsilon: 1e-8,
    };

    /// What it keeps of each parameter, as states are called.
    pub(super) const fn keeps(self) -> &'static [&'static str] {
        match self {
            Self::AdamW { .. } => &["mean", "square"],
            Self::Sgd { .. } => &["velocity"],
        }
    }
}

/// How the learning rate changes. At the beginning it rises over the steps of the warm-up; this is for what follows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Schedule {
    /// It stays.
    Constant,
    /// It falls to 0 evenly.
    Linear,
    /// It falls as a cosine does over half a turn.
    Cosine {
        /// To this part of it.
        floor: f32,
    },
}

/// How a network is trained.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// The optimiser.
    pub optimiser: Optimiser,
    /// The learning rate's course.
    pub schedule: Schedule,
    /// Whether gradients are scaled down so that their norm is at most [`Hyperparameter::MaximumNorm`].
    pub clip: bool,
}

/// An input F32 `[]` of each step, behind those of the batch and in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hyperparameter {
    /// The highest learning rate.
    LearningRate,
    /// The weight decay.
    WeightDecay,
    /// Steps until the learning rate is at its highest; may be 0.
    WarmUp,
    /// Steps of the whole training, unless the schedule is constant; more than those of the warm-up.
    Steps,
    /// The largest norm of a gradient, if gradients are clipped; above 0.
    MaximumNorm,
}

impl Hyperparameter {
    /// The input's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::LearningRate => "learning_rate",
            Self::WeightDecay => "weight_decay",
            Self::WarmUp => "warm_up",
            Self::Steps => "steps",
            Self::MaximumNorm => "maximum_norm",
        }
    }
}

impl Settings {
    /// The inputs behind the batch, in order.
    pub fn hyperparameters(&self) -> Vec<Hyperparameter> {
        use Hyperparameter::{LearningRate, MaximumNorm, Steps, WarmUp, WeightDecay};
        let all = [
            (LearningRate, true),
            (WeightDecay, true),
            (WarmUp, true),
            (Steps, self.schedule != Schedule::Constant),
            (MaximumNorm, self.clip),
        ];
        all.into_iter()
            .filter(|(_, is_read)| *is_read)
            .map(|(input, _)| input)
            .collect()
    }
}

/// The sine of an angle from −π/2 to π/2, to 1e-7: its series, up to the eleventh power.
fn sine(angle: Formula) -> Formula {
    let square = angle.clone() * angle.clone();
    let coefficients = [
        -1.0 / 39_916_800.0,
        1.0 / 362_880.0,
        -1.0 / 5_040.0,
        1.0 / 120.0,
        -1.0 / 6.0,
        1.0,
    ];
    let series = coefficients[1..]
        .iter()
        .fold(Formula::constant(coefficients[0]), |series, coefficient| {
            series * square.clone() + *coefficient
        });
    series * angle
}

impl Schedule {
    /// What the learning rate is multiplied by in step `step`, counted from 0.
    fn factor(self, step: Formula, warm_up: Formula, steps: Option<Formula>) -> Formula {
        let one = || Formula::constant(1.0);
        let later = match (self, steps) {
            (Self::Constant, _) | (_, None) => one(),
            (schedule, Some(steps)) => {
                // In this order, 0 ÷ 0 is 0
                let passed = ((step.clone() - warm_up.clone()) / (steps - warm_up.clone()))
                    .max(Formula::constant(0.0))
                    .min(one());
                match schedule {
                    Self::Cosine { floor } => {
                        // cos πx = −sin π(x − ½)
                        let half = sine((passed - 0.5) * core::f32::consts::PI) * -0.5 + 0.5;
                        half * (1.0 - floor) + floor
                    }
                    _ => one() - passed,
                }
            }
        };
        let rising = (step.clone() + 1.0) / warm_up.clone();
        step.select(Comparison::Less, warm_up, rising, later)
    }
}

/// Scalars F32 `[]` that all updates read.
struct Scalars {
    learning_rate: Tensor,
    weight_decay: Tensor,
    /// What gradients are multiplied by.
    coefficient: Option<Tensor>,
}

impl Scalars {
    /// A gradient as the optimiser takes it: input 0, clipped by input 1 if it is. Returns its inputs.
    fn clipped(&self, gradient: Tensor) -> (Formula, Vec<Tensor>) {
        match self.coefficient {
            Some(coefficient) => (Formula::input(0) * Formula::input(1), vec![gradient, coefficient]),
            None => (Formula::input(0), vec![gradient]),
        }
    }
}

/// The formula's next input.
fn next(inputs: &mut Vec<Tensor>, tensor: Tensor) -> Formula {
    inputs.push(tensor);
    Formula::input((inputs.len() - 1) as u8)
}

impl Network {
    /// Adds the optimiser to a network that is written to be trained. The program's results are `loss` and the gradient's norm.
    ///
    /// # Errors
    ///
    /// If it is larger than a program may be.
    ///
    /// # Panics
    ///
    /// If it is written to be evaluated, if nothing trains, or if a parameter that trains has no gradient: a family has forgotten it.
    pub fn train(mut self, loss: Tensor) -> Result<Training, ProgramError> {
        let Some(settings) = self.settings else {
            panic!("this network is written to be evaluated");
        };
        let trained = self.trained();
        assert!(
            !trained.is_empty(),
            "a network that is trained has parameters that train"
        );
        let norm = self.norm(&trained);
        self.builder.next_segment();
        let scalars = self.scalars(&settings, norm);
        let corrections = self.corrections(settings.optimiser);
        for group in groups(&trained) {
            self.builder.next_segment();
            for one in group {
                match settings.optimiser {
                    Optimiser::Sgd { momentum } => self.descend(one, &scalars, momentum),
                    adam => self.adapt(one, &scalars, (adam, corrections)),
                }
            }
        }
        self.builder.result(loss);
        self.builder.result(norm);
        Ok(Training {
            parameters: trained.into_iter().map(|one| one.spec).collect(),
            program: self.builder.finish()?,
        })
    }

    /// All that trains, with its gradients.
    fn trained(&self) -> Vec<Trained> {
        self.declared()
            .filter(|(_, declared)| declared.state.is_some())
            .map(|(parameter, declared)| {
                let spec = declared.spec.clone();
                let Some(gradient) = declared.gradient else {
                    panic!("{} trains, but has no gradient", spec.name);
                };
                Trained {
                    parameter,
                    spec,
                    group: declared.group,
                    gradient,
                    kept: declared.kept.clone(),
                }
            })
            .collect()
    }

    /// Vectors one after the other; more than an operator can join are joined in steps.
    fn joined(&mut self, mut vectors: Vec<Tensor>) -> Tensor {
        while vectors.len() > 1 {
            vectors = vectors
                .chunks(MAX_INPUTS)
                .map(|some| match some {
                    [one] => *one,
                    some => self.builder.push(Operator::Concat(0), some),
                })
                .collect();
        }
        vectors[0]
    }

    /// The norm of all gradients together, F32 `[]`.
    fn norm(&mut self, trained: &[Trained]) -> Tensor {
        let mut sums = Vec::new();
        for group in groups(trained) {
            self.builder.next_segment();
            let of_group = group.iter().map(|Trained { spec, gradient, .. }| {
                let squares = self.builder.map(Formula::input(0) * Formula::input(0), &[*gradient]);
                let width = *spec.shape.last().unwrap_or(&1);
                let rows = [fixed(spec.elements() / width.max(1)), fixed(width)];
                let squares = self.builder.reshape(squares, &rows);
                let of_rows = self.builder.sum(squares);
                let sum = self.builder.sum(of_rows);
                self.builder.reshape(sum, &[fixed(1)])
            });
            let of_group = of_group.collect();
            sums.push(self.joined(of_group));
        }
        self.builder.next_segment();
        let all = self.joined(sums);
        let sum = self.builder.sum(all);
        self.builder.map(Formula::input(0).sqrt(), &[sum])
    }

    fn scalars(&mut self, settings: &Settings, norm: Tensor) -> Scalars {
        use Hyperparameter::{LearningRate, MaximumNorm, Steps, WarmUp, WeightDecay};
        let declared: Vec<_> = settings
            .hyperparameters()
            .into_iter()
            .map(|input| (input, self.builder.input(input.name(), DType::F32, &[])))
            .collect();
        let read = |wanted| {
            declared
                .iter()
                .find(|(input, _)| *input == wanted)
                .map(|(_, tensor)| *tensor)
        };
        let always = |wanted| read(wanted).expect("these inputs are among those of all settings; qed");
        let step = self.step.expect("what trains counts its steps; qed");

        let mut inputs = Vec::new();
        let highest = next(&mut inputs, always(LearningRate));
        let at = next(&mut inputs, step);
        let warm_up = next(&mut inputs, always(WarmUp));
        let steps = read(Steps).map(|steps| next(&mut inputs, steps));
        let factor = settings.schedule.factor(at, warm_up, steps);
        let learning_rate = self.builder.map(highest * factor, &inputs);

        let next_step = self.builder.map(Formula::input(0) + 1.0, &[step]);
        self.builder.becomes(step, next_step);
        let coefficient = read(MaximumNorm).map(|most| {
            let coefficient = Formula::constant(1.0).min(Formula::input(0) / Formula::input(1));
            self.builder.map(coefficient, &[most, norm])
        });
        Scalars {
            learning_rate,
            weight_decay: always(WeightDecay),
            coefficient,
        }
    }

    /// How much of the means has been filled, 1 − βᵗ, for both: F32 `[]`.
    fn corrections(&mut self, optimiser: Optimiser) -> Option<[Tensor; 2]> {
        let Optimiser::AdamW { beta1, beta2, .. } = optimiser else {
            return None;
        };
        Some([("correction1", beta1), ("correction2", beta2)].map(|(name, beta)| {
            let state = self.builder.state(name, DType::F32, &[]);
            let next = self.builder.map(Formula::input(0) * beta + (1.0 - beta), &[state]);
            self.builder.becomes(state, next);
            next
        }))
    }

    /// A step of AdamW.
    fn adapt(&mut self, one: &Trained, scalars: &Scalars, (optimiser, corrections): (Optimiser, Option<[Tensor; 2]>)) {
        let (Optimiser::AdamW { beta1, beta2, epsilon }, Some(corrections)) = (optimiser, corrections) else {
            return;
        };
        let (clipped, inputs) = scalars.clipped(one.gradient);
        let square = clipped.clone() * clipped.clone();
        let means = [(0, beta1, clipped), (1, beta2, square)].map(|(at, beta, new)| {
            let state = one.kept[at];
            let mut inputs = inputs.clone();
            let mean = next(&mut inputs, state) * beta + new * (1.0 - beta);
            let mean = self.builder.map(mean, &inputs);
            self.builder.becomes(state, mean);
            mean
        });
        let mut inputs = vec![self.value(one.parameter), scalars.learning_rate];
        let (value, rate) = (Formula::input(0), Formula::input(1));
        let [mean, square] = [0, 1].map(|at| next(&mut inputs, means[at]) / next(&mut inputs, corrections[at]));
        let kept = if one.spec.decays {
            let decay = next(&mut inputs, scalars.weight_decay);
            value * (Formula::constant(1.0) - rate.clone() * decay)
        } else {
            value
        };
        self.update(one.parameter, kept - rate * (mean / (square.sqrt() + epsilon)), &inputs);
    }

    /// A step of gradient descent with momentum.
    fn descend(&mut self, one: &Trained, scalars: &Scalars, momentum: f32) {
        let (clipped, mut inputs) = scalars.clipped(one.gradient);
        let value = self.value(one.parameter);
        let new = if one.spec.decays {
            let decay = next(&mut inputs, scalars.weight_decay);
            clipped + decay * next(&mut inputs, value)
        } else {
            clipped
        };
        let state = one.kept[0];
        let velocity = next(&mut inputs, state) * momentum + new;
        let velocity = self.builder.map(velocity, &inputs);
        self.builder.becomes(state, velocity);
        let change = Formula::input(1) * Formula::input(2);
        self.update(
            one.parameter,
            Formula::input(0) - change,
            &[value, scalars.learning_rate, velocity],
        );
    }

    fn update(&mut self, parameter: Parameter, formula: Formula, inputs: &[Tensor]) {
        let next = self.builder.map(formula, inputs);
        if let Some(state) = self.state(parameter) {
            self.builder.becomes(state, next);
        }
    }
}
