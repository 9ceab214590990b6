//! What chain, workers and clients tell each other: SCALE as runtime APIs give it, JSON as the node gives it, sequences
//! of token ids.

#![no_main]

use assay_types::{
    tokens,
    view::{ArtifactView, EstimateView, JobSpecView, JobUpdate, JobView, WorkerView},
    ArtifactInfo, Estimate, EstimateError, JobInfo, JobSpec, Outcome, Submission, WorkerInfo,
};
use codec::{DecodeAll, Encode};
use libfuzzer_sys::fuzz_target;
use serde::{de::DeserializeOwned, Serialize};
use sp_runtime::AccountId32;

type Job = JobInfo<AccountId32, u128, u32>;

/// Decodes: there is one encoding only.
fn decoded<T: DecodeAll + Encode>(data: &[u8]) -> Option<T> {
    match T::decode_all(&mut &data[..]) {
        Ok(value) => {
            assert_eq!(value.encode(), data);
            Some(value)
        }
        Err(error) => {
            let _ = error.to_string();
            None
        }
    }
}

/// What is written is read as what it was.
fn written<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(view: &T) {
    let json = serde_json::to_string(view).expect("a view has a JSON form; qed");
    assert_eq!(
        &serde_json::from_str::<T>(&json).expect("what is written is read; qed"),
        view
    );
}

fn read<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(json: &[u8]) {
    match serde_json::from_slice::<T>(json) {
        Ok(view) => written(&view),
        Err(error) => drop(error.to_string()),
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((kind, data)) = data.split_first() else { return };
    match kind % 14 {
        0 => match tokens::decode(data) {
            Ok(sequences) => assert_eq!(tokens::encode(&sequences), data),
            Err(error) => drop(error.to_string()),
        },
        1 => {
            if let Some(spec) = decoded::<JobSpec>(data) {
                written(&JobSpecView::from(spec));
            }
        }
        2 => drop(decoded::<Outcome>(data).map(|outcome| outcome.trace_header())),
        3 => {
            for job in decoded::<Vec<Job>>(data).unwrap_or_default() {
                for now in [0, job.submitted_at, u32::MAX] {
                    written(&JobView::at(job.clone(), now));
                }
            }
        }
        4 => decoded::<Vec<WorkerInfo<AccountId32, u128>>>(data)
            .unwrap_or_default()
            .into_iter()
            .for_each(|worker| written(&WorkerView::from(worker))),
        5 => {
            if let Some(Some(artifact)) = decoded::<Option<ArtifactInfo<AccountId32, u128, u32>>>(data) {
                written(&ArtifactView::from(artifact));
            }
        }
        6 => match decoded::<Result<Estimate<AccountId32, u128>, EstimateError>>(data) {
            Some(Ok(estimate)) => written(&EstimateView::from(estimate)),
            Some(Err(error)) => drop(error.to_string()),
            None => {}
        },
        7 => drop(decoded::<Option<Submission>>(data)),
        8 => read::<JobSpecView>(data),
        9 => read::<JobView>(data),
        10 => read::<JobUpdate>(data),
        11 => read::<WorkerView>(data),
        12 => read::<EstimateView>(data),
        _ => read::<ArtifactView>(data),
    }
});
