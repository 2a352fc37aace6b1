//! NDR64, by its rules: no bytes of Windows' are known to us.

use olemem::wire::{Malformed, Syntax, TransmittedBstr, WireError};

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
    assert_eq!(
        TransmittedBstr::announced_end(&buffer[..24], 1, Syntax::Ndr64),
        Ok(28)
    );
    buffer[12] = 1;
    let cause = Malformed::CountMismatch {
        max_count: 0x1_0000_0002,
        units: 2,
    };
    assert_eq!(
        TransmittedBstr::decode(&buffer, 1, Syntax::Ndr64),
        Err(WireError { offset: 8, cause })
    );
}
