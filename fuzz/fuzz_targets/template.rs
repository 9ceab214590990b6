//! Chat templates.

#![no_main]

use assay_fuzz::panics;
use assay_models::{template::MAX_OUTPUT, ChatTemplate, Message};
use libfuzzer_sys::fuzz_target;

fn run(data: &[u8]) {
    let Ok(source) = std::str::from_utf8(data) else { return };
    let template = match ChatTemplate::new(source, "<s>", "</s>") {
        Ok(template) => template,
        Err(error) => return drop(error.to_string()),
    };
    let messages = [
        Message::new("system", "Be brief."),
        Message::new("user", " Hi <b>\"you\"</b> é "),
        Message::new("assistant", "Yes?"),
    ];
    for messages in [&messages[..], &messages[1..], &[]] {
        match template.render(messages, messages.len() > 1) {
            Ok(text) => assert!(text.len() <= MAX_OUTPUT),
            Err(error) => drop(error.to_string()),
        }
    }
}

fuzz_target!(init: panics::allow_caught(), |data: &[u8]| panics::run(|| run(data)));
