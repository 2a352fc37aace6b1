//! `Bstr` against a vector of bytes that may be absent.

use std::fmt::Write as _;
use std::hash::{DefaultHasher, Hash, Hasher};

use olemem::error::CreateError;
use olemem::fault::fail_nth;
use olemem::{Bstr, BstrRef, UnitLen};

use super::steps::{Choices, Operation, Step, World, smaller_number, smaller_vec};
#[cfg(test)]
use super::{holds_for_a_long_sequence, holds_for_any_sequence, shrunk};

#[derive(Clone, Debug)]
pub(crate) enum Op {
    New,
    Empty,
    FromUnits(Vec<u16>),
    FromBytes(Vec<u8>),
    FromText(String),
    Zeroed(u16),
    Clone(u16),
    Concat(u16, u16),
    PushText(u16, String),
    PushUnits(u16, Vec<u16>),
    Format(u16, String, u16),
    Extend(u16, Vec<u16>),
    Truncate(u16, u16),
    Write(u16, u16),
    Take(u16),
    Clear(u16),
    ThroughRaw(u16),
    Drop(u16),
    Sort,
}

fn text(choices: &mut Choices<'_>) -> String {
    let units = choices.units();
    String::from_utf16_lossy(&units)
}

fn smaller_text(text: &str) -> Vec<String> {
    let chars: Vec<char> = text.chars().collect();
    let mut smaller = Vec::new();
    if !chars.is_empty() {
        smaller.push(String::new());
        smaller.push(chars[..chars.len() / 2].iter().collect());
        smaller.push(chars[..chars.len() - 1].iter().collect());
        if chars.iter().any(|c| *c != 'a') {
            smaller.push("a".repeat(chars.len()));
        }
    }
    smaller
}

impl Operation for Op {
    fn choose(choices: &mut Choices<'_>) -> Self {
        match choices.below(24) {
            0 => Self::New,
            1 => Self::Empty,
            2 => Self::FromUnits(choices.units()),
            3 | 4 => Self::FromBytes(choices.bytes()),
            5 => Self::FromText(text(choices)),
            6 => Self::Zeroed(choices.len()),
            7 => Self::Clone(choices.len()),
            8 | 9 => Self::Concat(choices.len(), choices.len()),
            10 | 11 => Self::PushText(choices.len(), text(choices)),
            12 | 13 => Self::PushUnits(choices.len(), choices.units()),
            14 => Self::Format(choices.len(), text(choices), choices.len()),
            15 => Self::Extend(choices.len(), choices.units()),
            16 | 17 => Self::Truncate(choices.len(), choices.len()),
            18 => Self::Write(choices.len(), choices.len()),
            19 => Self::Take(choices.len()),
            20 => Self::Clear(choices.len()),
            21 => Self::ThroughRaw(choices.len()),
            22 => Self::Drop(choices.len()),
            _ => Self::Sort,
        }
    }

    fn smaller(&self) -> Vec<Self> {
        fn numbers(which: u16, other: u16, make: impl Fn(u16, u16) -> Op) -> Vec<Op> {
            let left = smaller_number(which).into_iter().map(|n| make(n, other));
            let right = smaller_number(other).into_iter().map(|n| make(which, n));
            left.chain(right).collect()
        }
        fn one(which: u16, make: impl Fn(u16) -> Op) -> Vec<Op> {
            smaller_number(which).into_iter().map(make).collect()
        }
        fn with<T: Clone>(
            which: u16,
            value: &T,
            values: Vec<T>,
            make: fn(u16, T) -> Op,
        ) -> Vec<Op> {
            let values = values.into_iter().map(|value| make(which, value));
            values
                .chain(one(which, |which| make(which, value.clone())))
                .collect()
        }
        match self {
            Self::New | Self::Empty | Self::Sort => Vec::new(),
            Self::FromUnits(units) => {
                let units = smaller_vec(units).into_iter();
                units.map(Self::FromUnits).collect()
            }
            Self::FromBytes(bytes) => {
                let bytes = smaller_vec(bytes).into_iter();
                bytes.map(Self::FromBytes).collect()
            }
            Self::FromText(text) => smaller_text(text).into_iter().map(Self::FromText).collect(),
            Self::Zeroed(len) => one(*len, Self::Zeroed),
            Self::Clone(which) => one(*which, Self::Clone),
            Self::Concat(left, right) => numbers(*left, *right, Self::Concat),
            Self::PushText(which, text) => with(*which, text, smaller_text(text), Self::PushText),
            Self::PushUnits(which, units) => {
                with(*which, units, smaller_vec(units), Self::PushUnits)
            }
            Self::Format(which, text, width) => {
                let texts = smaller_text(text).into_iter();
                let texts = texts.map(|text| Self::Format(*which, text, *width));
                let others = numbers(*which, *width, |which, width| {
                    Self::Format(which, text.clone(), width)
                });
                texts.chain(others).collect()
            }
            Self::Extend(which, units) => with(*which, units, smaller_vec(units), Self::Extend),
            Self::Truncate(which, len) => numbers(*which, *len, Self::Truncate),
            Self::Write(which, at) => numbers(*which, *at, Self::Write),
            Self::Take(which) => one(*which, Self::Take),
            Self::Clear(which) => one(*which, Self::Clear),
            Self::ThroughRaw(which) => one(*which, Self::ThroughRaw),
            Self::Drop(which) => one(*which, Self::Drop),
        }
    }
}

