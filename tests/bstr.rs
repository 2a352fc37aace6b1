//! `Bstr`, `BstrRef` and `bstr!`, from outside.
#![cfg(feature = "std")]
#![expect(
    clippy::cmp_owned,
    reason = "comparing two of the type is what is tried"
)]

#[path = "support/balance.rs"]
mod balance;

use std::borrow::Cow;
use std::collections::hash_map::DefaultHasher;
use std::fmt::{self, Write as _};
use std::hash::{Hash, Hasher};
use std::panic::{self, RefUnwindSafe, UnwindSafe};

use olemem::error::{CreateError, DecodeError, InvalidUtf16, OddBytes, OutOfMemory, TooLong};
use olemem::fault::fail_nth;
use olemem::{Bstr, BstrRef, ByteLen, HResult, UnitLen, bstr, raw};
use static_assertions::{assert_eq_align, assert_eq_size, assert_impl_all, assert_not_impl_any};

use balance::balanced;

assert_eq_size!(Bstr, *const u16);
assert_eq_size!(BstrRef<'static>, *const u16);
assert_eq_align!(Bstr, BstrRef<'static>, *const u16);
// Null is a value of its own, not `None`: there is no niche to be had.
assert_eq_size!(Option<Bstr>, [*const u16; 2]);
assert_impl_all!(Bstr: Send, Sync, Unpin, UnwindSafe, RefUnwindSafe, Clone, Default, Eq, Ord, Hash);
assert_impl_all!(BstrRef<'static>: Send, Sync, Unpin, UnwindSafe, RefUnwindSafe, Copy, Default, Eq, Ord, Hash);
assert_not_impl_any!(Bstr: Copy);
// Units could not be lent mutably from a shared string.
assert_not_impl_any!(BstrRef<'static>: AsMut<[u16]>);

/// Texts of every length of UTF-8, alone and mixed, with zeros in them.
const TEXTS: [&str; 11] = [
    "a",
    "plain text",
    "olé",
    "\u{80}\u{7FF}",
    "\u{800}\u{D7FF}\u{E000}\u{FFFD}\u{FFFE}\u{FFFF}",
    "\u{10000}\u{10FFFF}",
    "a\u{E9}\u{20AC}\u{1F600}z",
    "in\0side",
    "\0",
    "ends\0",
    "🎈🎈🎈",
];

/// All of them, or every other one where each takes seconds.
fn texts() -> impl Iterator<Item = &'static str> {
    TEXTS.into_iter().step_by(if cfg!(miri) { 2 } else { 1 })
}

/// Payload lengths around every rounding of the block.
const LENGTHS: [usize; 16] = [1, 2, 3, 5, 6, 7, 8, 21, 22, 23, 24, 54, 55, 56, 255, 1001];

/// As [`texts`].
fn lengths() -> impl Iterator<Item = usize> {
    LENGTHS.into_iter().step_by(if cfg!(miri) { 2 } else { 1 })
}

fn pattern(len: usize) -> Vec<u8> {
    (1..=u8::MAX).cycle().take(len).collect()
}

fn hash_of(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// Prefix, payload and terminator, as they stand in memory.
#[track_caller]
fn memory(bstr: &Bstr) -> Vec<u8> {
    let raw = bstr.as_raw();
    assert!(!raw.is_null());
    let len = bstr.as_bytes().len();
    let zeros = if len.is_multiple_of(2) { 2 } else { 3 };
    // SAFETY: the prefix stands before the payload, in the same block.
    let start = unsafe { raw.byte_sub(4) };
    // SAFETY: prefix, counted bytes and terminator are initialised and within the block.
    unsafe { std::slice::from_raw_parts(start.cast::<u8>(), 4 + len + zeros) }.to_vec()
}

/// That the string stands in memory as `semantics.md` 1.1 and 1.3 have it.
#[track_caller]
fn assert_holds(bstr: &Bstr, payload: &[u8]) {
    let len = u32::try_from(payload.len()).expect("the tests' strings are short");
    let mut expected = len.to_ne_bytes().to_vec();
    expected.extend(payload);
    expected.extend(if len % 2 == 0 {
        &[0, 0][..]
    } else {
        &[0, 0, 0]
    });
    assert_eq!(memory(bstr), expected);
    assert_eq!(bstr.byte_len(), ByteLen::new(len));
    assert_eq!(bstr.unit_len(), UnitLen::new(len / 2));
    assert_eq!(bstr.as_raw().addr() % size_of::<usize>(), 0);
}

fn bytes_of(units: &[u16]) -> Vec<u8> {
    units.iter().flat_map(|unit| unit.to_ne_bytes()).collect()
}

#[track_caller]
fn panics_with(expected: &str, what: impl FnOnce() + UnwindSafe) {
    let payload = panic::catch_unwind(what).expect_err("it panics");
    let message = payload.downcast_ref::<String>().cloned().or_else(|| {
        payload
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
    });
    assert_eq!(message.as_deref(), Some(expected));
}

fn no_memory(requested: usize) -> CreateError {
    CreateError::OutOfMemory(OutOfMemory { requested })
}

/// Bytes of the block for a payload of `n` bytes (`semantics.md` 1.2).
fn block(n: usize) -> usize {
    (size_of::<usize>() + n + 2 + 15) & !15
}

mod null_and_empty {
    use super::*;

    fn nulls() -> Vec<Bstr> {
        vec![
            Bstr::new(),
            Bstr::default(),
            Bstr::from(""),
            Bstr::from(String::new()),
            Bstr::from(&String::new()),
            Bstr::from(Cow::Borrowed("")),
            Bstr::from(&[][..]),
            Bstr::from_wide(&[]),
            Bstr::from_bytes(&[]),
            Bstr::try_from_str("").expect("needs no memory"),
            Bstr::try_from_units(&[]).expect("needs no memory"),
            Bstr::try_from_bytes(&[]).expect("needs no memory"),
            "".parse().expect("needs no memory"),
            Bstr::from(BstrRef::NULL),
            BstrRef::default().to_owned(),
            [0_u16; 0].into_iter().collect(),
            [' '; 0].into_iter().collect(),
            [""; 3].into_iter().collect(),
            Bstr::new().clone(),
            Bstr::new().take(),
            // SAFETY: null is a BSTR.
            unsafe { Bstr::from_raw(std::ptr::null()) },
        ]
    }

    fn empties() -> Vec<Bstr> {
        let empty = Bstr::empty();
        vec![
            Bstr::try_empty().expect("there is memory"),
            Bstr::try_zeroed(UnitLen::ZERO).expect("there is memory"),
            Bstr::try_concat(BstrRef::NULL, BstrRef::NULL).expect("there is memory"),
            empty.clone(),
            empty.try_clone().expect("there is memory"),
            empty.as_bstr().to_owned(),
            empty.as_bstr().try_to_owned().expect("there is memory"),
            Bstr::from(empty.as_bstr()),
            Bstr::from(bstr!("")),
            empty,
        ]
    }

    #[test]
    fn constructors_of_nothing_give_null_and_allocate_nothing() {
        let _balance = balanced();
        let failing = fail_nth(1);
        for (n, null) in nulls().into_iter().enumerate() {
            assert!(null.is_null(), "constructor {n}");
            assert!(null.as_raw().is_null());
            assert!(null.into_raw().is_null());
        }
        assert!(!failing.has_failed());
    }

    #[test]
    fn an_empty_string_is_a_block_and_stays_one_when_copied() {
        let _balance = balanced();
        for (n, empty) in empties().iter().enumerate() {
            assert!(!empty.is_null(), "constructor {n}");
            assert_holds(empty, &[]);
        }
    }

    #[test]
    fn both_read_as_nothing() {
        for nothing in nulls().iter().chain(&empties()) {
            assert_eq!(nothing.byte_len(), ByteLen::ZERO);
            assert_eq!(nothing.unit_len(), UnitLen::ZERO);
            assert_eq!(nothing.as_units(), [0_u16; 0]);
            assert_eq!(nothing.as_bytes(), [0_u8; 0]);
            assert_eq!(nothing.to_string(), "");
            assert_eq!(nothing.try_to_string(), Ok(String::new()));
            assert_eq!(nothing.to_string_lossy(), "");
            assert!(nothing.as_bstr().is_empty());
            assert_eq!(nothing.as_bstr().odd_byte(), None);
            // SAFETY: the pointer is documented to lead to a terminator at least.
            assert_eq!(unsafe { nothing.as_ptr().read() }, 0);
        }
    }

    #[test]
    fn both_are_equal_in_every_sense() {
        let all: Vec<_> = nulls().into_iter().chain(empties()).collect();
        for left in &all {
            for right in all.iter().step_by(if cfg!(miri) { 5 } else { 1 }) {
                assert_eq!(left, right);
                assert_eq!(left.as_bstr(), right.as_bstr());
                assert_eq!(left.cmp(right), std::cmp::Ordering::Equal);
                assert_eq!(hash_of(left), hash_of(right));
                assert_eq!(hash_of(left), hash_of(&right.as_bstr()));
            }
            assert_eq!(*left, "");
            assert!(*left < Bstr::from("\0"));
        }
    }

    #[test]
    fn only_the_alternate_debug_form_tells_them_apart() {
        assert_eq!(format!("{:?}|{:?}", Bstr::new(), Bstr::empty()), "|");
        assert_eq!(format!("{:#?}", Bstr::new()), "null");
        assert_eq!(format!("{:#?}", Bstr::empty()), "\"\"");
    }

    #[test]
    fn appending_nothing_changes_nothing() {
        let _balance = balanced();
        for (mut bstr, null) in [(Bstr::new(), true), (Bstr::empty(), false)] {
            let before = bstr.as_raw();
            bstr.push_str("");
            bstr.push_units(&[]);
            bstr.extend([0_u16; 0]);
            bstr.extend([""; 2]);
            bstr.write_str("").expect("needs no memory");
            bstr.truncate(UnitLen::ZERO);
            assert_eq!(bstr.as_raw(), before);
            assert_eq!(bstr.is_null(), null);
        }
    }

    #[test]
    fn taking_and_clearing_leave_null() {
        let _balance = balanced();
        let mut bstr = Bstr::from("text");
        let address = bstr.as_raw();
        let taken = bstr.take();
        assert!(bstr.is_null());
        assert_eq!(taken.as_raw(), address);
        assert_eq!(taken, "text");
        let mut cleared = taken;
        cleared.clear();
        assert!(cleared.is_null());
        let mut empty = Bstr::empty();
        empty.clear();
        assert!(empty.is_null());
    }

    #[test]
    fn a_null_string_has_no_units_to_write() {
        assert_eq!(Bstr::new().as_mut_units(), [0_u16; 0]);
        assert_eq!(Bstr::empty().as_mut_units(), [0_u16; 0]);
        assert_eq!(Bstr::from_bytes(b"x").as_mut_units(), [0_u16; 0]);
    }
}

mod odd_bytes {
    use super::*;

    #[test]
    fn every_length_stands_in_memory_as_it_should() {
        let _balance = balanced();
        for len in lengths() {
            let payload = pattern(len);
            let bstr = Bstr::from_bytes(&payload);
            assert_holds(&bstr, &payload);
            assert_eq!(bstr.as_bytes(), payload);
            let odd = (len % 2 == 1).then(|| payload[len - 1]);
            assert_eq!(bstr.as_bstr().odd_byte(), odd);
            assert_eq!(bytes_of(bstr.as_units()), payload[..len / 2 * 2]);
        }
    }

    #[test]
    fn a_copy_keeps_every_byte() {
        let _balance = balanced();
        for len in lengths() {
            let payload = pattern(len);
            let bstr = Bstr::from_bytes(&payload);
            for copy in [
                bstr.clone(),
                bstr.try_clone().expect("there is memory"),
                bstr.as_bstr().to_owned(),
                Bstr::from(bstr.as_bstr()),
            ] {
                assert_ne!(copy.as_raw(), bstr.as_raw());
                assert_holds(&copy, &payload);
                assert_eq!(copy, bstr);
                assert_eq!(hash_of(&copy), hash_of(&bstr));
            }
        }
    }

    #[test]
    fn the_last_byte_counts_in_comparisons() {
        let even = Bstr::from_bytes(b"ab");
        let odd = Bstr::from_bytes(b"abc");
        let other = Bstr::from_bytes(b"abd");
        let longer = Bstr::from_bytes(b"abc\0");
        for (less, greater) in [(&even, &odd), (&odd, &other)] {
            assert_ne!(less, greater);
            assert!(less < greater);
            assert!(greater > less);
            assert!(less.as_bstr() < greater.as_bstr());
            assert_ne!(hash_of(less), hash_of(greater));
        }
        // One more whole unit beats one more byte, whatever they hold.
        assert!(other < longer);
        assert_ne!(odd, longer);
        let lone = Bstr::from_bytes(b"a");
        assert!(Bstr::empty() < lone);
        assert!(lone < Bstr::from_bytes(b"\0\0"));
        assert_ne!(lone, "");
        assert_ne!(odd, even.to_string());
        assert_ne!(lone.as_bstr(), "");
    }

    /// Equality, order and hash must tell the same story for any two strings.
    #[test]
    fn order_agrees_with_equality() {
        let payloads: [&[u8]; 9] = [
            b"", b"a", b"b", b"ab", b"aba", b"abb", b"abab", b"b\0", b"ba",
        ];
        let all = payloads.map(Bstr::from_bytes);
        for left in &all {
            for right in &all {
                let equal = left == right;
                assert_eq!(left.cmp(right).is_eq(), equal);
                assert_eq!(left.cmp(right), right.cmp(left).reverse());
                assert_eq!(left.as_bytes() == right.as_bytes(), equal);
                assert_eq!(hash_of(left) == hash_of(right), equal);
            }
        }
        let mut sorted = all.to_vec();
        sorted.sort();
        for window in sorted.windows(3) {
            assert!(window[0] <= window[2], "the order is transitive");
        }
    }

    #[test]
    fn text_pushed_behind_an_odd_payload_is_not_aligned_and_not_lost() {
        let _balance = balanced();
        for len in lengths() {
            let mut payload = pattern(len);
            let mut bstr = Bstr::from_bytes(&payload);
            bstr.push_str("é🎈");
            payload.extend(bytes_of(&[0xE9, 0xD83C, 0xDF88]));
            assert_holds(&bstr, &payload);
            bstr.push_units(&[0xD800, 0]);
            payload.extend(bytes_of(&[0xD800, 0]));
            assert_holds(&bstr, &payload);
            bstr.extend(['x', '\u{10000}']);
            payload.extend(bytes_of(&[0x78, 0xD800, 0xDC00]));
            assert_holds(&bstr, &payload);
        }
    }

    #[test]
    fn it_is_no_text() {
        let mut bstr = Bstr::from("ab");
        bstr.extend([0xDC00_u16]);
        let mut bytes = bstr.as_bytes().to_vec();
        bytes.push(7);
        let bstr = Bstr::from_bytes(&bytes);
        // The odd byte is told first: such a string is no text, wherever else it is wrong.
        assert_eq!(
            bstr.try_to_string(),
            Err(DecodeError::OddBytes(OddBytes { bytes: 7 }))
        );
        assert_eq!(bstr.to_string_lossy(), "ab\u{FFFD}");
        assert_eq!(bstr.to_string(), "ab\u{FFFD}");
        let text = Bstr::from_bytes(&bytes_of(&[0x61])[..]);
        assert_eq!(String::try_from(&text).ok().as_deref(), Some("a"));
        assert_eq!(
            DecodeError::from(OddBytes { bytes: 7 }).to_string(),
            "a length of 7 bytes is no whole number of code units"
        );
    }

    #[test]
    fn joining_counts_bytes() {
        let _balance = balanced();
        let left = Bstr::from_bytes(b"abcde");
        let right = Bstr::from_bytes(b"fghijkl");
        let joined = Bstr::try_concat(left.as_bstr(), right.as_bstr()).expect("there is memory");
        assert_holds(&joined, b"abcdefghijkl");
        let lone = Bstr::from_bytes(b"x");
        let pair = Bstr::try_concat(lone.as_bstr(), lone.as_bstr()).expect("there is memory");
        assert_holds(&pair, b"xx");
        let same = Bstr::try_concat(left.as_bstr(), BstrRef::NULL).expect("there is memory");
        assert_holds(&same, b"abcde");
    }

    #[test]
    fn truncating_to_its_whole_units_leaves_it_alone() {
        let mut bstr = Bstr::from_bytes(b"abcde");
        bstr.truncate(UnitLen::new(2));
        assert_holds(&bstr, b"abcde");
        bstr.truncate(UnitLen::new(1));
        assert_holds(&bstr, b"ab");
    }
}

mod text {
    use super::*;

    #[test]
    fn every_door_in_gives_the_same_units() {
        let _balance = balanced();
        for text in texts() {
            let units: Vec<u16> = text.encode_utf16().collect();
            let payload = bytes_of(&units);
            for bstr in [
                Bstr::from(text),
                Bstr::from(text.to_owned()),
                Bstr::from(&text.to_owned()),
                Bstr::from(Cow::Borrowed(text)),
                Bstr::from(Cow::<str>::Owned(text.to_owned())),
                text.parse().expect("there is memory"),
                Bstr::from(&units[..]),
                Bstr::from_wide(&units),
                Bstr::from_bytes(&payload),
                Bstr::try_from_str(text).expect("there is memory"),
                Bstr::try_from_units(&units).expect("there is memory"),
                Bstr::try_from_bytes(&payload).expect("there is memory"),
                units.iter().copied().collect(),
                text.chars().collect(),
                [text].into_iter().collect(),
            ] {
                assert_holds(&bstr, &payload);
            }
        }
    }

    /// A character of each length of UTF-8 at every place of texts around the blocks by which ASCII is converted,
    /// which are 4, 8 and 16 letters.
    #[test]
    fn every_place_of_a_block_is_converted_alike() {
        let lengths: &[usize] = if cfg!(miri) {
            &[9, 33]
        } else {
            &[
                1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 34, 48, 63, 64, 130, 300,
            ]
        };
        let others: &[char] = if cfg!(miri) {
            &['\u{E9}', '\u{10FFFF}']
        } else {
            &['\0', '\u{7F}', '\u{80}', '\u{E9}', '\u{20AC}', '\u{10FFFF}']
        };
        let _balance = balanced();
        for &len in lengths {
            let places = (0..len).step_by(if cfg!(miri) { 16 } else { 1 });
            for place in places.chain([len - 1]) {
                for other in others {
                    let letters = ('a'..='z').cycle().enumerate().take(len);
                    let text: String = letters
                        .map(|(index, letter)| if index == place { *other } else { letter })
                        .collect();
                    let units: Vec<u16> = text.encode_utf16().collect();
                    let bstr = Bstr::from(&*text);
                    assert_holds(&bstr, &bytes_of(&units));
                    assert_eq!(bstr.try_to_string().as_deref(), Ok(&*text));
                    assert_eq!(bstr.to_string_lossy(), text);
                    assert_eq!(String::try_from(&bstr).as_deref().ok(), Some(&*text));
                    // Behind what is there already, aligned and not.
                    for start in ["", "\u{10FFFF}x"]
                        .map(Bstr::from)
                        .into_iter()
                        .chain([Bstr::from_bytes(b"odd")])
                    {
                        let mut pushed = start;
                        let mut payload = pushed.as_bytes().to_vec();
                        payload.extend(bytes_of(&units));
                        pushed.push_str(&text);
                        assert_holds(&pushed, &payload);
                    }
                    // A lone surrogate in its place.
                    let mut units = units;
                    units[place] = 0xDFFF;
                    units.truncate(len);
                    let bstr = Bstr::from_wide(&units);
                    let error = InvalidUtf16 {
                        index: place,
                        unit: 0xDFFF,
                    };
                    assert_eq!(bstr.try_to_string(), Err(error.into()));
                    assert_eq!(bstr.to_string_lossy(), String::from_utf16_lossy(&units));
                    assert!(String::try_from(&bstr).is_err());
                }
            }
        }
    }

    /// Texts that are mostly no ASCII, and so long that units are counted in several steps.
    #[test]
    fn long_texts_of_any_script() {
        let _balance = balanced();
        let times = if cfg!(miri) { 3 } else { 100 };
        for part in [
            "Привет, мир! ",
            "日本語のテキスト",
            "🎈🎈🎈",
            "naïve café, a longer part of ASCII; ",
            "\u{7FF}",
        ] {
            for end in ["", "x", "é"] {
                let text = part.repeat(times) + end;
                let units: Vec<u16> = text.encode_utf16().collect();
                let bstr = Bstr::from(&*text);
                assert_holds(&bstr, &bytes_of(&units));
                assert_eq!(bstr.try_to_string().as_deref(), Ok(&*text));
                assert_eq!(bstr.to_string_lossy(), text);
            }
        }
    }

    #[test]
    fn every_door_out_gives_the_same_text() {
        for text in texts() {
            let bstr = Bstr::from(text);
            assert_eq!(bstr.try_to_string().as_deref(), Ok(text));
            assert_eq!(bstr.as_bstr().try_to_string().as_deref(), Ok(text));
            assert_eq!(bstr.to_string_lossy(), text);
            assert_eq!(bstr.to_string(), text);
            assert_eq!(bstr.as_bstr().to_string(), text);
            assert_eq!(bstr.display().to_string(), text);
            assert_eq!(format!("{bstr:?}"), text);
            assert_eq!(String::try_from(&bstr).ok().as_deref(), Some(text));
            assert_eq!(String::try_from(bstr.as_bstr()).as_deref(), Ok(text));
            assert_eq!(String::try_from(bstr.clone()).ok().as_deref(), Some(text));
            let units: Vec<u16> = text.encode_utf16().collect();
            assert_eq!(*bstr, units);
            assert_eq!(*bstr.as_bstr(), units);
            assert_eq!(AsRef::<[u16]>::as_ref(&bstr), units);
            assert_eq!(AsRef::<[u16]>::as_ref(&bstr.as_bstr()), units);
        }
    }

    #[test]
    fn it_compares_with_text_of_every_type() {
        for text in texts() {
            let bstr = Bstr::from(text);
            assert!(bstr == *text);
            assert!(bstr == text);
            assert!(bstr == text.to_owned());
            assert!(*text == bstr);
            assert!(text == bstr);
            assert!(text.to_owned() == bstr);
            assert!(bstr.as_bstr() == *text);
            assert!(bstr.as_bstr() == text);
            assert!(bstr.as_bstr() == bstr);
            assert!(bstr == bstr.as_bstr());
            for other in TEXTS.into_iter().filter(|other| *other != text) {
                assert!(bstr != *other);
                assert!(*other != bstr);
                assert!(bstr != Bstr::from(other));
                assert!(bstr.as_bstr() != other);
            }
            let longer = format!("{text}\0");
            assert!(bstr != longer);
        }
    }

    #[test]
    fn the_order_is_that_of_code_units() {
        // U+FFFF sorts above the surrogates of U+10000, though the character is less.
        let (less, greater) = ("\u{10000}", "\u{FFFF}");
        assert!(Bstr::from(less) < Bstr::from(greater));
        assert!(less > greater);
        assert!(Bstr::from("a") < Bstr::from("a\0"));
        assert!(Bstr::from("a\0z") < Bstr::from("ab"));
    }

    #[test]
    fn a_lone_surrogate_is_told_by_place_and_unit() {
        let cases: [(&[u16], usize, u16); 8] = [
            (&[0xD800], 0, 0xD800),
            (&[0xDFFF], 0, 0xDFFF),
            (&[0x61, 0xD83D, 0xDE00, 0xD800], 3, 0xD800),
            (&[0x61, 0xDC00, 0xD800, 0xDC00], 1, 0xDC00),
            (&[0xD800, 0xD801, 0xDC00], 0, 0xD800),
            (&[0xD800, 0xDC00, 0xDC01], 2, 0xDC01),
            (&[0, 0xDBFF, 0], 1, 0xDBFF),
            (&[0xE9, 0x20AC, 0xD800, 0x61], 2, 0xD800),
        ];
        for (units, index, unit) in cases {
            let bstr = Bstr::from_wide(units);
            assert_eq!(bstr.as_units(), units);
            let error = DecodeError::InvalidUtf16(InvalidUtf16 { index, unit });
            assert_eq!(bstr.try_to_string(), Err(error));
            assert_eq!(bstr.as_bstr().try_to_string(), Err(error));
            assert_eq!(String::try_from(bstr.as_bstr()), Err(error));
            assert_eq!(
                error.to_string(),
                format!("lone surrogate {unit:#06x} at unit {index}")
            );
            assert_eq!(HResult::from(error), HResult::E_INVALIDARG);
            assert!(String::try_from(&bstr).is_err());
            assert!(String::try_from(bstr.clone()).is_err());
            let lossy = String::from_utf16_lossy(units);
            assert_eq!(bstr.to_string_lossy(), lossy);
            assert_eq!(bstr.to_string(), lossy);
            assert_eq!(format!("{bstr:?}"), lossy);
            // Replaced in what is shown, not in what is there.
            assert_ne!(bstr, lossy);
            assert_eq!(bstr.clone().as_units(), units);
        }
    }

    #[test]
    fn halves_of_a_pair_may_come_one_by_one() {
        let mut bstr = Bstr::from_wide(&[0xD83C]);
        assert!(bstr.try_to_string().is_err());
        bstr.push_units(&[0xDF88]);
        assert_eq!(bstr.try_to_string().as_deref(), Ok("🎈"));
    }

    #[test]
    fn a_string_is_made_from_c_and_given_to_c() {
        let _balance = balanced();
        let units = [0x68_u16, 0x69, 0];
        // SAFETY: the source ends in a zero.
        let made = unsafe { raw::alloc(units.as_ptr()) };
        // SAFETY: a live BSTR of initialised units, handed over here.
        let bstr = unsafe { Bstr::from_raw(made) };
        assert_eq!(bstr, "hi");
        let given = bstr.into_raw();
        assert_eq!(given, made.cast_const());
        // SAFETY: live, and this is its last use.
        unsafe { raw::free(given) };
    }
}

mod growing {
    use super::*;

    #[test]
    fn pieces_add_up() {
        let _balance = balanced();
        let mut bstr = Bstr::new();
        let mut expected = String::new();
        for _ in 0..3 {
            for text in texts() {
                bstr.push_str(text);
                expected.push_str(text);
                assert_eq!(bstr, expected);
                let units: Vec<u16> = expected.encode_utf16().collect();
                assert_holds(&bstr, &bytes_of(&units));
            }
        }
    }

    #[test]
    fn extending_and_collecting() {
        let _balance = balanced();
        let mut bstr = Bstr::from("a");
        bstr.extend([0x62_u16, 0xD83C]);
        bstr.extend([0xDF88_u16].iter().copied());
        bstr.extend(['é', '🎈']);
        bstr.extend(["", "x", "yz"]);
        assert_eq!(bstr, "ab🎈é🎈xyz");
        assert_eq!("olé🎈".chars().rev().collect::<Bstr>(), "🎈élo");
        assert_eq!("olé".encode_utf16().collect::<Bstr>(), "olé");
        assert_eq!("a b c".split(' ').collect::<Bstr>(), "abc");
        // An iterator that lies about its size harms nobody.
        struct Liar(u16);
        impl Iterator for Liar {
            type Item = u16;
            fn next(&mut self) -> Option<u16> {
                self.0 = self.0.checked_sub(1)?;
                Some(self.0 + 0x61)
            }
            fn size_hint(&self) -> (usize, Option<usize>) {
                (0, Some(1))
            }
        }
        assert_eq!(Liar(4).collect::<Bstr>(), "dcba");
    }

    #[test]
    fn formatting_into_a_string() {
        let _balance = balanced();
        let mut bstr = Bstr::new();
        write!(bstr, "{}-{:>4}-{:?}", 1, "é", "x").expect("there is memory");
        bstr.write_char('🎈').expect("there is memory");
        assert_eq!(bstr, "1-   é-\"x\"🎈");
    }

    #[test]
    fn truncating_keeps_the_address_and_ends_the_text() {
        let _balance = balanced();
        let text = "0123456789".repeat(20);
        let mut bstr = Bstr::from(text.as_str());
        let address = bstr.as_raw();
        for len in [200, 199, 150, 64, 24, 3, 1, 0] {
            bstr.truncate(UnitLen::new(len));
            assert_eq!(bstr.as_raw(), address);
            assert_eq!(bstr, text[..len as usize]);
            let units: Vec<u16> = text[..len as usize].encode_utf16().collect();
            assert_holds(&bstr, &bytes_of(&units));
            // No shorter than asked for.
            bstr.truncate(UnitLen::new(len + 1));
            bstr.truncate(UnitLen::new(u32::MAX));
            assert_eq!(bstr.unit_len(), UnitLen::new(len));
        }
        assert!(!bstr.is_null());
        bstr.push_str("again");
        assert_eq!(bstr, "again");
    }

    #[test]
    fn truncating_never_splits_what_is_counted() {
        let mut bstr = Bstr::from("🎈x");
        bstr.truncate(UnitLen::new(1));
        assert_eq!(bstr.as_units(), [0xD83C]);
    }

    #[test]
    fn units_are_written_in_place() {
        let mut bstr = Bstr::try_zeroed(UnitLen::new(3)).expect("there is memory");
        assert_holds(&bstr, &[0; 6]);
        let address = bstr.as_raw();
        bstr.as_mut_units().copy_from_slice(&[0x61, 0, 0xD800]);
        assert_eq!(bstr.as_raw(), address);
        assert_eq!(bstr.as_units(), [0x61, 0, 0xD800]);
        let copy = bstr.clone();
        bstr.as_mut_units()[0] = 0x62;
        assert_eq!(copy[0], 0x61);
    }
}

mod shown {
    use super::*;

    /// `Display` with every kind of flag, against the standard library's for the same text.
    #[test]
    #[cfg_attr(miri, ignore = "safe code, and much of it")]
    fn width_precision_fill_and_alignment() {
        macro_rules! alike {
            ($text:expr, $($format:literal)*) => {
                $(
                    let bstr = Bstr::from($text);
                    assert_eq!(format!($format, bstr), format!($format, $text), "{}", $format);
                    assert_eq!(format!($format, bstr.as_bstr()), format!($format, $text), "{}", $format);
                )*
            };
        }
        for text in [
            "",
            "a",
            "olé",
            "🎈🎈🎈",
            "a🎈é\0z",
            "longer than any width here",
        ] {
            alike!(text,
                "{}" "{:5}" "{:<5}" "{:>5}" "{:^5}" "{:^6}" "{:*>7}" "{:é<7}" "{:🎈^8}"
                "{:.0}" "{:.2}" "{:5.2}" "{:>5.2}" "{:-^9.3}" "{:0}" "{:1}" "{:.100}" "{:>4.9}");
            let (width, precision) = (9, 2);
            let bstr = Bstr::from(text);
            assert_eq!(
                format!("{bstr:>width$.precision$}"),
                format!("{text:>width$.precision$}")
            );
        }
    }

    #[test]
    fn what_is_replaced_counts_as_one_character() {
        let bstr = Bstr::from_wide(&[0xD800, 0x61, 0xDC00]);
        assert_eq!(format!("{bstr:>5.2}"), "   \u{FFFD}a");
    }

    #[test]
    fn debug_is_the_bare_text() {
        for text in texts() {
            assert_eq!(format!("{:?}", Bstr::from(text)), text);
            assert_eq!(format!("{:?}", Bstr::from(text).as_bstr()), text);
        }
    }

    #[test]
    fn alternate_debug_quotes_and_escapes() {
        for text in [
            "a",
            "olé",
            "🎈",
            "say \"hi\"",
            "tab\tline\n",
            "in\0side",
            "back\\slash",
        ] {
            assert_eq!(format!("{:#?}", Bstr::from(text)), format!("{text:?}"));
        }
        let lone = Bstr::from_wide(&[0x61, 0xD800, 0x62]);
        assert_eq!(format!("{lone:#?}"), "\"a\\u{d800}b\"");
        let odd = Bstr::from_bytes(&[0x61; 1]);
        assert_eq!(format!("{odd:#?}"), "\"\" and byte 0x61");
        assert_eq!(format!("{:#?}", BstrRef::NULL), "null");
    }

    /// A formatter that fails midway is told so to the caller.
    #[test]
    fn a_failing_writer_is_heard() {
        struct Short(usize);
        impl fmt::Write for Short {
            fn write_str(&mut self, text: &str) -> fmt::Result {
                self.0 = self.0.checked_sub(text.len()).ok_or(fmt::Error)?;
                Ok(())
            }
        }
        let bstr = Bstr::from("four");
        assert!(write!(Short(4), "{bstr}").is_ok());
        assert!(write!(Short(3), "{bstr}").is_err());
        assert!(write!(Short(9), "{bstr:>10}").is_err());
        assert!(write!(Short(5), "{bstr:#?}").is_err());
    }
}

mod literals {
    use super::*;

    macro_rules! check_literals {
        ($($text:expr),* $(,)?) => {
            $({
                let literal: BstrRef<'static> = bstr!($text);
                let units: Vec<u16> = $text.encode_utf16().collect();
                assert_eq!(literal.as_units(), units, "{:?}", $text);
                assert_eq!(literal.byte_len().as_usize(), 2 * units.len());
                assert_eq!(literal, $text);
                assert_eq!(literal.to_owned(), Bstr::from(literal));
                assert!(!literal.is_null());
                let raw = literal.as_raw();
                // Where a BSTR of the 64-bit heap stands: behind a header of 8 bytes.
                assert_eq!(raw.addr() % 16, 8);
                // SAFETY: the terminator follows the units, in the same static.
                let end = unsafe { raw.add(units.len()) };
                // SAFETY: as above.
                assert_eq!(unsafe { end.read() }, 0);
                // SAFETY: a literal is a BSTR.
                assert_eq!(unsafe { raw::byte_len(raw) }, literal.byte_len());
            })*
        };
    }

    #[test]
    fn every_length_of_utf8() {
        check_literals!(
            "",
            "a",
            "\0",
            "\u{7F}",
            "\u{80}",
            "é",
            "\u{7FF}",
            "\u{800}",
            "\u{FFF}",
            "\u{1000}",
            "\u{D7FF}",
            "\u{E000}",
            "\u{FFFF}",
            "\u{10000}",
            "\u{1F388}",
            "\u{FFFFF}",
            "\u{100000}",
            "\u{10FFFF}",
            "a\u{80}\u{800}\u{10000}",
            "\u{10FFFF}\u{FFFF}\u{7FF}\u{7F}",
            "a longer text, ended\0by nothing – ✓",
        );
    }

    const NAMED: &str = "named";
    const AS_CONSTANT: BstrRef<'static> = bstr!(NAMED);
    static AS_STATIC: BstrRef<'static> = bstr!(concat!("a", 1));

    const fn in_a_const_fn() -> BstrRef<'static> {
        bstr!("const fn")
    }

    #[test]
    fn they_are_constants() {
        assert_eq!(AS_CONSTANT, NAMED);
        assert_eq!(AS_STATIC, "a1");
        const MADE: BstrRef<'static> = in_a_const_fn();
        assert_eq!(MADE, "const fn");
        assert!(const { !AS_CONSTANT.is_null() });
    }

    #[test]
    fn each_place_has_one_storage() {
        let make = || bstr!("one place");
        assert_eq!(make().as_raw(), make().as_raw());
        let other = bstr!("one place");
        assert_eq!(make(), other);
    }

    #[test]
    fn they_join_and_compare_like_any_other() {
        let _balance = balanced();
        let joined = Bstr::try_concat(bstr!("a"), bstr!("b")).expect("there is memory");
        assert_eq!(joined, "ab");
        assert!(bstr!("a") < bstr!("b"));
        assert_eq!(hash_of(&bstr!("ab")), hash_of(&joined));
    }
}

mod borrowed {
    use super::*;

    /// What C code may put on its stack (`semantics.md` 2.8, L11).
    #[repr(C)]
    struct Shaped<const UNITS: usize> {
        prefix: u32,
        units: [u16; UNITS],
    }

    impl<const UNITS: usize> Shaped<UNITS> {
        fn as_bstr(&self) -> BstrRef<'_> {
            let start = std::ptr::from_ref(self).cast::<u16>();
            // SAFETY: the units follow the prefix, in the same struct.
            let units = unsafe { start.byte_add(4) };
            // SAFETY: the tests' prefixes count no more bytes than there are units for; the struct is
            // borrowed for as long.
            unsafe { BstrRef::from_raw(units) }
        }
    }

    #[test]
    fn the_prefix_alone_is_believed() {
        let _balance = balanced();
        let mut shaped = Shaped {
            prefix: 0,
            units: [0x6161, 0x6262, 0],
        };
        for (prefix, units) in [(0, 0), (1, 0), (2, 1), (3, 1), (4, 2), (5, 2), (6, 3)] {
            shaped.prefix = prefix;
            let bstr = shaped.as_bstr();
            assert_eq!(bstr.byte_len(), ByteLen::new(prefix));
            assert_eq!(bstr.unit_len(), UnitLen::new(units));
            assert_eq!(bstr.as_units().len(), units as usize);
            assert_eq!(bstr.as_bytes().len(), prefix as usize);
            assert_eq!((bstr.len(), bstr.is_empty()), (units as usize, units == 0));
            // SAFETY: a BSTR-shaped struct is a BSTR to read.
            assert_eq!(unsafe { raw::unit_len(bstr.as_raw()) }, bstr.unit_len());
            let copy = bstr.to_owned();
            assert_eq!(copy, bstr);
            assert_holds(&copy, &bytes_of(&shaped.units)[..prefix as usize]);
        }
    }

    #[test]
    fn a_copy_outlives_what_was_borrowed() {
        let copy = {
            let shaped = Shaped {
                prefix: 4,
                units: [0x68, 0x69],
            };
            shaped.as_bstr().to_owned()
        };
        assert_eq!(copy, "hi");
    }

    #[test]
    fn no_terminator_is_needed() {
        let shaped = Shaped {
            prefix: 4,
            units: [0xD83C, 0xDF88],
        };
        assert_eq!(shaped.as_bstr().to_string(), "🎈");
        assert_eq!(shaped.as_bstr(), Bstr::from("🎈"));
    }

    #[test]
    fn units_live_as_long_as_the_string_not_the_reference() {
        fn units<'a>(bstr: BstrRef<'a>) -> &'a [u16] {
            bstr.as_units()
        }
        let bstr = Bstr::from("long");
        let (text, bytes) = {
            let borrowed = bstr.as_bstr();
            (units(borrowed), borrowed.as_bytes())
        };
        assert_eq!(text.len(), 4);
        assert_eq!(bytes.len(), 8);
    }

    #[test]
    fn it_crosses_threads() {
        let bstr = Bstr::from("shared");
        let borrowed = bstr.as_bstr();
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(move || assert_eq!(borrowed, "shared"));
            }
        });
        let moved = std::thread::spawn(move || bstr.to_string());
        assert_eq!(moved.join().expect("it does not panic"), "shared");
    }
}

