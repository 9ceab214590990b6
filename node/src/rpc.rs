//! JSON-RPC beside what sc-service adds by itself.

pub(crate) mod compute;

use crate::{
    blobs::InputBlobs,
    service::{FullBackend, FullClient, FullPool, FullSelectChain},
};
use assay_runtime::{opaque::Block, BlockNumber, Hash};
use compute::{Compute, ComputeApiServer, ComputeSubscriptionApiServer};
use jsonrpsee::RpcModule;
use pallet_transaction_payment_rpc::{TransactionPayment, TransactionPaymentApiServer};
use sc_consensus_babe::BabeWorkerHandle;
use sc_consensus_babe_rpc::{Babe, BabeApiServer};
use sc_consensus_grandpa::{FinalityProofProvider, GrandpaJustificationStream, SharedAuthoritySet, SharedVoterState};
use sc_consensus_grandpa_rpc::{Grandpa, GrandpaApiServer};
use sc_rpc::SubscriptionTaskExecutor;
use sc_service::ChainSpec;
use sc_sync_state_rpc::{SyncState, SyncStateApiServer};
use sp_keystore::KeystorePtr;
use std::{error::Error, sync::Arc};
use substrate_frame_rpc_system::{System, SystemApiServer};

/// What the methods need of BABE.
pub(crate) struct BabeDeps {
    /// Answers questions about epochs.
    pub(crate) worker: BabeWorkerHandle<Block>,
    /// Says for which slots this node has the key.
    pub(crate) keystore: KeystorePtr,
}

/// What the methods need of GRANDPA.
pub(crate) struct GrandpaDeps {
    /// Rounds under way.
    pub(crate) voter_state: SharedVoterState,
    /// Who votes.
    pub(crate) authority_set: SharedAuthoritySet<Hash, BlockNumber>,
    /// Proofs of finality as they are made.
    pub(crate) justifications: GrandpaJustificationStream<Block>,
    /// Proofs of finality from the database.
    pub(crate) finality_proofs: Arc<FinalityProofProvider<FullBackend, Block>>,
}

/// What the methods need.
pub(crate) struct FullDeps {
    /// The client.
    pub(crate) client: Arc<FullClient>,
    /// The transaction pool.
    pub(crate) pool: Arc<FullPool>,
    /// Says which chain is the best one.
    pub(crate) select_chain: FullSelectChain,
    /// The specification that this node was started with.
    pub(crate) chain_spec: Box<dyn ChainSpec>,
    /// Of BABE.
    pub(crate) babe: BabeDeps,
    /// Of GRANDPA.
    pub(crate) grandpa: GrandpaDeps,
    /// Inputs of jobs.
    pub(crate) blobs: InputBlobs,
    /// Runs subscriptions.
    pub(crate) executor: SubscriptionTaskExecutor,
}

/// All methods in one module.
pub(crate) fn create(deps: FullDeps) -> Result<RpcModule<()>, Box<dyn Error + Send + Sync>> {
    let FullDeps {
        client,
        pool,
        select_chain,
        chain_spec,
        babe,
        grandpa,
        blobs,
        executor,
    } = deps;
    let compute = Compute::new(client.clone(), pool.clone(), blobs, executor.clone());

    let mut module = RpcModule::new(());
    module.merge(System::new(client.clone(), pool).into_rpc())?;
    module.merge(TransactionPayment::new(client.clone()).into_rpc())?;
    module.merge(Babe::new(client.clone(), babe.worker.clone(), babe.keystore, select_chain).into_rpc())?;
    module.merge(
        Grandpa::new(
            executor,
            grandpa.authority_set.clone(),
            grandpa.voter_state,
            grandpa.justifications,
            grandpa.finality_proofs,
        )
        .into_rpc(),
    )?;
    module.merge(SyncState::new(chain_spec, client, grandpa.authority_set, babe.worker)?.into_rpc())?;
    module.merge(ComputeApiServer::into_rpc(compute.clone()))?;
    module.merge(ComputeSubscriptionApiServer::into_rpc(compute))?;
    Ok(module)
}
