//! Objects that know who holds references to them.

use core::any::Any;
use core::ffi::c_void;
use core::fmt;
use core::marker::PhantomData;
use core::ptr::{self, NonNull};

use super::current::{crossing, current};
use super::judge::of_call;
use super::ledger::{Books, Deed, Detail, Object, ObjectId, Record, books};
use super::rules::{Kind, Rule, Severity};
use super::site::Stack;
use crate::com::{Guid, HResult, IID_UNKNOWN, UnknownVtbl};

/// The first three slots of a counting object's vtable.
pub const COUNTED: UnknownVtbl = UnknownVtbl {
    query_interface,
    add_ref,
    release,
};

static UNKNOWN: UnknownVtbl = COUNTED;

/// What every counting object begins with.
#[repr(C)]
struct Header {
    /// First, as COM has it.
    vtbl: *const c_void,
    id: ObjectId,
    identifiers: Vec<Guid>,
    /// What its methods work on.
    state: Box<dyn Any>,
}

/// A COM object for tests, which notices who releases it too often, who leaks it, who uses it when it is gone.
///
/// It belongs to the session in which it was made, and begins with one reference, which this handle holds and releases
/// when it is dropped. Who adds and releases references, by `AddRef` and `Release` through its vtable, is known by the
/// [annotated call](crate::audit::Crossing) that is under way; outside of one it is the program. What an object does outside of
/// annotated calls counts as the program's.
///
/// Its memory stays until its session ends, so that a call to an object that is gone is told and does no harm.
///
/// # Examples
///
/// ```
/// use olemem::audit::{CountingObject, Kind, Session};
///
/// let session = Session::begin();
/// let site = CountingObject::unknown();
/// // SAFETY: it is live.
/// unsafe { site.add_ref() };
/// assert_eq!(site.references(), 2);
/// drop(site);
/// // One reference was never released.
/// session.finish().assert_kinds([Kind::InterfaceLeaked]);
/// ```
pub struct CountingObject<V: 'static = UnknownVtbl> {
    object: NonNull<Header>,
    has_vtable: PhantomData<&'static V>,
}

impl CountingObject {
    /// An object with `IUnknown` alone.
    ///
    /// # Panics
    ///
    /// If there is no memory.
    #[must_use]
    pub fn unknown() -> Self {
        // SAFETY: it begins with itself.
        unsafe { Self::with_vtable(&UNKNOWN, &[], ()) }
    }
}