mod without_memory {
    use super::*;

    /// Runs `what` with its first allocation failing: it says so exactly, and nothing is lost.
    #[track_caller]
    fn fails<T: fmt::Debug>(requested: usize, what: impl FnOnce() -> Result<T, CreateError>) {
        let failing = fail_nth(1);
        let error = what().expect_err("its allocation was made to fail");
        assert!(failing.has_failed());
        assert_eq!(error, no_memory(requested));
        assert_eq!(HResult::from(error), HResult::E_OUTOFMEMORY);
        assert_eq!(
            error.to_string(),
            format!("no memory for a block of {requested} bytes")
        );
    }

    #[test]
    fn constructors_say_what_they_wanted() {
        let _balance = balanced();
        let odd = Bstr::from_bytes(&pattern(23));
        fails(block(0), Bstr::try_empty);
        fails(block(4), || Bstr::try_from_units(&[1, 2]));
        fails(block(23), || Bstr::try_from_bytes(&pattern(23)));
        fails(block(8), || Bstr::try_from_str("ab🎈"));
        fails(block(8), || "ab🎈".parse::<Bstr>());
        fails(block(2000), || Bstr::try_zeroed(UnitLen::new(1000)));
        fails(block(23), || odd.try_clone());
        fails(block(23), || odd.as_bstr().try_to_owned());
        fails(block(0), Bstr::empty_copy);
        fails(block(46), || Bstr::try_concat(odd.as_bstr(), odd.as_bstr()));
        fails(block(0), || Bstr::try_concat(BstrRef::NULL, BstrRef::NULL));
        assert_holds(&odd, &pattern(23));
    }

