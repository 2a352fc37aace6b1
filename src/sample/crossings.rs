//! The same of each mistake that is seen at an annotated call: a caller that says what the parameters are, and a method
//! that goes wrong, or right.

use core::ffi::c_void;
use core::ptr;

use super::mistakes::Conduct::{self, Broken, Kept};
use super::mistakes::{Left, alloc, alloc_task, free, free_task, poke};
use crate::audit::{CountingObject, Parameter, Session};
use crate::bstr::borrowed::BstrRef;
use crate::bstr::owned::Bstr;
use crate::bstr::raw;
use crate::com::{Guid, HResult, IID_UNKNOWN, Object, UnknownVtbl};
use crate::crossing::Reference;

const PUT: &str = "IBrowser::put_StatusText";
const GET: &str = "IBrowser::get_StatusText";
const EXCHANGE: &str = "IBrowser::ExchangeStatusText";
const OK: HResult = HResult::S_OK;

// ---------------------------------------------------------------------------------- what C does

/// Stores in a variable of the caller's.
fn store<T>(variable: *mut T, value: T) {
    // SAFETY: every method here is given variables of the function around it.
    unsafe { variable.write(value) };
}

/// What is in a variable of the caller's.
fn load<T: Copy>(variable: *mut T) -> T {
    // SAFETY: as above; it is initialised.
    unsafe { variable.read() }
}

/// A copy of a string that is lent.
fn copy(text: *mut u16) -> *mut u16 {
    // SAFETY: null, or a string that is live for the call.
    let text = unsafe { BstrRef::from_raw(text) };
    text.to_owned().into_raw().cast_mut()
}

/// What a mistake leaves behind, if it was made.
fn left(conduct: Conduct, what: Left) -> Left {
    match conduct {
        Broken => what,
        Kept => Left::Nothing,
    }
}

// ----------------------------------------------------------------------------------------- [in]

pub(super) fn in_freed(audit: &Session, conduct: Conduct) {
    let mut status = ptr::null_mut();
    let ready = Bstr::from("Ready");
    let _ = audit.call(PUT).in_bstr("text", &ready).invoke(|text| {
        status = copy(text);
        if conduct == Broken {
            free(text);
        }
        OK
    });
    free(status);
}

pub(super) fn in_modified(audit: &Session, conduct: Conduct) {
    let mut status = ptr::null_mut();
    let ready = Bstr::from("Ready");
    let _ = audit.call(PUT).in_bstr("text", &ready).invoke(|text| {
        status = copy(text);
        let written = match conduct {
            Broken => text,
            Kept => status,
        };
        // SAFETY: the first unit of a live string.
        unsafe { poke(written, 0, [b'X', 0]) };
        OK
    });
    free(status);
}

pub(super) fn in_not_a_bstr(audit: &Session, conduct: Conduct) {
    let mut literal = [0x52_u16, 0x65, 0x61, 0x64, 0x79, 0];
    let ready = alloc("Ready");
    let passed = match conduct {
        Broken => literal.as_mut_ptr(),
        Kept => ready,
    };
    // SAFETY: a string, or an address that is none.
    let call = unsafe { audit.call(PUT).in_raw(Parameter::bstr("text"), passed) };
    let _ = call.invoke(|_text| OK);
    free(ready);
}

pub(super) fn in_retained(audit: &Session, conduct: Conduct) {
    let mut status = ptr::null_mut();
    let texts = [Bstr::from("Ready"), Bstr::from("Done")];
    for text in &texts {
        let _ = audit.call(PUT).in_bstr("text", text).invoke(|text| {
            free(status);
            status = match conduct {
                Broken => text,
                Kept => copy(text),
            };
            OK
        });
    }
    if conduct == Kept {
        free(status);
    }
}

// ---------------------------------------------------------------------------------------- [out]

pub(super) fn out_owned(audit: &Session, conduct: Conduct) -> Left {
    let held = match conduct {
        Broken => alloc("?"),
        Kept => ptr::null_mut(),
    };
    let mut text = held;
    // SAFETY: the variable is there until the call has returned.
    let call = unsafe {
        audit
            .call(GET)
            .out_raw(Parameter::bstr("text"), &raw mut text)
    };
    let _ = call.invoke(|text| {
        store(text, alloc("Ready"));
        OK
    });
    free(text);
    left(conduct, Left::Text(held))
}

/// Calls `get_StatusText`, and frees what it hands out.
fn get(audit: &Session, method: impl FnOnce(*mut *mut u16) -> HResult) {
    drop(audit.call(GET).out_bstr("text").invoke(method));
}

