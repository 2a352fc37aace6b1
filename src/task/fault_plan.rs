//! Which allocations are to fail: plans, and how far each has come.
//!
//! ```text
//!  an allocation ─► of the family, and large enough? ─ no ─► it is not counted
//!                     │ yes: its number is the next one
//!                     ▼
//!                   chosen? the nth, every nth, by the seed ─► not if as many have failed as are to
//! ```
//!
//! Nothing here asks for memory: the process's plan is read before the first allocation.

#[cfg(not(any(windows, miri)))]
use std::str::FromStr;
#[cfg(not(any(windows, miri)))]
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::task::block::Family;

/// Which allocations are to fail.
///
/// Made by [`nth`](Self::nth), [`every`](Self::every), [`all`](Self::all) or [`at_random`](Self::at_random), narrowed by the
/// methods that follow, and put into effect by [`begin`](Self::begin) for this thread, or for a session of the
/// audit's by its options.
///
/// * Allocations count, and reallocations that need memory, whichever door they come through: the safe types, the
///   raw operations, `TaskAllocator`, the C functions, `IMalloc`. So does the first pin of a string. A string that
///   the cache hands out again does not, nor does an allocation of more than there can be, which fails by itself.
/// * Only what [`of`](Self::of) and [`above`](Self::above) leave is counted. The first one is 1.
/// * An allocation that fails by another plan is not counted by this one. A session's plan comes first, then the
///   process's (`OLEMEM=fail-at=…`), then the thread's.
///
/// # Examples
///
/// ```
/// use olemem::Bstr;
/// use olemem::fault::FaultPlan;
/// use olemem::heap::Family;
///
/// // The second BSTR, and all that come after it.
/// let failing = FaultPlan::nth(2).of(Family::Bstr).from_then_on().begin();
/// let made: Vec<bool> = (0..4).map(|_| Bstr::try_from_str("text").is_ok()).collect();
/// assert_eq!(made, [true, false, false, false]);
/// assert_eq!(failing.failures(), 3);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FaultPlan {
    choice: Choice,
    /// `None`: both.
    family: Option<Family>,
    /// Blocks of no more bytes are left alone.
    above: usize,
    /// Once one has failed, all that follow do.
    goes_on: bool,
    /// So many fail, and no more.
    most: u64,
}

/// How allocations are chosen, by their number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Choice {
    Nth(u64),
    Every(u64),
    /// Each by itself: of 2^53 numbers those below the threshold fail.
    Random {
        seed: u64,
        threshold: u64,
    },
}

impl FaultPlan {
    const fn new(choice: Choice) -> Self {
        Self {
            choice,
            family: None,
            above: 0,
            goes_on: false,
            most: u64::MAX,
        }
    }

    /// The `nth` allocation, and no other. The first is 1.
    ///
    /// # Panics
    ///
    /// If `nth` is 0.
    #[must_use]
    pub const fn nth(nth: u64) -> Self {
        assert!(nth != 0, "allocations are counted from 1");
        Self::new(Choice::Nth(nth))
    }

    /// Every `nth` allocation: with 3 the third, the sixth, and so on.
    ///
    /// # Panics
    ///
    /// If `nth` is 0.
    #[must_use]
    pub const fn every(nth: u64) -> Self {
        assert!(nth != 0, "allocations are counted from 1");
        Self::new(Choice::Every(nth))
    }

    /// All allocations: to be narrowed by [`of`](Self::of) or [`above`](Self::above), or for a caller that is to find
    /// no memory at all.
    #[must_use]
    pub const fn all() -> Self {
        Self::every(1)
    }

    /// Each allocation with a probability of `rate`, from 0 for none to 1 for all. Which ones, the seed and their
    /// numbers say, on all machines and in all runs alike.
    ///
    /// # Examples
    ///
    /// ```
    /// use olemem::TaskBox;
    /// use olemem::fault::FaultPlan;
    ///
    /// let run = || -> Vec<bool> {
    ///     let _failing = FaultPlan::at_random(7, 0.25).begin();
    ///     (0..100).map(|_| TaskBox::try_new(1).is_err()).collect()
    /// };
    /// assert_eq!(run(), run());
    /// ```
    ///
    /// # Panics
    ///
    /// If `rate` is not from 0 to 1.
    #[must_use]
    pub fn at_random(seed: u64, rate: f64) -> Self {
        let plan = Self::with_rate(seed, rate);
        plan.expect("a rate is from 0 to 1")
    }

