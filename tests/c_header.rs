//! `olemem.h` and the forwarding headers by themselves: every header alone and in any order, in every
//! language and standard, with warnings denied; and its constants against those of Windows.
#![cfg(all(unix, feature = "export", not(miri)))]

#[path = "support/cc.rs"]
mod cc;
#[path = "support/tools.rs"]
mod tools;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use cc::Language::{C, Cxx};
use cc::{Compiler, Language, compilers, silent, text};

/// The names of the headers that users include, found in the folder itself.
fn headers() -> Vec<String> {
    let mut found: Vec<String> = fs::read_dir(tools::include())
        .expect("the folder of headers is there")
        .map(|entry| entry.expect("it can be read").file_name())
        .map(|name| name.into_string().expect("plain names"))
        .collect();
    found.sort();
    let asked_for = [
        "basetsd.h",
        "combaseapi.h",
        "guiddef.h",
        "initguid.h",
        "oaidl.h",
        "objbase.h",
        "objidl.h",
        "objidlbase.h",
        "ole2.h",
        "oleauto.h",
        "olemem.h",
        "shlwapi.h",
        "unknwn.h",
        "unknwnbase.h",
        "winbase.h",
        "windef.h",
        "windows.h",
        "winerror.h",
        "winnt.h",
        "wtypes.h",
        "wtypesbase.h",
    ];
    assert_eq!(found, asked_for);
    found
}

/// What every file that includes a header must be able to say. The sizes are those of Windows, on
/// every platform: `long`, which has 64 bits on most of them, would show at once.
const USES: &str = r#"
#ifdef __cplusplus
#define MUST(condition) static_assert(condition, #condition)
#else
#define MUST(condition) _Static_assert(condition, #condition)
#endif
MUST(sizeof(LONG) == 4);
MUST(sizeof(ULONG) == 4);
MUST(sizeof(DWORD) == 4);
MUST(sizeof(HRESULT) == 4);
MUST(sizeof(BOOL) == 4);
MUST(sizeof(INT) == 4 && sizeof(UINT) == 4);
MUST(sizeof(WCHAR) == 2 && sizeof(OLECHAR) == 2 && sizeof(OLESTR("ab")) == 6);
MUST(sizeof(VARIANT_BOOL) == 2);
MUST(sizeof(LONGLONG) == 8 && sizeof(ULONGLONG) == 8);
MUST(sizeof(SIZE_T) == sizeof(void *) && sizeof(ULONG_PTR) == sizeof(void *));
MUST(sizeof(GUID) == 16);
MUST((LONG)-1 < 0 && (HRESULT)-1 < 0 && (ULONG)-1 > 0 && (DWORD)-1 > 0 && (SIZE_T)-1 > 0);
MUST(FAILED(E_FAIL) && SUCCEEDED(S_FALSE) && HRESULT_FROM_WIN32(14) == E_OUTOFMEMORY);
MUST(LOCALE_USER_DEFAULT == 0x400 && LOCALE_SYSTEM_DEFAULT == 0x800 && LOCALE_INVARIANT == 0x7F);

#undef INTERFACE
#define INTERFACE IThing
DECLARE_INTERFACE_(IThing, IUnknown) {
    STDMETHOD(QueryInterface)(THIS_ REFIID iid, void **object) PURE;
    STDMETHOD_(ULONG, AddRef)(THIS) PURE;
    STDMETHOD_(ULONG, Release)(THIS) PURE;
    STDMETHOD(Put)(THIS_ _In_opt_ BSTR text) PURE;
};
DEFINE_GUID(IID_IThing, 0x6f1a3b52, 0x5c1e, 0x4f7e, 0x9d, 0x7a, 0x0d, 0x6f, 0x3c, 0x0f, 0x2b, 0x11);
STDAPI thing_create(_In_ REFIID iid, _COM_Outptr_ void **object);
STDAPI_(ULONG) thing_count(void);

