//! 64 MiB by whoever means harm, for each decoder: refused or decoded within a second, without an allocation but for the strings that
//! are asked for. Both are asserted, in `--test` as well.

#![allow(missing_docs, reason = "criterion's macros write no docs")]

#[path = "../tests/support/counted.rs"]
mod counted;
#[path = "../tests/support/hostile.rs"]
mod hostile;

use std::hint::black_box;
use std::num::NonZero;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use olemem::image::{Anatomy, PresentedBstr, Shape, Start, candidates};
use olemem::layout::{ByteOrder, PointerWidth};
use olemem::wire::{Syntax, TransmittedBstr, TransmittedBstrs, TransmittedVariant};
use olemem::{Bstr, UnitLen};

const LEN: usize = 64 << 20;

/// What no input of this size may take of a processor.
const MOST: Duration = Duration::from_secs(1);

/// The time that this thread has had, which is no longer for what else the machine does.
#[cfg(unix)]
fn time() -> Duration {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the variable is writable.
    let status = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    assert_eq!(status, 0, "a thread has a clock");
    let part = |number| u64::try_from(number).expect("time goes on");
    Duration::from_secs(part(time.tv_sec)) + Duration::from_nanos(part(time.tv_nsec))
}

/// The time since the first time that it was asked for.
#[cfg(not(unix))]
fn time() -> Duration {
    use std::sync::OnceLock;
    use std::time::Instant;

    static FIRST: OnceLock<Instant> = OnceLock::new();
    FIRST.get_or_init(Instant::now).elapsed()
}

const SHAPE: Shape = Shape {
    width: PointerWidth::W64,
    order: ByteOrder::Little,
};

/// A decoder over all of the bytes; how much it found.
type Decoder = fn(&[u8]) -> usize;

/// By name; whether it makes strings of what it finds; whether the bytes are to be those of a VARIANT.
const DECODERS: [(&str, Decoder, bool); 8] = [
    ("wire, one", one, false),
    ("wire, many", many, false),
    ("wire, many, as Bstr", many_owned, false),
    ("wire, VARIANT", variant, true),
    ("image, parse", parse, false),
    ("image, all findings", findings, false),
    ("image, scan", scan, false),
    ("image, scan of every place", scan_everywhere, false),
];

fn one(bytes: &[u8]) -> usize {
    TransmittedBstr::decode(bytes, 0, Syntax::Ndr).map_or(0, |(bstr, _)| {
        let owned = Bstr::try_from(bstr).expect("there is memory");
        1 + owned.byte_len().as_usize()
    })
}

/// As many as there can be of so many bytes.
fn all(bytes: &[u8]) -> TransmittedBstrs<'_> {
    let count = u32::try_from(bytes.len() / Syntax::Ndr.header()).expect("64 MiB");
    TransmittedBstrs::new(bytes, 0, count, Syntax::Ndr).expect("there is room for the headers")
}

fn many(bytes: &[u8]) -> usize {
    all(bytes).filter(Result::is_ok).count()
}

fn many_owned(bytes: &[u8]) -> usize {
    all(bytes)
        .map_while(Result::ok)
        .filter(|bstr| Bstr::try_from(*bstr).is_ok())
        .count()
}

fn variant(bytes: &[u8]) -> usize {
    TransmittedVariant::decode(bytes, 0)
        .map_or(0, |(variant, _)| 1 + variant.bstr.byte_len().as_usize())
}

fn parse(bytes: &[u8]) -> usize {
    PresentedBstr::parse(bytes, SHAPE, Start::Block)
        .map_or(0, |bstr| 1 + bstr.byte_len().as_usize())
}

fn findings(bytes: &[u8]) -> usize {
    Anatomy::of(bytes, SHAPE, Start::Block).findings().count()
}

fn scan(bytes: &[u8]) -> usize {
    candidates(bytes, SHAPE, UnitLen::new(1)).count()
}

fn scan_everywhere(bytes: &[u8]) -> usize {
    let found = candidates(bytes, SHAPE, UnitLen::new(1));
    found.aligned_to(NonZero::<usize>::MIN).count()
}

fn hostile(c: &mut Criterion) {
    let mut group = c.benchmark_group("hostile");
    group.sample_size(10);
    group.warm_up_time(Duration::from_millis(100));
    group.measurement_time(Duration::from_secs(1));
    group.throughput(Throughput::Bytes(LEN as u64));
    for (kind, make) in hostile::KINDS {
        let plain = make(LEN);
        let wrapped = hostile::in_variant(&plain);
        for (name, decode, is_variant) in DECODERS {
            let bytes = if is_variant { &wrapped } else { &plain };
            let before = counted::allocations();
            let start = time();
            let found = decode(black_box(bytes));
            let took = time() - start;
            // The strings come from olemem's heap, which does not stand on this one.
            assert_eq!(counted::allocations(), before, "{name}, {kind}");
            assert!(took < MOST, "{name}, {kind}: {took:?}");
            println!("{name}, {kind}: {took:?} of a processor, {found} found");
            group.bench_function(BenchmarkId::new(name, kind), |b| {
                b.iter(|| assert_eq!(decode(black_box(bytes)), found));
            });
        }
    }
    group.finish();
}

criterion_group!(benches, hostile);
criterion_main!(benches);
