//! The transmitted form against a naive reader of it.

use olemem::layout::PointerWidth;
use olemem::wire::{NoRoom, Syntax, TransmittedBstr, TransmittedBstrs, TransmittedVariant};
use olemem::{Bstr, HResult};

use super::steps::same;

/// How bytes are read, chosen by a number: the syntax, and where they begin, sometimes where there can be none.
fn reading(choice: u8) -> (Syntax, usize) {
    let syntax = if choice.is_multiple_of(2) {
        Syntax::Ndr
    } else {
        Syntax::Ndr64
    };
    let start = match usize::from(choice / 2) {
        last @ 120.. => usize::MAX - (127 - last),
        start => start,
    };
    (syntax, start)
}

/// A fuzzer's bytes to be read: how, and what.
pub(crate) fn decode_input(data: &[u8]) -> Result<(), String> {
    let [choice, buffer @ ..] = data else {
        return Ok(());
    };
    let (syntax, start) = reading(*choice);
    of_bytes(buffer, start, syntax)?;
    of_array(buffer, start, syntax)?;
    of_variant(buffer, start)
}

/// More strings take the square of their time, and find nothing new.
const STRINGS: usize = 24;

/// A fuzzer's bytes to be written: how, and strings, each behind a byte that says how long it is, 255 for null.
pub(crate) fn round_trip_input(data: &[u8]) -> Result<(), String> {
    let Some((choice, mut left)) = data.split_first() else {
        return Ok(());
    };
    let mut strings = Vec::new();
    while let [length, rest @ ..] = left
        && strings.len() < STRINGS
    {
        let length = match length {
            255 => None,
            length => Some(usize::from(*length).min(rest.len())),
        };
        let (string, rest) = rest.split_at(length.unwrap_or(0));
        strings.push(length.map(|_| string));
        left = rest;
    }
    let (syntax, start) = reading(choice % 240);
    of_strings(&strings, start, syntax)
}

fn bytes<const SIZE: usize>(buffer: &[u8], at: usize) -> Option<[u8; SIZE]> {
    buffer.get(at..)?.first_chunk().copied()
}

fn number(buffer: &[u8], at: usize) -> Option<u32> {
    bytes(buffer, at).map(u32::from_le_bytes)
}

/// The contents of a BSTR, or null, and where it ends.
type Read<'a> = (Option<&'a [u8]>, usize);

/// The BSTR that stands there, if one does.
fn read(buffer: &[u8], start: usize, syntax: Syntax) -> Option<Read<'_>> {
    let (align, counted) = match syntax {
        Syntax::Ndr => (4, 4),
        Syntax::Ndr64 => (8, 8),
    };
    let at = start.checked_next_multiple_of(align)?;
    let block = buffer.get(at..)?;
    let count = match syntax {
        Syntax::Ndr => number(block, 0)?.into(),
        Syntax::Ndr64 => u64::from_le_bytes(bytes(block, 0)?),
    };
    let (said, units) = (number(block, counted)?, number(block, counted + 4)?);
    let data = block.get(counted + 8..)?;
    if count != u64::from(units) {
        return None;
    }
    if said == u32::MAX {
        return (units == 0).then_some((None, at + counted + 8));
    }
    if u64::from(said) + u64::from(said % 2) != 2 * u64::from(units) {
        return None;
    }
    if said > PointerWidth::NATIVE.max_bytes().get() {
        return None;
    }
    let data = data.get(..said as usize + said as usize % 2)?;
    Some((Some(&data[..said as usize]), at + counted + 8 + data.len()))
}

fn contents(bstr: TransmittedBstr<'_>) -> Option<&[u8]> {
    (!bstr.is_null()).then(|| bstr.as_bytes())
}

/// What is refused has a place, a word, and a code.
fn told(error: olemem::wire::WireError, buffer: &[u8], start: usize) -> Result<(), String> {
    let most = buffer.len().max(start.saturating_add(7));
    same("a place to look at", &(error.offset <= most), &true)?;
    same("a word on it", &error.to_string().is_empty(), &false)?;
    same("a failure", &HResult::from(error).is_failure(), &true)
}

