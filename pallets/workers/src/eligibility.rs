//! Who can take a job, apart from storage: pure functions over what is known of each worker.

use crate::types::Balance;
use alloc::vec::Vec;
use assay_types::{fee_for, traits::Requirement, Ineligible};

/// An ask below the median divided by this is not counted, or asks of one planck would own the
/// market and then stall it.
pub(crate) const ASK_FLOOR_DIVISOR: Balance = 4;

/// What decides whether a worker can take a job.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Standing {
    /// Takes no new jobs.
    pub(crate) chilled: bool,
    /// Has declared the job's model ready.
    pub(crate) ready: bool,
    /// Price per [`assay_types::ASK_UNITS`] work units.
    pub(crate) ask: Balance,
    /// The part of its bond that no job has locked.
    pub(crate) free_bond: Balance,
    /// Jobs in progress.
    pub(crate) active_jobs: u32,
}

/// What a worker would be paid for a job at most, and what it would put at stake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Quote {
    /// Its fee.
    pub(crate) fee: Balance,
    /// The bond the job would lock.
    pub(crate) collateral: Balance,
}

/// The lower median of `asks`; 0 if there are none.
///
/// Of two middle asks the lower counts: then nobody without a majority can push honest asks
/// under the floor by asking absurdly much.
pub(crate) fn median_ask(mut asks: Vec<Balance>) -> Balance {
    asks.sort_unstable();
    asks.len()
        .checked_sub(1)
        .and_then(|last| asks.get(last / 2))
        .copied()
        .unwrap_or_default()
}

/// Whether a worker in this `standing` can take the job, and for how much; if not, the first
/// reason in this order: chilled, not ready, ask under the floor, ask above the limit, bond too low,
/// busy.
///
/// `median_ask` is that of the workers that have the model ready and are not chilled, `max_jobs` how
/// many jobs a worker may have at once.
pub(crate) fn assess(
    standing: &Standing,
    requirement: &Requirement<Balance>,
    median_ask: Balance,
    max_jobs: u32,
) -> Result<Quote, Ineligible> {
    if standing.chilled {
        return Err(Ineligible::Chilled);
    }
    if !standing.ready {
        return Err(Ineligible::NotReady);
    }
    if standing.ask.saturating_mul(ASK_FLOOR_DIVISOR) < median_ask {
        return Err(Ineligible::AskUnderFloor);
    }
    // A fee that does not fit into a balance is above any limit.
    let fee = fee_for(requirement.units, standing.ask)
        .filter(|fee| *fee <= requirement.max_fee)
        .ok_or(Ineligible::AskAboveLimit)?;
    // Likewise a collateral that does not fit is above any bond. Never less than the fee itself: who
    // has nothing at stake loses nothing by taking a job and not doing it.
    let collateral = fee
        .checked_mul(Balance::from(requirement.collateral_multiple.max(1)))
        .filter(|collateral| *collateral <= standing.free_bond)
        .ok_or(Ineligible::BondTooLow)?;
    if standing.active_jobs >= max_jobs {
        return Err(Ineligible::Busy);
    }
    Ok(Quote { fee, collateral })
}

#[cfg(test)]
mod tests {
    use super::*;
    use assay_types::ASK_UNITS;
    use proptest::prelude::*;

    const MAX_JOBS: u32 = 2;

    fn standing() -> Standing {
        Standing {
            chilled: false,
            ready: true,
            ask: 100,
            free_bond: 1_000,
            active_jobs: 0,
        }
    }

    fn requirement() -> Requirement<Balance> {
        Requirement {
            artifact: 0,
            units: 2 * ASK_UNITS,
            max_fee: 200,
            collateral_multiple: 5,
        }
    }

    fn assess_alone(standing: &Standing, requirement: &Requirement<Balance>) -> Result<Quote, Ineligible> {
        assess(standing, requirement, standing.ask, MAX_JOBS)
    }

    #[test]
    fn assess_should_quote_fee_and_collateral_when_everything_just_suffices() {
        assert_eq!(
            assess_alone(&standing(), &requirement()),
            Ok(Quote {
                fee: 200,
                collateral: 1_000
            })
        );
    }

    #[test]
    fn assess_should_name_the_reason_when_one_thing_is_wrong() {
        let chilled = Standing {
            chilled: true,
            ..standing()
        };
        let not_ready = Standing {
            ready: false,
            ..standing()
        };
        let dear = Standing { ask: 101, ..standing() };
        let poor = Standing {
            free_bond: 999,
            ..standing()
        };
        let busy = Standing {
            active_jobs: MAX_JOBS,
            ..standing()
        };
        assert_eq!(assess_alone(&chilled, &requirement()), Err(Ineligible::Chilled));
        assert_eq!(assess_alone(&not_ready, &requirement()), Err(Ineligible::NotReady));
        assert_eq!(assess_alone(&dear, &requirement()), Err(Ineligible::AskAboveLimit));
        assert_eq!(assess_alone(&poor, &requirement()), Err(Ineligible::BondTooLow));
        assert_eq!(assess_alone(&busy, &requirement()), Err(Ineligible::Busy));
    }

