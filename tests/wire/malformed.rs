//! What no BSTR was marshalled as: one error a cause (`semantics.md` 5.8, V205 to V209).

use olemem::layout::PointerWidth;
use olemem::wire::{Malformed, Syntax, TransmittedBstr, WireError};
use olemem::{ByteLen, HResult};

fn block(max_count: u32, bytes: u32, units: u32, data: &[u8]) -> Vec<u8> {
    let mut block: Vec<u8> = [max_count, bytes, units]
        .into_iter()
        .flat_map(u32::to_le_bytes)
        .collect();
    block.extend(data);
    block
}

#[track_caller]
fn refused(bytes: &[u8], offset: usize, told: &str) -> Malformed {
    let error = TransmittedBstr::decode(bytes, 0, Syntax::Ndr).expect_err("malformed");
    assert_eq!(error.to_string(), format!("at byte {offset}: {told}"));
    // A header that is wrong announces nothing; of data that is not there yet it says the end.
    let announced = TransmittedBstr::announced_end(bytes, 0, Syntax::Ndr);
    match error.cause {
        Malformed::DataTruncated { len, .. } => {
            let end = 12 + len.as_usize().next_multiple_of(2);
            assert_eq!(announced, Ok(end));
        }
        _ => assert_eq!(announced, Err(error)),
    }
    error.cause
}

#[test]
fn fewer_bytes_than_a_header() {
    let whole = block(0, 0, 0, &[]);
    for len in 0..12 {
        let cause = refused(&whole[..len], 0, "the bytes end within the header");
        assert_eq!(cause, Malformed::HeaderTruncated);
        // The same bytes where they do not begin at an aligned place, and beyond the end.
        let mut moved = vec![0; 4];
        moved.extend(&whole[..len]);
        for start in [1, 4, 100] {
            let error = TransmittedBstr::decode(&moved, start, Syntax::Ndr);
            let offset = start.next_multiple_of(4);
            let cause = Malformed::HeaderTruncated;
            assert_eq!(error, Err(WireError { offset, cause }));
        }
    }
}

#[test]
fn v205_two_counts() {
    refused(
        &block(3, 4, 2, b"abcd"),
        0,
        "the array counts 3 units, the BSTR 2",
    );
}

#[test]
fn v206_and_data_that_ends_early() {
    for (len, left, told) in [
        (4, 3, "has 4 bytes"),
        (4, 1, "has 4 bytes"),
        (4, 0, "has 4 bytes"),
        (5, 4, "takes 6 bytes with its padding"),
        // The byte that pads it is part of the block.
        (5, 5, "takes 6 bytes with its padding"),
        (3, 3, "takes 4 bytes with its padding"),
    ] {
        let data = &b"abcdef"[..left];
        let units = u32::div_ceil(len, 2);
        let are = if left == 1 { "is" } else { "are" };
        let cause = refused(
            &block(units, len, units, data),
            12,
            &format!("the BSTR {told}, of which {left} {are} there"),
        );
        let len = ByteLen::new(len);
        assert_eq!(cause, Malformed::DataTruncated { len, left });
    }
}

#[test]
fn v207_an_odd_length_is_none() {
    let bytes = block(3, 5, 3, b"abcdef");
    let (bstr, end) = TransmittedBstr::decode(&bytes, 0, Syntax::Ndr).expect("well-formed");
    assert_eq!((bstr.as_bytes(), end), (&b"abcde"[..], 18));
}

#[test]
fn v208_bytes_that_are_other_units() {
    for (bytes, units, told) in [
        (5, 2, "5 bytes does not take 2 units"),
        (4, 3, "4 bytes does not take 3 units"),
        (0, 1, "0 bytes does not take 1 unit"),
        (1, 0, "1 byte does not take 0 units"),
        (u32::MAX - 1, 0, "4294967294 bytes does not take 0 units"),
    ] {
        refused(
            &block(units, bytes, units, &[0; 8]),
            0,
            &format!("a BSTR of {told}"),
        );
    }
}

#[test]
fn v209_null_with_data() {
    refused(
        &block(1, u32::MAX, 1, b"ab"),
        0,
        "the null BSTR is said to have 1 unit",
    );
}

#[test]
fn a_length_that_no_bstr_has() {
    let len = PointerWidth::NATIVE.max_bytes().get() + 1;
    let units = len.div_ceil(2);
    let cause = refused(
        &block(units, len, units, &[]),
        0,
        &format!("{len} bytes are more than a BSTR holds"),
    );
    assert!(matches!(cause, Malformed::TooLong(error) if error.requested() == len as usize));
    let error = WireError { offset: 0, cause };
    assert_eq!(HResult::from(error), HResult::E_OUTOFMEMORY);
    // The longest that there can be is only not there.
    let len = len - 1;
    let units = len.div_ceil(2);
    refused(
        &block(units, len, units, &[]),
        12,
        &format!("the BSTR has {len} bytes, of which 0 are there"),
    );
}

#[test]
fn the_code_is_that_of_bad_stub_data() {
    let error = TransmittedBstr::decode(&[], 0, Syntax::Ndr).expect_err("malformed");
    assert_eq!(HResult::from(error).to_bits(), 0x8007_06F7);
    assert_eq!(
        HResult::from(error).name(),
        Some("HRESULT_FROM_WIN32(RPC_X_BAD_STUB_DATA)")
    );
}