extern BOOL thing_uses(IUnknown *unknown, IMalloc *task, IMallocSpy *spy, REFIID iid, LONG volatile *n);
BOOL thing_uses(IUnknown *unknown, IMalloc *task, IMallocSpy *spy, REFIID iid, LONG volatile *n) {
    LPCOLESTR literal = OLESTR("text");
    LPWSTR copy = NULL;
    BSTR text = SysAllocString(literal);
    UNREFERENCED_PARAMETER(spy);
    if (FAILED(SHStrDupW(literal, &copy))) {
        copy = NULL;
    }
    CoTaskMemFree(copy);
    SysFreeString(text);
#if !defined(__cplusplus) || defined(CINTERFACE)
    unknown->lpVtbl->AddRef(unknown);
    task->lpVtbl->HeapMinimize(task);
#ifdef COBJMACROS
    IMalloc_Free(task, IMalloc_Alloc(task, 8));
    IMallocSpy_PostHeapMinimize(spy);
    IUnknown_Release(unknown);
#endif
#else
    unknown->AddRef();
    task->HeapMinimize();
    spy->PreHeapMinimize();
#endif
    return InterlockedIncrement(n) == InterlockedDecrement(n) || IsEqualIID(iid, IID_OF(IUnknown));
}
"#;

/// A file of the scratch folder that includes `includes` in turn and then uses what they declare.
fn using(dir: &Path, name: &str, language: Language, includes: &[&str]) -> PathBuf {
    let mut body: String = includes
        .iter()
        .map(|header| format!("#include <{header}>\n"))
        .collect();
    body += match language {
        C => "#define IID_OF(name) &IID_##name\n",
        Cxx => "#define IID_OF(name) IID_##name\n",
    };
    body += USES;
    let path = dir.join(format!("{name}.{}", language.extension()));
    fs::write(&path, body).expect("the scratch folder can be written");
    path
}

/// The ways of compiling that change what the header says.
fn variants(language: Language) -> Vec<&'static [&'static str]> {
    let mut variants: Vec<&[&str]> = vec![
        &[],
        &["-fshort-wchar"],
        &["-DCOBJMACROS", "-DCONST_VTABLE"],
        &["-DINITGUID"],
    ];
    if language == Cxx {
        variants.push(&["-DCINTERFACE", "-DCOBJMACROS"]);
    }
    variants
}

#[test]
fn each_header_stands_alone() {
    let dir = tools::scratch("c-headers-alone");
    let headers = headers();
    for compiler in compilers() {
        let files: Vec<PathBuf> = headers
            .iter()
            .map(|header| {
                let name = format!("{}-{header}", compiler.name);
                using(&dir, &name, compiler.language, &[header])
            })
            .collect();
        // All but one only lead there: what changes its contents changes them behind one as behind any other.
        let some: Vec<&PathBuf> = headers
            .iter()
            .zip(&files)
            .filter(|(header, _)| ["olemem.h", "windows.h", "objbase.h"].contains(&header.as_str()))
            .map(|(_, file)| file)
            .collect();
        let [first, second] = compiler.language.standards();
        let ways = variants(compiler.language)
            .into_iter()
            .map(|variant| (first, variant))
            // What a newer standard changes, no macro of ours does.
            .chain([(second, &[] as &[&str]), (second, &["-fshort-wchar"])]);
        for (standard, variant) in ways {
            let is_plain = standard == first && variant.is_empty();
            let mut command = compiler.command();
            command.args(["-fsyntax-only", standard]).args(variant);
            if is_plain {
                command.args(&files);
            } else {
                command.args(&some);
            }
            silent(&mut command);
        }
    }
}

#[test]
fn headers_come_in_any_order() {
    let dir = tools::scratch("c-headers-order");
    let headers = headers();
    let forward: Vec<&str> = headers.iter().map(String::as_str).collect();
    let backward: Vec<&str> = forward.iter().rev().copied().collect();
    let twice: Vec<&str> = forward.iter().chain(&forward).copied().collect();
    // Also between the C library's headers, which must not mind what we define.
    let system = ["stdio.h", "windows.h", "stdlib.h", "wchar.h", "pthread.h"];
    let orders: [(&str, &[&str]); 4] = [
        ("forward", &forward),
        ("backward", &backward),
        ("twice", &twice),
        ("system", &system),
    ];
    for compiler in compilers() {
        for (name, order) in orders {
            let name = format!("{}-{name}", compiler.name);
            let file = using(&dir, &name, compiler.language, order);
            for variant in variants(compiler.language) {
                silent(
                    compiler
                        .command()
                        .args(["-fsyntax-only", compiler.language.standard()])
                        .args(variant)
                        .arg(&file),
                );
            }
        }
    }
}

