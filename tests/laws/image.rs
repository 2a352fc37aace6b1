//! Images of BSTRs, and dumps of memory with BSTRs in them, against a naive reader of both.

use std::num::NonZero;

use olemem::image::{Anatomy, Finding, Flaw, PresentedBstr, Shape, Start, Weight, candidates};
use olemem::layout::{ByteOrder, PointerWidth};
use olemem::{Bstr, ByteLen, UnitLen};

use super::steps::same;

/// How bytes are read, chosen by the lowest bits of a number.
pub(crate) fn reading(choice: u8) -> (Shape, Start) {
    let bit = |bit: u8| choice >> bit & 1 == 1;
    let width = if bit(0) {
        PointerWidth::W64
    } else {
        PointerWidth::W32
    };
    let order = if bit(1) {
        ByteOrder::Big
    } else {
        ByteOrder::Little
    };
    let start = if bit(2) { Start::Prefix } else { Start::Block };
    (Shape { width, order }, start)
}

/// Where blocks may begin, chosen by the higher bits of a number; `None` is where the task allocator puts them.
pub(crate) fn alignment(choice: u8) -> Option<NonZero<usize>> {
    NonZero::new(usize::from(choice >> 3))
}

/// A fuzzer's bytes: how to read, the fewest units of a candidate, and what is read.
pub(crate) fn input(data: &[u8]) -> Result<(), String> {
    let [choice, least, bytes @ ..] = data else {
        return Ok(());
    };
    let (shape, start) = reading(*choice);
    of_bytes(bytes, shape, start)?;
    of_payload(bytes, &[*choice, *least], shape, start)?;
    of_dump(bytes, shape, u32::from(*least % 8), alignment(*choice))
}

fn length(prefix: [u8; 4], order: ByteOrder) -> usize {
    let length = match order {
        ByteOrder::Little => u32::from_le_bytes(prefix),
        ByteOrder::Big => u32::from_be_bytes(prefix),
    };
    length as usize
}

/// The units, by arithmetic.
fn units(payload: &[u8], order: ByteOrder) -> Vec<u16> {
    let pairs = payload.chunks_exact(2);
    let pairs = pairs.map(|pair| [pair[0], pair[1]].map(u16::from));
    pairs
        .map(|[first, second]| match order {
            ByteOrder::Little => second * 256 + first,
            ByteOrder::Big => first * 256 + second,
        })
        .collect()
}

/// Bytes before the payload.
fn header(shape: Shape, start: Start) -> usize {
    match (shape.width, start) {
        (PointerWidth::W64, Start::Block) => 8,
        _ => 4,
    }
}

/// Bytes of the block before the first that is there.
fn missing(shape: Shape, start: Start) -> usize {
    header(shape, Start::Block) - header(shape, start)
}

/// The most bytes of a string: the block, rounded up to 16 bytes, has to be counted by 32 bits.
fn most(shape: Shape) -> usize {
    let overhead = if shape.width == PointerWidth::W64 {
        25
    } else {
        21
    };
    u32::MAX as usize - overhead
}

/// The payload of the BSTR that the bytes are, if they are one.
fn payload(bytes: &[u8], shape: Shape, start: Start) -> Option<&[u8]> {
    let (header, rest) = bytes.split_at_checked(header(shape, start))?;
    let length = length(*header.last_chunk()?, shape.order);
    if length > most(shape) {
        return None;
    }
    let (payload, behind) = rest.split_at_checked(length)?;
    behind
        .get(length % 2..)?
        .starts_with(&[0; 2])
        .then_some(payload)
}

/// The units that are halves of surrogate pairs without the other half.
fn lone_surrogates(units: &[u16]) -> Vec<usize> {
    let mut lone = Vec::new();
    let mut at = 0;
    while let Some(unit) = units.get(at) {
        let is_pair = (0xD800..0xDC00).contains(unit)
            && units.get(at + 1).is_some_and(|low| low >> 10 == 0x37);
        if !is_pair && (0xD800..0xE000).contains(unit) {
            lone.push(at);
        }
        at += if is_pair { 2 } else { 1 };
    }
    lone
}

