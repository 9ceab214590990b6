//! # Compute market
//!
//! Jobs: escrow, assignment, commit, reveal, settlement.
//!
//! ## Pallet API
//!
//! See the [`pallet`] module for configuration, storage, events, errors and calls. Others ask by
//! [`Pallet::info`], [`Pallet::infos_of`], [`Pallet::assignments_of`] and [`Pallet::estimate`].
//!
//! ## Overview
//!
//! Somebody submits a job: a model, an input blob and the most they will pay, which goes on hold.
//! From the next block on, the hook draws a worker among those that have the model ready at a price
//! within the limit. The worker acknowledges, computes, commits to its result, reveals it, and is
//! paid when the challenge window has closed.
//!
//! ```text
//! Open ─draw→ Assigned ─acknowledge→ Running ─commit→ Committed ─reveal→ Challengeable ─→ Settled
//!  ↑             │ missed, reported     │ missed, reported  │ missed          └→ Failed (revealed failure)
//!  └─────────────┴──────────────────────┴───────────────────┘
//!  until attempts or time run out: Failed, or Expired if nobody was ever found;
//!  Cancelled by the submitter while Open or Assigned
//! ```
//!
//! Whoever causes a failure bears it (see [`assay_types::Fault`]):
//!
//! - A worker that does not acknowledge is counted as having missed, nothing more: it has agreed to
//!   nothing yet. One that acknowledged and does not commit in time forfeits the job's reference
//!   price, half of it to the submitter. One that committed and does not reveal forfeits all of its
//!   collateral, a quarter of it to the submitter: else it could commit to anything and reveal only
//!   when that suits it. What is not paid out is burned.
//! - A submitter whose input cannot be had, as two workers in succession say, or is not what the job
//!   says, pays a *call-out fee* to who tried. It is small, and never more than half of what the run
//!   would have paid: nobody re-executes a job yet, so a worker could claim this of any job, and must
//!   not be better off for it than for running it. Cancelling a job after such a report pays it too:
//!   else the submitter would cancel whenever one worker has been fooled.
//! - A model whose package cannot be had or run costs its submitter nothing, and nobody else either.
//!
//! ## Low level
//!
//! **Deadlines.** Every call checks them by itself; hooks only tidy. A job is listed in the *agenda*
//! under the block in which something is due for it, and the hook walks the agenda from a cursor, one
//! job at a time, as far as its weight reaches. A job that has moved on leaves a stale entry, which
//! is told by the job's own `due`. What the hook does not reach, anyone can do by `expire`; if it is
//! so late that the hook has evidently fallen behind ([`TIP_GRACE`]), that earns a tip, which every
//! job sets aside with its deposit. A job pays it once at most, and only then, so neither its
//! submitter nor its worker can gain by letting a job lie.
//!
//! **The draw.** `draw.rs`. It happens in the hook alone: a call could be wrapped, and reverted if
//! its outcome is not the wanted one. And it happens in a block after that of the submission (or of the
//! end of the earlier attempt), so that who submits cannot know the randomness. The block's
//! author knows it first, and could give its block up for another draw; that costs it the block. A
//! worker gets one attempt at a job. For a job that nobody can take, draws become rarer.
//!
//! **Escrow.** Two holds of the submitter: [`HoldReason::Fee`], for worker and model, and
//! [`HoldReason::Deposit`], for the record. The fee's hold is the submitter's limit while no worker
//! is assigned, and the reference price with the model's price from then on. Payments from it ignore
//! freezes: the submitter agreed to them first, and a freeze put on later must not bind the worker.
//! A payment that its recipient cannot receive goes to the treasury, or is burned if that cannot
//! either.
//!
//! **Randomness, commitments.** [`assay_types::commitment()`] binds a result to job, attempt and the
//! worker's cold account. Anyone may submit a reveal, so that nobody can keep a worker from it.
//!
//! Replicas, audits and disputes will come between revealing and settling: that is what
//! `Challengeable` is for.

#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

