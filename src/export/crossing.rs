//! Annotated calls for C and C++: begun, each parameter declared, ended; `olemem.h` has the functions and macros that users write.
//!
//! A call is an opaque object of the thread's that began it. NULL, which [`olemem_call_begin`] gives where nothing is watched, is
//! accepted by all of them, and nothing happens.

use core::ffi::{c_char, c_void};
use core::ptr;
use std::borrow::Cow;
use std::ffi::CStr;

use allocator_api2::alloc::System;
use allocator_api2::boxed::Box;

use crate::audit::{Crossing, Parameter, register_literal};
use crate::bstr::raw;
use crate::com::HResult;

/// What a parameter is, in the low bits of `what`; what is special about it above them.
const KIND: u32 = 0xFF;
const BSTR: u32 = 1;
const STRING: u32 = 2;
const BLOCK: u32 = 3;
const INTERFACE: u32 = 4;
const MEMBER: u32 = 0x100;
const STAYS_CALLEES: u32 = 0x200;

const FAIL_WITH_OUTS: u32 = 1;
const CALL_BACK: u32 = 2;

/// `olemem_call`: an annotated call that is under way.
///
/// It does not live on the global allocator, which may be olemem's own, and watched.
#[derive(Debug)]
pub struct AnnotatedCall {
    crossing: Crossing,
}

/// A string of C's; the empty one for NULL.
///
/// # Safety
///
/// * `text` is NULL or a string of bytes, which is there for as long as the result.
unsafe fn text<'a>(text: *const c_char) -> Cow<'a, str> {
    if text.is_null() {
        return Cow::Borrowed("");
    }
    // SAFETY: the caller's promise.
    unsafe { CStr::from_ptr(text) }.to_string_lossy()
}

/// The parameter in Rust's words; `None` for what is not known here.
fn parameter(what: u32, name: &str) -> Option<Parameter<'_>> {
    let known = match what & KIND {
        BSTR => Parameter::bstr(name),
        STRING => Parameter::string(name),
        BLOCK => Parameter::block(name),
        INTERFACE => Parameter::interface(name),
        _ => return None,
    };
    let known = match what & MEMBER {
        0 => known,
        _ => known.member(),
    };
    Some(match what & STAYS_CALLEES {
        0 => known,
        _ => known.stays_callees(),
    })
}

/// Declares a parameter of a call, if it is one that is known, and the call is judged.
///
/// # Safety
///
/// * `call` is NULL or one that has not ended; `name` is NULL or a string of bytes.
unsafe fn declare(
    call: *mut AnnotatedCall,
    what: u32,
    name: *const c_char,
    declared: impl FnOnce(&mut Crossing, Parameter<'_>),
) {
    // SAFETY: the caller's promise.
    let (call, name) = (unsafe { call.as_mut() }, unsafe { text(name) });
    if let (Some(call), Some(parameter)) = (call, parameter(what, &name)) {
        declared(&mut call.crossing, parameter);
    }
}

/// Begins an annotated call in the session that this thread is in. NULL if it is in none, or if there is no memory.
///
/// *Ownership:* the caller gives the call to [`olemem_call_end`], [`olemem_call_end_with`] or [`olemem_call_abandon`], on the same thread.
///
/// # Safety
///
/// * `method` is NULL or a string of bytes.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn olemem_call_begin(
    method: *const c_char,
    object: *const c_void,
) -> *mut AnnotatedCall {
    // SAFETY: the caller's promise.
    let mut crossing = Crossing::begin(&unsafe { text(method) });
    if !crossing.is_watched() {
        return ptr::null_mut();
    }
    if !object.is_null() {
        crossing.on(object);
    }
    Box::try_new_in(AnnotatedCall { crossing }, System).map_or(ptr::null_mut(), Box::into_raw)
}

