//! Reading what a process left.

use std::collections::HashMap;
use std::io;

use super::{DEEDS, FAMILIES, FIRST_LINE, LINE, form, named};
use crate::audit::frame::{self, Frame};
use crate::audit::kept;
use crate::audit::ledger::{Call, Counts, Detail, Facts, Name, PREVIEW, Record};
use crate::audit::report::{Block, Live, Report, Signalled};
use crate::audit::rules::{Kind, Rule, Severity};
use crate::audit::site::Site;
use crate::task::hook::Part;

/// What a process left that a signal ended.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Crash {
    /// The signal, and what was live then.
    pub signalled: Signalled,
    /// What was found until then.
    pub report: Report,
}

/// An address of the process, with all that lay where in it: gives its functions, innermost first.
pub type Resolve<'a> = dyn FnMut(&str, usize) -> Vec<Frame> + 'a;

impl Crash {
    /// Reads what was written.
    ///
    /// # Errors
    ///
    /// If it is something else.
    pub fn read(text: &str, resolve: &mut Resolve<'_>) -> io::Result<Self> {
        Reader::default()
            .read(text, resolve)
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "not a record of olemem's"))
    }
}

/// Reads what a process wrote of violations while it ran, with what lay where in it. One that was cut short is left out.
pub(crate) fn read_found(lines: &str, maps: &str, resolve: &mut Resolve<'_>) -> Report {
    let (sources, maps) = maps.split_once('\n').unwrap_or((maps, ""));
    let mut lines = lines;
    loop {
        let text = format!("{FIRST_LINE}\n{sources}\n{lines}\nmaps\n{maps}");
        match Crash::read(&text, resolve) {
            Ok(crash) => return crash.report,
            Err(_) => match lines.rsplit_once("found ") {
                Some((whole, _)) => lines = whole,
                None => return Report::of(Counts::default(), None, 0, Vec::new()),
            },
        }
    }
}

/// What is known of a stack.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
struct Stack {
    addresses: Vec<usize>,
    /// File and line of the innermost frame.
    line: Option<(String, u32)>,
}

#[derive(Default)]
struct Reader {
    process: u32,
    signal: i32,
    program: String,
    /// Where that olemem's sources are.
    sources: String,
    counts: Counts,
    /// The books were being written: what was found and what was live is not known.
    is_partial: bool,
    found: Vec<(Record, [Stack; 3])>,
    live: Vec<(Facts, Stack)>,
    /// Whether the last block was a live one.
    is_live: bool,
}

impl Reader {
    fn read(mut self, text: &str, resolve: &mut Resolve<'_>) -> Option<Crash> {
        let rest = text.strip_prefix(FIRST_LINE)?;
        let (head, maps) = rest.split_once("\nmaps\n").unwrap_or((rest, ""));
        for line in head.lines().filter(|line| !line.is_empty()) {
            self.line(line)?;
        }
        // Of one site there may be many blocks, and to find the names takes long.
        let mut known: HashMap<Stack, Vec<Frame>> = HashMap::new();
        let mut frames = |stack: &Stack| {
            if let Some(frames) = known.get(stack) {
                return frames.clone();
            }
            let mut frames = Vec::new();
            for address in &stack.addresses {
                frames.extend(resolve(maps, *address));
            }
            frame::trim(&mut frames, &self.sources);
            if let Some((file, line)) = &stack.line {
                frame::name_first(&mut frames, file, *line);
            }
            known.insert(stack.clone(), frames.clone());
            frames
        };
        self.live.sort_by_key(|(facts, _)| facts.id);
        let live = self.live.iter().map(|(facts, allocated_at)| Live {
            block: Block::new(facts),
            allocated_at: frames(allocated_at),
        });
        let live = live.collect();
        let mut report = Report::of(self.counts, None, 0, Vec::new());
        for (record, stacks) in &self.found {
            report.add(record, stacks.each_ref().map(&mut frames));
        }
        let mut signalled = Signalled::unrecorded(self.process, self.program, self.signal);
        signalled.live = (!self.is_partial).then_some(live);
        Some(Crash { signalled, report })
    }

