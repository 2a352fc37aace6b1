//! Bytes that Wine 8.0 wrote, on x86-64: a SAFEARRAY of BSTRs, and VARIANTs (V201 to V204, as far as they are the string's).
//!
//! The VARIANTs are in `tests/c/wire.c` as well, where Wine is asked for them anew, and where what only
//! `VARIANT_UserUnmarshal` does is tried on it.

use olemem::Bstr;
use olemem::wire::{Syntax, TransmittedBstr, TransmittedBstrs, TransmittedVariant};

use crate::decoded;

/// `LPSAFEARRAY_UserMarshal` of a vector of "ab", NULL, and the three bytes "xyz".
#[rustfmt::skip]
const SAFEARRAY: [u8; 88] = [
    1, 0, 0, 0,                 // there is an array
    1, 0, 0, 0,                 // its bounds are so many
    1, 0, 0x80, 0x21,           // dimensions, features
    4, 0, 0, 0,                 // size of an element
    0, 0, 8, 0,                 // locks, VT_BSTR
    8, 0, 0, 0,                 // what comes is a SAFEARR_BSTR
    3, 0, 0, 0,                 // Size
    2, 0, 0, 0,                 // the referent of aBstr
    3, 0, 0, 0, 0, 0, 0, 0,     // the bounds
    3, 0, 0, 0,                 // the count of the array that aBstr points to, and the strings
    2, 0, 0, 0, 4, 0, 0, 0, 2, 0, 0, 0, b'a', 0, b'b', 0,
    0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0,
    2, 0, 0, 0, 3, 0, 0, 0, 2, 0, 0, 0, b'x', b'y', b'z', 0,
];

/// Where the count is.
const COUNT: usize = 40;

#[test]
fn a_safearray_s_strings_are_read_from_the_count_on() {
    let strings = TransmittedBstrs::counted(&SAFEARRAY, COUNT, Syntax::Ndr).expect("a count");
    assert_eq!(strings.end(), COUNT + 4);
    let strings: Result<Vec<_>, _> = strings.collect();
    let expected = [
        TransmittedBstr::from_bytes(b"a\0b\0"),
        Ok(TransmittedBstr::NULL),
        TransmittedBstr::from_bytes(b"xyz"),
    ];
    assert_eq!(
        strings,
        Ok(expected.map(|bstr| bstr.expect("short")).into())
    );
    let mut strings = TransmittedBstrs::counted(&SAFEARRAY, COUNT, Syntax::Ndr).expect("a count");
    assert_eq!(strings.by_ref().count(), 3);
    assert_eq!(strings.end(), SAFEARRAY.len());
}

/// The structure before it counts as well, and no strings are behind that.
#[test]
fn the_structure_before_is_no_count() {
    let mut strings = TransmittedBstrs::counted(&SAFEARRAY, 24, Syntax::Ndr).expect("a count");
    let error = strings.next().expect("three").expect_err("a referent");
    assert_eq!(
        error.to_string(),
        "at byte 28: the array counts 2 units, the BSTR 0"
    );
}

/// What is behind the number that stands for the pointer; that may be any but zero.
const TEXT: &[u8; 36] = b"\x0C\0\0\0\x18\0\0\0\x0C\0\0\0m\0a\0r\0s\0h\0a\0l\0 \0t\0e\0s\0t\0";

/// `VARIANT_UserMarshal` of a VT_BSTR of "marshal test".
const VARIANT: [u8; 24] = *b"\x08\0\0\0\0\0\0\0\x08\0\0\0\0\0\0\0\x08\0\0\0\x68\xCB\x34\0";

/// And of one by reference.
const BY_REF: [u8; 28] =
    *b"\x08\0\0\0\0\0\0\0\x08\x40\0\0\0\0\0\0\x08\x40\0\0\x04\0\0\0\x68\xCB\x34\0";

/// Of V203 what is the string's: its text and its length. What else it says, and V204, is in `tests/c/wire.c`.
#[test]
fn v201_to_v203_the_string_of_a_variant() {
    for (before, size, is_by_ref) in [(&VARIANT[..], 60, false), (&BY_REF, 64, true)] {
        let bytes = [before, TEXT].concat();
        let (variant, end) = TransmittedVariant::decode(&bytes, 0).expect("well-formed");
        assert_eq!((end, bytes.len()), (size, size));
        assert_eq!(variant.is_by_ref, is_by_ref);
        let text = Bstr::try_from(variant.bstr).expect("there is memory");
        assert_eq!(text, "marshal test");
        assert_eq!(text.byte_len().get(), 24);
        assert_eq!(decoded(&bytes[before.len()..]).0, variant.bstr);
        for len in 0..size {
            assert!(TransmittedVariant::decode(&bytes[..len], 0).is_err());
        }
    }
}
