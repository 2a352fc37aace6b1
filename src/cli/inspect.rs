//! `olemem inspect`: bytes that claim to be a BSTR, drawn and judged.

mod hex;
mod input;
mod scan;

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use anstyle::{AnsiColor, Style};
use clap::ValueEnum;
use olemem::image::{self, Anatomy, Finding, Flaw, Shape, Weight};
use olemem::layout::{ByteOrder, PointerWidth};

use crate::draw::Picture;
use crate::output::{self, counted};
use input::Input;

/// Lines of payload that are drawn unless all are asked for.
const LINES: usize = 64;

const WRONG: Style = AnsiColor::Red.on_default().bold();
const NOTE: Style = AnsiColor::Yellow.on_default();

/// Draw the BSTR that some bytes hold, and say what is wrong with it.
///
/// The bytes come from a file, from standard input, or as hexadecimal text. The first of
/// them is taken for the start of a block: padding (on 64-bit targets), length prefix,
/// payload, terminator. With `--from prefix` it is taken for the start of the prefix.
/// What follows the block is counted and not looked at.
///
/// Wrong are: bytes that end too early, a prefix beyond what a BSTR can have, a
/// terminator that is not zero. An odd length, nuls in the text and lone surrogates are
/// legal in a BSTR; they are noted, and wrong with `--text`. Padding and the rest of the
/// block may hold anything.
///
/// With `--scan` all of the bytes are searched for BSTRs that hold text. Blocks are looked
/// for at multiples of 16 from the first byte on, of 8 with `--width 32`: where the task
/// allocator puts them, if a page begins there. Files of dumps have memory at any place:
/// `--align 1` looks everywhere, and tells a little more of what only looks like a BSTR.
///
/// At most 16 MiB are read behind the offset, 1 GiB with `--scan`. Hexadecimal text is read
/// from its start, and refused if a file has more of it than that.
#[derive(Debug, clap::Args)]
#[command(
    verbatim_doc_comment,
    after_help = "Examples:\n  \
        olemem inspect dump.bin\n  \
        olemem inspect --offset 0x1f40 --width 32 core\n  \
        olemem inspect --from prefix --hex '04 00 00 00  4f 00 4b 00  00 00'\n  \
        xxd -p dump.bin | olemem inspect --hex-file -\n  \
        olemem inspect --scan core\n  \
        olemem inspect --scan --align 1 crash.dmp\n\n\
        Exit status: 0 if the bytes hold a well-formed BSTR (with --scan: one or more), 1 if\n\
        something is wrong with them (with --scan: if there is none), 2 for a mistake in the\n\
        arguments and for files that cannot be read."
)]
pub(crate) struct Arguments {
    /// The bytes as they are; - or nothing is standard input.
    #[arg(value_name = "FILE")]
    file: Option<OsString>,

    /// The bytes as hexadecimal text; spaces, commas and 0x may stand between them.
    #[arg(long, value_name = "TEXT", conflicts_with = "file")]
    hex: Option<String>,

    /// A file of hexadecimal text; - is standard input.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["file", "hex"])]
    hex_file: Option<OsString>,

    /// What the first byte is.
    #[arg(long, value_enum, default_value_t = Start::Block)]
    from: Start,

    /// Begin that many bytes into the input; 0x40 is hexadecimal.
    #[arg(long, value_name = "N", default_value = "0", value_parser = offset)]
    offset: u64,

    /// Bits of a pointer where the bytes come from.
    #[arg(long, value_enum, default_value_t = Width::Bits64)]
    width: Width,

    /// Order of bytes where the bytes come from.
    #[arg(long, value_enum, default_value_t = Endian::Little)]
    endian: Endian,

    /// Take it for text: an odd length, nuls and lone surrogates are wrong.
    #[arg(long)]
    text: bool,

    /// Draw all of the payload, not only its first 64 lines.
    #[arg(long)]
    all: bool,

    /// List whatever looks like a BSTR that holds text.
    #[arg(long, conflicts_with_all = ["from", "text", "all"])]
    scan: bool,

    /// Look for no text of fewer units.
    #[arg(long, value_name = "N", default_value = "4", requires = "scan")]
    min_units: u32,

    /// Look for blocks at multiples of N bytes; by itself of 16, of 8 with --width 32.
    #[arg(long, value_name = "N", value_enum, requires = "scan")]
    align: Option<Align>,
}

/// What the places where blocks are looked for are multiples of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Align {
    #[value(name = "16")]
    By16 = 16,
    #[value(name = "8")]
    By8 = 8,
    #[value(name = "4")]
    By4 = 4,
    #[value(name = "2")]
    By2 = 2,
    #[value(name = "1")]
    By1 = 1,
}