/// Null, or the bytes.
type Model = Option<Vec<u8>>;

const MOST: usize = 12;

#[derive(Default)]
pub(crate) struct Safe(Vec<(Bstr, Model)>);

fn unit_bytes(units: impl IntoIterator<Item = u16>) -> Vec<u8> {
    units.into_iter().flat_map(u16::to_ne_bytes).collect()
}

fn whole_units(bytes: &[u8]) -> Vec<u16> {
    bytes
        .chunks_exact(2)
        .map(|unit| u16::from_ne_bytes([unit[0], unit[1]]))
        .collect()
}

/// Nothing gives null.
fn or_null(bytes: Vec<u8>) -> Model {
    (!bytes.is_empty()).then_some(bytes)
}

impl Safe {
    fn made(
        &mut self,
        made: Result<Bstr, CreateError>,
        model: Model,
        failed: bool,
    ) -> Result<(), String> {
        match made {
            Ok(bstr) if !failed => {
                self.0.push((bstr, model));
                Ok(())
            }
            Err(CreateError::OutOfMemory(_)) if failed => Ok(()),
            other => Err(format!("{other:?}, an allocation failed: {failed}")),
        }
    }

    fn grown(
        &mut self,
        which: u16,
        more: &[u8],
        fails: bool,
        grow: impl FnOnce(&mut Bstr) -> bool,
    ) -> Result<(), String> {
        let Some(index) = usize::from(which).checked_rem(self.0.len()) else {
            return Ok(());
        };
        let (bstr, model) = &mut self.0[index];
        let before = bstr.as_raw();
        let failing = fails.then(|| fail_nth(1));
        let done = grow(bstr);
        let failed = failing.is_some_and(|failing| failing.has_failed());
        if done == failed {
            return Err(format!("it said {done}, an allocation failed: {failed}"));
        }
        if done && !more.is_empty() {
            model.get_or_insert_default().extend(more);
        } else if bstr.as_raw() != before {
            return Err("the address changed for nothing".to_owned());
        }
        Ok(())
    }
}

impl World for Safe {
    type Operation = Op;

