//! What the market asks of this pallet, and what calls and market share.

use crate::{
    eligibility::{assess, median_ask, Standing},
    Balance, ChillReason, Config, Error, Event, HoldReason, HotKeys, Locks, Pallet, Ready, WorkerOf, Workers,
    MAX_RESULTS,
};
use alloc::vec::Vec;
use assay_types::{
    traits::{Candidate, Models, Requirement, Survey, Workers as WorkersTrait},
    ArtifactId, Ineligible, JobId, WorkUnits,
};
use frame_support::{
    ensure,
    storage::with_storage_layer,
    traits::{
        fungible::{hold::Mutate, Inspect},
        tokens::{Fortitude, Precision, Provenance, Restriction},
        Defensive, Get,
    },
};
use frame_system::{ensure_signed, pallet_prelude::OriginFor};
use sp_runtime::{ArithmeticError, DispatchError, DispatchResult, Saturating};

impl<T: Config> Pallet<T> {
    /// The worker for which an origin signs, with its cold account or its hot key.
    pub(crate) fn ensure_worker(origin: OriginFor<T>) -> Result<T::AccountId, DispatchError> {
        let account = ensure_signed(origin)?;
        Ok(Self::worker_of(&account).ok_or(Error::<T>::NotWorker)?)
    }

    /// Fails if `hot_key` is anything of another worker than `worker`.
    pub(crate) fn ensure_hot_key_is_free(hot_key: &T::AccountId, worker: &T::AccountId) -> DispatchResult {
        let signs_for_another = HotKeys::<T>::get(hot_key).is_some_and(|other| other != *worker);
        let is_another = hot_key != worker && Workers::<T>::contains_key(hot_key);
        ensure!(!signs_for_another && !is_another, Error::<T>::HotKeyTaken);
        Ok(())
    }

    /// Fails if `endpoint` has a character that no URL has. It is shown to people and put into
    /// requests, so control characters must not get through.
    pub(crate) fn ensure_valid_endpoint(endpoint: &[u8]) -> DispatchResult {
        ensure!(endpoint.iter().all(u8::is_ascii_graphic), Error::<T>::InvalidEndpoint);
        Ok(())
    }

    /// Changes the record of a worker, or leaves it as it is if `change` fails.
    pub(crate) fn try_mutate_worker<R>(
        worker: &T::AccountId,
        change: impl FnOnce(&mut WorkerOf<T>) -> Result<R, DispatchError>,
    ) -> Result<R, DispatchError> {
        Workers::<T>::try_mutate(worker, |record| {
            change(record.as_mut().ok_or(Error::<T>::NotRegistered)?)
        })
    }

    /// Brings the index in line with a list of models that replaces another. Both are in ascending
    /// order; `after` may hold anything.
    pub(crate) fn replace_ready(worker: &T::AccountId, before: &[ArtifactId], after: &[ArtifactId]) -> DispatchResult {
        ensure!(
            after.windows(2).all(|pair| pair[0] != pair[1]),
            Error::<T>::DuplicateArtifact
        );
        for artifact in after.iter().filter(|artifact| before.binary_search(artifact).is_err()) {
            ensure!(T::Models::terms(*artifact).is_some(), Error::<T>::UnknownArtifact);
            Ready::<T>::try_append(artifact, worker).map_err(|()| Error::<T>::ReadyFull)?;
        }
        for artifact in before.iter().filter(|artifact| after.binary_search(artifact).is_err()) {
            Ready::<T>::mutate_exists(artifact, |index| {
                let Some(accounts) = index else { return };
                accounts.retain(|account| account != worker);
                if accounts.is_empty() {
                    *index = None;
                }
            });
        }
        Ok(())
    }
}

impl<T: Config> Pallet<T> {
    /// The worker of which `account` is the cold account or the hot key.
    pub(crate) fn worker_of(account: &T::AccountId) -> Option<T::AccountId> {
        if Workers::<T>::contains_key(account) {
            return Some(account.clone());
        }
        HotKeys::<T>::get(account)
    }

    /// What decides whether a worker can take a job for a model.
    fn standing(worker: &T::AccountId, record: &WorkerOf<T>, ready: bool) -> Standing {
        let (locked, active_jobs) = Self::locked(worker);
        Standing {
            chilled: record.chilled,
            ready,
            ask: record.ask,
            free_bond: record.bond.saturating_sub(locked),
            active_jobs,
        }
    }

