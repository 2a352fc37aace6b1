//! The fuzz targets of `fuzz/`, built by cargo-fuzz as a user builds them: libFuzzer drives, AddressSanitizer
//! watches, and the heap passes every block through to it.
//!
//! Left out of a plain `cargo test` is what is built with a nightly compiler, which takes two minutes.
#![cfg(all(target_os = "linux", not(miri)))]

#[path = "support/clients.rs"]
mod clients;
#[path = "support/installed.rs"]
mod installed;
#[path = "support/tools.rs"]
mod tools;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

/// The folder of the targets. `None` where these sources came without it, as a published package does.
#[track_caller]
fn package() -> Option<PathBuf> {
    let package = tools::root().join("fuzz");
    if package.join("Cargo.toml").is_file() {
        return Some(package);
    }
    tools::skipped(&["cargo-fuzz"], "fuzz is not part of these sources");
    None
}

/// The names of the targets.
fn targets(package: &Path) -> Vec<String> {
    let manifest = fs::read_to_string(package.join("Cargo.toml")).expect("the manifest");
    manifest
        .split("\n[[bin]]\nname = \"")
        .skip(1)
        .map(|bin| bin.split('"').next().expect("a name ends").to_owned())
        .collect()
}

/// Those that are to find nothing.
fn clean_targets(package: &Path) -> Vec<String> {
    let mut targets = targets(package);
    targets.retain(|name| !name.ends_with("_with_a_bug"));
    targets
}

fn names(folder: &Path) -> BTreeSet<String> {
    let entries =
        fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    entries
        .map(|entry| {
            let name = entry.expect("the folder can be read").file_name();
            name.into_string().expect("names are plain")
        })
        .collect()
}

/// What libFuzzer is told of a target: how large an input is at most, and its dictionary, as its file of options says.
fn options(package: &Path, target: &str) -> Vec<String> {
    let file = package.join(format!("options/{target}.options"));
    let text =
        fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let lines = text.strip_prefix("[libfuzzer]\n").expect("one section");
    let options: Vec<String> = lines
        .lines()
        .map(|line| match line.split_once(" = ") {
            Some(("dict", name)) => {
                let dictionary = package.join("dictionaries").join(name);
                assert!(dictionary.is_file(), "{}", dictionary.display());
                format!("-dict={}", dictionary.display())
            }
            Some((key, value)) => format!("-{key}={value}"),
            None => panic!("{}: {line:?}", file.display()),
        })
        .collect();
    assert!(options.iter().any(|option| option.starts_with("-max_len=")));
    options
}

/// Every target has seeds, none of them larger than its inputs may be, and options; there is nothing besides.
#[test]
fn targets_have_what_belongs_to_them() {
    let Some(package) = package() else { return };
    let clean: BTreeSet<_> = clean_targets(&package).into_iter().collect();
    assert!(clean.len() > 6, "{clean:?}");
    assert_eq!(names(&package.join("seeds")), clean);
    let with_options: BTreeSet<_> = clean.iter().map(|name| format!("{name}.options")).collect();
    assert_eq!(names(&package.join("options")), with_options);
    let mut dictionaries = BTreeSet::new();
    for target in &clean {
        let options = options(&package, target);
        let cap = options
            .iter()
            .find_map(|option| option.strip_prefix("-max_len="));
        let cap: u64 = cap.and_then(|cap| cap.parse().ok()).expect("a number");
        let seeds = package.join("seeds").join(target);
        for seed in names(&seeds) {
            let len = fs::metadata(seeds.join(&seed)).expect("a seed").len();
            assert!(len <= cap, "{target}/{seed} has {len} bytes");
        }
        dictionaries.extend(options.iter().filter_map(|option| {
            let path = option.strip_prefix("-dict=")?;
            Path::new(path).file_name()?.to_str().map(str::to_owned)
        }));
    }
    assert_eq!(names(&package.join("dictionaries")), dictionaries);
    let sources: BTreeSet<_> = targets(&package)
        .iter()
        .map(|name| format!("{name}.rs"))
        .collect();
    assert_eq!(names(&package.join("fuzz_targets")), sources);
}

/// cargo-fuzz, and what it has built.
struct Kit {
    package: PathBuf,
    programs: PathBuf,
}

impl Kit {
    /// All targets, built once.
    #[track_caller]
    fn new() -> Option<Self> {
        static BUILT: OnceLock<()> = OnceLock::new();
        tools::tool(&["cargo-fuzz"])?;
        let package = package()?;
        let target = clients::target("fuzz");
        BUILT.get_or_init(|| {
            let mut build = clients::nightly_cargo(&package, &target);
            build.args(["fuzz", "build", "--target-dir"]).arg(&target);
            tools::run_ok(&mut build);
        });
        let host = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
        let programs = target.join(host).join("release");
        Some(Self { package, programs })
    }

