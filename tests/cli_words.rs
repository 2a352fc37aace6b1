//! The words of the command: `olemem explain`, `inspect`, `completions`, `man`, as a user runs them.
#![cfg(all(feature = "cli", not(windows), not(miri)))]

#[path = "support/cc.rs"]
mod cc;
#[path = "support/tools.rs"]
mod tools;

use std::io::Write;
use std::process::{Command, Output, Stdio};

const PAGE: &str = include_str!("../docs/command-line.md");

fn olemem(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_olemem"));
    command
        .args(arguments)
        .env_remove("OLEMEM")
        .env_remove("NO_COLOR")
        .env_remove("CLICOLOR_FORCE");
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("it is text")
}

/// Runs with bytes on standard input.
#[track_caller]
fn fed(arguments: &[&str], input: &[u8]) -> Output {
    let mut child = olemem(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command can be started");
    let mut stdin = child.stdin.take().expect("it is piped");
    stdin.write_all(input).expect("the command reads");
    drop(stdin);
    child.wait_with_output().expect("it ends")
}

/// The block of `language` behind a marker in the page.
#[track_caller]
fn block<'a>(marker: &str, language: &str) -> &'a str {
    let (_, after) = PAGE.split_once(marker).expect("the marker is there");
    let (_, code) = after
        .split_once(&format!("```{language}\n"))
        .expect("a block follows");
    code.split("```").next().expect("it ends")
}

mod explain {
    use olemem::audit::{Check, Guide, Kind, Rule};

    use super::*;

    #[test]
    fn two_kinds_and_two_rules_to_the_letter() {
        for (name, expected) in [
            ("double-free", include_str!("cli_words/double-free.txt")),
            (
                "null-out-pointer",
                include_str!("cli_words/null-out-pointer.txt"),
            ),
            ("R5", include_str!("cli_words/r5.txt")),
            ("r20", include_str!("cli_words/r20.txt")),
        ] {
            let output = tools::run_ok(&mut olemem(&["explain", name]));
            assert_eq!(text(&output.stdout), expected);
            assert!(output.stderr.is_empty());
        }
    }

    #[test]
    fn the_list_has_every_kind_and_every_rule_on_a_line() {
        let output = tools::run_ok(&mut olemem(&["explain"]));
        let list = text(&output.stdout);
        for kind in Kind::ALL {
            let line = tools::line_with(&list, &format!("    {kind} "));
            assert!(line.contains(kind.severity().name()), "{line}");
            assert!(line.ends_with(kind.guide().title), "{line}");
            for rule in kind.rules() {
                assert!(line.contains(&format!(" {rule} ")), "{line}");
            }
        }
        for rule in Rule::all() {
            let line = format!("    {:3}  {}", rule.to_string(), rule.guide().title);
            assert!(list.lines().any(|it| it == line), "{line}");
        }
    }

    #[test]
    fn each_is_found_by_its_name_and_shows_all_its_parts() {
        let names = Kind::ALL
            .iter()
            .map(|kind| (kind.to_string(), kind.guide()));
        let rules = Rule::all().map(|rule| (rule.to_string(), rule.guide()));
        for (name, guide) in names.chain(rules) {
            let output = tools::run_ok(&mut olemem(&["explain", &name]));
            let shown = text(&output.stdout);
            assert!(shown.starts_with(&format!("{name}  ")), "{shown}");
            let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
            for part in [guide.statement, guide.how, guide.broken, guide.kept] {
                assert!(words(&shown).contains(&words(part)), "{name}: {part}");
            }
            assert!(shown.contains(guide.check.name()), "{name}");
            assert!(words(&shown).ends_with(&words(guide.source)), "{name}");
        }
    }

    #[test]
    fn a_name_that_is_none_is_refused_with_the_nearest() {
        for (wrong, nearest) in [
            ("duble-free", Some("'double-free'")),
            ("Leak", Some("'leak'")),
            ("R55", Some("'R5'")),
            ("xyzzy", None),
        ] {
            let output = tools::run(&mut olemem(&["explain", wrong]));
            assert_eq!(output.status.code(), Some(2), "{wrong}");
            assert!(output.stdout.is_empty());
            let said = text(&output.stderr);
            tools::line_with(&said, &format!("invalid value '{wrong}'"));
            tools::line_with(&said, "`olemem explain` lists all");
            match nearest {
                Some(nearest) => assert!(
                    tools::line_with(&said, "a similar value exists").ends_with(nearest),
                    "{said}"
                ),
                None => assert!(!said.contains("similar"), "{said}"),
            }
        }
    }

    #[test]
    fn colours_are_for_those_who_want_them() {
        let colourful = |command: &mut Command| tools::run_ok(command).stdout.contains(&0x1B);
        let forced = || {
            let mut command = olemem(&["explain", "overrun"]);
            command.env("CLICOLOR_FORCE", "1");
            command
        };
        assert!(!colourful(&mut olemem(&["explain", "overrun"])));
        assert!(colourful(&mut forced()));
        assert!(!colourful(forced().env("NO_COLOR", "1")));
    }

    #[test]
    fn a_reader_that_leaves_is_no_failure() {
        for arguments in [
            &["explain"][..],
            &["completions", "zsh"],
            &["man"],
            &["inspect", "--hex", "00000000 00000000 0000"],
        ] {
            let mut child = olemem(arguments)
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .expect("the command can be started");
            drop(child.stdout.take());
            let output = child.wait_with_output().expect("it ends");
            let said = text(&output.stderr);
            assert_eq!(
                (output.status.code(), &*said),
                (Some(0), ""),
                "{arguments:?}"
            );
        }
    }

    #[test]
    fn what_cannot_be_written_is_told() {
        let Ok(full) = std::fs::OpenOptions::new().write(true).open("/dev/full") else {
            return;
        };
        let output = tools::run(olemem(&["explain"]).stdout(full));
        assert_eq!(output.status.code(), Some(2));
        assert!(text(&output.stderr).starts_with("olemem: standard output: "));
    }

    /// Every guide, with a name for files.
    fn guides() -> Vec<(String, &'static Guide)> {
        let kinds = Kind::ALL
            .iter()
            .map(|kind| (kind.to_string(), kind.guide()));
        let rules = Rule::all().map(|rule| (rule.to_string(), rule.guide()));
        kinds.chain(rules).collect()
    }

    #[test]
    fn every_guide_is_whole() {
        for (name, guide) in guides() {
            for prose in [guide.title, guide.statement, guide.how, guide.source] {
                assert!(!prose.is_empty() && prose == prose.trim(), "{name}");
                assert!(
                    !prose.contains("  ") && !prose.contains('\n'),
                    "{name}: {prose}"
                );
            }
            assert!(guide.title.len() <= 90, "{name}");
            for sentence in [guide.statement, guide.how] {
                assert!(sentence.ends_with('.'), "{name}: {sentence}");
            }
            for code in [guide.broken, guide.kept] {
                let lines = code.lines().count();
                assert!((3..=13).contains(&lines), "{name}: {lines} lines");
                assert_eq!(code, code.trim(), "{name}");
                assert!(code.lines().all(|line| line.len() <= 76), "{name}: {code}");
            }
            assert_ne!(guide.broken, guide.kept, "{name}");
        }
    }

    /// What a rule says of its checks fits the kinds that report it.
    #[test]
    fn what_is_seen_has_a_kind() {
        for rule in Rule::all() {
            let check = rule.guide().check;
            let by = |wanted: Check| rule.kinds().any(|kind| kind.guide().check == wanted);
            let from_heap = matches!(check, Check::Heap | Check::Partly);
            assert_eq!(by(Check::Heap), from_heap, "{rule}");
            // What a call adds to what the heap sees is told of that rule as well.
            if check != Check::Heap {
                let at_call = matches!(check, Check::Call | Check::Partly);
                assert_eq!(by(Check::Call), at_call, "{rule}");
            }
        }
    }

    /// What is not in olemem's header, for the examples of R39 to R42.
    const VARIANT: &str = "
        typedef struct VARIANT { WORD vt; union { BSTR bstrVal; BSTR *pbstrVal; } value; } VARIANT;
        typedef struct DISPPARAMS { VARIANT *rgvarg; UINT cArgs; } DISPPARAMS;
        #define V_VT(variant) ((variant)->vt)
        #define V_BSTR(variant) ((variant)->value.bstrVal)
        void VariantInit(VARIANT *variant);
        HRESULT VariantClear(VARIANT *variant);
        HRESULT VariantCopy(VARIANT *destination, const VARIANT *source);
        HRESULT SafeArrayPutElement(SAFEARRAY *array, LONG *indices, void *element);
    ";

    #[test]
    fn every_example_compiles() {
        let dir = tools::scratch("guide-examples");
        let component = block("<!-- the component -->", "c");
        let mut files = Vec::new();
        for (name, guide) in guides() {
            for (which, code) in [("broken", guide.broken), ("kept", guide.kept)] {
                let file = dir.join(format!("{name}-{which}.c"));
                let whole = format!("{component}{VARIANT}\n#line 1\n{code}\n");
                std::fs::write(&file, whole).expect("the scratch folder can be written");
                files.push(file);
            }
        }
        for compiler in cc::compilers() {
            if compiler.language == cc::Language::C {
                let mut command = compiler.command();
                cc::silent(command.args(["-fsyntax-only", "-std=c11"]).args(&files));
            }
        }
    }
}

mod inspect {
    use super::*;

    const READY: &str = "00000000 0a000000 5200 6500 6100 6400 7900 0000";

    /// What is printed behind the line that tells which byte is the first, and the exit status.
    #[track_caller]
    fn judged(arguments: &[&str]) -> (String, Option<i32>) {
        let mut command = olemem(&["inspect"]);
        let output = tools::run(command.args(arguments));
        let shown = text(&output.stdout);
        assert_eq!(text(&output.stderr), "");
        let (first, rest) = shown.split_once("\n\n").expect("a line, and an empty one");
        assert!(first.starts_with("Byte "), "{shown}");
        (rest.to_owned(), output.status.code())
    }

    #[track_caller]
    fn assert_judged(arguments: &[&str], expected: &str, status: i32) {
        let (shown, code) = judged(arguments);
        assert_eq!(shown, expected.trim_start_matches('\n'));
        assert_eq!(code, Some(status), "{shown}");
    }

    #[test]
    fn the_page_shows_what_is_printed() {
        let command = block("<!-- olemem inspect -->", "sh");
        let hex = command.split('\'').nth(1).expect("an argument");
        let output = tools::run(&mut olemem(&["inspect", "--hex", hex]));
        assert_eq!(
            text(&output.stdout),
            block("<!-- olemem inspect -->", "text")
        );
        assert_eq!(output.status.code(), Some(1));
    }

    #[test]
    fn a_good_one() {
        let whole = "
    +0   00 00 00 00                                     padding
    +4   0a 00 00 00                                     prefix: 10 bytes, 5 units
    +8   52 00 65 00 61 00 64 00 79 00                   Ready  <- the BSTR
    +18  00 00                                           terminator
    +20  (12 bytes)                                      slack

Well formed: 10 bytes, 5 units, in a block of 32.
";
        let slack = format!("{READY} ffffffff ffffffff ffffffff");
        assert_judged(&["--hex", &slack], whole, 0);
        // Padding may hold anything.
        let dirty = slack.replacen("00000000", "deadbeef", 1);
        let expected = whole.replacen("00 00 00 00", "de ad be ef", 1);
        assert_judged(&["--hex", &dirty], &expected, 0);
    }

    #[test]
    fn one_from_a_32_bit_machine_and_one_from_a_big_endian_one() {
        let expected = "
    +0   02 00 00 00                                     prefix: 2 bytes, 1 unit
    +4   e9 00                                           é  <- the BSTR
    +6   00 00                                           terminator

Well formed: 2 bytes, 1 unit, in a block of 16.
";
        let hex = "0x02,0,0,0, 0xe9,0, 0,0";
        assert_judged(&["--width", "32", "--hex", hex], expected, 0);
        // Without padding the prefix is where the block starts.
        let from_prefix = ["--width", "32", "--from", "prefix", "--hex", hex];
        assert_judged(&from_prefix, expected, 0);

        let big = ["--endian", "big", "--from", "prefix", "--hex"];
        let expected = "
    +4   00 00 00 02                                     prefix: 2 bytes, 1 unit
    +8   00 e9                                           é  <- the BSTR
    +10  00 00                                           terminator

Well formed: 2 bytes, 1 unit, in a block of 16.
";
        assert_judged(&[&big[..], &["00000002 00e9 0000"]].concat(), expected, 0);
    }

    #[test]
    fn an_empty_one() {
        let expected = "
    +0   00 00 00 00                                     padding
    +4   00 00 00 00                                     prefix: 0 bytes, 0 units
    +8   00 00                                           terminator  <- the BSTR

Well formed: 0 bytes, 0 units, in a block of 16.
";
        assert_judged(&["--hex", "00000000 00000000 0000"], expected, 0);
    }

    #[test]
    fn odd_ones_are_legal_and_no_text() {
        let odd = "
    +4   03 00 00 00                                     prefix: 3 bytes, 1 unit
    +8   41 00 42                                        A  <- the BSTR
    +11  00 00 00                                        terminator

note: an odd length: binary data, or a length in the wrong unit
Well formed: 3 bytes, 1 unit, in a block of 16.
";
        let arguments = ["--from", "prefix", "--hex", "03000000 4100 42 000000"];
        assert_judged(&arguments, odd, 0);
        let as_text = odd.replace("note:", "wrong:").replace(
            "Well formed: 3 bytes, 1 unit, in a block of 16.",
            "Not well formed.",
        );
        assert_judged(&[&arguments[..], &["--text"]].concat(), &as_text, 1);

        let poked = "
    +4   01 00 00 00                                     prefix: 1 byte, 0 units
    +8   41                                                <- the BSTR
    +9   ff 00 00                                        terminator

note: an odd length: binary data, or a length in the wrong unit
note: the byte at +9, behind the odd one, is not zero, which is legal
Well formed: 1 byte, 0 units, in a block of 16.
";
        assert_judged(
            &["--from", "prefix", "--hex", "01000000 41 ff0000"],
            poked,
            0,
        );
    }

    #[test]
    fn nuls_and_lone_surrogates_are_noted_and_do_not_break_the_picture() {
        let expected = "
    +4   10 00 00 00                                     prefix: 16 bytes, 8 units
    +8   41 00 00 00 3d d8 00 de 00 d8 2e 20 1b 00 00 00 A.😀....  <- the BSTR
    +24  00 00                                           terminator

note: 2 nuls, the first at unit 1 (+10): code that looks for the end of text stops there
note: 1 lone surrogate, at unit 4 (+16): no well-formed UTF-16
Well formed: 16 bytes, 8 units, in a block of 32.
";
        let hex = "10000000 4100 0000 3dd8 00de 00d8 2e20 1b00 0000 0000";
        assert_judged(&["--from", "prefix", "--hex", hex], expected, 0);
    }

    #[test]
    fn truncated_ones() {
        for (bytes, drawn, wrong) in [
            ("", "", "the bytes end at +0, the prefix at +8"),
            (
                "000000",
                "    +0   00 00 00                                        padding, cut short\n\n",
                "the bytes end at +3, the prefix at +8",
            ),
            (
                "000000000a",
                "    +0   00 00 00 00                                     padding\n    \
                     +4   0a                                              prefix, cut short\n\n",
                "the bytes end at +5, the prefix at +8",
            ),
            (
                "00000000 0a000000 5200 65",
                "    +0   00 00 00 00                                     padding\n    \
                     +4   0a 00 00 00                                     prefix: 10 bytes, 5 units\n    \
                     +8   52 00 65                                        R  <- the BSTR\n\n",
                "the prefix says 10 bytes, and 3 are there",
            ),
            (
                "00000000 02000000 5200",
                "    +0   00 00 00 00                                     padding\n    \
                     +4   02 00 00 00                                     prefix: 2 bytes, 1 unit\n    \
                     +8   52 00                                           R  <- the BSTR\n\n",
                "the bytes end at +10, with 0 of the terminator's 2 bytes",
            ),
            (
                "00000000 02000000 5200 00",
                "    +0   00 00 00 00                                     padding\n    \
                     +4   02 00 00 00                                     prefix: 2 bytes, 1 unit\n    \
                     +8   52 00                                           R  <- the BSTR\n    \
                     +10  00                                              terminator, cut short\n\n",
                "the bytes end at +11, with 1 of the terminator's 2 bytes",
            ),
        ] {
            let expected = format!("{drawn}wrong: truncated: {wrong}\nNot well formed.\n");
            assert_judged(&["--hex", bytes], &expected, 1);
        }
    }

    #[test]
    fn a_prefix_that_no_bstr_has() {
        let expected = "
    +4   ff ff ff ff                                     prefix: 4294967295 bytes, 2147483647 units
    +8   41 00                                           A  <- the BSTR

wrong: the prefix says 4294967295 bytes, and a BSTR has 4294967270 at most
note: an odd length: binary data, or a length in the wrong unit
Not well formed.
";
        assert_judged(&["--from", "prefix", "--hex", "ffffffff 4100"], expected, 1);
    }

    #[test]
    fn what_follows_the_block_is_counted() {
        let hex = format!("{READY} {}", "00".repeat(13));
        let (shown, code) = judged(&["--hex", &hex]);
        assert_eq!(code, Some(0));
        tools::line_with(
            &shown,
            "+32  (1 byte)                                        behind the block",
        );
        tools::line_with(&shown, "note: 1 byte behind the block, from +32 on");
    }

    /// The bytes of a BSTR, from the block's start.
    fn ready() -> Vec<u8> {
        let mut bytes = vec![0, 0, 0, 0, 10, 0, 0, 0];
        bytes.extend("Ready".encode_utf16().flat_map(u16::to_le_bytes));
        bytes.extend([0, 0]);
        bytes
    }

    #[test]
    fn every_way_in_leads_to_the_same() {
        let dir = tools::scratch("inspect");
        let (raw, hex) = (dir.join("raw"), dir.join("hex"));
        let shifted = [&[0xAA; 16][..], &ready()].concat();
        std::fs::write(&raw, &shifted).expect("the scratch folder can be written");
        std::fs::write(&hex, READY).expect("the scratch folder can be written");
        let (raw, hex) = (raw.to_str().expect("plain"), hex.to_str().expect("plain"));

        let (expected, _) = judged(&["--hex", READY]);
        for arguments in [
            &["--offset", "16", raw][..],
            &["--offset", "0x10", raw],
            &["--hex-file", hex],
            &["--offset", "2", "--hex", &format!("ffff {READY}")],
        ] {
            assert_judged(arguments, &expected, 0);
        }
        for (arguments, input) in [
            (&["inspect"][..], &ready()),
            (&["inspect", "-"], &ready()),
            (&["inspect", "--offset", "16", "-"], &shifted),
            (&["inspect", "--hex-file", "-"], &READY.as_bytes().to_vec()),
        ] {
            let output = fed(arguments, input);
            assert_eq!(output.status.code(), Some(0));
            let shown = text(&output.stdout);
            assert!(shown.ends_with(&expected), "{arguments:?}:\n{shown}");
        }
        let output = fed(
            &["inspect", "--offset", "16", "--from", "prefix"],
            &shifted[4..],
        );
        assert_eq!(
            text(&output.stdout).lines().next(),
            Some("Byte 16 of the input is the start of the prefix; 64-bit, little-endian.")
        );
    }

    #[test]
    fn a_long_one_is_drawn_in_part_unless_all_is_asked_for() {
        let mut bytes = vec![0, 0, 0, 0, 0, 0, 1, 0];
        bytes.resize(8 + 0x1_0000 + 2, b'x');
        bytes[8 + 0x1_0000..].fill(0);
        let output = fed(&["inspect"], &bytes);
        let shown = text(&output.stdout);
        assert_eq!(output.status.code(), Some(0), "{shown}");
        tools::line_with(
            &shown,
            "+1032  (64512 bytes)                                   not drawn",
        );
        assert_eq!(shown.lines().count(), 1 + 1 + 2 + 64 + 1 + 1 + 1 + 1);
        let all = text(&fed(&["inspect", "--all"], &bytes).stdout);
        assert_eq!(all.lines().count(), 1 + 1 + 2 + 4096 + 1 + 1 + 1);
    }

    /// Between an offset and what is there is a space, however many digits it has.
    #[test]
    fn the_longest_offset_is_told_from_the_bytes() {
        for (len, digits) in [(980, 3), (990, 4), (9600, 4), (10_000, 5)] {
            let mut bytes = vec![0; 4];
            bytes.extend(u32::to_le_bytes(len));
            bytes.resize(8 + len as usize + 2, b'x');
            bytes[8 + len as usize..].fill(0);
            let shown = text(&fed(&["inspect", "--all"], &bytes).stdout);
            let last = format!("+{:<digits$} 00 00   ", 8 + len);
            tools::line_with(&shown, &last);
            tools::line_with(&shown, &format!("+{:<digits$} 78 78 78", 24));
        }
    }

    /// A dump with two strings in it, and much that is none.
    #[test]
    fn a_dump_is_searched_for_strings() {
        let mut dump = vec![0xCC; 0x1F40];
        for (start, text) in [(0x1F40, "Status text"), (0x2C60, "Ready")] {
            dump.resize(start + 4, 0xCC);
            let units: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
            dump.extend(u32::try_from(units.len()).expect("short").to_le_bytes());
            dump.extend(units);
            dump.extend([0, 0]);
        }
        let found = fed(&["inspect", "--scan"], &dump);
        assert_eq!(found.status.code(), Some(0));
        assert_eq!(
            text(&found.stdout),
            "0x0000001f48 11 units  \"Status text\"\n\
             0x0000002c68  5 units  \"Ready\"\n\
             2 places looked like BSTRs. Blocks were looked for at multiples of 16 from byte 0 on.\n"
        );
        let behind = fed(&["inspect", "--scan", "--offset", "0x2000"], &dump);
        assert_eq!(
            text(&behind.stdout),
            "0x0000002c68  5 units  \"Ready\"\n\
             1 place looked like a BSTR. Blocks were looked for at multiples of 16 from byte 8192 on.\n"
        );
        let longer = fed(&["inspect", "--scan", "--min-units", "12"], &dump);
        assert_eq!(longer.status.code(), Some(1));
        assert_eq!(
            text(&longer.stdout),
            "Nothing looks like a BSTR. Blocks were looked for at multiples of 16 from byte 0 on.\n"
        );
        // Refused before anything is read.
        let output = fed(&["inspect", "--scan", "--text"], &[]);
        assert_eq!(output.status.code(), Some(2));
        let upper = fed(&["inspect", "--scan", "--offset", "0X2000"], &dump);
        assert_eq!(text(&upper.stdout), text(&behind.stdout));
        for arguments in [["--min-units", "3"], ["--align", "4"]] {
            let output = fed(&[&["inspect"][..], &arguments].concat(), &[]);
            assert_eq!(output.status.code(), Some(2));
        }
        let output = fed(&["inspect", "--scan", "--align", "3"], &[]);
        assert_eq!(output.status.code(), Some(2));
        // The page shows just this.
        assert_eq!(
            text(&found.stdout),
            block("olemem inspect --scan core", "text")
        );
    }

    /// As in a file of a dump, where what was at a multiple of 16 is anywhere.
    #[test]
    fn a_string_at_any_place_is_found_if_any_is_looked_at() {
        for before in 1..16_usize {
            let dump = [&vec![0xCC; before][..], &ready()].concat();
            let scan = |arguments: &[&str]| {
                let output = fed(&[&["inspect", "--scan"], arguments].concat(), &dump);
                (output.status.code(), text(&output.stdout))
            };
            let missed = |places: &str| {
                let told = format!(
                    "Nothing looks like a BSTR. Blocks were looked for {places} from byte 0 on.\n\
                     Elsewhere something does: --align 1 shows it.\n"
                );
                (Some(1), told)
            };
            let found = |places: &str, first: usize| {
                let told = format!(
                    "{:#012x}  5 units  \"Ready\"\n\
                     1 place looked like a BSTR. Blocks were looked for {places} from byte {first} on.\n",
                    before + 8
                );
                (Some(0), told)
            };
            assert_eq!(scan(&[]), missed("at multiples of 16"));
            for (align, places) in [
                (8, "at multiples of 8"),
                (4, "at multiples of 4"),
                (2, "at multiples of 2"),
                (1, "everywhere"),
            ] {
                let is_there = before.is_multiple_of(align);
                let expected = if is_there {
                    found(places, 0)
                } else {
                    missed(places)
                };
                assert_eq!(scan(&["--align", &align.to_string()]), expected);
            }
            // They are counted from there.
            let found = found("at multiples of 16", before);
            assert_eq!(scan(&["--offset", &before.to_string()]), found);
        }
        let narrow = fed(&["inspect", "--scan", "--width", "32"], &[0; 4]);
        assert_eq!(
            text(&narrow.stdout),
            "Nothing looks like a BSTR. Blocks were looked for at multiples of 8 from byte 0 on.\n"
        );
    }

    /// Of what is not read nothing is said.
    #[test]
    fn what_is_behind_the_block_is_not_all_read() {
        let mut bytes = ready();
        bytes.resize((16 << 20) + 5, 0);
        let shown = |bytes: &[u8]| text(&fed(&["inspect"], bytes).stdout);
        let more = shown(&bytes);
        let drawn = tools::line_with(&more, "(16777184 bytes)");
        assert!(drawn.ends_with("  and more behind the block"), "{drawn}");
        tools::line_with(
            &more,
            "note: at least 16777184 bytes behind the block, from +32 on",
        );
        bytes.truncate(16 << 20);
        let all = shown(&bytes);
        let drawn = tools::line_with(&all, "(16777184 bytes)");
        assert!(drawn.ends_with("  behind the block"), "{drawn}");
        tools::line_with(&all, "note: 16777184 bytes behind the block, from +32 on");
    }

    #[test]
    fn text_for_a_scan_may_be_as_long_as_a_dump() {
        let before = "cc".repeat(16);
        let mut hex = before.repeat(1 + (16 << 20) / before.len());
        hex.push_str(READY);
        let output = fed(&["inspect", "--hex-file", "-"], hex.as_bytes());
        assert_eq!(output.status.code(), Some(2));
        assert_eq!(
            text(&output.stderr),
            "olemem: standard input: more than 16777216 bytes\n"
        );
        let output = fed(&["inspect", "--scan", "--hex-file", "-"], hex.as_bytes());
        assert_eq!(output.status.code(), Some(0));
        tools::line_with(&text(&output.stdout), "  5 units  \"Ready\"");
    }

    #[test]
    fn what_cannot_be_inspected_has_a_status_of_its_own() {
        // More is there than is read: fine if the string ends before.
        let mut bytes = vec![0; (16 << 20) + 100];
        assert_eq!(fed(&["inspect"], &bytes).status.code(), Some(0));
        bytes[7] = 1;
        let output = fed(&["inspect"], &bytes);
        assert_eq!(output.status.code(), Some(2));
        assert_eq!(
            text(&output.stderr),
            "olemem: the prefix says 16777216 bytes: no more than 16777216 bytes are read\n"
        );
        for (arguments, told) in [
            (&["no-such-file"][..], "olemem: no-such-file: "),
            (
                &["no\u{1b}[31m-such-file"],
                "olemem: no\\u{1b}[31m-such-file: ",
            ),
            (
                &["--offset", "20", "--hex", READY],
                "olemem: --hex: it ends before byte 20, where --offset says to begin\n",
            ),
            (&["--hex", "0g"], "olemem: --hex: \"0g\" is not hexadecimal"),
            (&["--hex", "", "file"], "error: "),
            (&["--hex", "", "--hex-file", "file"], "error: "),
            (&["--width", "16"], "error: "),
            (&["--offset", "-1"], "error: "),
            (&["--offset", "0xg"], "error: "),
        ] {
            let output = tools::run(olemem(&["inspect"]).args(arguments));
            assert_eq!(output.status.code(), Some(2), "{arguments:?}");
            assert!(
                text(&output.stderr).starts_with(told),
                "{arguments:?}: {output:?}"
            );
            assert!(output.stdout.is_empty());
        }
    }
}

mod shell {
    use super::*;

    const COMMANDS: [&str; 6] = ["demo", "sweep", "explain", "inspect", "completions", "man"];

    #[test]
    fn completions_know_the_commands() {
        for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
            let output = tools::run_ok(&mut olemem(&["completions", shell]));
            let script = text(&output.stdout);
            for command in COMMANDS {
                assert!(script.contains(command), "{shell}: {command}");
            }
        }
        let output = tools::run_ok(&mut olemem(&["completions", "bash"]));
        let script = text(&output.stdout);
        for word in ["double-free", "R54", "--hex-file"] {
            assert!(script.contains(word), "{word}");
        }
        if let Some(bash) = tools::tool(&["bash"]) {
            let file = tools::scratch("completions").join("olemem");
            std::fs::write(&file, script).expect("the scratch folder can be written");
            tools::run_ok(Command::new(bash).arg("-n").arg(file));
        }
        let output = tools::run(&mut olemem(&["completions", "cmd"]));
        assert_eq!(output.status.code(), Some(2));
    }

    #[test]
    fn the_manual_has_a_page_for_each_command() {
        let main = tools::run_ok(&mut olemem(&["man"])).stdout;
        assert!(text(&main).contains(".TH olemem 1"));
        let dir = tools::scratch("man");
        let folder = dir.to_str().expect("plain");
        let output = tools::run_ok(&mut olemem(&["man", "--dir", folder]));
        assert!(output.stdout.is_empty());
        assert_eq!(
            std::fs::read(dir.join("olemem.1")).expect("it is there"),
            main
        );
        for command in COMMANDS {
            let page = std::fs::read_to_string(dir.join(format!("olemem-{command}.1")));
            let page = page.expect("it is there");
            assert!(page.contains("Exit status: "), "{command}");
        }
        let output = tools::run(&mut olemem(&["man", "--dir", "/no/such/folder"]));
        assert_eq!(output.status.code(), Some(2));
        assert!(text(&output.stderr).starts_with("olemem: /no/such/folder: "));
    }

    #[test]
    fn help_tells_the_exit_statuses_and_fits_a_screen() {
        for command in COMMANDS {
            let output = tools::run_ok(&mut olemem(&[command, "--help"]));
            let help = text(&output.stdout);
            tools::line_with(&help, "Exit status: 0 ");
            assert!(
                help.lines().all(|line| line.chars().count() <= 100),
                "{help}"
            );
        }
    }

    #[test]
    fn the_page_has_every_command() {
        for command in COMMANDS {
            assert!(PAGE.contains(&format!("| `olemem {command}")), "{command}");
        }
    }
}
