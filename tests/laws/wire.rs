//! The transmitted form against a naive reader of it.

use olemem::layout::PointerWidth;
use olemem::wire::{
    NoRoom, Syntax, TransmittedBstr, TransmittedBstrs, TransmittedVariant, WireError,
};
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

/// So many things, in words.
fn several(count: impl Into<u64>, thing: &str) -> String {
    match count.into() {
        1 => format!("1 {thing}"),
        count => format!("{count} {thing}s"),
    }
}

/// Why nothing is read: where, in which words, and by which code.
type Refused = (usize, String, HResult);

fn bad(at: usize, told: impl Into<String>) -> Refused {
    (at, told.into(), HResult::RPC_X_BAD_STUB_DATA)
}

/// The numbers do not begin here, or end too early.
fn no_header(at: usize) -> Refused {
    bad(at, "the bytes end within the header")
}

/// The data of a string of that length is not all there.
fn no_data(buffer: &[u8], at: usize, said: u32) -> Refused {
    let there = match buffer.len() - at {
        1 => "1 is there".to_owned(),
        left => format!("{left} are there"),
    };
    let told = match said % 2 {
        0 => format!("the BSTR has {said} bytes, of which {there}"),
        _ => format!(
            "the BSTR takes {} bytes with its padding, of which {there}",
            u64::from(said) + 1
        ),
    };
    bad(at, told)
}

/// Where the data begins of the BSTR that stands there, and how long it is, or null.
fn header(buffer: &[u8], start: usize, syntax: Syntax) -> Result<(usize, Option<u32>), Refused> {
    let (align, counted) = match syntax {
        Syntax::Ndr => (4, 4),
        Syntax::Ndr64 => (8, 8),
    };
    let at = start.checked_next_multiple_of(align);
    let at = at.ok_or_else(|| no_header(start))?;
    let header = buffer.get(at..).and_then(|rest| rest.get(..counted + 8));
    let header = header.ok_or_else(|| no_header(at))?;
    let count = match bytes(header, 0) {
        Some(count) if syntax == Syntax::Ndr64 => u64::from_le_bytes(count),
        _ => number(header, 0).map_or(0, u64::from),
    };
    let [said, units] = [counted, counted + 4].map(|at| number(header, at).unwrap_or(0));
    if count != u64::from(units) {
        let told = format!(
            "the array counts {}, the BSTR {units}",
            several(count, "unit")
        );
        return Err(bad(at, told));
    }
    let data = at + counted + 8;
    if said == u32::MAX {
        return match units {
            0 => Ok((data, None)),
            _ => Err(bad(
                at,
                format!("the null BSTR is said to have {}", several(units, "unit")),
            )),
        };
    }
    if u64::from(said) + u64::from(said % 2) != 2 * u64::from(units) {
        let (said, units) = (several(said, "byte"), several(units, "unit"));
        return Err(bad(at, format!("a BSTR of {said} does not take {units}")));
    }
    if said > PointerWidth::NATIVE.max_bytes().get() {
        let told = format!("{said} bytes are more than a BSTR holds");
        return Err((at, told, HResult::E_OUTOFMEMORY));
    }
    Ok((data, Some(said)))
}

/// The BSTR that stands there, if one does.
fn read(buffer: &[u8], start: usize, syntax: Syntax) -> Result<Read<'_>, Refused> {
    let (at, said) = header(buffer, start, syntax)?;
    let Some(said) = said else {
        return Ok((None, at));
    };
    let len = said as usize;
    match buffer[at..].get(..len + len % 2) {
        Some(data) => Ok((Some(&data[..len]), at + data.len())),
        None => Err(no_data(buffer, at, said)),
    }
}

fn contents(bstr: TransmittedBstr<'_>) -> Option<&[u8]> {
    (!bstr.is_null()).then(|| bstr.as_bytes())
}

