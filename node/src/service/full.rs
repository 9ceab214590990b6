//! The running node: the parts of [`super::partial`] with network, RPC, authorship and finality.

use super::{
    inherents::SlotInherents,
    partial::{new_partial, Consensus},
    JUSTIFICATION_PERIOD,
};
use crate::{
    blobs::InputBlobs,
    cli::BlobParams,
    rpc::{self, BabeDeps, FullDeps, GrandpaDeps},
};
use assay_runtime::{opaque::Block, Hash};
use futures::{FutureExt, StreamExt};
use sc_client_api::{Backend, BlockBackend};
use sc_consensus_babe::SlotProportion;
use sc_consensus_grandpa::{FinalityProofProvider, SharedVoterState, VotingRulesBuilder};
use sc_network::{config::NetworkBackendType, event::Event, NetworkBackend, NetworkEventStream};
use sc_network_sync::WarpSyncConfig;
use sc_service::{BuildNetworkParams, Configuration, Error, PartialComponents, SpawnTasksParams, TaskManager};
use sc_telemetry::Telemetry;
use sc_transaction_pool_api::OffchainTransactionPoolFactory;
use std::{sync::Arc, time::Duration};

/// Folder of input blobs in the chain's own folder, unless the operator names another.
const BLOB_FOLDER: &str = "blobs";

/// How long a GRANDPA message takes through the network, about. Rounds last two to four of these.
const GOSSIP_DURATION: Duration = Duration::from_millis(333);

/// Part of a slot that may be spent on making a block; the rest is for its way to the others.
const PROPOSAL_PORTION: f32 = 0.5;

/// Starts a node with the network backend that the operator chose.
pub(crate) fn new_full(config: Configuration, blobs: &BlobParams) -> Result<TaskManager, Error> {
    match config.network.network_backend {
        NetworkBackendType::Litep2p => start::<sc_network::Litep2pNetworkBackend>(config, blobs),
        NetworkBackendType::Libp2p => start::<sc_network::NetworkWorker<Block, Hash>>(config, blobs),
    }
}