mod agenda;
mod assignment;
#[cfg(feature = "runtime-benchmarks")]
mod benchmarking;
pub mod draw;
mod ending;
mod escrow;
mod execution;
#[cfg(test)]
mod mock;
mod queries;
pub mod settlement;
mod submission;
#[cfg(test)]
mod tests;
#[cfg(any(feature = "std", feature = "try-runtime"))]
mod try_state;
mod types;
pub mod weights;

pub use pallet::*;
pub use queries::{JobInfoOf, MAX_INFOS};
pub use types::*;
pub use weights::WeightInfo;

/// The pallet: configuration, storage, events, errors, hooks and calls.
#[frame_support::pallet]
pub mod pallet {
    use super::*;
    use assay_types::{
        traits::{DrawRandomness, Models, Workers},
        ArtifactId, Fault, JobId, JobSpec, Outcome, Status, UnavailableBlob,
    };
    use frame_support::{
        pallet_prelude::*,
        traits::fungible::{Inspect, Mutate, MutateHold},
        weights::WeightMeter,
    };
    use frame_system::pallet_prelude::*;
    use sp_core::H256;

    /// The storage's layout; every change of it comes with a migration.
    pub const STORAGE_VERSION: StorageVersion = StorageVersion::new(1);

    /// Storage of the market.
    #[pallet::pallet]
    #[pallet::storage_version(STORAGE_VERSION)]
    pub struct Pallet<T>(_);

    /// What the market needs of the runtime. Accounts and hashes are 32 bytes, as commitments have
    /// them.
    #[pallet::config]
    pub trait Config:
        frame_system::Config<AccountId: Into<[u8; 32]>, Hash = H256, RuntimeEvent: From<Event<Self>>>
    {
        /// The token in which fees are held and paid.
        type Currency: Inspect<Self::AccountId, Balance = Balance>
            + Mutate<Self::AccountId>
            + MutateHold<Self::AccountId, Reason = Self::RuntimeHoldReason>;

        /// The runtime's reasons for holds.
        type RuntimeHoldReason: From<HoldReason>;

        /// The registry of models.
        type Models: Models<Self::AccountId, Balance>;

        /// The registry of workers.
        type Workers: Workers<Self::AccountId, Balance>;

        /// What the draw of a worker is made from.
        type Randomness: DrawRandomness;

        /// Parameters that a vote can change. A job keeps those with which it was submitted.
        type Parameters: Get<ParametersOf<Self>>;

        /// The treasury's account.
        type Treasury: Get<Self::AccountId>;

        /// Deposit for a job's record, whatever its size.
        #[pallet::constant]
        type DepositBase: Get<Balance>;

        /// Deposit for each byte of a job's record.
        #[pallet::constant]
        type DepositPerByte: Get<Balance>;

        /// Set aside with each job for whoever tidies it up when the hooks have fallen behind.
        #[pallet::constant]
        type ExpireTip: Get<Balance>;

        /// What a worker gets at most that was called out for an input that cannot be had or run.
        #[pallet::constant]
        type CallOutFee: Get<Balance>;

        /// Length of the largest input blob, in bytes.
        #[pallet::constant]
        type MaxInputSize: Get<u64>;

        /// Most sequences of a job.
        #[pallet::constant]
        type MaxSequences: Get<u32>;

        /// Workers that may try a job before it fails.
        #[pallet::constant]
        type MaxAttempts: Get<u32>;

        /// Most jobs that the agenda lists under one block.
        #[pallet::constant]
        type MaxDuePerBlock: Get<u32>;

        /// Weights of calls and hooks.
        type WeightInfo: WeightInfo;
    }

    /// Why the market holds an account's funds.
    #[pallet::composite_enum]
    pub enum HoldReason {
        /// The fee of a job in progress, for its worker and its model.
        #[codec(index = 0)]
        Fee,
        /// The deposit for a job's record.
        #[codec(index = 1)]
        Deposit,
    }

    /// The id of the next job.
    #[pallet::storage]
    pub type NextJobId<T> = StorageValue<_, JobId, ValueQuery>;

    /// Jobs in progress, and ended ones while their record is kept.
    #[pallet::storage]
    pub type Jobs<T: Config> = StorageMap<_, Twox64Concat, JobId, Job<T>>;

