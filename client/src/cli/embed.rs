//! `assay embed` and `assay infer`: texts to vectors.

use super::{
    context::{Context, ModelName},
    failure::Failure,
    output::{fields, table},
    render,
    request::{self, Finished},
};
use assay_client::{amount, Balance};
use assay_types::view::{JobView, PhaseView};
use clap::Args;
use serde::Serialize;
use std::{
    io::{self, Read},
    path::{Path, PathBuf},
};

/// Numbers of a vector that people are shown.
const SHOWN: usize = 6;

/// Characters of a text that people are shown.
const EXCERPT: usize = 48;

/// Largest input that is read, in bytes. The chain's own limit on token ids is lower.
const MAX_INPUT: u64 = 16 * 1024 * 1024;

/// Turns texts into vectors with a model on the chain
///
/// A worker runs the model, the chain pays it; what comes back is checked against the hash that the
/// chain recorded. A text of more tokens than the model takes is refused.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  assay embed 0 'A cat sits on the mat.' 'A kitten rests on a rug.' --key //Alice")]
pub(super) struct Embed {
    /// The model: an artifact id or the hash of its package
    model: ModelName,
    /// Texts, one vector each
    #[arg(required = true)]
    texts: Vec<String>,
    #[command(flatten)]
    fee: Fee,
}

/// Runs a model on an input
///
/// Embeddings for now: one text a line, one vector each.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  assay infer 0 --input sentences.txt --json --key ~/.assay/key > vectors.json")]
pub(super) struct Infer {
    /// The model: an artifact id or the hash of its package
    model: ModelName,
    /// The input
    #[arg(required_unless_present = "input", conflicts_with = "input")]
    prompt: Option<String>,
    /// File with the input, - for standard input
    #[arg(long, value_name = "FILE|-")]
    input: Option<PathBuf>,
    #[command(flatten)]
    fee: Fee,
}

/// What a job may cost.
#[derive(Debug, Args)]
pub(super) struct Fee {
    /// The most that the job may cost, without its deposit [default: what every eligible worker
    /// could be paid]
    #[arg(long, value_name = "ASY", value_parser = amount::parse)]
    pub(super) max_fee: Option<Balance>,
}

impl Embed {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        let finished = request::run(context, &self.model, &self.texts, self.fee.max_fee).await?;
        print(context, &self.texts, finished)
    }
}

impl Infer {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        let input = match (self.prompt, self.input) {
            (Some(prompt), _) => prompt,
            (None, Some(path)) => read(&path)?,
            (None, None) => return Err(Failure::other("expected an input or --input FILE")),
        };
        let texts: Vec<String> = input
            .lines()
            .filter(|line| !line.trim().is_empty())
            .map(Into::into)
            .collect();
        if texts.is_empty() {
            return Err(Failure::other(
                "expected an input of at least one line with text, got none",
            ));
        }
        let finished = request::run(context, &self.model, &texts, self.fee.max_fee).await?;
        print(context, &texts, finished)
    }
}

/// What `--json` prints.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct View {
    /// What the model's publisher calls it.
    model: String,
    /// The job, settled.
    job: JobView,
    /// One for each text.
    embeddings: Vec<Vec<f32>>,
    /// Cosines between each two.
    similarities: Vec<Vec<f64>>,
}

fn print(context: &Context, texts: &[String], finished: Finished) -> Result<(), Failure> {
    let Finished {
        model,
        job,
        block,
        embeddings,
    } = finished;
    let (norms, similarities) = (embeddings.norms(), embeddings.similarities());
    let job = JobView::at(job, block.number);
    let view = View {
        model: model.name().into(),
        job,
        embeddings: embeddings.vectors,
        similarities,
    };
    context.print(&view, |view| describe(view, texts, &norms))
}

fn describe(view: &View, texts: &[String], norms: &[f64]) -> String {
    let mut text = head(view);
    text.push('\n');
    for (index, (vector, norm)) in view.embeddings.iter().zip(norms).enumerate() {
        let shown: Vec<_> = vector
            .iter()
            .take(SHOWN)
            .map(|number| format!("{number:+.4}"))
            .collect();
        let rest = if vector.len() > SHOWN { " …" } else { "" };
        let excerpt = texts.get(index).map(|text| excerpt(text)).unwrap_or_default();
        text.push_str(&format!(
            "{index}  {}{rest}  length {norm:.4}  {excerpt}\n",
            shown.join(" ")
        ));
    }
    if view.similarities.len() > 1 {
        let names: Vec<_> = (0..view.similarities.len()).map(|index| index.to_string()).collect();
        let titles: Vec<_> = std::iter::once("cosine")
            .chain(names.iter().map(String::as_str))
            .collect();
        let row = |(name, row): (&String, &Vec<f64>)| {
            std::iter::once(name.clone())
                .chain(row.iter().map(|cosine| format!("{cosine:.4}")))
                .collect()
        };
        let rows: Vec<Vec<String>> = names.iter().zip(&view.similarities).map(row).collect();
        text.push_str(&format!("\n{}\n", table(&titles, &rows)));
    }
    text
}

/// Who did what for how much.
fn head(view: &View) -> String {
    let job = &view.job;
    let mut lines = vec![
        ("job", format!("{}, {}", job.id, job.phase.name())),
        ("model", format!("{} ({})", job.spec.artifact, view.model)),
    ];
    if let PhaseView::Settled {
        worker,
        outcome,
        payment,
    } = &job.phase
    {
        lines.push(("worker", worker.to_string()));
        lines.push(("tokens", outcome.tokens.to_string()));
        lines.push(("result", format!("{:?}", outcome.result)));
        lines.push(("paid", render::payment(payment)));
    }
    fields(&lines)
}

fn excerpt(text: &str) -> String {
    let shown: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(EXCERPT)
        .collect();
    let rest = if text.chars().nth(EXCERPT).is_some() { "…" } else { "" };
    format!("\"{shown}{rest}\"")
}

fn read(path: &Path) -> Result<String, Failure> {
    let failed = |error: io::Error| Failure::other(format!("cannot read the input {}: {error}", path.display()));
    let mut input = String::new();
    let source: Box<dyn Read> = match path.to_str() {
        Some("-") => Box::new(io::stdin()),
        _ => Box::new(std::fs::File::open(path).map_err(failed)?),
    };
    // One byte more tells a full input from one that is too large.
    let length = source.take(MAX_INPUT + 1).read_to_string(&mut input).map_err(failed)?;
    if length as u64 > MAX_INPUT {
        return Err(Failure::other(format!(
            "expected an input of at most {MAX_INPUT} bytes, got more; split it"
        )));
    }
    Ok(input)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn excerpt_should_be_short_and_on_one_line() {
        assert_eq!(excerpt("two\nlines"), "\"two lines\"");
        assert_eq!(excerpt(&"ä".repeat(EXCERPT)), format!("\"{}\"", "ä".repeat(EXCERPT)));
        assert_eq!(
            excerpt(&"ä".repeat(EXCERPT + 1)),
            format!("\"{}…\"", "ä".repeat(EXCERPT))
        );
    }
}
