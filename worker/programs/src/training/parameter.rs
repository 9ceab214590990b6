//! Parameters of a model: what they are called, and what they begin as.

use assay_exact::{
    memory::Tensor,
    random::Draw,
    scalar::{cos_turn, from_i64, ln, sqrt},
    tensor::ShapeError,
};

/// The use of a seed that begins parameters; programs number theirs from 0.
const INITIAL_VALUES: u32 = u32::MAX;

/// 2⁻²⁴.
const UNIFORM_STEP: f32 = 1.0 / 16_777_216.0;

/// What a parameter begins as in a model that nobody has trained.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Initial {
    /// (2u − 1) · bound, where u is uniform from 0 to 1.
    Uniform(f32),
    /// A normal distribution around 0 with this deviation.
    Normal(f32),
    /// One.
    Ones,
    /// Zero.
    Zeros,
}

impl Initial {
    /// Uniform within ±1 ÷ √inputs, which keeps the size of what a map of that many inputs puts out.
    pub fn fan_in(inputs: usize) -> Self {
        Self::Uniform(1.0 / sqrt(from_i64(inputs as i64)))
    }

    /// Element `element` of parameter `parameter`.
    fn element(self, seed: u64, parameter: u32, element: u32) -> f32 {
        let draw = || Draw::new(seed, parameter, element, INITIAL_VALUES);
        match self {
            Self::Uniform(bound) => (draw().uniform() * 2.0 - 1.0) * bound,
            Self::Normal(deviation) => {
                // Box and Muller 1958; the first number is above 0, so its logarithm is finite
                let [length, angle, ..] = draw().words();
                let uniform = from_i64(i64::from(length >> 8) + 1) * UNIFORM_STEP;
                sqrt(ln(uniform) * -2.0) * cos_turn(angle) * deviation
            }
            Self::Ones => 1.0,
            Self::Zeros => 0.0,
        }
    }
}

/// A parameter of a model.
#[derive(Clone, Debug, PartialEq)]
pub struct ParameterSpec {
    /// The name of its weight and of its state.
    pub name: String,
    /// Dimensions, outermost first.
    pub shape: Vec<usize>,
    /// What it begins as.
    pub initial: Initial,
    /// Whether weight decay applies to it: to matrices, not to gains and biases.
    pub decays: bool,
}

impl ParameterSpec {
    /// A matrix, or several: what decays.
    pub fn matrix(name: impl Into<String>, shape: &[usize], initial: Initial) -> Self {
        Self {
            name: name.into(),
            shape: shape.to_vec(),
            initial,
            decays: true,
        }
    }

    /// A gain or a bias.
    pub fn vector(name: impl Into<String>, length: usize, initial: Initial) -> Self {
        Self {
            name: name.into(),
            shape: vec![length],
            initial,
            decays: false,
        }
    }

    /// Number of elements.
    pub fn elements(&self) -> usize {
        self.shape.iter().product()
    }
}

/// What untrained parameters begin as, F32, in their order: the same for everyone who has the seed.
///
/// # Errors
///
/// If a parameter is larger than a tensor may be.
pub fn initialise(parameters: &[ParameterSpec], seed: u64) -> Result<Vec<Tensor>, ShapeError> {
    let tensor = |(at, spec): (usize, &ParameterSpec)| {
        let dims: Vec<_> = spec.shape.iter().map(|size| *size as u32).collect();
        let values: Vec<_> = (0..spec.elements())
            .map(|element| spec.initial.element(seed, at as u32, element as u32))
            .collect();
        Tensor::new(&dims, &values)
    };
    parameters.iter().enumerate().map(tensor).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn values(initial: Initial, elements: usize, seed: u64) -> Vec<f32> {
        let spec = ParameterSpec::vector("x", elements, initial);
        initialise(&[spec], seed).unwrap()[0].elements().unwrap()
    }

    #[test]
    fn initial_values_should_be_the_same_when_the_seed_is() {
        let specs =
            [Initial::Normal(0.02), Initial::Normal(0.02)].map(|initial| ParameterSpec::vector("x", 9, initial));
        let [first, again, other] = [1, 1, 2].map(|seed| initialise(&specs, seed).unwrap());
        assert_eq!(first, again);
        assert_ne!(first, other);
        assert_ne!(first[0], first[1], "parameters of one kind differ");
    }

    #[test]
    fn initial_values_should_have_their_bits() {
        let bits = |initial| values(initial, 2, 42).into_iter().map(f32::to_bits).collect::<Vec<_>>();
        assert_eq!(bits(Initial::Uniform(0.5)), [1_036_941_864, 1_049_240_972]);
        assert_eq!(bits(Initial::Normal(0.02)), [3_154_799_519, 1_007_344_450]);
    }

    #[test]
    fn normal_values_should_have_their_mean_and_deviation() {
        let values = values(Initial::Normal(0.5), 20_000, 7);
        let mean = values.iter().map(|x| f64::from(*x)).sum::<f64>() / 20_000.0;
        let square = values.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>() / 20_000.0;
        assert!(mean.abs() < 0.015, "{mean}");
        assert!((square.sqrt() - 0.5).abs() < 0.01, "{square}");
    }

    #[test]
    fn uniform_values_should_fill_their_range() {
        let Initial::Uniform(bound) = Initial::fan_in(16) else {
            panic!("uniform");
        };
        assert_eq!(bound, 0.25);
        let values = values(Initial::Uniform(bound), 5_000, 7);
        assert!(values.iter().all(|x| (-0.25..0.25).contains(x)));
        assert!(values.iter().any(|x| *x > 0.24) && values.iter().any(|x| *x < -0.24));
    }
}