    fn line(&mut self, line: &str) -> Option<()> {
        let (what, rest) = line.split_once(' ').unwrap_or((line, ""));
        let mut words = rest.split(' ');
        let mut next = || words.next();
        match what {
            "process" => {
                self.process = next()?.parse().ok()?;
                next();
                self.signal = next()?.parse().ok()?;
            }
            "program" => rest.clone_into(&mut self.program),
            "sources" => rest.clone_into(&mut self.sources),
            "busy" => self.is_partial = true,
            "counts" => {
                let mut number = || next()?.parse().ok();
                self.counts = Counts {
                    operations: number()?,
                    allocated: number()?,
                    freed: number()?,
                    failed: number()?,
                    live: number()?,
                    live_bytes: number()?,
                    peak_bytes: number()?,
                    total_bytes: number()?,
                };
            }
            "found" => {
                let kind = next()?.parse::<Kind>().ok()?;
                let severity = match next()? {
                    "warning" => Severity::Warning,
                    _ => Severity::Error,
                };
                let deed = named(DEEDS, next())?;
                let record = Record {
                    severity,
                    ..Record::new(kind, deed, detail(&mut next)?, None)
                };
                self.found.push((record, Default::default()));
                self.is_live = false;
            }
            "block" | "live" => {
                let (id, family, bytes) = (next()?, next(), next()?);
                let word = next()?;
                let facts = Facts {
                    id: id.parse().ok()?,
                    family: named(FAMILIES, family)?,
                    bytes: bytes.parse().ok()?,
                    is_bstr: word == form(true, None),
                    part: [Part::Array, Part::ArrayData]
                        .into_iter()
                        .find(|part| word == form(false, Some(*part))),
                    preview: [0; PREVIEW],
                    previewed: 0,
                    allocated_at: Site::default(),
                    freed_at: None,
                };
                self.is_live = what == "live";
                if self.is_live {
                    self.live.push((facts, Stack::default()));
                } else {
                    self.found.last_mut()?.0.block = Some(facts);
                }
            }
            "text" => {
                let facts = if self.is_live {
                    &mut self.live.last_mut()?.0
                } else {
                    self.found.last_mut()?.0.block.as_mut()?
                };
                facts.previewed = preview(rest, &mut facts.preview)?;
            }
            "allocated" if self.is_live => self.live.last_mut()?.1 = stack(rest)?,
            "allocated" => self.found.last_mut()?.1[0] = stack(rest)?,
            "freed" => self.found.last_mut()?.1[1] = stack(rest)?,
            "at" => self.found.last_mut()?.1[2] = stack(rest)?,
            "rules" => {
                let numbers = rest.split_whitespace();
                let rule = |number: &str| Rule::new(number.parse().ok()?);
                let rules: Vec<_> = numbers.map(rule).collect::<Option<_>>()?;
                self.found.last_mut()?.0.rules = kept::rules(rules);
            }
            "method" => {
                let method = Name(kept::text(rest));
                self.found.last_mut()?.0.call = Some(Call {
                    method,
                    parameter: None,
                    element: None,
                });
            }
            "parameter" => {
                let parameter = Name(kept::text(rest));
                self.found.last_mut()?.0.call.as_mut()?.parameter = Some(parameter);
            }
            _ => return None,
        }
        Some(())
    }
}

/// The bytes of a text, two digits each; tells how many.
fn preview(digits: &str, bytes: &mut [u8; PREVIEW]) -> Option<usize> {
    let pairs = digits.as_bytes().chunks(2);
    let count = pairs.len();
    for (byte, pair) in bytes.get_mut(..count)?.iter_mut().zip(pairs) {
        let pair = core::str::from_utf8(pair).ok()?;
        *byte = u8::from_str_radix(pair, 16).ok()?;
    }
    Some(count)
}

fn stack(text: &str) -> Option<Stack> {
    let (words, line) = match text.split_once(LINE) {
        Some((words, line)) => {
            let (number, file) = line.split_once(' ')?;
            (words, Some((file.to_owned(), number.parse().ok()?)))
        }
        None => (text, None),
    };
    let addresses = words
        .split_whitespace()
        .map(|word| usize::from_str_radix(word, 16).ok())
        .collect::<Option<_>>()?;
    Some(Stack { addresses, line })
}

