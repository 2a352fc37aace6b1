//! Wall time of the allocation paths, beside the system's malloc doing the same work. Each bench asserts
//! its result. What is judged, and peers that are written in C, are in `benches/peers`.

#![allow(missing_docs, reason = "criterion's macros write no docs")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::sync::mpsc::sync_channel;
use std::thread;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use olemem::heap::{self, Family};
use olemem::{Bstr, ByteVector, UnitLen, raw};

const UNITS: [u32; 4] = [4, 16, 64, 1024];

/// Allocate, copy, free: a BSTR, and the same with malloc.
fn pairs(c: &mut Criterion) {
    let mut group = c.benchmark_group("pair");
    for units in UNITS {
        let text = vec![0x61_u16; units as usize];
        group.throughput(Throughput::Elements(1));
        group.bench_with_input(BenchmarkId::new("bstr", units), &text, |b, text| {
            b.iter(|| {
                // SAFETY: the source has so many units.
                let bstr =
                    unsafe { raw::alloc_units(black_box(text.as_ptr()), UnitLen::new(units)) };
                // SAFETY: the string is live.
                assert_eq!(unsafe { raw::unit_len(bstr) }.get(), units);
                // SAFETY: the string is live, and this is its last use.
                unsafe { raw::free(bstr) };
            });
        });
        group.bench_with_input(BenchmarkId::new("malloc", units), &text, |b, text| {
            let bytes = text.len() * 2;
            let layout = Layout::from_size_align(8 + bytes + 2, 16).expect("a small block");
            b.iter(|| {
                // SAFETY: the layout is not of size zero.
                let block = unsafe { System.alloc(layout) };
                assert!(!block.is_null());
                // SAFETY: the block has room for the text behind a header.
                let payload = unsafe { block.add(8) };
                // SAFETY: as above.
                unsafe { payload.copy_from_nonoverlapping(black_box(text.as_ptr().cast()), bytes) };
                black_box(block);
                // SAFETY: the block is live, and of that layout.
                unsafe { System.dealloc(block, layout) };
            });
        });
    }
    group.finish();
}

/// A BSTR that must be freed by hand.
struct Raw(*mut u16);

// SAFETY: any thread may free a string.
unsafe impl Send for Raw {}

impl Raw {
    fn new(text: &[u16]) -> Self {
        let len = UnitLen::try_from(text.len()).expect("a short text");
        // SAFETY: the slice has so many units.
        let bstr = unsafe { raw::alloc_units(text.as_ptr(), len) };
        assert!(!bstr.is_null());
        Self(bstr)
    }

    fn len(&self) -> usize {
        // SAFETY: the string is live.
        unsafe { raw::unit_len(self.0) }.as_usize()
    }

    fn free(self) {
        // SAFETY: the string is live, and this is its last use.
        unsafe { raw::free(self.0) };
    }
}

/// The numbers below `count` in no order, the same every time.
fn shuffled(count: usize) -> Vec<usize> {
    let mut numbers: Vec<usize> = (0..count).collect();
    let mut dice = 0x9E37_79B9_7F4A_7C15_u64;
    for end in (1..count).rev() {
        dice ^= dice << 13;
        dice ^= dice >> 7;
        dice ^= dice << 17;
        numbers.swap(
            end,
            usize::try_from(dice >> 33).expect("31 bits") % (end + 1),
        );
    }
    numbers
}

/// A thousand strings made, then freed in the same, the reverse and no order.
fn batches(c: &mut Criterion) {
    const COUNT: usize = 1000;
    let mut group = c.benchmark_group("batch of 1000");
    group.throughput(Throughput::Elements(1000));
    for (name, order) in [
        ("same", (0..COUNT).collect()),
        ("reverse", (0..COUNT).rev().collect()),
        ("random", shuffled(COUNT)),
    ] {
        for units in UNITS {
            let text = vec![0x61_u16; units as usize];
            let mut live: Vec<Option<Raw>> = Vec::new();
            live.resize_with(COUNT, || None);
            group.bench_function(BenchmarkId::new(name, units), |b| {
                b.iter(|| {
                    for place in &mut live {
                        *place = Some(Raw::new(black_box(&text)));
                    }
                    for number in &order {
                        let string = live[*number].take().expect("each is freed once");
                        assert_eq!(string.len(), text.len());
                        string.free();
                    }
                });
            });
        }
    }
    group.finish();
}

