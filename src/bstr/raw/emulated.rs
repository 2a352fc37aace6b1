//! The operations over olemem's own heap. The picture is in `layout`.
//!
//! Invariants of every BSTR made here:
//!
//! 1. It stands [`HEADER`] bytes into a block of exactly [`block_size`] bytes of its length; of at least so
//!    many, if the block comes from the cache.
//! 2. The four bytes before it are the length, in host order.
//! 3. [`terminator_bytes`] zero bytes follow the payload, within the block.
//!
//! [`block_size`]: crate::layout::PointerWidth::block_size

use core::ptr;

use crate::bstr::prefix::{self, block_of};
use crate::bstr::{cache, pin};
use crate::layout::{GRANULE, HEADER, PREFIX, PointerWidth, header_bytes, terminator_bytes};
use crate::task::block::Family;
use crate::task::caller::Caller;
use crate::task::heap::{self, tail};
use crate::task::mode;
use crate::task::string::source_len;
#[cfg(any(feature = "export", feature = "audit"))]
use crate::task::{hook, mode::Mode};
use crate::units::{ByteLen, UNIT_BYTES, UnitLen};

/// Tells the overseer something, if there is one.
macro_rules! tell {
    ($method:ident($($argument:expr),*)) => {
        #[cfg(any(feature = "export", feature = "audit"))]
        if !mode::is_quiet()
            && let Some(overseer) = hook::overseer()
        {
            overseer.$method($($argument),*);
        }
    };
}

/// # Safety
///
/// * As for [`alloc`](super::alloc).
#[track_caller]
pub(super) unsafe fn alloc(source: *const u16) -> *mut u16 {
    if source.is_null() {
        return ptr::null_mut();
    }
    // SAFETY: the caller promises a zero unit, and `source` is not null.
    let Ok(len) = UnitLen::try_from(unsafe { source_len(source) }) else {
        return ptr::null_mut();
    };
    // SAFETY: so many units were just read.
    unsafe { alloc_units(source, len) }
}

/// # Safety
///
/// * As for [`alloc_units`](super::alloc_units).
#[inline(always)]
#[track_caller]
pub(super) unsafe fn alloc_units(source: *const u16, len: UnitLen) -> *mut u16 {
    // SAFETY: the caller's promise is the precondition.
    unsafe { alloc_units_by::<false>(source, len) }
}

/// As [`alloc_units`], by who may have found that the mode is quiet.
///
/// # Safety
///
/// * As for [`alloc_units`](super::alloc_units).
#[inline(always)]
#[track_caller]
pub(crate) unsafe fn alloc_units_by<const QUIET: bool>(
    source: *const u16,
    len: UnitLen,
) -> *mut u16 {
    if len > PointerWidth::NATIVE.max_units() {
        return ptr::null_mut();
    }
    let bytes = ByteLen::new(len.get() * UNIT_BYTES);
    // SAFETY: the caller's promise, in bytes, which are no more than the limit.
    unsafe { make::<QUIET>(source.cast(), bytes) }
}

/// # Safety
///
/// * As for [`alloc_bytes`](super::alloc_bytes).
#[track_caller]
pub(super) unsafe fn alloc_bytes(source: *const u8, len: ByteLen) -> *mut u16 {
    // SAFETY: the caller's promise is the precondition.
    unsafe { alloc_bytes_by::<false>(source, len) }
}

/// As [`alloc_bytes`], by who may have found that the mode is quiet.
///
/// # Safety
///
/// * As for [`alloc_bytes`](super::alloc_bytes).
#[inline(always)]
#[track_caller]
pub(crate) unsafe fn alloc_bytes_by<const QUIET: bool>(
    source: *const u8,
    len: ByteLen,
) -> *mut u16 {
    if len > PointerWidth::NATIVE.max_bytes() {
        return ptr::null_mut();
    }
    // SAFETY: the caller's promise, and the length is no more than the limit.
    unsafe { make::<QUIET>(source, len) }
}

