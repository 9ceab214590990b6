//! What the commands of `cargo xtask` and the whole-system tests share: where things are, processes
//! that do not outlive whoever started them, a local network of real nodes and workers, and the
//! JavaScript clients.

pub mod daemon;
pub mod digest;
pub mod js;
pub mod localnet;

pub mod models;
pub mod net;
pub mod process;
pub mod weights;
pub mod workspace;
