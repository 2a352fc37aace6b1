//! The plan of the house holds: who imports whom, where `unsafe` may stand, and a few habits.
//!
//! The order is that of `docs/architecture.md`. Every path in `src/` that starts with `crate`, `super`
//! or `self` is read, in `use` trees and in the middle of code, and resolved to the file it leads to.
#![cfg(not(miri))]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The rooms from the ground up. A room imports from those above it in this list, and from its own
/// row only where the row says in which order.
const FLOORS: &[&[&str]] = &[
    &["com"],
    &["error"],
    &["units"],
    &["layout"],
    &["guid_text", "image", "transcode", "wire", "task::block"],
    &[
        "task::checker",
        "task::complain",
        "task::dimensions",
        "task::hidden",
        "task::order",
        "task::thread_identity",
    ],
    &["task::lock"],
    &["task::beginning", "task::sync", "task::turn", "task::whole"],
    &["task::table_memory"],
    &["task::aside", "task::seat"],
    &["task::size_class"],
    &["task::slab"],
    &["task::slab_list", "task::registry", "task::large"],
    &["task::local", "task::backing"],
    &["task::thread", "task::depot"],
    &["task::store"],
    &["task::process_heap"],
    &["task::fork"],
    &["task::fault_plan"],
    &["task::mode"],
    &["task::fault"],
    &["task::caller"],
    &["task::hook", "task::spy"],
    &["task::heap"],
    &["task::owned", "task::allocator"],
    &["task::string"],
    &["task"],
    &["bstr::prefix"],
    &["bstr::cache"],
    &["bstr::pin"],
    &["bstr::raw"],
    &["bstr::compare", "bstr::vector"],
    &["bstr::borrowed"],
    &["bstr::literal"],
    &["bstr::owned", "bstr::pinned"],
    &["bstr::bytes", "bstr::convert", "bstr::traits"],
    &["bstr"],
    &[
        "audit::rules",
        "audit::frame",
        "audit::frame_pointers",
        "audit::page",
        "audit::hand_on",
        "audit::other_stack",
    ],
    &["audit::guard", "audit::sentinel"],
    &["audit::site", "audit::guide", "audit::kept"],
    &["audit::options"],
    &["audit::ledger"],
    &["audit::current", "audit::forking"],
    &["audit::judge"],
    &["audit::overseer", "audit::counting"],
    &["audit::crossing"],
    &["audit::report"],
    &["audit::trespass"],
    &["audit::session", "audit::suppress"],
    &["audit::numbered", "audit::identity"],
    &["audit::settings", "audit::signals", "audit::crash"],
    &["audit::sweep"],
    &["audit::process", "audit::records"],
    &["audit::input"],
    &["audit"],
    &["param", "fuzzing"],
    &["crossing"],
    &["export", "sample"],
    &["lib"],
    &["cli"],
];

/// Rooms that do not know each other, though one is below: a borrowed string reads a prefix and needs
/// no heap, and what is pure has no use for one.
const STRANGERS: &[(&str, &str)] = &[
    ("bstr::borrowed", "bstr::raw"),
    ("bstr::borrowed", "bstr::compare"),
    ("bstr::borrowed", "bstr::vector"),
    ("bstr::borrowed", "task"),
    ("bstr::literal", "bstr::raw"),
    ("bstr::literal", "bstr::compare"),
    ("bstr::literal", "bstr::vector"),
    ("bstr::literal", "task"),
    ("bstr::borrowed", "bstr::cache"),
    ("bstr::borrowed", "bstr::pin"),
    ("bstr::prefix", "task"),
    ("task::block", "guid_text"),
    ("task", "transcode"),
];

/// Where `unsafe` may stand.
const UNSAFE: &[&str] = &[
    "task", "bstr", "audit", "param", "crossing", "export", "sample",
];

/// Files that must forbid it, so that the compiler holds them to it.
const FORBIDS: &[&str] = &[
    "units",
    "layout",
    "guid_text",
    "transcode",
    "image",
    "wire",
    "fuzzing",
];

/// No file is longer than this.
const LINES: usize = 700;

/// A piece of Rust text. What stands in comments, strings and characters is gone.
#[derive(Clone, Debug, PartialEq)]
enum Token {
    Word(String),
    /// `::`.
    Colons,
    /// A string or a character.
    Literal,
    Mark(char),
}

