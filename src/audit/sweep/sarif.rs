//! A sweep as SARIF 2.1.0.

use serde_json::{Value, json};

use super::super::report::{sarif_log, sarif_place, sentence};
use super::{Run, Sweep, Wrong};

/// What may be wrong with a run besides violations, with what to do.
const RULES: [(Wrong, &str); 8] = [
    (
        Wrong::Panicked,
        "come back with a failure code where there is no memory",
    ),
    (
        Wrong::Crashed,
        "look at what an allocation gives before it is used",
    ),
    (Wrong::Exited, "leave it to the caller what a failure means"),
    (
        Wrong::TimedOut,
        "come back with a failure code where there is no memory",
    ),
    (
        Wrong::NeverGaveUp,
        "give up at last where there is no memory",
    ),
    (
        Wrong::FailedByItself,
        "sweep a call that succeeds while there is memory",
    ),
    (Wrong::RecordedNothing, "sweep a call that uses olemem"),
    (
        Wrong::LeftNoReport,
        "end the process by exit, or by returning from main",
    ),
];

impl Sweep {
    /// The sweep as SARIF 2.1.0: results for the violations of all runs, and for what else is wrong with a run, at the
    /// place of the allocation that failed.
    #[must_use]
    pub fn to_sarif(&self) -> String {
        let rules = RULES.iter().map(|(wrong, help)| {
            json!({
                "id": wrong.name(),
                "shortDescription": { "text": sentence(wrong.name().replace('-', " ")) },
                "help": { "text": sentence((*help).to_owned()) },
                "defaultConfiguration": { "level": "error" },
                "properties": { "rules": [] },
            })
        });
        sarif_log(rules.collect(), |root| {
            let results = self
                .runs
                .iter()
                .flat_map(|run| {
                    let found = run.report.results(root).into_iter();
                    let found = found.map(|result| run.with_cause(result));
                    found.chain(run.others(root)).collect::<Vec<_>>()
                })
                .collect();
            (Vec::new(), results)
        })
    }
}

impl Run {
    /// What made it happen.
    fn cause(&self) -> String {
        match self.failures.first() {
            Some(failure) => format!("with allocation {} failing ({failure})", self.number),
            None => "without a failing allocation".to_owned(),
        }
    }

    /// A violation's result, with its cause.
    fn with_cause(&self, mut result: Value) -> Value {
        if let Some(Value::String(text)) = result.pointer_mut("/message/text") {
            *text = format!("{} {}", text, sentence(self.cause()));
        }
        result
    }

    /// Results for what is no violation.
    fn others(&self, root: Option<&std::path::Path>) -> Vec<Value> {
        let frames = self.failures.first().map(|failure| failure.at.as_slice());
        let place = frames.and_then(|frames| {
            let known = frames.iter().find(|frame| frame.file.is_some());
            known.or(frames.first())
        });
        let places: Vec<_> = place.iter().map(|frame| sarif_place(frame, root)).collect();
        self.wrongs
            .iter()
            .filter(|wrong| !matches!(wrong, Wrong::Broke(_)))
            .map(|wrong| {
                json!({
                    "ruleId": wrong.name(),
                    "level": "error",
                    "message": { "text": sentence(format!("{} the callee {}", self.cause(), self.did)) },
                    "locations": places,
                })
            })
            .collect()
    }
}
