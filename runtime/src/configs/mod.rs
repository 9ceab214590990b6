//! How each pallet is set up, one file a concern.

pub mod accounts;
pub mod compute;
pub mod consensus;
pub mod governance;
pub mod money;
pub mod staking;
pub mod system;
