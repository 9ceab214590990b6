//! What can be set, by whom, and that compiled bounds hold whatever is set.

use super::chain::genesis;
use crate::{
    constants::time::DAYS,
    governance::origins::Origin,
    parameters::{bounds, governance_day_entry, market_entries, GovernanceDay, MarketParameters, DEFAULT_MARKET},
    Parameters, RuntimeOrigin, RuntimeParameters,
};
use assay_types::JobParameters;
use frame_support::{assert_noop, assert_ok, traits::Get};
use sp_io::TestExternalities;
use sp_runtime::{DispatchError, Permill};

fn set(entry: RuntimeParameters) {
    assert_ok!(Parameters::set_parameter(RuntimeOrigin::root(), entry));
}

fn effect_of(market: JobParameters<u32>) -> JobParameters<u32> {
    TestExternalities::new_empty().execute_with(|| {
        market_entries(&market).into_iter().for_each(set);
        MarketParameters::get()
    })
}

#[test]
fn market_should_have_its_defaults_when_nothing_is_set() {
    TestExternalities::new_empty().execute_with(|| {
        assert_eq!(MarketParameters::get(), DEFAULT_MARKET);
        assert_eq!(GovernanceDay::get(), DAYS);
    });
    assert_eq!(effect_of(DEFAULT_MARKET), DEFAULT_MARKET);
}

#[test]
fn market_should_be_at_its_lower_bounds_when_all_is_zero() {
    let zero = JobParameters {
        assign_period: 0,
        acknowledge_period: 0,
        compute_period: 0,
        units_per_block: 0,
        reveal_delay: 0,
        reveal_period: 0,
        challenge_period: 0,
        retention_period: 0,
        collateral_multiple: 0,
        treasury_cut: Permill::zero(),
        burn_cut: Permill::zero(),
    };
    let least = JobParameters {
        assign_period: bounds::ASSIGN_PERIOD.min,
        acknowledge_period: bounds::ACKNOWLEDGE_PERIOD.min,
        compute_period: bounds::COMPUTE_PERIOD.min,
        units_per_block: bounds::UNITS_PER_BLOCK.min,
        reveal_delay: bounds::REVEAL_DELAY.min,
        reveal_period: bounds::REVEAL_PERIOD.min,
        challenge_period: bounds::CHALLENGE_PERIOD.min,
        retention_period: bounds::RETENTION_PERIOD.min,
        collateral_multiple: bounds::COLLATERAL_MULTIPLE.min,
        treasury_cut: Permill::zero(),
        burn_cut: Permill::from_percent(5),
    };
    assert_eq!(effect_of(zero), least);
    assert_eq!(pallet_compute_market::settlement::check_parameters(&least), Ok(()));
}

#[test]
fn market_should_be_at_its_upper_bounds_when_all_is_huge() {
    let huge = JobParameters {
        assign_period: u32::MAX,
        acknowledge_period: u32::MAX,
        compute_period: u32::MAX,
        units_per_block: u64::MAX,
        reveal_delay: u32::MAX,
        reveal_period: u32::MAX,
        challenge_period: u32::MAX,
        retention_period: u32::MAX,
        collateral_multiple: u32::MAX,
        treasury_cut: Permill::one(),
        burn_cut: Permill::one(),
    };
    let most = JobParameters {
        assign_period: bounds::ASSIGN_PERIOD.max,
        acknowledge_period: bounds::ACKNOWLEDGE_PERIOD.max,
        compute_period: bounds::COMPUTE_PERIOD.max,
        units_per_block: bounds::UNITS_PER_BLOCK.max,
        reveal_delay: bounds::REVEAL_DELAY.max,
        reveal_period: bounds::REVEAL_PERIOD.max,
        challenge_period: bounds::CHALLENGE_PERIOD.max,
        retention_period: bounds::RETENTION_PERIOD.max,
        collateral_multiple: bounds::COLLATERAL_MULTIPLE.max,
        treasury_cut: Permill::zero(),
        burn_cut: Permill::from_percent(50),
    };
    assert_eq!(effect_of(huge), most);
    assert_eq!(pallet_compute_market::settlement::check_parameters(&most), Ok(()));
}

#[test]
fn treasury_cut_should_give_way_when_both_cuts_are_above_the_limit() {
    let market = JobParameters {
        treasury_cut: Permill::from_percent(40),
        burn_cut: Permill::from_percent(30),
        ..DEFAULT_MARKET
    };
    let effect = effect_of(market);
    assert_eq!(effect.burn_cut, Permill::from_percent(30));
    assert_eq!(effect.treasury_cut, Permill::from_percent(20));
}

#[test]
fn governance_day_should_stay_within_its_bounds() {
    TestExternalities::new_empty().execute_with(|| {
        set(governance_day_entry(0));
        assert_eq!(GovernanceDay::get(), bounds::GOVERNANCE_DAY.min);
        set(governance_day_entry(u32::MAX));
        assert_eq!(GovernanceDay::get(), bounds::GOVERNANCE_DAY.max);
        set(governance_day_entry(300));
        assert_eq!(GovernanceDay::get(), 300);
    });
}

#[test]
fn parameters_should_be_set_by_root_and_the_markets_by_market_admin_alone() {
    genesis("development").execute_with(|| {
        let [market, ..] = market_entries(&DEFAULT_MARKET);
        let day = governance_day_entry(300);
        assert_ok!(Parameters::set_parameter(Origin::MarketAdmin.into(), market.clone()));
        assert_ok!(Parameters::set_parameter(RuntimeOrigin::root(), day.clone()));
        assert_noop!(
            Parameters::set_parameter(Origin::MarketAdmin.into(), day),
            DispatchError::BadOrigin
        );
        for origin in [
            Origin::StakingAdmin.into(),
            Origin::BigSpender.into(),
            RuntimeOrigin::signed([1; 32].into()),
            RuntimeOrigin::none(),
        ] {
            assert_noop!(
                Parameters::set_parameter(origin, market.clone()),
                DispatchError::BadOrigin
            );
        }
    });
}
