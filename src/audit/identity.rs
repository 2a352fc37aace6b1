//! Whether an object's `QueryInterface` keeps to the rules of identity (R48, R49).

use core::ffi::c_void;
use core::ptr;

use super::judge::of_call;
use super::ledger::{Call, Deed, books};
use super::rules::{Kind, Rule};
use super::session::Session;
use super::site::Stack;
use crate::com::{Guid, HResult, IID_UNKNOWN, Object, UnknownVtbl};

impl Session {
    /// Asks an object for each of these interfaces from each other, twice, and tells if the answers do not fit together:
    ///
    /// * `IUnknown` is one pointer, from whichever interface (R49).
    /// * What is there once is there always, and what is not, is not (R49).
    /// * From each interface that is there each other is to be had (R49).
    /// * Where one is not, NULL is stored (R48).
    ///
    /// What it gets it releases. `method` names the object in the report.
    ///
    /// # Examples
    ///
    /// ```
    /// use olemem::audit::{CountingObject, Session};
    ///
    /// let session = Session::begin();
    /// let site = CountingObject::unknown();
    /// // SAFETY: the site is live.
    /// unsafe { session.check_identity("ISite", site.as_raw(), &[]) };
    /// drop(site);
    /// session.finish().assert_clean();
    /// ```
    ///
    /// # Safety
    ///
    /// * `object` is an interface pointer of a live object. Its `QueryInterface` stores NULL or an interface pointer, with a
    ///   reference if it succeeds.
    pub unsafe fn check_identity(&self, name: &str, object: *mut c_void, interfaces: &[Guid]) {
        let query = Query {
            session: self,
            name,
            is_told: false,
        };
        // SAFETY: the caller's promise.
        unsafe { query.run(object, interfaces) };
    }
}

/// A check that is under way.
struct Query<'a> {
    session: &'a Session,
    name: &'a str,
    /// One mistake is told, not what else follows from it.
    is_told: bool,
}

impl Query<'_> {
    /// # Safety
    ///
    /// * As for [`Session::check_identity`].
    unsafe fn run(mut self, object: *mut c_void, interfaces: &[Guid]) {
        let all = || core::iter::once(&IID_UNKNOWN).chain(interfaces);
        // SAFETY: the caller's promise.
        let identity = unsafe { self.ask(object, &IID_UNKNOWN) };
        if identity.is_null() {
            return self.tell("an object has no IUnknown");
        }
        for iid in all() {
            // SAFETY: as above.
            let once = unsafe { self.has(object, iid) };
            // SAFETY: as above.
            let again = unsafe { self.has(object, iid) };
            if once != again {
                self.tell("an interface was there at one time and not at another");
            }
        }
        for first in all() {
            // SAFETY: as above.
            let from = unsafe { self.ask(object, first) };
            if from.is_null() {
                continue;
            }
            // SAFETY: a pointer that the object gave, with a reference.
            let same = unsafe { self.ask(from, &IID_UNKNOWN) };
            if same != identity {
                self.tell("an object gave different pointers for IUnknown");
            }
            // SAFETY: null or a reference that the object gave.
            unsafe { release(same) };
            for second in all() {
                // SAFETY: as above, twice.
                let (here, there) = (unsafe { self.has(object, second) }, unsafe {
                    self.has(from, second)
                });
                if here != there {
                    self.tell("an interface is to be had from one interface and not from another");
                }
            }
            // SAFETY: the reference that came with it.
            unsafe { release(from) };
        }
        // SAFETY: as above.
        unsafe { release(identity) };
    }

    /// Whether an interface is there.
    ///
    /// # Safety
    ///
    /// * As for [`ask`](Self::ask).
    unsafe fn has(&mut self, object: *mut c_void, iid: &Guid) -> bool {
        // SAFETY: the caller's promise.
        let found = unsafe { self.ask(object, iid) };
        // SAFETY: null or a reference that the object gave.
        unsafe { release(found) };
        !found.is_null()
    }

    /// An interface of an object, with a reference; null if it has none.
    ///
    /// # Safety
    ///
    /// * `object` is an interface pointer of a live object.
    unsafe fn ask(&mut self, object: *mut c_void, iid: &Guid) -> *mut c_void {
        // Something that is not NULL, to see that it is stored over.
        let mut planted = 0_usize;
        let garbage: *mut c_void = (&raw mut planted).cast();
        let mut found = garbage;
        // SAFETY: the caller's promise.
        let query = unsafe { vtbl(object) }.query_interface;
        // SAFETY: an identifier, and a variable of this frame's.
        let result: HResult = unsafe { query(object, iid, &raw mut found) };
        if result.is_success() {
            return if found == garbage {
                ptr::null_mut()
            } else {
                found
            };
        }
        if !found.is_null() {
            self.tell_set();
        }
        ptr::null_mut()
    }

    fn tell(&mut self, words: &'static str) {
        self.record(Kind::IdentityBroken, 49, words, None);
    }

    fn tell_set(&mut self) {
        let words = "QueryInterface failed, and its variable is not NULL";
        self.record(Kind::OutSetOnFailure, 48, words, Some("ppvObject"));
    }

    fn record(&mut self, kind: Kind, rule: u8, words: &'static str, parameter: Option<&str>) {
        if core::mem::replace(&mut self.is_told, true) {
            return;
        }
        let at = Stack::here();
        let mut books = books();
        let Some(method) = books.crossed.name(self.name) else {
            return;
        };
        let parameter = parameter.and_then(|name| books.crossed.name(name));
        let mut record = of_call(
            kind,
            Deed::Read,
            words,
            Call {
                method,
                parameter,
                element: None,
            },
        );
        record.rules = Rule::only(rule);
        books.tell(self.session.id(), record, &at);
    }
}

/// # Safety
///
/// * `object` is an interface pointer of a live object.
unsafe fn vtbl(object: *mut c_void) -> &'static UnknownVtbl {
    // SAFETY: the caller's promise; an object begins with the pointer to its vtable.
    unsafe { &*object.cast::<Object<UnknownVtbl>>() }.vtbl
}

/// # Safety
///
/// * `object` is null or an interface pointer with a reference that is given up.
unsafe fn release(object: *mut c_void) {
    if object.is_null() {
        return;
    }
    // SAFETY: the caller's promise.
    let release = unsafe { vtbl(object) }.release;
    // SAFETY: as above.
    unsafe { release(object) };
}
