//! The parts of a node that need no network: database, client, transaction pool, block import.
//! Commands that only read or write the database need no more.

use super::{
    inherents::SlotInherents, FullBabeBlockImport, FullBackend, FullClient, FullGrandpaLink, FullPool, FullSelectChain,
    JUSTIFICATION_PERIOD,
};
use assay_runtime::{opaque::Block, BlockNumber};
use sc_consensus_babe::{BabeLink, BabeWorkerHandle};
use sc_consensus_grandpa::GrandpaPruningFilter;
use sc_service::{Configuration, Error, PartialComponents};
use sc_telemetry::{Telemetry, TelemetryWorker};
use sc_transaction_pool_api::OffchainTransactionPoolFactory;
use std::sync::Arc;

/// How many telemetry messages may wait to be sent.
const TELEMETRY_BUFFER: usize = 16;

/// What the full node needs beside the standard components.
pub(crate) struct Consensus {
    /// Imports blocks this node authored.
    pub(super) block_import: FullBabeBlockImport,
    /// Ties block import to the GRANDPA voter.
    pub(super) grandpa_link: FullGrandpaLink,
    /// Ties block import to authorship.
    pub(super) babe_link: BabeLink<Block>,
    /// Answers questions about epochs.
    pub(super) babe_worker: BabeWorkerHandle<Block>,
    /// Sends what happens to those whom the operator chose.
    pub(super) telemetry: Option<Telemetry>,
}

/// The standard components and the above.
pub(crate) type Partial = PartialComponents<
    FullClient,
    FullBackend,
    FullSelectChain,
    sc_consensus::DefaultImportQueue<Block>,
    FullPool,
    Consensus,
>;

/// Opens the database and sets up block import.
pub(crate) fn new_partial(config: &Configuration) -> Result<Partial, Error> {
    let telemetry = config
        .telemetry_endpoints
        .clone()
        .filter(|endpoints| !endpoints.is_empty())
        .map(|endpoints| -> Result<_, sc_telemetry::Error> {
            let worker = TelemetryWorker::new(TELEMETRY_BUFFER)?;
            let telemetry = worker.handle().new_telemetry(endpoints);
            Ok((worker, telemetry))
        })
        .transpose()?;

    let executor = sc_service::new_wasm_executor(&config.executor);
    let (client, backend, keystore_container, task_manager) = sc_service::new_full_parts(
        config,
        telemetry.as_ref().map(|(_, telemetry)| telemetry.handle()),
        executor,
        // Nodes that prune blocks keep those that prove finality, so that others can warp-sync from
        // them.
        vec![Arc::new(GrandpaPruningFilter)],
    )?;
    let client: Arc<FullClient> = Arc::new(client);

    let telemetry = telemetry.map(|(worker, telemetry)| {
        task_manager.spawn_handle().spawn("telemetry", None, worker.run());
        telemetry
    });

    let select_chain = sc_consensus::LongestChain::new(backend.clone());
    let transaction_pool: Arc<FullPool> = Arc::new(
        sc_transaction_pool::Builder::new(
            task_manager.spawn_essential_handle(),
            client.clone(),
            config.role.is_authority().into(),
        )
        .with_options(config.transaction_pool.clone())
        .with_prometheus(config.prometheus_registry())
        .build(),
    );

    let (grandpa_import, grandpa_link) = sc_consensus_grandpa::block_import(
        client.clone(),
        JUSTIFICATION_PERIOD,
        &client,
        select_chain.clone(),
        telemetry.as_ref().map(Telemetry::handle),
    )?;
    let babe_config = sc_consensus_babe::configuration(&*client)?;
    let slot_duration = babe_config.slot_duration();
    let (block_import, babe_link) = sc_consensus_babe::block_import(
        babe_config,
        grandpa_import.clone(),
        client.clone(),
        SlotInherents::new(slot_duration),
        select_chain.clone(),
        OffchainTransactionPoolFactory::new(transaction_pool.clone()),
    )?;
    let (import_queue, babe_worker) = sc_consensus_babe::import_queue(sc_consensus_babe::ImportQueueParams {
        link: babe_link.clone(),
        block_import: block_import.clone(),
        justification_import: Some(Box::new(grandpa_import)),
        client: client.clone(),
        slot_duration,
        spawner: &task_manager.spawn_essential_handle(),
        registry: config.prometheus_registry(),
        telemetry: telemetry.as_ref().map(Telemetry::handle),
    })?;

    Ok(PartialComponents {
        client,
        backend,
        task_manager,
        keystore_container,
        select_chain,
        import_queue,
        transaction_pool,
        other: Consensus {
            block_import,
            grandpa_link,
            babe_link,
            babe_worker,
            telemetry,
        },
    })
}

/// Takes back what BABE and GRANDPA noted about the last `blocks` blocks.
pub(crate) fn revert_consensus(
    client: Arc<FullClient>,
    backend: Arc<FullBackend>,
    blocks: BlockNumber,
) -> sc_cli::Result<()> {
    sc_consensus_babe::revert(client.clone(), backend, blocks)?;
    sc_consensus_grandpa::revert(client, blocks)?;
    Ok(())
}
