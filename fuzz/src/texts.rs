//! What is done with a tokenizer.

use assay_models::Tokenizer;

const TEXTS: [&str; 6] = [
    "",
    "a",
    "ab <|end|> ab",
    " Hello,  wörld! 123 ",
    "\u{0}\u{fffd}e\u{301}\u{1f9d1}\u{200d}\u{1f4bb}▁",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
];

/// Texts to ids and back, in one go and token by token.
pub fn encode_all(tokenizer: &Tokenizer, vocabulary: u32) {
    for text in TEXTS {
        for add_special in [false, true] {
            match tokenizer.encode(text, add_special) {
                Ok(ids) => {
                    assert!(ids.len() <= tokenizer.max_tokens());
                    assert!(ids.iter().all(|id| *id < vocabulary), "{ids:?} of {vocabulary}");
                    decode(tokenizer, &ids);
                }
                Err(error) => drop(error.to_string()),
            }
        }
    }
    let ids: Vec<u32> = (0..300).chain([u32::MAX]).collect();
    decode(tokenizer, &ids);
}

fn decode(tokenizer: &Tokenizer, ids: &[u32]) {
    for skip_special in [false, true] {
        let whole = tokenizer.decode(ids, skip_special).map_err(|error| error.to_string());
        if let Ok(mut decoder) = tokenizer.decoder(skip_special) {
            let mut text: String = ids.iter().map(|id| decoder.push(*id)).collect();
            text.push_str(&decoder.finish());
            assert_eq!(whole, Ok(text));
        }
    }
}
