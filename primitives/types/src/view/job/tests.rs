//! The JSON shape of jobs.

#![allow(clippy::unwrap_used)]

use super::*;
use alloc::{format, vec};
use serde_json::json;
use sp_runtime::Permill;

/// SS58 address of the account of 32 zero bytes, prefix 42.
const ZERO: &str = "5C4hrfjw9DjXZTzV3MwzrrAr9P1MJhSrvWGWqi1eSuyUpnhM";

fn account() -> AccountId32 {
    AccountId32::new([0; 32])
}

fn outcome() -> Outcome {
    Outcome {
        status: Status::Completed,
        tokens: 12,
        result: H256::repeat_byte(1),
        trace: H256::repeat_byte(2),
        delivered: H256::repeat_byte(3),
        delivered_size: 1536,
    }
}

fn job(phase: Phase<AccountId32, u128, u32>) -> JobInfo<AccountId32, u128, u32> {
    JobInfo {
        id: 8,
        submitter: account(),
        spec: JobSpec {
            artifact: 3,
            input: BlobRef {
                hash: H256::repeat_byte(4),
                size: 40,
            },
            sequences: 2,
            max_tokens: 12,
        },
        max_fee: u128::MAX,
        held: 5,
        deposit: 6,
        attempt: 1,
        attempts: vec![Attempt {
            worker: account(),
            ended_at: 4,
            fault: Fault::Network,
        }],
        submitted_at: 2,
        phase,
        agreed: Some((7, 9)),
        removed_after: None,
        parameters: JobParameters {
            assign_period: 1,
            acknowledge_period: 2,
            compute_period: 3,
            units_per_block: 4,
            reveal_delay: 5,
            reveal_period: 6,
            challenge_period: 7,
            retention_period: 8,
            collateral_multiple: 9,
            treasury_cut: Permill::from_percent(5),
            burn_cut: Permill::from_parts(1),
        },
    }
}

fn phase_json(phase: Phase<AccountId32, u128, u32>, now: u32) -> serde_json::Value {
    serde_json::to_value(PhaseView::at(phase, now)).unwrap()
}

#[test]
fn job_should_have_the_documented_shape() {
    let view = JobView::at(job(Phase::Open { until: 20 }), 3);
    let json = serde_json::to_value(&view).unwrap();
    assert_eq!(
        json,
        json!({
            "id": 8,
            "submitter": ZERO,
            "spec": {
                "artifact": 3,
                "input": { "hash": format!("0x{}", "04".repeat(32)), "size": 40 },
                "sequences": 2,
                "maxTokens": 12,
            },
            "maxFee": "340282366920938463463374607431768211455",
            "held": "5",
            "deposit": "6",
            "attempt": 1,
            "attempts": [{ "worker": ZERO, "endedAt": 4, "fault": "network" }],
            "submittedAt": 2,
            "phase": { "name": "open", "until": 20 },
            "agreed": { "ask": "7", "collateral": "9" },
            "removedAfter": null,
            "parameters": {
                "assignPeriod": 1,
                "acknowledgePeriod": 2,
                "computePeriod": 3,
                "unitsPerBlock": "4",
                "revealDelay": 5,
                "revealPeriod": 6,
                "challengePeriod": 7,
                "retentionPeriod": 8,
                "collateralMultiple": 9,
                "treasuryCut": 50_000,
                "burnCut": 1,
            },
        })
    );
    assert_eq!(serde_json::from_value::<JobView>(json).unwrap(), view);
}

#[test]
fn settled_phase_should_show_outcome_and_payment() {
    let payment = Payment {
        worker: 1,
        artifact: 2,
        treasury: 3,
        burned: 4,
        refunded: 5,
    };
    let json = phase_json(
        Phase::Settled {
            worker: account(),
            outcome: outcome(),
            payment,
        },
        0,
    );
    assert_eq!(
        json,
        json!({
            "name": "settled",
            "worker": ZERO,
            "outcome": {
                "status": "completed",
                "tokens": 12,
                "result": format!("0x{}", "01".repeat(32)),
                "trace": format!("0x{}", "02".repeat(32)),
                "delivered": format!("0x{}", "03".repeat(32)),
                "deliveredSize": 1536,
            },
            "payment": { "worker": "1", "artifact": "2", "treasury": "3", "burned": "4", "refunded": "5" },
        })
    );
}

#[test]
fn failed_phase_should_show_fault_and_status() {
    let failed = Phase::Failed {
        fault: Fault::Submitter,
        status: Some(Status::MalformedInput),
    };
    assert_eq!(
        phase_json(failed, 0),
        json!({ "name": "failed", "fault": "submitter", "status": "malformedInput" })
    );
    let silent = Phase::Failed {
        fault: Fault::Worker,
        status: None,
    };
    assert_eq!(
        phase_json(silent, 0),
        json!({ "name": "failed", "fault": "worker", "status": null })
    );
}

#[test]
fn committed_phase_should_be_revealing_when_reveals_are_open() {
    let committed = Phase::Committed {
        worker: account(),
        commitment: H256::zero(),
        from: 10,
        until: 20,
    };
    assert_eq!(phase_json(committed.clone(), 9)["name"], "committed");
    assert_eq!(phase_json(committed.clone(), 10)["name"], "revealing");
    assert_eq!(phase_json(committed, 21)["name"], "revealing");
}

#[test]
fn phase_names_should_be_those_of_the_chain() {
    let worker = account();
    let phases = [
        Phase::Open { until: 1 },
        Phase::Assigned {
            worker: worker.clone(),
            until: 1,
        },
        Phase::Running {
            worker: worker.clone(),
            until: 1,
        },
        Phase::Committed {
            worker: worker.clone(),
            commitment: H256::zero(),
            from: 1,
            until: 2,
        },
        Phase::Challengeable {
            worker: worker.clone(),
            outcome: outcome(),
            until: 1,
        },
        Phase::Settled {
            worker,
            outcome: outcome(),
            payment: Payment::default(),
        },
        Phase::Failed {
            fault: Fault::Artifact,
            status: None,
        },
        Phase::Cancelled,
        Phase::Expired,
    ];
    for phase in phases {
        let view = PhaseView::at(phase.clone(), 0);
        assert_eq!(view.name(), phase.name());
        assert_eq!(view.is_ended(), phase.is_ended());
        assert_eq!(serde_json::to_value(&view).unwrap()["name"], phase.name());
    }
}

#[test]
fn spec_should_be_read_from_camel_case_json() {
    let hash = format!("0x{}", "04".repeat(32));
    let json = json!({ "artifact": 3, "input": { "hash": hash, "size": 40 }, "sequences": 2, "maxTokens": 12 });
    let spec = JobSpec::from(serde_json::from_value::<JobSpecView>(json).unwrap());
    assert_eq!(spec, job(Phase::Cancelled).spec);
}

#[test]
fn spec_should_be_refused_when_a_field_is_unknown() {
    let hash = format!("0x{}", "04".repeat(32));
    let json =
        json!({ "artifact": 3, "input": { "hash": hash, "size": 4 }, "sequences": 2, "maxTokens": 1, "maxFee": 1 });
    assert!(serde_json::from_value::<JobSpecView>(json).is_err());
}