    /// So that the copy of an empty string stands in the list above.
    trait EmptyCopy {
        fn empty_copy() -> Result<Bstr, CreateError>;
    }

    impl EmptyCopy for Bstr {
        fn empty_copy() -> Result<Bstr, CreateError> {
            bstr!("").try_to_owned()
        }
    }

    #[test]
    fn a_string_that_cannot_grow_is_as_it_was() {
        let _balance = balanced();
        for len in [0, 1, 5, 6, 22, 23, 54, 55] {
            let payload = pattern(len);
            let mut bstr = Bstr::from_bytes(&payload);
            let address = bstr.as_raw();
            let more = "x".repeat(32);
            let units: Vec<u16> = more.encode_utf16().collect();
            fails(block(len + 64), || bstr.try_push_str(&more));
            fails(block(len + 64), || bstr.try_push_units(&units));
            let failing = fail_nth(1);
            assert_eq!(bstr.write_str(&more), Err(fmt::Error));
            assert!(failing.has_failed());
            drop(failing);
            assert_eq!(bstr.as_raw(), address);
            assert_eq!(bstr.as_bytes(), payload);
            if len > 0 {
                assert_holds(&bstr, &payload);
            }
            bstr.try_push_str(&more).expect("now there is memory");
            assert_eq!(bstr.as_bytes()[..len], payload);
        }
    }

