//! The presented form: bytes that claim to be a BSTR, taken apart, judged, and looked for in a dump.

use olemem::image::{Anatomy, Finding, Flaw, PresentedBstr, Shape, Start, Weight, candidates};
use olemem::layout::{ByteOrder, PointerWidth};
use olemem::{Bstr, ByteLen, UnitLen};
use quickcheck::{Arbitrary, Gen, quickcheck};

/// How bytes are read, chosen.
#[derive(Clone, Copy, Debug)]
struct Any(Shape, Start);

impl Arbitrary for Any {
    fn arbitrary(g: &mut Gen) -> Self {
        let width = if bool::arbitrary(g) {
            PointerWidth::W32
        } else {
            PointerWidth::W64
        };
        let order = if bool::arbitrary(g) {
            ByteOrder::Little
        } else {
            ByteOrder::Big
        };
        let start = if bool::arbitrary(g) {
            Start::Block
        } else {
            Start::Prefix
        };
        Self(Shape { width, order }, start)
    }
}

/// A block as it stands in memory, with nothing behind the terminator.
fn block(payload: &[u8], Any(shape, start): Any) -> Vec<u8> {
    let len = u32::try_from(payload.len()).expect("short");
    let prefix = match shape.order {
        ByteOrder::Little => len.to_le_bytes(),
        ByteOrder::Big => len.to_be_bytes(),
    };
    let padding = match start {
        Start::Block => &[0xCC; 4][..shape.width.padding()],
        Start::Prefix => &[],
    };
    let terminator = if payload.len().is_multiple_of(2) {
        &[0; 2][..]
    } else {
        &[0; 3]
    };
    [padding, &prefix, payload, terminator].concat()
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
    fn the_parts_are_all_the_bytes(bytes: Vec<u8>, any: Any) -> bool {
        let it = Anatomy::of(&bytes, any.0, any.1);
        let parts = [it.padding, it.prefix, it.payload, it.terminator, it.slack, it.rest];
        let touch = parts.windows(2).all(|pair| pair[0].end() == pair[1].offset);
        touch && it.end() == it.rest.end() && parts.map(|part| part.bytes).concat() == bytes
    }

    fn what_was_made_is_taken_out(payload: Vec<u8>, any: Any, behind: Vec<u8>) -> bool {
        let bytes = [block(&payload, any), behind].concat();
        parse(&bytes, any).is_ok_and(|bstr| {
            bstr.as_bytes() == payload && bstr.byte_len().as_usize() == payload.len() && bstr.order() == any.0.order
        })
    }

    fn all_less_of_it_is_refused(payload: Vec<u8>, any: Any) -> bool {
        let whole = block(&payload, any);
        (0..whole.len()).all(|less| parse(&whole[..less], any).is_err())
    }

    fn the_first_that_is_broken_is_the_error(bytes: Vec<u8>, any: Any) -> bool {
        let broken = findings(&bytes, any).into_iter().find(|finding| finding.weight() == Weight::Broken);
        match parse(&bytes, any) {
            Ok(bstr) => broken.is_none() && bytes.windows(bstr.as_bytes().len().max(1)).any(|it| it.starts_with(bstr.as_bytes())),
            Err(error) => broken == Some(error),
        }
    }

    fn units_are_those_of_the_machine_it_came_from(text: String, any: Any) -> bool {
        let payload: Vec<u8> = text
            .encode_utf16()
            .flat_map(|unit| match any.0.order {
                ByteOrder::Little => unit.to_le_bytes(),
                ByteOrder::Big => unit.to_be_bytes(),
            })
            .collect();
        let bytes = block(&payload, any);
        let bstr = parse(&bytes, any).expect("well-formed");
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
            "truncated: the prefix says 2 bytes, and 1 are there"
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

    fn bytes(text: &str, order: ByteOrder) -> Vec<u8> {
        let bytes = |unit: u16| match order {
            ByteOrder::Little => unit.to_le_bytes(),
            ByteOrder::Big => unit.to_be_bytes(),
        };
        text.encode_utf16().flat_map(bytes).collect()
    }

    /// All places, each looked at by itself.
    fn oracle(dump: &[u8], shape: Shape, least: u32) -> Vec<(usize, Vec<u8>)> {
        let header = shape.width.header();
        let mut found = Vec::new();
        let mut at = 0;
        while at + header <= dump.len() {
            let bstr = PresentedBstr::parse(&dump[at..], shape, Start::Block);
            let text = bstr.ok().filter(|bstr| {
                let good = |c: char| {
                    !c.is_control() && !['\u{FFFE}', '\u{FFFF}'].contains(&c)
                        || "\t\n\r".contains(c)
                };
                let text = char::decode_utf16(bstr.units());
                let len = bstr.byte_len();
                !len.is_odd()
                    && len.units().get() >= least.max(1)
                    && text.into_iter().all(|c| c.is_ok_and(good))
            });
            at += match text {
                Some(bstr) => {
                    found.push((at + header, bstr.as_bytes().to_vec()));
                    (header + bstr.as_bytes().len()).next_multiple_of(2 * header)
                }
                None => 2 * header,
            };
        }
        found
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
        fn finds_what_looking_at_each_place_finds(dump: Dump, wide: bool, least: u8) -> bool {
            let width = if wide { PointerWidth::W64 } else { PointerWidth::W32 };
            let shape = Shape { width, order: ByteOrder::Little };
            let least = u32::from(least % 4);
            found(&dump.0, shape, least) == oracle(&dump.0, shape, least)
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
    }
}
