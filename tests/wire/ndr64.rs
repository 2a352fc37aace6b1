//! NDR64, by its rules: no bytes of Windows' are known to us.

use olemem::wire::{Malformed, Syntax, TransmittedBstr};
use quickcheck::quickcheck;

#[test]
fn the_count_has_eight_bytes_and_the_block_starts_at_eight() {
    let text = TransmittedBstr::from_bytes(b"o\0k\0").expect("short");
    let mut buffer = [0xEE; 28];
    assert_eq!(text.end(1, Syntax::Ndr64), Some(28));
    assert_eq!(text.encode(&mut buffer, 1, Syntax::Ndr64), Ok(28));
    assert_eq!(
        buffer[8..],
        *b"\x02\0\0\0\0\0\0\0\x04\0\0\0\x02\0\0\0o\0k\0"
    );
    buffer[12] = 1;
    let error = TransmittedBstr::decode(&buffer, 1, Syntax::Ndr64).expect_err("malformed");
    assert_eq!(
        error.cause,
        Malformed::CountMismatch {
            max_count: 0x1_0000_0002,
            units: 2
        }
    );
}

quickcheck! {
    fn whatever_is_written_is_read(payload: Option<Vec<u8>>, start: u8) -> bool {
        let start = usize::from(start);
        let bstr = match &payload {
            None => TransmittedBstr::NULL,
            Some(payload) => TransmittedBstr::from_bytes(payload).expect("short"),
        };
        let end = bstr.end(start, Syntax::Ndr64).expect("short");
        let mut buffer = vec![0; end];
        bstr.encode(&mut buffer, start, Syntax::Ndr64) == Ok(end)
            && TransmittedBstr::decode(&buffer, start, Syntax::Ndr64) == Ok((bstr, end))
    }
}
