//! The models this worker runs: fetched, checked, loaded and measured.

use crate::metrics::Metrics;
use assay_blobs::{FetchError, Resolver};
use assay_client::{blob_id, content_ref, model_profile, Artifact};
use assay_engine::{executor::LoadError, EmbedError, Embedder, ModelError as EngineError, Settings};
use assay_models::{package, Manifest, ManifestError, Package, PackageError, Task};
use assay_types::{units_for, ArtifactId, ModelProfile};
use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{
        atomic::{AtomicU64, Ordering::Relaxed},
        Arc,
    },
    time::{Duration, Instant},
};
use tokio::sync::Mutex;

/// Tokens of the run by which a freshly loaded model is measured.
const MEASURED_TOKENS: u32 = 128;

/// Weight of the latest run in the average speed: 1 ÷ this.
const SMOOTHING: u64 = 4;

/// Why a model cannot be run here.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ModelError {
    /// A blob of its package cannot be had.
    #[error("package: {0}")]
    Fetch(#[from] FetchError),
    /// The package's blob is no manifest, or of a kind this worker does not know.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// The package's files are not what the manifest says.
    #[error(transparent)]
    Package(#[from] PackageError),
    /// The chain has another profile than the package.
    #[error("artifact {artifact}: expected the profile {expected:?} of its package, got {got:?} on chain")]
    Profile {
        /// The model.
        artifact: ArtifactId,
        /// What the package says.
        expected: ModelProfile,
        /// What the chain says.
        got: ModelProfile,
    },
    /// It is for another task than jobs have.
    #[error("artifact {artifact}: expected a model that embeds, got one for {got:?}")]
    Purpose {
        /// The model.
        artifact: ArtifactId,
        /// What it is for.
        got: Task,
    },
    /// The weights cannot be loaded.
    #[error(transparent)]
    Load(#[from] EngineError),
    /// The GPU cannot be used.
    #[cfg(feature = "cuda")]
    #[error(transparent)]
    Device(#[from] assay_engine::cuda::device::DeviceError),
    /// The weights cannot be loaded onto the GPU.
    #[cfg(feature = "cuda")]
    #[error(transparent)]
    LoadDevice(#[from] assay_engine::DeviceModelError),
    /// The model cannot be run.
    #[error(transparent)]
    Run(#[from] EmbedError),
    /// Loading it did not end well.
    #[error("loading was cut short: {0}")]
    Task(#[from] tokio::task::JoinError),
}

impl ModelError {
    /// Whether everyone who has the package finds the same, as opposed to a fault of this machine.
    pub(crate) fn is_models_fault(&self) -> bool {
        match self {
            Self::Manifest(_) | Self::Profile { .. } | Self::Purpose { .. } | Self::Run(_) => true,
            Self::Package(error) => !matches!(error, PackageError::Read { .. } | PackageError::Mismatch { .. }),
            Self::Load(LoadError::Read { .. }) => false,
            Self::Load(_) => true,
            #[cfg(feature = "cuda")]
            Self::LoadDevice(error) => !matches!(
                error,
                assay_engine::cuda::LoadError::Read { .. } | assay_engine::cuda::LoadError::Device(_)
            ),
            #[cfg(feature = "cuda")]
            Self::Device(_) => false,
            Self::Fetch(_) | Self::Task(_) => false,
        }
    }
}

/// A model in memory.
pub(crate) struct Loaded {
    pub(crate) model: Embedder,
    pub(crate) profile: ModelProfile,
    pub(crate) name: String,
    /// Average speed, in work units a second.
    speed: AtomicU64,
}

impl Loaded {
    /// Work units of `tokens`, at most what fits.
    pub(crate) fn units(&self, tokens: u32) -> u64 {
        units_for(tokens, self.profile.units_per_token).unwrap_or(u64::MAX)
    }

    /// Average speed, in work units a second; never zero.
    pub(crate) fn speed(&self) -> u64 {
        self.speed.load(Relaxed).max(1)
    }

    /// Takes a run into the average.
    pub(crate) fn note_run(&self, units: u64, took: Duration) {
        let speed = speed(units, took);
        let average = |old: u64| Some(old - old / SMOOTHING + speed / SMOOTHING);
        // The closure never declines.
        let _ = self.speed.fetch_update(Relaxed, Relaxed, average);
    }
}

/// The models in memory, and how to get more.
pub(crate) struct Models {
    resolver: Resolver,
    metrics: Arc<Metrics>,
    /// The GPU that they are loaded onto, if it is one.
    gpu: Option<usize>,
    loaded: Mutex<HashMap<ArtifactId, Arc<Loaded>>>,
}

impl Models {
    /// None yet.
    pub(crate) fn new(resolver: Resolver, metrics: Arc<Metrics>) -> Self {
        Self {
            resolver,
            metrics,
            gpu: None,
            loaded: Mutex::default(),
        }
    }

    /// The same on a GPU, if one is named.
    pub(crate) fn on_gpu(self, gpu: Option<usize>) -> Self {
        Self { gpu, ..self }
    }

    /// The model, fetched and loaded unless it has been. One is loaded at a time.
    pub(crate) async fn get(&self, artifact: &Artifact) -> Result<Arc<Loaded>, ModelError> {
        let mut loaded = self.loaded.lock().await;
        if let Some(model) = loaded.get(&artifact.id) {
            return Ok(model.clone());
        }
        let model = Arc::new(self.load(artifact).await?);
        loaded.insert(artifact.id, model.clone());
        Ok(model)
    }

    async fn load(&self, artifact: &Artifact) -> Result<Loaded, ModelError> {
        let Artifact {
            id,
            package: blob,
            profile: got,
            ..
        } = artifact;
        if blob.size > package::MAX_MANIFEST as u64 {
            return Err(ManifestError::TooLarge { got: blob.size }.into());
        }
        let manifest = Manifest::from_bytes(&self.resolver.fetch_bytes(&blob_id(blob)).await?)?;
        if manifest.task() != Task::Embed {
            return Err(ModelError::Purpose {
                artifact: *id,
                got: manifest.task(),
            });
        }
        let expected = model_profile(&manifest.profile());
        if expected != *got {
            return Err(ModelError::Profile {
                artifact: *id,
                expected,
                got: *got,
            });
        }
        let mut paths = HashMap::<String, PathBuf>::new();
        // The tokenizer is for clients
        for file in manifest.files().iter().filter(|file| file.name != package::TOKENIZER) {
            let blob = content_ref(&file.content());
            tracing::debug!(target: "worker::models", artifact = id, file = file.name, size = blob.size, "fetching");
            paths.insert(file.name.clone(), self.resolver.fetch(&blob_id(&blob)).await?);
            self.metrics.package_bytes(blob.size);
        }
        let name = manifest.name().to_owned();
        let gpu = self.gpu;
        let (model, speed) = tokio::task::spawn_blocking(move || {
            let profile = model_profile(&manifest.profile());
            let package = Package::load(manifest, |file| paths.get(&file.name).cloned().unwrap_or_default())?;
            let model = load(&package, gpu)?;
            let speed = measure(&model, profile)?;
            Ok::<_, ModelError>((model, speed))
        })
        .await??;
        tracing::info!(
            target: "worker::models", artifact = id, name, dimensions = got.dimensions, max_sequence = got.max_sequence,
            units_per_second = speed, "model loaded"
        );
        Ok(Loaded {
            model,
            profile: *got,
            name,
            speed: speed.into(),
        })
    }
}

/// Loads a model onto a GPU, if one is named.
fn load(package: &Package, gpu: Option<usize>) -> Result<Embedder, ModelError> {
    match gpu {
        #[cfg(feature = "cuda")]
        Some(number) => {
            let device = assay_engine::cuda::nvidia::Nvidia::open(number)?;
            Ok(Embedder::load_on(package, device)?)
        }
        // Without the feature, the configuration names none
        _ => Ok(Embedder::load(package, Settings::default())?),
    }
}

/// Speed of one run, in work units a second.
fn measure(model: &Embedder, profile: ModelProfile) -> Result<u64, EmbedError> {
    let tokens = MEASURED_TOKENS.min(profile.max_sequence);
    let sequence = vec![vec![0; tokens as usize]];
    // The first run also brings memory and threads into place.
    model.embed(&sequence)?;
    let start = Instant::now();
    model.embed(&sequence)?;
    Ok(speed(
        units_for(tokens, profile.units_per_token).unwrap_or(u64::MAX),
        start.elapsed(),
    ))
}

fn speed(units: u64, took: Duration) -> u64 {
    let nanoseconds = took.as_nanos().max(1);
    u64::try_from(u128::from(units) * 1_000_000_000 / nanoseconds).unwrap_or(u64::MAX)
}