/// What is refused is refused as it should be, and told so.
fn refused<T>(error: WireError, expected: Result<T, Refused>) -> Result<(), String> {
    let expected = expected.err().ok_or_else(|| format!("refused: {error}"))?;
    let cause = error.cause.to_string();
    let whole = format!("at byte {}: {cause}", error.offset);
    same("the words of it", &error.to_string(), &whole)?;
    let found = (error.offset, cause, HResult::from(error));
    same("why it is refused", &found, &expected)
}

/// Any bytes are read or refused as the naive reader does. What was read is written again as it was.
pub(crate) fn of_bytes(buffer: &[u8], start: usize, syntax: Syntax) -> Result<(), String> {
    let announced = header(buffer, start, syntax).map(|(at, said)| {
        let said = said.map_or(0, u64::from);
        at as u64 + said + said % 2
    });
    match TransmittedBstr::announced_end(buffer, start, syntax) {
        Ok(end) => same("the end to come", &Ok(end as u64), &announced)?,
        // Here there are more bytes than addresses.
        Err(error)
            if announced
                .as_ref()
                .is_ok_and(|end| usize::try_from(*end).is_err()) =>
        {
            refused(error, read(buffer, start, syntax))?;
        }
        Err(error) => refused(error, announced)?,
    }

    let expected = read(buffer, start, syntax);
    let (bstr, end) = match TransmittedBstr::decode(buffer, start, syntax) {
        Ok(read) => read,
        Err(error) => return refused(error, expected),
    };
    same("what was read", &Ok((contents(bstr), end)), &expected)?;
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
    same("the copy, sent", &copy.transmitted(), &Ok(bstr))
}

/// Where the first string may begin of an array, and how many there are, if there can be so many.
fn array_header(buffer: &[u8], start: usize, syntax: Syntax) -> Result<(usize, usize), Refused> {
    let (align, least) = match syntax {
        Syntax::Ndr => (4, 12),
        Syntax::Ndr64 => (8, 16),
    };
    let at = start.checked_next_multiple_of(align);
    let at = at.ok_or_else(|| no_header(start))?;
    let count = match syntax {
        Syntax::Ndr => number(buffer, at).map(u64::from),
        Syntax::Ndr64 => bytes(buffer, at).map(u64::from_le_bytes),
    };
    let count = count.ok_or_else(|| no_header(at))?;
    let first = at + align;
    let left = buffer.len() - first;
    if u128::from(count) * least > left as u128 {
        let told = format!(
            "{} cannot be in {}",
            several(count, "BSTR"),
            several(left as u64, "byte")
        );
        return Err(bad(first, told));
    }
    Ok((first, usize::try_from(count).expect("no more than bytes")))
}

/// Any bytes are an array, as far as the naive reader reads it one by one, or refused.
pub(crate) fn of_array(buffer: &[u8], start: usize, syntax: Syntax) -> Result<(), String> {
    let expected = array_header(buffer, start, syntax);
    let mut strings = match TransmittedBstrs::counted(buffer, start, syntax) {
        Ok(strings) => strings,
        Err(error) => return refused(error, expected),
    };
    let (mut at, count) = expected.map_err(|error| format!("not refused: {error:?}"))?;
    same("where they begin", &strings.end(), &at)?;
    for left in (0..count).rev() {
        let expected = read(buffer, at, syntax);
        let bstr = match strings.next().ok_or("too few strings")? {
            Ok(bstr) => bstr,
            Err(error) => {
                refused(error, expected)?;
                break;
            }
        };
        at = strings.end();
        same("a string", &Ok((contents(bstr), at)), &expected)?;
        let hint = (usize::from(left > 0), Some(left));
        same("how many are left", &strings.size_hint(), &hint)?;
    }
    same("one too many", &strings.next(), &None)
}

