//! Wall time of the allocation paths, beside the system's malloc doing the same work. Each bench asserts
//! its result.

#![allow(missing_docs, reason = "criterion's macros write no docs")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use olemem::heap::{self, Family};
use olemem::{Bstr, UnitLen, raw};

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

/// A thousand blocks allocated, then freed in order.
fn batches(c: &mut Criterion) {
    let mut group = c.benchmark_group("batch of 1000");
    for size in [16_usize, 64, 256] {
        group.throughput(Throughput::Elements(1000));
        group.bench_function(BenchmarkId::new("task", size), |b| {
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
    group.finish();
}

/// One unit at a time.
fn growth(c: &mut Criterion) {
    c.bench_function("push 1000 units", |b| {
        b.iter(|| {
            let mut bstr = Bstr::new();
            for _ in 0..1000 {
                bstr.push_units(&[0x61]);
            }
            assert_eq!(bstr.len(), 1000);
        });
    });
}

/// Text in and out.
fn text(c: &mut Criterion) {
    let mut group = c.benchmark_group("text");
    for (script, text) in [("ascii", "status: done "), ("mixed", "état: готово ✓ 🎉 ")] {
        let text = text.repeat(64);
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_function(BenchmarkId::new("from str", script), |b| {
            b.iter(|| Bstr::from(black_box(text.as_str())));
        });
        let bstr = Bstr::from(text.as_str());
        group.bench_function(BenchmarkId::new("to string", script), |b| {
            b.iter(|| assert_eq!(black_box(&bstr).to_string_lossy().len(), text.len()));
        });
    }
    group.finish();
}

criterion_group!(benches, pairs, batches, growth, text);
criterion_main!(benches);
