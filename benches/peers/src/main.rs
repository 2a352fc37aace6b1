//! olemem's heap beside other allocators, interleaved in one run. See `docs/performance.md`.

mod build;
mod growth;
mod memory;
mod peer;
mod report;
mod rounds;
mod scale;
mod single;
mod targets;
mod text;
mod threads;
mod wine;

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::thread;
use std::time::Duration;

use report::Row;
use rounds::Settings;

const USAGE: &str = "\
peers [--rounds N] [--slice MICROSECONDS] [--only GROUP] [--smoke] [--report-only] [--markdown] [--write]

  --rounds N       rounds that count (31)
  --slice N        microseconds of each contestant in each round (2000)
  --only GROUP     one of single, idle, untuned, threads, growth, text, wine, scale, memory
  --smoke          all results are asserted, no time is judged; under a minute
  --report-only    a missed target is no failure
  --markdown       the tables of docs/performance.md on standard output
  --write          the tables into docs/performance.md, between its markers";

/// The library that `Shared` loads, for the child processes.
const LIBRARY: &str = "OLEMEM_PEERS_LIBRARY";

const GROUPS: [&str; 9] = [
    "single", "idle", "untuned", "threads", "growth", "text", "wine", "scale", "memory",
];

#[derive(Debug)]
struct Options {
    settings: Settings,
    only: Option<String>,
    report_only: bool,
    markdown: bool,
    write: bool,
    /// What a child process is to measure.
    run: Option<String>,
}

fn options() -> Result<Options, String> {
    let mut options = Options {
        settings: Settings {
            rounds: 31,
            slice: Duration::from_millis(2),
            smoke: false,
        },
        only: None,
        report_only: false,
        markdown: false,
        write: false,
        run: None,
    };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or(format!("{word} what?"));
        let number = |text: String| text.parse::<u64>().map_err(|error| error.to_string());
        match word.as_str() {
            "--rounds" => options.settings.rounds = number(value()?)?.max(1) as usize,
            "--slice" => options.settings.slice = Duration::from_micros(number(value()?)?),
            "--only" => options.only = Some(value()?),
            "--smoke" => {
                options.settings = Settings {
                    rounds: 1,
                    slice: Duration::from_micros(20),
                    smoke: true,
                };
            }
            "--report-only" => options.report_only = true,
            "--markdown" => options.markdown = true,
            "--write" => options.write = true,
            "--run" => options.run = Some(value()?),
            _ => return Err(format!("{word}?")),
        }
    }
    Ok(options)
}

