//! What the fuzz targets of `fuzz/` try: a law of the bytes that a fuzzer makes up.

#[cfg(all(feature = "export", any(not(windows), miri)))]
use super::c_abi::CAbi;
use super::overlap::Overlap;
use super::raw_law::Raw;
use super::safe_law::Safe;
use super::steps::run_bytes;

/// Any sequence of operations, raw ones or safe ones, does what a naive model of it does.
pub(crate) fn operations(data: &[u8]) -> Result<(), String> {
    match data.split_first() {
        Some((door, data)) if door % 2 == 0 => run_bytes::<Raw>(data),
        Some((_, data)) => run_bytes::<Safe>(data),
        None => Ok(()),
    }
}

/// So does any sequence of reallocations, their sources within what they change.
pub(crate) fn realloc(data: &[u8]) -> Result<(), String> {
    run_bytes::<Overlap>(data)
}

/// So does any sequence of calls of C's.
#[cfg(all(feature = "export", any(not(windows), miri)))]
pub(crate) fn c_abi(data: &[u8]) -> Result<(), String> {
    run_bytes::<CAbi>(data)
}

#[cfg(test)]
mod tests {
    use quickcheck::{Gen, QuickCheck, TestResult};

    use crate::balance::balanced;
    #[cfg(all(feature = "export", any(not(windows), miri)))]
    use crate::c_abi::CAbi;
    use crate::overlap::Overlap;
    use crate::{holds_for_a_long_sequence, holds_for_any_sequence, image_law, seeds, wire_law};

    type Law = fn(&[u8]) -> Result<(), String>;

    /// All targets' laws but the audit's, which is `tests/audit`'s: here somebody listens.
    const LAWS: &[(&str, Law)] = &[
        ("image", image_law::input),
        ("wire_decode", wire_law::decode_input),
        ("wire_round_trip", wire_law::round_trip_input),
        ("operations", super::operations),
        ("realloc", super::realloc),
        #[cfg(all(feature = "export", any(not(windows), miri)))]
        ("c_abi", super::c_abi),
    ];

    #[test]
    fn any_input() {
        fn law(which: usize, data: Vec<u8>) -> TestResult {
            let (name, law) = LAWS[which % LAWS.len()];
            match law(&data) {
                Ok(()) => TestResult::passed(),
                Err(error) => TestResult::error(format!("{name}: {error}")),
            }
        }
        let _balance = balanced();
        let (tests, size) = if cfg!(miri) { (12, 16) } else { (700, 200) };
        QuickCheck::new()
            .tests(tests)
            .rng(Gen::new(size))
            .quickcheck(law as fn(usize, Vec<u8>) -> TestResult);
    }

    /// Those that other tests replay: the audit's, and the page's, which is given strings (`tests/arbitrary.rs`).
    const ELSEWHERE: &[&str] = &[
        "audit",
        "setting",
        "setting_watched",
        #[cfg(not(all(feature = "export", any(not(windows), miri))))]
        "c_abi",
    ];

    #[test]
    #[cfg_attr(miri, ignore = "reads files")]
    fn inputs_that_are_kept() {
        let _balance = balanced();
        for (target, law) in LAWS {
            seeds::replay(target, *law);
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "reads files")]
    fn no_folder_of_inputs_is_forgotten() {
        let laws = LAWS.iter().map(|(target, _)| *target);
        seeds::are_all(laws.chain(ELSEWHERE.iter().copied()));
    }

    #[test]
    fn any_sequence_of_reallocations() {
        holds_for_any_sequence::<Overlap>();
    }

    #[test]
    fn a_long_sequence_of_reallocations() {
        holds_for_a_long_sequence::<Overlap>();
    }

    #[test]
    #[cfg(all(feature = "export", any(not(windows), miri)))]
    fn any_sequence_of_calls() {
        holds_for_any_sequence::<CAbi>();
    }

    #[test]
    #[cfg(all(feature = "export", any(not(windows), miri)))]
    fn a_long_sequence_of_calls() {
        holds_for_a_long_sequence::<CAbi>();
    }
}
