//! Input by whoever means harm: bytes for the decoders, as many as are wanted.

/// What makes bytes hostile, and the bytes: `len` of them.
type Make = fn(len: usize) -> Vec<u8>;

/// By name.
pub(crate) const KINDS: [(&str, Make); 11] = [
    ("zeros", |len| vec![0; len]),
    ("ones", |len| vec![0xFF; len]),
    ("4 GiB everywhere", |len| {
        repeated(&0xFFFF_FFFE_u32.to_le_bytes(), len)
    }),
    ("4 GiB in each header", |len| {
        repeated(&header(0xFFFF_FFFE), len)
    }),
    ("lengths to the end", lengths_to_the_end),
    ("overlapping text", overlapping_text),
    ("half pairs", |len| repeated(&0xD800_u16.to_le_bytes(), len)),
    ("tiny on the wire", |len| {
        repeated(&[&header(2)[..], b"a\0\0\0"].concat(), len)
    }),
    ("tiny in memory", |len| {
        repeated(b"\0\0\0\0\x02\0\0\0a\0\0\0\0\0\0\0", len)
    }),
    ("one giant", giant),
    ("lengths that are text", |len| {
        repeated(&0x0102_0202_u32.to_le_bytes(), len)
    }),
];

/// A pattern, over and over.
fn repeated(pattern: &[u8], len: usize) -> Vec<u8> {
    pattern.iter().copied().cycle().take(len).collect()
}

/// What stands before so many bytes on the wire.
fn header(bytes: u32) -> [u8; 12] {
    let units = bytes.div_ceil(2).to_le_bytes();
    let mut header = [0; 12];
    header[..4].copy_from_slice(&units);
    header[4..8].copy_from_slice(&bytes.to_le_bytes());
    header[8..].copy_from_slice(&units);
    header
}

fn number(number: usize) -> u32 {
    u32::try_from(number).expect("less than 4 GiB")
}

/// Wherever a header may be, one that takes all that is left: a string in each string.
fn lengths_to_the_end(len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    for at in (0..len.saturating_sub(16)).step_by(12) {
        let header = header(number(len - at - 12));
        bytes[at..at + 12].copy_from_slice(&header);
    }
    bytes
}

/// Wherever a prefix may be in memory, one that is text and reaches over text, and behind all of it what no text has. Looked at one by
/// one that takes hours, if there is as much as the prefixes say.
fn overlapping_text(len: usize) -> Vec<u8> {
    const SAID: u32 = 0x0060_0062;
    let text = (SAID as usize).min(len.saturating_sub(2) & !1);
    let mut bytes = vec![b'a'; text];
    for block in (0..text.saturating_sub(16)).step_by(16) {
        bytes[block + 4..block + 8].copy_from_slice(&SAID.to_le_bytes());
    }
    bytes.extend([0x1B, 0]);
    bytes.resize(len, 0);
    bytes
}

/// All of it one string: on the wire it begins at once, in memory eight bytes on, and is as much shorter.
fn giant(len: usize) -> Vec<u8> {
    let mut bytes = vec![b'a'; len];
    let header = header(number(len - 12) & !1);
    bytes[..12].copy_from_slice(&header);
    bytes[len - 4..].fill(0);
    bytes
}

/// The same as what a VARIANT holds that is a BSTR: the bytes that a marshalled one begins with come first.
pub(crate) fn in_variant(bytes: &[u8]) -> Vec<u8> {
    let size = number((24 + bytes.len()).div_ceil(8));
    let mut variant = Vec::with_capacity(24 + bytes.len());
    variant.extend(size.to_le_bytes());
    variant.extend([0; 4]);
    variant.extend([8, 0, 0, 0, 0, 0, 0, 0]);
    variant.extend(8_u32.to_le_bytes());
    variant.extend(1_u32.to_le_bytes());
    variant.extend(bytes);
    variant
}
