//! Who gets how much of a held fee: pure mathematics, no storage.

use crate::{Balance, PaymentOf};
use assay_types::JobParameters;
use sp_runtime::{traits::AtLeast32BitUnsigned, Permill};

/// At least this part of a worker's fee is burned, so that paying oneself always costs something.
pub const MIN_BURN_CUT: Permill = Permill::from_percent(5);

/// Part of a forfeited collateral, and of a forfeited reference price, that goes to the submitter.
/// The rest is burned. (Why so little of the collateral: what a worker forfeits to a second account
/// of its own is no loss.)
pub const COLLATERAL_TO_SUBMITTER: Permill = Permill::from_percent(25);
/// See [`COLLATERAL_TO_SUBMITTER`].
pub const REFERENCE_PRICE_TO_SUBMITTER: Permill = Permill::from_percent(50);

/// Divides what is `held`: `fee` (the worker's, before cuts) and `price_per_use` are paid, the rest
/// goes back. The parts always add up to `held`. What is burned is rounded up, what the treasury
/// gets is rounded down, and the worker gets the remainder.
pub fn divide(
    held: Balance,
    fee: Balance,
    price_per_use: Balance,
    treasury_cut: Permill,
    burn_cut: Permill,
) -> PaymentOf {
    let fee = fee.min(held);
    let artifact = price_per_use.min(held - fee);
    let burned = burn_cut.mul_ceil(fee);
    let treasury = treasury_cut.mul_floor(fee).min(fee - burned);
    PaymentOf {
        worker: fee - burned - treasury,
        artifact,
        treasury,
        burned,
        refunded: held - fee - artifact,
    }
}

/// What each of `payees` workers gets for having been called out in vain.
///
/// Never more than half of what the run would have paid, `pay_for_run`: else a worker would rather
/// report than run, as long as nobody checks its report.
pub fn call_out(call_out_fee: Balance, pay_for_run: Balance, payees: u32) -> Balance {
    call_out_fee.min(pay_for_run / Balance::from(payees.max(2)))
}

/// Why `parameters` cannot be a job's, if they cannot.
pub fn check_parameters<BlockNumber: AtLeast32BitUnsigned>(
    parameters: &JobParameters<BlockNumber>,
) -> Result<(), &'static str> {
    let JobParameters {
        assign_period,
        acknowledge_period,
        compute_period,
        units_per_block,
        reveal_delay,
        reveal_period,
        challenge_period,
        retention_period,
        collateral_multiple,
        treasury_cut,
        burn_cut,
    } = parameters;
    let periods = [
        assign_period,
        acknowledge_period,
        compute_period,
        reveal_delay,
        reveal_period,
        challenge_period,
        retention_period,
    ];
    if periods.into_iter().any(|period| period.is_zero()) {
        return Err("every period must be at least one block");
    }
    if *units_per_block == 0 {
        return Err("units_per_block must not be zero: a job's deadline is its units divided by it");
    }
    if *collateral_multiple == 0 {
        return Err("collateral_multiple must be at least one: a missed deadline forfeits the fee");
    }
    if *burn_cut < MIN_BURN_CUT {
        return Err("burn_cut must be at least 5 %: paying oneself has to cost something");
    }
    // Permill addition saturates at one, so the sum is taken on the parts.
    if burn_cut.deconstruct() + treasury_cut.deconstruct() > Permill::one().deconstruct() {
        return Err("burn_cut and treasury_cut must not exceed 100 % together");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sum(payment: &PaymentOf) -> Balance {
        payment.worker + payment.artifact + payment.treasury + payment.burned + payment.refunded
    }

    fn parameters() -> JobParameters<u32> {
        JobParameters {
            assign_period: 1,
            acknowledge_period: 1,
            compute_period: 1,
            units_per_block: 1,
            reveal_delay: 1,
            reveal_period: 1,
            challenge_period: 1,
            retention_period: 1,
            collateral_multiple: 1,
            treasury_cut: Permill::from_percent(95),
            burn_cut: Permill::from_percent(5),
        }
    }

    #[test]
    fn divide_should_give_each_its_part() {
        let payment = divide(1_000, 500, 100, Permill::from_percent(10), Permill::from_percent(20));
        assert_eq!(
            payment,
            PaymentOf {
                worker: 350,
                artifact: 100,
                treasury: 50,
                burned: 100,
                refunded: 400
            }
        );
    }

    #[test]
    fn divide_should_round_the_burn_up_and_the_treasury_down() {
        let payment = divide(10, 1, 0, Permill::from_percent(10), Permill::from_percent(5));
        assert_eq!(
            payment,
            PaymentOf {
                worker: 0,
                artifact: 0,
                treasury: 0,
                burned: 1,
                refunded: 9
            }
        );
    }

    #[test]
    fn divide_should_pay_the_worker_before_the_model_when_too_little_is_held() {
        let payment = divide(100, 90, 20, Permill::zero(), Permill::from_percent(10));
        assert_eq!(
            payment,
            PaymentOf {
                worker: 81,
                artifact: 10,
                treasury: 0,
                burned: 9,
                refunded: 0
            }
        );
    }

    #[test]
    fn call_out_should_never_pay_more_than_half_of_the_run() {
        assert_eq!(call_out(10, 1_000, 1), 10);
        assert_eq!(call_out(10, 10, 1), 5);
        assert_eq!(call_out(10, 10, 2), 5);
        assert_eq!(call_out(10, 10, 3), 3);
        assert_eq!(call_out(10, 0, 1), 0);
    }

    #[test]
    fn parameters_should_be_refused_when_out_of_bounds() {
        assert_eq!(check_parameters(&parameters()), Ok(()));
        let bad = [
            JobParameters {
                assign_period: 0,
                ..parameters()
            },
            JobParameters {
                acknowledge_period: 0,
                ..parameters()
            },
            JobParameters {
                compute_period: 0,
                ..parameters()
            },
            JobParameters {
                reveal_delay: 0,
                ..parameters()
            },
            JobParameters {
                reveal_period: 0,
                ..parameters()
            },
            JobParameters {
                challenge_period: 0,
                ..parameters()
            },
            JobParameters {
                retention_period: 0,
                ..parameters()
            },
            JobParameters {
                units_per_block: 0,
                ..parameters()
            },
            JobParameters {
                collateral_multiple: 0,
                ..parameters()
            },
            JobParameters {
                burn_cut: Permill::from_percent(4),
                ..parameters()
            },
            JobParameters {
                treasury_cut: Permill::from_percent(96),
                ..parameters()
            },
        ];
        for parameters in bad {
            assert!(check_parameters(&parameters).is_err(), "{parameters:?} passed");
        }
    }

    proptest! {
        #[test]
        fn divide_should_add_up_to_what_is_held(
            held: u128, fee: u128, price: u128, treasury in 0u32..=1_000_000, burn in 0u32..=1_000_000,
        ) {
            let payment = divide(held, fee, price, Permill::from_parts(treasury), Permill::from_parts(burn));
            prop_assert_eq!(sum(&payment), held);
        }
    }
}