impl Token {
    fn is(&self, mark: char) -> bool {
        *self == Self::Mark(mark)
    }

    fn word(&self) -> Option<&str> {
        match self {
            Self::Word(word) => Some(word),
            _ => None,
        }
    }
}

/// Splits Rust text into tokens.
fn tokens(text: &str) -> Vec<Token> {
    let chars: Vec<char> = text.chars().collect();
    let at = |index: usize| chars.get(index).copied().unwrap_or('\0');
    let mut tokens = Vec::new();
    let mut index = 0;
    while index < chars.len() {
        let c = at(index);
        if c == '/' && at(index + 1) == '/' {
            while index < chars.len() && at(index) != '\n' {
                index += 1;
            }
        } else if c == '/' && at(index + 1) == '*' {
            let mut depth = 0;
            loop {
                match (at(index), at(index + 1)) {
                    ('/', '*') => depth += 1,
                    ('*', '/') => depth -= 1,
                    ('\0', _) => break,
                    _ => {
                        index += 1;
                        continue;
                    }
                }
                index += 2;
                if depth == 0 {
                    break;
                }
            }
        } else if c == '"' {
            index = end_of_string(&chars, index);
            tokens.push(Token::Literal);
        } else if c == '\'' {
            let escaped = at(index + 1) == '\\';
            if escaped || at(index + 2) == '\'' {
                // A character; behind a backslash it may be a long one.
                index += if escaped { 3 } else { 2 };
                while at(index) != '\'' && index < chars.len() {
                    index += 1;
                }
                tokens.push(Token::Literal);
            }
            // Otherwise a lifetime, whose name is a word of no interest.
            index += 1;
        } else if c.is_alphanumeric() || c == '_' {
            let start = index;
            while at(index).is_alphanumeric() || at(index) == '_' {
                index += 1;
            }
            let word: String = chars[start..index].iter().collect();
            let raw = matches!(&*word, "r" | "br" | "cr");
            if raw && (at(index) == '"' || at(index) == '#') {
                let mut hashes = 0;
                while at(index + hashes) == '#' {
                    hashes += 1;
                }
                if at(index + hashes) == '"' {
                    index += hashes + 1;
                    let closes = |index: usize| {
                        at(index) == '"' && (1..=hashes).all(|n| at(index + n) == '#')
                    };
                    while index < chars.len() && !closes(index) {
                        index += 1;
                    }
                    index += 1 + hashes;
                    tokens.push(Token::Literal);
                    continue;
                }
                // A raw identifier: its name follows.
                index += 1;
                continue;
            }
            if matches!(&*word, "b" | "c") && at(index) == '"' {
                index = end_of_string(&chars, index);
                tokens.push(Token::Literal);
                continue;
            }
            tokens.push(Token::Word(word));
        } else if c == ':' && at(index + 1) == ':' {
            tokens.push(Token::Colons);
            index += 2;
        } else {
            if !c.is_whitespace() {
                tokens.push(Token::Mark(c));
            }
            index += 1;
        }
    }
    tokens
}

/// The index behind a string that starts at `index`.
fn end_of_string(chars: &[char], mut index: usize) -> usize {
    index += 1;
    while index < chars.len() && chars[index] != '"' {
        index += if chars[index] == '\\' { 2 } else { 1 };
    }
    index + 1
}

/// A path as written, and the inline modules that it is written in.
type Found = (Vec<String>, Vec<String>);

/// Every path that starts with `crate`, `super` or `self` and goes somewhere, and every glob.
fn paths(tokens: &[Token]) -> Vec<Found> {
    let mut found = Vec::new();
    // Inline modules, and the depth of braces at which each began.
    let mut modules: Vec<(String, usize)> = Vec::new();
    let mut depth = 0;
    let mut index = 0;
    while index < tokens.len() {
        let here: Vec<String> = modules.iter().map(|(name, _)| name.clone()).collect();
        match &tokens[index] {
            Token::Mark('{') => depth += 1,
            Token::Mark('}') => {
                depth -= 1;
                if modules.last().is_some_and(|(_, began)| *began == depth) {
                    modules.pop();
                }
            }
            Token::Word(word) if word == "mod" => {
                if let (Some(name), Some(brace)) = (tokens.get(index + 1), tokens.get(index + 2))
                    && let Some(name) = name.word()
                    && brace.is('{')
                {
                    modules.push((name.to_owned(), depth));
                    depth += 1;
                    index += 2;
                }
            }
            Token::Word(word) if word == "use" => {
                let mut cursor = index + 1;
                let mut tree = Vec::new();
                use_tree(tokens, &mut cursor, &[], &mut tree);
                found.extend(tree.into_iter().map(|path| (path, here.clone())));
                index = cursor;
                continue;
            }
            Token::Word(word) if matches!(&**word, "crate" | "super" | "self") => {
                // `$crate` in a macro is for whoever uses it: the public names.
                let follows =
                    index > 0 && (tokens[index - 1] == Token::Colons || tokens[index - 1].is('$'));
                let mut path = vec![word.clone()];
                while let (Some(Token::Colons), Some(Token::Word(next))) =
                    (tokens.get(index + 1), tokens.get(index + 2))
                {
                    path.push(next.clone());
                    index += 2;
                }
                if path.len() > 1 && !follows {
                    found.push((path, here));
                }
            }
            _ => {}
        }
        index += 1;
    }
    found
}