/// What the first of the bytes is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Start {
    /// The first byte of the block; on 64-bit targets padding comes before the prefix.
    Block,
    /// The first byte of the prefix.
    Prefix,
}

/// In which order a number's bytes lie in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Endian {
    Little,
    Big,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Width {
    #[value(name = "32")]
    Bits32,
    #[value(name = "64")]
    Bits64,
}

fn offset(text: &str) -> Result<u64, std::num::ParseIntError> {
    match text.strip_prefix("0x").or(text.strip_prefix("0X")) {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => text.parse(),
    }
}

impl Arguments {
    fn shape(&self) -> Shape {
        Shape {
            width: match self.width {
                Width::Bits32 => PointerWidth::W32,
                Width::Bits64 => PointerWidth::W64,
            },
            order: match self.endian {
                Endian::Little => ByteOrder::Little,
                Endian::Big => ByteOrder::Big,
            },
        }
    }

    /// Which byte is taken for what.
    fn reading(&self) -> String {
        let (number, width, endian) = (self.offset, name(self.width), name(self.endian));
        let start = match self.from {
            Start::Block => "block",
            Start::Prefix => "prefix",
        };
        format!(
            "Byte {number} of the input is the start of the {start}; {width}-bit, {endian}-endian."
        )
    }

    fn is_wrong(&self, finding: &Finding) -> bool {
        match finding.weight() {
            Weight::Broken => true,
            Weight::NotText => self.text,
            Weight::Remark => false,
        }
    }
}

/// A value as it is written on the command line.
fn name(value: impl ValueEnum) -> String {
    let value = value.to_possible_value();
    value.map_or_else(String::new, |value| value.get_name().to_owned())
}

pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    let input = match input::read(arguments) {
        Ok(input) => input,
        Err(error) => return output::unusable(error.what, error.why),
    };
    if arguments.scan {
        return scan::run(&input, arguments);
    }
    let start = match arguments.from {
        Start::Block => image::Start::Block,
        Start::Prefix => image::Start::Prefix,
    };
    let anatomy = Anatomy::of(&input.bytes, arguments.shape(), start);
    if let Some(needed) = beyond(&input, &anatomy) {
        let said = format!("the prefix says {}", counted(needed as u64, "byte"));
        return output::unusable(
            said,
            format!("no more than {} bytes are read", input::LIMIT),
        );
    }
    let findings: Vec<Finding> = anatomy.findings().collect();
    let good = !findings.iter().any(|finding| arguments.is_wrong(finding));
    let status = if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    };
    let mut out = anstream::stdout().lock();
    let written = print(&mut out, arguments, anatomy, &findings, input.more);
    output::ended(written.and_then(|()| out.flush()), status)
}

/// The length of a string that may be whole and goes beyond what was read.
fn beyond(input: &Input, anatomy: &Anatomy<'_>) -> Option<usize> {
    let length = anatomy.length?;
    let possible = length <= anatomy.shape.width.max_bytes();
    let ends = anatomy.terminator.len() == anatomy.terminator_len();
    (input.more && possible && !ends).then_some(length.as_usize())
}

fn print(
    out: &mut impl Write,
    arguments: &Arguments,
    anatomy: Anatomy<'_>,
    findings: &[Finding],
    more: bool,
) -> io::Result<()> {
    writeln!(out, "{}\n", arguments.reading())?;
    let lines = if arguments.all { usize::MAX } else { LINES };
    let picture = Picture {
        anatomy,
        slack: anatomy.slack.len(),
        lines,
        more,
    };
    let picture = picture.to_string();
    if !picture.is_empty() {
        writeln!(out, "{picture}")?;
    }
    let mut good = true;
    for finding in findings {
        let (style, label) = if arguments.is_wrong(finding) {
            good = false;
            (WRONG, "wrong")
        } else {
            (NOTE, "note")
        };
        // Of what is behind the block only so much was read.
        let least = if more && matches!(finding.flaw, Flaw::Rest { .. }) {
            "at least "
        } else {
            ""
        };
        writeln!(out, "{style}{label}:{style:#} {least}{finding}")?;
    }
    writeln!(out, "{}", conclusion(&anatomy, good))
}

fn conclusion(anatomy: &Anatomy<'_>, good: bool) -> String {
    let size = anatomy.length.and_then(|length| {
        let block = anatomy.shape.width.block_size(length)?;
        Some((length, block))
    });
    match size {
        Some((length, block)) if good => format!(
            "Well formed: {}, {}, in a block of {block}.",
            counted(length.get().into(), "byte"),
            counted(anatomy.unit_len().get().into(), "unit"),
        ),
        _ => "Not well formed.".to_owned(),
    }
}