fn main() -> ExitCode {
    let options = match options() {
        Ok(options) => options,
        Err(complaint) => {
            eprintln!("{complaint}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    peer::check_sizes();
    match &options.run {
        Some(what) => {
            measure(options.settings, what);
            ExitCode::SUCCESS
        }
        None => judge(&options),
    }
}

/// What a child process does.
fn measure(settings: Settings, what: &str) {
    if let Some(path) = std::env::var_os(LIBRARY) {
        peer::Shared::load(Path::new(&path));
    }
    if let Some(question) = what.strip_prefix("memory ") {
        memory::run(settings.smoke, question);
        return;
    }
    if what != "untuned" {
        keep_memory();
    }
    match what {
        "single" => single::run(settings, what, true),
        "untuned" => single::run(settings, what, false),
        "idle" => {
            // Sleeps as long as the process lives. malloc has a shorter way while there is no other thread.
            thread::spawn(|| {
                loop {
                    thread::park();
                }
            });
            single::run(settings, what, false);
        }
        "threads" => threads::run(settings),
        "growth" => growth::run(settings),
        "text" => text::run(settings),
        "wine" => wine::run(settings),
        "scale" => scale::run(settings),
        _ => panic!("no such group: {what}"),
    }
}

/// Has malloc keep what is freed. By itself it gives memory back at each peak, and asks the system for large
/// blocks one by one: then it is ten times as slow, which is no fair comparison.
fn keep_memory() {
    #[cfg(target_env = "gnu")]
    for (parameter, value) in [
        (libc::M_MMAP_THRESHOLD, 32 << 20),
        (libc::M_TRIM_THRESHOLD, i32::MAX),
    ] {
        // SAFETY: no other thread is there yet.
        let is_set = unsafe { libc::mallopt(parameter, value) };
        assert_eq!(is_set, 1);
    }
}

/// Runs a child process, and reads what it says.
fn ask(options: &Options, library: &Path, what: &str) -> Vec<Row> {
    let settings = options.settings;
    let mut command = Command::new(std::env::current_exe().expect("a program knows itself"));
    if settings.smoke {
        command.arg("--smoke");
    } else {
        command
            .arg("--rounds")
            .arg(settings.rounds.to_string())
            .arg("--slice")
            .arg(settings.slice.as_micros().to_string());
    }
    // What is measured is the plain heap.
    let mut child = command
        .args(["--run", what])
        .env(LIBRARY, library)
        .env("OLEMEM", "plain")
        .env_remove("OANOCACHE")
        .stdout(Stdio::piped())
        .spawn()
        .expect("a program can start itself");
    let output = BufReader::new(child.stdout.take().expect("piped"));
    let mut rows = Vec::new();
    for line in output.lines() {
        let line = line.expect("text");
        match Row::parse(&line) {
            Some(row) => {
                println!("{}", report::plain(&row, !settings.smoke));
                rows.push(row);
            }
            None => println!("{line}"),
        }
    }
    let status = child.wait().expect("it ends");
    assert!(status.success(), "{what}: {status}");
    rows
}

/// How far from flat a curve is.
fn flatness(rows: &[Row]) -> Vec<Row> {
    let mut found = Vec::new();
    for who in ["malloc", "Rust", "mimalloc"] {
        // By the work without memory, which was in the same rounds.
        let ratio = |name: &str, size| {
            let mut all = rows.iter();
            let is_one = |row: &&Row| {
                row.group == "scale"
                    && row.work.starts_with("pair")
                    && row.who == name
                    && row.size == size
            };
            all.find(is_one).map(|row| row.ratio)
        };
        let values = (3..=7)
            .map(|digits| 10_u64.pow(digits))
            .filter_map(|size| Some(ratio(who, size)? / ratio(scale::CONTROL, size)?));
        let (least, most) = values.fold((f64::INFINITY, 0.0), |(least, most), value| {
            (f64::min(least, value), f64::max(most, value))
        });
        if most > 0.0 {
            found.push(Row {
                group: "scale".to_owned(),
                work: targets::FLAT.to_owned(),
                size: 0,
                who: who.to_owned(),
                value: most / least,
                ratio: 0.0,
                low: 0.0,
                high: 0.0,
            });
        }
    }
    found
}

fn judge(options: &Options) -> ExitCode {
    let library = build::library("libolemem.so");
    let mut rows = Vec::new();
    for group in GROUPS {
        if options.only.as_deref().is_some_and(|only| only != group) {
            continue;
        }
        if group == "memory" {
            for question in memory::questions() {
                rows.extend(ask(options, &library, &format!("memory {question}")));
            }
        } else {
            rows.extend(ask(options, &library, group));
        }
    }
    for row in flatness(&rows) {
        println!("{} of {}: {:.2}", row.work, row.who, row.value);
        rows.push(row);
    }
    if options.settings.smoke {
        println!("{} figures, none of them judged", rows.len());
        return ExitCode::SUCCESS;
    }
    let page = page(options.settings, &rows);
    if options.markdown {
        println!("{page}");
    }
    if options.write {
        write(&page, report::scale_picture(&rows));
    }
    let missed: Vec<&Row> = rows
        .iter()
        .filter(|row| targets::judge(row).is_some_and(|judged| !judged.met))
        .collect();
    println!("\n{} figures, {} targets missed", rows.len(), missed.len());
    for row in &missed {
        println!("{}", report::plain(row, true));
    }
    if missed.is_empty() || options.report_only {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// The first line that a command says.
fn says(command: &str, argument: &str) -> String {
    let output = Command::new(command).arg(argument).output();
    let output = output.map(|output| output.stdout).unwrap_or_default();
    let text = String::from_utf8_lossy(&output).into_owned();
    text.lines().next().unwrap_or("unknown").to_owned()
}

/// What stands between the markers.
fn page(settings: Settings, rows: &[Row]) -> String {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let cpu = cpu
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .map_or("an unknown processor", |name| {
            name.trim_start_matches([' ', '\t', ':'])
        });
    let cores = thread::available_parallelism().map_or(1, usize::from);
    format!(
        "Measured on {cpu}, {cores} cores; {}; {}; {} rounds of {} µs.\n\n### Targets\n\n{}\n{}",
        says("ldd", "--version"),
        says("rustc", "--version"),
        settings.rounds,
        settings.slice.as_micros(),
        report::targets_table(rows),
        report::tables(rows)
    )
}

/// Puts the tables into the documentation.
fn write(page: &str, picture: Option<String>) {
    const BEGIN: &str = "<!-- measured: begin -->\n";
    const END: &str = "<!-- measured: end -->";
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
    let path = docs.join("performance.md");
    let text = fs::read_to_string(&path).expect("docs/performance.md");
    let (before, rest) = text.split_once(BEGIN).expect("the first marker");
    let (_, after) = rest.split_once(END).expect("the second marker");
    let picture_line = match picture {
        Some(picture) => {
            fs::write(docs.join("performance-scale.svg"), picture).expect("docs can be written");
            "![What a string costs beside so many others](performance-scale.svg)\n\n"
        }
        None => "",
    };
    let page = page.trim_end();
    let text = format!("{before}{BEGIN}\n{page}\n\n{picture_line}{END}{after}");
    fs::write(&path, text).expect("docs can be written");
}