impl<V: 'static> CountingObject<V> {
    /// An object of interfaces of the user's: a vtable that begins with [`COUNTED`], the identifiers of all interfaces that
    /// it has but `IUnknown`, and what its methods work on.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::ffi::c_void;
    ///
    /// use olemem::audit::{COUNTED, CountingObject, Session};
    /// use olemem::com::UnknownVtbl;
    /// use olemem::{Guid, HResult};
    ///
    /// #[repr(C)]
    /// struct SiteVtbl {
    ///     unknown: UnknownVtbl,
    ///     on_done: unsafe extern "system" fn(*mut c_void) -> HResult,
    /// }
    ///
    /// unsafe extern "system" fn on_done(this: *mut c_void) -> HResult {
    ///     // SAFETY: a pointer to a site.
    ///     match unsafe { CountingObject::<SiteVtbl>::state::<std::cell::Cell<u32>>(this) } {
    ///         Some(calls) => { calls.set(calls.get() + 1); HResult::S_OK }
    ///         None => HResult::E_UNEXPECTED,
    ///     }
    /// }
    ///
    /// static SITE: SiteVtbl = SiteVtbl { unknown: COUNTED, on_done };
    /// const IID_SITE: Guid = Guid::from_u128(0x5173_0000_0000_0000_0000_0000_0000_0001);
    ///
    /// let session = Session::begin();
    /// // SAFETY: it begins with `COUNTED`.
    /// let site = unsafe { CountingObject::with_vtable(&SITE, &[IID_SITE], std::cell::Cell::new(0_u32)) };
    /// // SAFETY: the site is live.
    /// assert_eq!(unsafe { (SITE.on_done)(site.as_raw()) }, HResult::S_OK);
    /// drop(site);
    /// # drop(olemem::Bstr::from("something"));
    /// session.finish().assert_clean();
    /// ```
    ///
    /// # Safety
    ///
    /// * `V` is `repr(C)` and begins with an [`UnknownVtbl`], which in `vtable` is [`COUNTED`].
    ///
    /// # Panics
    ///
    /// If there is no memory.
    #[must_use]
    pub unsafe fn with_vtable<S: 'static>(
        vtable: &'static V,
        identifiers: &[Guid],
        state: S,
    ) -> Self {
        let mut header = Box::new(Header {
            vtbl: ptr::from_ref(vtable).cast(),
            id: 0,
            identifiers: identifiers.to_vec(),
            state: Box::new(state),
        });
        let mut books = books();
        let session = books.effective(current());
        let id = books.objects.next();
        header.id = id;
        let object = NonNull::from(Box::leak(header));
        let maker = (books.crossed.caller(crossing()), crossing());
        let memory = object.as_ptr().cast();
        let is_entered = books.objects.enter(id, memory, session, maker);
        if let Some(book) = books.session(session) {
            book.counts.operations += 1;
        }
        drop(books);
        assert!(is_entered, "no memory for a counting object");
        Self {
            object,
            has_vtable: PhantomData,
        }
    }

    /// The interface pointer, lent: without a reference of its own.
    #[must_use]
    pub fn as_raw(&self) -> *mut c_void {
        self.object.as_ptr().cast()
    }

    /// How many references there are.
    #[must_use]
    pub fn references(&self) -> u32 {
        // SAFETY: the handle holds a reference, or its session keeps the memory.
        unsafe { Self::count(self.as_raw()) }
    }

    /// Adds a reference, and gives the pointer that it is for.
    ///
    /// # Safety
    ///
    /// * Somebody releases it, before the session ends.
    pub unsafe fn add_ref(&self) -> *mut c_void {
        // SAFETY: the handle holds a reference.
        unsafe { add_ref(self.as_raw()) };
        self.as_raw()
    }

    /// What the methods of an object work on, for use in them; `None`, and told, if the object is gone, or the state of
    /// another type.
    ///
    /// # Safety
    ///
    /// * `this` is an interface pointer of a counting object, and the session of that is open or it has a reference for
    ///   as long as the state is used.
    #[must_use]
    pub unsafe fn state<'a, S: 'static>(this: *mut c_void) -> Option<&'a S> {
        // SAFETY: the caller's promise.
        let header = unsafe { header(this) };
        if !is_there(header.id) {
            return None;
        }
        header.state.downcast_ref()
    }
}