/// A string of a length within the limit, which the callers have looked at.
///
/// # Safety
///
/// * As for [`alloc_bytes`].
#[inline(always)]
#[track_caller]
unsafe fn make<const QUIET: bool>(source: *const u8, len: ByteLen) -> *mut u16 {
    if !QUIET && !mode::is_quiet() {
        // Asked first, so that the short way has no caller to keep in mind.
        // SAFETY: the caller's promise is the precondition.
        return unsafe { alloc_observed(source, len, Caller::here()) };
    }
    let size = PointerWidth::NATIVE.block_size_within(len) as usize;
    let Some(block) = heap::alloc_at_hand(size, Family::Bstr) else {
        // SAFETY: the caller's promise is the precondition.
        return unsafe { alloc_from_afar(source, len, size) };
    };
    // SAFETY: the block is live, of the size for this length, and nobody else's.
    let bstr = unsafe { frame(block, size, len) };
    if !source.is_null() {
        // SAFETY: the caller promises `len` readable bytes; the payload has room for them, and a new
        // block overlaps nothing.
        unsafe { copy(bstr.cast(), source, len.as_usize()) };
    }
    bstr
}

/// As [`make`], the longer ways. Of C's kind, for such a function does not unwind: whoever calls it needs no
/// landing pad, and the short way no frame.
///
/// # Safety
///
/// * As for [`alloc_bytes`], of which `size` is the block's.
#[inline(never)]
unsafe extern "C" fn alloc_from_afar(source: *const u8, len: ByteLen, size: usize) -> *mut u16 {
    // SAFETY: the caller's promise is the precondition.
    unsafe { make_from_afar(source, len, size) }
}

/// # Safety
///
/// * As for [`alloc_from_afar`].
#[inline(always)]
unsafe fn make_from_afar(source: *const u8, len: ByteLen, size: usize) -> *mut u16 {
    let block = if mode::is_quiet() {
        heap::alloc(size, Family::Bstr)
    } else {
        block_observed(size, len)
    };
    if block.is_null() {
        return ptr::null_mut();
    }
    // SAFETY: the block is live, of the size for this length, and nobody else's.
    let bstr = unsafe { reframe(block, len) };
    tail::close(block, HEADER + len.as_usize() + terminator_bytes(len));
    tell!(framed(block, len));
    if !source.is_null() {
        // SAFETY: the caller promises `len` readable bytes; the payload has room for them, and a new
        // block overlaps nothing.
        unsafe { fill(bstr, 0, source, len.as_usize()) };
    }
    filled(bstr);
    bstr
}

/// As [`make`], where somebody is to know for whom. The unwinder pays for each frame, so this is the only one.
///
/// # Safety
///
/// * As for [`alloc_bytes`], of a length within the limit.
#[cold]
#[inline(never)]
unsafe extern "C" fn alloc_observed(source: *const u8, len: ByteLen, caller: Caller) -> *mut u16 {
    let size = PointerWidth::NATIVE.block_size_within(len) as usize;
    // SAFETY: the caller's promise is the precondition.
    caller.enter(|| unsafe { make_from_afar(source, len, size) })
}

/// A block of `size` bytes for a string of `len`, from the cache if it has one; null if there is no memory.
#[cold]
#[inline(never)]
fn block_observed(size: usize, len: ByteLen) -> *mut u8 {
    let block = cache::reuse(size, len);
    if block.is_null() {
        heap::alloc(size, Family::Bstr)
    } else {
        block
    }
}

/// # Safety
///
/// * As for [`realloc`](super::realloc), and `target` is not null.
#[track_caller]
pub(super) unsafe fn realloc(target: *mut *mut u16, source: *const u16) -> bool {
    // SAFETY: the caller's promise is the precondition.
    Caller::here().enter(|| unsafe { realloc_entered(target, source) })
}

/// # Safety
///
/// * As for [`realloc`].
unsafe fn realloc_entered(target: *mut *mut u16, source: *const u16) -> bool {
    if !mode::is_quiet() {
        // SAFETY: the caller promises that a BSTR pointer is there.
        let old = unsafe { target.read() };
        if !old.is_null() && !may_be_replaced(old, source) {
            return false;
        }
    }
    // The new string is made before the old one goes: a failure changes nothing, and a source inside
    // the old string is read while it is there.
    // SAFETY: the caller's promise on the source.
    let new = unsafe { alloc(source) };
    if new.is_null() && !source.is_null() {
        return false;
    }
    // SAFETY: the caller promises that a BSTR pointer is there.
    let old = unsafe { target.replace(new) };
    tell!(replacing(old, new));
    // SAFETY: the old string is null or live, and nothing else uses it.
    unsafe { super::free(old) };
    true
}

