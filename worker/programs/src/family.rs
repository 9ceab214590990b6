//! Families of models.

pub mod bert;
pub mod conv;
pub mod decoder;
pub mod mlp;
#[cfg(test)]
mod tests;

use assay_exact::product::{Class, BLOCK};
use std::{fmt, str::FromStr};

/// Classes of integers in which a model's linear maps run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Precision {
    /// Weights: [`Class::Int8`] or [`Class::Int16`].
    pub weights: Class,
    /// Activations.
    pub activations: Class,
}

impl Precision {
    /// `W8×A16`, the default of inference: nothing is dropped in the products.
    pub const W8A16: Self = Self {
        weights: Class::Int8,
        activations: Class::Int16,
    };

    /// `W8×A8`: the fastest.
    pub const W8A8: Self = Self {
        weights: Class::Int8,
        activations: Class::Int8,
    };

    /// `W16×A16`: nearer to floats, at twice the size.
    pub const W16A16: Self = Self {
        weights: Class::Int16,
        activations: Class::Int16,
    };
}

impl Precision {
    /// All that have a name.
    pub const ALL: [Self; 5] = [Self::W8A16, Self::W8A8, Self::W8A24, Self::W16A16, Self::W16A24];

    /// `W16×A24`: as near to floats as makes no difference.
    pub const W16A24: Self = Self {
        weights: Class::Int16,
        activations: Class::Int24,
    };

    /// `W8×A24`: for models with massive activations, whose rows have a few elements far above the others.
    pub const W8A24: Self = Self {
        weights: Class::Int8,
        activations: Class::Int24,
    };
}

impl Precision {
    /// Whether rows of `columns` weights of a decoder have a multiplier for each 32 of them.
    ///
    /// Its weights are read once for every token, so that costs next to nothing, and what is published in eight bits or fewer
    /// has a scale for each 32. With activations of eight bits, weights are not what limits how near the result is.
    pub fn has_blocks(self, columns: usize) -> bool {
        self.weights == Class::Int8 && self.activations != Class::Int8 && columns.is_multiple_of(BLOCK as usize)
    }
}

/// Bits of a class, as precisions are named by them.
fn bits(class: Class) -> usize {
    8 * class.digits()
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "w{}a{}", bits(self.weights), bits(self.activations))
    }
}

/// No precision has this name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownPrecision(pub String);

impl fmt::Display for UnknownPrecision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = Precision::ALL.iter().map(ToString::to_string).collect();
        write!(f, "expected a precision among {}, got {:?}", names.join(", "), self.0)
    }
}

impl std::error::Error for UnknownPrecision {}

impl FromStr for Precision {
    type Err = UnknownPrecision;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let named = Self::ALL.into_iter().find(|precision| precision.to_string() == name);
        named.ok_or_else(|| UnknownPrecision(name.into()))
    }
}