    /// What jobs in progress have locked of a worker's bond, and how many they are.
    pub(crate) fn locked(worker: &T::AccountId) -> (Balance, u32) {
        let locks = Locks::<T>::get(worker);
        let locked = locks
            .iter()
            .fold(0, |sum: Balance, (_, collateral)| sum.saturating_add(*collateral));
        (locked, locks.len() as u32)
    }

    /// Everyone who has declared `artifact` ready, and the median ask of those that are not chilled.
    fn standings(artifact: ArtifactId) -> (Vec<(T::AccountId, Standing)>, Balance) {
        let standings: Vec<_> = Ready::<T>::get(artifact)
            .into_iter()
            .filter_map(|worker| {
                let record = Workers::<T>::get(&worker)?;
                let standing = Self::standing(&worker, &record, true);
                Some((worker, standing))
            })
            .collect();
        let asks = standings
            .iter()
            .filter(|(_, standing)| !standing.chilled)
            .map(|(_, standing)| standing.ask);
        let median = median_ask(asks.collect());
        (standings, median)
    }

    /// A candidate, or the reason why a worker is none.
    fn candidate(
        (account, standing): (T::AccountId, Standing),
        requirement: &Requirement<Balance>,
        median_ask: Balance,
    ) -> Result<Candidate<T::AccountId, Balance>, (T::AccountId, Ineligible)> {
        match assess(&standing, requirement, median_ask, T::MaxJobsPerWorker::get()) {
            Ok(quote) => Ok(Candidate {
                account,
                ask: standing.ask,
                fee: quote.fee,
                collateral: quote.collateral,
                free_bond: standing.free_bond,
            }),
            Err(reason) => Err((account, reason)),
        }
    }

    /// Removes the lock for `job` and returns what it locked.
    fn unlock(worker: &T::AccountId, job: JobId) -> Option<Balance> {
        let collateral = Locks::<T>::mutate_exists(worker, |locks| {
            let list = locks.as_mut()?;
            let position = list.iter().position(|(locked_for, _)| *locked_for == job)?;
            let (_, collateral) = list.remove(position);
            if list.is_empty() {
                *locks = None;
            }
            Some(collateral)
        })?;
        Self::deposit_event(Event::CollateralReleased {
            worker: worker.clone(),
            job,
            collateral,
        });
        Some(collateral)
    }

    /// Pays `amount` off a worker's hold and returns what was paid: nothing if `beneficiary` cannot be
    /// paid, as when it would be left with less than the existential deposit.
    fn pay_off_hold(worker: &T::AccountId, beneficiary: &T::AccountId, amount: Balance) -> Balance {
        let receivable = T::Currency::can_deposit(beneficiary, amount, Provenance::Extant);
        if amount == 0 || receivable.into_result().is_err() {
            return 0;
        }
        T::Currency::transfer_on_hold(
            &HoldReason::Bond.into(),
            worker,
            beneficiary,
            amount,
            Precision::Exact,
            Restriction::Free,
            Fortitude::Force,
        )
        .defensive_unwrap_or_default()
    }
}

impl<T: Config> WorkersTrait<T::AccountId, Balance> for Pallet<T> {
    fn by_hot_key(hot_key: &T::AccountId) -> Option<T::AccountId> {
        HotKeys::<T>::get(hot_key)
    }

    fn candidates(requirement: &Requirement<Balance>) -> Vec<Candidate<T::AccountId, Balance>> {
        let (standings, median) = Self::standings(requirement.artifact);
        standings
            .into_iter()
            .filter_map(|standing| Self::candidate(standing, requirement, median).ok())
            .collect()
    }

    fn survey(requirement: &Requirement<Balance>) -> Survey<T::AccountId, Balance> {
        let (mut standings, median) = Self::standings(requirement.artifact);
        let others = (MAX_RESULTS as usize).saturating_sub(standings.len());
        standings.extend(
            Workers::<T>::iter()
                .filter(|(_, record)| record.ready.binary_search(&requirement.artifact).is_err())
                .take(others)
                .map(|(worker, record)| {
                    let standing = Self::standing(&worker, &record, false);
                    (worker, standing)
                }),
        );
        let (mut eligible, mut ineligible) = (Vec::new(), Vec::new());
        for standing in standings {
            match Self::candidate(standing, requirement, median) {
                Ok(candidate) => eligible.push(candidate),
                Err(refused) => ineligible.push(refused),
            }
        }
        (eligible, ineligible)
    }