/// Any bytes are read or refused as the naive reader does. What was read is written again as it was.
pub(crate) fn of_bytes(buffer: &[u8], start: usize, syntax: Syntax) -> Result<(), String> {
    let found = TransmittedBstr::decode(buffer, start, syntax);
    let expected = read(buffer, start, syntax);
    let (bstr, end) = match found {
        Ok(read) => read,
        Err(error) => {
            same("what was refused", &expected, &None)?;
            return told(error, buffer, start);
        }
    };
    same("what was read", &Some((contents(bstr), end)), &expected)?;
    let mut again = buffer.to_vec();
    same("the end", &bstr.encode(&mut again, start, syntax), &Ok(end))?;
    same("what was written again", &&again[..], &buffer)?;
    let copy = Bstr::try_from(bstr).map_err(|error| error.to_string())?;
    let shown = match contents(bstr) {
        None => "(null)".to_owned(),
        Some(bytes) => format!("\", {} bytes)", bytes.len()),
    };
    let ends = format!("{bstr:?}").ends_with(&shown);
    same("that its length is shown", &ends, &true)?;
    same("a null copy", &copy.is_null(), &bstr.is_null())?;
    same("the copy's length", &copy.byte_len(), &bstr.byte_len())?;
    same(
        "the copy's units",
        &copy.as_units().to_vec(),
        &bstr.units().collect(),
    )?;
    same("the copy, sent", &copy.transmitted(), &bstr)
}

/// Any bytes are an array, as far as the naive reader reads it one by one, or refused.
pub(crate) fn of_array(buffer: &[u8], start: usize, syntax: Syntax) -> Result<(), String> {
    let begin = start.checked_next_multiple_of(4);
    let begin = begin.and_then(|begin| Some((begin, number(buffer, begin)?)));
    let header = if syntax == Syntax::Ndr { 12 } else { 16 };
    let mut strings = match TransmittedBstrs::counted(buffer, start, syntax) {
        Ok(strings) => strings,
        Err(error) => {
            let fits = begin.is_some_and(|(begin, count)| {
                u64::from(count) * header <= (buffer.len() - begin - 4) as u64
            });
            same("whether there can be so many", &fits, &false)?;
            return told(error, buffer, start);
        }
    };
    let (begin, count) = begin.ok_or("an array without a count")?;
    let mut at = begin + 4;
    for left in (0..count).rev() {
        let found = strings.next().ok_or("too few strings")?;
        let Some((bstr, end)) = read(buffer, at, syntax) else {
            same("that it is refused", &found.is_err(), &true)?;
            break;
        };
        same("a string", &found.ok().map(contents), &Some(bstr))?;
        same("its end", &strings.end(), &end)?;
        same(
            "how many are left",
            &strings.size_hint().1,
            &Some(left as usize),
        )?;
        at = end;
    }
    same("one too many", &strings.next(), &None)
}

/// Any bytes are a VARIANT with a string, as the naive reader reads it, or refused.
pub(crate) fn of_variant(buffer: &[u8], start: usize) -> Result<(), String> {
    let expected = || -> Option<(Read<'_>, bool)> {
        let at = start.checked_next_multiple_of(8)?;
        let [size, _, vt, _, discriminator] =
            [0, 4, 8, 12, 16].map(|part| number(buffer, at.checked_add(part)?));
        let vt = vt? & 0xFFFF;
        let is_by_ref = match vt {
            8 => false,
            0x4008 => true,
            _ => return None,
        };
        if discriminator? != vt || is_by_ref && number(buffer, at + 20)? != 4 {
            return None;
        }
        let referent = at + if is_by_ref { 24 } else { 20 };
        if number(buffer, referent)? == 0 {
            return None;
        }
        let (bstr, end) = read(buffer, referent + 4, Syntax::Ndr)?;
        (size? as usize == (end - at).div_ceil(8)).then_some(((bstr, end), is_by_ref))
    };
    match TransmittedVariant::decode(buffer, start) {
        Ok((variant, end)) => {
            let found = ((contents(variant.bstr), end), variant.is_by_ref);
            same("a VARIANT", &Some(found), &expected())
        }
        Err(error) => {
            same("a VARIANT that was refused", &expected(), &None)?;
            told(error, buffer, start)
        }
    }
}

/// The VARIANT that `VARIANT_UserMarshal` writes of a string.
pub(crate) fn variant(bstr: TransmittedBstr<'_>, is_by_ref: bool) -> Vec<u8> {
    let vt = if is_by_ref { 0x4008_u32 } else { 8 };
    let referent = if is_by_ref { 24 } else { 20 };
    let size = bstr.end(referent + 4, Syntax::Ndr).expect("short");
    let units_of_size = u32::try_from(size.div_ceil(8)).expect("short");
    let mut bytes = vec![0; size];
    let mut put = |at: usize, number: u32| bytes[at..at + 4].copy_from_slice(&number.to_le_bytes());
    put(0, units_of_size);
    put(8, 0xAAAA_0000 | vt);
    put(12, 0xAAAA_AAAA);
    put(16, vt);
    put(20, 4);
    put(referent, 0x1234_5678);
    let end = bstr.encode(&mut bytes, referent + 4, Syntax::Ndr);
    assert_eq!(end, Ok(size));
    bytes
}

