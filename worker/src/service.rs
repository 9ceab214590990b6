//! `assay-worker run`: follows the chain and keeps jobs, models and the worker's record going.
//!
//! One loop takes blocks, signals and news of running tasks, and never waits for work: that runs
//! in tasks of its own and reports back. All decisions are made by [`Tracker`] and [`Standing`].

use crate::{
    config::Config,
    executor::{Executor, SLOT},
    http,
    journal::{Journal, Key},
    machine::{Step, Work},
    metrics::Metrics,
    standing::Standing,
    tracker::{Effect, End, Tracker},
};
use anyhow::{bail, Context};
use assay_blobs::{FolderStore, Resolver};
use assay_client::{
    amount,
    chain::{calls, BlockAt, Call, Chain, ChainError, Until},
    keys::Keypair,
    AccountId, Artifact, Job, Worker,
};
use assay_types::{ArtifactId, Phase};
use futures::{stream::FusedStream, StreamExt};
use std::{collections::HashMap, future::Future, sync::Arc, time::Duration};
use tokio::{
    sync::{mpsc, watch},
    time::{sleep, Instant},
};

/// Pause before connecting again; doubles up to [`MAX_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// The longest pause before connecting again.
const MAX_PAUSE: Duration = Duration::from_secs(30);

/// Pause before models that could not be loaded are tried again.
const MODEL_PAUSE: Duration = Duration::from_secs(30);

/// Blocks before a deadline at which a blob that has not come is given up, so that the report
/// still gets through.
const BLOCKS_TO_REPORT: u32 = 3;

/// What tasks report to the loop.
enum News {
    /// How far the work on an attempt is.
    Work(Key, Work),
    /// The fate of a transaction for an attempt is known.
    Sent(Key, Step),
    /// These models are loaded.
    Loaded(Vec<ArtifactId>),
}

/// What the loop and its tasks share.
struct Shared {
    chain: Chain,
    key: Keypair,
    hot: AccountId,
    metrics: Arc<Metrics>,
    executor: Executor,
    news: mpsc::UnboundedSender<News>,
}

/// Runs the worker until `stop` resolves and the jobs in progress are done.
pub(crate) async fn run(config: &Config, stop: impl Future<Output = ()>) -> anyhow::Result<()> {
    tokio::pin!(stop);
    let key = Keypair::load(config.key()?)?;
    let metrics = Arc::new(Metrics::new()?);
    let store = FolderStore::open(&config.blob_dir)?;
    let sources = config.blob_sources.iter().map(|address| assay_blobs::source(address));
    let resolver = Resolver::new(store.clone(), sources.collect::<Result<_, _>>()?);
    let serving = serve(config, &metrics, store).await?;

    let chain = tokio::select! {
        chain = connect(&config.node) => chain?,
        () = &mut stop => return Ok(()),
    };
    let worker = registered(&chain, &key).await?;
    let journal = Arc::new(Journal::open(
        &config.state_dir,
        chain.genesis_hash(),
        worker.account.clone(),
    )?);
    let entries = journal.load()?;
    tracing::info!(
        target: "worker", node = config.node, genesis = ?chain.genesis_hash(), worker = %worker.account, hot_key = %key.account(),
        journal = entries.len(), "started"
    );

    let (news, inbox) = mpsc::unbounded_channel();
    let shared = Arc::new(Shared {
        hot: key.account(),
        key,
        executor: Executor::new(resolver, journal.clone(), metrics.clone(), config.max_jobs).on_gpu(config.gpu),
        chain,
        metrics,
        news,
    });
    tokio::spawn(load_models(shared.clone(), config.models.clone()));
    let service = Service {
        tracker: Tracker::new(worker.account, entries),
        standing: Standing::default(),
        journal,
        shared,
        latest: None,
        draining: false,
    };
    let end = service.follow(inbox, stop).await;
    drop(serving);
    end
}

/// Serves what the configuration says until what is returned is dropped.
async fn serve(config: &Config, metrics: &Arc<Metrics>, store: FolderStore) -> anyhow::Result<watch::Sender<()>> {
    let (running, stopped) = watch::channel(());
    let stop = |mut stopped: watch::Receiver<()>| async move {
        // Fails once the sender is gone, which is the signal.
        while stopped.changed().await.is_ok() {}
    };
    if let Some(address) = config.metrics {
        tokio::spawn(http::metrics(address, metrics.clone(), stop(stopped.clone())).await?);
    }
    if let Some(address) = config.blob_listen {
        tokio::spawn(http::blobs(address, store, stop(stopped)).await?);
    }
    Ok(running)
}

/// Connects to the node, waiting for it to come up.
async fn connect(url: &str) -> Result<Chain, ChainError> {
    let mut pause = FIRST_PAUSE;
    loop {
        match Chain::connect(url).await {
            Err(error) if error.is_connection() => {
                tracing::warn!(target: "worker", %error, seconds = pause.as_secs(), "trying again");
                sleep(pause).await;
                pause = (pause * 2).min(MAX_PAUSE);
            }
            result => return result,
        }
    }
}