/// Every macro with a cast in it, and what is in the namespace, as C++ that has no cast of its own.
const PICKY: &str = r#"
template <typename T> void take(T) {}
void picky(HRESULT code, unsigned word, DWORD error);
void picky(HRESULT code, unsigned word, DWORD error) {
    take(SUCCEEDED(code) || FAILED(code) || IS_ERROR(code) || SUCCEEDED(word) || FAILED(error));
    take(HRESULT_CODE(code) + HRESULT_FACILITY(code) + HRESULT_SEVERITY(code));
    take(SCODE_CODE(code) + SCODE_FACILITY(code) + SCODE_SEVERITY(code));
    take(MAKE_HRESULT(SEVERITY_ERROR, FACILITY_ITF, 1));
    take(MAKE_HRESULT(word, word, word));
    take(MAKE_SCODE(SEVERITY_SUCCESS, FACILITY_NULL, word));
    take(HRESULT_FROM_WIN32(ERROR_OUTOFMEMORY));
    take(HRESULT_FROM_WIN32(error));
    take(_HRESULT_TYPEDEF_(0x80004005));
    take(VARIANT_TRUE);
    take(VARIANT_FALSE);
    take(MAKELANGID(LANG_ENGLISH, SUBLANG_ENGLISH_US));
    take(MAKELCID(MAKELANGID(LANG_ENGLISH, word), SORT_DEFAULT));
    take(PRIMARYLANGID(word));
    take(SUBLANGID(word));
    take(LANGIDFROMLCID(LOCALE_INVARIANT));
    take(LOCALE_SYSTEM_DEFAULT + LOCALE_USER_DEFAULT + LOCALE_NEUTRAL);
    UNREFERENCED_PARAMETER(word);
    const OLECHAR array[] = OLESTR("array");
    take(ARRAYSIZE(array));
    switch (code) {
    case S_FALSE:
    case E_FAIL:
    case HRESULT_FROM_WIN32(ERROR_MORE_DATA):
        take(TRUE);
        break;
    default:
        take(FALSE);
    }
    static_assert(FAILED(E_POINTER) && SUCCEEDED(S_OK) && E_FAIL == MAKE_HRESULT(1, 0, 0x4005), "");
    enum { OF_AN_ENUM = HRESULT_FROM_WIN32(ERROR_ACCESS_DENIED) };
    static_assert(OF_AN_ENUM == E_ACCESSDENIED, "");
    take(IsEqualGUID(GUID_NULL, IID_NULL) && IsEqualIID(IID_NULL, IID_NULL));
    olemem::bstr text(u"text");
    text = olemem::bstr("text");
    take(text == u"text" && text.view() == olemem::bstr::copy_of(text.get()).view());
    take(text.to_utf8() == olemem::to_utf8(text.view()));
    take(SHStrDupW(text.get(), nullptr));
    olemem::session session;
    olemem::session other(std::move(session));
    session = std::move(other);
    swap(session, other);
    olemem::joined joined(session);
    session.assert_clean();
#if defined(__cpp_lib_char8_t)
    text = olemem::bstr(u8"text");
#endif
#if !defined(CINTERFACE)
    IMalloc *task = nullptr;
    take(CoGetMalloc(1, &task));
    IUnknown *unknown = nullptr;
    take(task->QueryInterface(IID_PPV_ARGS(&unknown)));
    take(IsEqualIID(__uuidof(IMalloc), IID_NULL));
#endif
}
"#;

