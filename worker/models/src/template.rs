//! A conversation to the text that a chat model was trained on, by the template that comes with the model.
//!
//! Templates are Jinja as transformers has it: blocks trimmed, `break` and `continue`, Python's methods of text,
//! `tojson` as Python writes JSON, `raise_exception`, `{% generation %}`. Tools and documents are always `none`.
//! `strftime_now` is not there: what a template gives would depend on the day. Templates that ask whether it is defined
//! have a date of their own.
//!
//! A template comes from a stranger. It may take [`FUEL`] steps and give [`MAX_OUTPUT`] bytes; it reads no files and
//! calls nothing but what is named above; it runs on a stack that is enough for any. What is *not* bounded is text that
//! it keeps in variables, and the time that one step takes with it: a template that doubles a text in each step is
//! stopped only by the process's memory.

use minijinja::{
    value::{Kwargs, Value},
    Environment, Error, ErrorKind, UndefinedBehavior,
};
use serde::Serialize;
use std::{
    io::{self, Write},
    panic::{catch_unwind, AssertUnwindSafe},
    thread,
};

/// Steps of the interpreter that a template may take. A message takes about a hundred.
pub const FUEL: u64 = 1_000_000;

/// Longest text that a template may give, in bytes.
pub const MAX_OUTPUT: usize = 16 << 20;

/// Longest template that is accepted, in bytes. Models have up to thirty thousand.
pub const MAX_TEMPLATE: usize = 1 << 17;

/// Bytes of stack for the interpreter. It goes down with each operator of an expression, and a template may be one
/// expression of as many operators as it has bytes.
const STACK: usize = 1 << 29;

/// Nested calls of macros and the like; each may take several kilobytes of stack.
const MAX_DEPTH: usize = 100;

/// What errors call the template.
const NAME: &str = "chat template";

/// Why a template gives no text.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// It is too long.
    #[error("{NAME}: expected at most {MAX_TEMPLATE} bytes, got {0}")]
    Length(usize),
    /// It is not Jinja, or asks for something that is not there.
    #[error("{NAME}: expected Jinja as transformers has it, got: {0}")]
    Invalid(String),
    /// It refuses this conversation.
    #[error("{NAME}: the model does not take this conversation: {0}")]
    Refused(String),
    /// It takes too long, or gives too much.
    #[error("{NAME}: expected at most {FUEL} steps and {MAX_OUTPUT} bytes of text, got more")]
    Limit,
    /// It cannot be applied to this conversation.
    #[error("{NAME}: expected a template for messages with `role` and `content`, got: {0}")]
    Failed(String),
}

/// A message of a conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Message {
    /// Who speaks: `system`, `user`, `assistant`.
    pub role: String,
    /// What is said.
    pub content: String,
}

impl Message {
    /// What `role` says.
    pub fn new(role: &str, content: &str) -> Self {
        Self {
            role: role.into(),
            content: content.into(),
        }
    }
}

/// A chat template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChatTemplate {
    source: String,
    bos: String,
    eos: String,
}

impl ChatTemplate {
    /// A template with the texts of the tokens that begin and end a sequence; empty if there are none.
    pub fn new(source: &str, bos: &str, eos: &str) -> Result<Self, TemplateError> {
        if source.len() > MAX_TEMPLATE {
            return Err(TemplateError::Length(source.len()));
        }
        let template = Self {
            source: without_generation(source),
            bos: bos.into(),
            eos: eos.into(),
        };
        guard(|| environment().template_from_named_str(NAME, &template.source).map(drop))?;
        Ok(template)
    }

    /// The text of a conversation, with the beginning of an answer if `add_generation_prompt`.
    pub fn render(&self, messages: &[Message], add_generation_prompt: bool) -> Result<String, TemplateError> {
        let context = minijinja::context! {
            messages => messages,
            add_generation_prompt => add_generation_prompt,
            bos_token => self.bos,
            eos_token => self.eos,
            tools => (),
            documents => (),
        };
        let mut output = Limited(Vec::new());
        guard(|| {
            let environment = environment();
            let template = environment.template_from_named_str(NAME, &self.source)?;
            template.render_captured_to(context, &mut output).map(drop)
        })?;
        String::from_utf8(output.0).map_err(|error| TemplateError::Failed(error.to_string()))
    }
}