/// # Safety
///
/// * As for [`realloc_units`](super::realloc_units), and `target` is not null.
#[inline]
#[track_caller]
pub(super) unsafe fn realloc_units(
    target: *mut *mut u16,
    source: *const u16,
    len: UnitLen,
) -> bool {
    if !mode::is_quiet() {
        // SAFETY: the caller's promise is the precondition.
        return unsafe { realloc_units_observed(target, source, len, Caller::here()) };
    }
    // SAFETY: the caller promises that a BSTR pointer is there.
    let old = unsafe { target.read() };
    // SAFETY: the caller promises that nothing else uses the string.
    let at_once = |block, size| unsafe { heap::resize_string_at_hand(block, size) };
    // SAFETY: the caller's promise is the precondition.
    if unsafe { kept(old, source, len, at_once) } {
        return true;
    }
    // SAFETY: as above.
    unsafe { realloc_units_from_afar(target, source, len) }
}

/// Gives a BSTR that keeps its contents another length, if its block can be resized where it is; `false` if it
/// cannot, or the BSTR is null or does not keep them.
///
/// # Safety
///
/// * `old` is a null or live BSTR that nothing else uses. What `resize` says to be resized is.
#[inline(always)]
unsafe fn kept(
    old: *mut u16,
    source: *const u16,
    len: UnitLen,
    resize: impl FnOnce(*mut u8, usize) -> bool,
) -> bool {
    let keeps = source.is_null() || ptr::eq(source, old);
    if old.is_null() || !keeps || len > PointerWidth::NATIVE.max_units() {
        return false;
    }
    let block = block_of(old);
    let bytes = ByteLen::new(len.get() * UNIT_BYTES);
    let resized = resize(
        block,
        PointerWidth::NATIVE.block_size_within(bytes) as usize,
    );
    if resized {
        // SAFETY: the block is live, of the size for this length, and nobody else's. It has stayed.
        unsafe { reframe(block, bytes) };
    }
    resized
}

/// As [`realloc_units`], the longer ways. Of C's kind as [`alloc_from_afar`] is.
///
/// # Safety
///
/// * As for [`realloc_units`].
#[inline(never)]
unsafe extern "C" fn realloc_units_from_afar(
    target: *mut *mut u16,
    source: *const u16,
    len: UnitLen,
) -> bool {
    // SAFETY: the caller promises that a BSTR pointer is there.
    let old = unsafe { target.read() };
    // SAFETY: the caller promises that nothing else uses the string.
    let at_once = |block, size| unsafe { heap::resize_large_string_in_place(block, size) };
    // SAFETY: the caller's promise is the precondition.
    if unsafe { kept(old, source, len, at_once) } {
        return true;
    }
    let new = if old.is_null() {
        // SAFETY: the caller's promise on the source: there is no old string for it to be inside.
        unsafe { alloc_units(source, len) }
    } else {
        // SAFETY: the caller's promises, and `old` is not null.
        unsafe { resize(old, source, len) }
    };
    if new.is_null() {
        return false;
    }
    // SAFETY: as for the read above.
    unsafe { target.write(new) };
    true
}

/// As [`realloc_units_from_afar`], where somebody is to know for whom.
///
/// # Safety
///
/// * As for [`realloc_units`].
#[cold]
#[inline(never)]
unsafe extern "C" fn realloc_units_observed(
    target: *mut *mut u16,
    source: *const u16,
    len: UnitLen,
    caller: Caller,
) -> bool {
    // SAFETY: the caller's promise is the precondition.
    caller.enter(|| unsafe { realloc_units_from_afar(target, source, len) })
}

