//! A place in the program.

use core::fmt;
use std::path::{Path, PathBuf};

/// A place in the program: a function, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Frame {
    /// Its name, as the language has it.
    pub function: Option<String>,
    /// The source file.
    pub file: Option<String>,
    /// The line.
    pub line: Option<u32>,
    /// The address within the program; 0 if it is not known, where the compiler told the line.
    pub address: usize,
}

/// Prefixes of functions that are the languages' own, between olemem and the program.
const LIBRARY: &[&str] = &[
    "core::", "alloc::", "std::", "<core::", "<alloc::", "<std::",
];

/// Names of what is below the program's own functions.
const RUNTIME: &[&str] = &[
    "__libc_start_call_main",
    "__libc_start_main",
    "_start",
    "start_thread",
];

/// What runs a closure in a session, and where it stands.
const RUNNERS: &[(&str, &str)] = &[
    ("olemem::audit::session::check", "src/audit/session.rs"),
    (
        "olemem::audit::sweep::SweepOptions::within",
        "src/audit/sweep.rs",
    ),
];

impl Frame {
    pub(super) fn of(address: usize, symbol: &backtrace::Symbol) -> Self {
        Self {
            function: symbol.name().map(|name| match name.as_str() {
                Some(plain) if !is_mangled(plain) => plain.to_owned(),
                _ => format!("{name:#}"),
            }),
            file: symbol.filename().map(|file| file.display().to_string()),
            line: symbol.lineno(),
            address,
        }
    }

    pub(super) fn unknown(address: usize) -> Self {
        Self {
            function: None,
            file: None,
            line: None,
            address,
        }
    }

    /// A line that the compiler told, of which no address is known.
    fn of_line(file: &str, line: u32) -> Self {
        Self {
            function: None,
            file: Some(file.to_owned()),
            line: Some(line),
            address: 0,
        }
    }

    /// Whether it is olemem's own, whose sources are below `sources`, or the standard library's on the way there.
    ///
    /// By the file as well as by the name: what was inlined may have a short name.
    pub(super) fn is_inside(&self, sources: &str) -> bool {
        let name = self.function.as_deref().unwrap_or("");
        let is_ours = self.file.as_deref().is_some_and(|file| {
            file.starts_with(sources)
                || is_header(file)
                || (file.starts_with("src/") && file.ends_with(".rs") && name.contains("olemem"))
                || (file.contains("/backtrace-0.") && file.contains("/src/"))
        });
        is_ours
            || is_of_crate(name, "olemem")
            || is_of_crate(name, "backtrace")
            || self.is_library()
            || EXPORTS.contains(&name)
    }

    /// Whether it is the handler of a signal.
    pub(super) fn is_handler(&self) -> bool {
        // Where there are lines only, the name has no path.
        let name = self.function.as_deref().unwrap_or("");
        let file = self.file.as_deref().unwrap_or("");
        name == "olemem::audit::trespass::handle"
            || (name == "handle" && file.ends_with("src/audit/trespass.rs"))
    }

    /// Whether it is what runs a closure in a session: `check`, or a run of a sweep.
    fn is_runner(&self) -> bool {
        let name = self.function.as_deref().unwrap_or("");
        let file = self.file.as_deref().unwrap_or("");
        RUNNERS.iter().any(|(path, source)| {
            // Where there are lines only, the name has no path.
            let (_, short) = path.rsplit_once("::").unwrap_or(("", path));
            name.starts_with(path)
                || (file.ends_with(source)
                    && (name.starts_with("{closure")
                        || name
                            .strip_prefix(short)
                            .is_some_and(|rest| rest.starts_with('<'))))
        })
    }

    /// Whether it is olemem's between a callee and its caller: what makes an annotated call.
    fn is_between(&self) -> bool {
        let name = self.function.as_deref().unwrap_or("");
        let file = self.file.as_deref().unwrap_or("");
        let is_invoke = name.starts_with("olemem::crossing::Call<") && name.ends_with("::invoke");
        // Where there are lines only, the name has no path.
        is_invoke
            || (file.ends_with("src/crossing.rs") && name.starts_with("invoke<"))
            || is_header(file)
    }

    /// Whether the program's own functions end above it.
    pub(super) fn is_runtime(&self) -> bool {
        let name = self.function.as_deref().unwrap_or("");
        // A program may have such a name as well.
        let is_systems = |file: &str| SYSTEM_SOURCES.iter().any(|part| file.contains(part));
        (RUNTIME.contains(&name) && self.file.as_deref().is_none_or(is_systems))
            || name.contains("__rust_begin_short_backtrace")
    }

    /// Whether it is the standard library's.
    pub(super) fn is_library(&self) -> bool {
        let name = self.function.as_deref().unwrap_or("");
        match self.file.as_deref() {
            // C++ may have a namespace of such a name.
            Some(file) => is_library(file),
            None => {
                LIBRARY.iter().any(|prefix| name.starts_with(prefix)) || name.starts_with("<fn(")
            }
        }
    }