pub(super) fn out_read(audit: &Session, conduct: Conduct) {
    get(audit, |text| {
        if conduct == Broken {
            free(load(text));
        }
        store(text, alloc("Ready"));
        OK
    });
}

pub(super) fn out_not_set(audit: &Session, conduct: Conduct) {
    for status in [None, Some("Ready")] {
        get(audit, |text| {
            if conduct == Kept {
                store(text, ptr::null_mut());
            }
            let Some(status) = status else {
                return HResult::E_FAIL;
            };
            store(text, alloc(status));
            OK
        });
    }
}

pub(super) fn out_set_on_failure(audit: &Session, conduct: Conduct) {
    for refreshed in [HResult::E_FAIL, OK] {
        get(audit, |text| {
            if conduct == Broken || refreshed.is_success() {
                store(text, alloc("Ready"));
            } else {
                store(text, ptr::null_mut());
            }
            refreshed
        });
    }
}

pub(super) fn out_wrong_family(audit: &Session, conduct: Conduct) {
    let mut literal = [0x52_u16, 0x65, 0x61, 0x64, 0x79, 0];
    get(audit, |text| {
        let handed_out = match conduct {
            Broken => literal.as_mut_ptr(),
            Kept => alloc("Ready"),
        };
        store(text, handed_out);
        OK
    });
}

pub(super) fn out_not_a_copy(audit: &Session, conduct: Conduct) {
    let status = alloc("Ready");
    let texts = [(), ()].map(|()| {
        audit.call(GET).out_bstr("text").invoke(|text| {
            let handed_out = match conduct {
                Broken => status,
                Kept => copy(status),
            };
            store(text, handed_out);
            OK
        })
    });
    drop(texts);
    if conduct == Kept {
        free(status);
    }
}

pub(super) fn out_freed(audit: &Session, conduct: Conduct) {
    let mut status = alloc("Ready");
    let text = audit.call(GET).out_bstr("text").invoke(|text| {
        store(text, status);
        if conduct == Kept {
            status = ptr::null_mut();
        }
        OK
    });
    let done = Bstr::from("Done");
    let _ = audit.call(PUT).in_bstr("text", &done).invoke(|text| {
        free(status);
        status = copy(text);
        OK
    });
    drop(text);
    free(status);
}

// ------------------------------------------------------------------------------------- [in,out]

pub(super) fn inout_invalid(audit: &Session, conduct: Conduct) {
    let mut buffer = [0x4C_u16, 0x6F, 0x61, 0x64, 0];
    let loading = alloc("Loading");
    let mut text = match conduct {
        Broken => buffer.as_mut_ptr(),
        Kept => loading,
    };
    // SAFETY: the variable is there until the call has returned.
    let call = unsafe {
        audit
            .call(EXCHANGE)
            .inout_raw(Parameter::bstr("text"), &raw mut text)
    };
    let _ = call.invoke(|_text| OK);
    free(loading);
}

pub(super) fn inout_leaked(audit: &Session, conduct: Conduct) -> Left {
    let mut status = alloc("Ready");
    let mut text = Bstr::from("Loading");
    let old = text.as_raw().cast_mut();
    let _ = audit
        .call(EXCHANGE)
        .inout_bstr("text", &mut text)
        .invoke(|text| {
            let former = status;
            status = copy(load(text));
            if conduct == Kept {
                free(load(text));
            }
            store(text, former);
            OK
        });
    free(status);
    left(conduct, Left::Text(old))
}

pub(super) fn inout_dangling(audit: &Session, conduct: Conduct) {
    let mut text = Bstr::from("Loading");
    let _ = audit
        .call(EXCHANGE)
        .inout_bstr("text", &mut text)
        .invoke(|text| {
            free(load(text));
            if conduct == Kept {
                store(text, ptr::null_mut());
            }
            OK
        });
}

pub(super) fn inout_changed_on_failure(audit: &Session, conduct: Conduct) {
    let status = alloc("Ready");
    let mut text = Bstr::from("Loading");
    let _ = audit
        .call(EXCHANGE)
        .inout_bstr("text", &mut text)
        .invoke(|text| {
            if conduct == Broken {
                // SAFETY: a variable with a string, and another string.
                let _ = unsafe { raw::realloc(text, status) };
            }
            HResult::E_FAIL
        });
    free(status);
}

