//! What our own pallets cost, measured inside this runtime by `cargo xtask weights`.

pub mod pallet_artifacts;
pub mod pallet_compute_market;
pub mod pallet_workers;
