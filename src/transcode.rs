//! Text between UTF-8 and code units: pure functions of what they are given. ASCII goes by blocks.
#![forbid(unsafe_code)]

use std::mem::MaybeUninit;

/// A code unit that is yet to be written, in host order. As bytes, for a payload may start at an odd address.
pub(crate) type Place = MaybeUninit<[u8; 2]>;

/// Bytes that are looked at and widened at once, and units that are narrowed.
const BLOCK: usize = 16;

/// Units that the text takes.
#[inline]
pub(crate) fn unit_len(text: &str) -> usize {
    let bytes = text.as_bytes();
    if is_ascii(bytes) {
        bytes.len()
    } else {
        unit_len_of_any(bytes)
    }
}

/// As [`unit_len`]: a unit for each byte that begins a character, and another where it begins one of four bytes.
#[inline(never)]
fn unit_len_of_any(bytes: &[u8]) -> usize {
    /// So many that their sum fits a byte: then they are counted side by side.
    const SUMMANDS: usize = 127;
    let count = |some: &[u8]| {
        some.iter().fold(0_u8, |sum, byte| {
            sum + u8::from(byte & 0xC0 != 0x80) + u8::from(*byte >= 0xF0)
        })
    };
    let sums = bytes.chunks(SUMMANDS).map(|some| usize::from(count(some)));
    sums.sum()
}

/// Writes the units of the text, of which there are as many as places: all of the places are written.
#[inline]
pub(crate) fn encode(text: &str, places: &mut [Place]) {
    // As many units as bytes: each byte is one, for a character of several bytes takes fewer units.
    if text.len() == places.len() {
        widen(text.as_bytes(), places);
    } else {
        encode_any(text, places);
    }
}

/// As [`encode`], of text that is not all ASCII.
#[inline(never)]
fn encode_any(mut text: &str, mut places: &mut [Place]) {
    while !text.is_empty() {
        if let Some(ascii) = text.as_bytes().first_chunk::<BLOCK>()
            && is_ascii(ascii)
        {
            let (some, others) = places.split_at_mut(BLOCK);
            widen(ascii, some);
            (text, places) = (&text[BLOCK..], others);
            continue;
        }
        // The block has a character of several bytes somewhere.
        let end = text.len().saturating_sub(BLOCK);
        let mut characters = text.chars();
        while characters.as_str().len() > end
            && let Some(character) = characters.next()
        {
            let mut units = [0; 2];
            let units = character.encode_utf16(&mut units);
            let (some, others) = places.split_at_mut(units.len());
            for (place, unit) in some.iter_mut().zip(units) {
                place.write(unit.to_ne_bytes());
            }
            places = others;
        }
        text = characters.as_str();
    }
    assert!(places.is_empty(), "as many units as places");
}

/// Writes a unit for each byte, of which there are as many as places. A short text by the first bytes and the
/// last, which may be the same in part.
#[inline]
fn widen(bytes: &[u8], places: &mut [Place]) {
    assert!(bytes.len() == places.len(), "as many bytes as places");
    if bytes.len() >= BLOCK {
        for (block, places) in bytes
            .chunks_exact(BLOCK)
            .zip(places.chunks_exact_mut(BLOCK))
        {
            widen_one_by_one(block, places);
        }
        widen_last::<BLOCK>(bytes, places);
    } else if bytes.len() >= 8 {
        widen_first::<8>(bytes, places);
        widen_last::<8>(bytes, places);
    } else if bytes.len() >= 4 {
        widen_first::<4>(bytes, places);
        widen_last::<4>(bytes, places);
    } else {
        widen_one_by_one(bytes, places);
    }
}

#[inline]
fn widen_first<const N: usize>(bytes: &[u8], places: &mut [Place]) {
    if let (Some(bytes), Some(places)) = (bytes.first_chunk::<N>(), places.first_chunk_mut::<N>()) {
        widen_one_by_one(bytes, places);
    }
}

#[inline]
fn widen_last<const N: usize>(bytes: &[u8], places: &mut [Place]) {
    if let (Some(bytes), Some(places)) = (bytes.last_chunk::<N>(), places.last_chunk_mut::<N>()) {
        widen_one_by_one(bytes, places);
    }
}

#[inline]
fn widen_one_by_one(bytes: &[u8], places: &mut [Place]) {
    for (byte, place) in bytes.iter().zip(places) {
        place.write(u16::from(*byte).to_ne_bytes());
    }
}

/// Whether all bytes are ASCII. The standard library asks a short text byte by byte.
#[inline]
fn is_ascii(bytes: &[u8]) -> bool {
    if bytes.len() > 2 * BLOCK {
        return bytes.is_ascii();
    }
    if let (Some(first), Some(last)) = (bytes.first_chunk::<16>(), bytes.last_chunk::<16>()) {
        let both = u128::from_ne_bytes(*first) | u128::from_ne_bytes(*last);
        both & u128::from_ne_bytes([0x80; 16]) == 0
    } else if let (Some(first), Some(last)) = (bytes.first_chunk::<8>(), bytes.last_chunk::<8>()) {
        let both = u64::from_ne_bytes(*first) | u64::from_ne_bytes(*last);
        both & u64::from_ne_bytes([0x80; 8]) == 0
    } else if let (Some(first), Some(last)) = (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        let both = u32::from_ne_bytes(*first) | u32::from_ne_bytes(*last);
        both & u32::from_ne_bytes([0x80; 4]) == 0
    } else {
        bytes.iter().all(u8::is_ascii)
    }
}

/// The text of the ASCII units that come first, with room for as many bytes as there are units.
pub(crate) fn decode_ascii_start(units: &[u16]) -> String {
    let mut bytes = Vec::with_capacity(units.len());
    for block in units.chunks_exact(BLOCK) {
        if block.iter().fold(0, |all, unit| all | unit) >= 0x80 {
            break;
        }
        let mut narrow = [0; BLOCK];
        for (byte, unit) in narrow.iter_mut().zip(block) {
            *byte = unit.to_le_bytes()[0];
        }
        bytes.extend_from_slice(&narrow);
    }
    let rest = units[bytes.len()..].iter();
    bytes.extend(
        rest.take_while(|unit| **unit < 0x80)
            .map(|unit| unit.to_le_bytes()[0]),
    );
    String::from_utf8(bytes).expect("ASCII is text")
}
