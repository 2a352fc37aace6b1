//! How many instructions a string costs, counted by callgrind: a number that is the same on a machine that is
//! busy, so that it can have a limit. Each program runs with N and with 2 N strings; what it does besides cancels
//! out.
//!
//! The limits are what was counted, and a few for another compiler. One that is passed says that the short way
//! through the heap has become longer.
#![cfg(all(
    target_os = "linux",
    target_arch = "x86_64",
    feature = "export",
    not(miri)
))]

#[path = "support/clients.rs"]
mod clients;
#[path = "support/tools.rs"]
mod tools;

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Strings of so many units are copied without the C library's help, which differs from machine to machine.
const UNITS: [&str; 2] = ["4", "16"];

/// The most instructions that a string may cost, made and freed, the loop around it included.
const BY_RUST: u64 = 147;
const BY_STATIC_LIBRARY: u64 = 145;
const BY_SHARED_LIBRARY: u64 = 147;

/// What two calls may cost more because somebody could listen.
const SEAM: u64 = 2 * 3;

/// A Rust program that does what `tests/c/pairs.c` does.
const PAIRS: &str = r#"
use std::hint::black_box;

use olemem::{UnitLen, raw};

fn main() {
    let arguments: Vec<u64> = std::env::args()
        .skip(1)
        .map(|number| number.parse().expect("a number"))
        .collect();
    let text = vec![0x61_u16; arguments[0] as usize];
    let mut seen = 0;
    for _ in 0..arguments[1] {
        let bstr = black_box(unsafe {
            raw::alloc_units(black_box(text.as_ptr()), UnitLen::new(black_box(arguments[0] as u32)))
        });
        seen += u64::from(unsafe { bstr.cast::<u32>().sub(1).read() });
        unsafe { raw::free(bstr) };
    }
    assert_eq!(seen, arguments[0] * arguments[1] * 2);
}
"#;

/// The instructions that a program runs through, as callgrind counts them. Valgrind is there, and the heap is not to
/// step aside for it unless `modes` says so.
fn instructions(valgrind: &Path, program: &Path, modes: &str, arguments: &[&str]) -> u64 {
    let output = tools::run_ok(
        Command::new(valgrind)
            .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
            .arg(program)
            .args(arguments)
            .env("OLEMEM", modes)
            .env_remove("OANOCACHE"),
    );
    let said = String::from_utf8_lossy(&output.stderr);
    let line = tools::line_with(&said, "Collected :");
    let number = line.rsplit(' ').next().expect("a last word");
    number.parse().expect("a number")
}

/// The instructions of one string.
fn of_one(valgrind: &Path, program: &Path, arguments: &[&str]) -> u64 {
    const TIMES: u64 = 20_000;
    let count = |times: u64| {
        let times = times.to_string();
        let arguments: Vec<&str> = arguments.iter().copied().chain([times.as_str()]).collect();
        instructions(valgrind, program, "plain", &arguments)
    };
    let (once, twice) = (count(TIMES), count(2 * TIMES));
    // Rounded: now and then a magazine is filled.
    (twice - once + TIMES / 2) / TIMES
}

/// The Rust program over olemem with these features. `None` where the registry's packages are not at hand.
fn rust_program(features: &str) -> Option<PathBuf> {
    let name = format!("pairs-rust-{}", features.replace(',', "-"));
    let dir = tools::scratch(&name);
    let root = tools::root().to_str().expect("a path that TOML can hold");
    let features = match features {
        "" => String::new(),
        some => some
            .split(',')
            .map(|one| format!("{one:?},"))
            .collect::<String>(),
    };
    let manifest = format!(
        "[package]\nname = \"pairs\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[workspace]\n\n\
         [dependencies]\nolemem = {{ path = {root:?}, features = [{features}] }}\n"
    );
    fs::write(dir.join("Cargo.toml"), manifest).expect("a file");
    fs::create_dir(dir.join("src")).expect("a folder");
    fs::write(dir.join("src/main.rs"), PAIRS).expect("a file");
    // The versions that are here already.
    let lock = tools::root().join("Cargo.lock");
    if lock.is_file() {
        fs::copy(lock, dir.join("Cargo.lock")).expect("a file");
    }
    let target = dir.with_extension("target");
    let output = tools::run(clients::cargo(&dir, &target).args([
        "build",
        "--quiet",
        "--release",
        "--offline",
    ]));
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains("offline"), "{said}");
        tools::skipped(&["registry"], &said);
        return None;
    }
    Some(target.join("release/pairs"))
}

