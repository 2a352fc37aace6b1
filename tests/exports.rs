//! The C ABI is one list: what `src/export` defines, what `olemem.h` declares and what the shared
//! library shows are the same names, nothing is missing and nothing else leaks out.
#![cfg(all(unix, feature = "export", not(miri)))]

#[path = "support/tools.rs"]
mod tools;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The functions, said once more and by hand: those of `semantics.md` that are there so far, and olemem's own that
/// make allocations fail.
const FUNCTIONS: [&str; 53] = [
    "BSTR_UserFree",
    "BSTR_UserFree64",
    "BSTR_UserMarshal",
    "BSTR_UserMarshal64",
    "BSTR_UserSize",
    "BSTR_UserSize64",
    "BSTR_UserUnmarshal",
    "BSTR_UserUnmarshal64",
    "BstrFromVector",
    "CoGetMalloc",
    "CoRegisterMallocSpy",
    "CoRevokeMallocSpy",
    "CoTaskMemAlloc",
    "CoTaskMemFree",
    "CoTaskMemRealloc",
    "ProgIDFromCLSID",
    "SHStrDupA",
    "SHStrDupW",
    "SafeArrayAccessData",
    "SafeArrayCreate",
    "SafeArrayCreateVector",
    "SafeArrayDestroy",
    "SafeArrayGetDim",
    "SafeArrayGetElemsize",
    "SafeArrayGetLBound",
    "SafeArrayGetUBound",
    "SafeArrayGetVartype",
    "SafeArrayLock",
    "SafeArrayUnaccessData",
    "SafeArrayUnlock",
    "SetOaNoCache",
    "StringFromCLSID",
    "StringFromGUID2",
    "StringFromIID",
    "SysAddRefString",
    "SysAllocString",
    "SysAllocStringByteLen",
    "SysAllocStringLen",
    "SysFreeString",
    "SysReAllocString",
    "SysReAllocStringLen",
    "SysReleaseString",
    "SysStringByteLen",
    "SysStringLen",
    "VarBstrCat",
    "VarBstrCmp",
    "VectorFromBstr",
    "olemem_bstr_marshal",
    "olemem_bstr_unmarshal",
    "olemem_fault_allocations",
    "olemem_fault_begin",
    "olemem_fault_end",
    "olemem_fault_failures",
];

/// What the feature `audit` adds: olemem's own.
const AUDIT: [&str; 33] = [
    "olemem_call_abandon",
    "olemem_call_allow",
    "olemem_call_array",
    "olemem_call_begin",
    "olemem_call_buffer",
    "olemem_call_end",
    "olemem_call_end_with",
    "olemem_call_free_bstr",
    "olemem_call_in",
    "olemem_call_inout",
    "olemem_call_out",
    "olemem_call_out_array",
    "olemem_counting_known_as",
    "olemem_counting_object",
    "olemem_counting_references",
    "olemem_counting_state",
    "olemem_ignore",
    "olemem_input_begin",
    "olemem_input_end",
    "olemem_literal",
    "olemem_report_count",
    "olemem_report_counts",
    "olemem_report_errors",
    "olemem_report_is_clean",
    "olemem_report_kind",
    "olemem_report_release",
    "olemem_report_text",
    "olemem_report_warnings",
    "olemem_session_begin",
    "olemem_session_check",
    "olemem_session_end",
    "olemem_session_join",
    "olemem_session_leave",
];

/// What the audit has besides, by a plain name and not for calling: where a debugger stops, and what the mode byte finds
/// it by.
const UNDECLARED: [&str; 2] = ["olemem_check_process", "olemem_on_violation"];

/// The data.
const DATA: [&str; 3] = ["IID_IMalloc", "IID_IMallocSpy", "IID_IUnknown"];

/// Without the audit.
fn expected() -> BTreeSet<String> {
    FUNCTIONS.iter().chain(&DATA).map(|&s| s.into()).collect()
}

/// With it.
fn all() -> BTreeSet<String> {
    let audit = AUDIT.iter().map(|&s| s.into());
    expected().into_iter().chain(audit).collect()
}

/// What a value is to a calling convention.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Pointer,
    Unsigned16,
    Signed32,
    Unsigned32,
    Unsigned64,
    Word,
    Nothing,
}

use Shape::{Nothing, Pointer, Signed32, Unsigned16, Unsigned32, Unsigned64, Word};

/// Parameters and result; data has none.
type Signature = Option<(Vec<Shape>, Shape)>;

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The text up to the bracket that closes what `text` is just inside of.
fn bracketed(text: &str) -> &str {
    let mut depth = 1;
    for (at, letter) in text.char_indices() {
        match letter {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return &text[..at];
        }
    }
    panic!("no closing bracket: {text}");
}