/// Calls the interpreter, with stack enough for any template, and sorts its errors.
fn guard(call: impl FnOnce() -> Result<(), Error> + Send) -> Result<(), TemplateError> {
    let done = thread::scope(|scope| {
        let thread = thread::Builder::new().name("template".into()).stack_size(STACK);
        let thread = thread.spawn_scoped(scope, || catch_unwind(AssertUnwindSafe(call)));
        thread.map(|thread| thread.join().and_then(|done| done))
    });
    match done.map_err(|error| TemplateError::Failed(error.to_string()))? {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(match error.kind() {
            ErrorKind::OutOfFuel | ErrorKind::WriteFailure => TemplateError::Limit,
            ErrorKind::SyntaxError => TemplateError::Invalid(error.to_string()),
            _ => match error.detail().and_then(|detail| detail.strip_prefix(RAISED)) {
                Some(message) => TemplateError::Refused(message.into()),
                None => TemplateError::Failed(error.to_string()),
            },
        }),
        Err(_) => Err(TemplateError::Failed(
            "a template that the interpreter panics on".into(),
        )),
    }
}

/// Marks what a template itself raises.
const RAISED: &str = "raised: ";

fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_trim_blocks(true);
    environment.set_lstrip_blocks(true);
    environment.set_undefined_behavior(UndefinedBehavior::Lenient);
    environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    environment.set_fuel(Some(FUEL));
    environment.set_recursion_limit(MAX_DEPTH);
    environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
    environment.add_filter("tojson", python_json);
    environment.add_function("raise_exception", |message: String| -> Result<Value, Error> {
        Err(Error::new(ErrorKind::InvalidOperation, format!("{RAISED}{message}")))
    });
    environment
}

/// Text of at most [`MAX_OUTPUT`] bytes.
struct Limited(Vec<u8>);

impl Write for Limited {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.len() > MAX_OUTPUT - self.0.len() {
            return Err(io::Error::other("too much output"));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// JSON as `json.dumps(value, ensure_ascii=False, indent=indent)` has it.
fn python_json(value: &Value, options: Kwargs) -> Result<Value, Error> {
    let failed = |error: serde_json::Error| Error::new(ErrorKind::BadSerialization, error.to_string());
    let indent: Option<usize> = options.get("indent")?;
    // transformers has these two; what they say here is what they say by default.
    let _: Option<bool> = options.get("ensure_ascii")?;
    let _: Option<bool> = options.get("sort_keys")?;
    options.assert_all_used()?;
    let mut json = Vec::new();
    match indent {
        Some(width) if width <= 16 => {
            let indent = " ".repeat(width);
            let formatter = serde_json::ser::PrettyFormatter::with_indent(indent.as_bytes());
            value
                .serialize(&mut serde_json::Serializer::with_formatter(&mut json, formatter))
                .map_err(failed)?;
        }
        Some(_) => {
            return Err(Error::new(
                ErrorKind::InvalidOperation,
                "tojson: indent of at most 16 is supported",
            ))
        }
        None => value
            .serialize(&mut serde_json::Serializer::with_formatter(&mut json, Spaced))
            .map_err(failed)?,
    }
    String::from_utf8(json)
        .map(Value::from_safe_string)
        .map_err(|error| Error::new(ErrorKind::BadSerialization, error.to_string()))
}

/// Python's separators: `, ` and `: `.
struct Spaced;

impl serde_json::ser::Formatter for Spaced {
    fn begin_array_value<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        writer.write_all(if first { b"" } else { b", " })
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        writer.write_all(if first { b"" } else { b", " })
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b": ")
    }
}