    /// Which of the jobs are whose, by submitter. Bounded by the deposit that each takes.
    #[pallet::storage]
    pub type JobsOf<T: Config> =
        StorageDoubleMap<_, Blake2_128Concat, T::AccountId, Twox64Concat, JobId, (), OptionQuery>;

    /// Jobs for which something is due, by block. An entry counts only if the job's own `due` is
    /// the block under which it stands.
    #[pallet::storage]
    pub type Agenda<T: Config> =
        StorageMap<_, Twox64Concat, BlockNumberFor<T>, BoundedVec<JobId, T::MaxDuePerBlock>, ValueQuery>;

    /// The first block whose agenda has not been worked off.
    #[pallet::storage]
    pub type Cursor<T> = StorageValue<_, BlockNumberFor<T>, ValueQuery>;

    /// What happened to jobs. The `until` of a phase is the last block in which it may be left by the
    /// next step.
    #[pallet::event]
    #[pallet::generate_deposit(pub(crate) fn deposit_event)]
    pub enum Event<T: Config> {
        /// A job was submitted and waits for a worker.
        Submitted {
            /// Its id.
            job: JobId,
            /// Who pays.
            submitter: T::AccountId,
            /// The model.
            artifact: ArtifactId,
            /// On hold for worker and model.
            held: Balance,
            /// On hold for the record.
            deposit: Balance,
        },
        /// A worker was drawn.
        Assigned {
            /// The job.
            job: JobId,
            /// Number of the assignment, from 0.
            attempt: u32,
            /// Cold account of the worker.
            worker: T::AccountId,
            /// Its ask.
            ask: Balance,
            /// Its fee at most.
            fee: Balance,
            /// Bond locked for the job.
            collateral: Balance,
            /// Last block for the acknowledgement.
            until: BlockNumberFor<T>,
        },
        /// The worker has taken the job on.
        Acknowledged {
            /// The job.
            job: JobId,
            /// Number of the assignment.
            attempt: u32,
            /// Cold account of the worker.
            worker: T::AccountId,
            /// Last block for the commitment.
            until: BlockNumberFor<T>,
        },
        /// The worker has committed to a result.
        Committed {
            /// The job.
            job: JobId,
            /// Number of the assignment.
            attempt: u32,
            /// Cold account of the worker.
            worker: T::AccountId,
            /// The commitment.
            commitment: H256,
            /// First block in which it may be revealed.
            from: BlockNumberFor<T>,
            /// Last block for the reveal.
            until: BlockNumberFor<T>,
        },
        /// The result is known; the challenge window is open.
        Revealed {
            /// The job.
            job: JobId,
            /// Number of the assignment.
            attempt: u32,
            /// Cold account of the worker.
            worker: T::AccountId,
            /// What was revealed.
            outcome: Outcome,
            /// Last block of the challenge window.
            until: BlockNumberFor<T>,
        },
        /// A worker cannot get a blob that the job needs.
        BlobUnavailable {
            /// The job.
            job: JobId,
            /// Number of the assignment, which this ends.
            attempt: u32,
            /// Cold account of the worker.
            worker: T::AccountId,
            /// Which blob.
            blob: UnavailableBlob,
        },
        /// A worker missed its deadline.
        DeadlineMissed {
            /// The job.
            job: JobId,
            /// Number of the assignment, which this ends.
            attempt: u32,
            /// Cold account of the worker.
            worker: T::AccountId,
            /// `Worker` if it had acknowledged the job, `Network` otherwise.
            fault: Fault,
            /// Taken off its bond.
            forfeited: Balance,
        },
        /// After an attempt that came to nothing the job waits for another worker.
        Reopened {
            /// The job.
            job: JobId,
            /// Number of the next assignment.
            attempt: u32,
            /// On hold for worker and model.
            held: Balance,
            /// Last block for the assignment.
            until: BlockNumberFor<T>,
        },
        /// A worker was paid for having been called out in vain.
        CalledOut {
            /// The job.
            job: JobId,
            /// Cold account of the worker.
            worker: T::AccountId,
            /// What it was paid.
            amount: Balance,
        },
        /// The job ended and was paid.
        Settled {
            /// The job.
            job: JobId,
            /// Cold account of the worker.
            worker: T::AccountId,
            /// Who got how much.
            payment: PaymentOf,
        },
        /// The job ended without a result.
        Failed {
            /// The job.
            job: JobId,
            /// Whose fault it was.
            fault: Fault,
            /// The revealed failure, if that is how it ended.
            status: Option<Status>,
            /// What went back to the submitter.
            refunded: Balance,
        },
        /// The job was cancelled by its submitter.
        Cancelled {
            /// The job.
            job: JobId,
            /// What went back to the submitter.
            refunded: Balance,
        },
        /// The job ended because no worker was found in time.
        Expired {
            /// The job.
            job: JobId,
            /// What went back to the submitter.
            refunded: Balance,
        },
        /// The record of an ended job was removed.
        Removed {
            /// The job.
            job: JobId,
            /// What went back to the submitter.
            deposit: Balance,
        },
        /// Somebody did what the hooks were late to do.
        Tipped {
            /// The job.
            job: JobId,
            /// Who did it.
            who: T::AccountId,
            /// What they got of the job's deposit.
            amount: Balance,
        },
        /// The agenda had no room for the job. It goes on by `expire` alone from here.
        NotListed {
            /// The job.
            job: JobId,
        },
        /// What was due for the job could not be done. Nothing of it was; `expire` tries again.
        ActionFailed {
            /// The job.
            job: JobId,
            /// Why not.
            error: DispatchError,
        },
    }