    /// As [`at_random`](Self::at_random); `None` for what is no rate.
    pub(crate) fn with_rate(seed: u64, rate: f64) -> Option<Self> {
        if !(0.0..=1.0).contains(&rate) {
            return None;
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "from 0 to 2^53, and what lies between whole numbers is no matter"
        )]
        let threshold = (rate * EXACT) as u64;
        Some(Self::new(Choice::Random { seed, threshold }))
    }

    /// Of one family alone.
    #[must_use]
    pub const fn of(mut self, family: Family) -> Self {
        self.family = Some(family);
        self
    }

    /// Of blocks of more than so many bytes alone, as `IMalloc::GetSize` tells them: of a BSTR the header, the
    /// terminator and what the block is rounded up by count as well.
    #[must_use]
    pub const fn above(mut self, bytes: usize) -> Self {
        self.above = bytes;
        self
    }

    /// The first one that is chosen, and no more.
    #[must_use]
    pub const fn once(self) -> Self {
        self.at_most(1)
    }

    /// So many, and no more.
    #[must_use]
    pub const fn at_most(mut self, failures: u64) -> Self {
        self.most = failures;
        self
    }

    /// The first one that is chosen, and all that come after it, as when memory has run out for good. Code that
    /// tries again until it has memory tries for ever: [`at_most`](Self::at_most) ends it.
    #[must_use]
    pub const fn from_then_on(mut self) -> Self {
        self.goes_on = true;
        self
    }

    const fn covers(&self, size: usize, family: Family) -> bool {
        let is_of_family = match self.family {
            Some(wanted) => wanted as u8 == family as u8,
            None => true,
        };
        is_of_family && (size > self.above || self.above == 0)
    }

    const fn chooses(&self, number: u64) -> bool {
        match self.choice {
            Choice::Nth(nth) => number == nth,
            Choice::Every(nth) => number.is_multiple_of(nth),
            Choice::Random { seed, threshold } => mixed(seed, number) >> 11 < threshold,
        }
    }
}

