//! What there is to explain, and how it is named on the command line.

use std::ffi::OsStr;

use clap::builder::{PossibleValue, StyledStr, TypedValueParser};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, Command, Error};
use olemem::audit::{Kind, Rule};

/// From here on a name is near enough to be suggested; Clap draws the line there for its own.
const NEAR: f64 = 0.7;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Topic {
    Kind(Kind),
    Rule(Rule),
}

impl Topic {
    fn all() -> impl Iterator<Item = Self> {
        let kinds = Kind::ALL.iter().copied().map(Self::Kind);
        kinds.chain(Rule::all().map(Self::Rule))
    }

    fn name(self) -> String {
        match self {
            Self::Kind(kind) => kind.to_string(),
            Self::Rule(rule) => rule.to_string(),
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::Kind(kind) => kind.guide().title,
            Self::Rule(rule) => rule.guide().title,
        }
    }

    /// Kinds are named as reports have them; the R of a rule may be small.
    fn is_called(self, text: &str) -> bool {
        match self {
            Self::Kind(kind) => kind.name() == text,
            Self::Rule(rule) => rule.to_string().eq_ignore_ascii_case(text),
        }
    }

    /// The name that is most like `text`, if any is like it at all.
    fn nearest(text: &str) -> Option<String> {
        let likeness = |name: String| (strsim::jaro(text, &name), name);
        let by_likeness = |one: &(f64, String), other: &(f64, String)| one.0.total_cmp(&other.0);
        Self::all()
            .map(|topic| likeness(topic.name()))
            .filter(|(likeness, _)| *likeness > NEAR)
            .max_by(by_likeness)
            .map(|(_, name)| name)
    }
}

/// Reads a topic, suggests the nearest for what is none, and lets shells complete all of them.
#[derive(Clone, Debug)]
pub(super) struct TopicParser;

impl TypedValueParser for TopicParser {
    type Value = Topic;

    fn parse_ref(
        &self,
        command: &Command,
        argument: Option<&Arg>,
        value: &OsStr,
    ) -> Result<Topic, Error> {
        let text = value.to_string_lossy();
        Topic::all()
            .find(|topic| topic.is_called(&text))
            .ok_or_else(|| unknown(command, argument, &text))
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        let value = |topic: Topic| PossibleValue::new(topic.name()).help(topic.title());
        Some(Box::new(Topic::all().map(value)))
    }
}

fn unknown(command: &Command, argument: Option<&Arg>, text: &str) -> Error {
    let mut error = Error::new(ErrorKind::InvalidValue).with_cmd(command);
    let argument = argument.map(Arg::to_string).unwrap_or_default();
    error.insert(ContextKind::InvalidArg, ContextValue::String(argument));
    let text_given = ContextValue::String(text.to_owned());
    error.insert(ContextKind::InvalidValue, text_given);
    if let Some(nearest) = Topic::nearest(text) {
        error.insert(ContextKind::SuggestedValue, ContextValue::String(nearest));
    }
    let list = StyledStr::from("`olemem explain` lists all kinds and rules");
    error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![list]));
    error
}

#[cfg(test)]
mod tests {
    use super::Topic;

    #[test]
    fn every_topic_is_found_by_its_name() {
        for topic in Topic::all() {
            let name = topic.name();
            let found: Vec<_> = Topic::all()
                .filter(|other| other.is_called(&name))
                .collect();
            assert_eq!(found, [topic]);
            assert_eq!(Topic::nearest(&name), Some(name));
        }
    }

    #[test]
    fn a_near_miss_is_understood_and_nonsense_is_not() {
        assert_eq!(Topic::nearest("duble-free").as_deref(), Some("double-free"));
        assert_eq!(Topic::nearest("leek").as_deref(), Some("leak"));
        assert_eq!(Topic::nearest("zzzzzz"), None);
        assert_eq!(Topic::nearest(""), None);
    }
}
