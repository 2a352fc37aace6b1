//! A report as SARIF 2.1.0, for pages that show code with what was found in it.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};

use super::beside::Beside;
use super::signalled::Signalled;
use super::{Frame, Kind, Report, Severity, Violation};
use crate::audit::frame::here;

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
        self.to_sarif_with(&Beside::default())
    }

    /// The same, with an invocation for each signal that met a process: the signal as a notification of level error, and
    /// what was live as notes, each where it was allocated. What else there is to say stands in an invocation behind them,
    /// which did not succeed if something could not be judged: without results it would look clean.
    pub(crate) fn to_sarif_with(&self, beside: &Beside) -> String {
        log(Vec::new(), |root| {
            let signals = beside.signals.iter();
            let invocations = signals.map(|signalled| invocation(signalled, root));
            let whole = self.whole(beside);
            (invocations.chain(whole).collect(), self.results(root))
        })
    }

    /// What is known of the whole, if there is anything to say.
    fn whole(&self, beside: &Beside) -> Option<Value> {
        let gaps = self.gaps(beside);
        let is_complete = gaps.is_empty();
        let errors = gaps.into_iter().chain(self.over_budget());
        let errors = errors.map(|text| notification("error", text));
        let notes = beside.notes.iter();
        let notes = notes.map(|text| notification("note", text.clone()));
        let told: Vec<Value> = errors.chain(notes).collect();
        (!told.is_empty()).then(
            || json!({ "executionSuccessful": is_complete, "toolExecutionNotifications": told }),
        )
    }

    /// A result for each violation, but one for all leaks of a site.
    pub(crate) fn results(&self, root: Option<&Path>) -> Vec<Value> {
        super::grouped(&self.violations)
            .into_iter()
            .map(|told| result(told.first, told.count, root))
            .collect()
    }
}

/// The whole: rules for all kinds, others behind them, and what was run and found, whose files may be named from a root.
pub(crate) fn log(
    others: Vec<Value>,
    told: impl FnOnce(Option<&Path>) -> (Vec<Value>, Vec<Value>),
) -> String {
    let here = here();
    let root = here.as_deref();
    let kinds = Kind::ALL.iter().map(|kind| rule(*kind));
    let rules: Vec<Value> = kinds.chain(others).collect();
    let (invocations, results) = told(root);
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
            "invocations": invocations,
            "results": results,
        }],
    });
    // Strings, numbers and lists of them cannot fail to be written to memory.
    let mut text = serde_json::to_string_pretty(&log).unwrap_or_default();
    text.push('\n');
    text
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
    let location = primary.and_then(|frames| nearest(frames));
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

/// The innermost frame whose source is known; that of a library may have none.
fn nearest(frames: &[Frame]) -> Option<&Frame> {
    let known = frames.iter().find(|frame| frame.file.is_some());
    known.or(frames.first())
}

/// A sentence of the tool's about its own work.
pub(crate) fn notification(level: &str, text: String) -> Value {
    json!({ "level": level, "message": { "text": sentence(text) } })
}

/// A process that a signal met, with what it held as notes.
fn invocation(signalled: &Signalled, root: Option<&Path>) -> Value {
    let signal = signalled.words();
    let what = if signalled.is_fatal {
        format!("the process was killed by {signal}")
    } else {
        format!("the process ended by itself after {signal}")
    };
    let known = match &signalled.live {
        Some(live) if live.len() == 1 => "1 block was live then".to_owned(),
        Some(live) => format!("{} blocks were live then", live.len()),
        None => "what was live then is not known".to_owned(),
    };
    let mut notifications = vec![notification("error", format!("{what}; {known}"))];
    for live in signalled.live.iter().flatten() {
        let place = nearest(&live.allocated_at).map(|frame| place(frame, root));
        let mut told = notification("note", format!("live: block {}", live.block));
        told["locations"] = place.into_iter().collect();
        notifications.push(told);
    }
    let mut invocation = json!({
        "executableLocation": { "uri": uri(&signalled.program) },
        "processId": signalled.process,
        "executionSuccessful": false,
        "toolExecutionNotifications": notifications,
    });
    if signalled.is_fatal {
        invocation["exitSignalNumber"] = signalled.signal.into();
        if let Some(name) = signalled.name() {
            invocation["exitSignalName"] = name.into();
        }
    }
    invocation
}

/// A frame as a location.
pub(crate) fn place(frame: &Frame, root: Option<&Path>) -> Value {
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
pub(crate) fn sentence(mut text: String) -> String {
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
