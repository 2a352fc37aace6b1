//! Wine's own `SysAllocStringLen` and `SysFreeString`, and olemem's by the same C program.

use std::cell::RefCell;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use crate::build;
use crate::rounds::{Contestant, Settings, contest};

/// A program that does what it is told, and says how long it took.
struct Program {
    child: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Program {
    fn start(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let orders = child.stdin.take().expect("piped");
        let answers = BufReader::new(child.stdout.take().expect("piped"));
        Self {
            child,
            orders,
            answers,
        }
    }

    fn ask(&mut self, work: &str, units: u64, times: u64) -> Duration {
        writeln!(self.orders, "{work} {units} {times}").expect("it listens");
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("it answers");
        let nanos: f64 = line.trim().parse().expect("a number");
        Duration::from_secs_f64(nanos / 1e9)
    }

    fn end(mut self) {
        drop(self.orders);
        assert!(self.child.wait().expect("it ends").success());
    }
}

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("bstr.c")
}

pub fn run(settings: Settings) {
    let missing = ["wine", "x86_64-w64-mingw32-gcc", "cc"]
        .into_iter()
        .find(|tool| !build::has(tool));
    if let Some(missing) = missing {
        println!("SKIPPED: Wine: {missing} is not on the path");
        return;
    }
    let dir = build::scratch();
    let (native, foreign) = (dir.join("bstr"), dir.join("bstr.exe"));
    let include = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../src/export/include/win32");
    build::run(
        Command::new("cc")
            .args(["-std=c11", "-D_GNU_SOURCE", "-O2", "-I"])
            .arg(include)
            .arg(source())
            .arg(build::library("libolemem.a"))
            .args(["-lpthread", "-ldl", "-lm", "-o"])
            .arg(&native),
    );
    build::run(
        Command::new("x86_64-w64-mingw32-gcc")
            .arg("-O2")
            .arg(source())
            .args(["-loleaut32", "-o"])
            .arg(&foreign),
    );
    // The gate has one at hand, and making one takes long.
    let prefix = std::env::var_os("WINEPREFIX").unwrap_or_else(|| dir.join("wine-prefix").into());
    let ours = RefCell::new(Program::start(&mut Command::new(native)));
    let wines = RefCell::new(Program::start(
        Command::new("wine")
            .arg(foreign)
            .env("WINEPREFIX", prefix)
            .env("WINEDEBUG", "-all")
            .stderr(Stdio::null()),
    ));
    for (work, shown, calls) in [("pair", "pair", 1), ("batch", "batch, same order", 1000)] {
        for units in [4, 16, 64, 1024] {
            let entrant = |name: &str, program| {
                let program: &RefCell<Program> = program;
                Contestant {
                    name: name.to_owned(),
                    base: 0,
                    run: Box::new(move |times| program.borrow_mut().ask(work, units, times)),
                }
            };
            contest(
                settings,
                ("wine", shown, units),
                calls,
                vec![entrant("olemem, C static", &ours), entrant("Wine", &wines)],
            );
        }
    }
    ours.into_inner().end();
    wines.into_inner().end();
}