pub(super) fn aliased(audit: &Session, conduct: Conduct) {
    let mut text = alloc("old");
    let new = alloc("new");
    let name = match conduct {
        Broken => text,
        Kept => new,
    };
    // SAFETY: a live string.
    let call = unsafe {
        audit
            .call("IBrowser::Rename")
            .in_raw(Parameter::bstr("name"), name)
    };
    // SAFETY: the variable is there until the call has returned.
    let call = unsafe { call.inout_raw(Parameter::bstr("text"), &raw mut text) };
    let _ = call.invoke(|name, text| {
        if name != load(text) {
            // SAFETY: a variable with a string, and another string.
            let _ = unsafe { raw::realloc(text, name) };
        }
        OK
    });
    free(new);
    free(text);
}

// ------------------------------------------------------------------- buffers, arrays, structures

pub(super) fn buffer_overrun(audit: &Session, conduct: Conduct) {
    let title = Bstr::from("olemem");
    let mut buffer = [0_u16; 4];
    let size = buffer.len();
    let _ = audit
        .call("IBrowser::ReadTitle")
        .buffer("buffer", &mut buffer)
        .invoke(|buffer| {
            for (at, unit) in title.as_units().iter().enumerate() {
                if conduct == Kept && at == size {
                    return HResult::S_FALSE;
                }
                // The audit gives the method a copy of the buffer, and guard bytes behind it.
                store(buffer.wrapping_add(at), *unit);
            }
            OK
        });
}

/// What `get_Names` hands out, and how it is freed.
pub(super) fn element_leaked(audit: &Session, conduct: Conduct) -> Left {
    let mut count = 0_u32;
    let mut names: *mut *mut u16 = ptr::null_mut();
    let (counted, array) = (&raw mut count, &raw mut names);
    let _ = audit
        .call("IBrowser::get_Names")
        // SAFETY: the variables are there until the call has returned.
        .with(|call| unsafe {
            call.output_array(Parameter::bstr("names"), array.cast(), counted);
        })
        .invoke(|| {
            let block = alloc_task(size_of::<*mut u16>()).cast::<*mut u16>();
            if block.is_null() {
                store(array, block);
                return HResult::E_OUTOFMEMORY;
            }
            store(block, alloc("olemem"));
            store(counted, 1);
            store(array, block);
            OK
        });
    if names.is_null() {
        return Left::Nothing;
    }
    let name = load(names);
    if conduct == Kept {
        free(name);
    }
    free_task(names.cast());
    left(conduct, Left::Text(name))
}

pub(super) fn element_invalid(audit: &Session, conduct: Conduct) {
    let title = alloc_task(14);
    let mut titles: [*mut u16; 1] = [ptr::null_mut()];
    let mut count = 0_u32;
    let (counted, array) = (&raw mut count, titles.as_mut_ptr());
    let _ = audit
        .call("IBrowser::get_Titles")
        // SAFETY: the array and the variable are there until the call has returned.
        .with(|call| unsafe {
            call.array(Parameter::bstr("titles"), array.cast(), 1, 0, counted);
        })
        .invoke(|| {
            let element = match conduct {
                Broken => title.cast(),
                Kept => alloc("olemem"),
            };
            store(array, element);
            store(counted, 1);
            OK
        });
    if conduct == Kept {
        free(load(array));
    }
    free_task(title);
}

pub(super) fn member_uninitialised(audit: &Session, conduct: Conduct) {
    let mut whatever = [0_u16; 4];
    let status = Bstr::from("Ready");
    let mut title = match conduct {
        Broken => whatever.as_mut_ptr(),
        Kept => ptr::null_mut(),
    };
    let member = &raw mut title;
    let _ = audit
        .call("IBrowser::UpdatePage")
        // SAFETY: the structure is there until the call has returned.
        .with(|call| unsafe {
            call.in_out(Parameter::bstr("page.title").member(), member.cast());
        })
        .invoke(|| {
            if load(member).is_null() {
                store(member, copy(status.as_raw().cast_mut()));
            }
            OK
        });
    if conduct == Kept {
        free(title);
    }
}

pub(super) fn orphaned(audit: &Session, conduct: Conduct) -> Left {
    let mut page_title = ptr::null_mut::<u16>();
    let member = &raw mut page_title;
    let mut title = ptr::null_mut();
    let _ = audit
        .call("IBrowser::GetPage")
        // SAFETY: the structure is there until the call has returned.
        .with(|call| unsafe {
            call.output(Parameter::bstr("page.title").member(), member.cast());
        })
        .invoke(|| {
            store(member, ptr::null_mut());
            title = alloc("olemem");
            // There is no address to be had.
            if conduct == Kept {
                free(title);
            }
            HResult::E_FAIL
        });
    left(conduct, Left::Text(title))
}

