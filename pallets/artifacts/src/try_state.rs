//! What must hold of this pallet's storage after every block.
#![cfg(any(feature = "try-runtime", feature = "std"))]

use crate::{types::BalanceOf, Artifacts, ByPackage, Config, HoldReason, NextId, Pallet};
use alloc::collections::btree_map::BTreeMap;
use frame_support::{ensure, traits::fungible::hold::Inspect};
use sp_runtime::{traits::Zero, Saturating, TryRuntimeError};

impl<T: Config> Pallet<T> {
    /// Checks the invariants. Also there outside `try-runtime`, for the mocks of other pallets.
    ///
    /// ## Invariants
    ///
    /// * Ids run from 0 to [`NextId`] without gaps: every artifact's id is below it, and there are
    ///   as many as it says.
    /// * [`ByPackage`] is the inverse of the artifacts' packages: it has an entry for each, that entry
    ///   names it, and there are no others.
    /// * Of every account, what is on hold for [`HoldReason::Registration`] is the sum of the deposits
    ///   of its artifacts: nothing, if it has none.
    pub fn do_try_state() -> Result<(), TryRuntimeError> {
        let next_id = NextId::<T>::get();
        let mut count: u32 = 0;
        let mut deposits = BTreeMap::<T::AccountId, BalanceOf<T>>::new();
        for (id, artifact) in Artifacts::<T>::iter() {
            ensure!(id < next_id, "artifact's id is not below NextId");
            ensure!(
                ByPackage::<T>::get(artifact.package.hash) == Some(id),
                "artifact's package does not lead to it"
            );
            deposits
                .entry(artifact.owner)
                .or_insert_with(Zero::zero)
                .saturating_accrue(artifact.deposit);
            count.saturating_inc();
        }
        ensure!(count == next_id, "there are not as many artifacts as NextId says");
        ensure!(
            ByPackage::<T>::iter_keys().count() == count as usize,
            "a package leads to no artifact"
        );
        for account in frame_system::Account::<T>::iter_keys() {
            let deposit = deposits.remove(&account).unwrap_or_else(Zero::zero);
            ensure!(
                T::Currency::balance_on_hold(&HoldReason::Registration.into(), &account) == deposit,
                "what is on hold from an account is not the sum of its deposits"
            );
        }
        ensure!(
            deposits.values().all(Zero::is_zero),
            "an owner with deposits has no account"
        );
        Ok(())
    }
}