    /// Why a call was refused. Nothing has changed then but the fee of the transaction.
    #[pallet::error]
    pub enum Error<T> {
        /// There is no artifact with this id. Look it up among the registered ones.
        UnknownArtifact,
        /// The artifact takes no new jobs. Use another one.
        ArtifactRetired,
        /// The input blob is larger than `MaxInputSize`. Split it over several jobs.
        InputTooLarge,
        /// Sequences, tokens and input do not fit together: one sequence to `MaxSequences`; a token
        /// to `max_sequence` of the model for each; and an input whose size is that of a token blob
        /// with at most `max_tokens` tokens.
        InvalidTokens,
        /// `max_tokens` × the model's units per token overflows. Ask for fewer tokens.
        TooMuchWork,
        /// The market's parameters are out of bounds; no job is taken until a vote mends them.
        InvalidParameters,
        /// Every worker that is ready asks for more than `max_fee` less the model's price. Raise
        /// `max_fee`; an estimate tells how far.
        PriceLimitTooLow,
        /// No worker has this model ready and bond to spare. An estimate tells why, one by one.
        NoEligibleWorker,
        /// The account has not `max_fee` and the deposit to spare.
        InsufficientFunds,
        /// The agenda of the next blocks is full. Try again later.
        AgendaFull,
        /// There is no record of this job: it was never submitted, or has been removed.
        UnknownJob,
        /// Only the job's submitter may do this.
        NotSubmitter,
        /// The signer is not the hot key of the worker to which the job is assigned.
        NotAssigned,
        /// The job is not in a phase in which this can be done.
        WrongPhase,
        /// The job is at another attempt than the one named.
        WrongAttempt,
        /// It is too late for this.
        DeadlinePassed,
        /// Reveals are not open yet.
        TooEarly,
        /// Outcome and salt do not give the commitment.
        CommitmentMismatch,
        /// `trace` is not the BLAKE3 hash of the header that the outcome gives.
        TraceMismatch,
        /// The outcome has more tokens than the job allows.
        TooManyTokens,
        /// The outcome has not as many tokens as an input blob of the job's size holds.
        TokensMismatch,
        /// The output has not the size that sequences × dimensions × 4 bytes gives, or a failed run
        /// claims one.
        OutputSizeMismatch,
        /// `delivered` differs from `result`, though outputs are handed over as they are.
        OutputMismatch,
        /// Nothing is due for this job now.
        NothingDue,
    }