    #[expect(clippy::too_many_lines, reason = "one arm an operation")]
    fn step(&mut self, step: &Step<Op>) -> Result<(), String> {
        let fails = step.fails;
        if self.0.len() >= MOST {
            self.0.swap_remove(0);
        }
        let count = self.0.len();
        let index = |which: u16| usize::from(which).checked_rem(count);
        let planted = |what: &dyn Fn() -> Result<Bstr, CreateError>| {
            let failing = fails.then(|| fail_nth(1));
            let made = what();
            (made, failing.is_some_and(|failing| failing.has_failed()))
        };
        match &step.operation {
            Op::New => {
                let (made, failed) = planted(&|| Ok(Bstr::new()));
                self.made(made, None, failed)
            }
            Op::Empty => {
                let (made, failed) = planted(&Bstr::try_empty);
                self.made(made, Some(Vec::new()), failed)
            }
            Op::FromUnits(units) => {
                let (made, failed) = planted(&|| Bstr::try_from_units(units));
                self.made(made, or_null(unit_bytes(units.iter().copied())), failed)
            }
            Op::FromBytes(bytes) => {
                let (made, failed) = planted(&|| Bstr::try_from_bytes(bytes));
                self.made(made, or_null(bytes.clone()), failed)
            }
            Op::FromText(text) => {
                let (made, failed) = planted(&|| Bstr::try_from_str(text));
                self.made(made, or_null(unit_bytes(text.encode_utf16())), failed)
            }
            Op::Zeroed(len) => {
                let (made, failed) = planted(&|| Bstr::try_zeroed(UnitLen::new((*len).into())));
                self.made(made, Some(vec![0; 2 * usize::from(*len)]), failed)
            }
            Op::Clone(which) => {
                let Some(index) = index(*which) else {
                    return Ok(());
                };
                let (made, failed) = planted(&|| self.0[index].0.try_clone());
                let model = self.0[index].1.clone();
                self.made(made, model, failed)
            }
            Op::Concat(left, right) => {
                let (Some(left), Some(right)) = (index(*left), index(*right)) else {
                    return Ok(());
                };
                let ((left, model), (right, more)) = (&self.0[left], &self.0[right]);
                let both = [model, more].into_iter().flatten().flatten();
                let joined = both.copied().collect();
                let (made, failed) = planted(&|| Bstr::try_concat(left.as_bstr(), right.as_bstr()));
                self.made(made, Some(joined), failed)
            }
            Op::PushText(which, text) => {
                let more = unit_bytes(text.encode_utf16());
                self.grown(*which, &more, fails, |bstr| bstr.try_push_str(text).is_ok())
            }
            Op::PushUnits(which, units) => {
                let more = unit_bytes(units.iter().copied());
                self.grown(*which, &more, fails, |bstr| {
                    bstr.try_push_units(units).is_ok()
                })
            }
            Op::Format(which, text, width) => {
                let width = usize::from(*width);
                let shown = format!("{text:>width$}");
                let more = unit_bytes(shown.encode_utf16());
                // The pieces of a formatting come one by one: only the whole is planned to fail.
                self.grown(*which, &more, false, |bstr| {
                    write!(bstr, "{text:>width$}").is_ok()
                })
            }
            Op::Extend(which, units) => {
                let more = unit_bytes(units.iter().copied());
                self.grown(*which, &more, false, |bstr| {
                    bstr.extend(units.iter().copied());
                    true
                })
            }
            Op::Truncate(which, len) => {
                let Some(index) = index(*which) else {
                    return Ok(());
                };
                let (bstr, model) = &mut self.0[index];
                let before = bstr.as_raw();
                bstr.truncate(UnitLen::new((*len).into()));
                if bstr.as_raw() != before {
                    return Err("truncating moved the string".to_owned());
                }
                if let Some(bytes) = model
                    && usize::from(*len) < bytes.len() / 2
                {
                    bytes.truncate(2 * usize::from(*len));
                }
                Ok(())
            }
            Op::Write(which, at) => {
                if let Some(index) = index(*which) {
                    let (bstr, model) = &mut self.0[index];
                    let units = bstr.as_mut_units();
                    if let Some(at) = usize::from(*at).checked_rem(units.len()) {
                        units[at] = units[at].wrapping_add(1);
                        let unit = units[at].to_ne_bytes();
                        model.get_or_insert_default()[2 * at..][..2].copy_from_slice(&unit);
                    }
                }
                Ok(())
            }
            Op::Take(which) => {
                if let Some(index) = index(*which) {
                    let (bstr, model) = &mut self.0[index];
                    let taken = (bstr.take(), model.take());
                    self.0.push(taken);
                }
                Ok(())
            }
            Op::Clear(which) => {
                if let Some(index) = index(*which) {
                    let (bstr, model) = &mut self.0[index];
                    bstr.clear();
                    *model = None;
                }
                Ok(())
            }
            Op::ThroughRaw(which) => {
                if let Some(index) = index(*which) {
                    let (bstr, _) = &mut self.0[index];
                    let raw = bstr.take().into_raw();
                    // SAFETY: given away a line above, and taken back once.
                    *bstr = unsafe { Bstr::from_raw(raw) };
                }
                Ok(())
            }
            Op::Drop(which) => {
                if let Some(index) = index(*which) {
                    self.0.swap_remove(index);
                }
                Ok(())
            }
            Op::Sort => {
                self.0.sort_by(|left, right| left.0.cmp(&right.0));
                let key = |model: &Model| {
                    let bytes = model.as_deref().unwrap_or_default();
                    let odd = (bytes.len() % 2 == 1).then(|| bytes[bytes.len() - 1]);
                    (whole_units(bytes), odd)
                };
                if self.0.is_sorted_by_key(|(_, model)| key(model)) {
                    Ok(())
                } else {
                    Err("the order is not that of units, then of the odd byte".to_owned())
                }
            }
        }
    }

