//! The agenda: which job is due when, and the hook that works it off.

use crate::{Action, Agenda, Config, Cursor, Error, Event, Job, Jobs, Pallet, WeightInfo, TIP_GRACE};
use assay_types::{traits::Workers, JobId};
use frame_support::{
    defensive,
    dispatch::{DispatchResultWithPostInfo, PostDispatchInfo},
    ensure,
    pallet_prelude::{DispatchResult, Weight},
    storage::with_storage_layer,
    weights::WeightMeter,
    BoundedVec,
};
use frame_system::pallet_prelude::BlockNumberFor;
use sp_runtime::{
    traits::{One, Zero},
    Saturating,
};

/// Blocks in which an entry is looked for room, from the wanted one on.
pub(crate) const SEARCHED_BLOCKS: u32 = 8;

impl<T: Config> Pallet<T> {
    /// Lists the job under `wanted`, or the first block after it that has room, and notes that in
    /// `job.due`. False, and `None`, if the next [`SEARCHED_BLOCKS`] are full.
    pub(crate) fn list(id: JobId, job: &mut Job<T>, wanted: BlockNumberFor<T>) -> bool {
        let listed_under = job.due.take();
        job.due = (0..SEARCHED_BLOCKS)
            .map(|offset| wanted.saturating_add(offset.into()))
            .find(|block| {
                listed_under == Some(*block) || Agenda::<T>::try_mutate(block, |page| page.try_push(id)).is_ok()
            });
        job.due.is_some()
    }

    /// Lists the job as [`Self::list`] does. If there is no room that is reported: the job goes on
    /// by `expire` then.
    pub(crate) fn list_or_report(id: JobId, job: &mut Job<T>, wanted: BlockNumberFor<T>) {
        if !Self::list(id, job, wanted) {
            Self::deposit_event(Event::NotListed { job: id });
        }
    }

    /// Works the agenda off, up to block `now` and as far as `meter` reaches.
    pub(crate) fn work_off_agenda(now: BlockNumberFor<T>, meter: &mut WeightMeter) {
        if meter.try_consume(T::WeightInfo::on_idle_base()).is_err() {
            return;
        }
        let mut cursor = Cursor::<T>::get();
        while cursor <= now && meter.try_consume(T::WeightInfo::agenda_page()).is_ok() {
            let page = Agenda::<T>::get(cursor);
            let done = page
                .iter()
                .take_while(|id| Self::work_off_entry(**id, cursor, now, meter))
                .count();
            if !Self::shorten_page(cursor, page, done) {
                break;
            }
            cursor.saturating_inc();
        }
        Cursor::<T>::put(cursor);
    }

    /// Takes the first `done` entries off the `page` of `block`; true if none is left.
    pub(crate) fn shorten_page(
        block: BlockNumberFor<T>,
        page: BoundedVec<JobId, T::MaxDuePerBlock>,
        done: usize,
    ) -> bool {
        let rest = page.into_inner().split_off(done);
        let empty = rest.is_empty();
        if done > 0 && empty {
            Agenda::<T>::remove(block);
        } else if done > 0 {
            Agenda::<T>::insert(block, BoundedVec::truncate_from(rest));
        }
        empty
    }

    /// Does what is due for the job that the agenda lists under `block`. False if `meter` does not
    /// reach that far; nothing has been done then.
    pub(crate) fn work_off_entry(
        id: JobId,
        block: BlockNumberFor<T>,
        now: BlockNumberFor<T>,
        meter: &mut WeightMeter,
    ) -> bool {
        if meter.try_consume(T::WeightInfo::agenda_entry()).is_err() {
            return false;
        }
        let Some(mut job) = Jobs::<T>::get(id).filter(|job| job.due == Some(block)) else {
            // The job has moved on since.
            return true;
        };
        let Some(action) = job.action(now) else {
            defensive!("a job is listed under the block after its deadline");
            job.due = None;
            Jobs::<T>::insert(id, job);
            return true;
        };
        let weight = match action {
            Action::Draw => T::WeightInfo::draw(T::Workers::ready_count(job.spec.artifact)),
            other => Self::weight_of(other),
        };
        if meter.try_consume(weight).is_err() {
            return false;
        }
        if let Err(error) = with_storage_layer(|| Self::perform(id, job.clone(), action, now)) {
            // Not tried again by itself: what failed once could fail in every block.
            log::error!(target: "runtime::compute-market", "{action:?} of job {id} failed: {error:?}");
            job.due = None;
            Jobs::<T>::insert(id, job);
            Self::deposit_event(Event::ActionFailed { job: id, error });
        }
        true
    }

    /// Does `action` for the job and stores what becomes of it.
    fn perform(id: JobId, mut job: Job<T>, action: Action, now: BlockNumberFor<T>) -> DispatchResult {
        match action {
            Action::Draw => Self::draw_worker(id, &mut job, now)?,
            Action::GiveUp => Self::give_up(id, &mut job, now)?,
            Action::Missed => Self::miss_deadline(id, &mut job, now)?,
            Action::Settle => Self::settle(id, &mut job, now)?,
            Action::Remove => return Self::remove(id, job),
        }
        Jobs::<T>::insert(id, job);
        Ok(())
    }

    /// See [`Pallet::expire`].
    pub(crate) fn do_expire(who: T::AccountId, id: JobId) -> DispatchResultWithPostInfo {
        let mut job = Jobs::<T>::get(id).ok_or(Error::<T>::UnknownJob)?;
        let now = frame_system::Pallet::<T>::block_number();
        let action = job.action(now).ok_or(Error::<T>::NothingDue)?;
        if action == Action::Draw {
            ensure!(job.due.is_none(), Error::<T>::NothingDue);
            ensure!(
                Self::list(id, &mut job, now.saturating_add(One::one())),
                Error::<T>::AgendaFull
            );
            Jobs::<T>::insert(id, job);
        } else {
            let late = job.until().map_or_else(Zero::zero, |until| now.saturating_sub(until));
            if late > TIP_GRACE.into() {
                Self::pay_tip(id, &mut job, &who);
            }
            Self::perform(id, job, action, now)?;
        }
        Ok(PostDispatchInfo {
            actual_weight: Some(Self::weight_of_expire_action(action)),
            ..Default::default()
        })
    }

    /// Weight of one action of the hook at its worst.
    pub(crate) fn weight_of(action: Action) -> Weight {
        match action {
            Action::Draw => T::WeightInfo::draw(T::Workers::max_candidates()),
            Action::GiveUp => T::WeightInfo::expire_give_up(),
            Action::Missed => T::WeightInfo::expire_missed(),
            Action::Settle => T::WeightInfo::expire_settle(),
            Action::Remove => T::WeightInfo::expire_remove(),
        }
    }

    /// Weight of [`Pallet::expire`] when it does `action`.
    fn weight_of_expire_action(action: Action) -> Weight {
        match action {
            Action::Draw => T::WeightInfo::expire_relist(),
            other => Self::weight_of(other),
        }
    }

    /// Weight of [`Pallet::expire`] at its worst.
    pub(crate) fn weight_of_expire() -> Weight {
        [
            Action::Draw,
            Action::GiveUp,
            Action::Missed,
            Action::Settle,
            Action::Remove,
        ]
        .into_iter()
        .map(Self::weight_of_expire_action)
        .fold(Weight::zero(), |most, weight| most.max(weight))
    }
}
