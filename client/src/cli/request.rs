//! From texts to a job that has ended: shared by all commands that run a model.

use super::{
    context::{Context, ModelName},
    failure::Failure,
    render,
};
use assay_client::{
    amount,
    chain::{BlockAt, Chain},
    inference::{self, Embeddings, InferenceError, Model, Request},
    Balance, Job,
};
use assay_types::{
    view::{EstimateView, PhaseView},
    Phase, Status,
};

/// A job that settled, and what it gave.
pub(super) struct Finished {
    /// The model that ran.
    pub(super) model: Model,
    /// The job, settled.
    pub(super) job: Job,
    /// The block of the best chain in which it was seen settled.
    pub(super) block: BlockAt,
    /// What the worker delivered, checked against the chain.
    pub(super) embeddings: Embeddings,
}

/// A request for a model that could be submitted.
pub(super) struct Prepared {
    pub(super) chain: Chain,
    pub(super) block: BlockAt,
    pub(super) model: Model,
    pub(super) request: Request,
    pub(super) estimate: EstimateView,
}

/// Loads the model, tokenizes the texts and asks the chain what the job would cost.
pub(super) async fn prepare(
    context: &Context,
    model: &ModelName,
    texts: &[String],
    max_fee: Option<Balance>,
) -> Result<Prepared, Failure> {
    let progress = context.progress();
    progress.say("asking the chain for the model");
    let resolver = context.resolver()?;
    let chain = context.chain().await?;
    let block = chain.best().await?;
    let id = model.resolve(&block).await?;
    let model = Model::load(&block, &resolver, id).await?;
    let request = model.request(texts)?;
    let estimate = block.estimate(&request.spec, max_fee).await??.into();
    Ok(Prepared {
        chain,
        block,
        model,
        request,
        estimate,
    })
}

/// Has the model run on the texts: submits the job, follows it to its end, and gets and checks its
/// output.
pub(super) async fn run(
    context: &Context,
    model: &ModelName,
    texts: &[String],
    max_fee: Option<Balance>,
) -> Result<Finished, Failure> {
    let key = context.key()?;
    let Prepared {
        chain,
        block,
        model,
        request,
        estimate,
    } = prepare(context, model, texts, max_fee).await?;
    let Some(highest) = estimate.highest_fee.filter(|_| !estimate.eligible.is_empty()) else {
        let why = match estimate.ineligible.is_empty() {
            true => "no worker has the model ready; start one that serves it\n".into(),
            false => render::ineligible(&estimate),
        };
        return Err(Failure::job(format!(
            "no worker can run this job now:\n{}",
            why.trim_end()
        )));
    };
    let max_fee = max_fee.unwrap_or(highest.into());
    check_funds(&block, &key.account(), max_fee.saturating_add(estimate.deposit.into())).await?;

    let progress = context.progress();
    progress.say(format!("submitting {} tokens", request.spec.max_tokens));
    let id = chain
        .submit_job(&request.spec, max_fee, Some(&request.input), &key)
        .await?;
    let say = |job: &Job, block: &BlockAt| {
        let phase = PhaseView::at(job.phase.clone(), block.number);
        progress.say(format!("job {id} {}", render::phase(&phase)));
    };
    let mut seen = None;
    let job = inference::follow(&chain, id, |job, block| {
        say(job, block);
        seen = Some(block.clone());
        inference::outcome(job).is_some_and(|outcome| outcome.status == Status::Completed)
    })
    .await?;
    let (outcome, revealed) = match (inference::outcome(&job), seen) {
        (Some(outcome), Some(block)) if outcome.status == Status::Completed => (*outcome, block),
        _ => return Err(ended_badly(&job)),
    };
    // Now, while the worker surely has it; settlement takes as long as the challenge window.
    let output = inference::fetch_output(&revealed, &context.resolver()?, &job, &outcome).await;
    let output = output.map_err(|error| Failure::from(error).during(format!("job {id} is done")))?;
    let dimensions = model.artifact().profile.dimensions;
    let embeddings = Embeddings::decode(&output, request.spec.sequences, dimensions)
        .map_err(|error| InferenceError::Output { job: id, error })?;

    let mut settled = revealed;
    let job = inference::follow(&chain, id, |job, block| {
        say(job, block);
        settled = block.clone();
        false
    })
    .await?;
    match job.phase {
        Phase::Settled { .. } => Ok(Finished {
            model,
            job,
            block: settled,
            embeddings,
        }),
        _ => Err(ended_badly(&job)),
    }
}

/// Why a job that ended has no result.
pub(super) fn ended_badly(job: &Job) -> Failure {
    // Only unended phases depend on the block.
    let phase = PhaseView::at(job.phase.clone(), 0);
    Failure::job(format!("job {} {}", job.id, render::phase(&phase)))
}

async fn check_funds(block: &BlockAt, account: &assay_client::AccountId, needed: Balance) -> Result<(), Failure> {
    let usable = block.funds(account).await?.usable();
    if usable > needed {
        return Ok(());
    }
    Err(Failure::refused(format!(
        "expected more than {} in {account} for the fee limit and the deposit, beside the transaction's own fee, \
         got {}; lower --max-fee or send it money",
        amount::format(needed),
        amount::format(usable)
    )))
}
