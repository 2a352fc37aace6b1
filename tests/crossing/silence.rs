//! R19, R30, R52, and what looks odd and is legal: nothing is told.

use crate::support::{OK, assert_kept, free, judged, load, store, string};
use olemem::audit::{Parameter, Session};
use olemem::crossing::WithCode;
use olemem::{Bstr, HResult, In, InOut, Out, raw};

/// R19: success with nothing to return.
#[test]
fn success_with_nothing_to_return() {
    assert_kept(&judged(|audit| {
        drop(Bstr::from("something"));
        let (code, text) = audit.call("IEnum::Next").out_bstr("text").invoke(|text| {
            store(text, std::ptr::null_mut());
            WithCode(HResult::S_FALSE)
        });
        assert_eq!(code, HResult::S_FALSE);
        assert!(text.is_null());
    }));
}

/// R30: a string that is [in] may come from anywhere.
#[test]
fn strings_from_anywhere() {
    static STATIC: [u16; 3] = [0x41, 0x42, 0];
    assert_kept(&judged(|audit| {
        let bstr = Bstr::from("even a BSTR's units");
        let stack = [0x41_u16, 0];
        let heap = vec![0x41_u16, 0];
        for text in [&STATIC[..], &stack, &heap, bstr.as_units()] {
            audit
                .call("IBrowser::put_Title")
                .in_string("title", text)
                .invoke(|title| assert_eq!(load(title.cast_mut()), text[0]));
        }
        let narrow = *b"narrow\0";
        audit
            .call("IBrowser::put_Title")
            .in_string("title", &narrow)
            .invoke(|_| ());
    }));
}

/// R52: memory that never crosses is nobody's business.
#[test]
fn memory_that_never_crosses() {
    assert_kept(&judged(|audit| {
        let text = audit
            .call("IBrowser::get_StatusText")
            .out_bstr("text")
            .invoke(|text| {
                let own = Box::new([0x52_u16, 0]);
                let scratch = Bstr::from("scratch");
                drop((own, scratch));
                store(text, string("Ready"));
            });
        assert_eq!(text, "Ready");
    }));
}

/// `old = s; VarBstrCat(s, t, &s); SysFreeString(old)`.
#[test]
fn a_string_that_is_joined_to_itself() {
    assert_kept(&judged(|audit| {
        let mut text = string("ab");
        let old = text;
        let tail = Bstr::from("c");
        let slot = &raw mut text;
        // SAFETY: a live string.
        let call = unsafe {
            audit
                .call("VarBstrCat")
                .in_raw(Parameter::bstr("left"), old)
        };
        let call = call.in_bstr("right", &tail);
        // SAFETY: a variable of this frame's.
        let call = unsafe { call.out_raw(Parameter::bstr("result"), slot) };
        let result = call.invoke(|left, right, result| {
            // SAFETY: both are live.
            store(result, unsafe { raw::concat(left, right) });
            OK
        });
        assert_eq!(result, Ok(()));
        free(old);
        free(load(slot));
    }));
}

/// An address that is used again for another block.
#[test]
fn an_address_that_is_used_again() {
    let session = Session::options()
        .quarantine(0)
        .backtrace(olemem::audit::Backtrace::Off)
        .begin();
    for _ in 0..if cfg!(miri) { 5 } else { 200 } {
        let text = Bstr::from("Ready");
        session
            .call("IBrowser::put_StatusText")
            .in_bstr("text", &text)
            .invoke(|_| ());
        drop(text);
        let text = session
            .call("IBrowser::get_StatusText")
            .out_bstr("text")
            .invoke(|text| store(text, string("Ready")));
        let own = session
            .call("IBrowser::Quit")
            .out_bstr("last")
            .invoke(|last| {
                free(string("Ready"));
                store(last, string("Ready"));
            });
        drop((text, own));
    }
    assert_kept(&session.finish());
}

extern "system" fn exchange(
    name: In<'_, Bstr>,
    text: InOut<'_, Bstr>,
    old: Out<'_, Bstr>,
) -> HResult {
    let mut text = text;
    old.fill(|| {
        let previous = text.take().ok_or(HResult::E_POINTER)?;
        text.set(name.try_clone()?)
            .map_err(|_| HResult::E_POINTER)?;
        Ok(previous)
    })
}

/// A method in safe types, with all three directions.
#[test]
fn a_method_in_safe_types() {
    assert_kept(&judged(|audit| {
        let name = Bstr::from("new");
        let mut text = Bstr::from("old");
        let old = audit
            .call("IText::Exchange")
            .lend("name", &name)
            .update("text", &mut text)
            .fill("old")
            .invoke(|name, text, old| exchange(name, text, old));
        assert_eq!(old.expect("it succeeds"), "old");
        assert_eq!(text, "new");
    }));
}

/// A session that is over, a thread that is in none: nothing is planted and nothing judged.
#[test]
fn without_a_session() {
    let mut call = olemem::audit::Crossing::begin("IBrowser::get_StatusText");
    let mut text = std::ptr::null_mut::<u16>();
    // SAFETY: a variable of this frame's.
    unsafe { call.output(Parameter::bstr("text"), (&raw mut text).cast()) };
    assert!(load(&raw mut text).is_null());
    call.end(false);
}
