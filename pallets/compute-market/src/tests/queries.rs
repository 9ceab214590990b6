//! What runtime APIs ask.

use crate::mock::*;
use assay_types::{EstimateError, Fault, Ineligible, IneligibleWorker, JobSpec, Phase, UnavailableBlob};
use frame_support::assert_ok;

#[test]
fn info_should_tell_what_is_agreed_and_held() {
    ExtBuilder::default().build_and_execute(|| {
        let (id, worker) = running();
        let info = Market::info(id).unwrap();
        assert_eq!(
            (info.id, info.submitter, info.attempt, info.submitted_at),
            (id, ALICE, 0, 1)
        );
        assert_eq!(
            (info.max_fee, info.held, info.deposit),
            (MAX_FEE, FEE + PRICE, deposit())
        );
        assert_eq!(info.agreed, Some((ASK, COLLATERAL)));
        assert_eq!(info.phase.worker(), Some(&worker));
        assert_eq!((info.removed_after, info.spec), (None, spec()));
        assert_eq!(info.parameters, default_parameters());
        assert_eq!(Market::info(id + 1), None);
    });
}

#[test]
fn info_should_tell_of_earlier_attempts_and_of_the_end() {
    ExtBuilder::default().asks(&[ASK, ASK]).build_and_execute(|| {
        let (id, worker) = running();
        assert_ok!(report(&worker, id, UnavailableBlob::Package));
        let ended_at = System::block_number();
        assert_ok!(cancel(&ALICE, id));

        let info = Market::info(id).unwrap();
        assert_eq!((info.attempt, info.held, info.agreed), (1, 0, None));
        assert_eq!(
            info.attempts,
            [assay_types::Attempt {
                worker,
                ended_at,
                fault: Fault::Artifact
            }]
        );
        assert_eq!(info.phase, Phase::Cancelled);
        assert_eq!(
            info.removed_after,
            Some(ended_at + default_parameters().retention_period)
        );
    });
}

#[test]
fn infos_of_should_list_the_submitters_own_newest_first() {
    ExtBuilder::default().build_and_execute(|| {
        let ids = [submit(), submit_by(&BOB, MAX_FEE), submit(), submit()];
        let listed = |who, limit| {
            Market::infos_of(who, limit)
                .into_iter()
                .map(|info| info.id)
                .collect::<Vec<_>>()
        };
        assert_eq!(listed(&ALICE, 10), [ids[3], ids[2], ids[0]]);
        assert_eq!(listed(&ALICE, 2), [ids[3], ids[2]]);
        assert_eq!(listed(&BOB, 10), [ids[1]]);
        assert!(listed(&CAROL, 10).is_empty());
    });
}

#[test]
fn assignments_should_be_found_by_hot_key() {
    ExtBuilder::default().build_and_execute(|| {
        let (id, worker) = assigned();
        let assigned = Market::assignments_of(&hot(&worker));
        assert_eq!(assigned.into_iter().map(|info| info.id).collect::<Vec<_>>(), [id]);
        assert_ok!(cancel(&ALICE, id));
        assert_eq!(Market::assignments_of(&hot(&worker)), []);
        assert_eq!(Market::assignments_of(&CAROL), []);
    });
}

#[test]
fn estimate_should_tell_prices_and_who_could_not() {
    ExtBuilder::default()
        .asks(&[ASK, 2 * ASK, 3 * ASK])
        .build_and_execute(|| {
            assert_ok!(Workers::chill(RuntimeOrigin::signed(WORKERS[2].clone())));
            let all = Market::estimate(&spec(), None).unwrap();
            assert_eq!(all.units, u64::from(MAX_TOKENS) * assay_types::ASK_UNITS);
            assert_eq!(
                (all.lowest_fee, all.highest_fee),
                (Some(FEE + PRICE), Some(2 * FEE + PRICE))
            );
            assert_eq!(all.deposit, deposit());
            assert_eq!(all.eligible, WORKERS[..2]);
            let chilled = IneligibleWorker {
                account: WORKERS[2].clone(),
                reason: Ineligible::Chilled,
            };
            assert!(all.ineligible.contains(&chilled));

            let limited = Market::estimate(&spec(), Some(FEE + PRICE)).unwrap();
            assert_eq!(limited.eligible, WORKERS[..1]);
            let dear = IneligibleWorker {
                account: WORKERS[1].clone(),
                reason: Ineligible::AskAboveLimit,
            };
            assert!(limited.ineligible.contains(&dear));

            let nobody = Market::estimate(&spec(), Some(0)).unwrap();
            assert_eq!(
                (nobody.lowest_fee, nobody.highest_fee, nobody.eligible),
                (None, None, vec![])
            );
        });
}

#[test]
fn estimate_should_be_what_submit_takes() {
    ExtBuilder::default().asks(&[ASK, 2 * ASK]).build_and_execute(|| {
        let lowest = Market::estimate(&spec(), None).unwrap().lowest_fee.unwrap();
        submit_by(&ALICE, lowest);
        run(2);
        assert_eq!(worker_of(0), WORKERS[0]);
    });
}

#[test]
fn estimate_should_say_why_there_is_none() {
    ExtBuilder::default().build_and_execute(|| {
        let refused = |spec| Market::estimate(&spec, None).unwrap_err();
        assert_eq!(
            refused(JobSpec { artifact: 9, ..spec() }),
            EstimateError::UnknownArtifact
        );
        assert_eq!(
            refused(JobSpec { sequences: 0, ..spec() }),
            EstimateError::InvalidTokens
        );
        let artifact = endless_model();
        assert_eq!(refused(JobSpec { artifact, ..spec() }), EstimateError::TooMuchWork);
        let mut large = spec();
        large.input.size = 1 << 40;
        assert_eq!(refused(large), EstimateError::InputTooLarge);
        assert_ok!(Artifacts::retire(RuntimeOrigin::signed(OWNER), MODEL));
        assert_eq!(refused(spec()), EstimateError::ArtifactRetired);
    });
}