/// The live BSTR `old` at `len` units, filled from `source`; null if that cannot be, and `old` stays.
///
/// # Safety
///
/// * `old` is a live BSTR that nothing else uses.
/// * `source` is null, or inside the block of `old`, or `len` units are readable there.
unsafe fn resize(old: *mut u16, source: *const u16, len: UnitLen) -> *mut u16 {
    let Some(bytes) = len.bytes() else {
        return ptr::null_mut();
    };
    let Some(size) = PointerWidth::NATIVE.block_size(bytes) else {
        return ptr::null_mut();
    };
    let block = block_of(old);
    tail::open(block);
    let keeps = source.is_null() || ptr::eq(source, old);
    if !keeps && let Some(left) = heap::bytes_left(block, source.addr()) {
        let available = left.min(bytes.as_usize());
        tell!(overlaps(old, source));
        // SAFETY: so many bytes of the live block are at `source`.
        return unsafe { replace(old, source.cast(), available, bytes) };
    }
    if !mode::is_quiet() && pin::is_pinned(old) {
        // SAFETY: the caller's promises, the string is pinned, and the source is as was found above.
        return unsafe { resize_pinned(old, if keeps { ptr::null() } else { source }, bytes) };
    }
    if !keeps && mode::is_quiet() {
        // The old contents are not carried along, to be overwritten.
        // SAFETY: the caller promises so many readable units at the source, which is elsewhere.
        return unsafe { resize_anew(old, block, source.cast(), size as usize, bytes) };
    }
    tell!(framing(block, bytes));
    // SAFETY: the caller promises that `old` is live and nothing else uses it.
    let block = unsafe { heap::resize(block, size as usize, Family::Bstr) };
    if block.is_null() {
        return ptr::null_mut();
    }
    // SAFETY: the block is live, of the size for this length, and nobody else's.
    let bstr = unsafe { reframe(block, bytes) };
    tail::close(block, HEADER + bytes.as_usize() + terminator_bytes(bytes));
    tell!(framed(block, bytes));
    if !keeps {
        // SAFETY: the source is outside the old block, so the caller promises `len` readable units;
        // the payload has room for them. A moved block overlaps no memory that is the caller's.
        unsafe { fill(bstr, 0, source.cast(), bytes.as_usize()) };
    }
    filled(bstr);
    bstr
}

/// As [`resize`], where nothing of the old contents stays.
///
/// # Safety
///
/// * `old` is a live BSTR that nothing else uses, in `block`; `len` bytes are readable at `source`, outside of it;
///   `size` is the size of the block for them.
unsafe fn resize_anew(
    old: *mut u16,
    block: *mut u8,
    source: *const u8,
    size: usize,
    len: ByteLen,
) -> *mut u16 {
    // SAFETY: the caller promises that nothing else uses the string.
    if unsafe { heap::resize_string_at_hand(block, size) } {
        // SAFETY: the block is live, of the size for this length, and nobody else's.
        let bstr = unsafe { reframe(block, len) };
        // SAFETY: the caller's promise; the payload has room for so many bytes.
        unsafe { copy(bstr.cast(), source, len.as_usize()) };
        return bstr;
    }
    if heap::extent(block).is_none() {
        // No string at all: let that be said of a reallocation.
        // SAFETY: the caller's promise, if it were kept.
        return unsafe { heap::resize(block, size, Family::Bstr) }.cast();
    }
    // SAFETY: the caller's promises.
    unsafe { replace(old, source, len.as_usize(), len) }
}

/// As [`resize`] of a pinned string, which stays as it is, and is freed when the last pin goes. A null source
/// keeps the contents.
///
/// # Safety
///
/// * `old` is a live BSTR, and `source` is null, or `len` bytes are readable there.
#[cold]
#[inline(never)]
unsafe fn resize_pinned(old: *mut u16, source: *const u16, len: ByteLen) -> *mut u16 {
    let (source, available) = if source.is_null() {
        let held = heap::bytes_left(block_of(old), old.addr()).unwrap_or(0);
        (old.cast_const(), held.min(len.as_usize()))
    } else {
        (source, len.as_usize())
    };
    // SAFETY: so many bytes are at the source.
    unsafe { replace(old, source.cast(), available, len) }
}

/// A new BSTR of `len` bytes of which the first `available` come from `source`; then `old`, in which the
/// source may lie, is freed. Null if there is no memory, and `old` stays.
///
/// # Safety
///
/// * `old` is a live BSTR that nothing else uses, and `available` bytes are readable at `source`.
/// * `available` is at most `len`.
unsafe fn replace(old: *mut u16, source: *const u8, available: usize, len: ByteLen) -> *mut u16 {
    // SAFETY: a null source needs nothing.
    let bstr = unsafe { alloc_bytes(ptr::null(), len) };
    if !bstr.is_null() {
        // SAFETY: the caller promises the bytes at the source; the payload has room for `len`.
        unsafe { fill(bstr, 0, source, available) };
        filled(bstr);
        tell!(replacing(old, bstr));
        // A reallocation passes the cache by.
        if mode::is_quiet() || !pin::defers(old) {
            // SAFETY: the caller promises that `old` is live, and its last use was the line above.
            unsafe { heap::free(block_of(old), Family::Bstr) };
        }
    }
    bstr
}

