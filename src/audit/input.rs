//! One input of a fuzzer's, judged by itself.

use super::ledger::SessionId;
#[cfg(feature = "export")]
use super::numbered;
#[cfg(any(not(unix), miri))]
use super::options::Options;
#[cfg(all(unix, not(miri)))]
use super::process::{end_input, input_options};

/// Runs what is done with one input of a fuzzer's.
///
/// Where the process is watched (`OLEMEM=check`), the input has a session of its own, with the process's options, and
/// answers for itself: if it breaks a rule, or leaves a block that it allocated, the report is written and the process aborts, which is
/// a finding with this very input. With `OLEMEM=check,halt=first` the first bad call aborts there and then, so that the
/// fuzzer's stack is that call's. What is [suppressed](super::Suppressions) is no violation here either, and warnings
/// are.
///
/// Elsewhere it just runs, and blocks are as AddressSanitizer needs them. So one target serves for two runs: see
/// `docs/fuzzing.md` in the repository and the package.
///
/// What is done to blocks from before it, by whichever thread as long as the input lasts, is its own, too: bad calls, and what was
/// written around them. Two things are seen only later: that a terminator was overwritten, when such a string is freed, or used in a
/// call; and that a string was freed that the input was lent from outside, when its owner frees it. With `halt=first` that is in
/// time, if it is within the fuzzer's target.
///
/// What the input keeps on purpose, as a cache of the program's own does, is for [`ignore`](super::ignore). Threads that
/// it starts are in the process's session, where leaks are told when the process ends.
///
/// At its end each live block of the process is looked at, which costs an input a few tenths of a microsecond for each.
///
/// # Panics
///
/// If the code does; the input has ended by then.
///
/// # Examples
///
/// ```
/// use olemem::{Bstr, BstrRef, audit};
///
/// fn parse(setting: BstrRef<'_>) -> Option<Bstr> {
///     let text = setting.try_to_string().ok()?;
///     text.split_once('=').map(|(name, _)| Bstr::from(name))
/// }
///
/// // In a fuzz target: fuzz_target!(|text: Bstr| { … });
/// let text = Bstr::from("colour=red");
/// audit::input(|| drop(parse(text.as_bstr())));
/// ```
pub fn input<T>(code: impl FnOnce() -> T) -> T {
    let Some(options) = input_options() else {
        return code();
    };
    let _under_way = UnderWay(options.begin().into_id());
    code()
}

/// An input that ends where its code does, whether that returns or unwinds.
struct UnderWay(SessionId);

impl Drop for UnderWay {
    fn drop(&mut self) {
        end_input(self.0);
    }
}

/// Begins the session of an input; `None` where the process is not watched, or none can begin.
#[cfg(feature = "export")]
pub(crate) fn begin() -> Option<SessionId> {
    input_options().and_then(numbered::begin)
}

/// Ends it, and the process if a rule was broken.
#[cfg(feature = "export")]
pub(crate) fn end(session: SessionId) {
    end_input(session);
}

/// There is no process mode here.
#[cfg(any(not(unix), miri))]
fn input_options() -> Option<Options> {
    None
}

/// There is no process mode here.
#[cfg(any(not(unix), miri))]
fn end_input(_: SessionId) {}
