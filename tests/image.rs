//! The presented form: bytes that claim to be a BSTR, taken apart, judged, and looked for in a dump.

#[path = "laws/image.rs"]
#[allow(dead_code, reason = "a fuzzer's bytes are for other tests")]
mod image_law;
#[path = "laws/steps.rs"]
#[allow(dead_code, reason = "the laws of bytes take few steps")]
mod steps;

use std::num::NonZero;

use olemem::image::{Anatomy, Finding, Flaw, PresentedBstr, Shape, Start, Weight, candidates};
use olemem::layout::{ByteOrder, PointerWidth};
use olemem::{Bstr, ByteLen, UnitLen};
use quickcheck::{Arbitrary, Gen, TestResult, quickcheck};

use image_law::{alignment, of_bytes, of_dump, of_payload, reading};

/// How bytes are read, chosen.
#[derive(Clone, Copy, Debug)]
struct Any(Shape, Start);

impl Arbitrary for Any {
    fn arbitrary(g: &mut Gen) -> Self {
        let (shape, start) = reading(u8::arbitrary(g));
        Self(shape, start)
    }
}

/// Text as it lies there.
fn bytes(text: &str, order: ByteOrder) -> Vec<u8> {
    let bytes = |unit: u16| match order {
        ByteOrder::Little => unit.to_le_bytes(),
        ByteOrder::Big => unit.to_be_bytes(),
    };
    text.encode_utf16().flat_map(bytes).collect()
}

/// A block as it stands in memory, with nothing behind the terminator.
fn block(payload: &[u8], Any(shape, start): Any) -> Vec<u8> {
    image_law::block(payload, shape, start)
}

fn verdict(result: Result<(), String>) -> TestResult {
    result.map_or_else(TestResult::error, |()| TestResult::passed())
}

const LITTLE_32: Any = Any(
    Shape {
        width: PointerWidth::W32,
        order: ByteOrder::Little,
    },
    Start::Block,
);
const BIG_64: Any = Any(
    Shape {
        width: PointerWidth::W64,
        order: ByteOrder::Big,
    },
    Start::Block,
);

fn parse(bytes: &[u8], Any(shape, start): Any) -> Result<PresentedBstr<'_>, Finding> {
    PresentedBstr::parse(bytes, shape, start)
}

fn findings(bytes: &[u8], Any(shape, start): Any) -> Vec<Finding> {
    Anatomy::of(bytes, shape, start).findings().collect()
}

quickcheck! {
    fn any_bytes_are_taken_apart_and_judged(bytes: Vec<u8>, any: Any) -> TestResult {
        verdict(of_bytes(&bytes, any.0, any.1))
    }

    fn what_was_made_is_taken_out_and_no_less(payload: Vec<u8>, behind: Vec<u8>, any: Any) -> TestResult {
        verdict(of_payload(&payload, &behind, any.0, any.1))
    }

    fn units_are_those_of_the_machine_it_came_from(text: String, any: Any) -> bool {
        let image = block(&bytes(&text, any.0.order), any);
        let bstr = parse(&image, any).expect("well-formed");
        bstr.units().eq(text.encode_utf16()) && Bstr::try_from(bstr) == Ok(Bstr::from(&*text))
    }
}

