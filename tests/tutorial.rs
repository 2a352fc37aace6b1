//! `docs/testing-com-code.md` tells the truth: it is carried out from top to bottom, as a reader would. Its files are written,
//! its changes made, its commands run, and what they print is what it shows.
#![cfg(all(unix, feature = "cli", not(miri)))]

#[path = "support/clients.rs"]
mod clients;
#[path = "support/installed.rs"]
mod installed;
#[path = "support/tools.rs"]
mod tools;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const PAGE: &str = include_str!("../docs/testing-com-code.md");

/// A block of the page that has a mark.
struct Block {
    mark: &'static str,
    code: &'static str,
}

/// The marked blocks of a section, in order.
#[track_caller]
fn section(heading: &str) -> Vec<Block> {
    let (_, section) = PAGE
        .split_once(&format!("\n## {heading}\n"))
        .expect("there is such a section");
    let section = section.split("\n## ").next().unwrap_or_default();
    let blocks = section.split("<!-- ").skip(1).map(|part| {
        let (mark, rest) = part
            .split_once(" -->\n```")
            .expect("a block follows its mark");
        let (_, code) = rest.split_once('\n').expect("its language is named");
        let code = code.split("\n```").next().expect("it ends");
        Block { mark, code }
    });
    blocks.collect()
}

/// Whether a program as it comes from the compiler has the names of its files in it. (On Apple's systems they stay in
/// the objects.)
const NAMES_FILES: bool = cfg!(target_os = "linux");

/// A reader who does what the page says in a folder.
struct Reader<'a> {
    folder: &'a Path,
    /// The command with the environment of a shell in the folder.
    shell: &'a dyn Fn() -> Command,
    /// What the last command printed.
    printed: String,
    /// What was done, by its kind: so that a page whose marks are misspelt is not a page that passes.
    ran: usize,
    compared: usize,
}

impl<'a> Reader<'a> {
    fn new(folder: &'a Path, shell: &'a dyn Fn() -> Command) -> Self {
        Self {
            folder,
            shell,
            printed: String::new(),
            ran: 0,
            compared: 0,
        }
    }

    fn follow(&mut self, blocks: &[Block]) {
        for block in blocks {
            match block.mark.split_once(": ") {
                Some(("file", path)) => self.write(path, block.code),
                Some(("change", path)) => self.change(path, block.code),
                None if block.mark == "run" => self.run(block.code, true),
                None if block.mark == "run, fails" => self.run(block.code, false),
                None if block.mark == "prints" => self.printed(block.code),
                _ => panic!("unknown mark: {}", block.mark),
            }
        }
    }

    fn write(&self, path: &str, code: &str) {
        let path = self.folder.join(path);
        let folder = path.parent().expect("a file is in a folder");
        fs::create_dir_all(folder).expect("the scratch folder can be written");
        fs::write(path, format!("{}\n", localised(code)))
            .expect("the scratch folder can be written");
    }

    /// A patch of one place: its lines stand in the file, once.
    fn change(&self, path: &str, patch: &str) {
        let side = |left_out: char| -> String {
            let lines = patch.lines().filter(|line| !line.starts_with(left_out));
            lines.map(|line| format!("{}\n", &line[1..])).collect()
        };
        let path = self.folder.join(path);
        let file = fs::read_to_string(&path).expect("the file was written");
        let (old, new) = (side('+'), side('-'));
        assert_eq!(file.matches(&old).count(), 1, "{old}");
        fs::write(path, file.replace(&old, &new)).expect("the scratch folder can be written");
    }

    fn run(&mut self, script: &str, succeeds: bool) {
        let script = format!("exec 2>&1\n{script}");
        let output = tools::run((self.shell)().arg("-euc").arg(&script));
        self.printed = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(
            output.status.success(),
            succeeds,
            "{script}\n{}",
            self.printed
        );
        self.ran += 1;
    }

    fn printed(&mut self, shown: &str) {
        let printed = &self.printed;
        if NAMES_FILES {
            assert!(
                printed.contains(&format!("\n{shown}\n"))
                    || printed.starts_with(&format!("{shown}\n")),
                "shown:\n{shown}\nprinted:\n{printed}"
            );
        } else {
            for line in shown.lines().filter(|line| line.starts_with("error[")) {
                assert!(printed.contains(line), "{line}\nprinted:\n{printed}");
            }
        }
        self.compared += 1;
    }
}

/// The page's file with olemem from here instead of from a registry.
fn localised(code: &str) -> String {
    let path = format!("path = {:?}", tools::root());
    code.replace("olemem = \"0.1\"", &format!("olemem = {{ {path} }}"))
        .replace("version = \"0.1\", features", &format!("{path}, features"))
}

/// `PATH` with the command, and with the tools of the toolchain that runs this test.
fn path() -> String {
    let folder = |file: &str| {
        let folder = Path::new(file).parent().expect("a file is in a folder");
        folder.display().to_string()
    };
    let outer = std::env::var("PATH").unwrap_or_default();
    let command = folder(env!("CARGO_BIN_EXE_olemem"));
    format!("{command}:{}:{outer}", folder(env!("CARGO")))
}

/// A shell in a folder, whose environment says nothing of this test's Cargo, nor to olemem.
fn shell(folder: &Path, target: &Path) -> Command {
    let mut shell = clients::prepared(Command::new("sh"), folder, target);
    shell
        .env("PATH", path())
        .env("CARGO_NET_OFFLINE", "true")
        .env("RUST_BACKTRACE", "0");
    for name in ["OLEMEM", "OLEMEM_RECORDS", "NO_COLOR", "CLICOLOR_FORCE"] {
        shell.env_remove(name);
    }
    shell
}

