//! BSTRs within other things: arrays, VARIANTs. Bytes of Wine's are in `wine.rs`.

use olemem::HResult;
use olemem::wire::{
    Malformed, Syntax, TransmittedBstr, TransmittedBstrs, TransmittedVariant, WireError,
};

use crate::wire_law;

fn written(strings: &[Option<Vec<u8>>], mut buffer: Vec<u8>) -> Vec<u8> {
    for string in strings {
        let bstr = match string {
            None => TransmittedBstr::NULL,
            Some(bytes) => TransmittedBstr::from_bytes(bytes).expect("short"),
        };
        let start = buffer.len();
        let end = bstr.end(start, Syntax::Ndr).expect("short");
        buffer.resize(end, 0);
        assert_eq!(bstr.encode(&mut buffer, start, Syntax::Ndr), Ok(end));
    }
    buffer
}

#[test]
fn a_count_that_the_bytes_do_not_hold_is_refused_at_once() {
    let mut bytes = u32::MAX.to_le_bytes().to_vec();
    bytes.resize(1000, 0);
    let error = TransmittedBstrs::counted(&bytes, 0, Syntax::Ndr).expect_err("too many");
    assert_eq!(
        error.to_string(),
        "at byte 4: 4294967295 BSTRs cannot be in 996 bytes"
    );
}

/// The count of any array has 64 bits there, and begins where such a number may.
#[test]
fn ndr64_counts_an_array_in_64_bits() {
    let text = TransmittedBstr::from_bytes(b"a\0").expect("short");
    let mut bytes = vec![0xEE; 16];
    bytes[8..].copy_from_slice(&2_u64.to_le_bytes());
    for _ in 0..2 {
        let start = bytes.len();
        let end = text.end(start, Syntax::Ndr64).expect("short");
        bytes.resize(end, 0);
        assert_eq!(text.encode(&mut bytes, start, Syntax::Ndr64), Ok(end));
    }
    for start in [1, 4, 8] {
        let strings = TransmittedBstrs::counted(&bytes, start, Syntax::Ndr64).expect("an array");
        assert_eq!(strings.collect::<Vec<_>>(), [Ok(text); 2]);
    }
    // No bit of it is left out.
    bytes[13] = 1;
    let error = TransmittedBstrs::counted(&bytes, 4, Syntax::Ndr64).expect_err("too many");
    assert_eq!(
        error.to_string(),
        "at byte 16: 1099511627778 BSTRs cannot be in 42 bytes"
    );
    let error = TransmittedBstrs::counted(&bytes[..15], 4, Syntax::Ndr64).expect_err("no count");
    assert_eq!(
        error.to_string(),
        "at byte 8: the bytes end within the header"
    );
    // By itself 1 is one.
    let error = TransmittedBstrs::new(&bytes[..1], 0, 1, Syntax::Ndr).expect_err("no room");
    assert_eq!(error.to_string(), "at byte 0: 1 BSTR cannot be in 1 byte");
}

#[test]
fn behind_malformed_bytes_nothing_is_read() {
    let mut buffer = written(
        &[Some(b"ab".to_vec()), None, Some(b"cd".to_vec())],
        Vec::new(),
    );
    // The null BSTR is said to have data.
    buffer[16 + 8] = 1;
    let mut strings = TransmittedBstrs::new(&buffer, 0, 3, Syntax::Ndr).expect("so many");
    assert!(strings.next().is_some_and(|bstr| bstr.is_ok()));
    let error = strings.next().expect("the second").expect_err("malformed");
    assert_eq!(
        error.to_string(),
        "at byte 16: the array counts 0 units, the BSTR 1"
    );
    assert!(strings.next().is_none() && strings.next().is_none());
}

