//! What a fuzzer's bytes become: strings, images, bytes from the wire.
#![cfg(feature = "arbitrary")]

#[path = "laws/image.rs"]
#[allow(dead_code, reason = "a fuzzer's bytes are for other tests")]
mod image_law;
#[path = "support/seeds.rs"]
mod seeds;
#[path = "laws/setting.rs"]
#[allow(
    dead_code,
    unreachable_pub,
    reason = "it is the fuzz targets', and so is its twin with mistakes"
)]
mod setting;
#[path = "laws/steps.rs"]
#[allow(dead_code, reason = "the laws of bytes take few steps")]
mod steps;
#[path = "support/tools.rs"]
mod tools;
#[path = "laws/wire.rs"]
#[allow(dead_code, reason = "a fuzzer's bytes are for other tests")]
mod wire_law;

use std::collections::BTreeSet;

use arbitrary::{Arbitrary, Unstructured};
use olemem::fuzzing::{Image, OddBstr, WireBytes};
use olemem::image::Start;
use olemem::layout::{ByteOrder, PointerWidth};
use olemem::wire::{Syntax, TransmittedBstrs};
use olemem::{Bstr, HResult};
use quickcheck::{TestResult, quickcheck};

/// What a target is given of an input.
fn whole<T: for<'a> Arbitrary<'a>>(data: &[u8]) -> T {
    // As cargo-fuzz's macro does: an input that is shorter is not tried.
    assert_eq!(T::size_hint(0).0, 0);
    T::arbitrary_take_rest(Unstructured::new(data)).expect("there is memory")
}

fn verdict(result: Result<(), String>) -> TestResult {
    result.map_or_else(TestResult::error, |()| TestResult::passed())
}

#[test]
fn strings_are_null_or_empty_or_units_or_text() {
    for null in [&b""[..], b"\0", b"\0whatever"] {
        assert!(whole::<Bstr>(null).is_null());
    }
    for empty in [&b"\x01"[..], b"\x80", b"\x01a", b"\xFF\xFFno text"] {
        let text: Bstr = whole(empty);
        assert!(!text.is_null() && text.is_empty(), "{empty:?}");
    }
    let units: Bstr = whole(b"\x7F\0\0\x3C\xD8A\0!");
    assert_eq!(units.as_units(), [0, 0xD83C, 0x41]);
    let text: Bstr = whole(
        "\u{80}über=🎈"
            .as_bytes()
            .get(1..)
            .expect("a letter of two bytes"),
    );
    assert_eq!(text, "über=🎈");
    let text: Bstr = whole(b"\xFFgood\xFFbad");
    assert_eq!(text, "good");
}

#[test]
fn several_are_made_of_one_input() {
    // Lengths are read from the end.
    let data: Vec<u8> = (0..200).chain([3; 16]).collect();
    let mut u = Unstructured::new(&data);
    let mut made = BTreeSet::new();
    for _ in 0..4 {
        let (text, odd): (Bstr, OddBstr) = u.arbitrary().expect("there is memory");
        let (image, wire): (Image, WireBytes) = u.arbitrary().expect("there is memory");
        assert!(odd.0.byte_len().is_odd());
        made.insert(format!("{text:?} {odd:?} {image:?} {wire:?}"));
    }
    assert_eq!(made.len(), 4);
}

quickcheck! {
    fn odd_strings_are_odd(data: Vec<u8>) -> bool {
        let odd: OddBstr = whole(&data);
        let len = if data.is_empty() { 1 } else { data.len() - usize::from(data.len().is_multiple_of(2)) };
        odd.0.byte_len().as_usize() == len && (data.is_empty() || odd.0.as_bytes() == &data[..len])
    }

    fn images_keep_the_law(data: Vec<u8>) -> TestResult {
        let image: Image = whole(&data);
        assert_eq!(image.parse(), image.anatomy().bstr());
        verdict(image_law::of_bytes(&image.bytes, image.shape, image.start))
    }

    fn images_that_are_not_damaged_are_whole(choice: u8, payload: Vec<u8>) -> bool {
        // Neither as the bytes come, nor changed, nor cut.
        let choice = choice & 0b0110_0111 | 0b0001_0000;
        let image: Image = whole(&[&[choice], &payload[..]].concat());
        image.parse().is_ok_and(|bstr| bstr.as_bytes() == payload)
    }

    fn bytes_from_the_wire_keep_the_law(data: Vec<u8>) -> TestResult {
        let wire: WireBytes = whole(&data);
        assert_eq!(wire.decode(), olemem::wire::TransmittedBstr::decode(&wire.bytes, wire.start, wire.syntax));
        verdict(wire_law::of_bytes(&wire.bytes, wire.start, wire.syntax))
    }
}

#[test]
fn machines_and_starts_are_the_choice_of_the_lowest_bits() {
    let shapes: BTreeSet<_> = (0..8)
        .map(|choice| {
            let image: Image = whole(&[choice | 0x80, 1, 2, 3]);
            (
                image.shape.width == PointerWidth::W32,
                image.shape.order == ByteOrder::Big,
                image.start == Start::Prefix,
            )
        })
        .collect();
    assert_eq!(shapes.len(), 8);
    let any: Image = whole(b"\x90as they come");
    assert_eq!(any.bytes, b"as they come");
}

