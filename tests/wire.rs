//! The transmitted form: what is written, what is read back, and what is refused (V190 to V209, in Rust: of V201 to
//! V204, which are a VARIANT's, what is the string's).

#[path = "wire/malformed.rs"]
mod malformed;
#[path = "wire/ndr64.rs"]
mod ndr64;
#[path = "wire/nested.rs"]
mod nested;
#[path = "laws/steps.rs"]
#[allow(dead_code, reason = "the laws of bytes take few steps")]
mod steps;
#[cfg(all(target_pointer_width = "64", unix, not(miri)))]
#[path = "wire/too_long.rs"]
mod too_long;
#[path = "wire/wine.rs"]
mod wine;
#[path = "laws/wire.rs"]
#[allow(dead_code, reason = "a fuzzer's bytes are for other tests")]
mod wire_law;

use olemem::Bstr;
use olemem::layout::ByteOrder;
use olemem::wire::{NoRoom, Syntax, TransmittedBstr};
use quickcheck::{TestResult, quickcheck};

/// 13 units.
const TEXT: &str = "marshal test1";

fn sent(bstr: &Bstr) -> TransmittedBstr<'_> {
    bstr.transmitted().expect("olemem made it")
}

fn encoded(bstr: TransmittedBstr<'_>, start: usize) -> Vec<u8> {
    let end = bstr
        .end(start, Syntax::Ndr)
        .expect("the tests' strings are short");
    let mut buffer = vec![0xEE; end];
    assert_eq!(bstr.encode(&mut buffer, start, Syntax::Ndr), Ok(end));
    buffer.split_off(start.next_multiple_of(4))
}

fn decoded(bytes: &[u8]) -> (TransmittedBstr<'_>, usize) {
    TransmittedBstr::decode(bytes, 0, Syntax::Ndr).expect("well-formed")
}

#[test]
fn v190_and_v191_sizes_are_cumulative() {
    let text = Bstr::from(TEXT);
    assert_eq!(sent(&text).end(1, Syntax::Ndr), Some(42));
    assert_eq!(sent(&text).end(0, Syntax::Ndr), Some(38));
}

#[test]
fn v192_text_is_written_little_endian() {
    let text = Bstr::from(TEXT);
    let mut expected = vec![0x0D, 0, 0, 0, 0x1A, 0, 0, 0, 0x0D, 0, 0, 0];
    expected.extend(TEXT.bytes().flat_map(|letter| [letter, 0]));
    assert_eq!(encoded(sent(&text), 0), expected);
    assert_eq!(encoded(sent(&text), 1), expected);
}

#[test]
fn v193_and_text_comes_back() {
    let text = Bstr::from(TEXT);
    let bytes = encoded(sent(&text), 0);
    let (bstr, end) = decoded(&bytes);
    assert_eq!(end, 38);
    assert_eq!(Bstr::try_from(bstr), Ok(text));
}

#[test]
fn v194_to_v196_null_stays_null() {
    let null = Bstr::new();
    assert_eq!(sent(&null).end(0, Syntax::Ndr), Some(12));
    let bytes = encoded(sent(&null), 0);
    assert_eq!(bytes, [0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0]);
    let (bstr, end) = decoded(&bytes);
    assert_eq!(end, 12);
    assert!(bstr.is_null());
    assert!(Bstr::try_from(bstr).is_ok_and(|bstr| bstr.is_null()));
}

#[test]
fn v197_to_v199_an_odd_length_survives() {
    let odd = TransmittedBstr::from_bytes(b"abc").expect("short");
    assert_eq!(odd.end(0, Syntax::Ndr), Some(16));
    let bytes = encoded(odd, 0);
    assert_eq!(bytes, *b"\x02\0\0\0\x03\0\0\0\x02\0\0\0abc\0");
    // The byte behind it is whatever was there.
    let (bstr, end) = decoded(b"\x02\0\0\0\x03\0\0\0\x02\0\0\0abcd");
    assert_eq!((bstr.as_bytes(), end), (&b"abc"[..], 16));
    assert_eq!(encoded(bstr, 0), *b"\x02\0\0\0\x03\0\0\0\x02\0\0\0abcd");
    let bstr = Bstr::try_from(bstr).expect("there is memory");
    assert_eq!(bstr.byte_len().get(), 3);
}

