//! Units of money and time.

/// ASY in its smallest unit, the planck.
pub mod currency {
    use crate::Balance;

    /// One token.
    pub const ASY: Balance = 1_000_000_000_000;
    /// A thousandth of a token.
    pub const MILLI_ASY: Balance = ASY / 1_000;
    /// A millionth of a token.
    pub const MICRO_ASY: Balance = ASY / 1_000_000;

    /// The least an account may hold.
    pub const EXISTENTIAL_DEPOSIT: Balance = MILLI_ASY;

    /// What is put on deposit for `items` storage items of `bytes` bytes in sum.
    pub const fn deposit(items: u32, bytes: u32) -> Balance {
        items as Balance * 20 * MILLI_ASY + bytes as Balance * 100 * MICRO_ASY
    }
}

/// Time in slots, of which nearly each has a block.
pub mod time {
    use crate::BlockNumber;

    /// Length of a slot, in milliseconds.
    pub const SLOT_DURATION: u64 = 3_000;

    /// Blocks in a minute.
    pub const MINUTES: BlockNumber = 60_000 / SLOT_DURATION as BlockNumber;
    /// Blocks in an hour.
    pub const HOURS: BlockNumber = 60 * MINUTES;
    /// Blocks in a day.
    pub const DAYS: BlockNumber = 24 * HOURS;

    /// Length of an epoch (a session), in slots. Compiled into the consensus: a running chain
    /// cannot change it.
    pub const EPOCH_DURATION: u64 = HOURS as u64;
}
