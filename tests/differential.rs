//! The same random calls over olemem and over Wine, observation by observation.
//!
//! `tests/c/differential.c` is one C program for both worlds: a seeded sequence of calls that holds
//! every result against its own model and prints a running hash of what it observed. Natively it runs
//! over olemem's C library; where MinGW and Wine are present it runs over Wine's oleaut32 and ole32
//! too, and the hashes must agree. At the first hash that does not, both run again and print that
//! window call by call.
//!
//! `OLEMEM_DIFF_SEED` (one seed, decimal or `0x…`) and `OLEMEM_DIFF_OPS` (calls a seed) make a longer
//! or another run.
#![cfg(all(unix, feature = "export", not(miri)))]

#[path = "support/tools.rs"]
mod tools;

use std::env;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

const SEEDS: [u64; 3] = [1, 0x0001_BE57, 0xFEED_FACE_CAFE_BEEF];
const OPERATIONS: u64 = 200_000;
/// How many calls one printed hash stands for.
const WINDOW: u64 = 1000;

fn number(name: &str) -> Option<u64> {
    let text = env::var(name).ok()?;
    let parsed = match text.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16),
        None => text.parse(),
    };
    Some(parsed.unwrap_or_else(|error| panic!("{name}={text}: {error}")))
}

fn seeds() -> Vec<u64> {
    number("OLEMEM_DIFF_SEED").map_or_else(|| SEEDS.to_vec(), |seed| vec![seed])
}

fn operations() -> u64 {
    number("OLEMEM_DIFF_OPS").unwrap_or(OPERATIONS)
}

fn source() -> PathBuf {
    tools::root().join("tests/c/differential.c")
}

/// One of the two worlds: how to start the program there.
struct World {
    name: &'static str,
    /// The program, after a launcher if there is one.
    words: Vec<PathBuf>,
    env: Vec<(&'static str, PathBuf)>,
    scratch: PathBuf,
}

/// What a run printed, and how it ended.
struct Outcome {
    lines: Vec<String>,
    errors: String,
    status: ExitStatus,
}

impl World {
    fn native(scratch: &Path, more: &[PathBuf]) -> Option<Self> {
        let cc = tools::tool(&["cc", "gcc", "clang"])?;
        let program = scratch.join("differential");
        tools::run_ok(
            Command::new(cc)
                .args(["-std=c11", "-O1", "-g", "-Wall", "-Wextra"])
                .args(more)
                .arg(tools::include_flag())
                .arg("-o")
                .arg(&program)
                .arg(source())
                .arg(tools::library(tools::Library::Static))
                .args(tools::system_libraries()),
        );
        Some(Self {
            name: "olemem",
            words: vec![program],
            env: Vec::new(),
            scratch: scratch.to_owned(),
        })
    }

    fn wine(scratch: &Path) -> Option<Self> {
        let mingw = tools::tool(&["x86_64-w64-mingw32-gcc"])?;
        let wine = tools::tool(&["wine", "wine64"])?;
        let program = scratch.join("differential.exe");
        tools::run_ok(
            Command::new(mingw)
                .args(["-std=c11", "-O1", "-g", "-Wall", "-Wextra", "-o"])
                .arg(&program)
                .arg(source())
                .args(["-loleaut32", "-lole32", "-luuid", "-lshlwapi"]),
        );
        // Every free and every allocation reaches the allocator.
        let no_cache = ("OANOCACHE", "1".into());
        let world = Self {
            name: "Wine",
            words: vec![wine, program],
            env: tools::under_wine().into_iter().chain([no_cache]).collect(),
            scratch: scratch.to_owned(),
        };
        let first = world.run(&["1", "0"]);
        assert!(first.status.success(), "{}", first.describe(&world));
        Some(world)
    }

