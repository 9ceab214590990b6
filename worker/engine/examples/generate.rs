//! Imports a model and generates text with it, on this machine alone:
//!
//! ```text
//! cargo run --release -p assay-engine --example generate -- MODEL PRECISION PROMPT
//! ```
//!
//! MODEL is a folder as Hugging Face has them or a GGUF file, PRECISION such as `w8a16`, or `auto` for what
//! suits its family. A model with a chat template is asked
//! the prompt as a user's message. Four answers are generated together: the likeliest, and three that are drawn.

use assay_engine::{
    generate::{Request, Sampling},
    Generator, Settings,
};
use assay_models::{import, ChatTemplate, Config, Message, Package, Source, Tokenizer};
use std::{error::Error, path::Path, time::Instant};

fn main() -> Result<(), Box<dyn Error>> {
    let [model, precision, prompt] = &std::env::args().skip(1).collect::<Vec<_>>()[..] else {
        return Err("expected MODEL PRECISION PROMPT".into());
    };
    let start = Instant::now();
    let files = tempfile::tempdir()?;
    let model = Path::new(model);
    let precision = match precision.as_str() {
        "auto" => Config::of(&Source::open(model)?)?.recommended(),
        name => name.parse()?,
    };
    let imported = import(model, "model", precision, files.path())?;
    let package = Package::load(imported.manifest, |file| files.path().join(&file.name))?;
    let manifest = package.manifest();
    println!(
        "imported in {:.1} s: {}",
        start.elapsed().as_secs_f64(),
        manifest.content().hash
    );

    let profile = manifest.profile();
    let json = std::fs::read(files.path().join(assay_models::package::TOKENIZER))?;
    let tokenizer = Tokenizer::from_json(&json, profile.dimensions, profile.max_sequence as usize)?;
    let token = |id: Option<u32>| id.and_then(|id| tokenizer.token(id)).unwrap_or_default();
    let ids = match manifest.chat_template() {
        Some(source) => {
            let template = ChatTemplate::new(
                source,
                &token(manifest.begin()),
                &token(manifest.end().first().copied()),
            )?;
            tokenizer.encode(&template.render(&[Message::new("user", prompt)], true)?, false)?
        }
        None => tokenizer.encode(prompt, true)?,
    };
    let start = Instant::now();
    let generator = Generator::load(&package, Settings::default())?;
    println!(
        "loaded in {:.1} s; {} tokens in the prompt",
        start.elapsed().as_secs_f64(),
        ids.len()
    );

    let drawn = |sequence| Sampling {
        temperature: 0.8,
        top_k: 40,
        top_p: 0.95,
        repetition_penalty: 1.1,
        seed: 1,
        sequence,
    };
    let start = Instant::now();
    let requests = [Sampling::GREEDY, drawn(0), drawn(1), drawn(2)].map(|sampling| Request {
        prompt: ids.clone(),
        max_tokens: 64,
        sampling,
        end: None,
    });
    let generations = generator.run(requests.to_vec())?;
    let took = start.elapsed().as_secs_f64();
    let tokens: usize = generations.iter().map(|generation| generation.tokens().len()).sum();
    for generation in &generations {
        println!(
            "\n{:?}: {}",
            generation.end(),
            tokenizer.decode(generation.tokens(), true)?
        );
    }
    println!("\n{tokens} tokens in {took:.2} s");
    Ok(())
}
