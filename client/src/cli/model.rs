//! `assay model`: publishes models and shows them.

use super::{
    context::{Context, ModelName},
    failure::Failure,
    render,
};
use assay_blobs::{BlobId, FolderStore};
use assay_client::{
    amount, blob_id,
    chain::{calls, BlockAt, Chain, ChainError, Until},
    content_ref, model_profile, Artifact, Balance, Hash,
};
use assay_models::{import, Imported, ImportedFile, Task};
use assay_programs::family::Precision;
use assay_types::{view::ArtifactView, ArtifactId};
use clap::{Args, Subcommand};
use serde::Serialize;
use std::path::{Path, PathBuf};

#[derive(Debug, Subcommand)]
pub(super) enum Model {
    Publish(Publish),
    Show(Show),
}

/// Imports a model and registers it, so that everyone can have it run
///
/// A model that is registered already keeps its id.
///
/// Taken are folders as Hugging Face has them, with config.json, model.safetensors and
/// tokenizer.json. The model becomes a program of exact arithmetic with integers as weights, whose
/// files are put into the folder of blobs, where workers must be able to get them: serve it, or
/// have the worker use the same folder.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  assay model publish models/all-MiniLM-L6-v2 --price 0.001 --key //Alice")]
pub(super) struct Publish {
    /// Folder with the model
    dir: PathBuf,
    /// What to call it [default: the folder's name]
    #[arg(long)]
    name: Option<String>,
    /// What each use of it costs beside the work
    #[arg(long, value_name = "ASY", value_parser = amount::parse, default_value = "0")]
    price: Balance,
    /// What it is, in a sentence
    #[arg(long)]
    description: Option<String>,
    /// Its licence, as an SPDX identifier
    #[arg(long, value_name = "SPDX")]
    licence: Option<String>,
    /// Bits of weights and activations: w8a16, w8a8 (faster, less exact), w8a24, w16a16, w16a24 (as
    /// exact as floats, twice the size)
    #[arg(long, default_value_t = Precision::W8A16)]
    precision: Precision,
    /// Wait until the registration is final
    #[arg(long)]
    finalized: bool,
}

/// Shows what the chain knows of a model
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  assay model show 0")]
pub(super) struct Show {
    /// The model: an artifact id or the hash of its package
    model: ModelName,
}

/// The description of a model, whose hash is on the chain.
#[derive(Serialize)]
struct Metadata<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    licence: Option<&'a str>,
}

/// What `model publish --json` prints.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Published {
    #[serde(flatten)]
    artifact: ArtifactView,
    /// Whether this registered it.
    new: bool,
}

impl Model {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::Publish(command) => command.run(context).await,
            Self::Show(command) => command.run(context).await,
        }
    }
}

impl Publish {
    async fn run(self, context: &Context) -> Result<(), Failure> {
        let progress = context.progress();
        let (key, store) = (context.key()?, context.store()?);
        let name = match &self.name {
            Some(name) => name.clone(),
            None => folder_name(&self.dir)?,
        };
        progress.say(format!("importing {}", self.dir.display()));
        let scratch = tempfile::tempdir_in(store.dir())
            .map_err(|error| Failure::other(format!("cannot write to {}: {error}", store.dir().display())))?;
        let Imported { manifest, files } = import(&self.dir, &name, self.precision, scratch.path())?;
        if manifest.task() != Task::Embed {
            return Err(Failure::other(format!(
                "{}: jobs for models that generate text are not there yet; expected a sentence encoder",
                self.dir.display()
            )));
        }
        let description = Metadata {
            name: &name,
            description: self.description.as_deref(),
            licence: self.licence.as_deref(),
        };
        let description = serde_json::to_vec(&description).expect("a struct of strings has a JSON form; qed");
        progress.say(format!("copying it to {}", store.dir().display()));
        put(&store, &files)?;
        store.put(&description)?;
        let package = store.put(&manifest.to_bytes())?.id;

        let chain = context.chain().await?;
        let block = chain.best().await?;
        if let Some(known) = block.artifact_by_package(package.hash.0.into()).await? {
            return print(context, &block, known, false).await;
        }
        progress.say("registering it");
        let metadata = Hash::from(BlobId::of(&description).hash.0);
        let call = calls::register_model(
            &content_ref(&manifest.content()),
            metadata,
            &model_profile(&manifest.profile()),
            self.price,
        );
        let until = if self.finalized { Until::Finalized } else { Until::Best };
        let (block, new) = match chain.send(&call, &key, until).await {
            Ok(included) => (included.block, true),
            // Someone was faster.
            Err(error) if error.pallet_error() == Some(("Artifacts", "AlreadyRegistered")) => {
                (newest(&chain, until).await?, false)
            }
            Err(error) => return Err(error.into()),
        };
        let id = block.artifact_by_package(package.hash.0.into()).await?;
        let id =
            id.ok_or_else(|| Failure::refused("the registration was undone by a change of forks; publish again"))?;
        drop(progress);
        print(context, &block, id, new).await
    }
}

impl Show {
    async fn run(self, context: &Context) -> Result<(), Failure> {
        let block = context.chain().await?.best().await?;
        let id = self.model.resolve(&block).await?;
        let view = ArtifactView::from(artifact(&block, id).await?);
        context.print(&view, render::artifact)
    }
}

async fn newest(chain: &Chain, until: Until) -> Result<BlockAt, ChainError> {
    match until {
        Until::Best => chain.best().await,
        Until::Finalized => chain.finalized().await,
    }
}

async fn print(context: &Context, block: &BlockAt, id: ArtifactId, new: bool) -> Result<(), Failure> {
    let view = Published {
        artifact: artifact(block, id).await?.into(),
        new,
    };
    context.print(&view, |view| {
        let how = if view.new {
            "registered"
        } else {
            "already registered, nothing changed"
        };
        format!(
            "{how} as artifact {}\n\n{}",
            view.artifact.id,
            render::artifact(&view.artifact)
        )
    })
}

async fn artifact(block: &BlockAt, id: ArtifactId) -> Result<Artifact, Failure> {
    let artifact = block.artifact(id).await?;
    artifact.ok_or_else(|| Failure::refused(format!("no artifact has the id {id}")))
}

/// Stores the files of a package, if they are still what was imported.
fn put(store: &FolderStore, files: &[ImportedFile]) -> Result<(), Failure> {
    for file in files {
        let (expected, got) = (
            blob_id(&content_ref(&file.entry.content())),
            store.put_file(&file.path)?.id,
        );
        if got != expected {
            let path = file.path.display();
            return Err(Failure::other(format!(
                "{path} changed while it was read: expected {expected}, got {got}"
            )));
        }
    }
    Ok(())
}

fn folder_name(dir: &Path) -> Result<String, Failure> {
    let absolute = dir.canonicalize();
    let absolute = absolute.map_err(|error| Failure::other(format!("cannot open {}: {error}", dir.display())))?;
    let name = absolute.file_name().and_then(|name| name.to_str()).map(Into::into);
    name.ok_or_else(|| Failure::other(format!("{} has no usable name; pass --name", dir.display())))
}
