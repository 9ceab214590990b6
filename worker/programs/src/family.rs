//! Families of models.

pub mod bert;
pub mod conv;
pub mod decoder;
pub mod mlp;

use assay_exact::product::Class;

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

    /// `W16×A16`: as near to floats as makes no difference, at twice the size.
    pub const W16A16: Self = Self {
        weights: Class::Int16,
        activations: Class::Int16,
    };
}
