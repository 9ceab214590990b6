//! `assay-worker`: pulls jobs from the chain, runs them, commits and reveals.
//!
//! What it does about a job is decided by [`machine`], a pure function of what the chain says and
//! how far the work is; what must survive the process is in the [`journal`]. The rest fetches,
//! computes and talks to the node.

mod compute;
mod config;
mod doctor;
mod executor;
mod http;
mod journal;
mod machine;
mod metrics;
mod models;
mod register;
mod service;
mod standing;
mod status;
#[cfg(test)]
mod testing;
mod tracker;

use clap::{Parser, Subcommand};
use config::{Config, Flags};
use std::process::ExitCode;
use tokio::signal::unix::{signal, SignalKind};

/// Threads that talk to node and clients; models run on others.
const IO_THREADS: usize = 2;

/// Threads for short waits on the disk, beside those that run models.
const DISK_THREADS: usize = 16;

/// Computes jobs of an Assay chain for pay.
#[derive(Parser)]
#[command(
    version,
    after_help = "Example: assay-worker run --key hot.key --models 0 --blob-sources http://127.0.0.1:9980"
)]
struct Cli {
    #[command(flatten)]
    flags: Flags,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Do jobs until told to stop. SIGTERM or Ctrl-C finishes those in progress; a second one stops
    /// at once, which loses nothing either
    Run,
    /// Register a worker with its cold key, or bring its registration up to date
    Register(register::Options),
    /// Show the worker, its money and its jobs as the chain has them
    Status(status::Options),
    /// Find out what keeps this worker from earning, and how to mend it
    Doctor(doctor::Options),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = Config::load(&cli.flags)
        .map_err(anyhow::Error::from)
        .and_then(|config| {
            start_logging(&config);
            // Read by the thread pool of the models when it comes into being; there are no threads yet.
            std::env::set_var("RAYON_NUM_THREADS", config.threads.to_string());
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(IO_THREADS)
                .max_blocking_threads(config.max_jobs + DISK_THREADS)
                .enable_all()
                .build()?;
            let code = runtime.block_on(execute(cli.command, &config));
            // A run that is still computing would hold up the process; nothing of it is needed.
            runtime.shutdown_background();
            code
        });
    result.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}

async fn execute(command: Command, config: &Config) -> anyhow::Result<ExitCode> {
    match command {
        Command::Run => {
            let stop = stop_signal()?;
            service::run(config, stop).await?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Register(options) => register::run(config, &options).await.map(|()| ExitCode::SUCCESS),
        Command::Status(options) => status::run(config, &options).await.map(|()| ExitCode::SUCCESS),
        Command::Doctor(options) => doctor::run(config, &options).await,
    }
}

/// Resolves at the first SIGTERM or SIGINT. The second ends the process.
fn stop_signal() -> std::io::Result<impl std::future::Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let (first, stop) = tokio::sync::oneshot::channel();
    tokio::spawn(async move {
        let mut next = async || tokio::select! { _ = terminate.recv() => (), _ = interrupt.recv() => () };
        next().await;
        // Nobody waits when the service has ended already.
        let _ = first.send(());
        next().await;
        tracing::warn!(target: "worker", "stopped at once: jobs in progress go on at the next start");
        std::process::exit(1);
    });
    Ok(async move {
        let _ = stop.await;
    })
}

fn start_logging(config: &Config) {
    let builder = tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::new(&config.log))
        .with_writer(std::io::stderr);
    if config.log_json {
        builder.json().init();
    } else {
        builder
            .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
            .init();
    }
}