fn detail<'a>(next: &mut impl FnMut() -> Option<&'a str>) -> Option<Detail> {
    Some(match next()? {
        "nothing" => Detail::Nothing,
        "as" => Detail::As(named(FAMILIES, next())?),
        "offset" => Detail::Offset(next()?.parse().ok()?, named(FAMILIES, next())?),
        "written" => Detail::Written(next()?.parse().ok()?, next()?.parse().ok()?),
        "touched" => Detail::Touched(next()?.parse().ok()?, next()? == "w"),
        "short" => Detail::Short {
            wanted: next()?.parse().ok()?,
            there: next()?.parse().ok()?,
        },
        "strayed" => Detail::Strayed,
        "pins" => Detail::Pins(next()?.parse().ok()?),
        "function" => Detail::Function(kept::text(next()?)),
        "dressed" => Detail::Dressed,
        "references" => Detail::References(next()?.parse().ok()?),
        "words" => {
            let words: Vec<&str> = core::iter::from_fn(next).collect();
            Detail::Words(kept::text(&words.join(" ")))
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::{Block, Crash, Frame, Kind, PREVIEW, read_found};

    // Both bytes of each unit of the texts are the same: they are read so whatever comes first on a machine.
    const WRITTEN: &str = "olemem-crash/1\nprocess 12 signal 11\nprogram /a b\nsources /o/\ncounts 1 2 3 4 5 6 7 8\n\
        found overrun error free written 3 65\nblock 7 bstr 18 string\ntext 21213030\nallocated 10 11\nat 20\n\
        found double-free error free as task\nblock 6 task 4 plain\nallocated 10\nfreed 12\nat 20\n\
        live 9 task 24 plain\nallocated 30\nlive 8 bstr 2 string\ntext 2121\nallocated @7 src/a b.rs\n\
        maps\n00400000-00402000 r-xp 0 0 0 /a b\n";

    fn name_of(_: &str, address: usize) -> Vec<Frame> {
        vec![Frame::unknown(address)]
    }

    #[test]
    fn what_was_written_is_read() {
        let crash = Crash::read(WRITTEN, &mut name_of).expect("it is well-formed");
        let signalled = &crash.signalled;
        assert_eq!((signalled.process, signalled.signal), (12, 11));
        assert_eq!(signalled.program, "/a b");
        assert_eq!(crash.report.counts().total_bytes, 8);
        crash.report.assert_kinds([Kind::Overrun, Kind::DoubleFree]);
        let first = &crash.report.violations()[0];
        assert_eq!(
            first.message,
            "byte 3 behind a BSTR was overwritten, by 0x41"
        );
        assert_eq!(first.allocated_at.len(), 2);
        let preview = |block: &Block| block.preview.clone();
        let block = first.block.as_ref().expect("it has one");
        assert_eq!(preview(block).as_deref(), Some("℡〰…"));
        let live = signalled.live.as_ref().expect("it is known");
        assert_eq!(preview(&live[0].block).as_deref(), Some("℡"));
        let ids: Vec<_> = live.iter().map(|live| live.block.id).collect();
        assert_eq!(ids, [8, 9]);
        let told = live[0].allocated_at[0].to_string();
        assert_eq!(told, "at src/a b.rs:7");
    }

    #[test]
    fn the_rules_that_are_broken_are_those_of_the_kind_unless_it_says_which() {
        let read = |rules: &str| {
            let found = format!(
                "olemem-crash/1\nfound out-set-on-failure error end words w\n{rules}method I::f\nat\n"
            );
            let crash = Crash::read(&found, &mut name_of).ok()?;
            let numbers = crash.report.violations()[0].rules().iter();
            Some(numbers.map(|rule| rule.number()).collect::<Vec<_>>())
        };
        assert_eq!(read("").as_deref(), Some(&[14, 16, 18, 48][..]));
        assert_eq!(read("rules 14\n").as_deref(), Some(&[14][..]));
        assert_eq!(read("rules 14 48\n").as_deref(), Some(&[14, 48][..]));
        assert_eq!(read("rules 0\n"), None);
        assert_eq!(read("rules x\n"), None);
    }

    #[test]
    fn violations_that_were_written_one_by_one_are_read() {
        let at = |what: &str| WRITTEN.find(what).expect("it is there");
        let found = &WRITTEN[at("found overrun")..at("live 9")];
        let maps = "sources /o/\n00400000-00402000 r-xp 0 0 0 /a b\n";
        let report = read_found(found, maps, &mut name_of);
        report.assert_kinds([Kind::Overrun, Kind::DoubleFree]);
        assert_eq!(report.violations()[0].at[0].address, 0x20);
        // The second one was cut short.
        let half = &found[..found.find("as task").expect("it is there") - 3];
        read_found(half, maps, &mut name_of).assert_kinds([Kind::Overrun]);
        read_found("fou", maps, &mut name_of).assert_kinds([]);
    }

    #[test]
    fn what_is_cut_short_is_read_as_far_as_it_goes_and_else_refused() {
        let half = &WRITTEN[..WRITTEN.find("found double").expect("it is there")];
        let crash = Crash::read(half, &mut name_of).expect("whole lines");
        crash.report.assert_kinds([Kind::Overrun]);
        let busy = "olemem-crash/1\nprocess 12 signal 11\nbusy\nmaps\n";
        let crash = Crash::read(busy, &mut name_of).expect("whole lines");
        assert!(crash.signalled.live.is_none());
        let live = "olemem-crash/1\nlive 9 bstr 98 string\ntext ";
        let too_long = format!("{live}{}\n", "61".repeat(PREVIEW + 1));
        let no_digits = format!("{live}6g\n");
        let bad = ["", "olemem-crash/2\n", "olemem-crash/1\nnonsense 1\n"];
        for bad in bad.into_iter().chain([too_long.as_str(), &no_digits]) {
            assert!(Crash::read(bad, &mut name_of).is_err(), "{bad}");
        }
    }
}
