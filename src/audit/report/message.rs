//! What happened, in one sentence.

use super::{Deed, Detail, Family, Kind, Part, Record, plural};

/// The sentence of a violation. It holds no address, so that it is the same in every run.
pub(super) fn of(record: &Record) -> String {
    let block = match record.block {
        // Under a spy that has room around it nobody knows how long it is.
        Some(facts) if facts.is_bstr || facts.family == Family::Bstr => "a BSTR",
        Some(facts) => match facts.part {
            Some(Part::Array) => "a SAFEARRAY",
            Some(Part::ArrayData) => "the data of a SAFEARRAY",
            None => "task memory",
        },
        None => "a block",
    };
    match (record.kind, record.detail) {
        (_, Detail::Words(words)) => words.replace("{block}", block),
        (Kind::DoubleFree, _) => format!("{block} that was freed before is freed again"),
        (Kind::FamilyMismatch, Detail::Dressed) => {
            format!(
                "{block} is {} by the other family's function",
                done(record.deed)
            )
        }
        (Kind::FamilyMismatch, Detail::As(family)) => {
            // Without a block the family is that of its owner.
            let (owner, used) = match record.block {
                Some(facts) => (facts.family, family),
                None => (family, other(family)),
            };
            format!("{} is {} as {}", a(owner), done(record.deed), a(used))
        }
        (Kind::InteriorFree, Detail::Offset(offset, family)) => format!(
            "a pointer {} the start of {block} is {} as {}",
            distance(offset),
            done(record.deed),
            a(family)
        ),
        (Kind::ForeignFree, Detail::As(family)) => format!(
            "a pointer to no block, or to one freed long before, is {} as {}",
            done(record.deed),
            a(family)
        ),
        (Kind::UseAfterFree | Kind::WriteAfterFree, Detail::Touched(offset, is_write)) => {
            let touched = if is_write { "written to" } else { "read" };
            format!(
                "{block} is {touched} after it was freed, {} its start",
                distance(offset)
            )
        }
        (Kind::Overrun | Kind::Underrun, Detail::Touched(away, is_write)) => {
            let side = if away < 0 { "before" } else { "behind" };
            let touched = if is_write { "written to" } else { "read" };
            format!("byte {} {side} {block} is {touched}", away.unsigned_abs())
        }
        (Kind::UseAfterFree, _) => format!("{block} is {} after it was freed", done(record.deed)),
        (Kind::WriteAfterFree, Detail::Written(offset, _)) => {
            format!(
                "{block} was written to after it was freed, {} its start",
                distance(offset)
            )
        }
        (Kind::Overrun, Detail::Written(away, found)) => {
            format!("byte {away} behind {block} was overwritten, by {found:#04x}")
        }
        (Kind::Underrun, Detail::Written(away, found)) => format!(
            "byte {} before {block} was overwritten, by {found:#04x}",
            away.unsigned_abs()
        ),
        (Kind::TerminatorOverwritten, _) => {
            "the unit behind a BSTR's counted bytes is not zero".to_owned()
        }
        (Kind::PrefixCorrupted, Detail::Short { wanted, there }) => format!(
            "a BSTR's prefix says {}, where there are {there}",
            plural(wanted as u64, "byte")
        ),
        (Kind::OverlappingSource, Detail::Offset(offset, _)) => format!(
            "the source of a reallocation lies in the string that it replaces, {} its start",
            distance(offset)
        ),
        (Kind::SourceOverRead, Detail::Short { wanted, there }) => format!(
            "{} were to be copied from {block}, which has {there} from there on",
            plural(wanted as u64, "byte")
        ),
        (Kind::NullOutPointer, Detail::Function(function)) => {
            format!("{function} was given NULL where its result is to be stored")
        }
        (Kind::UnbalancedPin, Detail::Pins(0)) => {
            "a BSTR that was freed while pinned is there still".to_owned()
        }
        (Kind::UnbalancedPin, Detail::Pins(pins)) => {
            let was = if pins == 1 { "was" } else { "were" };
            let pins = plural(pins as u64, "pin");
            format!("{pins} of a BSTR {was} never taken back")
        }
        (Kind::UnbalancedPin, Detail::Strayed) => {
            "a pin was taken back from a BSTR that took the place of the pinned one".to_owned()
        }
        (Kind::UnbalancedPin, _) => "a pin was taken back that was never given".to_owned(),
        (Kind::PinOfNonBstr, _) => "what was to be pinned is no live BSTR".to_owned(),
        (Kind::SpyPointerLost, _) => {
            "the registered spy handed back a pointer that is no block".to_owned()
        }
        (Kind::OutReadByCallee, _) => format!(
            "what an [out] variable held when the call began is {}",
            done(record.deed)
        ),
        (Kind::BufferOverrun, Detail::Written(away, found)) => {
            let side = if away < 0 { "before" } else { "behind" };
            let away = away.unsigned_abs();
            format!("byte {away} {side} the caller's buffer was overwritten, by {found:#04x}")
        }
        (Kind::InterfaceLeaked, Detail::References(count)) => {
            let references = plural(count.into(), "reference");
            let which = if count == 1 { "" } else { "one of " };
            let origin = match (record.rules, record.call) {
                ([rule], Some(_)) if rule.number() == 45 => "was handed out to the caller",
                ([rule], Some(_)) if rule.number() == 46 => {
                    "the callee kept when it stored another pointer"
                }
                (_, Some(_)) => "the callee added",
                (_, None) => "was added outside of calls",
            };
            format!("an object still has {references}, {which}which {origin}")
        }
        (Kind::Leak, _) => format!("{block} was never freed"),
        (kind, _) => kind.name().to_owned(),
    }
}

fn done(deed: Deed) -> &'static str {
    match deed {
        Deed::Free => "freed",
        Deed::Realloc => "reallocated",
        Deed::Measure => "measured",
        Deed::Read => "read",
        Deed::Copy => "copied from",
        Deed::End => "left",
    }
}

fn other(family: Family) -> Family {
    match family {
        Family::Bstr => Family::Task,
        Family::Task => Family::Bstr,
    }
}

fn a(family: Family) -> &'static str {
    match family {
        Family::Bstr => "a BSTR",
        Family::Task => "task memory",
    }
}

/// So many bytes behind something, or before it.
fn distance(offset: isize) -> String {
    let bytes = plural(offset.unsigned_abs() as u64, "byte");
    if offset == 0 {
        "at".to_owned()
    } else if offset < 0 {
        format!("{bytes} before")
    } else {
        format!("{bytes} behind")
    }
}