/// The VARIANT with a string that stands there, if one does, and whether it is by reference.
fn read_variant(buffer: &[u8], start: usize) -> Result<(Read<'_>, bool), Refused> {
    let at = start.checked_next_multiple_of(8);
    let at = at.ok_or_else(|| no_header(start))?;
    let rest = buffer.get(at..).unwrap_or_default();
    let there = |part: usize, size: usize| match rest.get(part..part + size) {
        Some(_) => Ok(()),
        None => Err(no_header(at + part)),
    };
    // The size, a reserved number, the type, three reserved ones, the type once more.
    for (part, size) in [(0, 4), (4, 4), (8, 2), (10, 2), (12, 2), (14, 2), (16, 4)] {
        there(part, size)?;
    }
    let [size, vt, discriminator] = [0, 8, 16].map(|part| number(rest, part).unwrap_or(0));
    let vt = vt & 0xFFFF;
    let is_by_ref = vt == 0x4008;
    if vt != 8 && !is_by_ref {
        let told = format!("a VARIANT of type {vt:#06x} holds no BSTR");
        return Err((at, told, HResult::DISP_E_TYPEMISMATCH));
    }
    if discriminator != vt {
        let told =
            format!("a VARIANT of type {vt:#06x} is said to hold one of {discriminator:#06x}");
        return Err(bad(at, told));
    }
    if is_by_ref {
        there(20, 4)?;
        let said = number(rest, 20).unwrap_or(0);
        if said != 4 {
            let told = format!("a pointer is said to have {}, not 4", several(said, "byte"));
            return Err(bad(at, told));
        }
    }
    let referent = if is_by_ref { 24 } else { 20 };
    there(referent, 4)?;
    if number(rest, referent) == Some(0) {
        return Err(bad(at, "nothing is pointed at"));
    }
    let (bstr, end) = read(buffer, at + referent + 4, Syntax::Ndr)?;
    if size as usize != (end - at).div_ceil(8) {
        let bytes = end - at;
        let told = format!("a VARIANT of {bytes} bytes is said to have {size} times 8");
        return Err(bad(at, told));
    }
    Ok(((bstr, end), is_by_ref))
}

/// Any bytes are a VARIANT with a string, as the naive reader reads it, or refused.
pub(crate) fn of_variant(buffer: &[u8], start: usize) -> Result<(), String> {
    let expected = read_variant(buffer, start);
    match TransmittedVariant::decode(buffer, start) {
        Ok((variant, end)) => {
            let found = ((contents(variant.bstr), end), variant.is_by_ref);
            same("a VARIANT", &Ok(found), &expected)
        }
        Err(error) => refused(error, expected),
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
        of_bytes(&buffer[..end - 1], at, syntax)?;
        of_bytes(&buffer, at, syntax)?;
        at = end;

        // And by way of memory, in the order of this machine.
        let copy = Bstr::try_from(*bstr).map_err(|error| error.to_string())?;
        same("a copy", &copy.transmitted(), &Ok(*bstr))?;

        for is_by_ref in [false, true] {
            let bytes = variant(*bstr, is_by_ref);
            let read = TransmittedVariant::decode(&bytes, 0);
            let expected = TransmittedVariant {
                bstr: *bstr,
                is_by_ref,
            };
            same("a VARIANT", &read, &Ok((expected, bytes.len())))?;
            let less = &bytes[..bytes.len() - 1];
            let read = TransmittedVariant::decode(less, 0);
            same("that less of it is refused", &read.is_err(), &true)?;
            of_variant(less, 0)?;
        }
    }
    let count = u32::try_from(sent.len()).map_err(|error| error.to_string())?;
    let array = TransmittedBstrs::new(&buffer, start, count, syntax);
    let read: Result<Vec<_>, _> = array.and_then(Iterator::collect);
    same("an array", &read, &Ok(sent.clone()))?;
    let count = match syntax {
        Syntax::Ndr => count.to_le_bytes().to_vec(),
        Syntax::Ndr64 => u64::from(count).to_le_bytes().to_vec(),
    };
    // Where it begins, NDR64 goes on to a multiple of 8.
    let mut counted = vec![0xEE; syntax.align()];
    counted.extend(count);
    let first = counted.len();
    counted.extend(&written(&sent, first, syntax)?[first..]);
    let array = TransmittedBstrs::counted(&counted, 4, syntax);
    let read: Result<Vec<_>, _> = array.and_then(Iterator::collect);
    same("a counted array", &read, &Ok(sent))
}
