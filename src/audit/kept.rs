//! What was read of another process, and is static in this one: each text and list of rules is kept once, for good.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use super::rules::Rule;

/// A text.
pub(super) fn text(text: &str) -> &'static str {
    static TEXTS: Mutex<BTreeSet<&str>> = Mutex::new(BTreeSet::new());
    let mut texts = TEXTS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = texts.get(text) {
        return known;
    }
    let kept = text.to_owned().leak();
    texts.insert(kept);
    kept
}

/// A list of rules; there are few.
pub(super) fn rules(rules: Vec<Rule>) -> &'static [Rule] {
    static LISTS: Mutex<Vec<&[Rule]>> = Mutex::new(Vec::new());
    let mut lists = LISTS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = lists.iter().find(|known| **known == rules) {
        return known;
    }
    let kept = rules.leak();
    lists.push(kept);
    kept
}