/// The worker for which `key` signs.
async fn registered(chain: &Chain, key: &Keypair) -> anyhow::Result<Worker> {
    let hot = key.account();
    let worker = chain.best().await?.worker(&hot).await?;
    let worker = worker.with_context(|| {
        format!("expected a hot key of a registered worker, got {hot}, which is none; register it with `assay-worker register`")
    })?;
    if worker.hot_key != hot {
        bail!(
            "expected the hot key {}, got {hot}, which is the cold account of that worker",
            worker.hot_key
        );
    }
    Ok(worker)
}

/// Loads models, reports those that are loaded, and keeps trying the others.
async fn load_models(shared: Arc<Shared>, mut missing: Vec<ArtifactId>) {
    let mut loaded = Vec::new();
    loop {
        let mut failed = Vec::new();
        for id in missing {
            match load_model(&shared, id).await {
                Ok(()) => loaded.push(id),
                Err(error) => {
                    tracing::error!(target: "worker::models", artifact = id, error = format!("{error:#}"), "model not ready");
                    failed.push(id);
                }
            }
        }
        if shared.news.send(News::Loaded(loaded.clone())).is_err() || failed.is_empty() {
            return;
        }
        missing = failed;
        sleep(MODEL_PAUSE).await;
    }
}

async fn load_model(shared: &Shared, id: ArtifactId) -> anyhow::Result<()> {
    let artifact = shared.chain.best().await?.artifact(id).await?;
    let artifact = artifact.with_context(|| format!("`models`: expected ids of artifacts on chain, got {id}"))?;
    shared.executor.models().get(&artifact).await?;
    Ok(())
}

/// The loop's state.
struct Service {
    shared: Arc<Shared>,
    tracker: Tracker,
    standing: Standing,
    journal: Arc<Journal>,
    /// Latest best block, and this worker's jobs and record there.
    latest: Option<(BlockAt, Vec<Job>, Worker)>,
    draining: bool,
}

impl Service {
    async fn follow(
        mut self,
        mut inbox: mpsc::UnboundedReceiver<News>,
        mut stop: std::pin::Pin<&mut impl Future<Output = ()>>,
    ) -> anyhow::Result<()> {
        let mut best = self.shared.chain.best_blocks().fuse();
        let mut finalized = self.shared.chain.finalized_blocks().fuse();
        while !self.is_drained() {
            tokio::select! {
                block = best.next(), if !best.is_terminated() => {
                    match block.transpose()? {
                        Some(block) => self.on_best(block).await,
                        None => bail!("the node's stream of blocks has ended"),
                    }
                }
                block = finalized.next(), if !finalized.is_terminated() => {
                    match block.transpose()? {
                        Some(block) => self.on_finalized(block).await,
                        None => bail!("the node's stream of finalized blocks has ended"),
                    }
                }
                Some(news) = inbox.recv() => self.on_news(news).await,
                () = &mut stop, if !self.draining => self.drain().await,
            }
        }
        tracing::info!(target: "worker", "stopped: no jobs in progress");
        Ok(())
    }

    /// Looks at the jobs and the worker's record at a new best block.
    async fn on_best(&mut self, block: BlockAt) {
        let state = async {
            let jobs = block.assignments(&self.shared.hot).await?;
            Ok::<_, ChainError>((jobs, block.worker(&self.shared.hot).await?))
        };
        match state.await {
            Ok((jobs, Some(worker))) => {
                self.shared.metrics.best(block.number);
                self.latest = Some((block, jobs, worker));
                self.look().await;
            }
            Ok((_, None)) => tracing::error!(
                target: "worker", hot_key = %self.shared.hot,
                "the chain has no worker with this hot key any more; register it again or stop this process"
            ),
            Err(error) => {
                tracing::warn!(target: "worker", block = block.number, %error, "cannot look at this block");
            }
        }
    }

    /// Does what is due at the latest best block. Harmless to repeat.
    async fn look(&mut self) {
        let Some((block, jobs, worker)) = &self.latest else {
            return;
        };
        let change = self.standing.on_best(block.number, worker);
        let effects = self.tracker.on_best(block.number, jobs);
        self.shared.metrics.in_progress(self.tracker.in_progress(jobs));
        if let Some(change) = change {
            tracing::info!(target: "worker", ?change, "changing the worker's record");
            let shared = self.shared.clone();
            tokio::spawn(async move { send(&shared, &change.call()).await });
        }
        for effect in effects {
            match effect {
                Effect::Start(job) => tokio::spawn(start(self.shared.clone(), block.clone(), job)),
                Effect::Send(key, step) => tokio::spawn(send_step(self.shared.clone(), key, step)),
            };
        }
    }