    #[pallet::hooks]
    impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
        fn on_idle(now: BlockNumberFor<T>, remaining: Weight) -> Weight {
            let mut meter = WeightMeter::with_limit(remaining);
            Self::work_off_agenda(now, &mut meter);
            meter.consumed()
        }

        fn integrity_test() {
            assert!(T::MaxAttempts::get() > 0, "without an attempt no job can be assigned");
            assert!(T::MaxDuePerBlock::get() > 0, "without an entry no job can be listed");
            assert!(T::MaxSequences::get() > 0, "without a sequence no job has an input");
            assert!(
                T::MaxInputSize::get() >= 12,
                "the smallest input is one sequence of one token: 12 bytes"
            );
            let minimum = T::Currency::minimum_balance();
            assert!(
                T::ExpireTip::get() >= minimum && T::CallOutFee::get() >= minimum,
                "tips and call-out fees below the existential deposit of {minimum} could not reach a new account",
            );
            assert!(
                Self::record_deposit() >= minimum,
                "a deposit below the existential deposit of {minimum} could be stuck on hold",
            );
            if let Err(reason) = settlement::check_parameters(&T::Parameters::get()) {
                panic!("the market's parameters are out of bounds: {reason}");
            }
            let block = T::BlockWeights::get().max_block;
            let overhead = T::WeightInfo::on_idle_base()
                .saturating_add(T::WeightInfo::agenda_page())
                .saturating_add(T::WeightInfo::agenda_entry());
            for action in [
                Action::Draw,
                Action::GiveUp,
                Action::Missed,
                Action::Settle,
                Action::Remove,
            ] {
                let needed = overhead.saturating_add(Self::weight_of(action));
                assert!(
                    needed.all_lte(block),
                    "{action:?} takes {needed}, a block has {block}: it would never run"
                );
            }
        }

