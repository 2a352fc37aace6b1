//! A violation names the method and the parameter, in every form of the report.

use crate::support::{OK, judged, store, string};
use olemem::audit::{Kind, Rule};

fn report() -> olemem::audit::Report {
    judged(|audit| {
        drop(olemem::Bstr::from("something"));
        let text = audit
            .call("IBrowser::get_StatusText")
            .out_bstr("text")
            .invoke(|_| OK);
        assert!(text.expect("it succeeds").is_null());
        audit
            .call("IBrowser::get_Title")
            .out_bstr("title")
            .invoke(|title| store(title, string("olemem")));
    })
}

#[test]
fn as_data() {
    let report = report();
    report.assert_kinds([Kind::OutNotSet]);
    let violation = &report.violations()[0];
    let call = violation.call.as_ref().expect("a call");
    assert_eq!(call.method, "IBrowser::get_StatusText");
    assert_eq!(call.parameter.as_deref(), Some("text"));
    assert_eq!(violation.rules(), [Rule::new(15).expect("there is one")]);
}

/// Texts are texts under Miri as well: they take long there, and SARIF asks for the current folder.
#[test]
#[cfg(not(miri))]
fn as_json() {
    let json = crate::schema::report(&report().to_json());
    let violation = &json["violations"][0];
    assert_eq!(violation["kind"], "out-not-set");
    assert_eq!(violation["rule"], serde_json::json!(["R15"]));
    assert_eq!(
        violation["call"],
        serde_json::json!({ "method": "IBrowser::get_StatusText", "parameter": "text" })
    );
    assert!(violation["block"].is_null());
}

#[test]
#[cfg(not(miri))]
fn as_sarif() {
    let log = crate::schema::sarif(&report().to_sarif());
    let run = &log["runs"][0];
    let result = &run["results"][0];
    assert_eq!(result["ruleId"], "out-not-set");
    assert_eq!(
        result["properties"]["call"],
        "IBrowser::get_StatusText, parameter text"
    );
    let index = result["ruleIndex"].as_u64().expect("a number");
    let rule = &run["tool"]["driver"]["rules"][usize::try_from(index).expect("it is small")];
    assert_eq!(rule["id"], "out-not-set");
    assert_eq!(rule["properties"]["rules"], serde_json::json!(["R15"]));
}
