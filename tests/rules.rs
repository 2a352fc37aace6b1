//! `docs/rules.md` says of all 54 rules how they are checked: held to what the code says of itself, and to the tests.
#![cfg(all(feature = "audit", not(windows), not(miri)))]

use std::collections::BTreeSet;
use std::path::Path;

use olemem::audit::{Check, Kind, Rule};

const PAGE: &str = include_str!("../docs/rules.md");

/// Where each rule is kept and broken: modules of `tests/audit` and `tests/crossing`.
const TESTS: &[(u8, &[&str])] = &[
    (1, &["crossing::in_lent", "audit::leak"]),
    (2, &["crossing::in_unmodified"]),
    (3, &["crossing::in_is_a_bstr"]),
    (5, &["crossing::out_family"]),
    (6, &["crossing::out_not_read"]),
    (7, &["crossing::out_owns_nothing"]),
    (8, &["crossing::in_out"]),
    (9, &["crossing::in_out"]),
    (10, &["crossing::out_family"]),
    (11, &["crossing::out_stays_handed"]),
    (12, &["crossing::in_not_retained"]),
    (13, &["crossing::out_is_a_copy"]),
    (14, &["crossing::failure"]),
    (15, &["crossing::out_set"]),
    (16, &["crossing::failure"]),
    (17, &["crossing::in_out_failure", "crossing::references"]),
    (18, &["crossing::failure"]),
    (19, &["crossing::silence"]),
    (20, &["audit::family_mismatch", "audit::foreign_free"]),
    (21, &["audit::double_free"]),
    (22, &["audit::use_after_free", "audit::write_after_free"]),
    (
        23,
        &[
            "audit::overrun",
            "audit::underrun",
            "audit::terminator_overwritten",
            "audit::prefix_corrupted",
        ],
    ),
    (24, &["audit::interior_free"]),
    (25, &["audit::overlapping_source"]),
    (26, &["audit::source_over_read"]),
    (28, &["audit::pins", "crossing::pins"]),
    (29, &["crossing::out_family"]),
    (30, &["crossing::silence"]),
    (31, &["crossing::buffers"]),
    (32, &["crossing::arrays"]),
    (33, &["crossing::partial_failure"]),
    (34, &["crossing::arrays"]),
    (35, &["crossing::members"]),
    (36, &["crossing::members"]),
    (37, &["crossing::aliases"]),
    (38, &["crossing::members"]),
    (43, &["crossing::interfaces", "crossing::references"]),
    (44, &["crossing::interfaces", "crossing::references"]),
    (45, &["crossing::interfaces"]),
    (46, &["crossing::interfaces", "crossing::references"]),
    (47, &["crossing::interfaces"]),
    (48, &["crossing::interfaces"]),
    (49, &["crossing::interfaces"]),
    (51, &["crossing::interfaces"]),
    (52, &["crossing::silence"]),
    (53, &["crossing::out_is_a_copy"]),
    (54, &["audit::spy_pointer_lost"]),
];

/// Modules that test no rule of their own.
const OTHERS: &[&str] = &[
    "audit::property",
    "audit::safearray",
    "audit::sessions",
    "audit::silence",
    "audit::sites",
    "audit::null_out_pointer",
    "crossing::callees",
    "crossing::counted",
    "crossing::demonstrated",
    "crossing::exported",
    "crossing::reports",
];

/// Where a module of the tests stands.
fn file(module: &str) -> String {
    // What a spy loses is tested where spies are.
    if module == "audit::spy_pointer_lost" {
        return "tests/spy_vectors.rs".to_owned();
    }
    format!("tests/{}.rs", module.replace("::", "/"))
}

fn text(module: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file(module));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn tests_of(rule: Rule) -> &'static [&'static str] {
    let found = TESTS.iter().find(|(number, _)| *number == rule.number());
    found.map_or(&[], |(_, modules)| modules)
}