/// Declares an \[in\] parameter, and gives it. A value that was read from a variable of the call's own, after that was
/// declared as \[out\], is what the variable held before.
///
/// # Safety
///
/// * `call` is NULL or one that has not ended.
/// * `name` is NULL or a string of bytes.
/// * `value` is as for [`Crossing::input`].
#[unsafe(no_mangle)]
pub unsafe extern "system" fn olemem_call_in(
    call: *mut AnnotatedCall,
    what: u32,
    name: *const c_char,
    value: *const c_void,
) -> *mut c_void {
    let mut value = value;
    let declared = |crossing: &mut Crossing, parameter: Parameter<'_>| {
        value = crossing.held_before(value);
        // SAFETY: the caller's promise.
        unsafe { crossing.input(parameter, value) };
    };
    // SAFETY: as above.
    unsafe { declare(call, what, name, declared) };
    value.cast_mut()
}

/// Declares an \[out\] parameter by the address of its variable, and gives that.
///
/// # Safety
///
/// * As for [`olemem_call_in`]; `variable` is as for [`Crossing::output`].
#[unsafe(no_mangle)]
pub unsafe extern "system" fn olemem_call_out(
    call: *mut AnnotatedCall,
    what: u32,
    name: *const c_char,
    variable: *mut c_void,
) -> *mut c_void {
    let declared = |crossing: &mut Crossing, parameter: Parameter<'_>| {
        // SAFETY: the caller's promise.
        unsafe { crossing.output(parameter, variable.cast()) };
    };
    // SAFETY: as above.
    unsafe { declare(call, what, name, declared) };
    variable
}

/// Declares an \[in,out\] parameter by the address of its variable, and gives that.
///
/// # Safety
///
/// * As for [`olemem_call_in`]; `variable` is as for [`Crossing::in_out`].
#[unsafe(no_mangle)]
pub unsafe extern "system" fn olemem_call_inout(
    call: *mut AnnotatedCall,
    what: u32,
    name: *const c_char,
    variable: *mut c_void,
) -> *mut c_void {
    let declared = |crossing: &mut Crossing, parameter: Parameter<'_>| {
        // SAFETY: the caller's promise.
        unsafe { crossing.in_out(parameter, variable.cast()) };
    };
    // SAFETY: as above.
    unsafe { declare(call, what, name, declared) };
    variable
}

/// Declares a buffer whose size the caller says, and gives the one that the callee is to be given in its place.
///
/// # Safety
///
/// * As for [`olemem_call_in`]; `start` and `bytes` are as for [`Crossing::buffer`].
#[unsafe(no_mangle)]
pub unsafe extern "system" fn olemem_call_buffer(
    call: *mut AnnotatedCall,
    name: *const c_char,
    start: *mut c_void,
    bytes: usize,
) -> *mut c_void {
    // SAFETY: the caller's promise.
    let (call, name) = (unsafe { call.as_mut() }, unsafe { text(name) });
    match call {
        // SAFETY: the caller's promise.
        Some(call) => unsafe { call.crossing.buffer(&name, start.cast(), bytes) }.cast(),
        None => start,
    }
}

/// Declares an \[out\] array that the callee allocates, with the variable for the number of its elements.
///
/// # Safety
///
/// * As for [`olemem_call_in`]; `variable` and `count` are as for [`Crossing::output_array`].
#[unsafe(no_mangle)]
pub unsafe extern "system" fn olemem_call_out_array(
    call: *mut AnnotatedCall,
    what: u32,
    name: *const c_char,
    variable: *mut c_void,
    count: *const u32,
) -> *mut c_void {
    let declared = |crossing: &mut Crossing, parameter: Parameter<'_>| {
        // SAFETY: the caller's promise.
        unsafe { crossing.output_array(parameter, variable.cast(), count) };
    };
    // SAFETY: as above.
    unsafe { declare(call, what, name, declared) };
    variable
}

