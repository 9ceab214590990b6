//! `set_endpoint`.

use crate::{mock::*, Error, Event};
use frame_support::{assert_noop, assert_ok};
use sp_runtime::DispatchResult;

fn set_endpoint(worker: AccountId, url: &str) -> DispatchResult {
    Workers::set_endpoint(RuntimeOrigin::signed(worker), endpoint(url))
}

#[test]
fn set_endpoint_should_replace_the_url_and_say_so() {
    ExtBuilder::default().worker(ALICE).build_and_execute(|| {
        assert_ok!(set_endpoint(ALICE, "https://new:8080/blobs"));
        assert_eq!(record(ALICE).endpoint, endpoint("https://new:8080/blobs"));
        assert_eq!(
            events(),
            [Event::EndpointSet {
                worker: ALICE,
                endpoint: endpoint("https://new:8080/blobs")
            }]
        );
    });
}

#[test]
fn set_endpoint_should_accept_none() {
    ExtBuilder::default().worker(ALICE).build_and_execute(|| {
        assert_ok!(set_endpoint(ALICE, ""));
        assert!(record(ALICE).endpoint.is_empty());
    });
}

#[test]
fn set_endpoint_should_fail_when_it_is_no_url() {
    ExtBuilder::default().worker(ALICE).build_and_execute(|| {
        assert_noop!(set_endpoint(ALICE, "http://a b"), Error::<Test>::InvalidEndpoint);
    });
}

#[test]
fn set_endpoint_should_fail_when_signed_by_another_than_the_cold_account() {
    ExtBuilder::default().worker(ALICE).build_and_execute(|| {
        assert_noop!(set_endpoint(BOB, "http://b"), Error::<Test>::NotRegistered);
        assert_noop!(set_endpoint(hot(ALICE), "http://b"), Error::<Test>::NotRegistered);
    });
}