#[test]
fn each_flaw_is_told_with_its_place() {
    let told = |bytes: &[u8], any| -> Vec<(usize, Weight, String)> {
        findings(bytes, any)
            .iter()
            .map(|finding| (finding.offset, finding.weight(), finding.to_string()))
            .collect()
    };
    let one = |offset, weight, text: &str| vec![(offset, weight, text.to_owned())];
    use Weight::{Broken, NotText, Remark};

    assert_eq!(told(&block(b"o\0k\0", LITTLE_32), LITTLE_32), []);
    assert_eq!(
        told(&[0; 7], BIG_64),
        one(
            7,
            Broken,
            "truncated: the bytes end at +7, the prefix at +8"
        )
    );
    assert_eq!(
        told(b"\xFF\xFF\xFF\xFF", LITTLE_32)[0],
        (
            0,
            Broken,
            "the prefix says 4294967295 bytes, and a BSTR has 4294967274 at most".to_owned()
        )
    );
    assert_eq!(
        told(b"\x02\0\0\0a", LITTLE_32),
        one(
            4,
            Broken,
            "truncated: the prefix says 2 bytes, and 1 is there"
        )
    );
    assert_eq!(
        told(b"\x02\0\0\0a\0\0", LITTLE_32),
        one(
            7,
            Broken,
            "truncated: the bytes end at +7, with 1 of the terminator's 2 bytes"
        )
    );
    assert_eq!(
        told(b"\x02\0\0\0a\0\0\x01", LITTLE_32),
        one(6, Broken, "the terminator at +6 is not zero")
    );
    let odd = "an odd length: binary data, or a length in the wrong unit";
    // The unit, not the byte before it, which is none of the terminator.
    assert_eq!(
        told(b"\x01\0\0\0a\0\x01\0", LITTLE_32),
        [
            (0, NotText, odd.to_owned()),
            (6, Broken, "the terminator at +6 is not zero".to_owned())
        ]
    );
    assert_eq!(
        told(b"\x01\0\0\0a\0", LITTLE_32),
        [
            (0, NotText, odd.to_owned()),
            (
                6,
                Broken,
                "truncated: the bytes end at +6, with 1 of the terminator's 3 bytes".to_owned()
            )
        ]
    );
    assert_eq!(
        told(b"\x01\0\0\0a\x07\0\0", LITTLE_32),
        [
            (0, NotText, odd.to_owned()),
            (
                5,
                Remark,
                "the byte at +5, behind the odd one, is not zero, which is legal".to_owned()
            )
        ]
    );
    assert_eq!(
        told(&block(b"\0a\0\0\0b\0\0", BIG_64), BIG_64),
        one(
            10,
            NotText,
            "2 nuls, the first at unit 1 (+10): code that looks for the end of text stops there"
        )
    );
    assert_eq!(
        told(&block(b"\0a\xD8\x3D", BIG_64), BIG_64),
        one(
            10,
            NotText,
            "1 lone surrogate, at unit 1 (+10): no well-formed UTF-16"
        )
    );
    let mut longer = block(b"", LITTLE_32);
    longer.resize(17, 0);
    assert_eq!(
        told(&longer, LITTLE_32),
        one(16, Remark, "1 byte behind the block, from +16 on")
    );
}

/// Each as it is in the type, in a block of 64 bits that is whole, and in one that begins at the prefix.
#[test]
fn places_are_in_the_block_and_in_the_slice() {
    let one_of = |rest: &[u8], start| {
        let shape = Shape {
            width: PointerWidth::W64,
            order: ByteOrder::Little,
        };
        let bytes = match start {
            Start::Block => [&[0xCC; 4], rest].concat(),
            Start::Prefix => rest.to_vec(),
        };
        let finding = PresentedBstr::parse(&bytes, shape, start).expect_err("it is broken");
        // Never past the end.
        (finding, bytes[finding.index..].to_vec())
    };
    let len = ByteLen::new;
    let most = PointerWidth::W64.max_bytes();
    let (there, size) = (1, 2);
    for (rest, offset, flaw, found) in [
        (
            &b"\x02\0\0"[..],
            7,
            Flaw::PrefixTruncated { end: 7, needed: 8 },
            &b""[..],
        ),
        (
            b"\xFF\xFF\xFF\xFF",
            4,
            Flaw::TooLong {
                len: len(u32::MAX),
                most,
            },
            b"\xFF\xFF\xFF\xFF",
        ),
        (
            b"\x04\0\0\0a",
            8,
            Flaw::PayloadTruncated { len: len(4), there },
            b"a",
        ),
        (
            b"\x02\0\0\0a\0\0",
            11,
            Flaw::TerminatorTruncated { there, size },
            b"",
        ),
        (
            b"\x03\0\0\0a\0b\0\0",
            13,
            Flaw::TerminatorTruncated { there: 2, size: 3 },
            b"",
        ),
        (b"\x02\0\0\0a\0\0!", 10, Flaw::TerminatorNotZero, b"\0!"),
        (b"\x03\0\0\0a\0b?\0!", 12, Flaw::TerminatorNotZero, b"\0!"),
    ] {
        for (start, before) in [(Start::Block, 0), (Start::Prefix, 4)] {
            let (finding, behind) = one_of(rest, start);
            assert_eq!((finding.offset, finding.flaw), (offset, flaw));
            assert_eq!(finding.index, offset - before);
            assert_eq!(behind, found, "{finding}");
        }
    }
}

