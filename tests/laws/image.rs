//! Images of BSTRs, and dumps of memory with BSTRs in them, against a naive reader of both.

use olemem::image::{Anatomy, Flaw, PresentedBstr, Shape, Start, Weight, candidates};
use olemem::layout::{ByteOrder, PointerWidth};
use olemem::{Bstr, UnitLen};

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

/// A fuzzer's bytes: how to read, the fewest units of a candidate, and what is read.
pub(crate) fn input(data: &[u8]) -> Result<(), String> {
    let [choice, least, bytes @ ..] = data else {
        return Ok(());
    };
    let (shape, start) = reading(*choice);
    of_bytes(bytes, shape, start)?;
    of_payload(bytes, &[*choice, *least], shape, start)?;
    of_dump(bytes, shape, u32::from(*least % 8))
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

/// The payload of the BSTR that the bytes are, if they are one.
fn payload(bytes: &[u8], shape: Shape, start: Start) -> Option<&[u8]> {
    let (header, rest) = bytes.split_at_checked(header(shape, start))?;
    let length = length(*header.last_chunk()?, shape.order);
    // The block, rounded up to 16 bytes, has to be counted by 32 bits.
    let overhead = if shape.width == PointerWidth::W64 {
        25
    } else {
        21
    };
    if length > u32::MAX as usize - overhead {
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
    same("the end", &it.end(), &it.rest.end())?;
    let said = it.length.map_or(0, |length| length.get());
    same("units that are counted", &it.unit_len().get(), &(said / 2))?;

    let parsed = PresentedBstr::parse(bytes, shape, start);
    let found = parsed.as_ref().ok().map(|bstr| bstr.as_bytes());
    same("what is taken out", &found, &payload(bytes, shape, start))?;

    let findings: Vec<_> = it.findings().collect();
    let ordered = findings.is_sorted_by_key(|finding| finding.offset);
    same("findings in the order of the bytes", &ordered, &true)?;
    for finding in &findings {
        same("a place within", &(finding.offset <= it.end()), &true)?;
        same("a word on it", &finding.to_string().is_empty(), &false)?;
    }
    let broken = findings.iter().find(|it| it.weight() == Weight::Broken);
    same("why it is refused", &parsed.err().as_ref(), &broken)?;

    // What is said of the text is said of what there is of it.
    let units = units(it.payload.bytes, shape.order);
    let flaw = |is: fn(&Flaw) -> bool| findings.iter().map(|it| it.flaw).find(is);
    let told = |places: &[usize], flaw: fn(usize, usize) -> Flaw| {
        places.first().map(|first| flaw(places.len(), *first))
    };
    let nuls: Vec<usize> = (0..units.len()).filter(|at| units[*at] == 0).collect();
    same(
        "nuls",
        &flaw(|flaw| matches!(flaw, Flaw::Nuls { .. })),
        &told(&nuls, |count, unit| Flaw::Nuls { count, unit }),
    )?;
    same(
        "lone surrogates",
        &flaw(|flaw| matches!(flaw, Flaw::LoneSurrogates { .. })),
        &told(&lone_surrogates(&units), |count, unit| {
            Flaw::LoneSurrogates { count, unit }
        }),
    )?;
    let is_odd = it.length.is_some_and(|length| length.get() % 2 == 1);
    same(
        "an odd length",
        &flaw(|flaw| matches!(flaw, Flaw::OddLength)).is_some(),
        &is_odd,
    )
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

/// A block that was made of a payload gives it back, whatever is behind it; all less of it is refused.
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
    Ok(())
}

/// A scan finds what looking at each place by itself finds.
pub(crate) fn of_dump(dump: &[u8], shape: Shape, least: u32) -> Result<(), String> {
    let found: Vec<_> = candidates(dump, shape, UnitLen::new(least))
        .map(|candidate| (candidate.offset, candidate.bstr.as_bytes()))
        .collect();
    let step = 2 * shape.width.header();
    let mut expected = Vec::new();
    let mut at = 0;
    while at < dump.len() {
        let text =
            payload(&dump[at..], shape, Start::Block).filter(|text| is_text(text, shape, least));
        at += match text {
            Some(text) => {
                expected.push((at + step / 2, text));
                (step / 2 + text.len()).next_multiple_of(step)
            }
            None => step,
        };
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