/// 2048 strings of 1 to 200 units live; one after another is replaced.
fn churn(c: &mut Criterion) {
    const LIVE: usize = 2048;
    let text = vec![0x61_u16; 200];
    let steps: Vec<(usize, usize)> = shuffled(LIVE)
        .into_iter()
        .zip(shuffled(LIVE))
        .map(|(place, number)| (place, 1 + number % 200))
        .collect();
    let mut live: Vec<(usize, Raw)> = steps
        .iter()
        .map(|(_, len)| (*len, Raw::new(&text[..*len])))
        .collect();
    let mut group = c.benchmark_group("churn");
    group.throughput(Throughput::Elements(2048));
    group.bench_function("2048 live", |b| {
        b.iter(|| {
            for (place, len) in &steps {
                let new = (*len, Raw::new(&text[..*len]));
                let (held, old) = std::mem::replace(&mut live[*place], new);
                assert_eq!(old.len(), held);
                old.free();
            }
        });
    });
    group.finish();
    for (_, string) in live {
        string.free();
    }
}

/// Strings made here, and freed by another thread at the same time.
fn remote(c: &mut Criterion) {
    const BATCH: usize = 1000;
    let text = vec![0x61_u16; 16];
    let (batches, received) = sync_channel::<Vec<Raw>>(4);
    let other = thread::spawn(move || {
        let mut freed = 0;
        for string in received.into_iter().flatten() {
            assert_eq!(string.len(), 16);
            string.free();
            freed += 1;
        }
        freed
    });
    let mut made = 0;
    let mut group = c.benchmark_group("freed by another thread");
    group.throughput(Throughput::Elements(1000));
    group.bench_function("16 units", |b| {
        b.iter(|| {
            let batch = (0..BATCH).map(|_| Raw::new(black_box(&text))).collect();
            batches.send(batch).expect("the other thread lives");
            made += BATCH;
        });
    });
    group.finish();
    drop(batches);
    assert_eq!(other.join().expect("no panic"), made);
}

/// Task memory: a thousand blocks allocated, then freed in order; and one that grows.
fn task(c: &mut Criterion) {
    let mut group = c.benchmark_group("task");
    group.throughput(Throughput::Elements(1000));
    for size in [16_usize, 64, 256, 40_000] {
        group.bench_function(BenchmarkId::new("batch of 1000", size), |b| {
            b.iter(|| {
                let blocks: Vec<*mut u8> =
                    (0..1000).map(|_| heap::alloc(size, Family::Task)).collect();
                // SAFETY: the block is live.
                assert_eq!(unsafe { heap::size_of(blocks[999]) }, Some(size));
                for block in blocks {
                    // SAFETY: the block is live, and this is its last use.
                    unsafe { heap::free(block, Family::Task) };
                }
            });
        });
    }
    group.bench_function("realloc, 64 bytes more 1000 times", |b| {
        b.iter(|| {
            let mut block = std::ptr::null_mut();
            for step in 1..=1000 {
                // SAFETY: null at first, then the block; the old pointer is overwritten.
                block = unsafe { heap::realloc(block, 64 * step, Family::Task) };
                assert!(!block.is_null());
            }
            // SAFETY: the block is live.
            assert_eq!(unsafe { heap::size_of(block) }, Some(64_000));
            // SAFETY: the block is live, and this is its last use.
            unsafe { heap::free(block, Family::Task) };
        });
    });
    group.finish();
}

/// The same pairs and batches in a heap of one's own.
#[cfg(not(windows))]
fn own_heap(c: &mut Criterion) {
    use allocator_api2::alloc::System;
    use olemem::heap::Heap;

    static HEAP: Heap<System> = Heap::new_in(System);
    let mut group = c.benchmark_group("Heap<System>");
    for size in [16_usize, 48, 144, 2064] {
        group.throughput(Throughput::Elements(1));
        group.bench_function(BenchmarkId::new("pair", size), |b| {
            b.iter(|| {
                let block = black_box(HEAP.alloc(black_box(size), Family::Task));
                assert!(!block.is_null());
                // SAFETY: the block is live, and this is its last use.
                unsafe { HEAP.free(block) };
            });
        });
        group.throughput(Throughput::Elements(1000));
        group.bench_function(BenchmarkId::new("batch of 1000", size), |b| {
            b.iter(|| {
                let blocks: Vec<*mut u8> =
                    (0..1000).map(|_| HEAP.alloc(size, Family::Task)).collect();
                assert_eq!(HEAP.size_of(blocks[999]), Some(size));
                for block in blocks {
                    // SAFETY: the block is live, and this is its last use.
                    unsafe { HEAP.free(block) };
                }
            });
        });
    }
    group.finish();
}

/// On Windows the heap is the system's.
#[cfg(windows)]
fn own_heap(_: &mut Criterion) {}

