//! A block, and what the runtime says at its state.

use super::{error::ChainError, Chain};
use crate::{AccountId, Artifact, Balance, BlockNumber, CostEstimate, Hash, Job, Worker};
use assay_types::{ArtifactId, EstimateError, JobId, JobSpec};
use codec::{DecodeAll, Encode};
use subxt::{dynamic, ext::scale_decode::DecodeAsType};

/// Money of an account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Funds {
    /// May be spent, but for what is frozen.
    pub free: Balance,
    /// On hold for bonds, fees and deposits; not part of `free`.
    pub held: Balance,
    /// The part of free and held money together that votes and locks keep in the account.
    pub frozen: Balance,
}

impl Funds {
    /// What could be put on hold now.
    pub fn usable(&self) -> Balance {
        self.free.saturating_sub(self.frozen.saturating_sub(self.held))
    }
}

/// A block of a chain. Asks the runtime at the state after the block; the node keeps the states of
/// recent blocks only.
#[derive(Clone, Debug)]
pub struct BlockAt {
    chain: Chain,
    /// Its hash.
    pub hash: Hash,
    /// Its number.
    pub number: BlockNumber,
}

impl BlockAt {
    pub(super) fn new(chain: Chain, hash: Hash, number: BlockNumber) -> Self {
        Self { chain, hash, number }
    }

    /// The chain it is part of.
    pub fn chain(&self) -> &Chain {
        &self.chain
    }

    /// The job, while its record is kept.
    pub async fn job(&self, id: JobId) -> Result<Option<Job>, ChainError> {
        self.compute("job", id).await
    }

    /// Jobs submitted by `account`, newest first, at most `limit`.
    pub async fn jobs(&self, account: &AccountId, limit: u32) -> Result<Vec<Job>, ChainError> {
        self.compute("jobs", (account, limit)).await
    }

    /// Jobs in progress of the worker for which `hot_key` signs.
    pub async fn assignments(&self, hot_key: &AccountId) -> Result<Vec<Job>, ChainError> {
        self.compute("assignments", hot_key).await
    }

    /// The worker with this cold account or hot key.
    pub async fn worker(&self, account: &AccountId) -> Result<Option<Worker>, ChainError> {
        self.compute("worker", account).await
    }

    /// All workers, or those that have `artifact` ready.
    pub async fn workers(&self, artifact: Option<ArtifactId>) -> Result<Vec<Worker>, ChainError> {
        self.compute("workers", artifact).await
    }

    /// The artifact.
    pub async fn artifact(&self, id: ArtifactId) -> Result<Option<Artifact>, ChainError> {
        self.compute("artifact", id).await
    }

    /// The artifact with this package.
    pub async fn artifact_by_package(&self, package: Hash) -> Result<Option<ArtifactId>, ChainError> {
        self.compute("artifact_by_package", package).await
    }

    /// What a job would cost, who could take it and why others could not.
    pub async fn estimate(
        &self,
        spec: &JobSpec,
        max_fee: Option<Balance>,
    ) -> Result<Result<CostEstimate, EstimateError>, ChainError> {
        self.compute("estimate", (spec, max_fee)).await
    }

    /// Jobs submitted by the block's extrinsic `index`.
    pub async fn submitted_in(&self, index: u32) -> Result<Vec<JobId>, ChainError> {
        self.compute("submitted_in", index).await
    }

    /// The account's next nonce, as far as this block tells.
    pub async fn nonce(&self, account: &AccountId) -> Result<u32, ChainError> {
        self.call_api("AccountNonceApi_account_nonce", account).await
    }

    /// The account's money.
    pub async fn funds(&self, account: &AccountId) -> Result<Funds, ChainError> {
        #[derive(DecodeAsType)]
        #[decode_as_type(crate_path = "subxt::ext::scale_decode")]
        struct AccountInfo {
            data: AccountData,
        }
        #[derive(DecodeAsType)]
        #[decode_as_type(crate_path = "subxt::ext::scale_decode")]
        struct AccountData {
            free: Balance,
            reserved: Balance,
            frozen: Balance,
        }
        let address = dynamic::storage::<([u8; 32],), AccountInfo>("System", "Account");
        let what = "System.Account";
        let failed = |error| ChainError::subxt(self.chain.url(), what, error);
        let client = self.client().await?;
        let key: [u8; 32] = account.clone().into();
        let value = client.storage().fetch(address, (key,)).await.map_err(failed)?;
        let AccountInfo { data } = value.decode().map_err(|error| ChainError::decode(what, error))?;
        Ok(Funds {
            free: data.free,
            held: data.reserved,
            frozen: data.frozen,
        })
    }

    /// The least money with which an account exists.
    pub async fn existential_deposit(&self) -> Result<Balance, ChainError> {
        let address = dynamic::constant::<Balance>("Balances", "ExistentialDeposit");
        let client = self.client().await?;
        let deposit = client.constants().entry(address);
        deposit.map_err(|error| ChainError::decode("Balances.ExistentialDeposit", error))
    }

    /// Calls a function of the runtime's APIs, as in `AccountNonceApi_account_nonce`, with
    /// SCALE-encoded arguments; several as a tuple.
    pub async fn call_api<R: DecodeAll>(&self, function: &str, arguments: impl Encode) -> Result<R, ChainError> {
        let answer = self.chain.state_call(function, &arguments.encode(), self.hash).await?;
        R::decode_all(&mut &answer[..]).map_err(|error| ChainError::decode(function, error))
    }

    /// Calls a function of `ComputeApi`.
    async fn compute<R: DecodeAll>(&self, function: &str, arguments: impl Encode) -> Result<R, ChainError> {
        self.call_api(&format!("ComputeApi_{function}"), arguments).await
    }

    /// subxt's view of the block, with the metadata of its runtime.
    pub(super) async fn client(&self) -> Result<super::ClientAt, ChainError> {
        self.chain.client_at(self.hash, self.number).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usable_should_leave_what_is_frozen_beyond_holds() {
        let funds = |free, held, frozen| Funds { free, held, frozen }.usable();
        assert_eq!(funds(10, 0, 0), 10);
        assert_eq!(funds(10, 0, 4), 6);
        assert_eq!(funds(10, 3, 4), 9);
        assert_eq!(funds(10, 9, 4), 10);
        assert_eq!(funds(1, 0, 4), 0);
    }
}