        #[cfg(feature = "try-runtime")]
        fn try_state(_: BlockNumberFor<T>) -> Result<(), sp_runtime::TryRuntimeError> {
            Self::do_try_state()
        }
    }

    #[pallet::call]
    impl<T: Config> Pallet<T> {
        /// Submits a job.
        ///
        /// Origin: signed, by who pays. Holds `max_fee` and the deposit. A worker is drawn from the
        /// next block on, which releases what its fee and the model's price leave of `max_fee`.
        /// Needs a worker that could take it now. Weighed by the workers that have the model ready; what was
        /// paid for more than there are comes back.
        ///
        /// Errors, in this order: `UnknownArtifact`, `ArtifactRetired`, `InputTooLarge`,
        /// `InvalidTokens`, `TooMuchWork`, `InvalidParameters`, `NoEligibleWorker`,
        /// `PriceLimitTooLow`, `InsufficientFunds`, `AgendaFull`. Emits `Submitted`.
        #[pallet::call_index(0)]
        #[pallet::weight(T::WeightInfo::submit(T::Workers::max_candidates()))]
        pub fn submit(origin: OriginFor<T>, spec: JobSpec, max_fee: Balance) -> DispatchResultWithPostInfo {
            let submitter = ensure_signed(origin)?;
            let examined = T::Workers::ready_count(spec.artifact);
            Self::do_submit(submitter, spec, max_fee)?;
            Ok(Some(T::WeightInfo::submit(examined)).into())
        }

        /// Cancels a job that no worker has acknowledged.
        ///
        /// Origin: signed by the submitter. What is held for the job goes back, less the call-out
        /// fees of workers that have reported its input as unavailable: cancelling concedes that.
        /// The deposit follows when the record is removed.
        ///
        /// Errors: `UnknownJob`, `NotSubmitter`, `WrongPhase`. Emits `CalledOut`, `Cancelled`.
        #[pallet::call_index(1)]
        #[pallet::weight(T::WeightInfo::cancel())]
        pub fn cancel(origin: OriginFor<T>, job: JobId) -> DispatchResult {
            let who = ensure_signed(origin)?;
            Self::do_cancel(who, job)
        }

        /// Takes an assigned job on: its input and package are at hand.
        ///
        /// Origin: signed by the assigned worker's hot key. From here on a missed deadline costs the
        /// worker its bond.
        ///
        /// Errors: `UnknownJob`, `NotAssigned`, `WrongPhase`, `DeadlinePassed`. Emits `Acknowledged`.
        #[pallet::call_index(2)]
        #[pallet::weight(T::WeightInfo::acknowledge())]
        pub fn acknowledge(origin: OriginFor<T>, job: JobId) -> DispatchResult {
            let who = ensure_signed(origin)?;
            Self::do_acknowledge(who, job)
        }

        /// Commits to a result (see [`assay_types::commitment()`]).
        ///
        /// Origin: signed by the assigned worker's hot key. What is committed must be revealed: not
        /// doing so forfeits the whole collateral.
        ///
        /// Errors: `UnknownJob`, `NotAssigned`, `WrongPhase`, `WrongAttempt`, `DeadlinePassed`. Emits
        /// `Committed`.
        #[pallet::call_index(3)]
        #[pallet::weight(T::WeightInfo::commit())]
        pub fn commit(origin: OriginFor<T>, job: JobId, attempt: u32, commitment: H256) -> DispatchResult {
            let who = ensure_signed(origin)?;
            Self::do_commit(who, job, attempt, commitment)
        }

        /// Reveals what was committed.
        ///
        /// Origin: signed, by anyone who knows outcome and salt. (Why: a worker that is kept from
        /// sending it would lose its collateral.) A reveal that does not match changes nothing and costs
        /// its sender the transaction.
        ///
        /// Errors: `UnknownJob`, `WrongPhase`, `WrongAttempt`, `TooEarly`, `DeadlinePassed`,
        /// `CommitmentMismatch`, `TraceMismatch`, `TooManyTokens`, `TokensMismatch`,
        /// `OutputSizeMismatch`, `OutputMismatch`. Emits `Revealed`.
        #[pallet::call_index(4)]
        #[pallet::weight(T::WeightInfo::reveal())]
        pub fn reveal(
            origin: OriginFor<T>,
            job: JobId,
            attempt: u32,
            outcome: Outcome,
            salt: [u8; 32],
        ) -> DispatchResult {
            ensure_signed(origin)?;
            Self::do_reveal(job, attempt, outcome, salt)
        }

        /// Gives an assigned job up because a blob it needs cannot be had.
        ///
        /// Origin: signed by the assigned worker's hot key, before the commitment. Costs it nothing.
        /// The job is drawn again; it fails if another worker in succession reports the same, or no
        /// attempt is left. A failure over the input pays a call-out fee to each that reported it,
        /// from two reports on.
        ///
        /// Errors: `UnknownJob`, `NotAssigned`, `WrongPhase`, `WrongAttempt`, `DeadlinePassed`. Emits
        /// `BlobUnavailable`, and `Reopened` or `CalledOut` and `Failed`.
        #[pallet::call_index(5)]
        #[pallet::weight(T::WeightInfo::report_unavailable())]
        pub fn report_unavailable(
            origin: OriginFor<T>,
            job: JobId,
            attempt: u32,
            blob: UnavailableBlob,
        ) -> DispatchResult {
            let who = ensure_signed(origin)?;
            Self::do_report_unavailable(who, job, attempt, blob)
        }

        /// Does what is due for a job and the hook has not done: acts on a missed deadline, settles,
        /// removes a record, or lists the job again if the agenda had no room for it. It never draws
        /// a worker.
        ///
        /// Origin: signed, by anyone. Earns a tip, once a job, if it was due more than [`TIP_GRACE`]
        /// blocks ago.
        ///
        /// Errors: `UnknownJob`, `NothingDue`, `AgendaFull`. Emits what the hook would, and `Tipped`.
        #[pallet::call_index(6)]
        #[pallet::weight(Pallet::<T>::weight_of_expire())]
        pub fn expire(origin: OriginFor<T>, job: JobId) -> DispatchResultWithPostInfo {
            let who = ensure_signed(origin)?;
            Self::do_expire(who, job)
        }
    }
}

/// Blocks after which an action that was due and not taken earns a tip. Long enough for the hook to
/// have done it many times over, unless blocks are full.
pub const TIP_GRACE: u32 = 20;
