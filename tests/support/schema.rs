//! As much of JSON Schema as `docs/report.schema.json`, `docs/sweep.schema.json` and the schema of SARIF need. A keyword that is not known here is
//! a failure: a schema that is not checked as a whole is not checked.

#![allow(dead_code, reason = "each test crate uses its own part")]

use serde_json::Value;

/// A report, which is as `docs/report.schema.json` asks.
#[track_caller]
pub(crate) fn report(text: &str) -> Value {
    as_asked(text, include_str!("../../docs/report.schema.json"))
}

/// A sweep, which is as `docs/sweep.schema.json` asks.
#[track_caller]
pub(crate) fn sweep(text: &str) -> Value {
    as_asked(text, include_str!("../../docs/sweep.schema.json"))
}

/// A log of SARIF 2.1.0, which is as OASIS's schema asks: `sarif-schema-2.1.0.json` is theirs, unchanged
/// (<https://docs.oasis-open.org/sarif/sarif/v2.1.0/>).
#[track_caller]
pub(crate) fn sarif(text: &str) -> Value {
    as_asked(text, include_str!("sarif-schema-2.1.0.json"))
}

#[track_caller]
fn as_asked(text: &str, schema: &str) -> Value {
    let value: Value = serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
    let schema: Value = serde_json::from_str(schema).expect("it is JSON");
    let faults = faults(&schema, &value);
    assert!(faults.is_empty(), "{faults:#?}");
    value
}

/// What is wrong with a value, each with the place where.
fn faults(schema: &Value, value: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    check(schema, schema, value, "$", &mut faults);
    faults
}

fn check(root: &Value, schema: &Value, value: &Value, place: &str, faults: &mut Vec<String>) {
    let schema = schema.as_object().expect("a schema is an object");
    let known = schema.get("properties").and_then(Value::as_object);
    let is_known = |key: &str| known.is_some_and(|known| known.contains_key(key));
    let mut tell = |what: String| faults.push(format!("{place}: {what}"));
    for (keyword, wanted) in schema {
        match keyword.as_str() {
            "$schema" | "$id" | "$defs" | "definitions" | "title" | "description" | "default" => {}
            "type" => {
                let names = match wanted {
                    Value::Array(names) => names.as_slice(),
                    name => std::slice::from_ref(name),
                };
                if !names.iter().any(|name| is_of_type(value, name)) {
                    tell(format!("{value} is not of type {wanted}"));
                }
            }
            "const" if value != wanted => tell(format!("{value} is not {wanted}")),
            "enum" if !items(wanted).contains(value) => {
                tell(format!("{value} is none of {wanted}"))
            }
            "minimum" if value.as_f64() < wanted.as_f64() && value.is_number() => {
                tell(format!("{value} is less than {wanted}"));
            }
            "maximum" if value.as_f64() > wanted.as_f64() && value.is_number() => {
                tell(format!("{value} is more than {wanted}"));
            }
            "minItems" => {
                let least = wanted.as_u64().expect("a number");
                if value
                    .as_array()
                    .is_some_and(|values| (values.len() as u64) < least)
                {
                    tell(format!("there are fewer than {least}"));
                }
            }
            "uniqueItems" if *wanted == Value::Bool(true) => {
                let values = value.as_array().map_or(&[][..], Vec::as_slice);
                for (index, value) in values.iter().enumerate() {
                    if values[..index].contains(value) {
                        tell(format!("{value} is there twice"));
                    }
                }
            }
            "format" => {
                if let Some(text) = value.as_str()
                    && !is_of_format(wanted.as_str().expect("formats are text"), text)
                {
                    tell(format!("{value} is no {wanted}"));
                }
            }
            "anyOf" | "oneOf" => {
                let fitting = items(wanted)
                    .iter()
                    .filter(|schema| {
                        let mut faults = Vec::new();
                        check(root, schema, value, place, &mut faults);
                        faults.is_empty()
                    })
                    .count();
                if fitting == 0 || (keyword == "oneOf" && fitting > 1) {
                    tell(format!("{fitting} of {keyword} {wanted} hold for {value}"));
                }
            }
            "pattern" => {
                let text = value.as_str().unwrap_or("");
                if !fits(wanted.as_str().expect("a pattern is text"), text) {
                    tell(format!("{value} is not of the form {wanted}"));
                }
            }
            "required" => {
                if let Some(object) = value.as_object() {
                    for key in items(wanted) {
                        let key = key.as_str().expect("keys are text");
                        if !object.contains_key(key) {
                            tell(format!("{key} is missing"));
                        }
                    }
                }
            }
            "additionalProperties" => {
                if *wanted == Value::Bool(false) {
                    let object = value.as_object().into_iter().flatten();
                    for (key, _) in object.filter(|(key, _)| !is_known(key)) {
                        tell(format!("{key} is not known"));
                    }
                }
            }
            "const" | "enum" | "minimum" | "maximum" | "uniqueItems" | "properties" | "items"
            | "$ref" => {}
            unknown => panic!("the keyword {unknown} is not understood here"),
        }
    }
    if let Some(Value::Object(properties)) = schema.get("properties") {
        for (key, schema) in properties {
            if let Some(value) = value.get(key) {
                check(root, schema, value, &format!("{place}.{key}"), faults);
            }
        }
    }
    if let Some(schema @ Value::Object(_)) = schema.get("additionalProperties") {
        let object = value.as_object().into_iter().flatten();
        for (key, value) in object.filter(|(key, _)| !is_known(key)) {
            check(root, schema, value, &format!("{place}.{key}"), faults);
        }
    }
    if let (Some(schema), Some(values)) = (schema.get("items"), value.as_array()) {
        for (index, value) in values.iter().enumerate() {
            check(root, schema, value, &format!("{place}[{index}]"), faults);
        }
    }
    if let Some(Value::String(reference)) = schema.get("$ref") {
        let (file, pointer) = reference.split_once('#').expect("within a schema");
        let other: Value;
        let root = match file {
            "" => root,
            "report.schema.json" => {
                let text = include_str!("../../docs/report.schema.json");
                other = serde_json::from_str(text).expect("it is JSON");
                &other
            }
            unknown => panic!("the schema {unknown} is not known here"),
        };
        let schema = root.pointer(pointer).expect("it leads somewhere");
        check(root, schema, value, place, faults);
    }
}

fn items(list: &Value) -> &[Value] {
    list.as_array().expect("a list")
}

fn is_of_type(value: &Value, name: &Value) -> bool {
    match name.as_str().expect("types are text") {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "number" => value.is_number(),
        "integer" => value.is_u64() || value.is_i64(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        unknown => panic!("the type {unknown} is not understood here"),
    }
}

/// What a log has: an absolute URI, or one that may be relative.
fn is_of_format(format: &str, text: &str) -> bool {
    let is_uri =
        |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=%".contains(&byte);
    match format {
        "uri" => is_of_format("uri-reference", text) && text.contains("://"),
        "uri-reference" => text.bytes().all(is_uri),
        unknown => panic!("the format {unknown} is not understood here"),
    }
}

/// The patterns of what there is.
fn fits(pattern: &str, text: &str) -> bool {
    match pattern {
        "^R[0-9]+$" => text
            .strip_prefix('R')
            .is_some_and(|number| number.parse::<u32>().is_ok()),
        "^[a-z]+(-[a-z]+)*$" => text
            .split('-')
            .all(|word| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase())),
        unknown => panic!("the pattern {unknown} is not understood here"),
    }
}