/// What a proxy asks of the object that it stands on.
impl<V: 'static> CountingObject<V> {
    /// What the methods work on, though the object may be gone.
    ///
    /// # Safety
    ///
    /// * `this` is an interface pointer of a counting object whose memory is there for `'a`.
    pub(crate) unsafe fn peek<'a, S: 'static>(this: *mut c_void) -> Option<&'a S> {
        // SAFETY: the caller's promise.
        unsafe { header(this) }.state.downcast_ref()
    }

    /// How many references there are.
    ///
    /// # Safety
    ///
    /// * As for [`peek`](Self::peek).
    pub(crate) unsafe fn count(this: *mut c_void) -> u32 {
        // SAFETY: the caller's promise.
        let id = unsafe { header(this) }.id;
        books()
            .objects
            .get(id)
            .map_or(0, |object| object.references)
    }

    /// Whether the object is there, for a call to it. That it is not is told.
    ///
    /// # Safety
    ///
    /// * As for [`peek`](Self::peek).
    pub(crate) unsafe fn is_used(this: *mut c_void) -> bool {
        // SAFETY: the caller's promise.
        is_there(unsafe { header(this) }.id)
    }

    /// Has the object known by another address as well.
    ///
    /// # Safety
    ///
    /// * As for [`peek`](Self::peek).
    pub(crate) unsafe fn known_as(this: *mut c_void, address: *const c_void) {
        // SAFETY: the caller's promise.
        let id = unsafe { header(this) }.id;
        books().objects.known_as(id, address.addr());
    }

    /// Releases a reference. With the last one the memory stays until [`done`](Self::done) says that it is needed no
    /// more, and [`bury`] gives it back.
    ///
    /// # Safety
    ///
    /// * `this` is an interface pointer of a counting object whose memory is there.
    pub(crate) unsafe fn take(this: *mut c_void) -> u32 {
        // SAFETY: the caller's promise.
        unsafe { give_up(this, true) }
    }

    /// Somebody has a reference again, where there was none.
    ///
    /// # Safety
    ///
    /// * As for [`take`](Self::take); the memory is still needed.
    pub(crate) unsafe fn take_up(this: *mut c_void) {
        // SAFETY: the caller's promise.
        let id = unsafe { header(this) }.id;
        let mut books = books();
        let session = books.effective(current());
        let maker = (books.crossed.caller(crossing()), crossing());
        books.objects.take_up(id, session, maker);
        if let Some(book) = books.session(session) {
            book.counts.operations += 1;
        }
    }

    /// Tells that an object is used to which nobody has a reference by this pointer, though others keep it.
    ///
    /// # Safety
    ///
    /// * As for [`peek`](Self::peek).
    pub(crate) unsafe fn tell_unheld(this: *mut c_void) {
        // SAFETY: the caller's promise.
        let id = unsafe { header(this) }.id;
        let at = Stack::here();
        let mut books = books();
        let own = books.objects.get(id).map_or(0, |object| object.session);
        let session = match own {
            0 => books.effective(current()),
            own => own,
        };
        let words = "an object is called by a pointer that nobody has a reference for";
        let record = Record {
            severity: Severity::Warning,
            rules: Rule::only(43),
            ..Record::new(
                Kind::InterfaceUsedAfterDestroy,
                Deed::Read,
                Detail::Words(words),
                None,
            )
        };
        books.tell(session, record, &at);
    }

    /// Whoever took the last reference is done with the memory.
    ///
    /// # Safety
    ///
    /// * As for [`take`](Self::take).
    pub(crate) unsafe fn done(this: *mut c_void) {
        // SAFETY: the caller's promise.
        let id = unsafe { header(this) }.id;
        if let Some(object) = books().objects.get(id) {
            object.is_held = false;
        }
    }
}

impl<V> Drop for CountingObject<V> {
    fn drop(&mut self) {
        // SAFETY: the reference that the handle holds, or one too many, which is told.
        unsafe { release(self.as_raw()) };
    }
}

impl<V> fmt::Debug for CountingObject<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CountingObject")
            .field("references", &self.references())
            .finish_non_exhaustive()
    }
}

/// # Safety
///
/// * `this` is an interface pointer of a counting object whose memory is there for `'a`.
unsafe fn header<'a>(this: *mut c_void) -> &'a Header {
    // SAFETY: the caller's promise; an object begins with its header.
    unsafe { &*this.cast::<Header>() }
}

/// Whether an object has a reference; that it is used without one is told.
fn is_there(id: ObjectId) -> bool {
    let at = Stack::here();
    let mut books = books();
    let is_there = books
        .objects
        .get(id)
        .is_some_and(|object| object.references > 0);
    if !is_there {
        let words = "an object is called after its last reference was released";
        tell_gone(
            &mut books,
            id,
            Kind::InterfaceUsedAfterDestroy,
            Deed::Read,
            words,
            &at,
        );
    }
    is_there
}