#[test]
fn the_longest_depends_on_the_width_of_a_pointer() {
    for width in [PointerWidth::W32, PointerWidth::W64] {
        let shape = Shape {
            width,
            order: ByteOrder::Little,
        };
        let most = width.max_bytes();
        let len = ByteLen::new(most.get() + 1);
        let flaw = |len: ByteLen| {
            PresentedBstr::parse(&len.get().to_le_bytes(), shape, Start::Prefix)
                .expect_err("nothing is there")
                .flaw
        };
        assert_eq!(flaw(len), Flaw::TooLong { len, most });
        assert_eq!(
            flaw(most),
            Flaw::PayloadTruncated {
                len: most,
                there: 0
            }
        );
    }
}

mod scanning {
    use super::*;

    fn found(dump: &[u8], shape: Shape, least: u32) -> Vec<(usize, Vec<u8>)> {
        candidates(dump, shape, UnitLen::new(least))
            .map(|candidate| (candidate.offset, candidate.bstr.as_bytes().to_vec()))
            .collect()
    }

    /// Dumps in which much looks like a string: few values, which mean something to the scan.
    #[derive(Clone, Debug)]
    struct Dump(Vec<u8>);

    impl Arbitrary for Dump {
        fn arbitrary(g: &mut Gen) -> Self {
            let mut dump = Vec::new();
            while dump.len() < g.size() * 4 {
                let few = [
                    0_u16, 0, 0, 2, 4, 6, 8, 12, 20, 0x41, 0x61, 0x1B, 0xD83C, 0xDF88, 0xFFFF,
                ];
                let unit = *g.choose(&few).expect("some");
                dump.extend(unit.to_le_bytes());
            }
            Self(dump)
        }

        fn shrink(&self) -> Box<dyn Iterator<Item = Self>> {
            Box::new(self.0.shrink().map(Self))
        }
    }

    quickcheck! {
        fn finds_what_looking_at_each_place_finds(dump: Dump, any: Any, least: u8, choice: u8) -> TestResult {
            verdict(of_dump(&dump.0, any.0, u32::from(least % 4), alignment(choice)))
        }

        fn finds_what_is_at_odd_places_too(before: u8, dump: Dump, any: Any, least: u8) -> TestResult {
            let shifted = [&vec![0xCC; usize::from(before % 16)], &dump.0[..]].concat();
            verdict(of_dump(&shifted, any.0, u32::from(least % 4), Some(NonZero::<usize>::MIN)))
        }
    }

    #[test]
    fn strings_of_a_process_are_found_where_they_are() {
        for width in [PointerWidth::W32, PointerWidth::W64] {
            for order in [ByteOrder::Little, ByteOrder::Big] {
                let shape = Shape { width, order };
                let any = Any(shape, Start::Block);
                let texts = ["Status text", "über 🎈", "a\tb", "four"];
                let mut dump = vec![0xCC; 48];
                let mut expected = Vec::new();
                for text in texts {
                    expected.push((dump.len() + width.header(), bytes(text, order)));
                    dump.extend(block(&bytes(text, order), any));
                    dump.resize(dump.len().next_multiple_of(16) + 32, 0);
                }
                // Too short, binary, a nul inside, and zeros, which are empty strings.
                for other in [&b"\0a"[..], b"odd", &bytes("nul\0nul", order), &[]] {
                    dump.extend(block(other, any));
                    dump.resize(dump.len().next_multiple_of(16), 0);
                }
                let expected: Vec<_> = expected
                    .into_iter()
                    .filter(|(_, text)| text.len() >= 6)
                    .collect();
                assert_eq!(found(&dump, shape, 3), expected);
            }
        }
    }