/// What a project may have its compiler warn about, in all that the header has for C++: a macro's warnings are told
/// of the line that uses it.
#[test]
fn a_picky_project_hears_nothing() {
    let dir = tools::scratch("c-headers-picky");
    for compiler in compilers().iter().filter(|known| known.language == Cxx) {
        let mut body = "#include <windows.h>\n#include <oleauto.h>\n".to_owned() + PICKY;
        body += "void constants();\nvoid constants() {\n";
        for (name, _) in constants() {
            body += &format!("    take({name});\n");
        }
        body += "}\n";
        let file = dir.join(format!("{}.cpp", compiler.name));
        fs::write(&file, body).expect("the scratch folder can be written");
        let picky = [
            "-Wold-style-cast",
            "-Wconversion",
            "-Wsign-conversion",
            "-Wshadow",
            "-Wcast-align",
            "-Wcast-qual",
            "-Wzero-as-null-pointer-constant",
        ];
        // Clang does not know this one.
        let useless = (compiler.name == "gxx").then_some("-Wuseless-cast");
        for standard in Cxx.standards() {
            for variant in variants(Cxx) {
                silent(
                    compiler
                        .command()
                        .args(["-fsyntax-only", standard])
                        .args(picky)
                        .args(useless)
                        .args(variant)
                        .arg(&file),
                );
            }
        }
    }
}

/// 32-bit and big-endian targets, by compilers that are there to compile and nothing else.
#[test]
fn the_header_serves_other_targets() {
    let dir = tools::scratch("c-headers-targets");
    for name in ["i686-linux-gnu-gcc", "s390x-linux-gnu-gcc"] {
        let Some(path) = tools::tool(&[name]) else {
            continue;
        };
        let compiler = Compiler {
            path,
            language: C,
            name: "cross",
        };
        let file = using(&dir, name, C, &["windows.h"]);
        for standard in C.standards() {
            for variant in variants(C) {
                silent(
                    compiler
                        .command()
                        .args(["-fsyntax-only", standard])
                        .args(variant)
                        .arg(&file),
                );
            }
        }
    }
}

/// `L"..."` has 32-bit units as a rule. Where it is the wrong type the compiler must say so, and
/// where it is the right one it must not.
#[test]
fn wide_literals_compile_only_where_they_are_16_bit() {
    let dir = tools::scratch("c-headers-wide");
    for compiler in compilers() {
        let file = dir.join(format!(
            "{}.{}",
            compiler.name,
            compiler.language.extension()
        ));
        let body = "#include <windows.h>\nBSTR f(void);\nBSTR f(void) { return SysAllocString(L\"x\"); }\n";
        fs::write(&file, body).expect("the scratch folder can be written");
        let command = || {
            let mut command = compiler.command();
            command
                .args(["-fsyntax-only", compiler.language.standard()])
                .arg(&file);
            command
        };
        let refused = tools::run(&mut command());
        assert!(!refused.status.success(), "{compiler:?} took 32-bit units");
        silent(command().arg("-fshort-wchar"));
    }
}

/// A BSTR that is taken for text that ends in a zero, and a literal that is taken for a BSTR, are mistakes that the
/// compiler tells.
#[test]
fn bstrs_and_literals_are_not_taken_for_each_other() {
    let dir = tools::scratch("c-headers-mistaken");
    let taken = [
        "olemem::alloc_sys_string(OLESTR(\"text\"))",
        "olemem::alloc_sys_string(olemem::view(text))",
        "olemem::bstr::copy_of(text)",
        "olemem::bstr::copy_of(static_cast<const OLECHAR *>(text))",
        "olemem::view(static_cast<const OLECHAR *>(text))",
        "olemem::view(laid_out)",
    ];
    let refused = [
        "olemem::alloc_sys_string(text)",
        "olemem::alloc_sys_string(constant)",
        "olemem::alloc_sys_string(BSTR())",
        "olemem::bstr(text)",
        "olemem::bstr::copy_of(OLESTR(\"text\"))",
        "olemem::view(OLESTR(\"text\"))",
    ];
    for compiler in compilers().into_iter().filter(|one| one.language == Cxx) {
        let compiles = |expression: &str, flag: Option<&str>| {
            let file = dir.join(format!("{}.cpp", compiler.name));
            let body = format!(
                "#include <windows.h>\nvoid f(BSTR text);\nvoid f(BSTR text) {{\n  const BSTR constant = text;\n  \
                 OLECHAR laid_out[8] = {{}};\n  (void)text, (void)constant, (void)laid_out;\n  (void){expression};\n}}\n"
            );
            fs::write(&file, body).expect("the scratch folder can be written");
            let mut command = compiler.command();
            command.args(["-fsyntax-only", Cxx.standard()]).args(flag);
            tools::run(command.arg(&file)).status.success()
        };
        for flag in [None, Some("-fshort-wchar")] {
            assert!(
                compiles(&taken.join(", (void)"), flag),
                "{compiler:?} {flag:?}"
            );
        }
        for expression in refused {
            assert!(!compiles(expression, None), "{compiler:?} {expression}");
        }
        // There a BSTR is a pointer to what a literal has as well.
        assert!(!compiles(refused[0], Some("-fshort-wchar")), "{compiler:?}");
    }
}

