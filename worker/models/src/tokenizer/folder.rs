//! The tokenizer of a folder as Hugging Face lays it out.

use super::{guard, parts, Imported, TokenizerError, TOKENIZER};
use crate::config::{read, Config, ConfigError};
use serde_json::Value;
use std::{fs::File, io::Read, path::Path};
use tokenizers::Tokenizer as Inner;

/// Says which tokens begin and end text, and has a chat template.
const TOKENIZER_CONFIG: &str = "tokenizer_config.json";

/// Has a chat template, and goes before the other.
const TEMPLATE: &str = "chat_template.jinja";

/// Longest file that is accepted, in bytes. The largest vocabularies take 20 MB.
const MAX_TOKENIZER: u64 = 64 << 20;

pub(super) fn import(folder: &Path, config: &Config) -> Result<Imported, TokenizerError> {
    let path = folder.join(TOKENIZER);
    let unreadable = |got: String| {
        let got = format!("{}: {got}", path.display());
        TokenizerError::Invalid(format!(
            "{got}; a folder needs this file, which transformers writes with `save_pretrained`"
        ))
    };
    let mut json = Vec::new();
    let file = File::open(&path).map_err(|error| unreadable(error.to_string()))?;
    file.take(MAX_TOKENIZER + 1)
        .read_to_end(&mut json)
        .map_err(|error| unreadable(error.to_string()))?;
    if json.len() as u64 > MAX_TOKENIZER {
        return Err(unreadable(format!("more than {MAX_TOKENIZER} bytes")));
    }
    parts::check(&json)?;
    let inner = guard(|| Inner::from_bytes(&json).map_err(|error| error.to_string()))
        .and_then(|inner| inner)
        .map_err(TokenizerError::Invalid)?;

    let settings: Value = match read(&folder.join(TOKENIZER_CONFIG))? {
        None => Value::Null,
        Some(json) => serde_json::from_slice(&json).map_err(|error| ConfigError::Json {
            file: TOKENIZER_CONFIG.into(),
            got: error.to_string(),
        })?,
    };
    let (mut bos, mut eos) = match config {
        Config::Bert(_) => (None, Vec::new()),
        Config::Decoder(config) => (config.bos, config.eos.clone()),
    };
    // The tokenizer's end of text ends what is generated too: for chat models it is the end of a turn.
    if let Some(id) = named(&inner, &settings, "eos_token")? {
        eos.push(id);
    }
    if let Some(id) = named(&inner, &settings, "bos_token")? {
        bos = Some(id);
    }
    eos.sort_unstable();
    eos.dedup();
    let chat_template = match read(&folder.join(TEMPLATE))? {
        Some(template) => Some(String::from_utf8(template).map_err(|error| TokenizerError::Field {
            file: TEMPLATE.into(),
            field: "content".into(),
            expected: "UTF-8".into(),
            got: error.utf8_error().to_string(),
        })?),
        None => template(&settings)?,
    };
    Ok(Imported {
        json,
        bos,
        eos,
        chat_template,
    })
}

/// The id of a token that the settings name.
fn named(inner: &Inner, settings: &Value, field: &str) -> Result<Option<u32>, TokenizerError> {
    // Either the text or an object with it.
    let token = match &settings[field] {
        Value::Object(token) => token.get("content").unwrap_or(&Value::Null),
        token => token,
    };
    match token {
        Value::Null => Ok(None),
        Value::String(text) => match inner.token_to_id(text) {
            Some(id) => Ok(Some(id)),
            None => Err(wrong(field, "a token of the tokenizer", token)),
        },
        _ => Err(wrong(field, "a token", token)),
    }
}

/// The template: text, or an array of named ones of which one is the default.
fn template(settings: &Value) -> Result<Option<String>, TokenizerError> {
    let field = "chat_template";
    match &settings[field] {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text.clone())),
        Value::Array(named) => {
            let default = named.iter().find(|template| template["name"] == "default");
            match default.and_then(|template| template["template"].as_str()) {
                Some(text) => Ok(Some(text.into())),
                None => Err(wrong(field, "a template named \"default\"", &settings[field])),
            }
        }
        got => Err(wrong(field, "text", got)),
    }
}

fn wrong(field: &str, expected: &str, got: &Value) -> TokenizerError {
    let got: String = got.to_string().chars().take(200).collect();
    TokenizerError::Field {
        file: TOKENIZER_CONFIG.into(),
        field: field.into(),
        expected: expected.into(),
        got,
    }
}
