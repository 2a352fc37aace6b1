//! Counting objects as C makes them, where Miri sees it.

use std::ffi::{CStr, c_void};
use std::ptr;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::Relaxed;

use crate::counted::{add_ref, release};
use crate::support::{assert_kept, judged, string};
use olemem::audit::{Kind, Parameter};
use olemem::com::{IID_UNKNOWN, Object, UnknownVtbl};
use olemem::export::{
    AnnotatedCall, olemem_call_begin, olemem_call_end, olemem_call_free_bstr,
    olemem_counting_known_as, olemem_counting_object, olemem_counting_references,
    olemem_counting_state,
};
use olemem::{Guid, HResult};

/// As C writes it down, with nothing in the first three slots.
#[repr(C)]
struct SinkVtbl {
    unknown: [*const c_void; 3],
    on_done: unsafe extern "system" fn(*mut c_void) -> HResult,
}

const IID_SINK: Guid = Guid::from_u128(0x5173_0000_0000_0000_0000_0000_0000_0004);

/// What the methods of a sink work on.
#[derive(Default)]
struct Counts {
    calls: AtomicU32,
    destroyed: AtomicU32,
}

unsafe extern "system" fn on_done(this: *mut c_void) -> HResult {
    // SAFETY: the tests call it with a sink whose session is open.
    let counts = unsafe { olemem_counting_state(this) }.cast::<Counts>();
    // SAFETY: the test's own, which outlives the sink.
    match unsafe { counts.as_ref() } {
        Some(counts) => {
            counts.calls.fetch_add(1, Relaxed);
            HResult::S_OK
        }
        None => HResult::E_UNEXPECTED,
    }
}

unsafe extern "system" fn destroy(counts: *mut c_void) {
    // SAFETY: as above.
    let counts = unsafe { &*counts.cast::<Counts>() };
    counts.destroyed.fetch_add(1, Relaxed);
}

fn sink(counts: &Counts) -> *mut c_void {
    let methods = SinkVtbl {
        unknown: [ptr::null(); 3],
        on_done,
    };
    let (vtable, state) = (&raw const methods, ptr::from_ref(counts));
    // SAFETY: so many bytes of function pointers, an identifier, and what the methods expect.
    let sink = unsafe {
        olemem_counting_object(
            vtable.cast(),
            size_of::<SinkVtbl>(),
            ptr::from_ref(&IID_SINK),
            1,
            state.cast_mut().cast(),
            Some(destroy),
        )
    };
    assert!(!sink.is_null());
    sink
}

/// Calls it as a callee does: by the copy of its methods.
fn done(sink: *mut c_void) -> HResult {
    // SAFETY: a sink, whose memory is there as long as the session is open.
    let vtbl = unsafe { &*sink.cast::<Object<SinkVtbl>>() }.vtbl;
    // SAFETY: as above.
    unsafe { (vtbl.on_done)(sink) }
}

fn query(object: *mut c_void, iid: &Guid) -> (HResult, *mut c_void) {
    let mut found = object;
    // SAFETY: an object begins with the pointer to its vtable.
    let vtbl = unsafe { &*object.cast::<Object<UnknownVtbl>>() }.vtbl;
    // SAFETY: a live object, an identifier and a variable.
    let result = unsafe { (vtbl.query_interface)(object, iid, &raw mut found) };
    (result, found)
}

#[test]
fn kept() {
    let counts = Counts::default();
    let report = judged(|audit| {
        let sink = sink(&counts);
        assert_eq!(done(sink), HResult::S_OK);
        for iid in [IID_UNKNOWN, IID_SINK] {
            assert_eq!(query(sink, &iid), (HResult::S_OK, sink));
            release(sink.cast());
        }
        // R48: there has to be a variable.
        // SAFETY: an object begins with the pointer to its vtable.
        let vtbl = unsafe { &*sink.cast::<Object<UnknownVtbl>>() }.vtbl;
        // SAFETY: a live object and an identifier.
        let result = unsafe { (vtbl.query_interface)(sink, &IID_SINK, ptr::null_mut()) };
        assert_eq!(result, HResult::E_POINTER);
        let other = Guid::from_u128(1);
        let none = (HResult::E_NOINTERFACE, ptr::null_mut());
        assert_eq!(query(sink, &other), none);
        // SAFETY: the sink is live.
        let call = unsafe {
            audit
                .call("IEvents::Advise")
                .in_raw(Parameter::interface("sink"), sink)
        };
        call.invoke(|sink| {
            add_ref(sink.cast());
        });
        // SAFETY: the sink is live.
        assert_eq!(unsafe { olemem_counting_references(sink) }, 2);
        audit.call("IEvents::Close").invoke(|| release(sink.cast()));
        // SAFETY: the sink is live.
        assert_eq!(unsafe { olemem_counting_references(sink) }, 1);
        assert_eq!(release(sink.cast()), 0);
        assert_eq!(counts.destroyed.load(Relaxed), 0);
    });
    assert_kept(&report);
    assert_eq!(counts.calls.load(Relaxed), 1);
    assert_eq!(counts.destroyed.load(Relaxed), 1);
}

