//! The audit: ownership rules that are broken, told as a story.

mod guide;
mod rules;

pub use guide::{Check, Guide};
pub use rules::{Kind, Rule, Severity, UnknownKind};
