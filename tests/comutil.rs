//! mingw-w64's `comutil.h`, which is in the public domain: its `_bstr_t` compiles over our headers and keeps the
//! rules; the rest of it needs VARIANT, which is not here.
#![cfg(all(unix, feature = "export", feature = "audit", not(miri)))]

#[path = "support/cc.rs"]
mod cc;
#[path = "support/sanitizer.rs"]
mod sanitizer;
#[path = "support/tools.rs"]
mod tools;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use cc::Language::Cxx;
use cc::{compilers, source, text};
use sanitizer::{ASAN_FLAGS, Sanitizer};

/// The header, as the Windows compiler finds it.
fn comutil() -> Option<(PathBuf, String)> {
    let mingw = tools::tool(&["x86_64-w64-mingw32-g++"])?;
    let dir = tools::scratch("comutil-where");
    let file = dir.join("where.cpp");
    fs::write(&file, "#include <comutil.h>\n").expect("the scratch folder can be written");
    let output = tools::run_ok(Command::new(mingw).arg("-M").arg(&file));
    let said = text(&output.stdout);
    let path = said
        .split_whitespace()
        .find(|path| path.ends_with("/comutil.h"))
        .expect("the compiler names what it includes");
    let header = fs::read_to_string(path).expect("the compiler has just read it");
    Some((path.into(), header))
}

#[test]
fn bstr_t_keeps_the_rules() {
    let Some((_, header)) = comutil() else {
        return;
    };
    let (bstr, _) = header
        .split_once("class _variant_t : public")
        .expect("the class on VARIANT comes after the one on BSTR");
    let dir = tools::scratch("comutil");
    let file = dir.join("bstr_t.h");
    // What the rest of the header would have closed.
    fs::write(
        &file,
        format!("{bstr}\n#pragma pop_macro(\"new\")\n#endif\n#endif\n"),
    )
    .expect("the scratch folder can be written");
    for compiler in compilers().iter().filter(|known| known.language == Cxx) {
        let build = |name: &str, flags: &[&str]| {
            let program = dir.join(format!("{name}-{}", compiler.name));
            // Its warnings are not ours.
            tools::run_ok(
                Command::new(&compiler.path)
                    .args([Cxx.standard(), "-fshort-wchar", "-w"])
                    .args(flags)
                    .arg(tools::include_flag())
                    .arg("-I")
                    .arg(&dir)
                    .arg("-I")
                    .arg(tools::root().join("tests/c"))
                    .arg(source("comutil", Cxx))
                    .arg(tools::library_with(tools::Library::Static, "export,audit"))
                    .args(tools::system_libraries())
                    .arg("-o")
                    .arg(&program),
            );
            program
        };
        let passes = |command: &mut Command| {
            let output = tools::run_ok(command);
            assert!(text(&output.stdout).starts_with("ok "), "{compiler:?}");
            assert_eq!(text(&output.stderr), "", "{compiler:?}");
        };
        passes(&mut Command::new(build("plain", &["-O2"])));
        if let Some(sanitizer) = Sanitizer::of(compiler, &dir) {
            passes(&mut sanitizer.run(&build("asan", ASAN_FLAGS)));
        }
    }
}

/// What `docs/c.md` says stops the whole header. If nothing does any more, the page has to be told.
#[test]
fn the_whole_header_wants_variant() {
    let Some((path, _)) = comutil() else {
        return;
    };
    let folder = path.parent().unwrap_or(Path::new("/"));
    let dir = tools::scratch("comutil-whole");
    let file = dir.join("whole.cpp");
    let body = format!(
        "#include <windows.h>\n#include <cstring>\n#define __LONG32 int\n\
         #include \"{}/comutil.h\"\n",
        folder.display()
    );
    fs::write(&file, body).expect("the scratch folder can be written");
    // The one header that it asks for by name.
    fs::write(dir.join("comdef.h"), "").expect("the scratch folder can be written");
    for compiler in compilers().iter().filter(|known| known.name == "gxx") {
        let output = tools::run(
            Command::new(&compiler.path)
                .args([Cxx.standard(), "-fshort-wchar", "-fsyntax-only"])
                .arg(tools::include_flag())
                .arg("-I")
                .arg(&dir)
                .arg(&file),
        );
        let said = text(&output.stderr);
        assert!(!output.status.success(), "it compiles: tell docs/c.md");
        for missing in [
            "tagVARIANT",
            "VARTYPE",
            "V_VT",
            "VariantClear",
            "DECIMAL",
            "CY",
        ] {
            assert!(said.contains(missing), "{missing}: {said}");
        }
        // LONG and INT are one type off Windows, and it has overloads for both.
        assert!(said.contains("cannot be overloaded"), "{said}");
    }
}