    fn is_unknown(&self) -> bool {
        self.function.is_none() && self.file.is_none()
    }
}

/// Whether a symbol's name is an encoded one, of C++ or Rust. A C function `i` would be decoded to `int`.
pub(super) fn is_mangled(symbol: &str) -> bool {
    // macOS puts a line before each symbol.
    ["_Z", "__Z", "_R", "__R"]
        .iter()
        .any(|prefix| symbol.starts_with(prefix))
}

/// Parts of the paths of the C library's sources, where it has their names.
const SYSTEM_SOURCES: &[&str] = &["nptl/", "csu/", "sysdeps/"];

/// Parts of the paths of sources that lie between a program and olemem.
const LIBRARY_SOURCES: &[&str] = &[
    "/library/core/src/",
    "/library/alloc/src/",
    "/library/std/src/",
    "/allocator-api2-",
    "/hashbrown-",
];

/// Whether a file is not the program's: the standard library's, or that of collections which call an allocator.
pub(super) fn is_library(file: &str) -> bool {
    file.starts_with('/') && LIBRARY_SOURCES.iter().any(|part| file.contains(part))
}

/// Whether a file is the header: what it has for C++ is compiled into the program.
fn is_header(file: &str) -> bool {
    file.ends_with("/olemem.h")
}

/// Puts the line that the compiler told where the innermost frame has none.
pub(super) fn name_first(frames: &mut Vec<Frame>, file: &str, line: u32) {
    match frames.first_mut() {
        Some(first) if first.line.is_some() => {}
        Some(first) if first.function.is_some() => {
            first.file = Some(file.to_owned());
            first.line = Some(line);
        }
        _ => frames.insert(0, Frame::of_line(file, line)),
    }
}

/// Where olemem's own sources are.
pub(super) const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/");

/// Cuts olemem's own frames away, those between a callee and its caller among them, and what the language's runtime has below `main` and below a thread's function.
pub(super) fn trim(frames: &mut Vec<Frame>, sources: &str) {
    let is_inside = |index: &usize| {
        // A signal's way to its handler has no name.
        let is_signal = *index > 0 && frames[*index - 1].is_handler();
        frames[*index].is_inside(sources) || is_signal
    };
    let inner = (0..frames.len()).take_while(is_inside).count();
    frames.drain(..inner);
    // C's own; what lies below it may have no name.
    if let Some(main) = frames
        .iter()
        .rposition(|frame| frame.function.as_deref() == Some("main"))
    {
        frames.truncate(main + 1);
    }
    let is_end = |frame: &Frame| frame.is_runtime() || frame.is_runner();
    if let Some(outermost) = frames.iter().position(is_end) {
        frames.truncate(outermost);
        while frames.last().is_some_and(Frame::is_library) {
            frames.pop();
        }
    }
    frames.retain(|frame| !frame.is_between());
    let known = frames.iter().rposition(|frame| !frame.is_unknown());
    if let Some(last) = known {
        frames.truncate(last + 1);
    }
}

/// Whether two stacks are the same to the eye: of one line there may be several calls.
pub(super) fn is_same_site(one: &[Frame], other: &[Frame]) -> bool {
    let is_same = |(one, other): (&Frame, &Frame)| {
        let is_known = one.line.is_some();
        one.function == other.function
            && one.file == other.file
            && one.line == other.line
            && (is_known || one.address == other.address)
    };
    one.len() == other.len() && one.iter().zip(other).all(is_same)
}

/// Whether a function is one of a crate's, or implements a trait for one of its types.
fn is_of_crate(function: &str, name: &str) -> bool {
    let rest = function.trim_start_matches('<').trim_start_matches('&');
    rest.strip_prefix(name)
        .is_some_and(|rest| rest.starts_with("::"))
}

/// The C functions, which have no crate in their names. A test holds the list to what is exported.
const EXPORTS: &[&str] = &[
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
    "olemem_fault_allocations",
    "olemem_fault_begin",
    "olemem_fault_end",
    "olemem_fault_failures",
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

impl fmt::Display for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.function {
            Some(function) => f.write_str(function)?,
            None if self.address != 0 || self.file.is_none() => write!(f, "{:#x}", self.address)?,
            None => {}
        }
        if let Some(file) = &self.file {
            let is_first = self.function.is_none() && self.address == 0;
            let here = here();
            let file = below(file, here.as_deref());
            write!(f, "{}at {file}", if is_first { "" } else { " " })?;
            if let Some(line) = self.line {
                write!(f, ":{line}")?;
            }
        }
        Ok(())
    }
}

/// The current directory. Miri, which is isolated from the system, knows of none; there the compiler tells paths, short ones.
pub(super) fn here() -> Option<PathBuf> {
    (!cfg!(miri))
        .then(std::env::current_dir)
        .and_then(Result::ok)
}

/// A path from a directory, if it is below it.
pub(super) fn below<'a>(file: &'a str, here: Option<&Path>) -> &'a str {
    let short = here.and_then(|here| Path::new(file).strip_prefix(here).ok());
    short.and_then(Path::to_str).unwrap_or(file)
}