    /// A later failure in a formatting leaves what came before it.
    #[test]
    fn formatting_stops_at_the_failure() {
        let _balance = balanced();
        let long = "x".repeat(100);
        let mut bstr = Bstr::new();
        let failing = fail_nth(2);
        assert!(write!(bstr, "first{long}third").is_err());
        assert!(failing.has_failed());
        assert_eq!(bstr, "first");
    }

    /// Every convenient form says `# Panics`, and what it panics with is the error's own text.
    #[test]
    fn the_convenient_forms_panic() {
        let _balance = balanced();
        let source = Bstr::from("source of 46 bytes here");
        assert_eq!(source.byte_len(), ByteLen::new(46));
        let units = source.as_units();
        let text = source.to_string();
        let wanted = format!("BSTR: no memory for a block of {} bytes", block(46));
        let forms: [(&str, &dyn Fn() -> Bstr); 14] = [
            ("from_wide", &|| Bstr::from_wide(units)),
            ("from_bytes", &|| Bstr::from_bytes(source.as_bytes())),
            ("From<&str>", &|| Bstr::from(text.as_str())),
            ("From<String>", &|| Bstr::from(text.clone())),
            ("From<&String>", &|| Bstr::from(&text)),
            ("From<Cow>", &|| Bstr::from(Cow::Borrowed(text.as_str()))),
            ("From<&[u16]>", &|| Bstr::from(units)),
            ("From<BstrRef>", &|| Bstr::from(source.as_bstr())),
            ("to_owned", &|| source.as_bstr().to_owned()),
            ("clone", &|| source.clone()),
            ("collect units", &|| units.iter().copied().collect()),
            ("collect chars", &|| text.chars().collect()),
            ("collect pieces", &|| text.split_inclusive(' ').collect()),
            ("clone of a literal", &|| {
                bstr!("source of 46 bytes here").to_owned()
            }),
        ];
        for (name, form) in forms {
            let failing = fail_nth(1);
            panics_with(&wanted, panic::AssertUnwindSafe(|| drop(form())));
            assert!(failing.has_failed(), "{name}");
            drop(failing);
            assert_eq!(form(), source, "{name}");
        }
        let failing = fail_nth(1);
        let wanted = format!("BSTR: no memory for a block of {} bytes", block(0));
        panics_with(&wanted, || drop(Bstr::empty()));
        assert!(failing.has_failed());
    }

