//! Does what the command line asks for.

use crate::{
    chain_spec,
    cli::{Cli, Subcommand},
    service,
};
use assay_runtime::opaque::Block;
use sc_cli::SubstrateCli;
use sc_service::PartialComponents;

impl SubstrateCli for Cli {
    fn impl_name() -> String {
        "Assay Node".into()
    }

    fn impl_version() -> String {
        env!("SUBSTRATE_CLI_IMPL_VERSION").into()
    }

    fn description() -> String {
        "Keeps the Assay chain: authors and finalizes blocks, answers JSON-RPC, takes in jobs.".into()
    }

    fn author() -> String {
        "Assay contributors".into()
    }

    fn support_url() -> String {
        "the issue tracker of the place where you got this software".into()
    }

    fn copyright_start_year() -> i32 {
        2026
    }

    fn load_spec(&self, id: &str) -> Result<Box<dyn sc_service::ChainSpec>, String> {
        Ok(Box::new(chain_spec::load(id)?))
    }
}

/// Reads the command line and does what it says.
pub(crate) fn run() -> sc_cli::Result<()> {
    let cli = Cli::from_args();
    match &cli.subcommand {
        None => {
            let blobs = cli.blobs.clone();
            cli.create_runner(&cli.run)?
                .run_node_until_exit(|config| async move { service::new_full(config, &blobs).map_err(Into::into) })
        }
        Some(Subcommand::Key(command)) => command.run(&cli),
        Some(Subcommand::BuildSpec(command)) => {
            let runner = cli.create_runner(command)?;
            runner.sync_run(|config| command.run(config.chain_spec, config.network))
        }
        Some(Subcommand::ChainSpec(command)) => command.run(cli.load_spec(&command.chain)?),
        Some(Subcommand::CheckBlock(command)) => {
            let runner = cli.create_runner(command)?;
            runner.async_run(|config| {
                let PartialComponents {
                    client,
                    task_manager,
                    import_queue,
                    ..
                } = service::new_partial(&config)?;
                Ok((command.run(client, import_queue), task_manager))
            })
        }
        Some(Subcommand::ExportBlocks(command)) => {
            let runner = cli.create_runner(command)?;
            runner.async_run(|config| {
                let PartialComponents {
                    client, task_manager, ..
                } = service::new_partial(&config)?;
                Ok((command.run(client, config.database), task_manager))
            })
        }
        Some(Subcommand::ExportState(command)) => {
            let runner = cli.create_runner(command)?;
            runner.async_run(|config| {
                let PartialComponents {
                    client, task_manager, ..
                } = service::new_partial(&config)?;
                Ok((command.run(client, config.chain_spec), task_manager))
            })
        }
        Some(Subcommand::ImportBlocks(command)) => {
            let runner = cli.create_runner(command)?;
            runner.async_run(|config| {
                let PartialComponents {
                    client,
                    task_manager,
                    import_queue,
                    ..
                } = service::new_partial(&config)?;
                Ok((command.run(client, import_queue), task_manager))
            })
        }
        Some(Subcommand::PurgeChain(command)) => {
            let runner = cli.create_runner(command)?;
            runner.sync_run(|config| command.run(config.database))
        }
        Some(Subcommand::Revert(command)) => {
            let runner = cli.create_runner(command)?;
            runner.async_run(|config| {
                let PartialComponents {
                    client,
                    task_manager,
                    backend,
                    ..
                } = service::new_partial(&config)?;
                Ok((
                    command.run(client, backend, Some(Box::new(service::revert_consensus))),
                    task_manager,
                ))
            })
        }
        Some(Subcommand::ChainInfo(command)) => {
            let runner = cli.create_runner(command)?;
            runner.sync_run(|config| command.run::<Block>(&config))
        }
    }
}
