//! As much of JSON Schema as `docs/report.schema.json` and `docs/sweep.schema.json` need. A keyword that is not known here is a failure: a schema
//! that is not checked as a whole is not checked.

use serde_json::Value;

/// What is wrong with a value, each with the place where.
pub(crate) fn faults(schema: &Value, value: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    check(schema, schema, value, "$", &mut faults);
    faults
}

fn check(root: &Value, schema: &Value, value: &Value, place: &str, faults: &mut Vec<String>) {
    let schema = schema.as_object().expect("a schema is an object");
    let mut tell = |what: String| faults.push(format!("{place}: {what}"));
    for (keyword, wanted) in schema {
        match keyword.as_str() {
            "$schema" | "$defs" | "title" | "description" => {}
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
                assert_eq!(*wanted, Value::Bool(false), "nothing else is understood");
                let known = schema["properties"].as_object().expect("an object");
                for key in value
                    .as_object()
                    .into_iter()
                    .flat_map(|object| object.keys())
                {
                    if !known.contains_key(key) {
                        tell(format!("{key} is not known"));
                    }
                }
            }
            "const" | "enum" | "minimum" | "properties" | "items" | "$ref" => {}
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
        "integer" => value.is_u64() || value.is_i64(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        unknown => panic!("the type {unknown} is not understood here"),
    }
}

/// The two patterns that there are.
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