/// The C program over a library as it is installed.
fn c_program(compiler: &Path, name: &str, kind: tools::Library) -> PathBuf {
    let dir = tools::scratch(&format!("{name}-{kind:?}"));
    let program = dir.join(name);
    let library = tools::library_with(kind, "export,audit");
    let mut command = Command::new(compiler);
    command
        .args(["-std=c11", "-O2"])
        .arg(tools::include_flag())
        .arg(tools::root().join(format!("tests/c/{name}.c")))
        .arg(&library)
        .args(tools::system_libraries())
        .arg(OsStr::new("-o"))
        .arg(&program);
    if kind == tools::Library::Shared {
        let folder = library.parent().expect("a library in a folder");
        command.arg(format!("-Wl,-rpath,{}", folder.display()));
    }
    tools::run_ok(&mut command);
    program
}

#[test]
fn a_string_by_the_c_functions() {
    let (Some(valgrind), Some(compiler)) =
        (tools::tool(&["valgrind"]), tools::tool(&["gcc", "cc"]))
    else {
        return;
    };
    for (kind, most) in [
        (tools::Library::Static, BY_STATIC_LIBRARY),
        (tools::Library::Shared, BY_SHARED_LIBRARY),
    ] {
        let program = c_program(&compiler, "pairs", kind);
        for units in UNITS {
            let counted = of_one(&valgrind, &program, &["bstr", units]);
            let malloc = of_one(&valgrind, &program, &["malloc", units]);
            println!("{kind:?}, {units} units: {counted} instructions; malloc: {malloc}");
            assert!(counted <= most, "{kind:?}, {units} units: {counted}");
        }
    }
}

#[test]
fn a_string_by_rust_and_what_the_seam_costs() {
    let Some(valgrind) = tools::tool(&["valgrind"]) else {
        return;
    };
    let (Some(without), Some(with)) = (rust_program(""), rust_program("export,audit")) else {
        return;
    };
    for units in UNITS {
        let plain = of_one(&valgrind, &without, &[units]);
        let seam = of_one(&valgrind, &with, &[units]);
        println!("{units} units: {plain} instructions, {seam} with the seam");
        assert!(plain <= BY_RUST, "{units} units: {plain}");
        assert!(seam <= plain + SEAM, "{units} units: {plain}, then {seam}");
    }
}

/// Where each block is one of the backing's, as under a memory checker, the audit still finds the block that a source
/// lies in without a look at all of them: what a copy costs does not grow with what is live.
#[test]
fn a_string_from_the_middle_of_a_block_among_many() {
    let (Some(valgrind), Some(compiler)) =
        (tools::tool(&["valgrind"]), tools::tool(&["gcc", "cc"]))
    else {
        return;
    };
    const TIMES: u64 = 2_000;
    let program = c_program(&compiler, "middle", tools::Library::Static);
    let [few, many] = ["100", "6400"].map(|held| {
        let [once, twice] = [TIMES, 2 * TIMES].map(|times| {
            let modes = "pass-through,check,backtrace=off";
            let times = times.to_string();
            instructions(&valgrind, &program, modes, &[held, times.as_str()])
        });
        (twice - once) / TIMES
    });
    println!("from the middle: {few} instructions among 100 blocks, {many} among 6400");
    assert!(many < 2 * few, "{few} among 100 blocks, {many} among 6400");
}