    #[test]
    fn the_convenient_ways_to_grow_panic_and_change_nothing() {
        let _balance = balanced();
        let wanted = format!("BSTR: no memory for a block of {} bytes", block(100));
        type Way<'a> = &'a dyn Fn(&mut Bstr);
        let ways: [(&str, Way<'_>); 5] = [
            ("push_str", &|bstr| bstr.push_str(&"x".repeat(48))),
            ("push_units", &|bstr| bstr.push_units(&[7; 48])),
            ("extend by units", &|bstr| bstr.extend([7_u16; 48])),
            ("extend by chars", &|bstr| bstr.extend(['x'; 48])),
            ("extend by text", &|bstr| bstr.extend(["xx"; 24])),
        ];
        for (name, way) in ways {
            let mut bstr = Bstr::from("ab");
            let address = bstr.as_raw();
            let failing = fail_nth(1);
            panics_with(&wanted, panic::AssertUnwindSafe(|| way(&mut bstr)));
            assert!(failing.has_failed(), "{name}");
            assert_eq!(
                (bstr.as_raw(), bstr.to_string()),
                (address, "ab".to_owned())
            );
        }
    }

    /// What fits the block already needs no memory, and counts for nothing. (On Windows the system
    /// decides that.)
    #[cfg(any(not(windows), miri))]
    #[test]
    fn what_fits_the_block_needs_none() {
        let mut bstr = Bstr::from("a");
        let room = block(2) - size_of::<usize>() - 2;
        let failing = fail_nth(1);
        while bstr.as_bytes().len() + 2 <= room {
            bstr.try_push_str("x").expect("there is room");
        }
        bstr.truncate(UnitLen::ZERO);
        assert!(!failing.has_failed());
        bstr.try_push_str(&"x".repeat(room / 2))
            .expect("there is room");
        assert!(!failing.has_failed());
        assert_eq!(
            bstr.try_push_str("x"),
            Err(no_memory(block(room / 2 * 2 + 2)))
        );
        assert!(failing.has_failed());
    }
}

mod too_long {
    use super::*;

