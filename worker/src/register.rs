//! `assay-worker register`: the cold key makes the worker known, or brings its record up to date.

use crate::config::{Config, ConfigError};
use anyhow::Context;
use assay_client::{
    amount,
    chain::{calls, Call, Chain, Until},
    keys::Keypair,
    AccountId, Balance, Worker,
};
use clap::Args;
use subxt::dynamic::Value;

/// What to register.
#[derive(Args)]
pub(crate) struct Options {
    /// The cold key, which holds the bond and is paid: a key file, or a development key such as
    /// //Bob. Needed here only; keep it off the machine that runs the worker
    #[arg(long, value_name = "FILE|//NAME")]
    cold_key: String,

    /// What to put at stake, in ASY; a lower bond is raised to this
    #[arg(long, value_name = "ASY", value_parser = amount::parse)]
    bond: Option<Balance>,

    /// Price of a billion multiply-adds, in ASY
    #[arg(long, value_name = "ASY", value_parser = amount::parse)]
    ask: Option<Balance>,

    /// Fill the hot key's account up to this, in ASY, for its transaction fees
    #[arg(long, value_name = "ASY", value_parser = amount::parse)]
    fund: Option<Balance>,

    /// Print the worker as JSON
    #[arg(long)]
    json: bool,
}

/// Registers the worker.
pub(crate) async fn run(config: &Config, options: &Options) -> anyhow::Result<()> {
    let hot = Keypair::load(config.key()?)?.account();
    let cold = Keypair::load(&options.cold_key).context("--cold-key")?;
    let chain = Chain::connect(&config.node).await?;

    let worker = chain.best().await?.worker(&cold.account()).await?;
    let calls = match &worker {
        Some(worker) => changes(worker, &hot, config.endpoint.as_deref(), options),
        None => vec![registration(&hot, config, options)?],
    };
    // All go into the pool first, so that they are final together.
    let mut submitted = Vec::new();
    for call in calls.iter().chain(&top_up(&chain, &hot, options).await?) {
        submitted.push((call.name(), chain.submit(call, &cold).await?));
    }
    for (call, transaction) in submitted {
        let included = transaction.wait(Until::Finalized).await?;
        tracing::info!(target: "worker", call, block = included.block.number, "final");
    }

    let worker = chain.finalized().await?.worker(&hot).await?;
    let worker = worker
        .context("expected the worker in the finalized chain, got none; look at it with `assay-worker status`")?;
    if options.json {
        println!("{}", serde_json::to_string_pretty(&worker)?);
    } else {
        let (bond, ask) = (amount::format(worker.bond), amount::format(worker.ask));
        println!(
            "worker {} is registered: hot key {hot}, bond {bond}, ask {ask}",
            worker.account
        );
    }
    Ok(())
}

/// The call that registers a new worker.
fn registration(hot: &AccountId, config: &Config, options: &Options) -> anyhow::Result<Call> {
    let endpoint = config.endpoint.as_deref();
    let endpoint = endpoint.ok_or(ConfigError::Missing {
        key: "endpoint",
        expected: "the URL under which output is served",
    })?;
    let bond = options.bond.context("expected --bond for a new worker, got none")?;
    let ask = options.ask.context("expected --ask for a new worker, got none")?;
    Ok(calls::register_worker(hot, endpoint, bond, ask))
}

/// The calls that bring the record of a registered worker to what is asked.
fn changes(worker: &Worker, hot: &AccountId, endpoint: Option<&str>, options: &Options) -> Vec<Call> {
    let mut changes = Vec::new();
    if worker.hot_key != *hot {
        changes.push(calls::set_hot_key(hot));
    }
    if let Some(endpoint) = endpoint.filter(|endpoint| endpoint.as_bytes() != worker.endpoint) {
        changes.push(calls::set_endpoint(endpoint));
    }
    if let Some(ask) = options.ask.filter(|ask| *ask != worker.ask) {
        changes.push(calls::set_ask(ask));
    }
    if let Some(bond) = options.bond.filter(|bond| *bond > worker.bond) {
        changes.push(calls::bond_extra(bond - worker.bond));
    }
    changes
}

/// The transfer that the hot key lacks.
async fn top_up(chain: &Chain, hot: &AccountId, options: &Options) -> anyhow::Result<Option<Call>> {
    let Some(wanted) = options.fund else { return Ok(None) };
    let has = chain.best().await?.funds(hot).await?.free;
    Ok((has < wanted).then(|| {
        let to = Value::unnamed_variant("Id", [Value::from_bytes(hot)]);
        Call::new(
            "Balances",
            "transfer_keep_alive",
            [("dest", to), ("value", Value::u128(wanted - has))],
        )
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{worker, ME, OTHER};

    fn names(hot: &AccountId, endpoint: Option<&str>, bond: Option<Balance>, ask: Option<Balance>) -> Vec<String> {
        let options = Options {
            cold_key: String::new(),
            bond,
            ask,
            fund: None,
            json: false,
        };
        changes(&worker(false, &[]), hot, endpoint, &options)
            .iter()
            .map(Call::name)
            .collect()
    }

    #[test]
    fn registered_worker_should_be_changed_only_where_it_differs() {
        assert_eq!(names(&OTHER, None, None, None), [""; 0]);
        assert_eq!(names(&OTHER, Some("http://here"), Some(1), Some(1)), [""; 0]);
        assert_eq!(
            names(&ME, Some("http://there"), Some(2), Some(2)),
            [
                "Workers.set_hot_key",
                "Workers.set_endpoint",
                "Workers.set_ask",
                "Workers.bond_extra"
            ]
        );
    }

    #[test]
    fn bond_should_not_be_lowered() {
        assert_eq!(names(&OTHER, None, Some(0), None), [""; 0]);
    }
}