    /// Runs the program to its end. What it prints goes to files: Wine's background processes would
    /// hold a pipe open.
    fn run(&self, args: &[&str]) -> Outcome {
        let (stdout, stderr) = (self.scratch.join("stdout"), self.scratch.join("stderr"));
        let create = |path: &Path| Stdio::from(File::create(path).expect("scratch can be written"));
        let mut child = Command::new(&self.words[0])
            .args(&self.words[1..])
            .args(args)
            .env_remove("DISPLAY")
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(create(&stdout))
            .stderr(create(&stderr))
            .spawn()
            .unwrap_or_else(|error| panic!("{:?} cannot be started: {error}", self.words));
        let patience = Duration::from_secs(300 + operations() / 1000);
        let start = Instant::now();
        let status = loop {
            if let Some(status) = child.try_wait().expect("the child is ours") {
                break status;
            }
            if start.elapsed() > patience {
                // If it has ended just now, there is nothing to end.
                let _ = child.kill();
                let _ = child.wait();
                panic!(
                    "{}: no end after {patience:?}, arguments {args:?}",
                    self.name
                );
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        let read = |path: &Path| {
            let bytes = fs::read(path).expect("the file was just written");
            String::from_utf8_lossy(&bytes).into_owned()
        };
        Outcome {
            lines: read(&stdout).lines().map(str::to_owned).collect(),
            errors: read(&stderr),
            status,
        }
    }

    fn run_seed(&self, seed: u64, count: u64) -> Outcome {
        self.run(&[&seed.to_string(), &count.to_string()])
    }

    /// The calls of one window, one line each.
    fn run_window(&self, seed: u64, first: u64, last: u64) -> Outcome {
        let [seed, first, last] = [seed, first, last].map(|number| number.to_string());
        self.run(&[&seed, &last, "-v", &first, &last])
    }
}

impl Outcome {
    /// The end of what was printed.
    fn describe(&self, world: &World) -> String {
        let from = self.lines.len().saturating_sub(4);
        format!(
            "{}: {}\n{}\n{}",
            world.name,
            self.status,
            self.lines[from..].join("\n"),
            self.errors
        )
    }
}

/// The index of the first line that the two do not share.
fn first_difference(left: &[String], right: &[String]) -> Option<usize> {
    (0..left.len().max(right.len())).find(|&at| left.get(at) != right.get(at))
}

/// The first lines from `at` on, after one that both share.
fn excerpt(world: &World, outcome: &Outcome, at: usize) -> String {
    let mut text = format!("--- {} ({})\n", world.name, outcome.status);
    for line in outcome.lines.iter().skip(at.saturating_sub(1)).take(4) {
        writeln!(text, "{line}").expect("a string takes everything");
    }
    text
}

/// Which call of the window of a differing hash differs, in both worlds' own lines.
fn explain(seed: u64, hash: usize, worlds: [&World; 2]) -> String {
    let first = hash as u64 * WINDOW + 1;
    let last = (first + WINDOW - 1).min(operations());
    let outcomes = worlds.map(|world| world.run_window(seed, first, last));
    match first_difference(&outcomes[0].lines, &outcomes[1].lines) {
        Some(at) => format!(
            "{}{}",
            excerpt(worlds[0], &outcomes[0], at),
            excerpt(worlds[1], &outcomes[1], at)
        ),
        None => {
            format!("calls {first} to {last} agree when run again: one world is not repeatable")
        }
    }
}

fn assert_same(seed: u64, worlds: [&World; 2]) {
    let count = operations();
    let outcomes = worlds.map(|world| world.run_seed(seed, count));
    if let Some(hash) = first_difference(&outcomes[0].lines, &outcomes[1].lines) {
        panic!(
            "seed {seed}: the worlds differ\n{}\n{}\n{}",
            explain(seed, hash, worlds),
            outcomes[0].describe(worlds[0]),
            outcomes[1].describe(worlds[1])
        );
    }
    for (world, outcome) in worlds.iter().zip(&outcomes) {
        assert!(outcome.status.success(), "{}", outcome.describe(world));
    }
    // A run that printed nothing agrees with another that printed nothing.
    let hashes = usize::try_from(count / WINDOW + 1).expect("few enough");
    assert_eq!(
        outcomes[0].lines.len(),
        hashes,
        "one hash a window, one at the end"
    );
}

#[test]
fn olemem_keeps_to_the_model() {
    let scratch = tools::scratch("differential-native");
    let Some(native) = World::native(&scratch, &[]) else {
        return;
    };
    for seed in seeds() {
        let outcome = native.run_seed(seed, operations());
        assert!(outcome.status.success(), "{}", outcome.describe(&native));
    }
}

#[test]
fn olemem_and_wine_observe_the_same() {
    if !cfg!(all(target_pointer_width = "64", target_endian = "little")) {
        eprintln!("SKIPPED: the Windows program is built for 64-bit little-endian");
        return;
    }
    let scratch = tools::scratch("differential-wine");
    let Some(wine) = World::wine(&scratch) else {
        return;
    };
    let Some(native) = World::native(&scratch, &[]) else {
        return;
    };
    for seed in seeds() {
        assert_same(seed, [&native, &wine]);
    }
}

/// The model would see a wrong library: each program here has one function answered wrongly, by a
/// macro that stands between its calls and the library.
#[test]
fn the_model_sees_wrong_answers() {
    let scratch = tools::scratch("differential-wrong");
    for define in [
        "SysStringLen(b) SysStringByteLen(b)",
        "SysAllocStringByteLen(p, n) SysAllocStringLen((const OLECHAR *)(p), ((n) + 1) / 2)",
        "SysReAllocStringLen(b, s, n) (SysReAllocString(b, s))",
        "VarBstrCat(l, r, o) VarBstrCat(r, l, o)",
        "VarBstrCmp(l, r, c, f) VarBstrCmp(r, l, c, f)",
        "CoTaskMemAlloc(n) CoTaskMemAlloc((n) + 1)",
    ] {
        let wrong = scratch.join("wrong.h");
        let text = format!("#define COBJMACROS\n#include <windows.h>\n#define {define}\n");
        fs::write(&wrong, text).expect("scratch can be written");
        let include = ["-w".into(), "-include".into(), wrong];
        let Some(world) = World::native(&scratch, &include) else {
            return;
        };
        let outcome = world.run_seed(1, 20_000);
        let text = outcome.describe(&world);
        assert_eq!(outcome.status.code(), Some(1), "{define}: {text}");
        assert!(text.contains("MISMATCH operation"), "{define}: {text}");
    }
}

/// The comparison would see two worlds that differ, and would name the call.
#[test]
fn the_comparison_names_the_call() {
    let scratch = tools::scratch("differential-seeds");
    let Some(world) = World::native(&scratch, &[]) else {
        return;
    };
    let same = world.run_seed(1, 3000);
    let again = world.run_seed(1, 3000);
    assert_eq!(first_difference(&same.lines, &again.lines), None);
    assert_eq!(same.lines.len(), 4, "{:?}", same.lines);
    // The hash runs on, so a difference in the second window shows in the second line and after.
    let window = world.run_window(1, 1001, 2000);
    assert_eq!(window.lines.len(), 1000);
    assert!(
        window.lines[0].starts_with("1001 "),
        "{:?}",
        window.lines[0]
    );
    assert!(window.lines[999].starts_with("2000 "));
    let mut other = window.lines.clone();
    other[345].push('!');
    assert_eq!(first_difference(&window.lines, &other), Some(345));
    other.truncate(12);
    assert_eq!(first_difference(&window.lines, &other), Some(12));
    let shown = excerpt(&world, &window, 345);
    assert!(
        shown.contains("\n1345 ") && shown.contains("\n1346 "),
        "{shown}"
    );
}
