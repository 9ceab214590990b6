//! How byte-level tokenizers in GGUF files cut text before they merge: by `tokenizer.ggml.pre`.
//!
//! The expressions are those of llama.cpp (`llama-vocab.cpp`), applied one after the other: each cuts what the ones
//! before it have left into its matches and what lies between them.

/// A way to cut text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PreTokenizer {
    /// Regular expressions, applied one after the other.
    pub expressions: &'static [&'static str],
    /// Whether a piece that is in the vocabulary is taken whole, whatever the merges.
    pub ignore_merges: bool,
    /// Whether sequences begin with the begin-of-sequence token if the file does not say.
    pub add_bos: bool,
    /// Whether text is brought into Unicode's form C first. llama.cpp does not; the models' own tokenizers do, and so
    /// the models were trained.
    pub nfc: bool,
}

const GPT2: &str = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)";
const LLAMA3: &str = r"(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const QWEN2: &str = r"(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

const fn plain(expressions: &'static [&'static str]) -> PreTokenizer {
    PreTokenizer {
        expressions,
        ignore_merges: false,
        add_bos: false,
        nfc: false,
    }
}

const DEFAULT: PreTokenizer = plain(&[r"[\p{P}\$\+<=>\^~\|]+", GPT2, r"\p{N}+", "[0-9][0-9][0-9]"]);
const OF_GPT2: PreTokenizer = plain(&[GPT2]);
const DIGITS: PreTokenizer = plain(&[r"\p{N}", GPT2]);
const FALCON: PreTokenizer = plain(&[r"[\p{P}\$\+<=>\^~\|`]+", GPT2, "[0-9][0-9][0-9]"]);
const OF_LLAMA3: PreTokenizer = PreTokenizer {
    ignore_merges: true,
    add_bos: true,
    ..plain(&[LLAMA3])
};
const SMAUG: PreTokenizer = plain(&[LLAMA3]);
const OF_QWEN2: PreTokenizer = PreTokenizer {
    nfc: true,
    ..plain(&[QWEN2])
};
const STABLELM2: PreTokenizer = plain(&[QWEN2]);

/// Names and what they mean.
const NAMES: [(&str, PreTokenizer); 21] = [
    ("default", DEFAULT),
    ("gpt-2", OF_GPT2),
    ("phi-2", OF_GPT2),
    ("mpt", OF_GPT2),
    ("olmo", OF_GPT2),
    ("llama-bpe", OF_LLAMA3),
    ("llama3", OF_LLAMA3),
    ("llama-v3", OF_LLAMA3),
    ("falcon3", OF_LLAMA3),
    ("smaug-bpe", SMAUG),
    ("dbrx", SMAUG),
    ("qwen2", OF_QWEN2),
    ("deepseek-r1-qwen", OF_QWEN2),
    ("megrez", OF_QWEN2),
    ("stablelm2", STABLELM2),
    ("smollm", DIGITS),
    ("starcoder", DIGITS),
    ("refact", DIGITS),
    ("command-r", DIGITS),
    ("codeshell", DIGITS),
    ("falcon", FALCON),
];

/// The way of this name; of no name, llama.cpp's default.
pub fn named(name: Option<&str>) -> Option<PreTokenizer> {
    let name = name.unwrap_or("default");
    NAMES.iter().find(|(known, _)| *known == name).map(|(_, way)| *way)
}

/// The names that are known, for messages.
pub fn names() -> String {
    NAMES.map(|(name, _)| format!("{name:?}")).join(", ")
}
