//! What is wrong with a BSTR, and what is only worth a word.

use crate::anatomy::Anatomy;
use crate::draw::counted;

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Weight {
    /// No BSTR looks like this.
    Broken,
    /// Legal in a BSTR, and yet no text.
    NoText,
    /// Neither here nor there.
    Remark,
}

/// Something that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) weight: Weight,
    pub(super) text: String,
}

/// All that can be said, in the order of the bytes.
pub(super) fn judge(anatomy: &Anatomy<'_>) -> Vec<Finding> {
    let findings = [
        (Weight::Broken, length(anatomy)),
        (Weight::NoText, odd(anatomy)),
        (Weight::NoText, nuls(anatomy)),
        (Weight::NoText, lone_surrogates(anatomy)),
        (Weight::Broken, missing_terminator(anatomy)),
        (Weight::Broken, terminator(anatomy)),
        (Weight::Remark, byte_behind_odd(anatomy)),
        (Weight::Remark, rest(anatomy)),
    ];
    let found = |(weight, text): (Weight, Option<String>)| {
        Some(Finding {
            weight,
            text: text?,
        })
    };
    findings.into_iter().filter_map(found).collect()
}

/// A length that is not there, cannot be, or promises more than there is.
fn length(anatomy: &Anatomy<'_>) -> Option<String> {
    let width = anatomy.shape.width;
    let Some(length) = anatomy.length else {
        return Some(format!(
            "truncated: the bytes end at +{}, the prefix at +{}",
            anatomy.end(),
            width.header()
        ));
    };
    let said = format!("the prefix says {}", counted(length.as_usize(), "byte"));
    if length > width.max_bytes() {
        let most = width.max_bytes().get();
        return Some(format!("{said}, and a BSTR has {most} at most"));
    }
    let there = anatomy.payload.len();
    (there < length.as_usize()).then(|| format!("truncated: {said}, and {there} are there"))
}

fn odd(anatomy: &Anatomy<'_>) -> Option<String> {
    let odd = anatomy.length.is_some_and(|length| length.is_odd());
    odd.then(|| "an odd length: binary data, or a length in the wrong unit".to_owned())
}

fn nuls(anatomy: &Anatomy<'_>) -> Option<String> {
    let units = anatomy.shape.units(anatomy.payload.bytes).enumerate();
    let places = units.filter(|(_, unit)| *unit == 0).map(|(at, _)| at);
    let nuls = First::of(places)?;
    Some(nuls.told("nul", anatomy) + ": code that looks for the end of text stops there")
}

fn lone_surrogates(anatomy: &Anatomy<'_>) -> Option<String> {
    let mut at = 0;
    let units = char::decode_utf16(anatomy.shape.units(anatomy.payload.bytes));
    let places = units.filter_map(|decoded| {
        let here = at;
        at += decoded.as_ref().map_or(1, |c| c.len_utf16());
        decoded.is_err().then_some(here)
    });
    let lone = First::of(places)?;
    Some(lone.told("lone surrogate", anatomy) + ": no well-formed UTF-16")
}

/// A terminator of which some or all is missing, behind a payload that is whole.
fn missing_terminator(anatomy: &Anatomy<'_>) -> Option<String> {
    let whole = anatomy.payload.len() == anatomy.length?.as_usize();
    let (there, size) = (anatomy.terminator.len(), anatomy.terminator_size());
    (whole && there < size).then(|| {
        let end = anatomy.end();
        format!("truncated: the bytes end at +{end}, with {there} of the terminator's {size} bytes")
    })
}

/// A terminator that is not zero. Behind an odd payload the unit counts, not the byte before it.
fn terminator(anatomy: &Anatomy<'_>) -> Option<String> {
    let pad = usize::from(anatomy.length?.is_odd());
    let unit = anatomy.terminator.bytes.get(pad..)?;
    let place = anatomy.terminator.offset + pad;
    not_zero(unit).then(|| format!("the terminator at +{place} is not zero"))
}

fn byte_behind_odd(anatomy: &Anatomy<'_>) -> Option<String> {
    let odd = anatomy.length?.is_odd();
    let place = anatomy.terminator.offset;
    (odd && not_zero(anatomy.terminator.bytes.get(..1)?))
        .then(|| format!("the byte at +{place}, behind the odd one, is not zero, which is legal"))
}

fn rest(anatomy: &Anatomy<'_>) -> Option<String> {
    let rest = anatomy.rest;
    (!rest.is_empty()).then(|| {
        let bytes = counted(rest.len(), "byte");
        format!("{bytes} behind the block, from +{} on", rest.offset)
    })
}

fn not_zero(bytes: &[u8]) -> bool {
    bytes.iter().any(|byte| *byte != 0)
}

/// How many there are of something, and the unit where the first is.
struct First {
    unit: usize,
    count: usize,
}

impl First {
    fn of(mut places: impl Iterator<Item = usize>) -> Option<Self> {
        let unit = places.next()?;
        let count = 1 + places.count();
        Some(Self { unit, count })
    }

    fn told(&self, thing: &str, anatomy: &Anatomy<'_>) -> String {
        let place = anatomy.payload.offset + 2 * self.unit;
        let first = if self.count == 1 { "" } else { "the first " };
        let things = counted(self.count, thing);
        format!("{things}, {first}at unit {} (+{place})", self.unit)
    }
}

#[cfg(test)]
mod tests {
    use quickcheck::quickcheck;

    use super::{Weight, judge};
    use crate::anatomy::{Anatomy, Endian, Shape, Start};

    fn well_formed(payload: &[u8], shape: Shape) -> Vec<u8> {
        let length = u32::try_from(payload.len()).expect("short");
        let prefix = match shape.endian {
            Endian::Little => length.to_le_bytes(),
            Endian::Big => length.to_be_bytes(),
        };
        [&prefix[..], payload, &[0; 3]].concat()
    }

    fn broken(bytes: &[u8], shape: Shape) -> bool {
        let findings = judge(&Anatomy::of(bytes, shape, Start::Prefix));
        findings
            .iter()
            .any(|finding| finding.weight == Weight::Broken)
    }

    quickcheck! {
        fn any_bytes_are_judged(bytes: Vec<u8>, shape: Shape, start: Start) -> bool {
            let anatomy = Anatomy::of(&bytes, shape, start);
            let whole = anatomy.length.is_some_and(|length| length.as_usize() == anatomy.payload.len());
            let findings = judge(&anatomy);
            whole || findings.iter().any(|finding| finding.weight == Weight::Broken)
        }

        fn what_is_well_formed_is_not_broken_and_all_less_of_it_is(payload: Vec<u8>, shape: Shape) -> bool {
            let whole = well_formed(&payload, shape);
            // An even payload has a byte less behind it.
            let size = whole.len() - usize::from(payload.len().is_multiple_of(2));
            !broken(&whole, shape) && (0..size).all(|less| broken(&whole[..less], shape))
        }
    }
}