    #[cfg(target_pointer_width = "64")]
    const FIRST_UNITS: u32 = 0x7FFF_FFF4;
    #[cfg(target_pointer_width = "32")]
    const FIRST_UNITS: u32 = 0x7FFF_FFF6;

    fn requested(error: CreateError) -> Option<(usize, String)> {
        match error {
            CreateError::TooLong(error) => Some((error.requested(), error.to_string())),
            CreateError::OutOfMemory(_) => None,
        }
    }

    #[test]
    fn the_limit_is_looked_at_before_memory() {
        let failing = fail_nth(1);
        for len in [FIRST_UNITS, 0x7FFF_FFFF, 0x8000_0000, u32::MAX] {
            let error = Bstr::try_zeroed(UnitLen::new(len)).expect_err("beyond the limit");
            let (requested, text) = requested(error).expect("too long, not out of memory");
            assert_eq!(requested, len as usize);
            assert_eq!(text, format!("{len} code units are more than a BSTR holds"));
            assert_eq!(HResult::from(error), HResult::E_OUTOFMEMORY);
        }
        assert!(!failing.has_failed());
        // One unit less is a matter of memory. In 32 bits no allocator can have it.
        assert!(matches!(
            Bstr::try_zeroed(UnitLen::new(FIRST_UNITS - 1)),
            Err(CreateError::OutOfMemory(_))
        ));
        assert_eq!(failing.has_failed(), cfg!(target_pointer_width = "64"));
    }