fn start<N: NetworkBackend<Block, Hash>>(config: Configuration, blobs: &BlobParams) -> Result<TaskManager, Error> {
    let PartialComponents {
        client,
        backend,
        mut task_manager,
        keystore_container,
        select_chain,
        import_queue,
        transaction_pool,
        other:
            Consensus {
                block_import,
                grandpa_link,
                babe_link,
                babe_worker,
                mut telemetry,
            },
    } = new_partial(&config)?;

    let role = config.role;
    let node_name = config.network.node_name.clone();
    let force_authoring = config.force_authoring;
    let enable_grandpa = !config.disable_grandpa;
    let enable_offchain_worker = config.offchain_worker.enabled;
    let prometheus = config.prometheus_registry().cloned();
    let discovery_config = sc_authority_discovery::WorkerConfig {
        publish_non_global_ips: config.network.allow_non_globals_in_dht,
        public_addresses: config.network.public_addresses.clone(),
        persisted_cache_directory: config.network.net_config_path.clone(),
        ..Default::default()
    };

    let dir = blobs.dir.clone().unwrap_or_else(|| config.data_path.join(BLOB_FOLDER));
    let input_blobs = InputBlobs::open(dir, blobs.quota).map_err(|error| Error::Application(error.into()))?;
    if let Some(address) = blobs.listen {
        input_blobs.serve(address, &task_manager.spawn_handle())?;
    }

    let metrics = N::register_notification_metrics(prometheus.as_ref());
    let mut net_config =
        sc_network::config::FullNetworkConfiguration::<_, _, N>::new(&config.network, prometheus.clone());
    let genesis_hash = client
        .block_hash(0)?
        .expect("the database of a client has its genesis block; qed");
    let grandpa_protocol = sc_consensus_grandpa::protocol_standard_name(&genesis_hash, &config.chain_spec);
    let (grandpa_protocol_config, grandpa_notifications) = sc_consensus_grandpa::grandpa_peers_set_config::<_, N>(
        grandpa_protocol.clone(),
        metrics.clone(),
        net_config.peer_store_handle(),
    );
    net_config.add_notification_protocol(grandpa_protocol_config);

    let warp_sync = Arc::new(sc_consensus_grandpa::warp_proof::NetworkProvider::new(
        backend.clone(),
        grandpa_link.shared_authority_set().clone(),
        Vec::new(),
    ));
    let (network, system_rpc_tx, tx_handler_controller, sync_service, _bitswap) =
        sc_service::build_network(BuildNetworkParams {
            config: &config,
            net_config,
            client: client.clone(),
            transaction_pool: transaction_pool.clone(),
            spawn_handle: task_manager.spawn_handle(),
            spawn_essential_handle: task_manager.spawn_essential_handle(),
            import_queue,
            block_announce_validator_builder: None,
            warp_sync_config: Some(WarpSyncConfig::WithProvider(warp_sync)),
            block_relay: None,
            metrics,
            gap_sync_body_policy: None,
        })?;

    if enable_offchain_worker {
        let offchain_workers = sc_offchain::OffchainWorkers::new(sc_offchain::OffchainWorkerOptions {
            runtime_api_provider: client.clone(),
            keystore: Some(keystore_container.keystore()),
            offchain_db: backend.offchain_storage(),
            transaction_pool: Some(OffchainTransactionPoolFactory::new(transaction_pool.clone())),
            network_provider: Arc::new(network.clone()),
            is_validator: role.is_authority(),
            enable_http_requests: false,
            custom_extensions: |_| Vec::new(),
        })?;
        task_manager.spawn_handle().spawn(
            "offchain-workers-runner",
            "offchain-worker",
            offchain_workers
                .run(client.clone(), task_manager.spawn_handle())
                .boxed(),
        );
    }

    let shared_voter_state = SharedVoterState::empty();
    let rpc_builder = {
        let client = client.clone();
        let pool = transaction_pool.clone();
        let select_chain = select_chain.clone();
        let keystore = keystore_container.keystore();
        let chain_spec = config.chain_spec.cloned_box();
        let voter_state = shared_voter_state.clone();
        let authority_set = grandpa_link.shared_authority_set().clone();
        let justifications = grandpa_link.justification_stream();
        let finality_proofs = FinalityProofProvider::new_for_service(backend.clone(), Some(authority_set.clone()));
        Box::new(move |executor| {
            rpc::create(FullDeps {
                client: client.clone(),
                pool: pool.clone(),
                select_chain: select_chain.clone(),
                chain_spec: chain_spec.cloned_box(),
                babe: BabeDeps {
                    worker: babe_worker.clone(),
                    keystore: keystore.clone(),
                },
                grandpa: GrandpaDeps {
                    voter_state: voter_state.clone(),
                    authority_set: authority_set.clone(),
                    justifications: justifications.clone(),
                    finality_proofs: finality_proofs.clone(),
                },
                blobs: input_blobs.clone(),
                executor,
            })
            .map_err(Error::Application)
        })
    };

    sc_service::spawn_tasks(SpawnTasksParams {
        config,
        client: client.clone(),
        backend,
        task_manager: &mut task_manager,
        keystore: keystore_container.keystore(),
        transaction_pool: transaction_pool.clone(),
        rpc_builder,
        network: network.clone(),
        system_rpc_tx,
        tx_handler_controller,
        sync_service: sync_service.clone(),
        telemetry: telemetry.as_mut(),
        tracing_execute_block: None,
    })?;

    if role.is_authority() {
        let proposer = sc_basic_authorship::ProposerFactory::new(
            task_manager.spawn_handle(),
            client.clone(),
            transaction_pool.clone(),
            prometheus.as_ref(),
            telemetry.as_ref().map(Telemetry::handle),
        );
        let slot_duration = babe_link.config().slot_duration();
        let babe = sc_consensus_babe::start_babe(sc_consensus_babe::BabeParams {
            keystore: keystore_container.keystore(),
            client: client.clone(),
            select_chain,
            env: proposer,
            block_import,
            sync_oracle: sync_service.clone(),
            justification_sync_link: sync_service.clone(),
            create_inherent_data_providers: SlotInherents::new(slot_duration),
            force_authoring,
            backoff_authoring_blocks: Some(sc_consensus_slots::BackoffAuthoringOnFinalizedHeadLagging::default()),
            babe_link,
            block_proposal_slot_portion: SlotProportion::new(PROPOSAL_PORTION),
            max_block_proposal_slot_portion: None,
            telemetry: telemetry.as_ref().map(Telemetry::handle),
        })?;
        task_manager
            .spawn_essential_handle()
            .spawn_blocking("babe-proposer", Some("block-authoring"), babe);

        let dht_events = network
            .event_stream("authority-discovery")
            .filter_map(|event| async move {
                match event {
                    Event::Dht(event) => Some(event),
                    _ => None,
                }
            });
        let (discovery, _service) = sc_authority_discovery::new_worker_and_service_with_config(
            discovery_config,
            client.clone(),
            Arc::new(network.clone()),
            Box::pin(dht_events),
            sc_authority_discovery::Role::PublishAndDiscover(keystore_container.keystore()),
            prometheus.clone(),
            task_manager.spawn_handle(),
        );
        task_manager
            .spawn_handle()
            .spawn("authority-discovery-worker", Some("networking"), discovery.run());
    }

    if enable_grandpa {
        // Nodes that do not vote run the voter too, without keys: it follows and gossips votes
        // better than the observer.
        let keystore = role.is_authority().then(|| keystore_container.keystore());
        let voter = sc_consensus_grandpa::run_grandpa_voter(sc_consensus_grandpa::GrandpaParams {
            config: sc_consensus_grandpa::Config {
                gossip_duration: GOSSIP_DURATION,
                justification_generation_period: JUSTIFICATION_PERIOD,
                name: Some(node_name),
                observer_enabled: false,
                keystore,
                local_role: role,
                telemetry: telemetry.as_ref().map(Telemetry::handle),
                protocol_name: grandpa_protocol,
            },
            link: grandpa_link,
            network,
            sync: sync_service,
            notification_service: grandpa_notifications,
            voting_rule: VotingRulesBuilder::default().build(),
            prometheus_registry: prometheus,
            shared_voter_state,
            telemetry: telemetry.as_ref().map(Telemetry::handle),
            offchain_tx_pool_factory: OffchainTransactionPoolFactory::new(transaction_pool),
        })?;
        task_manager
            .spawn_essential_handle()
            .spawn_blocking("grandpa-voter", None, voter);
    }

    Ok(task_manager)
}