/// Splits at the commas that no bracket encloses.
fn comma_separated(text: &str) -> Vec<&str> {
    let mut depth = 0;
    text.split(|letter| {
        match letter {
            '(' | '<' => depth += 1,
            ')' | '>' => depth -= 1,
            _ => {}
        }
        letter == ',' && depth == 0
    })
    .map(str::trim)
    .filter(|part| !part.is_empty())
    .collect()
}

/// The identifier that `text` begins with.
fn identifier(text: &str) -> &str {
    let end = text
        .find(|letter: char| !letter.is_alphanumeric() && letter != '_')
        .unwrap_or(text.len());
    &text[..end]
}

// ------------------------------------------------------------------------------------ the Rust

/// Every Rust file below `dir`.
fn rust_files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).expect("the sources are there") {
        let path = entry.expect("the sources can be read").path();
        if path.is_dir() {
            found.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

fn rust_shape(of: &str) -> Shape {
    match of.trim() {
        "" => Nothing,
        "u16" => Unsigned16,
        "u32" => Unsigned32,
        "u64" => Unsigned64,
        "i32" | "HResult" => Signed32,
        "usize" => Word,
        pointer if pointer.starts_with("*const ") || pointer.starts_with("*mut ") => Pointer,
        function if function.starts_with("Option<unsafe extern \"system\" fn(") => Pointer,
        other => panic!("a type that no C function has: {other}"),
    }
}

/// What `src/export` gives its plain name to the linker.
fn defined() -> BTreeMap<String, Signature> {
    let mut found = BTreeMap::new();
    for path in rust_files(&tools::root().join("src/export")) {
        for item in read(&path).split("#[unsafe(no_mangle)]").skip(1) {
            let item = item.trim_start();
            let (name, signature) = if let Some(rest) = item.strip_prefix("pub static ") {
                (identifier(rest), None)
            } else {
                let (head, rest) = item.split_once("fn ").expect("a function or a static");
                assert!(
                    head == "pub extern \"system\" " || head == "pub unsafe extern \"system\" ",
                    "{}: {head}",
                    path.display()
                );
                let name = identifier(rest);
                let parameters = bracketed(&rest[name.len() + 1..]);
                let after = &rest[name.len() + parameters.len() + 2..];
                let (result, _) = after.split_once('{').expect("a body");
                let shapes = comma_separated(parameters)
                    .into_iter()
                    .map(|parameter| rust_shape(parameter.split_once(':').expect("a type").1));
                let result = rust_shape(result.trim().trim_start_matches("->"));
                (name, Some((shapes.collect(), result)))
            };
            let before = found.insert(name.to_owned(), signature);
            assert!(before.is_none(), "{name} is defined twice");
        }
    }
    found
}

/// Only `src/export` names symbols, and only in the one way that [`defined`] reads; but for what no header declares.
#[test]
fn no_symbol_is_named_elsewhere() {
    let root = tools::root().join("src");
    for path in rust_files(&root) {
        let source = read(&path);
        let lines: Vec<&str> = source.lines().map(str::trim).collect();
        for (number, line) in lines.iter().enumerate() {
            let names = line.starts_with('#')
                && (line.contains("no_mangle") || line.contains("export_name"));
            let undeclared = lines[number..].iter().take(3).any(|line| {
                UNDECLARED
                    .iter()
                    .any(|name| line.contains(&format!("fn {name}(")))
            });
            assert!(
                !names
                    || undeclared
                    || *line == "#[unsafe(no_mangle)]" && path.starts_with(root.join("export")),
                "{}:{}: {line}",
                path.display(),
                number + 1
            );
        }
    }
}

/// What a report takes for olemem's own, and leaves out of its stacks.
#[test]
fn reports_know_every_function_by_name() {
    let source = read(&tools::root().join("src/audit/frame.rs"));
    let (_, list) = source
        .split_once("const EXPORTS: &[&str] = &[")
        .expect("the list");
    let (list, _) = list.split_once(']').expect("its end");
    let known: BTreeSet<&str> = comma_separated(list)
        .into_iter()
        .map(|name| name.trim_matches('"'))
        .collect();
    let expected = FUNCTIONS.into_iter().chain(AUDIT).collect();
    assert_eq!(known, expected);
}

// ------------------------------------------------------------------------------------ the header

/// `olemem.h` without its comments.
fn header() -> String {
    let text = read(&tools::root().join("src/export/include/olemem.h"));
    let mut bare = String::new();
    let mut rest = text.as_str();
    while let Some((before, comment)) = rest.split_once("/*") {
        bare += before;
        bare.push(' ');
        rest = comment.split_once("*/").expect("the comment ends").1;
    }
    bare + rest
}

fn c_shapes(parameters: &str) -> Vec<Shape> {
    let parameters = comma_separated(parameters).into_iter();
    // C's way of saying that there is none.
    parameters
        .filter(|parameter| *parameter != "void")
        .map(c_shape)
        .collect()
}

fn c_shape(of: &str) -> Shape {
    // Annotations, with what they have in brackets, say nothing to the compiler.
    let mut bare = String::new();
    let mut rest = of;
    while let Some(at) = rest.find("_In").or_else(|| rest.find("_Out")) {
        bare += &rest[..at];
        rest = &rest[at + identifier(&rest[at..]).len()..];
        if let Some(inside) = rest.strip_prefix('(') {
            rest = &inside[bracketed(inside).len() + 1..];
        }
    }
    bare += rest;
    if bare.contains('*') {
        return Pointer;
    }
    match bare.split_whitespace().next().expect("a type") {
        "void" => Nothing,
        "VARTYPE" => Unsigned16,
        "UINT" | "ULONG" | "DWORD" | "LCID" => Unsigned32,
        "INT" | "LONG" | "int" | "HRESULT" => Signed32,
        "SIZE_T" | "size_t" => Word,
        "olemem_session" | "olemem_fault" | "uint64_t" => Unsigned64,
        "BSTR" | "LPVOID" | "LPMALLOCSPY" | "LPCSTR" | "LPCWSTR" | "LPOLESTR" | "REFCLSID"
        | "REFIID" | "REFGUID" => Pointer,
        other => panic!("an unknown type: {other}"),
    }
}

/// What `olemem.h` declares.
fn declared() -> BTreeMap<String, Signature> {
    let header = header();
    // Macro bodies speak of `extern` too, and declare nothing by themselves.
    let mut statements = String::new();
    let mut continued = false;
    for line in header.lines() {
        let directive = continued || line.trim_start().starts_with('#');
        continued = directive && line.ends_with('\\');
        if !directive {
            statements += line;
            statements.push('\n');
        }
    }
    let mut found = BTreeMap::new();
    for statement in statements.split(';').map(str::trim) {
        // A body that ends just before stays in front of the next declaration.
        let statement = statement.trim_start_matches(|c: char| c == '}' || c.is_whitespace());
        let (name, signature) = if let Some(rest) = statement.strip_prefix("EXTERN_C const IID ") {
            (identifier(rest), None)
        } else if let Some(rest) = statement
            .strip_prefix("WINOLEAUTAPI")
            .or_else(|| statement.strip_prefix("WINOLEAPI"))
        {
            let (result, rest) = match rest.strip_prefix("_(") {
                Some(rest) => {
                    let result = bracketed(rest);
                    (result, &rest[result.len() + 1..])
                }
                None => ("HRESULT", rest),
            };
            let rest = rest.trim_start();
            let name = identifier(rest);
            let parameters = bracketed(&rest[name.len() + 1..]);
            (name, Some((c_shapes(parameters), c_shape(result))))
        } else if let Some(rest) = statement.strip_prefix("EXTERN_C ") {
            let (head, rest) = rest.split_once('(').expect("a function");
            let parameters = bracketed(rest);
            let name = head.rsplit([' ', '*']).next().expect("a name");
            let result = c_shape(&head[..head.len() - name.len()]);
            (name, Some((c_shapes(parameters), result)))
        } else {
            assert!(
                !statement.contains("EXTERN_C"),
                "not understood: {statement}"
            );
            continue;
        };
        let before = found.insert(name.to_owned(), signature);
        assert!(before.is_none(), "{name} is declared twice");
    }
    found
}

#[test]
fn what_is_defined_is_declared_and_the_other_way_round() {
    let defined = defined();
    let declared = declared();
    let names = |list: &BTreeMap<String, Signature>| list.keys().cloned().collect::<BTreeSet<_>>();
    assert_eq!(names(&declared), all(), "olemem.h");
    assert_eq!(names(&defined), all(), "src/export");
    for (name, signature) in &declared {
        assert_eq!(signature, &defined[name], "{name}");
    }
    for name in DATA {
        assert_eq!(declared[name], None);
    }
}

/// A compiler reads the header too: nothing is declared behind a macro's back.
#[test]
fn a_compiler_finds_the_same_declarations() {
    let Some(cc) = tools::tool(&["cc", "gcc", "clang"]) else {
        return;
    };
    let output = tools::run_ok(
        Command::new(cc)
            .args(["-E", "-P", "-x", "c"])
            .arg(tools::root().join("src/export/include/olemem.h")),
    );
    let text = String::from_utf8_lossy(&output.stdout).replace('\n', " ");
    let found: BTreeSet<String> = text
        .split(';')
        .filter_map(|statement| statement.split_once("extern ").map(|(_, rest)| rest))
        .map(|rest| rest.split('(').next().expect("there is a first").trim_end())
        .map(|rest| rest.rsplit([' ', '*']).next().expect("a name").to_owned())
        .collect();
    assert_eq!(found, all());
}

// --------------------------------------------------------------------------------- the libraries

/// The plain names that `nm` shows, without the underscore that macOS puts before each.
fn symbols(nm: &Path, args: &[&str], library: &Path) -> BTreeSet<String> {
    let output = tools::run_ok(Command::new(nm).args(args).arg(library));
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace().rev();
            let name = words.next()?;
            // "ADDRESS LETTER NAME"; a line of an archive that names its member has one word.
            words.next().filter(|letter| letter.len() == 1)?;
            Some(if cfg!(target_os = "macos") {
                name.strip_prefix('_').unwrap_or(name).to_owned()
            } else {
                name.to_owned()
            })
        })
        .collect()
}