/// The paths of a `use` tree from `cursor` on, each with `prefix` before it.
fn use_tree(tokens: &[Token], cursor: &mut usize, prefix: &[String], found: &mut Vec<Vec<String>>) {
    let mut path = prefix.to_vec();
    while let Some(token) = tokens.get(*cursor) {
        match token {
            Token::Word(word) if word == "as" => *cursor += 1,
            Token::Word(word) => path.push(word.clone()),
            Token::Mark('*') => path.push("*".to_owned()),
            Token::Mark('{') => {
                *cursor += 1;
                while tokens.get(*cursor).is_some_and(|token| !token.is('}')) {
                    use_tree(tokens, cursor, &path, found);
                    if tokens.get(*cursor).is_some_and(|token| token.is(',')) {
                        *cursor += 1;
                    }
                }
                *cursor += 1;
                return;
            }
            Token::Colons => {}
            Token::Mark(_) | Token::Literal => break,
        }
        *cursor += 1;
    }
    found.push(path);
}

/// A source file: its place below `src/`, and its text.
type File = (String, String);

/// The module that a file is: `task::heap::emulated`; `lib` for the root.
fn module(place: &str) -> Vec<String> {
    let stem = place.strip_suffix(".rs").unwrap_or(place);
    stem.split('/').map(str::to_owned).collect()
}

/// The room that a module belongs to: in `task`, `bstr` and `audit` each file with what is below it, elsewhere
/// the file at the top with what is below it.
fn room(module: &[String]) -> String {
    let parts = match module.first().map(String::as_str) {
        Some("task" | "bstr" | "audit") => 2,
        _ => 1,
    };
    module[..parts.min(module.len())].join("::")
}

/// Where a path leads, as a module path: the longest part of it that is a file. `None` for what is not
/// in this crate.
fn resolve(
    path: &[String],
    from: &[String],
    inline: &[String],
    modules: &BTreeSet<Vec<String>>,
) -> Option<Vec<String>> {
    let program = from.first().is_some_and(|first| first == "cli");
    let mut place: Vec<String> = from.iter().chain(inline).cloned().collect();
    let mut rest = path;
    match path.first().map(String::as_str) {
        // The command is a crate of its own, whose root is `cli/main.rs`.
        Some("crate") => {
            place = if program {
                vec!["cli".to_owned()]
            } else {
                Vec::new()
            };
            rest = &rest[1..];
        }
        Some("self") => rest = &rest[1..],
        Some("super") => {}
        // Only the crate's own name leads into it from the command.
        Some("olemem") if program => return Some(vec!["lib".to_owned()]),
        _ => return None,
    }
    while rest.first().is_some_and(|part| part == "super") {
        place.pop();
        rest = &rest[1..];
    }
    place.extend(rest.iter().cloned());
    while !place.is_empty() && !modules.contains(&place) {
        place.pop();
    }
    // What no file is comes from the root: a name that `lib.rs` gives to something.
    Some(if place.is_empty() {
        vec!["lib".to_owned()]
    } else {
        place
    })
}

/// Who imports whom, room by room, with an example of each.
fn imports(files: &[File]) -> BTreeMap<(String, String), String> {
    let modules: BTreeSet<_> = files.iter().map(|(place, _)| module(place)).collect();
    let mut imports = BTreeMap::new();
    for (place, text) in files {
        let from = module(place);
        let tokens = tokens(text);
        for (path, inline) in paths(&tokens) {
            let Some(to) = resolve(&path, &from, &inline, &modules) else {
                continue;
            };
            let (from, to) = (room(&from), room(&to));
            if from != to {
                let example = format!("{place}: {}", path.join("::"));
                imports.entry((from, to)).or_insert(example);
            }
        }
    }
    imports
}