/// One unit at a time, by the raw operation and by the safe type; and by short pieces, beside a `String`.
fn growth(c: &mut Criterion) {
    const PIECES: usize = 500;
    let mut group = c.benchmark_group("growth");
    group.bench_function("realloc_units to 1000", |b| {
        b.iter(|| {
            let mut bstr = std::ptr::null_mut();
            for len in 1..=1000 {
                // SAFETY: a null or live string of this thread's; a null source keeps what is there.
                let grown = unsafe {
                    raw::realloc_units(&raw mut bstr, std::ptr::null(), UnitLen::new(len))
                };
                assert!(grown);
            }
            let grown = Raw(bstr);
            assert_eq!(grown.len(), 1000);
            grown.free();
        });
    });
    group.bench_function("push_units, 1000 by one", |b| {
        b.iter(|| {
            let mut bstr = Bstr::new();
            for _ in 0..1000 {
                bstr.push_units(&[0x61]);
            }
            assert_eq!(bstr.len(), 1000);
        });
    });
    group.bench_function("push_str, 500 pieces", |b| {
        b.iter(|| {
            let mut bstr = Bstr::new();
            for _ in 0..PIECES {
                bstr.push_str(black_box("a piece "));
            }
            assert_eq!(bstr.len(), 8 * PIECES);
        });
    });
    group.bench_function("String::push_str, 500 pieces", |b| {
        b.iter(|| {
            let mut text = String::new();
            for _ in 0..PIECES {
                text.push_str(black_box("a piece "));
            }
            assert_eq!(black_box(&text).len(), 8 * PIECES);
        });
    });
    group.finish();
}

/// Text in and out.
fn text(c: &mut Criterion) {
    let mut group = c.benchmark_group("text");
    for (script, text) in [("ascii", "status: done "), ("mixed", "état: готово ✓ 🎉 ")] {
        let text = text.repeat(64);
        let units = text.encode_utf16().count();
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_function(BenchmarkId::new("from str", script), |b| {
            b.iter(|| {
                let bstr = Bstr::from(black_box(text.as_str()));
                assert_eq!(bstr.len(), units);
            });
        });
        let bstr = Bstr::from(text.as_str());
        group.bench_function(BenchmarkId::new("to string", script), |b| {
            b.iter(|| assert_eq!(black_box(&bstr).to_string_lossy().len(), text.len()));
        });
    }
    group.finish();
}

/// A BSTR's bytes as an array, and back.
fn vectors(c: &mut Criterion) {
    let mut group = c.benchmark_group("BSTR to vector and back");
    for bytes in [7_usize, 32, 2048, 65_535] {
        let text = Bstr::from_bytes(&vec![0x61; bytes]);
        group.throughput(Throughput::Bytes(bytes as u64));
        group.bench_with_input(BenchmarkId::new("bytes", bytes), &text, |b, text| {
            b.iter(|| {
                let vector = ByteVector::try_from_bstr(black_box(text.as_bstr())).expect("memory");
                let back = vector.try_to_bstr().expect("memory");
                assert_eq!(back.byte_len(), text.byte_len());
            });
        });
    }
    group.finish();
}

/// Allocate, copy, free in a session of the audit, by how much is kept of each stack.
#[cfg(all(feature = "audit", feature = "export", not(windows)))]
fn audited(c: &mut Criterion) {
    use olemem::audit::{Backtrace, Session};
    use olemem::export::{SysAllocStringLen, SysFreeString};

    let text = [0x61_u16; 16];
    let mut group = c.benchmark_group("audited pair");
    for (name, backtrace) in [
        ("off", Backtrace::Off),
        ("short", Backtrace::Short),
        ("full", Backtrace::Full),
    ] {
        let session = Session::options().backtrace(backtrace).begin();
        group.bench_function(BenchmarkId::new("raw", name), |b| {
            b.iter(|| {
                let made = Raw::new(black_box(&text));
                assert_eq!(made.len(), 16);
                made.free();
            });
        });
        group.bench_function(BenchmarkId::new("Bstr, dropped", name), |b| {
            b.iter(|| assert_eq!(Bstr::from_wide(black_box(&text)).len(), 16));
        });
        group.bench_function(BenchmarkId::new("C", name), |b| {
            b.iter(|| {
                // SAFETY: the source has so many units.
                let bstr = unsafe { SysAllocStringLen(black_box(text.as_ptr()), 16) };
                assert!(!bstr.is_null());
                // SAFETY: the string is live, and this is its last use.
                unsafe { SysFreeString(bstr) };
            });
        });
        // None of them may have been asked for.
        assert_eq!(session.finish().violations(), []);
    }
    group.finish();
}

/// There is no audit, or no C.
#[cfg(not(all(feature = "audit", feature = "export", not(windows))))]
fn audited(_: &mut Criterion) {}

criterion_group!(
    benches, audited, pairs, batches, churn, remote, task, own_heap, growth, text, vectors
);
criterion_main!(benches);