    /// Slices beyond the limit, of zero pages that nobody ever touches.
    #[cfg(all(target_os = "linux", target_pointer_width = "64", not(miri)))]
    mod slices {
        use std::alloc::{Layout, alloc_zeroed, dealloc};

        use super::*;

        struct Untouched {
            start: *mut u8,
            layout: Layout,
        }

        impl Untouched {
            /// `None` where the system does not promise so much.
            fn new(bytes: usize) -> Option<Self> {
                let layout = Layout::from_size_align(bytes, 8).expect("a valid layout");
                // SAFETY: the size is not zero.
                let start = unsafe { alloc_zeroed(layout) };
                (!start.is_null()).then_some(Self { start, layout })
            }

            fn bytes(&self, len: usize) -> &[u8] {
                assert!(len <= self.layout.size());
                // SAFETY: so many zero bytes are there, as long as this value is.
                unsafe { std::slice::from_raw_parts(self.start, len) }
            }
        }

        impl Drop for Untouched {
            fn drop(&mut self) {
                // SAFETY: allocated with this layout, and not used any more.
                unsafe { dealloc(self.start, self.layout) };
            }
        }

        #[test]
        fn they_are_measured_not_read() {
            const FIRST_BYTES: usize = 0xFFFF_FFE7;
            let Some(memory) = Untouched::new(0x1_0000_0010) else {
                eprintln!("SKIPPED: no 4 GiB of address space to be had");
                return;
            };
            let failing = fail_nth(1);
            for len in [FIRST_BYTES, 0xFFFF_FFFF, 0x1_0000_0000, 0x1_0000_0001] {
                let error = Bstr::try_from_bytes(memory.bytes(len)).expect_err("too long");
                assert_eq!(
                    requested(error),
                    Some((len, format!("{len} bytes are more than a BSTR holds")))
                );
            }
            for units in [FIRST_UNITS as usize, 0x8000_0000] {
                let slice = bytemuck::cast_slice(memory.bytes(2 * units));
                let error = Bstr::try_from_units(slice).expect_err("too long");
                assert_eq!(
                    requested(error),
                    Some((
                        units,
                        format!("{units} code units are more than a BSTR holds")
                    ))
                );
                let mut bstr = Bstr::new();
                assert!(requested(bstr.try_push_units(slice).expect_err("too long")).is_some());
                assert!(bstr.is_null());
            }
            assert!(!failing.has_failed());
            // The longest that may be had: its allocation is tried, and made to fail.
            assert_eq!(
                Bstr::try_from_bytes(memory.bytes(FIRST_BYTES - 1)),
                Err(no_memory(0xFFFF_FFF0))
            );
            assert!(failing.has_failed());
        }

