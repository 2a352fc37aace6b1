//! What is legal is not told.

use crate::support::{assert_kept, byte_len, free, free_task, poke, string, task, watched};
use olemem::heap::{self, DidAlloc, Family};
use olemem::layout::HEADER;
use olemem::{Bstr, BstrRef, ByteLen, UnitLen, bstr, raw};

/// A BSTR-shaped struct on the stack, in static storage, in other memory.
#[test]
fn a_string_need_not_be_a_block_to_be_read() {
    #[repr(C)]
    struct Shaped(u32, [u16; 3]);

    assert_kept(&watched(|| {
        let shaped = Shaped(4, [0x41, 0x42, 0]);
        // SAFETY: a prefix of four bytes is before the units.
        let units = unsafe { (&raw const shaped).cast::<u8>().add(4) }
            .cast_mut()
            .cast();
        assert_eq!(byte_len(units), 4);
        let literal: BstrRef<'_> = bstr!("literal");
        assert_eq!(byte_len(literal.as_raw().cast_mut()), 14);
        let block = task(HEADER + 8);
        // SAFETY: four bytes within the block.
        unsafe {
            block
                .wrapping_add(HEADER - 4)
                .cast::<[u8; 4]>()
                .write(6_u32.to_ne_bytes())
        };
        assert_eq!(byte_len(block.wrapping_add(HEADER).cast()), 6);
        free_task(block);
    }));
}

/// V036 and its like: what the functions answer is what they answer without an audit.
#[test]
fn the_results_are_the_same() {
    assert_kept(&watched(|| {
        let block = task(27);
        // SAFETY: the block is live.
        assert_eq!(unsafe { heap::size_of(block) }, Some(27));
        // SAFETY: as above.
        assert_eq!(unsafe { heap::did_alloc(block) }, DidAlloc::Yes);
        // SAFETY: any address will do.
        let inner = unsafe { heap::did_alloc(block.wrapping_add(1)) };
        assert_eq!(inner, DidAlloc::No);
        assert!(block.addr().is_multiple_of(heap::ALIGN));
        // SAFETY: the block is live, and nothing else uses it.
        let block = unsafe { heap::realloc(block, 0, Family::Task) };
        assert!(block.is_null());

        let mut text = string("shrinks");
        let before = text;
        // SAFETY: the string is live, and nothing else uses it.
        assert!(unsafe { raw::realloc_units(&raw mut text, std::ptr::null(), UnitLen::new(3)) });
        assert_eq!(text, before);
        assert_eq!(byte_len(text), 6);
        free(text);
        heap::minimize();
    }));
}

/// `old = s; VarBstrCat(s, t, &s); SysFreeString(old)`.
#[test]
fn a_string_may_be_joined_to_itself() {
    assert_kept(&watched(|| {
        let mut text = string("ab");
        let old = text;
        // SAFETY: both are live.
        text = unsafe { raw::concat(text, text) };
        free(old);
        assert_eq!(byte_len(text), 8);
        free(text);
    }));
}

#[test]
fn the_byte_that_pads_an_odd_length_may_be_written() {
    assert_kept(&watched(|| {
        // SAFETY: a null source needs nothing.
        let text = unsafe { raw::alloc_bytes(std::ptr::null(), ByteLen::new(5)) };
        // SAFETY: the padding byte.
        unsafe { poke(text, 5, 0xFF) };
        free(text);
    }));
}

/// A failure is no violation, and loses nothing.
#[test]
fn an_allocation_may_fail() {
    let report = watched(|| {
        let mut text = Bstr::from("text");
        let failing = olemem::fault::fail_nth(1);
        assert!(
            text.try_push_str(" and much more than there was room for")
                .is_err()
        );
        drop(failing);
        assert_eq!(text, "text");
        let failing = olemem::fault::fail_nth(1);
        assert!(Bstr::try_from_str("x").is_err());
        drop(failing);
    });
    assert_kept(&report);
    assert_eq!(report.counts().failed, 2);
}

/// Memory that comes and goes by other threads.
#[test]
fn a_block_may_be_freed_by_any_thread() {
    let mut texts = vec![Bstr::from("one"), Bstr::from("two")];
    let report = watched(|| {
        let third = Bstr::from("three");
        let gone = std::thread::spawn(move || {
            drop(third);
            texts.push(Bstr::from("of no session"));
            texts
        });
        drop(gone.join().expect("it ends"));
    });
    assert_kept(&report);
    assert_eq!(report.counts().allocated, 1);
}

/// Blocks from before lie side by side: one that was freed says nothing of the next.
#[test]
fn blocks_from_before_are_freed_one_after_the_other() {
    for units in [1_usize, 3, 8, 11, 20] {
        let texts: Vec<Bstr> = (0..if cfg!(miri) { 4 } else { 40 })
            .map(|_| Bstr::from_wide(&vec![0x41; units]))
            .collect();
        let reversed = texts.clone();
        let report = watched(|| {
            drop(Bstr::from("seen"));
            drop(texts);
            reversed.into_iter().rev().for_each(drop);
        });
        assert_kept(&report);
    }
}

/// A session may end while safe code goes on: on another thread, behind a reference, in memory that was never written.
/// Miri sees that nothing of it is touched.
#[test]
fn safe_code_goes_on_while_its_session_ends() {
    use std::mem::MaybeUninit;
    use std::sync::mpsc;

    use olemem::TaskBox;
    use olemem::audit::Session;

    let session = Session::begin();
    let joiner = session.joiner();
    let (started, wait) = mpsc::channel();
    let busy = std::thread::spawn(move || {
        let _joined = joiner.join();
        let mut number = TaskBox::new(0_u64);
        let mut text = Bstr::from("text");
        started.send(()).expect("somebody waits");
        for step in 0..if cfg!(miri) { 200 } else { 20_000 } {
            *number = step;
            text.as_mut_units()[0] = 0x41 + u16::from(step % 2 == 0);
            if step % 50 == 0 {
                std::thread::yield_now();
            }
        }
        (number, text)
    });
    wait.recv().expect("it starts");
    let mut borrowed = TaskBox::new(5_u64);
    let inner = &mut *borrowed;
    let padded = TaskBox::new((1_u8, 2_u64));
    let unwritten = TaskBox::new(MaybeUninit::<[u8; 32]>::uninit());
    let report = session.finish();
    *inner += 1;
    assert_eq!((*borrowed, *padded), (6, (1, 2)));
    drop(unwritten);
    let (number, text) = busy.join().expect("it ends");
    drop((number, text));
    assert!(report.violations().len() >= 3);
}