/// A VARIANT that is not at the start of its bytes, after these have been changed.
#[track_caller]
fn refused(change: impl FnOnce(&mut [u8]), told: &str) -> WireError {
    const BEFORE: usize = 8;
    let text = TransmittedBstr::from_bytes(b"t\0e\0x\0t\0").expect("short");
    let mut bytes = vec![0xEE; BEFORE];
    bytes.extend(wire_law::variant(text, true));
    let end = bytes.len();
    let expected = TransmittedVariant {
        bstr: text,
        is_by_ref: true,
    };
    assert_eq!(
        TransmittedVariant::decode(&bytes, BEFORE - 3),
        Ok((expected, end))
    );
    change(&mut bytes[BEFORE..]);
    let error = TransmittedVariant::decode(&bytes, BEFORE - 3).expect_err("malformed");
    assert_eq!(error.to_string(), told);
    error
}

#[test]
fn variants_that_hold_no_string_are_refused() {
    let error = refused(
        |bytes| bytes[8] = 3,
        "at byte 8: a VARIANT of type 0x4003 holds no BSTR",
    );
    assert_eq!(error.cause, Malformed::NotABstr { vt: 0x4003 });
    // A BSTR's type, and a bit that means nothing; and a vector of them, and an array.
    for (high, told) in [
        (0xC0, "0xc008"),
        (0x80, "0x8008"),
        (0x50, "0x5008"),
        (0x60, "0x6008"),
    ] {
        let told = format!("at byte 8: a VARIANT of type {told} holds no BSTR");
        refused(|bytes| (bytes[9], bytes[17]) = (high, high), &told);
    }
    // Nothing is wrong with it but that.
    assert_eq!(HResult::from(error), HResult::DISP_E_TYPEMISMATCH);
}

/// A receiver ignores them (MS-OAUT 2.2.29.1).
#[test]
fn reserved_numbers_of_a_variant_are_not_looked_at() {
    let text = TransmittedBstr::from_bytes(b"a\0").expect("short");
    let mut bytes = wire_law::variant(text, false);
    bytes[4..8].fill(0x77);
    bytes[10..16].fill(0x77);
    let (variant, _) = TransmittedVariant::decode(&bytes, 0).expect("a VARIANT");
    assert_eq!((variant.bstr, variant.is_by_ref), (text, false));
}

#[test]
fn variants_that_contradict_themselves_are_refused() {
    let offset = 8;
    let cases = [
        (
            refused(
                |bytes| bytes[16] = 3,
                "at byte 8: a VARIANT of type 0x4008 is said to hold one of 0x4003",
            ),
            Malformed::TypeMismatch {
                vt: 0x4008,
                discriminator: 0x4003,
            },
        ),
        (
            refused(
                |bytes| bytes[20] = 8,
                "at byte 8: a pointer is said to have 8 bytes, not 4",
            ),
            Malformed::PointerSize { said: 8 },
        ),
        (
            refused(
                |bytes| bytes[0] = 99,
                "at byte 8: a VARIANT of 48 bytes is said to have 99 times 8",
            ),
            Malformed::VariantSize {
                said: 99,
                bytes: 48,
            },
        ),
        (
            refused(
                |bytes| bytes[24..28].fill(0),
                "at byte 8: nothing is pointed at",
            ),
            Malformed::NullReferent,
        ),
    ];
    for (error, cause) in cases {
        assert_eq!(error, WireError { offset, cause });
        assert_eq!(HResult::from(error), HResult::RPC_X_BAD_STUB_DATA);
    }
    // The string is where it is.
    refused(
        |bytes| bytes[28] = 5,
        "at byte 36: the array counts 5 units, the BSTR 4",
    );
}

#[test]
fn where_no_header_can_be_is_told() {
    let cause = Malformed::HeaderTruncated;
    for start in [usize::MAX, usize::MAX - 2] {
        let offset = start;
        let error = WireError { offset, cause };
        assert_eq!(TransmittedVariant::decode(&[], start), Err(error));
        assert_eq!(TransmittedBstr::decode(&[], start, Syntax::Ndr), Err(error));
        let array = TransmittedBstrs::counted(&[], start, Syntax::Ndr);
        assert_eq!(array.expect_err("no array"), error);
    }
}