/// What a file that only includes the header would add to a program: nothing.
#[test]
fn the_header_defines_no_symbol() {
    let Some(nm) = tools::tool(&["nm"]) else {
        return;
    };
    let dir = tools::scratch("c-headers-symbols");
    for compiler in compilers() {
        for flag in ["-DPLAIN", "-DINITGUID"] {
            let file = dir.join(format!(
                "{}{flag}.{}",
                compiler.name,
                compiler.language.extension()
            ));
            fs::write(&file, "#include <windows.h>\nextern int keep;\nint keep;\n")
                .expect("written");
            let object = file.with_extension("o");
            silent(
                compiler
                    .command()
                    .args([compiler.language.standard(), flag, "-O0", "-c"])
                    .arg(&file)
                    .arg("-o")
                    .arg(&object),
            );
            let output = tools::run_ok(Command::new(&nm).args(["-g", "-P"]).arg(&object));
            let names: Vec<String> = text(&output.stdout)
                .lines()
                .filter_map(|line| line.split_whitespace().next())
                .map(|name| name.trim_start_matches('_').to_owned())
                .collect();
            assert_eq!(names, ["keep"], "{compiler:?} {flag}");
        }
    }
}

/// Two files that both define an identifier make one program, with one identifier in it.
#[test]
fn two_files_may_define_one_identifier() {
    let dir = tools::scratch("c-headers-guid");
    for compiler in compilers() {
        let file = |name: &str, body: &str| {
            let path = dir.join(format!(
                "{name}-{}.{}",
                compiler.name,
                compiler.language.extension()
            ));
            let body = format!(
                "#include <objbase.h>\n#include <initguid.h>\n\
                 DEFINE_OLEGUID(IID_IThing, 0x12345678, 0x9abc, 0xdef0);\n\
                 EXTERN_C const GUID *other(void);\n{body}"
            );
            fs::write(&path, body).expect("the scratch folder can be written");
            path
        };
        let one = file("one", "const GUID *other(void) { return &IID_IThing; }\n");
        let two = file(
            "two",
            "int main(void) { return !(other() == &IID_IThing && IID_IThing.Data1 == 0x12345678 \
             && IID_IThing.Data4[0] == 0xC0 && IID_IThing.Data4[7] == 0x46); }\n",
        );
        let program = dir.join(compiler.name);
        silent(
            compiler
                .command()
                .arg(compiler.language.standard())
                .args([&one, &two])
                .arg("-o")
                .arg(&program),
        );
        tools::run_ok(&mut Command::new(&program));
    }
}

/// Every plain constant of `olemem.h`, with its value as text.
fn constants() -> Vec<(String, String)> {
    let header = fs::read_to_string(tools::root().join("src/export/include/olemem.h"))
        .expect("the header is there");
    let mut found = Vec::new();
    for line in header.lines() {
        if let Some(rest) = line.strip_prefix("#define ") {
            let Some((name, value)) = rest.split_once(' ') else {
                continue;
            };
            let value = value
                .trim()
                .trim_start_matches("_HRESULT_TYPEDEF_(")
                .trim_end_matches(')');
            let plain = value.starts_with(|first: char| first.is_ascii_digit());
            if plain && !name.contains('(') {
                found.push((name.to_owned(), value.to_owned()));
            }
        } else if let Some((name, value)) = line.trim().split_once(" = ")
            && (name.starts_with("MEMCTX_") || name.starts_with("VT_"))
        {
            found.push((name.to_owned(), value.trim_end_matches(',').to_owned()));
        }
    }
    found
}

