//! A report as SARIF 2.1.0, for pages that show code with what was found in it.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};

use super::{Frame, Kind, Report, Severity, Violation};

const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

impl Report {
    /// The report as SARIF 2.1.0: a rule for each [`Kind`] there is, a result for each violation, but one for
    /// all leaks of a site, with the frames of its stacks as locations. Files below the current folder are named from there, so that a page of
    /// code-scanning results finds them.
    ///
    /// # Examples
    ///
    /// ```
    /// use olemem::Bstr;
    /// use olemem::audit::Session;
    ///
    /// let session = Session::begin();
    /// drop(Bstr::from("text"));
    /// let sarif = session.finish().to_sarif();
    /// assert!(sarif.contains(r#""version": "2.1.0""#));
    /// ```
    #[must_use]
    pub fn to_sarif(&self) -> String {
        let here = std::env::current_dir().ok();
        let root = here.as_deref();
        let rules: Vec<Value> = Kind::ALL.iter().map(|kind| rule(*kind)).collect();
        let results: Vec<Value> = super::grouped(&self.violations)
            .into_iter()
            .map(|told| result(told.first, told.count, root))
            .collect();
        let log = json!({
            "$schema": SCHEMA,
            "version": "2.1.0",
            "runs": [{
                "tool": {
                    "driver": {
                        "name": env!("CARGO_PKG_NAME"),
                        "version": env!("CARGO_PKG_VERSION"),
                        "rules": rules,
                    },
                },
                "originalUriBaseIds": root.map_or_else(
                    || json!({}),
                    |root| json!({ "ROOT": { "uri": format!("{}/", uri(&root.to_string_lossy())) } }),
                ),
                "columnKind": "unicodeCodePoints",
                "results": results,
            }],
        });
        // Strings, numbers and lists of them cannot fail to be written to memory.
        let mut text = serde_json::to_string_pretty(&log).unwrap_or_default();
        text.push('\n');
        text
    }
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

fn rule(kind: Kind) -> Value {
    let rules: Vec<String> = kind.rules().iter().map(ToString::to_string).collect();
    json!({
        "id": kind.name(),
        "shortDescription": { "text": sentence(kind.name().replace('-', " ")) },
        "help": { "text": sentence(kind.help().to_owned()) },
        "defaultConfiguration": { "level": level(kind.severity()) },
        "properties": { "rules": rules },
    })
}

fn result(violation: &Violation, count: usize, root: Option<&Path>) -> Value {
    // Where it happened says most; a leak has but the place of its allocation.
    let primary = [&violation.at, &violation.allocated_at, &violation.freed_at]
        .into_iter()
        .find(|frames| !frames.is_empty());
    // The innermost frame whose source is known; that of a library may have none.
    let location = primary.and_then(|frames| {
        let known = frames.iter().find(|frame| frame.file.is_some());
        known.or(frames.first())
    });
    let stacks: Vec<Value> = [
        ("happened at", &violation.at),
        ("allocated at", &violation.allocated_at),
        ("freed at", &violation.freed_at),
    ]
    .into_iter()
    .filter(|(_, frames)| !frames.is_empty())
    .map(|(what, frames)| {
        let frames: Vec<Value> = frames
            .iter()
            .map(|frame| json!({ "location": place(frame, root) }))
            .collect();
        json!({ "message": { "text": what }, "frames": frames })
    })
    .collect();
    let mut properties = BTreeMap::new();
    if let Some(block) = &violation.block {
        properties.insert("block", json!(block.to_string()));
    }
    if let Some(call) = &violation.call {
        properties.insert("call", json!(call.to_string()));
    }
    json!({
        "ruleId": violation.kind.name(),
        "ruleIndex": Kind::ALL.iter().position(|kind| *kind == violation.kind),
        "level": level(violation.severity),
        "occurrenceCount": count,
        "message": { "text": sentence(violation.message.clone()) },
        "locations": location.map(|frame| place(frame, root)).into_iter().collect::<Vec<_>>(),
        "stacks": stacks,
        "properties": properties,
    })
}

/// A frame as a location.
fn place(frame: &Frame, root: Option<&Path>) -> Value {
    let mut place = serde_json::Map::new();
    if let Some(file) = &frame.file {
        let below = root.and_then(|root| Path::new(file).strip_prefix(root).ok());
        let artifact = match below {
            Some(path) => json!({ "uri": uri(&path.to_string_lossy()), "uriBaseId": "ROOT" }),
            None => json!({ "uri": uri(file) }),
        };
        let mut physical = serde_json::Map::new();
        physical.insert("artifactLocation".to_owned(), artifact);
        if let Some(line) = frame.line.filter(|line| *line > 0) {
            physical.insert("region".to_owned(), json!({ "startLine": line }));
        }
        place.insert("physicalLocation".to_owned(), Value::Object(physical));
    }
    if let Some(function) = &frame.function {
        let logical = json!([{ "fullyQualifiedName": function, "kind": "function" }]);
        place.insert("logicalLocations".to_owned(), logical);
    }
    if place.is_empty() {
        place.insert("message".to_owned(), json!({ "text": frame.to_string() }));
    }
    Value::Object(place)
}

/// With a capital and a full stop, as SARIF asks of its messages.
fn sentence(mut text: String) -> String {
    if let Some(first) = text.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    text.push('.');
    text
}

/// A path as a URI: an absolute one gets a scheme.
fn uri(path: &str) -> String {
    let mut uri = String::from(if path.starts_with('/') { "file://" } else { "" });
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                uri.push(char::from(byte));
            }
            _ => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    uri
}