    fn check(&self) -> Result<(), String> {
        for (bstr, model) in &self.0 {
            let bytes = model.as_deref().unwrap_or_default();
            let units = whole_units(bytes);
            let text = String::from_utf16(&units).ok();
            let is_text = bytes.len() % 2 == 0 && text.is_some();
            let mut agree = bstr.is_null() == model.is_none()
                && bstr.as_bytes() == bytes
                && bstr.as_units() == units
                && bstr.byte_len().as_usize() == bytes.len()
                && bstr.unit_len().as_usize() == units.len()
                && bstr.as_bstr().is_empty() == units.is_empty()
                && bstr.try_to_string().is_ok() == is_text
                && bstr.to_string_lossy() == String::from_utf16_lossy(&units);
            if let Some(text) = text {
                agree &= (*bstr == text) == is_text;
            }
            // Only where the length agrees is it known what stands behind the payload.
            if agree && !bstr.is_null() {
                let zeros = if bytes.len() % 2 == 0 { 2 } else { 3 };
                let end = bstr.as_raw().cast::<u8>().wrapping_add(bytes.len());
                // SAFETY: the terminator follows the payload.
                let end = unsafe { std::slice::from_raw_parts(end, zeros) };
                agree &= end.iter().all(|byte| *byte == 0);
            }
            if !agree {
                return Err(format!("{bstr:#?} {:?} for {model:?}", bstr.as_bytes()));
            }
        }
        let hash = |bstr: BstrRef<'_>| {
            let mut hasher = DefaultHasher::new();
            bstr.hash(&mut hasher);
            hasher.finish()
        };
        for pair in self.0.windows(2) {
            let ((left, model), (right, other)) = (&pair[0], &pair[1]);
            let equal =
                model.as_deref().unwrap_or_default() == other.as_deref().unwrap_or_default();
            let said = [
                left == right,
                left.as_bstr() == right.as_bstr(),
                left.cmp(right).is_eq(),
                hash(left.as_bstr()) == hash(right.as_bstr()),
            ];
            if said != [equal; 4] {
                return Err(format!(
                    "{left:#?} and {right:#?}: {said:?}, in truth {equal}"
                ));
            }
        }
        Ok(())
    }
}

#[test]
fn any_sequence() {
    holds_for_any_sequence::<Safe>();
}

#[test]
fn a_long_sequence() {
    holds_for_a_long_sequence::<Safe>();
}

#[test]
fn differences_are_noticed() {
    let world = |bstr, model: &[u8]| Safe(vec![(bstr, Some(model.to_vec()))]);
    assert!(world(Bstr::from_bytes(b"abc"), b"abc").check().is_ok());
    assert!(world(Bstr::from_bytes(b"abd"), b"abc").check().is_err());
    assert!(world(Bstr::from_bytes(b"ab"), b"abc").check().is_err());
    assert!(world(Bstr::new(), b"").check().is_err());
    assert!(world(Bstr::empty(), b"").check().is_ok());
}

#[test]
fn sequences_shrink_to_what_matters() {
    let mut steps: Vec<Step<Op>> = (0..if cfg!(miri) { 4 } else { 20 })
        .map(|_| Step {
            operation: Op::FromText("noise".to_owned()),
            fails: true,
        })
        .collect();
    steps.push(Step {
        operation: Op::PushText(7, "ab🎈cdefgh".to_owned()),
        fails: true,
    });
    let smallest = shrunk(steps, |steps| {
        let long = |text: &String| text.chars().count() >= 5;
        steps
            .iter()
            .any(|step| matches!(&step.operation, Op::PushText(_, text) if long(text)))
    });
    assert_eq!(
        format!("{smallest:?}"),
        "[Step { operation: PushText(0, \"aaaaa\"), fails: false }]"
    );
}