/// 2^53: up to there a floating number counts every whole one.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// A number that looks like chance: splitmix64, at a place of its own for each number.
const fn mixed(seed: u64, number: u64) -> u64 {
    let mut z = seed.wrapping_add(number.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// A plan in effect. Any number of threads may count by it.
#[derive(Debug)]
pub(crate) struct Progress {
    plan: FaultPlan,
    counted: AtomicU64,
    failed: AtomicU64,
}

impl Progress {
    pub(crate) const fn new(plan: FaultPlan) -> Self {
        Self {
            plan,
            counted: AtomicU64::new(0),
            failed: AtomicU64::new(0),
        }
    }

    /// Counts an allocation, and gives its number if it is to fail.
    pub(crate) fn fails(&self, size: usize, family: Family) -> Option<u64> {
        let plan = &self.plan;
        if !plan.covers(size, family) {
            return None;
        }
        let number = self.counted.fetch_add(1, Ordering::Relaxed) + 1;
        let goes_on = plan.goes_on && self.failures() > 0;
        if !goes_on && !plan.chooses(number) {
            return None;
        }
        // No more than there may be, whichever threads come here at once.
        let one_more = |failed: u64| (failed < plan.most).then_some(failed + 1);
        self.failed
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more)
            .is_ok()
            .then_some(number)
    }

    /// Allocations that were counted.
    pub(crate) fn allocations(&self) -> u64 {
        self.counted.load(Ordering::Relaxed)
    }

    /// Those that failed.
    pub(crate) fn failures(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }
}

// ------------------------------------------------------------------------------- the environment

/// The keys of `OLEMEM` that are about failures.
#[cfg(not(any(windows, miri)))]
const KEYS: [&str; 7] = [
    "fail-at",
    "fail-every",
    "fail-rate",
    "fail-seed",
    "fail-above",
    "fail-family",
    "fail-then",
];

/// What a value of `OLEMEM` says of failures, while it is read.
#[cfg(not(any(windows, miri)))]
#[derive(Debug, Default)]
pub(crate) struct Wishes {
    choice: Option<Choice>,
    /// It is known when all of the value was read.
    seed: u64,
    has_seed: bool,
    has_then: bool,
    family: Option<Family>,
    above: Option<usize>,
    goes_on: bool,
    once: bool,
}

#[cfg(not(any(windows, miri)))]
impl Wishes {
    /// Takes a word of the value, if it is about failures. What it says wrongly is not taken, and what would be right
    /// is the error.
    pub(crate) fn take(&mut self, word: &[u8]) -> Option<Result<(), &'static str>> {
        let (key, said) = std::str::from_utf8(word).ok()?.split_once('=')?;
        KEYS.contains(&key).then(|| self.set(key, said))
    }

    fn set(&mut self, key: &str, said: &str) -> Result<(), &'static str> {
        const FROM_ONE: &str = "a number from 1 on";
        let nth = || number(said).filter(|nth| *nth > 0).ok_or(FROM_ONE);
        match (key, said) {
            ("fail-at", _) => self.choice = Some(Choice::Nth(nth()?)),
            ("fail-every", _) => self.choice = Some(Choice::Every(nth()?)),
            ("fail-rate", _) => {
                let plan = number(said).and_then(|rate| FaultPlan::with_rate(0, rate));
                self.choice = Some(plan.ok_or("a number from 0 to 1")?.choice);
            }
            ("fail-seed", _) => {
                self.seed = number(said).ok_or("a number")?;
                self.has_seed = true;
            }
            ("fail-above", _) => self.above = Some(number(said).ok_or("a number of bytes")?),
            ("fail-family", "bstr") => self.family = Some(Family::Bstr),
            ("fail-family", "task") => self.family = Some(Family::Task),
            ("fail-family", _) => return Err("bstr, task"),
            ("fail-then", "never" | "always") => {
                self.has_then = true;
                self.goes_on = said == "always";
                self.once = said == "never";
            }
            _ => return Err("never, always"),
        }
        Ok(())
    }

    /// The plan; `None` if none was asked for.
    pub(crate) fn plan(&self) -> Option<FaultPlan> {
        let is_narrowed = self.family.is_some() || self.above.is_some();
        let choice = match self.choice {
            Some(Choice::Random { threshold, .. }) => Choice::Random {
                seed: self.seed,
                threshold,
            },
            Some(other) => other,
            None if is_narrowed => Choice::Every(1),
            None => return None,
        };
        Some(FaultPlan {
            choice,
            family: self.family,
            above: self.above.unwrap_or(0),
            goes_on: self.goes_on,
            most: if self.once { 1 } else { u64::MAX },
        })
    }

    /// Whether something was said that means nothing by itself.
    pub(crate) fn lacks_choice(&self) -> bool {
        (self.has_seed || self.has_then) && self.plan().is_none()
    }
}

#[cfg(not(any(windows, miri)))]
fn number<T: FromStr>(digits: &str) -> Option<T> {
    digits.parse().ok()
}

/// The plan of the whole process, if there is one.
#[cfg(not(any(windows, miri)))]
static OF_PROCESS: OnceLock<Progress> = OnceLock::new();

/// Puts a plan into effect for the whole process. Two threads that find the same in the environment may both come.
#[cfg(not(any(windows, miri)))]
pub(crate) fn set_for_process(plan: FaultPlan) {
    OF_PROCESS.get_or_init(|| Progress::new(plan));
}

/// Under Miri the environment is not asked.
#[cfg(miri)]
pub(crate) fn set_for_process(_: FaultPlan) {}

/// Counts an allocation by the process's plan, and gives its number if it is to fail.
pub(crate) fn fails_in_process(size: usize, family: Family) -> Option<u64> {
    #[cfg(not(any(windows, miri)))]
    return OF_PROCESS.get()?.fails(size, family);
    #[cfg(any(windows, miri))]
    {
        let _ = (size, family);
        None
    }
}
