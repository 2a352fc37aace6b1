//! The audit: ownership rules that are broken, told as a story.

mod rules;

pub use rules::{Kind, Rule, Severity, UnknownKind};