/// What breaks the order of the floors.
fn upward(files: &[File], floors: &[&[&str]]) -> Vec<String> {
    let floor = |room: &str| floors.iter().position(|floor| floor.contains(&room));
    let mut wrong = Vec::new();
    for (place, _) in files {
        let room = room(&module(place));
        if floor(&room).is_none() {
            wrong.push(format!("{place}: the room {room} has no place in the plan"));
        }
    }
    for ((from, to), example) in imports(files) {
        if from != "lib" && floor(&to) >= floor(&from) {
            wrong.push(format!(
                "{from} imports {to}, which is not below it ({example})"
            ));
        }
        let within = |room: &str| {
            let rest = to.strip_prefix(room);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
        };
        if STRANGERS
            .iter()
            .any(|(one, other)| *one == from && within(other))
        {
            wrong.push(format!(
                "{from} imports {to}, which it is not to know ({example})"
            ));
        }
    }
    wrong
}

/// Rooms that import each other in a circle, whatever the plan says: each on the way to itself.
fn circles(files: &[File]) -> BTreeSet<String> {
    let imports = imports(files);
    let mut reach: BTreeSet<(String, String)> = imports
        .keys()
        .filter(|(from, _)| from != "lib")
        .cloned()
        .collect();
    loop {
        let longer: Vec<_> = reach
            .iter()
            .flat_map(|(from, middle)| {
                let onward = reach.iter().filter(move |(next, _)| next == middle);
                onward.map(move |(_, to)| (from.clone(), to.clone()))
            })
            .filter(|pair| !reach.contains(pair))
            .collect();
        if longer.is_empty() {
            break;
        }
        reach.extend(longer);
    }
    let circular = reach.into_iter().filter(|(from, to)| from == to);
    circular.map(|(from, _)| from).collect()
}

/// Whether unsafe code stands there. The type of a pointer to an unsafe function is no code.
fn has_unsafe(tokens: &[Token]) -> bool {
    tokens.iter().enumerate().any(|(index, token)| {
        if token.word() != Some("unsafe") {
            return false;
        }
        let mut rest = tokens[index + 1..].iter().peekable();
        if rest.next_if(|next| next.word() == Some("extern")).is_some() {
            rest.next_if(|next| **next == Token::Literal);
        }
        !(rest.next().and_then(Token::word) == Some("fn")
            && rest.next().is_some_and(|next| next.is('(')))
    })
}

fn forbids_unsafe(tokens: &[Token]) -> bool {
    let wanted = ["forbid", "unsafe_code"];
    tokens.windows(7).any(|window| {
        window[0].is('#')
            && window[1].is('!')
            && window[2].is('[')
            && window[3].word() == Some(wanted[0])
            && window[4].is('(')
            && window[5].word() == Some(wanted[1])
            && window[6].is(')')
    })
}

/// What breaks a rule about a single file.
fn habits((place, text): &File) -> Vec<String> {
    let tokens = tokens(text);
    let module = module(place);
    let top = module[0].as_str();
    let mut wrong = Vec::new();
    let mut complain = |what: &str| wrong.push(format!("{place}: {what}"));
    if has_unsafe(&tokens) && !UNSAFE.contains(&top) {
        complain("unsafe code outside the rooms that may have it");
    }
    if FORBIDS.contains(&top) && !forbids_unsafe(&tokens) {
        complain("does not forbid unsafe code");
    }
    if place.ends_with("mod.rs") {
        complain("a module's own file is named after it");
    }
    if text.lines().count() > LINES {
        complain("too long");
    }
    if paths(&tokens)
        .iter()
        .any(|(path, _)| path.last().is_some_and(|last| last == "*"))
    {
        complain("a glob import");
    }
    let unfinished = |pair: &[Token]| {
        pair[1].is('!')
            && pair[0]
                .word()
                .is_some_and(|word| ["todo", "unimplemented", "dbg"].contains(&word))
    };
    if tokens.windows(2).any(unfinished) {
        complain("unfinished code");
    }
    // In comments as well.
    let marks = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("XX", "X"),
    ];
    let mut words = text.split(|c: char| !c.is_alphanumeric() && c != '_');
    if words.any(|word| marks.contains(&word)) {
        complain("a note of work left undone");
    }
    wrong
}

