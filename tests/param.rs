//! `In`, `Out` and `InOut`: the ownership rules (`semantics.md` section 6), called as C calls.
#![cfg(feature = "std")]

#[path = "support/balance.rs"]
mod balance;

use std::cell::Cell;
use std::mem::{MaybeUninit, forget, transmute};
use std::panic::{self, AssertUnwindSafe};
use std::ptr;
use std::rc::Rc;

use olemem::fault::fail_nth;
use olemem::heap::{self, DidAlloc, Family};
use olemem::{Bstr, HResult, In, InOut, Out, OutSlot, TaskBox, TaskStr, UnitLen, raw};
use static_assertions::{assert_eq_align, assert_eq_size, assert_impl_all, assert_not_impl_any};

use balance::balanced;

// Each is the pointer that C passes.
assert_eq_size!(In<'static, Bstr>, *const u16);
assert_eq_align!(In<'static, Bstr>, *const u16);
assert_eq_size!(In<'static, Option<TaskStr>>, *const u16);
assert_eq_size!(In<'static, Option<TaskBox<[u64; 4]>>>, *const [u64; 4]);
assert_eq_size!(Out<'static, Bstr>, *mut *mut u16);
assert_eq_align!(Out<'static, Bstr>, *mut *mut u16);
assert_eq_size!(Out<'static, Option<TaskStr<u8>>>, *mut *mut u8);
assert_eq_size!(Out<'static, Option<TaskBox<[u64; 4]>>>, *mut *mut [u64; 4]);
assert_eq_size!(InOut<'static, Bstr>, *mut *mut u16);
assert_eq_align!(InOut<'static, Bstr>, *mut *mut u16);

// Nobody but the one callee may have it.
assert_not_impl_any!(In<'static, Bstr>: Copy);
assert_not_impl_any!(Out<'static, Bstr>: Clone, Copy);
assert_not_impl_any!(InOut<'static, Bstr>: Clone, Copy);
// A lent value is a shared reference: it may be used elsewhere if the value may be shared.
assert_impl_all!(In<'static, Bstr>: Send, Sync);
assert_not_impl_any!(In<'static, Option<TaskBox<Cell<u8>>>>: Send, Sync);
assert_not_impl_any!(Out<'static, Option<TaskBox<Rc<u8>>>>: Send, Sync);
assert_not_impl_any!(InOut<'static, Option<TaskBox<Rc<u8>>>>: Send, Sync);

type COut = unsafe extern "system" fn(*mut *mut u16) -> i32;
type CIn = unsafe extern "system" fn(*const u16) -> i32;

const S_OK: i32 = 0;
const E_FAIL: i32 = 0x8000_4005_u32.cast_signed();
const E_POINTER: i32 = 0x8000_4003_u32.cast_signed();
const E_OUTOFMEMORY: i32 = 0x8007_000E_u32.cast_signed();

/// What stands in a C variable that nobody set.
fn garbage<T>() -> *mut T {
    ptr::without_provenance_mut(0xdead_beef)
}

/// A method with an [out] parameter, as C has it.
fn out_as_c(method: extern "system" fn(Out<'_, Bstr>) -> HResult) -> COut {
    // SAFETY: the parameter and the result are a pointer and an `i32` to the ABI, as documented.
    unsafe { transmute(method) }
}

/// A method with an [in,out] parameter, as C has it.
fn in_out_as_c(method: extern "system" fn(InOut<'_, Bstr>) -> HResult) -> COut {
    // SAFETY: as above.
    unsafe { transmute(method) }
}

/// A method with an [in] parameter, as C has it.
fn in_as_c(method: extern "system" fn(In<'_, Bstr>) -> HResult) -> CIn {
    // SAFETY: as above.
    unsafe { transmute(method) }
}

/// Calls with a variable that holds `before`, and gives the code and what it holds then.
fn call(method: COut, before: *mut u16) -> (i32, *mut u16) {
    let mut variable = before;
    // SAFETY: the variable is a local that nothing else uses; what it holds suits the method.
    let code = unsafe { method(&raw mut variable) };
    (code, variable)
}

fn c_string(text: &str) -> *mut u16 {
    Bstr::from(text).into_raw().cast_mut()
}

/// Takes over what C would free.
#[track_caller]
fn owned(bstr: *mut u16) -> Bstr {
    assert_ne!(bstr, garbage());
    // SAFETY: the tests pass null or a live BSTR that is theirs.
    unsafe { Bstr::from_raw(bstr) }
}

/// The size of a block, as the heap knows it.
fn extent(block: *mut u8) -> Option<usize> {
    // SAFETY: the tests ask about live blocks, and of other addresses only where any will do.
    unsafe { heap::size_of(block) }
}

/// Whether the heap knows a block.
fn whose(block: *mut u8) -> DidAlloc {
    // SAFETY: as above.
    unsafe { heap::did_alloc(block) }
}

#[track_caller]
fn panics<T>(what: impl FnOnce() -> T) {
    assert!(panic::catch_unwind(AssertUnwindSafe(|| drop(what()))).is_err());
}

mod lent {
    use super::*;

    extern "system" fn length(text: In<'_, Bstr>) -> HResult {
        HResult::from_raw(i32::try_from(text.len()).expect("the tests' strings are short"))
    }

    /// R1, R2: read, and nothing else.
    #[test]
    fn the_callee_only_reads() {
        let _balance = balanced();
        let text = Bstr::from("text");
        let raw = text.as_raw();
        for _ in 0..3 {
            // SAFETY: a live BSTR for the call.
            assert_eq!(unsafe { in_as_c(length)(raw) }, 4);
        }
        assert_eq!((text.as_raw(), &*text.to_string()), (raw, "text"));
        {
            let lent = In::new(&text);
            assert_eq!(lent.as_raw(), raw);
            assert_eq!(format!("{lent:?}"), "text");
        }
        assert_eq!(text, "text");
    }

    /// R4, and L11: null is empty, and any BSTR-shaped memory will do.
    #[test]
    fn null_and_foreign_shapes_are_read() {
        let _balance = balanced();
        // SAFETY: null is a BSTR.
        assert_eq!(unsafe { in_as_c(length)(ptr::null()) }, 0);
        #[repr(C)]
        struct Shaped {
            prefix: u32,
            units: [u16; 3],
        }
        let shaped = Shaped {
            prefix: 4,
            units: [0x68, 0x69, 0],
        };
        let start = (&raw const shaped).cast::<u16>();
        // SAFETY: the units follow the prefix.
        let units = unsafe { start.byte_add(4) };
        // SAFETY: BSTR-shaped for the call.
        assert_eq!(unsafe { in_as_c(length)(units) }, 2);
        assert_eq!((shaped.prefix, shaped.units), (4, [0x68, 0x69, 0]));
    }

    /// R12: what is to be kept is copied.
    #[test]
    fn a_copy_outlives_the_call() {
        let _balance = balanced();
        fn keep(text: In<'_, Bstr>) -> Bstr {
            text.clone()
        }
        let text = Bstr::from("kept");
        let copy = keep(In::new(&text));
        assert_ne!(copy.as_raw(), text.as_raw());
        drop(text);
        assert_eq!(copy, "kept");
    }

    #[test]
    fn a_callee_that_panics_frees_nothing() {
        let _balance = balanced();
        fn method(text: In<'_, Bstr>) {
            assert_eq!(*text, "");
        }
        let text = Bstr::from("text");
        panics(|| method(In::new(&text)));
        assert_eq!(text, "text");
    }

    #[test]
    fn task_memory_is_lent_too() {
        let _balance = balanced();
        fn sum(numbers: In<'_, Option<TaskBox<[u32; 3]>>>) -> u32 {
            numbers.as_deref().map_or(0, |numbers| numbers.iter().sum())
        }
        let numbers = Some(TaskBox::new([1, 2, 3]));
        assert_eq!(sum(In::new(&numbers)), 6);
        assert_eq!(sum(In::new(&None)), 0);
        fn text(name: In<'_, Option<TaskStr>>) -> String {
            name.as_ref().map(ToString::to_string).unwrap_or_default()
        }
        let name = Some(TaskStr::try_from_str("name").expect("no nul"));
        assert_eq!(text(In::new(&name)), "name");
        assert_eq!(text(In::new(&None)), "");
    }
}

mod out {
    use super::*;

    extern "system" fn succeeds(text: Out<'_, Bstr>) -> HResult {
        text.fill(|| Ok(Bstr::try_from_str("made")?))
    }

    extern "system" fn succeeds_with_nothing(text: Out<'_, Bstr>) -> HResult {
        text.fill(|| Ok(Bstr::new()))
    }

    extern "system" fn fails(text: Out<'_, Bstr>) -> HResult {
        text.fill(|| Err(HResult::E_FAIL))
    }

    extern "system" fn never_looks_at_it(_: Out<'_, Bstr>) -> HResult {
        HResult::E_FAIL
    }

    extern "system" fn returns_early(text: Out<'_, Bstr>) -> HResult {
        fn inner(text: Out<'_, Bstr>) -> Result<(), HResult> {
            let mut slot = text.begin()?;
            slot.set(Bstr::try_from_str("too early")?);
            Err(HResult::E_FAIL)?;
            slot.keep();
            Ok(())
        }
        inner(text).err().unwrap_or(HResult::S_OK)
    }

    extern "system" fn sets_twice(text: Out<'_, Bstr>) -> HResult {
        match text.begin() {
            Ok(mut slot) => {
                assert!(slot.get().is_null(), "R15: null at entry");
                slot.set(Bstr::from("first"));
                assert_eq!(*slot.get(), "first");
                slot.set(Bstr::from("second"));
                slot.keep();
                HResult::S_OK
            }
            Err(code) => code,
        }
    }

    extern "system" fn begins_and_stops(text: Out<'_, Bstr>) -> HResult {
        drop(text.begin());
        HResult::E_FAIL
    }

    /// R5: what is handed out is of the right family, and C frees it.
    #[test]
    fn success_hands_out_a_string() {
        let _balance = balanced();
        for (method, text) in [
            (out_as_c(succeeds), "made"),
            (out_as_c(sets_twice), "second"),
        ] {
            let (code, bstr) = call(method, garbage());
            assert_eq!(code, S_OK);
            let block = bstr.cast::<u8>().wrapping_sub(olemem::layout::HEADER);
            assert_eq!(whose(block), DidAlloc::Yes);
            assert_eq!(owned(bstr), text);
        }
    }

    /// R19: success with nothing to return is null.
    #[test]
    fn success_with_nothing() {
        let _balance = balanced();
        let (code, bstr) = call(out_as_c(succeeds_with_nothing), garbage());
        assert_eq!((code, bstr), (S_OK, ptr::null_mut()));
    }

    /// R14, R15: null after every failure, whatever way the method took, whatever stood there.
    #[test]
    fn failure_leaves_null() {
        let _balance = balanced();
        for method in [fails, never_looks_at_it, returns_early, begins_and_stops] {
            for before in [garbage(), ptr::null_mut()] {
                let (code, bstr) = call(out_as_c(method), before);
                assert_eq!((code, bstr), (E_FAIL, ptr::null_mut()));
            }
        }
    }

    /// R6: what stood there is neither read nor freed, be it as good as it may.
    #[test]
    fn what_stood_there_is_not_freed() {
        let _balance = balanced();
        for method in [
            succeeds,
            fails,
            never_looks_at_it,
            returns_early,
            sets_twice,
        ] {
            let before = c_string("the caller's mistake");
            let (_, after) = call(out_as_c(method), before);
            assert_ne!(after, before);
            drop(owned(after));
            assert_eq!(owned(before), "the caller's mistake");
        }
    }

    #[test]
    fn no_variable_is_a_null_pointer() {
        let _balance = balanced();
        let null = |method: COut| {
            // SAFETY: null is what C passes for no variable.
            unsafe { method(ptr::null_mut()) }
        };
        for method in [succeeds, fails, returns_early, sets_twice] {
            assert_eq!(null(out_as_c(method)), E_POINTER);
        }
        assert_eq!(null(out_as_c(never_looks_at_it)), E_FAIL);
        let code = Out::<Bstr>::null().fill(|| panic!("nothing is to be made"));
        assert_eq!(code, HResult::E_POINTER);
        assert!(Out::<Bstr>::null().is_null());
        assert!(matches!(
            Out::<Bstr>::null().begin(),
            Err(HResult::E_POINTER)
        ));
        drop(Out::<Bstr>::null());
        let mut text = Bstr::new();
        assert!(!Out::new(&mut text).is_null());
        assert_eq!(
            format!("{:?}", Out::new(&mut text)),
            "Out { is_null: false, .. }"
        );
    }

    /// The variable may be memory that was never written at all.
    #[test]
    fn an_uninitialised_variable_is_not_read() {
        let _balance = balanced();
        for (method, code) in [
            (succeeds as extern "system" fn(Out<'_, Bstr>) -> _, S_OK),
            (fails, E_FAIL),
        ] {
            let mut variable = MaybeUninit::<*mut u16>::uninit();
            // SAFETY: the variable is a local that nothing else uses.
            assert_eq!(unsafe { out_as_c(method)(variable.as_mut_ptr()) }, code);
            // SAFETY: a method leaves a value in it, success or failure.
            drop(owned(unsafe { variable.assume_init() }));
        }
    }

    #[test]
    fn a_failing_allocation_is_a_code_and_null() {
        let _balance = balanced();
        let failing = fail_nth(1);
        let (code, bstr) = call(out_as_c(succeeds), garbage());
        assert!(failing.has_failed());
        assert_eq!((code, bstr), (E_OUTOFMEMORY, ptr::null_mut()));
        let failing = fail_nth(1);
        let (code, bstr) = call(out_as_c(returns_early), garbage());
        assert!(failing.has_failed());
        assert_eq!((code, bstr), (E_OUTOFMEMORY, ptr::null_mut()));
    }

    /// In Rust the variable's owner is known: what it holds is freed first (R7).
    #[test]
    fn passing_a_variable_frees_what_it_held() {
        let _balance = balanced();
        let mut text = Bstr::from("old");
        assert_eq!(fails(Out::new(&mut text)), HResult::E_FAIL);
        assert!(text.is_null());
        text = Bstr::from("old again");
        assert_eq!(succeeds(Out::new(&mut text)), HResult::S_OK);
        assert_eq!(text, "made");
        text = Bstr::from("forgotten");
        forget(Out::new(&mut text));
        assert!(text.is_null(), "a forgotten parameter leaves a valid value");
        text = Bstr::from("dropped");
        drop(Out::new(&mut text));
        assert!(text.is_null());
    }

    #[test]
    fn a_panic_while_making_leaves_null() {
        let _balance = balanced();
        let mut text = Bstr::from("old");
        panics(|| Out::new(&mut text).fill(|| panic!("making it fails")));
        assert!(text.is_null());
        panics(|| {
            let mut slot = Out::new(&mut text).begin().expect("there is a variable");
            slot.set(Bstr::from("half done"));
            panic!("before it is kept");
        });
        assert!(text.is_null());
        // What C's variable held stays C's, and the variable is valid afterwards.
        let mut variable = garbage::<u16>();
        let out: Out<'_, Bstr> = {
            let variable = &raw mut variable;
            // SAFETY: an `Out` is a pointer to the caller's variable, as documented.
            unsafe { transmute(variable) }
        };
        panics(|| out.fill(|| panic!("making it fails")));
        assert!(variable.is_null());
    }

    /// A slot that is forgotten is as if kept: a valid value, and the caller's.
    #[test]
    fn a_forgotten_slot_loses_nothing() {
        let _balance = balanced();
        let mut text = Bstr::new();
        let mut slot = Out::new(&mut text).begin().expect("there is a variable");
        slot.set(Bstr::from("left"));
        forget(slot);
        assert_eq!(text, "left");
        forget(Out::new(&mut text).begin().expect("there is a variable"));
        assert!(text.is_null());
    }

    /// A slot may move to another thread with its variable, as far as the value may.
    #[test]
    fn a_slot_belongs_to_its_variable() {
        let _balance = balanced();
        assert_impl_all!(OutSlot<'static, Bstr>: Send, Sync);
        assert_not_impl_any!(OutSlot<'static, Bstr>: Clone, Copy);
        let mut text = Bstr::new();
        std::thread::scope(|scope| {
            let slot = Out::new(&mut text).begin().expect("there is a variable");
            scope.spawn(move || slot.keep());
        });
        assert!(text.is_null());
    }

    /// Two [out] parameters: both or none, however far the method came.
    #[test]
    fn both_or_none() {
        extern "system" fn both(first: Out<'_, Bstr>, second: Out<'_, Option<TaskStr>>) -> HResult {
            fn inner(
                first: Out<'_, Bstr>,
                second: Out<'_, Option<TaskStr>>,
            ) -> Result<(), HResult> {
                let (mut first, mut second) = (first.begin()?, second.begin()?);
                first.set(Bstr::try_from_str("one")?);
                second.set(Some(TaskStr::try_from_str("two")?));
                first.keep();
                second.keep();
                Ok(())
            }
            inner(first, second).err().unwrap_or(HResult::S_OK)
        }
        type CBoth = unsafe extern "system" fn(*mut *mut u16, *mut *mut u16) -> i32;
        // SAFETY: parameters and result are pointers and an `i32` to the ABI, as documented.
        let both: CBoth =
            unsafe { transmute(both as extern "system" fn(Out<'_, _>, Out<'_, _>) -> HResult) };
        let _balance = balanced();
        for (nth, code) in [(1, E_OUTOFMEMORY), (2, E_OUTOFMEMORY), (3, S_OK)] {
            let failing = fail_nth(nth);
            let (mut first, mut second) = (garbage(), garbage());
            // SAFETY: the variables are locals that nothing else uses.
            assert_eq!(unsafe { both(&raw mut first, &raw mut second) }, code);
            assert_eq!(failing.has_failed(), code != S_OK);
            if code == S_OK {
                assert_eq!(owned(first), "one");
                // SAFETY: a task string that is the caller's now.
                assert_eq!(unsafe { TaskStr::from_raw(second) }, "two");
            } else {
                assert!(first.is_null() && second.is_null(), "allocation {nth}");
            }
        }
        let mut only = garbage();
        // SAFETY: the variable is a local that nothing else uses; null is no variable.
        assert_eq!(unsafe { both(&raw mut only, ptr::null_mut()) }, E_POINTER);
        assert!(only.is_null());
        only = garbage();
        // SAFETY: as above.
        assert_eq!(unsafe { both(ptr::null_mut(), &raw mut only) }, E_POINTER);
        assert!(only.is_null());
    }

    /// R29: what is not a BSTR comes from the task allocator, as one block.
    #[test]
    fn structures_and_plain_strings() {
        extern "system" fn point(point: Out<'_, Option<TaskBox<[i32; 2]>>>) -> HResult {
            point.fill(|| Ok(Some(TaskBox::try_new([3, 4])?)))
        }
        type CPoint = unsafe extern "system" fn(*mut *mut [i32; 2]) -> i32;
        let _balance = balanced();
        // SAFETY: parameter and result are a pointer and an `i32` to the ABI, as documented.
        let point: CPoint =
            unsafe { transmute(point as extern "system" fn(Out<'_, _>) -> HResult) };
        let mut variable = garbage();
        // SAFETY: the variable is a local that nothing else uses.
        assert_eq!(unsafe { point(&raw mut variable) }, S_OK);
        assert_eq!(extent(variable.cast()), Some(8));
        // SAFETY: a task block that holds the value, and the caller's now.
        assert_eq!(unsafe { variable.read() }, [3, 4]);
        // SAFETY: live, of the family, and its last use.
        unsafe { heap::free(variable.cast(), Family::Task) };
        let failing = fail_nth(1);
        variable = garbage();
        // SAFETY: as above.
        assert_eq!(unsafe { point(&raw mut variable) }, E_OUTOFMEMORY);
        assert!(failing.has_failed());
        assert!(variable.is_null());
    }
}

mod in_out {
    use super::*;

    extern "system" fn doubles(text: InOut<'_, Bstr>) -> HResult {
        text.update(|old| Ok(Bstr::try_concat(old.as_bstr(), old.as_bstr())?))
    }

    extern "system" fn fails_late(text: InOut<'_, Bstr>) -> HResult {
        text.update(|old| {
            drop(old.try_clone()?);
            Err(HResult::E_FAIL)
        })
    }

    extern "system" fn ignores(_: InOut<'_, Bstr>) -> HResult {
        HResult::S_OK
    }

    extern "system" fn empties(mut text: InOut<'_, Bstr>) -> HResult {
        drop(text.take());
        HResult::S_OK
    }

    extern "system" fn sets_twice(mut text: InOut<'_, Bstr>) -> HResult {
        match text.set(Bstr::from("first")) {
            Ok(()) => {
                assert_eq!(text.set(Bstr::from("second")), Ok(()));
                HResult::S_OK
            }
            Err(value) => {
                assert_eq!(value, "first", "what cannot be stored comes back");
                HResult::E_POINTER
            }
        }
    }

    extern "system" fn shortens_in_place(mut text: InOut<'_, Bstr>) -> HResult {
        match text.get_mut() {
            Some(text) => text.truncate(UnitLen::new(2)),
            None => return HResult::E_POINTER,
        }
        HResult::S_OK
    }

    /// R8, R9: the old value is freed once when a new one takes its place, and only then.
    #[test]
    fn replacing_frees_the_old_value() {
        let _balance = balanced();
        let (code, after) = call(in_out_as_c(doubles), c_string("ab"));
        assert_eq!((code, owned(after)), (S_OK, Bstr::from("abab")));
        let (code, after) = call(in_out_as_c(sets_twice), c_string("old"));
        assert_eq!((code, owned(after)), (S_OK, Bstr::from("second")));
        let (code, after) = call(in_out_as_c(empties), c_string("old"));
        assert_eq!((code, after), (S_OK, ptr::null_mut()));
    }

    #[test]
    fn what_is_not_replaced_stays() {
        let _balance = balanced();
        let before = c_string("stays");
        let (code, after) = call(in_out_as_c(ignores), before);
        assert_eq!((code, after), (S_OK, before));
        let (code, after) = call(in_out_as_c(shortens_in_place), before);
        assert_eq!((code, after), (S_OK, before));
        assert_eq!(owned(after), "st");
    }

    /// R17: after a failure the value is untouched, pointer and contents.
    #[test]
    fn failure_changes_nothing() {
        let _balance = balanced();
        let before = c_string("stays");
        for _ in 0..2 {
            let (code, after) = call(in_out_as_c(fails_late), before);
            assert_eq!((code, after), (E_FAIL, before));
            let failing = fail_nth(1);
            let (code, after) = call(in_out_as_c(doubles), before);
            assert!(failing.has_failed());
            assert_eq!((code, after), (E_OUTOFMEMORY, before));
        }
        assert_eq!(owned(before), "stays");
    }

    #[test]
    fn null_is_a_value() {
        let _balance = balanced();
        let (code, after) = call(in_out_as_c(doubles), ptr::null_mut());
        assert_eq!(code, S_OK);
        let after = owned(after);
        assert!(!after.is_null());
        assert_eq!(after, "");
        for method in [ignores, empties] {
            assert_eq!(
                call(in_out_as_c(method), ptr::null_mut()),
                (S_OK, ptr::null_mut())
            );
        }
        let (code, after) = call(in_out_as_c(sets_twice), ptr::null_mut());
        assert_eq!((code, owned(after)), (S_OK, Bstr::from("second")));
    }

    #[test]
    fn no_variable_is_a_null_pointer() {
        let _balance = balanced();
        let null = |method: COut| {
            // SAFETY: null is what C passes for no variable.
            unsafe { method(ptr::null_mut()) }
        };
        for method in [doubles, fails_late, shortens_in_place] {
            assert_eq!(null(in_out_as_c(method)), E_POINTER);
        }
        assert_eq!(null(in_out_as_c(sets_twice)), E_POINTER);
        assert_eq!(null(in_out_as_c(empties)), S_OK);
        let mut none = InOut::<Bstr>::null();
        assert!(none.get().is_none());
        assert!(none.get_mut().is_none());
        assert!(none.take().is_none());
        assert_eq!(format!("{none:?}"), "InOut(None)");
        assert_eq!(
            none.update(|_| panic!("nothing is to be made")),
            HResult::E_POINTER
        );
    }

    #[test]
    fn a_panic_changes_nothing() {
        let _balance = balanced();
        let mut text = Bstr::from("stays");
        let address = text.as_raw();
        panics(|| InOut::new(&mut text).update(|_| panic!("making it fails")));
        assert_eq!((text.as_raw(), &*text.to_string()), (address, "stays"));
        let _ = InOut::new(&mut text);
        assert_eq!((text.as_raw(), &*text.to_string()), (address, "stays"));
    }

    #[test]
    fn the_value_may_be_read_taken_and_put_back() {
        let _balance = balanced();
        let mut text = Bstr::from("old");
        let mut parameter = InOut::new(&mut text);
        assert_eq!(
            parameter.get().map(ToString::to_string).as_deref(),
            Some("old")
        );
        assert_eq!(format!("{parameter:?}"), "InOut(Some(old))");
        let mut taken = parameter.take().expect("there is a variable");
        assert!(parameter.get().is_some_and(Bstr::is_null));
        taken.push_str("er");
        assert_eq!(parameter.set(taken), Ok(()));
        assert_eq!(text, "older");
    }

    /// Freed exactly once even when dropping the old value panics.
    #[test]
    fn an_old_value_whose_drop_panics_is_gone_all_the_same() {
        struct Panics;
        impl Drop for Panics {
            fn drop(&mut self) {
                panic!("a drop that panics");
            }
        }
        let _balance = balanced();
        let mut value = Some(TaskBox::new(Panics));
        panics(|| InOut::new(&mut value).update(|_| Ok(None)));
        assert!(value.is_none());
    }
}

/// A method with one parameter of each direction, called as C calls it.
#[test]
fn all_directions_at_once() {
    extern "system" fn splice(
        tail: In<'_, Bstr>,
        text: InOut<'_, Bstr>,
        before: Out<'_, Bstr>,
    ) -> HResult {
        fn inner(
            tail: In<'_, Bstr>,
            text: InOut<'_, Bstr>,
            before: Out<'_, Bstr>,
        ) -> Result<(), HResult> {
            let mut before = before.begin()?;
            let old = text.get().ok_or(HResult::E_POINTER)?;
            before.set(old.try_clone()?);
            text.update(|old| Ok(Bstr::try_concat(old.as_bstr(), tail.as_bstr())?))
                .ok()?;
            before.keep();
            Ok(())
        }
        inner(tail, text, before).err().unwrap_or(HResult::S_OK)
    }
    type CSplice = unsafe extern "system" fn(*const u16, *mut *mut u16, *mut *mut u16) -> i32;
    let _balance = balanced();
    // SAFETY: parameters and result are pointers and an `i32` to the ABI, as documented.
    let splice: CSplice = unsafe {
        transmute(splice as extern "system" fn(In<'_, _>, InOut<'_, _>, Out<'_, _>) -> HResult)
    };
    let tail = c_string("-tail");
    for (nth, code) in [(1, E_OUTOFMEMORY), (2, E_OUTOFMEMORY), (3, S_OK)] {
        let old = c_string("text");
        let failing = fail_nth(nth);
        let (mut text, mut before) = (old, garbage());
        // SAFETY: a live BSTR, and two locals that nothing else uses.
        let told = unsafe { splice(tail, &raw mut text, &raw mut before) };
        assert_eq!(told, code);
        drop(failing);
        if code == S_OK {
            assert_eq!(owned(text), "text-tail");
            assert_eq!(owned(before), "text");
        } else {
            assert!(before.is_null());
            assert_eq!(text, old);
            assert_eq!(owned(text), "text");
        }
    }
    assert_eq!(owned(tail), "-tail");
    // SAFETY: null is a BSTR to free.
    unsafe { raw::free(ptr::null()) };
}