/// # Safety
///
/// * As for [`free`](super::free), and `bstr` is not null.
#[inline(always)]
#[track_caller]
pub(super) unsafe fn free(bstr: *mut u16) {
    // SAFETY: the caller's promise is the precondition.
    unsafe { free_by::<false>(bstr) };
}

/// As [`free`], by who may have found that the mode is quiet.
///
/// # Safety
///
/// * As for [`free`].
#[inline(always)]
#[track_caller]
pub(crate) unsafe fn free_by<const QUIET: bool>(bstr: *mut u16) {
    if !QUIET && !mode::is_quiet() {
        // SAFETY: the caller's promise is the precondition.
        return unsafe { free_observed(bstr, Caller::here()) };
    }
    // SAFETY: the caller's promise, for the block that the BSTR stands in. The heap judges the address
    // before anything is read there.
    if !unsafe { heap::free_at_hand(block_of(bstr)) } {
        // SAFETY: the caller's promise is the precondition.
        unsafe { free_from_afar(bstr) };
    }
}

/// As [`free`], the longer ways. Of C's kind as [`alloc_from_afar`] is.
///
/// # Safety
///
/// * As for [`free`].
#[cold]
#[inline(never)]
unsafe extern "C" fn free_from_afar(bstr: *mut u16) {
    if mode::is_quiet() {
        // SAFETY: the caller's promise, as above.
        unsafe { heap::release(block_of(bstr), Family::Bstr) };
    } else {
        // SAFETY: the caller's promise is the precondition.
        unsafe { pin::free(bstr) };
    }
}

/// As [`free_from_afar`], where somebody is to know for whom.
///
/// # Safety
///
/// * As for [`free`].
#[cold]
#[inline(never)]
unsafe extern "C" fn free_observed(bstr: *mut u16, caller: Caller) {
    // SAFETY: the caller's promise is the precondition.
    caller.enter(|| unsafe { pin::free(bstr) });
}

/// # Safety
///
/// * As for [`byte_len`](super::byte_len), and `bstr` is not null.
#[inline(always)]
#[track_caller]
pub(super) unsafe fn byte_len(bstr: *const u16) -> ByteLen {
    // SAFETY: the caller's promise is the precondition.
    unsafe { byte_len_by::<false>(bstr) }
}

/// As [`byte_len`], by who may have found that the mode is quiet.
///
/// # Safety
///
/// * As for [`byte_len`].
#[inline(always)]
#[track_caller]
pub(crate) unsafe fn byte_len_by<const QUIET: bool>(bstr: *const u16) -> ByteLen {
    if !QUIET && !mode::is_quiet() && !may_read(bstr, Caller::here()) {
        return ByteLen::ZERO;
    }
    // SAFETY: the caller promises four readable bytes before `bstr`.
    unsafe { prefix::read(bstr) }
}

/// Tells that a prefix is about to be read; `false` if somebody says that it must not be.
#[cold]
#[inline(never)]
extern "C" fn may_read(bstr: *const u16, caller: Caller) -> bool {
    #[cfg(any(feature = "export", feature = "audit"))]
    if mode::get().has(Mode::LISTENED) {
        return caller.enter(|| hook::reading(bstr));
    }
    let _ = (bstr, caller);
    true
}

/// Whether a string that is about to be replaced is one, if there is somebody to judge it. A source that lies in
/// it is told of.
#[cold]
#[inline(never)]
fn may_be_replaced(old: *mut u16, source: *const u16) -> bool {
    #[cfg(any(feature = "export", feature = "audit"))]
    if mode::get().has(Mode::LISTENED) {
        let block = block_of(old);
        // One that a spy put room around is known by its holder's pointer to the seat alone.
        let is_known = heap::extent(block).is_some();
        let judge = hook::overseer().filter(|_| !is_known);
        if judge.is_some_and(|overseer| !overseer.accepts(block, Family::Bstr)) {
            return false;
        }
        if heap::bytes_left(block, source.addr()).is_some() {
            tell!(overlaps(old, source));
        }
    }
    let _ = (old, source);
    true
}

/// Tells that the text of a string was written, by whoever made it.
#[inline]
pub(super) fn filled(bstr: *mut u16) {
    tell!(filled(block_of(bstr)));
    let _ = bstr;
}

