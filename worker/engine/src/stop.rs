//! Stop strings: when generated text is at its end.

/// Looks for any of some strings in text that comes in pieces. Text that may be the beginning of one is held back until it
/// is known.
#[derive(Clone, Debug)]
pub struct StopStrings {
    strings: Vec<String>,
    held: String,
}

/// What a piece of text leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// Text that comes before any stop string, and goes on.
    Text(String),
    /// The last of the text: a stop string followed.
    End(String),
}

impl StopStrings {
    /// Looks for these strings; empty ones never occur.
    pub fn new(strings: impl IntoIterator<Item = String>) -> Self {
        Self {
            strings: strings.into_iter().filter(|string| !string.is_empty()).collect(),
            held: String::new(),
        }
    }

    /// Takes the next piece.
    pub fn push(&mut self, piece: &str) -> Found {
        self.held.push_str(piece);
        let first = self
            .strings
            .iter()
            .filter_map(|stop| self.held.find(stop.as_str()))
            .min();
        if let Some(at) = first {
            let mut text = std::mem::take(&mut self.held);
            text.truncate(at);
            return Found::End(text);
        }
        // The longest end that a stop string begins with
        let begins = |at: &usize| {
            let end = &self.held[*at..];
            self.strings.iter().any(|stop| stop.starts_with(end))
        };
        let ends = self.held.char_indices().map(|(at, _)| at);
        let at = ends.into_iter().find(begins).unwrap_or(self.held.len());
        let rest = self.held.split_off(at);
        Found::Text(std::mem::replace(&mut self.held, rest))
    }

    /// What is still held back at the end of all text.
    pub fn finish(self) -> String {
        self.held
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stops(strings: &[&str]) -> StopStrings {
        StopStrings::new(strings.iter().map(ToString::to_string))
    }

    #[test]
    fn text_should_end_where_a_stop_string_begins_across_pieces() {
        let mut stops = stops(&["\n\nUser:", "END"]);
        assert_eq!(stops.push("one\n"), Found::Text("one".into()));
        assert_eq!(stops.push("two E"), Found::Text("\ntwo ".into()));
        assert_eq!(stops.push("Nd\n\nUs"), Found::Text("ENd".into()));
        assert_eq!(stops.push("er: more"), Found::End(String::new()));
    }

    #[test]
    fn first_of_several_stop_strings_should_count() {
        assert_eq!(stops(&["b", "a"]).push("xaxb"), Found::End("x".into()));
    }

    #[test]
    fn text_should_pass_when_nothing_stops_it() {
        let mut stops = stops(&["", "ß"]);
        assert_eq!(stops.push("ä€"), Found::Text("ä€".into()));
        let mut stops = StopStrings::new(["zz".to_string()]);
        assert_eq!(stops.push("z"), Found::Text(String::new()));
        assert_eq!(stops.finish(), "z");
    }
}