    /// As a file of a dump has them: wherever the file has put what was in memory.
    #[test]
    fn strings_are_found_at_any_place_if_any_is_looked_at() {
        let least = UnitLen::new(4);
        for width in [PointerWidth::W32, PointerWidth::W64] {
            for order in [ByteOrder::Little, ByteOrder::Big] {
                let shape = Shape { width, order };
                for before in (0..16).step_by(if cfg!(miri) { 5 } else { 1 }) {
                    let mut dump = vec![0xCC; before];
                    let mut expected = Vec::new();
                    for text in ["Status text", "über 🎈"] {
                        expected.push(dump.len() + width.header());
                        dump.extend(block(&bytes(text, order), Any(shape, Start::Block)));
                        dump.resize((dump.len() - before).next_multiple_of(16) + before, 0);
                    }
                    for align in [1, 2, 4, 8, 16] {
                        let align = NonZero::new(align).expect("none is 0");
                        let found = candidates(&dump, shape, least).aligned_to(align);
                        let found: Vec<usize> = found.map(|found| found.offset).collect();
                        let is_seen = before % align == 0;
                        let expected = if is_seen { &expected[..] } else { &[] };
                        assert_eq!(found, expected, "{align}, {before}");
                    }
                }
            }
        }
    }

    /// As a linker packs literals: padding is whatever stands before a prefix, or is not there at all.
    #[test]
    fn strings_that_are_packed_are_found_each() {
        for order in [ByteOrder::Little, ByteOrder::Big] {
            let mut dump = Vec::new();
            let mut expected = Vec::new();
            for text in ["alpha", "beta!", "charlie", "delta"] {
                let text = bytes(text, order);
                expected.push((dump.len() + 4, text.clone()));
                dump.extend(block(
                    &text,
                    Any(
                        Shape {
                            width: PointerWidth::W32,
                            order,
                        },
                        Start::Prefix,
                    ),
                ));
                dump.resize(dump.len().next_multiple_of(4), 0);
            }
            for width in [PointerWidth::W32, PointerWidth::W64] {
                for align in [1, 2, 4] {
                    let align = NonZero::new(align).expect("none is 0");
                    let least = UnitLen::new(4);
                    let found = candidates(&dump, Shape { width, order }, least).aligned_to(align);
                    let found: Vec<_> = found
                        .map(|found| (found.offset, found.bstr.as_bytes().to_vec()))
                        .collect();
                    assert_eq!(found, expected, "{width:?}, {order:?}, {align}");
                }
            }
        }
    }

    /// The terminator is the first string's, and no part of a prefix.
    #[test]
    fn the_end_of_a_string_is_not_the_start_of_another() {
        let order = ByteOrder::Big;
        let width = PointerWidth::W32;
        let dump = b"\0\0\0\x02\0A\0\0\0\x02\0B\0\0";
        let found = candidates(dump, Shape { width, order }, UnitLen::new(1));
        let found = found.aligned_to(NonZero::new(2).expect("it is 2"));
        let found: Vec<_> = found.map(|found| found.offset).collect();
        assert_eq!(found, [4]);
        // Without the first it looks like one.
        let found = candidates(&dump[6..], Shape { width, order }, UnitLen::new(1)).next();
        assert_eq!(found.map(|found| found.offset), Some(4));
    }

