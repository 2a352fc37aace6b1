//! What a session counts.

/// Numbers of a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Calls that allocate, reallocate or free, bad ones among them. Pins, lengths that are read, and what is refused before the
    /// heap is asked, as a string that is too long, are none; a free of a pinned string is one when its last pin goes.
    pub operations: u64,
    /// Blocks that were allocated, those of reallocations that moved included.
    pub allocated: u64,
    /// Blocks that were freed.
    pub freed: u64,
    /// Allocations that failed, for want of memory or by a plan.
    pub failed: u64,
    /// Blocks that are live.
    pub live: u64,
    /// Bytes of live blocks, as `IMalloc::GetSize` tells them.
    pub live_bytes: u64,
    /// The most of them at any time. Of a process that is watched, or of several, the most of any one of its sessions, the inputs of a
    /// fuzzer's among them.
    pub peak_bytes: u64,
    /// Bytes that were ever asked for.
    pub total_bytes: u64,
}

impl Counts {
    /// Nothing was seen.
    pub(super) const NONE: Self = Self {
        operations: 0,
        allocated: 0,
        freed: 0,
        failed: 0,
        live: 0,
        live_bytes: 0,
        peak_bytes: 0,
        total_bytes: 0,
    };

    /// What was counted since; what is live, and was at most, is as it is.
    pub(crate) fn since(self, before: Self) -> Self {
        Self {
            operations: self.operations - before.operations,
            allocated: self.allocated - before.allocated,
            freed: self.freed - before.freed,
            failed: self.failed - before.failed,
            total_bytes: self.total_bytes - before.total_bytes,
            ..self
        }
    }

    /// Those of another session or process as well. The most bytes at a time are those of one.
    pub(crate) fn add(&mut self, other: Self) {
        self.operations += other.operations;
        self.allocated += other.allocated;
        self.freed += other.freed;
        self.failed += other.failed;
        self.live += other.live;
        self.live_bytes += other.live_bytes;
        self.total_bytes += other.total_bytes;
        self.peak_bytes = self.peak_bytes.max(other.peak_bytes);
    }

    pub(super) fn comes(&mut self, size: usize) {
        self.allocated += 1;
        self.live += 1;
        self.total_bytes += size as u64;
        self.live_bytes += size as u64;
        self.peak_bytes = self.peak_bytes.max(self.live_bytes);
    }

    pub(super) fn goes(&mut self, size: usize) {
        self.freed += 1;
        self.live -= 1;
        self.live_bytes -= size as u64;
    }
}