/// By what they hold, not by where it lies.
#[test]
fn contents_are_compared() {
    let of = |bytes| TransmittedBstr::from_bytes(bytes).expect("short");
    let empty = of(&[]);
    assert_eq!(TransmittedBstr::NULL, TransmittedBstr::NULL);
    assert_ne!(TransmittedBstr::NULL, empty);
    assert_eq!(of(b"abc"), of(&[0x61, 0x62, 0x63]));
    for other in [&b"abd"[..], b"ab", b"abcd", b"axc", b""] {
        assert_ne!(of(b"abc"), of(other));
    }
}

#[test]
fn v200_empty_stays_empty() {
    let empty = Bstr::empty();
    assert_eq!(sent(&empty).end(0, Syntax::Ndr), Some(12));
    let bytes = encoded(sent(&empty), 0);
    assert_eq!(bytes, [0; 12]);
    let (bstr, _) = decoded(&bytes);
    assert!(!bstr.is_null());
    let bstr = Bstr::try_from(bstr).expect("there is memory");
    assert!(!bstr.is_null() && bstr.is_empty());
}

#[test]
fn a_buffer_that_is_too_short_is_left_alone() {
    let text = TransmittedBstr::from_bytes(b"t\0e\0x\0t\0").expect("short");
    for len in 0..22 {
        let mut buffer = vec![0xEE; len];
        let needed = Some(22 + 2);
        assert_eq!(
            text.encode(&mut buffer, 3, Syntax::Ndr),
            Err(NoRoom { needed })
        );
        assert!(buffer.iter().all(|byte| *byte == 0xEE));
    }
    let nowhere = text.encode(&mut [], usize::MAX - 5, Syntax::Ndr);
    assert_eq!(nowhere, Err(NoRoom { needed: None }));
}

#[test]
fn what_is_shown_is_the_text() {
    let text = TransmittedBstr::from_bytes(b"a\0\"\0\x3D\xD8").expect("short");
    assert_eq!(
        format!("{text:?}"),
        "TransmittedBstr(\"a\\\"\u{FFFD}\", 6 bytes)"
    );
    assert_eq!(
        format!("{:?}", TransmittedBstr::NULL),
        "TransmittedBstr(null)"
    );
    assert_eq!(text.order(), ByteOrder::Little);
}

fn verdict(result: Result<(), String>) -> TestResult {
    result.map_or_else(TestResult::error, |()| TestResult::passed())
}

fn syntax(is_64: bool) -> Syntax {
    if is_64 { Syntax::Ndr64 } else { Syntax::Ndr }
}

/// The numbers of a string, and of a VARIANT that holds it, are where errors are: one byte there, or soon after, is another.
fn one_byte_broken(string: Option<&[u8]>, place: usize, byte: u8) -> Result<(), String> {
    let bstr = match string {
        None => TransmittedBstr::NULL,
        Some(bytes) => TransmittedBstr::from_bytes(bytes).map_err(|error| error.to_string())?,
    };
    let broken = |mut bytes: Vec<u8>, most: usize| {
        let place = place % bytes.len().min(most);
        bytes[place] = byte;
        bytes
    };
    wire_law::of_bytes(&broken(encoded(bstr, 0), 16), 0, Syntax::Ndr)?;
    for is_by_ref in [false, true] {
        let bytes = broken(wire_law::variant(bstr, is_by_ref), 44);
        wire_law::of_variant(&bytes, 0)?;
    }
    Ok(())
}

quickcheck! {
    fn whatever_is_written_is_read(strings: Vec<Option<Vec<u8>>>, start: u8, is_64: bool) -> TestResult {
        let most = if cfg!(miri) { 3 } else { strings.len() };
        let strings: Vec<_> = strings.iter().take(most).map(Option::as_deref).collect();
        verdict(wire_law::of_strings(&strings, usize::from(start % 32), syntax(is_64)))
    }

    fn any_bytes_are_read_or_refused(choice: u8, bytes: Vec<u8>) -> TestResult {
        verdict(wire_law::decode_input(&[&[choice], &bytes[..]].concat()))
    }

    fn what_one_byte_breaks_is_told(string: Option<Vec<u8>>, place: usize, byte: u8) -> TestResult {
        verdict(one_byte_broken(string.as_deref(), place, byte))
    }
}