    /// A string within the text of another, and with its end.
    #[test]
    #[cfg_attr(
        miri,
        ignore = "a length that is text is one of more than half a megabyte"
    )]
    fn what_lies_within_a_candidate_is_not_told_again() {
        let Any(shape, _) = LITTLE_32;
        let (outer, inner) = (0x0009_0030_u32, 0x0009_0020_u32);
        let mut dump = block(&b"a\0".repeat(outer as usize / 2), LITTLE_32);
        dump[16..20].copy_from_slice(&inner.to_le_bytes());
        let places = |dump: &[u8]| -> Vec<usize> {
            let found = found(dump, shape, 4);
            found.into_iter().map(|(offset, _)| offset).collect()
        };
        assert_eq!(places(&dump), [4]);
        // It looks like one by itself.
        dump[..4].fill(0);
        assert_eq!(places(&dump), [20]);
    }

    /// One whose units lie across those that were read before it, of a prefix that promises more than there is.
    #[test]
    fn units_at_odd_places_are_read_by_themselves() {
        let Any(shape, _) = LITTLE_32;
        let mut dump = b"\0\x21\0\0a\0a\0a".to_vec();
        let text = b"b\0".repeat(0x1010);
        dump.extend(block(&text, LITTLE_32));
        dump.resize(0x2200, 0);
        let found = candidates(&dump, shape, UnitLen::new(4)).aligned_to(NonZero::<usize>::MIN);
        let found: Vec<_> = found
            .map(|found| (found.offset, found.bstr.as_bytes()))
            .collect();
        assert_eq!(found, [(13, &text[..])]);
    }

    /// A pair is one, or half of it is text's first: a prefix that is half of one itself.
    #[test]
    #[cfg_attr(miri, ignore = "a length that is text is one of megabytes")]
    fn half_a_pair_begins_no_text() {
        let shape = Shape {
            width: PointerWidth::W32,
            order: ByteOrder::Big,
        };
        let (prefix, text) = ([0, 0x20, 0xD8, 0x3C], b"\xDF\x88");
        let len = 0x0020_D83C;
        let mut dump = b"\0\x20\xE0\0\0a\0a".to_vec();
        dump.extend(prefix);
        dump.extend(text.iter().chain(b"\0a".iter().cycle()).take(len));
        dump.resize(dump.len() + 0x800, 0);
        assert_eq!(found(&dump, shape, 4), []);
        // With another half it is text.
        dump[12..14].fill(b'a');
        assert_eq!(found(&dump, shape, 4).len(), 1);
    }

    /// It may be changed on the way.
    #[test]
    fn what_was_searched_is_not_searched_again() {
        let Any(shape, _) = LITTLE_32;
        let mut dump = block(&bytes("first", shape.order), LITTLE_32);
        dump.resize(19, 0);
        dump.extend(block(&bytes("second", shape.order), LITTLE_32));
        let mut found = candidates(&dump, shape, UnitLen::new(4));
        assert_eq!(found.next().map(|found| found.offset), Some(4));
        let mut any = found.clone().aligned_to(NonZero::<usize>::MIN);
        assert_eq!(any.next().map(|found| found.offset), Some(23));
        assert_eq!((any.next(), found.next()), (None, None));
    }

    /// Every prefix is text itself, and reaches over text to zeros behind the one unit that no text has: looked at
    /// one by one that takes hours.
    #[test]
    #[cfg_attr(miri, ignore = "a length that is text is one of megabytes")]
    fn time_is_linear() {
        let len = 0x0060_0062_u32;
        let text = len as usize;
        let mut dump = vec![b'a'; text];
        for block in (0..text - 16).step_by(16) {
            dump[block + 4..block + 8].copy_from_slice(&len.to_le_bytes());
        }
        dump.truncate(text - 2);
        dump.extend([0x1B, 0]);
        dump.resize(2 * text + 16, 0);
        let shape = Shape {
            width: PointerWidth::W64,
            order: ByteOrder::Little,
        };
        assert_eq!(found(&dump, shape, 4), []);
        let any = candidates(&dump, shape, UnitLen::new(4));
        assert_eq!(any.aligned_to(NonZero::<usize>::MIN).next(), None);
    }
}
