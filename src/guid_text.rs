//! The text form of an identifier: `{00000000-0000-0000-C000-000000000046}`.
#![forbid(unsafe_code)]

use core::fmt;

use crate::com::Guid;

/// Characters of the text form, braces included, terminator not.
pub const LEN: usize = 38;

/// The text form in ASCII: upper-case hexadecimal digits in braces (`semantics.md` 7).
#[must_use]
pub fn encode(guid: &Guid) -> [u8; LEN] {
    const GROUPS: [usize; 4] = [8, 12, 16, 20];
    let value = guid.to_u128();
    let mut text = [b'{'; LEN];
    let mut at = 1;
    for digit in 0..32 {
        if GROUPS.contains(&digit) {
            text[at] = b'-';
            at += 1;
        }
        let nibble = (value >> (124 - 4 * digit)) & 0xF;
        text[at] = b"0123456789ABCDEF"[nibble as usize];
        at += 1;
    }
    text[at] = b'}';
    text
}

impl fmt::Display for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = encode(self);
        f.pad(core::str::from_utf8(&text).unwrap_or_default())
    }
}
