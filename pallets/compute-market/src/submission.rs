//! Submitting a job: what is checked, what it takes.

use crate::{Balance, Config, Error, Event, Job, JobsOf, NextJobId, Pallet, Terms};
use assay_types::{
    traits::{Models, Requirement, Workers},
    units_for, JobSpec, ModelProfile, Phase, WorkUnits,
};
use frame_support::{ensure, pallet_prelude::DispatchResult, traits::Get};
use sp_runtime::{traits::One, ArithmeticError, Saturating};

/// Tokens that the input of `spec` holds if it is what [`assay_types::tokens`] describes: words of
/// four bytes, of which one is the number of sequences and one for each sequence its length.
/// `None` if no such blob has its size.
pub(crate) fn tokens_in(spec: &JobSpec) -> Option<u32> {
    let words = spec.input.size.is_multiple_of(4).then_some(spec.input.size / 4)?;
    let tokens = words.checked_sub(1 + u64::from(spec.sequences))?;
    u32::try_from(tokens).ok().filter(|tokens| *tokens >= spec.sequences)
}

impl<T: Config> Pallet<T> {
    /// Work units at most, and the model's terms, of a job that asks for `spec`.
    pub(crate) fn check_spec(spec: &JobSpec) -> Result<(WorkUnits, Terms<T::AccountId>), Error<T>> {
        let terms = T::Models::terms(spec.artifact).ok_or(Error::<T>::UnknownArtifact)?;
        ensure!(!terms.retired, Error::<T>::ArtifactRetired);
        ensure!(spec.input.size <= T::MaxInputSize::get(), Error::<T>::InputTooLarge);
        ensure!(Self::tokens_fit(spec, &terms.profile), Error::<T>::InvalidTokens);
        let units = units_for(spec.max_tokens, terms.profile.units_per_token).ok_or(Error::<T>::TooMuchWork)?;
        Ok((units, terms.into()))
    }

    /// Whether sequences, tokens and input fit together and the model.
    fn tokens_fit(spec: &JobSpec, profile: &ModelProfile) -> bool {
        let most = u64::from(spec.sequences).saturating_mul(u64::from(profile.max_sequence));
        (1..=T::MaxSequences::get()).contains(&spec.sequences)
            && spec.max_tokens >= spec.sequences
            && u64::from(spec.max_tokens) <= most
            && tokens_in(spec).is_some_and(|tokens| tokens <= spec.max_tokens)
    }

    /// What a job needs of a worker that is paid at most `max_fee`.
    pub(crate) fn requirement(
        spec: &JobSpec,
        units: WorkUnits,
        max_fee: Balance,
        collateral_multiple: u32,
    ) -> Requirement<Balance> {
        Requirement {
            artifact: spec.artifact,
            units,
            max_fee,
            collateral_multiple,
        }
    }

    /// See [`Pallet::submit`].
    pub(crate) fn do_submit(submitter: T::AccountId, spec: JobSpec, max_fee: Balance) -> DispatchResult {
        let (units, terms) = Self::check_spec(&spec)?;
        let parameters = T::Parameters::get();
        ensure!(
            crate::settlement::check_parameters(&parameters).is_ok(),
            Error::<T>::InvalidParameters
        );

        // All who are ready, whatever they ask, to tell a limit too low from a market that is empty.
        let requirement = Self::requirement(&spec, units, Balance::MAX, parameters.collateral_multiple);
        let ready = T::Workers::candidates(&requirement);
        ensure!(!ready.is_empty(), Error::<T>::NoEligibleWorker);
        let limit = max_fee
            .checked_sub(terms.price_per_use)
            .ok_or(Error::<T>::PriceLimitTooLow)?;
        ensure!(
            ready.iter().any(|candidate| candidate.fee <= limit),
            Error::<T>::PriceLimitTooLow
        );

        let tip = T::ExpireTip::get();
        let deposit = Self::record_deposit().saturating_add(tip);
        Self::hold_for_job(&submitter, max_fee, deposit)?;

        let now = frame_system::Pallet::<T>::block_number();
        let id = NextJobId::<T>::get();
        NextJobId::<T>::put(id.checked_add(1).ok_or(ArithmeticError::Overflow)?);
        let artifact = spec.artifact;
        let mut job = Job::<T> {
            submitter: submitter.clone(),
            spec,
            terms,
            phase: Phase::Open {
                until: now.saturating_add(parameters.assign_period),
            },
            parameters,
            max_fee,
            held: max_fee,
            deposit,
            tip,
            submitted_at: now,
            agreement: None,
            attempts: Default::default(),
            due: None,
            removed_after: None,
        };
        // Not in this block: its randomness may be known to who submits.
        ensure!(
            Self::list(id, &mut job, now.saturating_add(One::one())),
            Error::<T>::AgendaFull
        );
        crate::Jobs::<T>::insert(id, job);
        JobsOf::<T>::insert(&submitter, id, ());
        Self::deposit_event(Event::Submitted {
            job: id,
            submitter,
            artifact,
            held: max_fee,
            deposit,
        });
        Ok(())
    }
}