    fn ready_count(artifact: ArtifactId) -> u32 {
        let count = Ready::<T>::decode_len(artifact).unwrap_or_default();
        u32::try_from(count).unwrap_or(u32::MAX)
    }

    fn max_candidates() -> u32 {
        T::MaxReadyPerArtifact::get()
    }

    fn reserve(worker: &T::AccountId, job: JobId, collateral: Balance) -> DispatchResult {
        let record = Workers::<T>::get(worker).ok_or(Error::<T>::NotRegistered)?;
        Locks::<T>::try_mutate(worker, |locks| -> DispatchResult {
            ensure!(
                locks.iter().all(|(locked_for, _)| *locked_for != job),
                Error::<T>::AlreadyLocked
            );
            let locked = locks
                .iter()
                .fold(collateral, |sum, (_, other)| sum.saturating_add(*other));
            ensure!(locked <= record.bond, Error::<T>::CollateralTooHigh);
            locks.try_push((job, collateral)).map_err(|_| Error::<T>::TooManyJobs)?;
            Ok(())
        })?;
        Self::deposit_event(Event::CollateralLocked {
            worker: worker.clone(),
            job,
            collateral,
        });
        Ok(())
    }

    fn release(worker: &T::AccountId, job: JobId) {
        Self::unlock(worker, job);
    }

    fn forfeit(
        worker: &T::AccountId,
        job: JobId,
        amount: Balance,
        beneficiary: &T::AccountId,
        to_beneficiary: Balance,
    ) -> Result<Balance, DispatchError> {
        // The market may call this outside a dispatched call too, where nothing else rolls back.
        with_storage_layer(|| {
            let locked = Self::unlock(worker, job).ok_or(Error::<T>::NotLocked)?;
            let taken = amount.min(locked);
            if taken == 0 {
                return Ok(0);
            }
            let chills = Self::try_mutate_worker(worker, |record| {
                record.bond = record.bond.checked_sub(taken).ok_or(ArithmeticError::Underflow)?;
                let chills = !record.chilled && record.bond < T::MinBond::get();
                record.chilled |= chills;
                Ok(chills)
            })?;
            let paid = Self::pay_off_hold(worker, beneficiary, to_beneficiary.min(taken));
            let burned = taken.saturating_sub(paid);
            if burned > 0 {
                let reason = HoldReason::Bond.into();
                T::Currency::burn_held(&reason, worker, burned, Precision::Exact, Fortitude::Force)?;
            }

            let beneficiary = beneficiary.clone();
            Self::deposit_event(Event::Forfeited {
                worker: worker.clone(),
                job,
                beneficiary,
                paid,
                burned,
            });
            if chills {
                Self::deposit_event(Event::Chilled {
                    worker: worker.clone(),
                    reason: ChillReason::BondTooLow,
                });
            }
            Ok(taken)
        })
    }

    fn note_settled(worker: &T::AccountId, units: WorkUnits) {
        Workers::<T>::mutate(worker, |record| {
            // One that has deregistered meanwhile has no record to keep.
            let Some(record) = record else { return };
            record.settled.saturating_inc();
            record.delivered_units.saturating_accrue(u128::from(units));
            record.missed_in_row = 0;
            Self::deposit_event(Event::JobSettled {
                worker: worker.clone(),
                units,
            });
        });
    }

    fn note_missed(worker: &T::AccountId) {
        Workers::<T>::mutate(worker, |record| {
            let Some(record) = record else { return };
            record.missed.saturating_inc();
            record.missed_in_row.saturating_inc();
            let in_row = record.missed_in_row;
            Self::deposit_event(Event::DeadlineMissed {
                worker: worker.clone(),
                in_row,
            });
            if !record.chilled && in_row >= T::MaxMissedInRow::get() {
                record.chilled = true;
                Self::deposit_event(Event::Chilled {
                    worker: worker.clone(),
                    reason: ChillReason::DeadlinesMissed,
                });
            }
        });
    }

    fn locked_jobs(worker: &T::AccountId) -> Vec<(JobId, Balance)> {
        Locks::<T>::get(worker).into_inner()
    }

    #[cfg(feature = "runtime-benchmarks")]
    fn create_for_benchmark(index: u32, artifact: ArtifactId) -> (T::AccountId, T::AccountId) {
        crate::benchmarking::create_busy_worker::<T>(index, artifact)
    }
}