/// All that there is to say, each with its place in the block; what keeps the bytes from being a BSTR is so marked.
fn told(bytes: &[u8], shape: Shape, start: Start) -> Vec<(usize, Flaw, Weight)> {
    use Weight::{Broken, NotText, Remark};

    let missing = missing(shape, start);
    let (text, end) = (header(shape, Start::Block), missing + bytes.len());
    let Some((header, rest)) = bytes.split_at_checked(header(shape, start)) else {
        let flaw = Flaw::PrefixTruncated { end, needed: text };
        return vec![(end, flaw, Broken)];
    };
    let length = length(*header.last_chunk().expect("a prefix"), shape.order);
    let bytes_of = |length: usize| ByteLen::new(u32::try_from(length).expect("a prefix's"));
    let (len, most) = (bytes_of(length), bytes_of(most(shape)));
    let (payload, behind) = rest.split_at(length.min(rest.len()));

    let mut told = Vec::new();
    if len > most {
        told.push((text - 4, Flaw::TooLong { len, most }, Broken));
    } else if payload.len() < length {
        let there = payload.len();
        told.push((text, Flaw::PayloadTruncated { len, there }, Broken));
    }
    let odd = length % 2;
    if odd == 1 {
        told.push((text - 4, Flaw::OddLength, NotText));
    }
    let units = units(payload, shape.order);
    let nuls: Vec<usize> = (0..units.len()).filter(|at| units[*at] == 0).collect();
    if let [unit, ..] = nuls[..] {
        let count = nuls.len();
        told.push((text + 2 * unit, Flaw::Nuls { count, unit }, NotText));
    }
    let lone = lone_surrogates(&units);
    if let [unit, ..] = lone[..] {
        let count = lone.len();
        told.push((
            text + 2 * unit,
            Flaw::LoneSurrogates { count, unit },
            NotText,
        ));
    }
    if payload.len() == length {
        // Two bytes of zero, the first at an even place.
        let (size, there) = (odd + 2, behind.len().min(odd + 2));
        if there < size {
            told.push((end, Flaw::TerminatorTruncated { there, size }, Broken));
        }
        if behind[..there].iter().skip(odd).any(|byte| *byte != 0) {
            told.push((text + length + odd, Flaw::TerminatorNotZero, Broken));
        }
        if odd == 1 && behind.first().is_some_and(|byte| *byte != 0) {
            told.push((text + length, Flaw::PadNotZero, Remark));
        }
        let block = (text + length + 2).next_multiple_of(16);
        if end > block {
            told.push((block, Flaw::Rest { bytes: end - block }, Remark));
        }
    }
    told.sort_by_key(|(offset, ..)| *offset);
    told
}

/// Any bytes are cut into parts, taken for a BSTR or refused, and judged, as the naive reader does.
pub(crate) fn of_bytes(bytes: &[u8], shape: Shape, start: Start) -> Result<(), String> {
    let it = Anatomy::of(bytes, shape, start);
    let parts = [
        it.padding,
        it.prefix,
        it.payload,
        it.terminator,
        it.slack,
        it.rest,
    ];
    for pair in parts.windows(2) {
        same("where a part begins", &pair[1].offset, &pair[0].end())?;
    }
    same(
        "the parts",
        &&parts.map(|part| part.bytes).concat()[..],
        &bytes,
    )?;
    let missing = missing(shape, start);
    same("the end", &it.end(), &(missing + bytes.len()))?;
    let said = it.length.map_or(0, |length| length.get());
    same("units that are counted", &it.unit_len().get(), &(said / 2))?;

    let parsed = PresentedBstr::parse(bytes, shape, start);
    let found = parsed.as_ref().ok().map(|bstr| bstr.as_bytes());
    same("what is taken out", &found, &payload(bytes, shape, start))?;

    let told = told(bytes, shape, start);
    let said = |finding: Finding| (finding.offset, finding.flaw, finding.weight());
    let found: Vec<_> = it.findings().map(said).collect();
    same("what is said of it", &found, &told)?;
    let reason = told
        .into_iter()
        .find(|(.., weight)| *weight == Weight::Broken);
    same("why it is refused", &parsed.err().map(said), &reason)?;
    for finding in it.findings() {
        same(
            "its place there",
            &(finding.index + missing),
            &finding.offset,
        )?;
        same("a word on it", &finding.to_string().is_empty(), &false)?;
    }
    Ok(())
}