/// Makes of `{% generation %}`, with which transformers finds what an assistant has said, a block that always holds.
fn without_generation(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(start) = rest.find("{%") {
        let (before, tag) = rest.split_at(start + 2);
        out.push_str(before);
        let sign = tag.len() - tag.trim_start_matches(['-', '+']).len();
        let (sign, tag) = tag.split_at(sign);
        out.push_str(sign);
        let word = tag.trim_start();
        let replaced = [("endgeneration", " endif "), ("generation", " if true ")]
            .into_iter()
            .find_map(|(name, block)| {
                let after = word.strip_prefix(name)?.trim_start();
                (after.starts_with("%}") || after.starts_with("-%}") || after.starts_with("+%}"))
                    .then_some((block, after))
            });
        rest = match replaced {
            Some((block, after)) => {
                out.push_str(block);
                after
            }
            None => tag,
        };
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn render(source: &str) -> Result<String, TemplateError> {
        let messages = [
            Message::new("user", " Hi <b>\"you\"</b> "),
            Message::new("assistant", "Yes?"),
        ];
        ChatTemplate::new(source, "<s>", "</s>")?.render(&messages, true)
    }

    #[test]
    fn render_should_know_what_transformers_gives() {
        let source =
            "{{ bos_token }}{% for m in messages %}\n  {%- if m['role'] == 'user' %}\nU:{{ m.content.strip() }}\n\
                      {% else %}\nA:{{ m['content'] | trim }}{{ eos_token }}\n  {% endif %}\n{% endfor %}\n\
                      {% if add_generation_prompt %}>{% endif %}";
        assert_eq!(render(source).unwrap(), "<s>U:Hi <b>\"you\"</b>\nA:Yes?</s>\n>");
    }

    #[test]
    fn render_should_have_tools_and_documents_of_none() {
        assert_eq!(
            render("{{ tools is none }} {{ documents is none }} {{ other is defined }}").unwrap(),
            "True True False"
        );
    }

    #[test]
    fn render_should_write_json_as_python_does() {
        assert_eq!(
            render("{{ {'a': [1, 2.5, none, true], 'é<': 'x\"'} | tojson }}").unwrap(),
            r#"{"a": [1, 2.5, null, true], "é<": "x\""}"#
        );
        assert_eq!(
            render("{{ [1, {'a': 2}] | tojson(indent=2) }}").unwrap(),
            "[\n  1,\n  {\n    \"a\": 2\n  }\n]"
        );
    }

    #[test]
    fn render_should_take_generation_blocks_as_text() {
        let source = "{% for m in messages %}{%- generation -%}  {{ m.role }}{% endgeneration %};{% endfor %}";
        assert_eq!(render(source).unwrap(), "user;assistant;");
    }

    #[test]
    fn render_should_say_what_the_template_refuses() {
        let error = render("{{ raise_exception('Roles must alternate') }}").unwrap_err();
        assert!(
            matches!(&error, TemplateError::Refused(message) if message == "Roles must alternate"),
            "{error}"
        );
    }

    #[test]
    fn render_should_fail_when_a_template_does_not_end() {
        let endless =
            "{% for a in range(99999) %}{% for b in range(99999) %}{% set c = a + b %}{% endfor %}{% endfor %}";
        assert!(matches!(render(endless), Err(TemplateError::Limit)));
    }

    #[test]
    fn render_should_fail_when_a_template_gives_too_much() {
        let much = "{% for a in range(99) %}{{ 'x' * 1000000 }}{% endfor %}";
        assert!(matches!(render(much), Err(TemplateError::Limit)));
    }

    #[test]
    fn render_should_fail_when_a_macro_calls_itself() {
        let error = render("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}").unwrap_err();
        assert!(matches!(error, TemplateError::Failed(_)), "{error}");
    }

    #[test]
    fn template_should_have_stack_when_it_is_one_long_expression() {
        let long = |before: &str, part: &str, after: &str| {
            let count = (MAX_TEMPLATE - before.len() - after.len()) / part.len();
            render(&format!("{before}{}{after}", part.repeat(count))).map_err(|error| error.to_string())
        };
        assert_eq!(long("{{ 0", "+0", " }}"), Ok("0".into()));
        assert!(long("{{ ", "not ", "0 }}").is_ok());
        assert!(long("{{ ", "-", "1 }}").is_ok());
        assert!(long("{{ 0", "~0", " }}").is_ok());
        assert!(long("{{ 'a'", "|trim", " }}").is_ok());
        assert!(long("{{ a", ".a", " }}").is_err());
    }

    #[test]
    fn template_should_be_refused_when_it_is_too_long() {
        let error = ChatTemplate::new(&" ".repeat(MAX_TEMPLATE + 1), "", "").unwrap_err();
        assert!(matches!(error, TemplateError::Length(_)), "{error}");
    }

    #[test]
    fn template_should_be_refused_when_it_is_no_jinja() {
        let error = ChatTemplate::new("{% for x %}", "", "").unwrap_err();
        assert!(matches!(error, TemplateError::Invalid(_)), "{error}");
    }

    #[test]
    fn render_should_name_what_is_missing() {
        let error = render("{{ strftime_now('%d') }}").unwrap_err().to_string();
        assert!(error.contains("strftime_now"), "{error}");
    }
}