#[test]
fn in_rust_the_page_can_be_followed() {
    let folder = tools::scratch("tutorial-rust");
    // With the proxy's client olemem's dependencies are compiled already.
    let target = clients::target("proxy");
    let blocks = section("In Rust");
    let shell = || shell(&folder, &target);
    let mut reader = Reader::new(&folder, &shell);
    reader.write("Cargo.lock", include_str!("../Cargo.lock"));
    // Of no workspace around this folder.
    reader.follow(&blocks[..1]);
    let manifest = fs::read_to_string(folder.join("Cargo.toml")).expect("it was written");
    fs::write(folder.join("Cargo.toml"), manifest + "\n[workspace]\n").expect("it can be written");
    reader.follow(&blocks[1..]);
    assert_eq!((reader.ran, reader.compared), (6, 3));

    // The test that passes, once the component has its first mistake again; and the proxy.
    let first = blocks.iter().find(|block| block.mark == "file: src/lib.rs");
    let first = first.expect("the component").code;
    reader.write("src/lib.rs", first);
    for block in section("Without touching the code") {
        match block.mark {
            "run in rust" => reader.run(block.code, false),
            _ => reader.follow(&[block]),
        }
    }
    reader.run("cargo test --test proxied", true);
}

#[test]
fn in_cpp_the_page_can_be_followed() {
    let needed = [&["c++"] as &[&str], &["pkg-config"]];
    if needed.into_iter().any(|tool| tools::tool(tool).is_none()) {
        return;
    }
    let folder = tools::scratch("tutorial-cpp");
    let prefix = folder.join("prefix");
    installed::into(&prefix);
    let shell = || {
        let mut shell = shell(&folder, &folder);
        shell
            .env("PKG_CONFIG_PATH", prefix.join("lib/pkgconfig"))
            .env("LD_LIBRARY_PATH", prefix.join("lib"));
        shell
    };
    let mut reader = Reader::new(&folder, &shell);
    reader.follow(&section("In C++"));
    assert_eq!((reader.ran, reader.compared), (6, 4));

    // The workflow does what was done, with the library where it is there.
    let workflow = workflow("cpp");
    let (_, steps) = workflow
        .split_once("        run: |\n          for ")
        .expect("the last step");
    let steps = format!("for {steps}").replace("/usr/local", &prefix.display().to_string());
    reader.run(&steps, true);
}

/// A job of the workflow.
fn workflow(job: &str) -> String {
    let blocks = section("In a CI");
    let [
        Block {
            mark: "workflow",
            code,
        },
    ] = blocks[..]
    else {
        panic!("one block");
    };
    let (_, job) = code.split_once(&format!("\n  {job}:\n")).expect("the job");
    let next = job.find("\n\n  ").unwrap_or(job.len());
    job[..next].to_owned()
}

/// The workflow is YAML to whoever can read it, for both systems, and installs from what is in the package.
#[test]
fn the_workflow_is_well_formed() {
    for job in ["rust", "cpp"] {
        assert!(workflow(job).contains("os: [ubuntu-latest, macos-latest]"));
    }
    assert!(workflow("rust").ends_with("      - run: cargo test"));
    let cpp = workflow("cpp");
    assert!(cpp.contains("cargo install --locked olemem@0.1 --features cli\n"));
    assert!(cpp.contains("/olemem-0.1.*/install.sh\n"));
    assert!(env!("CARGO_PKG_VERSION").starts_with("0.1."));
    if tools::tool(&["python3"]).is_none() {
        return;
    }
    let file = tools::scratch("tutorial-workflow").join("ownership.yml");
    fs::write(&file, section("In a CI")[0].code).expect("the scratch folder can be written");
    let output = tools::run(
        Command::new("python3")
            .args(["-c", "import sys\ntry:\n import yaml\nexcept ImportError:\n sys.exit(9)\nyaml.safe_load(open(sys.argv[1]))"])
            .arg(file),
    );
    match output.status.code() {
        Some(9) => tools::skipped(&["yaml"], "python3 has no module of this name"),
        status => assert_eq!(status, Some(0), "{output:?}"),
    }
}

/// Whoever looks for it finds it, and the places that it names are there.
#[test]
fn its_links_lead_somewhere() {
    let docs = tools::root().join("docs");
    let read = |path: PathBuf| fs::read_to_string(&path).unwrap_or_else(|_| panic!("{path:?}"));
    for page in ["../README.md", "audit.md", "c.md", "faults.md", "ci.md"] {
        let page = read(docs.join(page));
        assert!(page.contains("testing-com-code.md"));
    }
    let anchor = |heading: &str| -> String {
        let kept = heading
            .chars()
            .filter(|c| c.is_alphanumeric() || " -".contains(*c));
        kept.collect::<String>()
            .trim()
            .replace(' ', "-")
            .to_lowercase()
    };
    let text: String = PAGE.split("\n```").step_by(2).collect();
    for link in text.split("](").skip(1) {
        let link = link.split(')').next().unwrap_or_default();
        if link.starts_with("https://") {
            continue;
        }
        let (file, place) = link.split_once('#').unwrap_or((link, ""));
        let page = match file {
            "" => PAGE.to_owned(),
            file => read(docs.join(file)),
        };
        let found = page
            .lines()
            .filter(|line| line.starts_with('#'))
            .any(|line| anchor(line.trim_start_matches('#')) == place);
        assert!(place.is_empty() || found, "{link}");
    }
}