/// A line of the table.
fn line(rule: Rule) -> String {
    let guide = rule.guide();
    let code = |names: Vec<String>| match names.len() {
        0 => "–".to_owned(),
        _ => names.join(", "),
    };
    let kinds = rule.kinds().map(|kind| format!("`{kind}`")).collect();
    let tests = tests_of(rule);
    let tests = tests.iter().map(|module| format!("`{module}`")).collect();
    format!(
        "| {rule} | {} | {}. {} | {} | {} | {} |",
        guide.statement,
        sentence(guide.check.name()),
        guide.how,
        code(kinds),
        code(tests),
        guide.source,
    )
}

/// With a capital.
fn sentence(text: &str) -> String {
    let (first, rest) = text.split_at(1);
    first.to_uppercase() + rest
}

#[test]
fn the_page_says_of_each_rule_what_the_code_says() {
    let lines: Vec<&str> = PAGE
        .lines()
        .filter(|line| line.starts_with("| R"))
        .collect();
    let expected: Vec<String> = Rule::all().map(line).collect();
    for (line, expected) in lines.iter().zip(&expected) {
        assert_eq!(line, expected);
    }
    assert_eq!(lines.len(), expected.len(), "{}", expected.join("\n"));
}

/// A rule that is checked is kept and broken by a test of the module that the page names, and the module says so.
#[test]
#[cfg_attr(miri, ignore = "it reads files")]
fn each_rule_that_is_checked_is_kept_and_broken() {
    for rule in Rule::all() {
        let is_checked = matches!(
            rule.guide().check,
            Check::Heap | Check::Call | Check::Partly
        );
        let modules = tests_of(rule);
        assert!(!is_checked || !modules.is_empty(), "{rule}");
        for module in modules {
            let text = text(module);
            let names = |rule: Rule| {
                text.split(|c: char| !c.is_alphanumeric())
                    .any(|word| word == rule.to_string())
            };
            assert!(names(rule), "{module} does not name {rule}");
        }
        if is_checked {
            let texts: String = modules.iter().map(|module| text(module)).collect();
            // A spy that is lost is another sort of test.
            if rule.number() != 54 {
                assert!(texts.contains("fn kept"), "{rule}: nothing keeps it");
                assert!(texts.contains("fn broken"), "{rule}: nothing breaks it");
            }
            let is_expected = rule.kinds().any(|kind| {
                texts.contains(kind.name()) || texts.contains(&format!("Kind::{kind:?}"))
            });
            assert!(is_expected, "{rule}: no test expects a kind of it");
        }
    }
}

/// Each kind is expected by a test of a module that the page names for one of its rules.
#[test]
#[cfg_attr(miri, ignore = "it reads files")]
fn each_kind_is_expected_by_a_test() {
    for kind in Kind::ALL {
        let of_rule = kind.rules().iter().flat_map(|rule| tests_of(*rule));
        let mut modules: Vec<&str> = of_rule.copied().collect();
        if kind.rules().is_empty() {
            modules.push("audit::null_out_pointer");
        }
        let is_expected = modules.iter().any(|module| {
            let text = text(module);
            text.contains(&format!("[{kind}]")) || text.contains(&format!("Kind::{kind:?}"))
        });
        assert!(is_expected, "{kind}: {modules:?}");
    }
}

/// No module of tests is forgotten.
#[test]
#[cfg_attr(miri, ignore = "it reads files")]
fn each_module_of_tests_is_named() {
    let named: BTreeSet<&str> = TESTS
        .iter()
        .flat_map(|(_, modules)| modules.iter().copied())
        .chain(OTHERS.iter().copied())
        .collect();
    for folder in ["audit", "crossing"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests")
            .join(folder);
        for entry in std::fs::read_dir(path).expect("the folder is there") {
            let name = entry.expect("it can be read").file_name();
            let name = name.to_string_lossy();
            let stem = name.strip_suffix(".rs").expect("a module");
            let module = format!("{folder}::{stem}");
            assert!(stem == "support" || named.contains(&*module), "{module}");
        }
    }
}