    /// A target's program, to be run in a folder.
    fn run(&self, name: &str, dir: &Path) -> Command {
        let mut command = Command::new(self.programs.join(name));
        command.current_dir(dir).env_remove("OLEMEM");
        command
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// How many inputs a run tried.
#[track_caller]
fn runs(said: &str) -> u64 {
    let done = tools::line_with(said, "Done ");
    let runs = done.split_whitespace().nth(1);
    runs.and_then(|runs| runs.parse().ok())
        .unwrap_or_else(|| panic!("{done:?}"))
}

/// The heap does not hand out its own blocks there: an access past the end of a string is one past a block of the
/// sanitizer's, which is as large as the string's is on Windows.
#[test]
#[ignore = "builds with libFuzzer: two minutes"]
fn blocks_pass_through_to_the_sanitizer() {
    let Some(kit) = Kit::new() else { return };
    let dir = tools::scratch("fuzzing");
    let run = |name: &str, text: &str| {
        let input = dir.join(name);
        let bytes: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        fs::write(&input, bytes).expect("the scratch folder can be written");
        tools::run(kit.run("parser_with_a_bug", &dir).arg(&input))
    };
    let kept = run("kept", "name=text");
    assert!(kept.status.success(), "{}", said(&kept));
    for text in ["a", "ab", "name", "a name without a sign"] {
        let broken = run("broken", text);
        assert!(!broken.status.success(), "{text:?} was not found");
        let said = said(&broken);
        // As on Windows: eight bytes with the prefix, the units, the terminator, rounded up.
        let end = 8 + 2 * text.len() + 2;
        let size = end.next_multiple_of(16);
        // What lies behind the terminator is no memory, whether the block ends there or not.
        // (It is "heap-buffer-overflow" or "use-after-poison", by how much of its granule is left.)
        let place = if end == size {
            format!("0 bytes after {size}-byte region")
        } else {
            format!("{end} bytes inside of {size}-byte region")
        };
        tools::line_with(&said, "ERROR: AddressSanitizer: ");
        let told = tools::line_with(&said, "is located");
        assert!(told.contains(&place), "{told}");
        tools::line_with(&said, "READ of size 2");
    }
}

/// The fuzzer finds such an input by itself, in a moment.
#[test]
#[ignore = "builds with libFuzzer: two minutes"]
fn a_parser_with_a_bug_is_found_out() {
    let Some(kit) = Kit::new() else { return };
    let dir = tools::scratch("fuzzing-finds");
    let mut run = kit.run("parser_with_a_bug", &dir);
    let output = tools::run(run.args(["-runs=100000", "-seed=1"]));
    let said = said(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    tools::line_with(&said, "ERROR: AddressSanitizer: ");
    tools::line_with(&said, "Test unit written to ./crash-");
}

/// A few seconds of each, from its seeds on.
#[test]
#[ignore = "builds with libFuzzer: two minutes"]
fn targets_find_nothing() {
    let Some(kit) = Kit::new() else { return };
    let dir = tools::scratch("fuzzing-finds-nothing");
    for name in clean_targets(&kit.package) {
        // What is new goes into the first folder.
        fs::create_dir(dir.join(&name)).expect("the scratch folder can be written");
        let mut run = kit.run(&name, &dir);
        run.args(options(&kit.package, &name))
            .args(["-max_total_time=2", "-timeout=10", "-rss_limit_mb=4096"])
            .arg(&name)
            .arg(kit.package.join("seeds").join(&name));
        let said = said(&tools::run_ok(&mut run));
        assert!(runs(&said) > 200, "{name}: {said}");
    }
}

// ------------------------------------------------------------------------- ownership bugs are findings

const WATCHED: (&str, &str) = ("OLEMEM", "check,halt=first,backtrace=short");

/// An input that leaks, and one that frees twice, end the run with the audit's story; the twin that keeps the rules has
/// nothing to tell of either.
#[test]
#[ignore = "builds with libFuzzer: two minutes"]
fn ownership_bugs_are_findings() {
    let Some(kit) = Kit::new() else { return };
    let dir = tools::scratch("fuzzing-owners");
    let run = |target: &str, text: &str| {
        let input = dir.join("input");
        fs::write(&input, [b"\x80", text.as_bytes()].concat()).expect("it can be written");
        tools::run(kit.run(target, &dir).env(WATCHED.0, WATCHED.1).arg(&input))
    };
    for (text, told) in [
        ("colour=red", None),
        ("colour", Some("error[leak]: a BSTR was never freed")),
        (
            "=red",
            Some("error[double-free]: a BSTR that was freed before is freed again"),
        ),
    ] {
        let kept = run("setting", text);
        assert!(kept.status.success(), "{}", said(&kept));
        assert!(!said(&kept).contains("error["), "{}", said(&kept));
        let broken = run("setting_with_a_bug", text);
        assert_eq!(broken.status.success(), told.is_none(), "{}", said(&broken));
        if let Some(told) = told {
            let said = said(&broken);
            tools::line_with(&said, told);
            tools::line_with(&said, "libFuzzer: deadly signal");
            // One mistake, one story.
            assert_eq!(said.matches("error[").count(), 1, "{said}");
        }
    }
}

/// A target that sets the environment is watched by itself.
#[test]
#[ignore = "builds with libFuzzer: two minutes"]
fn a_target_may_watch_itself() {
    let Some(kit) = Kit::new() else { return };
    let dir = tools::scratch("fuzzing-watched");
    for (target, is_watched) in [("setting", false), ("setting_watched", true)] {
        let said = said(&tools::run_ok(
            kit.run(target, &dir).args(["-runs=50", "-seed=1"]),
        ));
        assert_eq!(
            said.contains("olemem: 0 errors, 0 warnings; "),
            is_watched,
            "{said}"
        );
    }
}

/// The fuzzer finds such inputs by itself, and of the twin none.
#[test]
#[ignore = "builds with libFuzzer: two minutes"]
fn the_fuzzer_finds_ownership_bugs() {
    let Some(kit) = Kit::new() else { return };
    let dir = tools::scratch("fuzzing-owners-finds");
    let run = |target: &str, most: u32| {
        let mut run = kit.run(target, &dir);
        run.env(WATCHED.0, WATCHED.1)
            .args([&format!("-runs={most}"), "-seed=1"]);
        tools::run(run.args(options(&kit.package, "setting")))
    };
    let kept = run("setting", 4000);
    assert!(kept.status.success(), "{}", said(&kept));
    assert_eq!(runs(&said(&kept)), 4000);
    let broken = run("setting_with_a_bug", 20_000);
    let said = said(&broken);
    assert_eq!(broken.status.code(), Some(77), "{said}");
    tools::line_with(&said, "error[");
    tools::line_with(&said, "Test unit written to ./crash-");
}

// ------------------------------------------------------------------------------------- the page

const PAGE: &str = include_str!("../docs/fuzzing.md");

/// The code behind a mark.
#[track_caller]
fn block(mark: &str) -> &'static str {
    let (_, after) = PAGE
        .split_once(&format!("<!-- {mark} -->\n```"))
        .expect("the mark is there");
    let (_, code) = after.split_once('\n').expect("its language is named");
    code.split("```").next().expect("it ends")
}

/// The command that begins so.
#[track_caller]
fn command(beginning: &str) -> &'static str {
    tools::line_with(PAGE, beginning)
}

/// The page's ten lines are the target that is built and tried here.
#[test]
fn the_target_of_the_page_is_the_one_that_runs() {
    let Some(package) = package() else { return };
    let mark = "fuzz/fuzz_targets/setting.rs";
    let file = fs::read_to_string(package.join("fuzz_targets/setting.rs")).expect("the target");
    let (header, code) = file.split_at(file.find("#![no_main]").expect("its attribute"));
    assert!(header.lines().all(|line| line.starts_with("//!")));
    assert_eq!(code, block(mark));
    let is_code = |line: &&str| !line.is_empty() && !line.trim_start().starts_with("//");
    assert!(code.lines().filter(is_code).count() <= 10);
    let watched = package.join("fuzz_targets/setting_watched.rs");
    let watched = fs::read_to_string(watched).expect("the target");
    assert!(watched.ends_with(block("fuzz/fuzz_targets/setting_watched.rs")));
}

/// A package of somebody's, with the function of the page, made ready for fuzzing by the page's command.
#[track_caller]
fn somebody(name: &str) -> Option<PathBuf> {
    tools::tool(&["cargo-fuzz"])?;
    let dir = tools::scratch(name);
    let root = tools::root();
    let manifest = format!(
        "[package]\nname = \"yours\"\nedition = \"2024\"\n\n[dependencies]\nolemem = {{ path = {root:?} }}\n"
    );
    fs::write(dir.join("Cargo.toml"), manifest).expect("the scratch folder can be written");
    fs::create_dir(dir.join("src")).expect("the scratch folder can be written");
    fs::write(dir.join("src/lib.rs"), "pub mod setting;\n").expect("it can be written");
    fs::copy(
        root.join("tests/laws/setting.rs"),
        dir.join("src/setting.rs"),
    )
    .expect("it can be copied");
    let init = command("cargo fuzz init");
    by_the_page(&dir, init);
    Some(dir)
}

/// Runs a command of the page's in somebody's package.
#[track_caller]
fn by_the_page(dir: &Path, command: &str) -> Output {
    let target = clients::target("fuzz");
    let mut shell = clients::without_toolchain(Command::new("sh"), dir, &target);
    shell.args(["-ec", command]).env_remove("OLEMEM");
    tools::run_ok(&mut shell)
}

/// What `cargo fuzz init` leaves is what the page goes on from: a target of this name, and a place for its dependencies.
#[test]
fn the_page_names_the_target_that_it_has_made() {
    let Some(dir) = somebody("fuzzing-init") else {
        return;
    };
    assert_eq!(targets(&dir.join("fuzz")), ["setting"]);
    assert!(dir.join("fuzz/fuzz_targets/setting.rs").is_file());
    let manifest = fs::read_to_string(dir.join("fuzz/Cargo.toml")).expect("the manifest");
    let dependencies = block("fuzz/Cargo.toml");
    let (there, added) = dependencies.split_at(dependencies.find("olemem = ").expect("olemem"));
    assert!(manifest.contains(there), "{manifest}");
    assert_eq!(added.lines().count(), 1);
    for run in [
        "cargo +nightly fuzz run setting",
        "OLEMEM=check,halt=first cargo +nightly fuzz run setting",
    ] {
        assert_eq!(command(run), run);
    }
}

/// The page, command by command.
#[test]
#[ignore = "builds with libFuzzer: two minutes"]
fn the_page_is_followed_to_a_run() {
    let Some(kit) = Kit::new() else { return };
    let Some(dir) = somebody("fuzzing-page") else {
        return;
    };
    let fuzz = dir.join("fuzz");
    let version = "version = \"0.1\"";
    let added = block("fuzz/Cargo.toml");
    assert!(added.contains(version));
    let root = tools::root();
    let added = added.replace(version, &format!("path = {root:?}"));
    // With the kit's features it is the kit's olemem, which is compiled already.
    let features = "\"arbitrary\", \"audit\"";
    assert!(added.contains(features));
    let added = added.replace(features, &format!("{features}, \"export\""));
    let olemem = added.lines().last().expect("olemem's line");
    let manifest = fs::read_to_string(fuzz.join("Cargo.toml")).expect("the manifest");
    let manifest = manifest.replace("[dependencies]\n", &format!("[dependencies]\n{olemem}\n"));
    fs::write(fuzz.join("Cargo.toml"), manifest).expect("it can be written");
    let target = block("fuzz/fuzz_targets/setting.rs").replace("olemem_fuzz::", "yours::");
    fs::write(fuzz.join("fuzz_targets/setting.rs"), target).expect("it can be written");
    // The versions that are at hand.
    fs::copy(kit.package.join("Cargo.lock"), fuzz.join("Cargo.lock")).expect("it can be copied");
    for run in [
        command("cargo +nightly fuzz run setting"),
        command("OLEMEM=check,halt=first cargo +nightly fuzz run setting"),
    ] {
        let output = by_the_page(&dir, &format!("{run} -- -runs=2000 -seed=1"));
        assert_eq!(runs(&said(&output)), 2000);
    }
}

/// Whether the compiler has libFuzzer.
fn has_libfuzzer(dir: &Path) -> bool {
    let file = dir.join("control.cpp");
    let body = "extern \"C\" int LLVMFuzzerTestOneInput(const unsigned char *, unsigned long) { return 0; }\n";
    fs::write(&file, body).expect("the scratch folder can be written");
    let mut build = Command::new("clang++");
    let output = tools::run(
        build
            .arg("-fsanitize=fuzzer,address")
            .arg(&file)
            .arg("-o")
            .arg(dir.join("control")),
    );
    if !output.status.success() {
        tools::skipped(&["libfuzzer"], &said(&output));
    }
    output.status.success()
}

/// The page's program in C++ by its commands, as it is and with mistakes.
#[test]
#[ignore = "builds with libFuzzer: two minutes"]
fn cpp_is_fuzzed_by_the_commands_of_the_page() {
    let dir = tools::scratch("fuzzing-cpp");
    if tools::tool(&["clang++"]).is_none()
        || tools::tool(&["pkg-config"]).is_none()
        || !has_libfuzzer(&dir)
    {
        return;
    }
    let file = fs::read_to_string(tools::root().join("examples/fuzzing/setting.cpp")).expect("it");
    let whole = block("examples/fuzzing/setting.cpp");
    assert_eq!(file.split_once('\n').expect("a comment first").1, whole);
    let prefix = dir.join("prefix");
    installed::into(&prefix);
    let run = |source: &str, command: &str, input: Option<&str>| {
        fs::write(dir.join("setting.cpp"), source).expect("it can be written");
        let mut script = self::command("clang++ -std=c++17").to_owned() + "\n" + command;
        if let Some(input) = input {
            let bytes: Vec<u8> = input.encode_utf16().flat_map(u16::to_le_bytes).collect();
            fs::write(dir.join("input"), bytes).expect("it can be written");
            script += " input";
        }
        tools::run(
            Command::new("sh")
                .args(["-ec", &script])
                .current_dir(&dir)
                .env("PKG_CONFIG_PATH", prefix.join("lib/pkgconfig"))
                .env("LD_LIBRARY_PATH", prefix.join("lib"))
                .env_remove("OLEMEM"),
        )
    };
    let plain = command("./setting -max_len=256");
    let watched = command("OLEMEM=check,halt=first ./setting -max_len=256");
    for command in [plain, watched] {
        let output = run(whole, &format!("{command} -runs=5000"), None);
        assert!(output.status.success(), "{}", said(&output));
        assert_eq!(runs(&said(&output)), 5000);
    }
    let free = "    SysFreeString(name);\n";
    let mistakes = [
        (
            watched,
            whole.replace(free, ""),
            "error[leak]: a BSTR was never freed",
        ),
        (
            watched,
            whole.replace(free, &free.repeat(2)),
            "error[double-free]: a BSTR that was freed before is freed again",
        ),
        (
            plain,
            whole.replace("sign < length && ", ""),
            "AddressSanitizer: use-after-poison",
        ),
    ];
    for (command, source, told) in mistakes {
        assert_ne!(source, whole);
        let input = if command == plain {
            "name"
        } else {
            "name=text"
        };
        let output = run(&source, command, Some(input));
        let said = said(&output);
        assert!(!output.status.success(), "{told}: {said}");
        tools::line_with(&said, told);
    }
}

// --------------------------------------------------------------------------------- the services

/// What ClusterFuzzLite and OSS-Fuzz run builds every target, with all that belongs to it, and the programs work.
#[test]
#[ignore = "builds with libFuzzer: two minutes"]
fn services_build_the_targets_by_their_scripts() {
    let Some(kit) = Kit::new() else { return };
    if tools::tool(&["zip"]).is_none() || tools::tool(&["unzip"]).is_none() {
        return;
    }
    let dir = tools::scratch("fuzzing-services");
    let source = dir.join("src");
    fs::create_dir(&source).expect("the scratch folder can be written");
    std::os::unix::fs::symlink(tools::root(), source.join("olemem")).expect("a link");
    for script in [".clusterfuzzlite/build.sh", "fuzz/oss-fuzz/build.sh"] {
        let out = dir.join("out");
        let _ = fs::remove_dir_all(&out);
        fs::create_dir(&out).expect("the scratch folder can be written");
        let target = clients::target("fuzz");
        let mut build = clients::without_toolchain(Command::new("bash"), &source, &target);
        build
            .arg(tools::root().join(script))
            .env("SRC", &source)
            .env("OUT", &out)
            .env("RUSTUP_TOOLCHAIN", "nightly");
        tools::run_ok(&mut build);
        let mut expected = names(&kit.package.join("dictionaries"));
        for target in clean_targets(&kit.package) {
            expected.insert(format!("{target}.options"));
            expected.insert(format!("{target}_seed_corpus.zip"));
            expected.insert(target);
        }
        assert_eq!(names(&out), expected, "{script}");
    }
    let out = dir.join("out");
    tools::run_ok(
        Command::new("unzip")
            .args(["-q", "image_seed_corpus.zip", "-d", "seeds"])
            .current_dir(&out),
    );
    assert_eq!(
        names(&out.join("seeds")),
        names(&kit.package.join("seeds/image"))
    );
    tools::run_ok(
        Command::new(out.join("image"))
            .args(["-runs=0", "seeds"])
            .current_dir(&out),
    );
}