    /// Lets go of what has ended for good.
    async fn on_finalized(&mut self, block: BlockAt) {
        self.shared.metrics.finalized(block.number);
        let mut jobs = HashMap::new();
        for id in self.tracker.jobs() {
            match block.job(id).await {
                Ok(job) => jobs.extend(job.map(|job| (id, job))),
                // Nothing is lost: a later block tells the same.
                Err(error) => {
                    return tracing::warn!(target: "worker", block = block.number, %error, "cannot look at this finalized block");
                }
            }
        }
        for (key, end) in self.tracker.on_finalized(block.number, &jobs) {
            self.shared.metrics.job_ended(&end);
            report_end(key, end);
            if let Err(error) = self.journal.remove(key) {
                tracing::warn!(target: "worker::journal", job = key.job, attempt = key.attempt, %error, "cannot remove the entry");
            }
        }
    }

    async fn on_news(&mut self, news: News) {
        match news {
            News::Work(key, work) => self.tracker.on_work(key, work),
            News::Sent(key, step) => self.tracker.on_sent(key, step),
            News::Loaded(models) => self.standing.on_loaded(models),
        }
        self.look().await;
    }

    async fn drain(&mut self) {
        tracing::info!(target: "worker", "shutting down: no new jobs, those in progress are finished");
        self.draining = true;
        self.tracker.drain();
        self.standing.drain();
        self.look().await;
    }

    /// Whether the worker is to stop and nothing keeps it.
    fn is_drained(&self) -> bool {
        self.draining
            && !self.tracker.is_sending()
            && self
                .latest
                .as_ref()
                .is_none_or(|(_, jobs, worker)| self.standing.may_stop(worker) && self.tracker.in_progress(jobs) == 0)
    }
}

/// Works on a job and reports how it goes.
async fn start(shared: Arc<Shared>, block: BlockAt, job: Box<Job>) {
    let key = Key::of(&job);
    tracing::info!(
        target: "worker::jobs", job = key.job, attempt = key.attempt, phase = job.phase.name(), artifact = job.spec.artifact,
        sequences = job.spec.sequences, max_tokens = job.spec.max_tokens, "begun"
    );
    let news = shared.news.clone();
    let progress = move |work| {
        // The loop is gone only when the process ends.
        let _ = news.send(News::Work(key, work));
    };
    match artifact_of(&block, &job).await {
        Ok(artifact) => {
            shared
                .executor
                .run(&job, &artifact, give_up_at(&block, &job), progress)
                .await
        }
        Err(error) => {
            tracing::warn!(target: "worker::jobs", job = key.job, attempt = key.attempt, error = format!("{error:#}"), "not begun");
            // At the next block it is begun anew.
            progress(Work::NotBegun);
        }
    }
}

async fn artifact_of(block: &BlockAt, job: &Job) -> anyhow::Result<Artifact> {
    let id = job.spec.artifact;
    block
        .artifact(id)
        .await?
        .with_context(|| format!("the chain does not know artifact {id}"))
}

/// When a blob of the job that has not come is given up.
fn give_up_at(block: &BlockAt, job: &Job) -> Instant {
    let until = match job.phase {
        Phase::Assigned { until, .. } | Phase::Running { until, .. } => until,
        _ => block.number,
    };
    let blocks = until
        .saturating_sub(block.number)
        .saturating_sub(BLOCKS_TO_REPORT)
        .max(1);
    Instant::now() + SLOT * blocks
}

/// Sends a step's transaction, follows it into a block and reports that its fate is known.
async fn send_step(shared: Arc<Shared>, key: Key, step: Step) {
    let call = match step {
        Step::Acknowledge => calls::acknowledge(key.job),
        Step::Report(blob) => calls::report_unavailable(key.job, key.attempt, blob),
        Step::Commit(commitment) => calls::commit(key.job, key.attempt, commitment),
        Step::Reveal(outcome, salt) => calls::reveal(key.job, key.attempt, &outcome, &salt.0),
        Step::Start => return,
    };
    if send(&shared, &call).await {
        tracing::info!(target: "worker::jobs", job = key.job, attempt = key.attempt, step = step.name(), "in a block");
    }
    let _ = shared.news.send(News::Sent(key, step));
}

/// Sends a transaction and follows it into a block. Whether it had an effect is seen there.
async fn send(shared: &Shared, call: &Call) -> bool {
    let result = shared.chain.send(call, &shared.key, Until::Best).await;
    let label = match &result {
        Ok(_) => "included",
        Err(ChainError::Dispatch { .. }) => "failed",
        Err(_) => "not_included",
    };
    shared.metrics.sent(&call.name(), label);
    if let Err(error) = &result {
        tracing::warn!(target: "worker", call = call.name(), %error, "transaction without effect");
    }
    result.is_ok()
}

fn report_end(key: Key, end: End) {
    let Key { job, attempt, .. } = key;
    match end {
        End::Settled { paid } => {
            tracing::info!(target: "worker::jobs", job, attempt, paid = amount::format(paid), "settled");
        }
        End::Dropped | End::Forgotten => tracing::info!(target: "worker::jobs", job, attempt, ?end, "over"),
        End::Failed(_) | End::GivenUp(_) => {
            tracing::warn!(target: "worker::jobs", job, attempt, ?end, "over without pay")
        }
    }
}
