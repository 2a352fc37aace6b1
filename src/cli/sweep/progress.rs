//! How far a sweep has come, on a terminal.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A bar on standard error, or nothing where that is no terminal. How many runs there will be is not known before the
/// last: what the runs so far have allocated tells.
pub(super) struct Progress {
    bar: ProgressBar,
    broken: u64,
}

impl Progress {
    pub(super) fn new() -> Self {
        let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
        let style =
            ProgressStyle::with_template("{spinner} {wide_bar} {pos} of some {len} runs{msg}");
        if let Ok(style) = style {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(200));
        Self { bar, broken: 0 }
    }

    /// A run has ended, which allocated so much.
    pub(super) fn ran(&mut self, allocations: u64, is_broken: bool) {
        self.bar.inc(1);
        let expected = (allocations + 1).max(self.bar.position());
        if self.bar.length().is_none_or(|length| expected > length) {
            self.bar.set_length(expected);
        }
        if is_broken {
            self.broken += 1;
            self.bar.set_message(format!(", {} broken", self.broken));
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
