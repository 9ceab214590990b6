//! How the chain is governed: by referenda, on tracks that each end in an origin.

pub mod origins;
pub mod slash_review;
pub mod tracks;