/// An object of somebody else's, for which one counts; and no methods at all.
#[test]
fn broken_by_another_pointer() {
    let own = 1_u32;
    let pointer: *const c_void = (&raw const own).cast();
    let report = judged(|audit| {
        let nothing = ptr::null();
        // SAFETY: nothing is asked for but `IUnknown`.
        let count =
            unsafe { olemem_counting_object(nothing, 0, ptr::null(), 0, ptr::null_mut(), None) };
        // SAFETY: the object is live.
        unsafe { olemem_counting_known_as(count, pointer) };
        // SAFETY: nobody looks into it.
        let call = unsafe {
            audit
                .call("IEvents::Advise")
                .in_raw(Parameter::interface("sink"), pointer.cast_mut())
        };
        call.invoke(|_| release(count.cast()));
        // SAFETY: what was released too often is there again.
        assert_eq!(unsafe { olemem_counting_references(count) }, 1);
        release(count.cast());
        // SAFETY: its session is open.
        assert!(unsafe { olemem_counting_state(count) }.is_null());
    });
    report.assert_kinds([Kind::InterfaceOverReleased, Kind::InterfaceUsedAfterDestroy]);
}

/// Memory of this frame's that C would know an object by.
fn counted(pointer: *const c_void) -> *mut c_void {
    let nothing = ptr::null();
    // SAFETY: nothing is asked for but `IUnknown`.
    let count =
        unsafe { olemem_counting_object(nothing, 0, ptr::null(), 0, ptr::null_mut(), None) };
    // SAFETY: the object is live.
    unsafe { olemem_counting_known_as(count, pointer) };
    count
}

/// An object is known by its other pointer for as long as it is there, whatever becomes of others.
#[test]
fn broken_by_another_pointer_when_another_object_is_gone() {
    let (own, others) = (1_u32, 2_u32);
    let pointer: *const c_void = (&raw const own).cast();
    let report = judged(|audit| {
        let count = counted(pointer);
        assert_kept(&judged(|_| {
            release(counted((&raw const others).cast()).cast());
        }));
        // SAFETY: nobody looks into it.
        let call = unsafe {
            audit
                .call("IEvents::Advise")
                .in_raw(Parameter::interface("sink"), pointer.cast_mut())
        };
        call.invoke(|_| release(count.cast()));
        release(count.cast());
    });
    report.assert_kinds([Kind::InterfaceOverReleased]);
    let call = report.violations()[0].call.as_ref().expect("a call");
    assert_eq!(call.to_string(), "IEvents::Advise, parameter sink");
}

/// A call of C's, under way.
fn begun(method: &CStr) -> *mut AnnotatedCall {
    // SAFETY: a string, and no object.
    unsafe { olemem_call_begin(method.as_ptr(), ptr::null()) }
}

/// The caller may free what is its own while a call is under way. Without a session there is none.
#[test]
fn kept_by_a_caller_who_frees_within_a_call() {
    assert!(begun(c"IText::get_Text").is_null());
    assert_kept(&judged(|audit| {
        let text = string("Ready");
        // SAFETY: the string is live.
        let call = unsafe {
            audit
                .call("IText::put_Text")
                .in_raw(Parameter::bstr("text"), text)
        };
        call.invoke(|_| ());
        let call = begun(c"IText::Quit");
        // SAFETY: a call that has not ended, and the last use of a live string.
        unsafe { olemem_call_free_bstr(call, text) };
        // SAFETY: its last use.
        let result = unsafe { olemem_call_end(call, HResult::S_OK) };
        assert_eq!(result, HResult::S_OK);
    }));
}