/// The methods of the C tables, in the order of their slots.
const TABLES: [(&str, &[&str]); 3] = [
    ("IUnknownVtbl", &["QueryInterface", "AddRef", "Release"]),
    (
        "IMallocVtbl",
        &[
            "QueryInterface",
            "AddRef",
            "Release",
            "Alloc",
            "Realloc",
            "Free",
            "GetSize",
            "DidAlloc",
            "HeapMinimize",
        ],
    ),
    (
        "IMallocSpyVtbl",
        &[
            "QueryInterface",
            "AddRef",
            "Release",
            "PreAlloc",
            "PostAlloc",
            "PreFree",
            "PostFree",
            "PreRealloc",
            "PostRealloc",
            "PreGetSize",
            "PostGetSize",
            "PreDidAlloc",
            "PostDidAlloc",
            "PreHeapMinimize",
            "PostHeapMinimize",
        ],
    ),
];

/// The same assertions for our header and, where there is one, for a Windows compiler's.
#[test]
fn method_tables_are_those_of_windows() {
    let mut body = String::from(
        "#define COBJMACROS\n#include <windows.h>\n#include <objbase.h>\n#include <stddef.h>\n",
    );
    for (table, methods) in TABLES {
        for (slot, method) in methods.iter().enumerate() {
            body += &format!(
                "_Static_assert(offsetof({table}, {method}) == {slot} * sizeof(void *), \"{method}\");\n"
            );
        }
        let count = methods.len();
        body +=
            &format!("_Static_assert(sizeof({table}) == {count} * sizeof(void *), \"{table}\");\n");
    }
    let file = tools::scratch("c-tables").join("tables.c");
    fs::write(&file, body).expect("the scratch folder can be written");
    for compiler in compilers().iter().filter(|known| known.language == C) {
        silent(
            compiler
                .command()
                .args(["-fsyntax-only", C.standard()])
                .arg(&file),
        );
    }
    if let Some(mingw) = tools::tool(&["x86_64-w64-mingw32-gcc"]) {
        tools::run_ok(Command::new(mingw).arg("-fsyntax-only").arg(&file));
    }
}

/// A Windows compiler's own headers say what the constants are.
#[test]
fn constants_are_those_of_windows() {
    let Some(mingw) = tools::tool(&["x86_64-w64-mingw32-gcc"]) else {
        return;
    };
    let constants = constants();
    assert!(constants.len() > 90, "{} constants only", constants.len());
    // Newer than some of the headers that judge; documented, and in `semantics.md` where it matters.
    let may_lack = [
        "E_BOUNDS",
        "E_CHANGED_STATE",
        "E_ILLEGAL_STATE_CHANGE",
        "E_ILLEGAL_METHOD_CALL",
        "NORM_IGNOREKASHIDA",
    ];
    let mut body = String::from("#include <windows.h>\n#include <ole2.h>\n#include <olectl.h>\n");
    for (name, value) in &constants {
        let check =
            format!("_Static_assert((int)({name}) == (int)({value}), \"{name} is {value}\");\n");
        if may_lack.contains(&name.as_str()) {
            body += &format!("#ifdef {name}\n{check}#endif\n");
        } else {
            body += &check;
        }
    }
    for expression in [
        "LOCALE_USER_DEFAULT == 0x400",
        "LOCALE_SYSTEM_DEFAULT == 0x800",
        "LOCALE_NEUTRAL == 0",
        "LOCALE_INVARIANT == 0x7F",
        "VARIANT_TRUE == -1",
        "HRESULT_FROM_WIN32(8) == (int)0x80070008",
        "sizeof(LONG) == 4 && sizeof(BOOL) == 4 && sizeof(HRESULT) == 4 && sizeof(OLECHAR) == 2",
    ] {
        body += &format!("_Static_assert({expression}, \"as the header of olemem\");\n");
    }
    let file = tools::scratch("c-constants").join("constants.c");
    fs::write(&file, body).expect("the scratch folder can be written");
    tools::run_ok(
        Command::new(mingw)
            .args(["-fsyntax-only", "-Werror"])
            .arg(&file),
    );
}