/// The inputs that the documentation of the types makes.
#[test]
fn documented_inputs_are_what_they_are_said_to_be() {
    let image: Image = whole(b"\x10t\0e\0x\0t\0");
    assert_eq!(
        image.parse().map(|bstr| bstr.as_bytes()),
        Ok(&b"t\0e\0x\0t\0"[..])
    );
    let changed: Image = whole(b"\x00\x08\0\xFFt\0");
    assert_eq!(changed.bytes[4..], *b"\x02\0\0\0\x8B\0\0\0");
    // A place goes round, and what comes before a prefix is no zeros.
    for at in [0, 1, 12, 13, 0x1234_u16] {
        let data = [&[0][..], &at.to_le_bytes(), &[0xFF], b"t\0"].concat();
        let mut expected = *b"\xCC\xCC\xCC\xCC\x02\0\0\0t\0\0\0";
        expected[usize::from(at) % 12] ^= 0xFF;
        assert_eq!(whole::<Image>(&data).bytes, expected, "{at}");
    }
    let cut: Image = whole(b"\x08\x11\0t\0");
    assert_eq!(cut.bytes[4..], *b"\x02\0\0\0t\0");
    let raw: Image = whole(b"\x90t");
    assert_eq!(raw.bytes, b"t");
    let wire: WireBytes = whole(b"\x10\x04t\0e\0\xFF");
    let strings = TransmittedBstrs::new(&wire.bytes, wire.start, 2, wire.syntax).expect("two");
    let strings: Vec<_> = strings
        .map(|bstr| bstr.expect("well-formed").is_null())
        .collect();
    assert_eq!(strings, [false, true]);
}

#[test]
fn strings_on_the_wire_are_as_they_were_given() {
    for (choice, syntax, start) in [(0x10, Syntax::Ndr, 0), (0x17, Syntax::Ndr64, 3)] {
        let wire: WireBytes = whole(&[&[choice], &b"\x02ab\xFF\x03odd\x00\x09less"[..]].concat());
        assert_eq!((wire.syntax, wire.start), (syntax, start));
        assert_eq!(wire.bytes[..start], [0; 3][..start]);
        let strings = TransmittedBstrs::new(&wire.bytes, start, 5, syntax).expect("so many");
        let strings: Vec<_> = strings
            .map(|bstr| bstr.map(|bstr| (!bstr.is_null()).then(|| bstr.as_bytes())))
            .collect::<Result<_, _>>()
            .expect("well-formed");
        let expected: [Option<&[u8]>; 5] =
            [Some(b"ab"), None, Some(b"odd"), Some(b""), Some(b"less")];
        assert_eq!(strings, expected);
    }
}

/// Of each kind there are some that are refused and some that are not.
#[test]
fn damage_is_done_to_some() {
    let mut images = [0; 2];
    let mut wires = [0; 2];
    let (step, least) = if cfg!(miri) { (23, 0) } else { (1, 100) };
    for choice in (0..=255).step_by(step) {
        for by in (1..=8).step_by(step) {
            let data = [choice, 0, by, 1, b't', 0, b'e', 0, b'x', 0, b't', 0];
            images[usize::from(whole::<Image>(&data).parse().is_ok())] += 1;
            let data = [
                choice, 0, by, 1, 4, b't', 0, b'e', 0, 255, 3, b'o', b'd', b'd',
            ];
            wires[usize::from(whole::<WireBytes>(&data).decode().is_ok())] += 1;
        }
    }
    assert!(
        images.iter().chain(&wires).all(|count| *count > least),
        "{images:?} {wires:?}"
    );
}

/// The target of `docs/fuzzing.md`: what it takes is a string, what it gives the units before the first equals sign.
fn setting_input(data: &[u8]) -> Result<(), String> {
    let setting: Bstr = whole(data);
    let mut name = std::ptr::null_mut();
    // SAFETY: the setting is lent, the variable may be written.
    let code = unsafe { setting::get_name(setting.as_raw(), &raw mut name) };
    // SAFETY: what comes out is the caller's, and null after a failure.
    let name = unsafe { Bstr::from_raw(name) };
    let units = setting.as_units();
    let sign = units.iter().position(|unit| *unit == u16::from(b'='));
    let (expected, text) = match sign {
        None | Some(0) => (HResult::E_INVALIDARG, None),
        Some(sign) => (HResult::S_OK, Some(&units[..sign])),
    };
    steps::same("the code", &code, &expected)?;
    let found = (!name.is_null()).then(|| name.as_units());
    steps::same("the name", &found, &text)
}

#[test]
#[cfg_attr(miri, ignore = "reads files")]
fn inputs_of_the_page_are_kept_and_keep_the_law() {
    #[cfg(all(feature = "audit", any(not(windows), miri)))]
    let session = olemem::audit::Session::begin();
    for target in ["setting", "setting_watched"] {
        seeds::replay(target, setting_input);
    }
    #[cfg(all(feature = "audit", any(not(windows), miri)))]
    session.finish().assert_clean();
}

quickcheck! {
    fn settings_keep_the_law(data: Vec<u8>, name: String) -> TestResult {
        let text = [&[0x80], name.as_bytes(), b"=", &data[..]].concat();
        verdict(setting_input(&data).and_then(|()| setting_input(&text)))
    }
}