/// Global symbols that are defined: in a shared library, those that other libraries see.
fn visible(shared: bool) -> &'static [&'static str] {
    match (cfg!(target_os = "macos"), shared) {
        (true, _) => &["-gU"],
        (false, true) => &["-D", "--defined-only"],
        (false, false) => &["-g", "--defined-only"],
    }
}

#[test]
fn the_shared_library_shows_the_list_and_nothing_else() {
    let Some(nm) = tools::tool(&["nm", "llvm-nm"]) else {
        return;
    };
    let library = tools::library(tools::Library::Shared);
    let found = symbols(&nm, visible(true), &library);
    // A 16-bit `wcslen` would take the place of the C library's in every program.
    assert!(!found.contains("wcslen"));
    assert_eq!(found, expected());
}

#[test]
fn the_audit_adds_its_own_and_nothing_else() {
    let Some(nm) = tools::tool(&["nm", "llvm-nm"]) else {
        return;
    };
    let library = tools::library_with(tools::Library::Shared, "export,audit");
    let undeclared = UNDECLARED.iter().map(|&name| name.into());
    let expected: BTreeSet<String> = all().into_iter().chain(undeclared).collect();
    assert_eq!(symbols(&nm, visible(true), &library), expected);
}

#[test]
fn the_static_library_has_the_list() {
    let Some(nm) = tools::tool(&["nm", "llvm-nm"]) else {
        return;
    };
    let library = tools::library(tools::Library::Static);
    let found = symbols(&nm, visible(false), &library);
    let expected = expected();
    let missing: Vec<_> = expected.difference(&found).collect();
    assert!(missing.is_empty(), "{missing:?}");
    assert!(!found.iter().any(|name| AUDIT.contains(&&**name)));
    // Beside the list there is what Rust brings, under names of its own. Of other Windows names and
    // of the C library's there must be none.
    for name in ["wcslen", "malloc", "free", "calloc", "realloc"] {
        assert!(!found.contains(name), "{name}");
    }
    let windows = [
        "Sys",
        "SetOa",
        "Var",
        "Vector",
        "Bstr",
        "Safe",
        "Co",
        "SH",
        "StringFrom",
        "ProgID",
        "IID_",
        "BSTR_",
    ];
    let others: Vec<_> = found
        .difference(&expected)
        .filter(|name| {
            windows.iter().any(|prefix| {
                name.strip_prefix(prefix)
                    .is_some_and(|rest| rest.starts_with(|letter: char| letter.is_uppercase()))
            })
        })
        .collect();
    assert!(others.is_empty(), "{others:?}");
}

#[test]
fn without_the_feature_there_are_no_symbols() {
    let Some(nm) = tools::tool(&["nm", "llvm-nm"]) else {
        return;
    };
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("no-export");
    tools::run_ok(
        tools::build_into(&mut Command::new(env!("CARGO")), &target, "no-export")
            .current_dir(tools::root())
            .args(["rustc", "--quiet", "--lib", "--crate-type", "staticlib"]),
    );
    let found = symbols(&nm, visible(false), &target.join("debug/libolemem.a"));
    // Not empty by mistake: Rust's own are there.
    assert!(found.len() > 100, "{} symbols", found.len());
    let leaked: Vec<_> = expected().intersection(&found).cloned().collect();
    assert!(leaked.is_empty(), "{leaked:?}");
}