// ----------------------------------------------------------------------------------- interfaces

type Site = *mut Object<UnknownVtbl>;

/// A pointer to an object, lent.
fn lent(site: &CountingObject) -> Site {
    site.as_raw().cast()
}

fn vtbl(site: Site) -> &'static UnknownVtbl {
    // SAFETY: a counting object, whose memory stays until its session ends.
    unsafe { (*site).vtbl }
}

fn add_ref(site: Site) {
    // SAFETY: as above; an object that is gone is told.
    unsafe { (vtbl(site).add_ref)(site.cast()) };
}

fn release(site: Site) {
    // SAFETY: as above; one time too many is told, and put right.
    unsafe { (vtbl(site).release)(site.cast()) };
}

/// Calls `put_Site`.
fn put_site(audit: &Session, site: Site, method: impl FnOnce(Site) -> HResult) {
    // SAFETY: a counting object's.
    let call = unsafe {
        audit
            .call("IBrowser::put_Site")
            .in_raw(Parameter::interface("site"), site)
    };
    let _ = call.invoke(method);
}

pub(super) fn interface_over_released(audit: &Session, conduct: Conduct) {
    let site = CountingObject::unknown();
    put_site(audit, lent(&site), |site| {
        add_ref(site);
        release(site);
        if conduct == Broken {
            release(site);
        }
        OK
    });
}

pub(super) fn interface_leaked(audit: &Session, conduct: Conduct) -> Left {
    let site = CountingObject::unknown();
    let found = audit
        .call("IUnknown::QueryInterface")
        .out_interface::<UnknownVtbl>("object")
        .invoke(|found: *mut Site| {
            add_ref(lent(&site));
            store(found, lent(&site));
            OK
        });
    match (conduct, found) {
        (Broken, Ok(Some(found))) => Left::Reference(found),
        _ => Left::Nothing,
    }
}

pub(super) fn interface_not_addrefed(audit: &Session, conduct: Conduct) {
    let site = CountingObject::unknown();
    let found: Result<Option<Reference>, HResult> = audit
        .call("IBrowser::get_Site")
        .out_interface("site")
        .invoke(|found| {
            store(found, lent(&site));
            if conduct == Kept {
                add_ref(lent(&site));
            }
            OK
        });
    drop(found);
}

pub(super) fn interface_used_after_destroy(audit: &Session, conduct: Conduct) {
    let site = CountingObject::unknown();
    let pointer = lent(&site);
    let mut held = Some(site);
    if conduct == Broken {
        held = None;
    }
    put_site(audit, pointer, |site| {
        add_ref(site);
        release(site);
        OK
    });
    drop(held);
}

/// One face of an object that counts nothing.
#[repr(C)]
struct Face {
    object: Object<UnknownVtbl>,
    /// What it gives for `IUnknown`.
    identity: *mut c_void,
}

static FACE: UnknownVtbl = UnknownVtbl {
    query_interface: identity_of,
    add_ref: uncounted,
    release: uncounted,
};

unsafe extern "system" fn uncounted(_: *mut c_void) -> u32 {
    1
}

unsafe extern "system" fn identity_of(
    this: *mut c_void,
    iid: *const Guid,
    found: *mut *mut c_void,
) -> HResult {
    // SAFETY: the check below passes an identifier.
    let (answer, code) = if unsafe { *iid } == IID_UNKNOWN {
        // SAFETY: the function below has the faces until the check is over.
        (unsafe { (*this.cast::<Face>()).identity }, OK)
    } else {
        (ptr::null_mut(), HResult::E_NOINTERFACE)
    };
    store(found, answer);
    code
}

pub(super) fn identity_broken(audit: &Session, conduct: Conduct) {
    let _status = Bstr::from("Ready");
    let face = || Face {
        object: Object { vtbl: &FACE },
        identity: ptr::null_mut(),
    };
    let (mut browser, mut wrapper) = (face(), face());
    let (browser, wrapper) = (&raw mut browser, &raw mut wrapper);
    for (face, other) in [(browser, wrapper), (wrapper, browser)] {
        let identity = match conduct {
            Broken => other,
            Kept => browser,
        };
        // SAFETY: one of the two above, which nobody else uses.
        unsafe { (*face).identity = identity.cast() };
    }
    // SAFETY: an object of two faces, which are there until the function returns.
    unsafe { audit.check_identity("IBrowser", browser.cast(), &[]) };
}
