//! Input by whoever means harm: the decoders allocate nothing for it, and strings made of it take what their bytes do, to the byte. How
//! long 64 MiB take is asserted by `benches/hostile.rs`.

#[path = "support/counted.rs"]
mod counted;
#[path = "support/hostile.rs"]
mod hostile;

use std::num::NonZero;

use olemem::UnitLen;
use olemem::image::{Anatomy, PresentedBstr, Shape, Start, candidates};
use olemem::layout::{ByteOrder, PointerWidth};
use olemem::wire::{Syntax, TransmittedBstr, TransmittedBstrs, TransmittedVariant};

const LEN: usize = if cfg!(miri) { 1 << 7 } else { 1 << 16 };

const SHAPES: [Shape; 4] = {
    const fn shape(width: PointerWidth, order: ByteOrder) -> Shape {
        Shape { width, order }
    }
    [
        shape(PointerWidth::W32, ByteOrder::Little),
        shape(PointerWidth::W64, ByteOrder::Little),
        shape(PointerWidth::W32, ByteOrder::Big),
        shape(PointerWidth::W64, ByteOrder::Big),
    ]
};

/// The most strings that there can be in so many bytes.
fn most(bytes: &[u8], syntax: Syntax) -> u32 {
    u32::try_from(bytes.len() / syntax.header()).expect("few")
}

/// Runs code, which must not allocate.
#[track_caller]
fn without_memory<T>(kind: &str, code: impl FnOnce() -> T) -> T {
    let before = counted::allocations();
    let result = code();
    assert_eq!(counted::allocations(), before, "{kind}");
    result
}

/// It would be seen.
#[test]
fn allocations_are_counted() {
    let before = counted::allocations();
    std::hint::black_box(vec![0_u8; 100]);
    assert_eq!(counted::allocations(), before + 1);
}

#[test]
fn nothing_is_allocated_for_the_wire() {
    for (kind, make) in hostile::KINDS {
        let bytes = make(LEN);
        let variant = hostile::in_variant(&bytes);
        for syntax in [Syntax::Ndr, Syntax::Ndr64] {
            let found = without_memory(kind, || {
                let one = TransmittedBstr::decode(&bytes, 0, syntax);
                let all = TransmittedBstrs::new(&bytes, 0, most(&bytes, syntax), syntax)
                    .expect("there is room for the headers");
                let counted = TransmittedBstrs::counted(&bytes, 0, syntax);
                let counted = counted.map_or(0, Iterator::count);
                (one.is_ok(), all.filter(Result::is_ok).count(), counted)
            });
            // Where one is read, it is the first of all.
            assert_eq!(found.0, found.1 > 0, "{kind}");
        }
        let read = without_memory(kind, || TransmittedVariant::decode(&variant, 0).is_ok());
        // Where the first string takes all that there is, the size is right.
        let expected = ["one giant", "lengths to the end"].contains(&kind);
        assert_eq!(read, expected, "{kind}");
    }
}

#[test]
fn nothing_is_allocated_for_images() {
    for (kind, make) in hostile::KINDS {
        let bytes = make(LEN);
        for shape in SHAPES {
            for start in [Start::Block, Start::Prefix] {
                let (findings, parsed) = without_memory(kind, || {
                    let parsed = PresentedBstr::parse(&bytes, shape, start);
                    let anatomy = Anatomy::of(&bytes, shape, start);
                    (anatomy.findings().count(), parsed.is_ok())
                });
                // A flaw is told once, however often it is there: the hostile has thousands of some.
                assert!(findings <= 8, "{kind}: {findings}");
                // What is refused is told of.
                assert!(parsed || findings > 0, "{kind}");
            }
            let found = without_memory(kind, || candidates(&bytes, shape, UnitLen::new(1)).count());
            assert!(found <= LEN / 8, "{kind}: {found}");
            let found = without_memory(kind, || {
                let found = candidates(&bytes, shape, UnitLen::new(1));
                found.aligned_to(NonZero::<usize>::MIN).count()
            });
            // A prefix, a unit and a terminator each, at least.
            assert!(found <= LEN / 8, "{kind}: {found}");
        }
    }
}

/// The hostile is what it says: it gets as far as it is meant to.
#[test]
fn what_is_valid_is_found() {
    let bytes = |name: &str| {
        let (_, make) = hostile::KINDS
            .into_iter()
            .find(|(kind, _)| *kind == name)
            .expect("one of them");
        make(LEN)
    };
    let read = |bytes: &[u8]| {
        let all = TransmittedBstrs::new(bytes, 0, most(bytes, Syntax::Ndr), Syntax::Ndr);
        all.expect("room").map_while(Result::ok).count()
    };
    assert_eq!(read(&bytes("zeros")), LEN / 12);
    assert_eq!(read(&bytes("tiny on the wire")), LEN / 16);
    assert_eq!(read(&bytes("one giant")), 1);
    assert_eq!(read(&bytes("lengths to the end")), 1);
    for name in ["ones", "4 GiB everywhere", "4 GiB in each header"] {
        assert_eq!(read(&bytes(name)), 0, "{name}");
    }
    let found = |name: &str| candidates(&bytes(name), SHAPES[1], UnitLen::new(1)).count();
    assert_eq!(found("tiny in memory"), LEN / 16);
    assert_eq!(found("overlapping text"), 0);
    let pairs = bytes("half pairs");
    let half = Anatomy::of(&pairs, SHAPES[1], Start::Block);
    assert!(half.findings().count() > 1);
}

/// What strings take is what their bytes do: no length is believed beyond them.
#[cfg(all(feature = "audit", any(not(windows), miri)))]
#[test]
fn strings_take_what_their_bytes_do() {
    use olemem::audit::{Backtrace, Session};
    use olemem::{Bstr, ByteLen};

    let size = |bytes: ByteLen| {
        let size = PointerWidth::NATIVE.block_size(bytes);
        u64::from(size.expect("it was there"))
    };
    for (kind, make) in hostile::KINDS {
        let bytes = make(LEN);
        let session = Session::options().backtrace(Backtrace::Off).begin();
        let all = TransmittedBstrs::new(&bytes, 0, most(&bytes, Syntax::Ndr), Syntax::Ndr);
        let mut largest = 0;
        let mut total = 0;
        for bstr in all.expect("room").map_while(Result::ok).take(5000) {
            let owned = Bstr::try_from(bstr).expect("there is memory");
            assert_eq!(owned.byte_len(), bstr.byte_len());
            largest = largest.max(size(bstr.byte_len()));
            total += size(bstr.byte_len());
        }
        let counts = session.finish().counts();
        assert_eq!(counts.peak_bytes, largest, "{kind}");
        assert_eq!(counts.total_bytes, total, "{kind}");
        assert!(largest <= LEN as u64 + 16, "{kind}");
    }
}
