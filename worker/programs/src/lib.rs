//! Programs of model families: what their layers are in exact arithmetic.
//!
//! A family turns a model's sizes into a [`Program`](assay_exact::program::Program) and says what each of its weights is
//! in the model's own files. Nothing is computed here.
//!
//! - [`formula`], [`builder`]: how programs are written.
//! - [`layer`], [`attention`]: the parts that families share.
//! - [`family`]: BERT encoders, Llama and Qwen2 decoders, classifiers of vectors and of images.
//! - [`training`], [`evaluation`]: how they are trained, and how good they are.

pub mod attention;
pub mod builder;
pub mod evaluation;
pub mod family;
pub mod formula;
pub mod layer;
pub mod training;