        #[test]
        fn the_sum_is_checked() {
            let Some(memory) = Untouched::new(0x8000_0000) else {
                eprintln!("SKIPPED: no 2 GiB of address space to be had");
                return;
            };
            // A string of half the limit that nobody wrote but its prefix: twice that is too long.
            let len = 0x7FFF_FFF6_u32;
            // SAFETY: within the allocation, whose only user this is.
            unsafe { memory.start.cast::<u32>().write(len) };
            // SAFETY: as above.
            let payload = unsafe { memory.start.add(4) };
            // SAFETY: so many zero bytes follow the prefix.
            let half = unsafe { BstrRef::from_raw(payload.cast_const().cast()) };
            let failing = fail_nth(1);
            let error = Bstr::try_concat(half, half).expect_err("too long");
            let sum = 2 * len as usize;
            assert_eq!(
                requested(error),
                Some((sum, format!("{sum} bytes are more than a BSTR holds")))
            );
            assert!(!failing.has_failed());
        }
    }

    #[test]
    fn lengths_know_their_limits() {
        assert_eq!(UnitLen::try_from(5), Ok(UnitLen::new(5)));
        assert_eq!(ByteLen::try_from(5), Ok(ByteLen::new(5)));
        assert_eq!(
            UnitLen::new(0x7FFF_FFFF).bytes(),
            Some(ByteLen::new(0xFFFF_FFFE))
        );
        assert_eq!(UnitLen::new(0x8000_0000).bytes(), None);
        assert_eq!(ByteLen::new(u32::MAX).units(), UnitLen::new(0x7FFF_FFFF));
        assert_eq!(ByteLen::new(u32::MAX).checked_add(ByteLen::new(1)), None);
        assert_eq!(
            ByteLen::new(u32::MAX).checked_add(ByteLen::ZERO),
            Some(ByteLen::new(u32::MAX))
        );
        assert_eq!(
            [UnitLen::new(1), UnitLen::new(2)].map(|len| len.to_string()),
            ["1 unit", "2 units"]
        );
        assert_eq!(
            [ByteLen::new(1), ByteLen::ZERO].map(|len| len.to_string()),
            ["1 byte", "0 bytes"]
        );
        #[cfg(target_pointer_width = "64")]
        {
            let error: TooLong = UnitLen::try_from(0x1_0000_0000).expect_err("does not fit");
            assert_eq!(error.requested(), 0x1_0000_0000);
            assert_eq!(
                error.to_string(),
                "4294967296 code units are more than a BSTR holds"
            );
            let error = ByteLen::try_from(0x1_0000_0000).expect_err("does not fit");
            assert_eq!(
                error.to_string(),
                "4294967296 bytes are more than a BSTR holds"
            );
        }
    }
}

mod failing_on_demand {
    use super::*;

    #[test]
    fn the_nth_fails_and_no_other() {
        for nth in 1..5 {
            let failing = fail_nth(nth);
            let failed: Vec<bool> = (0..5).map(|_| Bstr::try_empty().is_err()).collect();
            let expected: Vec<bool> = (1..=5).map(|n| n == nth).collect();
            assert_eq!(failed, expected);
            assert!(failing.has_failed());
        }
    }

    #[test]
    fn dropping_the_guard_calls_it_off() {
        let failing = fail_nth(1);
        assert!(!failing.has_failed());
        assert_eq!(
            format!("{failing:?}"),
            "Failing { allocations: 0, failures: 0 }"
        );
        drop(failing);
        assert!(Bstr::try_empty().is_ok());
    }

    #[test]
    fn other_threads_are_not_touched() {
        let failing = fail_nth(1);
        std::thread::spawn(|| assert!(Bstr::try_empty().is_ok()))
            .join()
            .expect("it does not panic");
        assert!(!failing.has_failed());
        assert!(Bstr::try_empty().is_err());
    }

    #[test]
    fn there_is_no_zeroth() {
        assert!(panic::catch_unwind(|| drop(fail_nth(0))).is_err());
        assert!(Bstr::try_empty().is_ok());
    }

    assert_not_impl_any!(olemem::fault::Failing: Send, Sync);
}

#[cfg(feature = "serde")]
mod serde {
    use serde_json::{from_str, from_value, json, to_string, to_value};

    use super::*;

    #[test]
    fn there_and_back() {
        let _balance = balanced();
        for text in texts() {
            let bstr = Bstr::from(text);
            let json = to_string(&bstr).expect("it is text");
            assert_eq!(json, to_string(text).expect("it is text"));
            assert_eq!(to_string(&bstr.as_bstr()).expect("it is text"), json);
            assert_eq!(from_str::<Bstr>(&json).expect("it is a string"), bstr);
        }
    }

    #[test]
    fn null_and_empty_stay_apart() {
        let _balance = balanced();
        assert_eq!(to_string(&Bstr::new()).expect("null is none"), "null");
        assert_eq!(to_string(&Bstr::empty()).expect("it is text"), "\"\"");
        assert!(from_str::<Bstr>("null").expect("none is null").is_null());
        let empty = from_str::<Bstr>("\"\"").expect("it is a string");
        assert!(!empty.is_null());
        assert_eq!(empty, "");
        assert!(
            from_value::<Bstr>(json!(null))
                .expect("none is null")
                .is_null()
        );
        assert_eq!(to_value(BstrRef::NULL).expect("null is none"), json!(null));
    }

    #[test]
    fn escapes_and_owned_strings() {
        let _balance = balanced();
        let bstr = from_str::<Bstr>(r#""a\n\u0000\ud83c\udf88""#).expect("it is a string");
        assert_eq!(bstr, "a\n\0🎈");
        let bstr = from_value::<Bstr>(json!("owned")).expect("it is a string");
        assert_eq!(bstr, "owned");
        let many = from_str::<Vec<Bstr>>(r#"["a", null, ""]"#).expect("strings");
        assert_eq!(
            many.iter().map(Bstr::is_null).collect::<Vec<_>>(),
            [false, true, false]
        );
    }

    #[test]
    fn what_is_no_text_is_an_error() {
        let lone = to_string(&Bstr::from_wide(&[0x61, 0xD800])).expect_err("no text");
        assert_eq!(lone.to_string(), "lone surrogate 0xd800 at unit 1");
        let odd = to_string(&Bstr::from_bytes(b"abc")).expect_err("no text");
        assert_eq!(
            odd.to_string(),
            "a length of 3 bytes is no whole number of code units"
        );
    }

    #[test]
    fn other_types_are_refused() {
        for json in ["1", "true", "[]", "{}"] {
            let error = from_str::<Bstr>(json).expect_err("no string").to_string();
            assert!(error.contains("expected a string or none"), "{error}");
        }
    }

    #[test]
    fn no_memory_is_an_error() {
        let _balance = balanced();
        for json in ["\"\"", "\"text\""] {
            let failing = fail_nth(1);
            let error = from_str::<Bstr>(json).expect_err("no memory").to_string();
            assert!(error.contains("no memory for a block of"), "{error}");
            assert!(failing.has_failed());
        }
    }
}