/// Tells that an object has no reference where one is needed: once.
fn tell_gone(
    books: &mut Books,
    id: ObjectId,
    kind: Kind,
    deed: Deed,
    words: &'static str,
    at: &Stack,
) {
    let Some(object) = books.objects.get(id) else {
        return;
    };
    if core::mem::replace(&mut object.is_blamed, true) {
        return;
    }
    let session = object.session;
    let record = match object.fault(kind) {
        (kind, Some(call)) => of_call(kind, deed, NOT_ADDED, call),
        (kind, None) => Record {
            rules: Rule::only(51),
            ..Record::new(kind, deed, Detail::Words(words), None)
        },
    };
    books.tell(session, record, at);
}

/// The sentence of a pointer that was handed out without a reference.
pub(super) const NOT_ADDED: &str =
    "an interface pointer was handed out without a reference for the caller";

unsafe extern "system" fn query_interface(
    this: *mut c_void,
    iid: *const Guid,
    out: *mut *mut c_void,
) -> HResult {
    if out.is_null() {
        return HResult::E_POINTER;
    }
    // SAFETY: an object's own vtable leads here.
    let header = unsafe { header(this) };
    // SAFETY: the caller passes null or an identifier.
    let known = unsafe { iid.as_ref() }
        .is_some_and(|iid| *iid == IID_UNKNOWN || header.identifiers.contains(iid));
    let (found, code) = if known && is_there(header.id) {
        // SAFETY: it has a reference.
        unsafe { add_ref(this) };
        (this, HResult::S_OK)
    } else {
        (ptr::null_mut(), HResult::E_NOINTERFACE)
    };
    // SAFETY: the caller passes a variable, and it is not null.
    unsafe { out.write(found) };
    code
}

unsafe extern "system" fn add_ref(this: *mut c_void) -> u32 {
    // SAFETY: an object's own vtable leads here.
    let id = unsafe { header(this) }.id;
    let mut books = books();
    let party = books.crossed.caller(crossing());
    let Some(object) = books.objects.get(id).filter(|object| object.references > 0) else {
        drop(books);
        is_there(id);
        return 0;
    };
    object.references += 1;
    object.holds(party, 1);
    object.raise(crossing(), 1);
    object.references
}

unsafe extern "system" fn release(this: *mut c_void) -> u32 {
    // SAFETY: an object's own vtable leads here.
    let left = unsafe { give_up(this, false) };
    if left == 0 {
        bury();
    }
    left
}

/// Releases a reference. The memory stays, and with the last reference it is held if that is asked for.
///
/// # Safety
///
/// * `this` is an interface pointer of a counting object whose memory is there.
unsafe fn give_up(this: *mut c_void, holds: bool) -> u32 {
    // SAFETY: the caller's promise.
    let id = unsafe { header(this) }.id;
    let at = Stack::here();
    let mut books = books();
    let party = books.crossed.caller(crossing());
    let Some(object) = books.objects.get(id) else {
        return 0;
    };
    if object.references == 0 {
        let words = "an object is released that has no reference any more";
        tell_gone(
            &mut books,
            id,
            Kind::InterfaceOverReleased,
            Deed::Free,
            words,
            &at,
        );
        return 0;
    }
    object.references -= 1;
    object.is_held |= holds && object.references == 0;
    object.holds(party, -1);
    object.raise(crossing(), -1);
    object.references
}

/// Gives the memory of objects back that nobody asks for any more.
pub(crate) fn bury() {
    // Their states are dropped without the lock: they may be anybody's code.
    while let Some(memory) = {
        let mut books = books();
        books.objects.take_dead()
    } {
        // SAFETY: `with_vtable` leaked it, it is in no book any more, and its last reference is gone.
        drop(unsafe { Box::from_raw(memory.cast::<Header>()) });
    }
}

/// What is told of an object that still has references when its session ends.
pub(super) fn leak(object: &Object) -> Record {
    let detail = Detail::References(object.references);
    Record {
        call: object.call,
        rules: Rule::only(object.rule),
        ..Record::new(Kind::InterfaceLeaked, Deed::End, detail, None)
    }
}