/// A block as it stands in memory, with nothing behind the terminator.
pub(crate) fn block(payload: &[u8], shape: Shape, start: Start) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("short");
    let mut block = vec![0xCC; header(shape, start) - 4];
    block.extend(match shape.order {
        ByteOrder::Little => length.to_le_bytes(),
        ByteOrder::Big => length.to_be_bytes(),
    });
    block.extend(payload);
    block.resize(block.len() + 2 + payload.len() % 2, 0);
    block
}

/// A block that was made of a payload gives it back, whatever is behind it; all less of it is refused. What stands in its
/// terminator's place is judged.
pub(crate) fn of_payload(
    payload: &[u8],
    behind: &[u8],
    shape: Shape,
    start: Start,
) -> Result<(), String> {
    let whole = block(payload, shape, start);
    let longer = [&whole[..], behind].concat();
    let bstr = PresentedBstr::parse(&longer, shape, start).map_err(|error| error.to_string())?;
    same("the payload", &bstr.as_bytes(), &payload)?;
    same("its length", &bstr.byte_len().as_usize(), &payload.len())?;
    same("its order", &bstr.order(), &shape.order)?;
    let units = units(payload, shape.order);
    same("its units", &bstr.units().collect(), &units)?;
    let copy = Bstr::try_from(bstr).map_err(|error| error.to_string())?;
    same("the copy's units", &copy.as_units(), &&units[..])?;
    let odd = payload.as_chunks::<2>().1.first().copied();
    same("the copy's odd byte", &copy.as_bstr().odd_byte(), &odd)?;
    // All of them, but that the time is to be no square.
    for less in (0..whole.len()).rev().take(64) {
        let refused = PresentedBstr::parse(&whole[..less], shape, start).is_err();
        same("that less of it is refused", &refused, &true)?;
    }
    let before = header(shape, start) + payload.len();
    of_bytes(&[&whole[..before], behind].concat(), shape, start)
}

/// A scan finds what looking at each place by itself finds, at places so aligned, or as the task allocator aligns blocks.
pub(crate) fn of_dump(
    dump: &[u8],
    shape: Shape,
    least: u32,
    align: Option<NonZero<usize>>,
) -> Result<(), String> {
    let found = candidates(dump, shape, UnitLen::new(least));
    let found = match align {
        Some(align) => found.aligned_to(align),
        None => found,
    };
    let found: Vec<_> = found
        .map(|candidate| (candidate.offset, candidate.bstr.as_bytes()))
        .collect();
    let header = header(shape, Start::Block);
    let step = align.map_or(2 * header, NonZero::get);
    let mut expected = Vec::new();
    // Blocks begin at multiples, and have their prefix behind padding.
    let is_place = |prefix: &usize| prefix % step == (header - 4) % step;
    let mut end = 0;
    for prefix in (0..dump.len()).filter(is_place) {
        let text = payload(&dump[prefix..], shape, Start::Prefix)
            .filter(|text| prefix >= end && is_text(text, shape, least));
        if let Some(text) = text {
            expected.push((prefix + 4, text));
            end = prefix + 4 + text.len() + 2;
        }
    }
    same("candidates", &found, &expected)
}

fn is_text(payload: &[u8], shape: Shape, least: u32) -> bool {
    let units = units(payload, shape.order);
    let good =
        |c: char| !c.is_control() && !['\u{FFFE}', '\u{FFFF}'].contains(&c) || "\t\n\r".contains(c);
    payload.len().is_multiple_of(2)
        && units.len() >= least.max(1) as usize
        && String::from_utf16(&units).is_ok_and(|text| text.chars().all(good))
}