/// Writes header and terminator for `len` bytes into a block, and gives the BSTR. The payload is left
/// as it is, but for what lies in the last [`GRANULE`] bytes of the block.
///
/// # Safety
///
/// * `block` is a live block of `size` bytes, which is the size for `len`; it is aligned as blocks are, and
///   nobody else uses it.
#[inline]
unsafe fn frame(block: *mut u8, size: usize, len: ByteLen) -> *mut u16 {
    const { assert!(HEADER >= PREFIX && HEADER.is_multiple_of(align_of::<u16>())) };
    // SAFETY: the size is a multiple of the granule, and not zero.
    let tail = unsafe { block.add(size - GRANULE) };
    // SAFETY: within the block. An even payload ends no more than 14 bytes before the end, so its terminator
    // is in there; the slack becomes clean along with it.
    unsafe { tail.cast::<[u8; GRANULE]>().write([0; GRANULE]) };
    // SAFETY: every block is larger than its header.
    unsafe { block.cast::<[u8; HEADER]>().write(header_bytes(len)) };
    // SAFETY: as above.
    let payload = unsafe { block.add(HEADER) };
    if len.is_odd() {
        // SAFETY: header and payload are within the block.
        let end = unsafe { payload.add(len.as_usize()) };
        // SAFETY: the size for an odd length has room for three bytes more, for the rounding leaves one:
        // header, length and two make an odd sum then.
        unsafe { end.write_bytes(0, terminator_bytes(len)) };
    }
    payload.cast()
}

/// As [`frame`], and all of the payload is left as it is.
///
/// # Safety
///
/// * As for [`frame`].
#[inline]
unsafe fn reframe(block: *mut u8, len: ByteLen) -> *mut u16 {
    // SAFETY: every block is larger than its header.
    unsafe { block.cast::<[u8; HEADER]>().write(header_bytes(len)) };
    // SAFETY: as above.
    let payload = unsafe { block.add(HEADER) };
    // SAFETY: header and payload are within the block.
    let end = unsafe { payload.add(len.as_usize()) };
    // SAFETY: as for `frame`.
    unsafe { end.write_bytes(0, terminator_bytes(len)) };
    payload.cast()
}

/// # Safety
///
/// * As for [`fill`](super::fill).
pub(super) unsafe fn fill(bstr: *mut u16, offset: usize, source: *const u8, bytes: usize) {
    #[cfg(any(feature = "export", feature = "audit"))]
    let bytes = if !mode::is_quiet() && mode::get().has(Mode::LISTENED) {
        hook::copying(source, bytes)
    } else {
        bytes
    };
    // SAFETY: the caller promises room for so many bytes behind the offset.
    let to = unsafe { bstr.cast::<u8>().add(offset) };
    // SAFETY: the caller's promise; a source that overlaps the block is copied as it was.
    unsafe { to.copy_from(source, bytes) };
}

/// Copies `bytes` bytes. A short text by a few moves of fixed size, which may overlap each other, for a call
/// of the C library's would cost as much as all the rest.
///
/// # Safety
///
/// * `from` has so many readable bytes, `to` so many writable ones, and they do not overlap.
#[inline]
unsafe fn copy(to: *mut u8, from: *const u8, bytes: usize) {
    /// Copies the first `N` of the bytes, and the last.
    ///
    /// # Safety
    ///
    /// * As for [`copy`]; `N` is no more than `bytes`.
    #[inline]
    unsafe fn ends<const N: usize>(to: *mut u8, from: *const u8, bytes: usize) {
        // SAFETY: the caller's promise.
        unsafe { to.copy_from_nonoverlapping(from, N) };
        let rest = bytes - N;
        // SAFETY: within the bytes.
        let (to, from) = (unsafe { to.add(rest) }, unsafe { from.add(rest) });
        // SAFETY: the caller's promise.
        unsafe { to.copy_from_nonoverlapping(from, N) };
    }
    match bytes {
        // SAFETY: the caller's promise, and the number is no more than the bytes.
        65..=128 => unsafe { ends::<64>(to, from, bytes) },
        // SAFETY: as above.
        33..=64 => unsafe { ends::<32>(to, from, bytes) },
        // SAFETY: as above.
        16..=32 => unsafe { ends::<16>(to, from, bytes) },
        // SAFETY: as above.
        8..=15 => unsafe { ends::<8>(to, from, bytes) },
        // SAFETY: as above.
        4..=7 => unsafe { ends::<4>(to, from, bytes) },
        // SAFETY: as above.
        2..=3 => unsafe { ends::<2>(to, from, bytes) },
        // SAFETY: the caller's promise.
        _ => unsafe { to.copy_from_nonoverlapping(from, bytes) },
    }
}