/// Strings one behind the other, from an offset on, behind bytes that are left alone.
fn written(
    strings: &[TransmittedBstr<'_>],
    start: usize,
    syntax: Syntax,
) -> Result<Vec<u8>, String> {
    let mut buffer = vec![0xEE; start];
    for bstr in strings {
        let start = buffer.len();
        let end = bstr.end(start, syntax).ok_or("no end")?;
        // Without room nothing is written.
        let mut short = buffer.clone();
        short.resize(end - 1, 0xEE);
        let before = short.clone();
        let refused = bstr.encode(&mut short, start, syntax);
        no_room(
            refused,
            Some(end),
            &format!("the buffer must have {end} bytes"),
        )?;
        same("a buffer that is too short", &short, &before)?;
        buffer.resize(end, 0xEE);
        same(
            "the end",
            &bstr.encode(&mut buffer, start, syntax),
            &Ok(end),
        )?;
        same("what comes before", &&buffer[..start], &&before[..start])?;
    }
    let nowhere = TransmittedBstr::NULL.encode(&mut [], usize::MAX, syntax);
    no_room(nowhere, None, "no buffer is so large")?;
    Ok(buffer)
}

/// That there was no room, and how that is told.
fn no_room(result: Result<usize, NoRoom>, needed: Option<usize>, told: &str) -> Result<(), String> {
    let error = result.err().ok_or("room where there is none")?;
    same("what is needed", &error.needed, &needed)?;
    same("a word on it", &error.to_string().as_str(), &told)?;
    let code = HResult::from(error);
    same("its code", &code, &HResult::E_NOT_SUFFICIENT_BUFFER)
}

/// Strings are read as they were written, by themselves, in arrays and in VARIANTs, and no less of their bytes is.
pub(crate) fn of_strings(
    strings: &[Option<&[u8]>],
    start: usize,
    syntax: Syntax,
) -> Result<(), String> {
    let sent = strings.iter().map(|string| match string {
        None => Ok(TransmittedBstr::NULL),
        Some(bytes) => TransmittedBstr::from_bytes(bytes),
    });
    let sent: Vec<_> = sent
        .collect::<Result<_, _>>()
        .map_err(|error| error.to_string())?;
    let buffer = written(&sent, start, syntax)?;
    let mut at = start;
    for bstr in &sent {
        let read = TransmittedBstr::decode(&buffer, at, syntax);
        let end = bstr.end(at, syntax).ok_or("no end")?;
        same("a string", &read, &Ok((*bstr, end)))?;
        let less = TransmittedBstr::decode(&buffer[..end - 1], at, syntax);
        same("that less of it is refused", &less.is_err(), &true)?;
        of_bytes(&buffer, at, syntax)?;
        at = end;

        // And by way of memory, in the order of this machine.
        let copy = Bstr::try_from(*bstr).map_err(|error| error.to_string())?;
        same("a copy", &copy.transmitted(), bstr)?;

        for is_by_ref in [false, true] {
            let bytes = variant(*bstr, is_by_ref);
            let read = TransmittedVariant::decode(&bytes, 0);
            let expected = TransmittedVariant {
                bstr: *bstr,
                is_by_ref,
            };
            same("a VARIANT", &read, &Ok((expected, bytes.len())))?;
            let less = TransmittedVariant::decode(&bytes[..bytes.len() - 1], 0);
            same("that less of it is refused", &less.is_err(), &true)?;
        }
    }
    let count = u32::try_from(sent.len()).map_err(|error| error.to_string())?;
    let array = TransmittedBstrs::new(&buffer, start, count, syntax);
    let read: Result<Vec<_>, _> = array.and_then(Iterator::collect);
    same("an array", &read, &Ok(sent.clone()))?;
    let mut counted = count.to_le_bytes().to_vec();
    counted.extend(&written(&sent, 4, syntax)?[4..]);
    let array = TransmittedBstrs::counted(&counted, 0, syntax);
    let read: Result<Vec<_>, _> = array.and_then(Iterator::collect);
    same("a counted array", &read, &Ok(sent))
}