/// All Rust files below a folder.
fn read(folder: &Path, below: &str, files: &mut Vec<File>) {
    let entries = std::fs::read_dir(folder).expect("the sources can be read");
    for entry in entries {
        let path = entry.expect("the sources can be read").path();
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .expect("names are plain");
        let place = format!("{below}{name}");
        if path.is_dir() {
            read(&path, &format!("{place}/"), files);
        } else if let Some(place) = place.ends_with(".rs").then_some(place) {
            let text = std::fs::read_to_string(&path).expect("the sources can be read");
            files.push((place, text));
        }
    }
}

/// `None` under Miri, which sees no files.
fn sources() -> Option<Vec<File>> {
    if cfg!(miri) {
        return None;
    }
    let mut files = Vec::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    read(&root, "", &mut files);
    files.sort();
    assert!(files.len() > 20, "the sources are there");
    Some(files)
}

#[track_caller]
fn assert_none(wrong: &[String]) {
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

mod the_sources {
    use super::*;

    #[test]
    fn import_only_what_is_below_them() {
        let Some(files) = sources() else { return };
        assert_none(&upward(&files, FLOORS));
    }

    #[test]
    fn import_nothing_in_a_circle() {
        let Some(files) = sources() else { return };
        let circles: Vec<_> = circles(&files).into_iter().collect();
        assert_none(&circles);
    }

    #[test]
    fn keep_the_habits() {
        let Some(files) = sources() else { return };
        let wrong: Vec<_> = files.iter().flat_map(habits).collect();
        assert_none(&wrong);
    }

    /// The reader finds what is known to be there: it would be easy to find nothing wrong in nothing.
    #[test]
    fn are_read_at_all() {
        let Some(files) = sources() else { return };
        let imports = imports(&files);
        for (from, to) in [
            ("layout", "units"),
            ("units", "error"),
            ("error", "com"),
            ("task::heap", "task::store"),
            ("task::store", "task::depot"),
            ("task::local", "task::slab"),
            ("task::heap", "task::hook"),
            ("task::heap", "task::spy"),
            ("task::spy", "task::seat"),
            ("export", "task::spy"),
            ("task::owned", "task::heap"),
            ("bstr::raw", "task::heap"),
            ("bstr::raw", "bstr::prefix"),
            ("bstr::raw", "bstr::pin"),
            ("bstr::pin", "bstr::cache"),
            ("bstr::cache", "task::aside"),
            ("task::fork", "task::aside"),
            ("bstr::owned", "bstr::borrowed"),
            ("bstr::convert", "bstr::owned"),
            ("bstr::traits", "bstr::owned"),
            ("param", "bstr::owned"),
            ("export", "bstr::raw"),
            ("audit::guide", "audit::rules"),
            ("sample", "param"),
            ("cli", "lib"),
        ] {
            let pair = (from.to_owned(), to.to_owned());
            assert!(imports.contains_key(&pair), "{from} imports {to}");
        }
        let with_unsafe: BTreeSet<_> = files
            .iter()
            .filter(|(_, text)| has_unsafe(&tokens(text)))
            .map(|(place, _)| module(place)[0].clone())
            .collect();
        assert_eq!(
            with_unsafe,
            UNSAFE.iter().map(|&room| room.to_owned()).collect()
        );
    }

    /// Each room of the plan is there; those that come and go with the platform are named here.
    #[test]
    fn have_all_the_rooms_of_the_plan() {
        let Some(files) = sources() else { return };
        let rooms: BTreeSet<_> = files
            .iter()
            .map(|(place, _)| room(&module(place)))
            .collect();
        for planned in FLOORS.iter().copied().flatten() {
            assert!(rooms.contains(*planned), "{planned} is not there");
        }
    }
}

/// The reader itself, on small inputs: each rule can be broken, and is then told.
mod the_reader {
    use super::*;

    fn file(place: &str, text: &str) -> File {
        (place.to_owned(), text.to_owned())
    }

    fn found(text: &str) -> Vec<String> {
        paths(&tokens(text))
            .into_iter()
            .map(|(path, inline)| {
                let inline: String = inline.iter().map(|name| format!("{name}/")).collect();
                format!("{inline}{}", path.join("::"))
            })
            .collect()
    }

    #[test]
    fn sees_no_comments_strings_or_characters() {
        let text = r##"
            // crate::line
            /// [`crate::doc`] and unsafe
            /* crate::block /* crate::nested */ crate::still */
            "crate::string \" crate::escaped" b"crate::bytes" c"crate::c"
            r#"crate::raw " crate::still "# r"crate::raw\" br#"crate::"#
            '"' '\'' '\u{1F600}' b'"' 'lifetime r#type
            crate::seen
        "##;
        assert_eq!(found(text), ["crate::seen"]);
        assert!(!has_unsafe(&tokens(text)));
        let words = tokens("fn f<'a>(x: &'a str) -> char { 'a' }");
        assert!(words.contains(&Token::Literal));
        assert_eq!(
            words
                .iter()
                .filter(|token| token.word() == Some("a"))
                .count(),
            2
        );
    }

    #[test]
    fn sees_use_trees() {
        let text = "
            pub(crate) use crate::{a::{self, B as C}, d::*, super_::E};
            use super::{f, super::g::{H, i::{J}},};
            use self::k::L; use other::M; pub use ::std::n;
        ";
        assert_eq!(
            found(text),
            [
                "crate::a::self",
                "crate::a::B",
                "crate::d::*",
                "crate::super_::E",
                "super::f",
                "super::super::g::H",
                "super::super::g::i::J",
                "self::k::L",
                "other::M",
                "std::n",
            ]
        );
    }

    #[test]
    fn sees_paths_in_code_and_where_they_stand() {
        let text = "
            fn f() -> crate::a::B { super::c(); self::d::E.go(); self.x; x::self_; }
            mod inner {
                mod deeper { use super::super::up; }
                fn g() { if true { super::h() } }
            }
            mod declared;
            pub(in crate::i) fn j() {}
            macro_rules! m { () => { $crate::k::L } }
            impl crate::Trait for Vec<super::T> {}
        ";
        assert_eq!(
            found(text),
            [
                "crate::a::B",
                "super::c",
                "self::d::E",
                "inner/deeper/super::super::up",
                "inner/super::h",
                "crate::i",
                "crate::Trait",
                "super::T",
            ]
        );
    }

    #[test]
    fn knows_where_a_path_leads() {
        let names = [
            "lib",
            "a",
            "task",
            "task/heap",
            "task/heap/emulated",
            "cli/main",
        ];
        let modules: BTreeSet<_> = names.iter().map(|name| module(name)).collect();
        let lead = |path: &str, from: &str, inline: &[&str]| {
            let path: Vec<_> = path.split("::").map(str::to_owned).collect();
            let inline: Vec<_> = inline.iter().map(|&name| name.to_owned()).collect();
            resolve(&path, &module(from), &inline, &modules).map(|place| place.join("::"))
        };
        let some = |place: &str| Some(place.to_owned());
        assert_eq!(lead("crate::a::Name", "task", &[]), some("a"));
        assert_eq!(lead("crate::Name", "a", &[]), some("lib"));
        assert_eq!(
            lead("super::alloc", "task/heap/emulated", &[]),
            some("task::heap")
        );
        assert_eq!(
            lead("super::super::x", "task/heap/emulated", &[]),
            some("task")
        );
        assert_eq!(
            lead("super::x", "task/heap", &["tests"]),
            some("task::heap")
        );
        assert_eq!(lead("super::heap::x", "task/mode", &[]), some("task::heap"));
        assert_eq!(
            lead("self::emulated::x", "task/heap", &[]),
            some("task::heap::emulated")
        );
        assert_eq!(lead("super::a", "task", &[]), some("a"));
        assert_eq!(lead("std::a", "task", &[]), None);
        assert_eq!(lead("crate::main::x", "cli/main", &[]), some("cli::main"));
        assert_eq!(lead("olemem::a", "cli/main", &[]), some("lib"));
        assert_eq!(room(&module("task/heap/emulated.rs")), "task::heap");
        assert_eq!(room(&module("export/bstr.rs")), "export");
        assert_eq!(room(&module("lib.rs")), "lib");
    }

    #[test]
    fn tells_an_import_that_goes_up() {
        let floors: &[&[&str]] = &[&["low"], &["left", "right"], &["high"], &["lib"]];
        let house = |low: &str, left: &str, right: &str, high: &str| {
            [
                file("low.rs", low),
                file("left.rs", left),
                file("right.rs", right),
                file("high.rs", high),
                file("lib.rs", "pub use crate::high::X;"),
            ]
        };
        let sound = house(
            "use std::x;",
            "use crate::low::A;",
            "use super::low;",
            "use crate::{left::B, low}; fn f() { crate::right::c() }",
        );
        assert_eq!(upward(&sound, floors), [""; 0]);
        assert_eq!(circles(&sound), BTreeSet::new());

        let up = upward(&house("fn f() { crate::high::x() }", "", "", ""), floors);
        assert_eq!(
            up,
            ["low imports high, which is not below it (low.rs: crate::high::x)"]
        );
        let sideways = upward(&house("", "use crate::{right::B};", "", ""), floors);
        assert_eq!(
            sideways,
            ["left imports right, which is not below it (left.rs: crate::right::B)"]
        );
        let root = upward(&house("use crate::Name;", "", "", ""), floors);
        assert_eq!(
            root,
            ["low imports lib, which is not below it (low.rs: crate::Name)"]
        );
        let stranger = [
            file("task/heap.rs", ""),
            file("bstr/borrowed.rs", "use crate::task::heap;"),
        ];
        assert_eq!(
            upward(&stranger, FLOORS),
            [
                "bstr::borrowed imports task::heap, which it is not to know (bstr/borrowed.rs: \
                 crate::task::heap)"
            ]
        );
        let unknown = upward(&[file("new.rs", "")], floors);
        assert_eq!(unknown, ["new.rs: the room new has no place in the plan"]);
    }

    #[test]
    fn tells_a_circle() {
        let house = [
            file("a.rs", "use crate::b::B;"),
            file("b.rs", "mod inner { fn f() { crate::c::g() } }"),
            file("c.rs", "use super::{a as d};"),
            file("e.rs", "use crate::a;"),
        ];
        assert_eq!(circles(&house), ["a", "b", "c"].map(str::to_owned).into());
        // Within a room a parent and its children may know each other.
        let room = [
            file("task/heap.rs", "use self::emulated::x;"),
            file("task/heap/emulated.rs", "use super::y;"),
        ];
        assert_eq!(circles(&room), BTreeSet::new());
    }

    #[test]
    fn tells_broken_habits() {
        let told = |place: &str, text: &str| habits(&file(place, text));
        assert_eq!(told("task/a.rs", "fn f() { unsafe { g() } }"), [""; 0]);
        for text in [
            "fn f() { unsafe { g() } }",
            "unsafe fn f() {}",
            "unsafe impl Send for A {}",
            "unsafe extern \"C\" { fn f(); }",
            "unsafe extern \"system\" fn f() {}",
            "#[unsafe(no_mangle)] fn f() {}",
        ] {
            let wrong = "com.rs: unsafe code outside the rooms that may have it";
            assert_eq!(told("com.rs", text), [wrong], "{text}");
        }
        for text in [
            "type F = unsafe extern \"system\" fn(u8);",
            "struct S { f: unsafe fn() }",
            "// unsafe",
            "#![deny(unsafe_op_in_unsafe_fn)]",
        ] {
            assert_eq!(told("com.rs", text), [""; 0], "{text}");
        }
        assert_eq!(told("units.rs", "#![forbid(unsafe_code)]"), [""; 0]);
        for text in ["", "#![deny(unsafe_code)]", "// #![forbid(unsafe_code)]"] {
            assert_eq!(
                told("units.rs", text),
                ["units.rs: does not forbid unsafe code"]
            );
        }
        assert_eq!(
            told("task/mod.rs", ""),
            ["task/mod.rs: a module's own file is named after it"]
        );
        assert_eq!(told("com.rs", &"\n".repeat(LINES)), [""; 0]);
        assert_eq!(
            told("com.rs", &"\n".repeat(LINES + 1)),
            ["com.rs: too long"]
        );
        assert_eq!(
            told("com.rs", "pub use crate::a::*;"),
            ["com.rs: a glob import"]
        );
        for text in ["todo!()", "unimplemented!(\"x\")", "dbg!(x)"] {
            assert_eq!(told("com.rs", text), ["com.rs: unfinished code"]);
        }
        let note = concat!("// TO", "DO: later");
        assert_eq!(told("com.rs", note), ["com.rs: a note of work left undone"]);
        assert_eq!(told("com.rs", "// todos are fine"), [""; 0]);
    }
}