    #[test]
    fn assess_should_refuse_an_ask_only_when_under_a_quarter_of_the_median() {
        let quarter = Standing { ask: 25, ..standing() };
        let below = Standing { ask: 24, ..standing() };
        assert!(assess(&quarter, &requirement(), 100, MAX_JOBS).is_ok());
        assert_eq!(
            assess(&below, &requirement(), 100, MAX_JOBS),
            Err(Ineligible::AskUnderFloor)
        );
        assert_eq!(
            assess(&below, &requirement(), 97, MAX_JOBS),
            Err(Ineligible::AskUnderFloor)
        );
        assert!(assess(&below, &requirement(), 96, MAX_JOBS).is_ok());
    }

    #[test]
    fn assess_should_lock_the_fee_itself_when_the_multiple_is_zero() {
        let requirement = Requirement {
            collateral_multiple: 0,
            ..requirement()
        };
        assert_eq!(
            assess_alone(&standing(), &requirement),
            Ok(Quote {
                fee: 200,
                collateral: 200
            })
        );
    }

    #[test]
    fn assess_should_refuse_when_fee_or_collateral_does_not_fit_a_balance() {
        let rich = Standing {
            ask: Balance::MAX,
            free_bond: Balance::MAX,
            ..standing()
        };
        let generous = Requirement {
            max_fee: Balance::MAX,
            ..requirement()
        };
        assert_eq!(assess_alone(&rich, &generous), Err(Ineligible::AskAboveLimit));

        let whole = Standing {
            ask: Balance::MAX / Balance::from(ASK_UNITS),
            free_bond: Balance::MAX,
            ..standing()
        };
        let small = Requirement {
            units: ASK_UNITS / 2,
            max_fee: Balance::MAX,
            collateral_multiple: u32::MAX,
            artifact: 0,
        };
        assert_eq!(assess_alone(&whole, &small), Err(Ineligible::BondTooLow));
    }

    #[test]
    fn median_should_be_the_lower_of_two_middle_asks() {
        assert_eq!(median_ask(vec![]), 0);
        assert_eq!(median_ask(vec![7]), 7);
        assert_eq!(median_ask(vec![Balance::MAX, 10]), 10);
        assert_eq!(median_ask(vec![5, 1, 3]), 3);
        assert_eq!(median_ask(vec![4, 1, 3, 2]), 2);
    }

    #[test]
    fn planck_ask_should_be_refused_when_most_ask_more() {
        let median = median_ask(vec![1, 100, 120]);
        let planck = Standing { ask: 1, ..standing() };
        assert_eq!(
            assess(&planck, &requirement(), median, MAX_JOBS),
            Err(Ineligible::AskUnderFloor)
        );
    }

    proptest! {
        #[test]
        fn quote_should_respect_every_limit(
            ask in 1..Balance::MAX,
            free_bond: Balance,
            active_jobs in 0..4u32,
            units: u64,
            max_fee: Balance,
            collateral_multiple: u32,
            median: Balance,
        ) {
            let standing = Standing { chilled: false, ready: true, ask, free_bond, active_jobs };
            let requirement = Requirement { artifact: 0, units, max_fee, collateral_multiple };
            if let Ok(quote) = assess(&standing, &requirement, median, MAX_JOBS) {
                prop_assert!(quote.fee <= max_fee);
                prop_assert!(quote.collateral <= free_bond);
                prop_assert!(quote.collateral >= quote.fee);
                prop_assert!(active_jobs < MAX_JOBS);
                prop_assert!(ask >= median / ASK_FLOOR_DIVISOR);
            }
        }

        #[test]
        fn minority_should_not_push_honest_asks_under_the_floor(
            honest in prop::collection::vec(100..400u128, 1..20),
            absurd in prop::collection::vec(1_000_000..Balance::MAX, 0..20),
        ) {
            prop_assume!(absurd.len() <= honest.len());
            let median = median_ask(honest.iter().chain(&absurd).copied().collect());
            for ask in honest {
                let standing = Standing { ask, free_bond: Balance::MAX, ..standing() };
                let requirement = Requirement { max_fee: Balance::MAX, ..requirement() };
                prop_assert!(assess(&standing, &requirement, median, MAX_JOBS).is_ok());
            }
        }
    }
}
