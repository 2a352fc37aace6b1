//! BSTRs within other things: arrays, VARIANTs (V201 to V203 as far as they are read).

use olemem::Bstr;
use olemem::wire::{Malformed, Syntax, TransmittedBstr, TransmittedBstrs, TransmittedVariant};

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
        "at byte 4: 4294967295 BSTRs are not in 996 bytes"
    );
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

/// What `VARIANT_UserMarshal` writes.
fn variant(text: &str, is_by_ref: bool) -> Vec<u8> {
    wire_law::variant(Bstr::from(text).transmitted(), is_by_ref)
}

#[test]
fn v201_and_v202_the_string_of_a_variant() {
    for (size, is_by_ref) in [(60, false), (64, true)] {
        let bytes = variant("marshal test", is_by_ref);
        assert_eq!(bytes.len(), size);
        let (variant, end) = TransmittedVariant::decode(&bytes, 0).expect("well-formed");
        assert_eq!((end, variant.is_by_ref), (size, is_by_ref));
        assert_eq!(Bstr::try_from(variant.bstr), Ok(Bstr::from("marshal test")));
        for len in 0..size {
            assert!(TransmittedVariant::decode(&bytes[..len], 0).is_err());
        }
    }
}

#[test]
fn variants_that_hold_no_string_are_refused() {
    let good = variant("text", true);
    let cause = |at: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[at] = byte;
        TransmittedVariant::decode(&bytes, 0)
            .expect_err("malformed")
            .cause
    };
    assert_eq!(cause(8, 3), Malformed::NotABstr { vt: 0x4003 });
    assert_eq!(
        cause(16, 3),
        Malformed::TypeMismatch {
            vt: 0x4008,
            discriminator: 0x4003
        }
    );
    assert_eq!(cause(20, 8), Malformed::PointerSize { said: 8 });
    assert_eq!(
        cause(0, 99),
        Malformed::VariantSize {
            said: 99,
            bytes: 48
        }
    );
    let mut bytes = good.clone();
    bytes[24..28].fill(0);
    let error = TransmittedVariant::decode(&bytes, 0).expect_err("malformed");
    assert_eq!(error.cause, Malformed::NullReferent);
    for (cause, told) in [
        (cause(8, 3), "a VARIANT of type 0x4003 holds no BSTR"),
        (
            cause(16, 3),
            "a VARIANT of type 0x4008 is said to hold one of 0x4003",
        ),
        (cause(20, 8), "a pointer is said to have 8 bytes, not 4"),
        (
            cause(0, 99),
            "a VARIANT of 48 bytes is said to have 99 times 8",
        ),
        (error.cause, "nothing is pointed at"),
    ] {
        assert_eq!(cause.to_string(), told);
    }
}