/// Declares an array of the caller's: room for `capacity` elements, of which `entering` are there when the call begins, and
/// `*count` when it has returned.
///
/// # Safety
///
/// * As for [`olemem_call_in`]; the others are as for [`Crossing::array`].
#[unsafe(no_mangle)]
pub unsafe extern "system" fn olemem_call_array(
    call: *mut AnnotatedCall,
    what: u32,
    name: *const c_char,
    start: *mut c_void,
    capacity: u32,
    entering: u32,
    count: *const u32,
) -> *mut c_void {
    let declared = |crossing: &mut Crossing, parameter: Parameter<'_>| {
        // SAFETY: the caller's promise.
        unsafe { crossing.array(parameter, start.cast(), capacity, entering, count) };
    };
    // SAFETY: as above.
    unsafe { declare(call, what, name, declared) };
    start
}

/// Waives rules for a call.
///
/// # Safety
///
/// * `call` is NULL or one that has not ended.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn olemem_call_allow(call: *mut AnnotatedCall, waivers: u32) {
    // SAFETY: the caller's promise.
    let Some(call) = (unsafe { call.as_mut() }) else {
        return;
    };
    if waivers & FAIL_WITH_OUTS != 0 {
        call.crossing.may_fail_with_outs();
    }
    if waivers & CALL_BACK != 0 {
        call.crossing.calls_back();
    }
}

/// Frees a BSTR that is the caller's, as the caller does: within a call all else is the callee's doing.
///
/// # Safety
///
/// * `call` is NULL or one that has not ended.
/// * `text` is NULL or a BSTR that is live, and this is its last use.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn olemem_call_free_bstr(call: *mut AnnotatedCall, text: *mut u16) {
    // SAFETY: the caller's promise.
    let free = || unsafe { raw::free(text) };
    // SAFETY: the caller's promise.
    match unsafe { call.as_ref() } {
        Some(call) => call.crossing.as_caller(free),
        None => free(),
    }
}

/// The call itself back from C.
///
/// # Safety
///
/// * `call` is NULL or one that has not ended, and this is its last use.
unsafe fn taken(call: *mut AnnotatedCall) -> Option<Crossing> {
    if call.is_null() {
        return None;
    }
    // SAFETY: `olemem_call_begin` made it by such a box; the caller's promise is that it is taken once.
    let call = unsafe { Box::from_raw_in(call, System) };
    Some(Box::into_inner(call).crossing)
}

/// The call has returned, with this result: the verdict. Gives the result.
///
/// # Safety
///
/// * `call` is NULL or one that has not ended, and this is its last use.
/// * What was declared for it is still there.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn olemem_call_end(
    call: *mut AnnotatedCall,
    result: HResult,
) -> HResult {
    // SAFETY: the caller's promise.
    if let Some(crossing) = unsafe { taken(call) } {
        crossing.end(result.is_failure());
    }
    result
}

/// The call has returned a resource, which is the caller's now: the verdict. Gives the resource, or NULL for what the caller
/// could not free.
///
/// # Safety
///
/// * As for [`olemem_call_end`].
#[unsafe(no_mangle)]
pub unsafe extern "system" fn olemem_call_end_with(
    call: *mut AnnotatedCall,
    what: u32,
    mut value: *mut c_void,
) -> *mut c_void {
    // SAFETY: the caller's promise.
    if let Some(mut crossing) = unsafe { taken(call) } {
        if let Some(parameter) = parameter(what, "return value") {
            // SAFETY: the variable is this frame's, and outlives the crossing.
            unsafe { crossing.returned(parameter, &raw mut value) };
        }
        crossing.end(false);
    }
    value
}

/// The call did not return: the callee threw an exception. Judged as a failure, as far as can be.
///
/// # Safety
///
/// * As for [`olemem_call_end`].
#[unsafe(no_mangle)]
pub unsafe extern "system" fn olemem_call_abandon(call: *mut AnnotatedCall) {
    // SAFETY: the caller's promise.
    drop(unsafe { taken(call) });
}

/// Knows a BSTR in static storage as one, so that it may be passed where an \[in\] BSTR is declared (R3).
#[unsafe(no_mangle)]
pub extern "system" fn olemem_literal(text: *const u16) {
    register_literal(text);
}
