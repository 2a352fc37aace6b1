//! Objects that know who holds references to them.

use core::any::Any;
use core::ffi::c_void;
use core::fmt;
use core::marker::PhantomData;
use core::ptr::{self, NonNull};

use super::current::{crossing, current};
use super::judge::of_call;
use super::ledger::{
    Books, Call, Deed, Detail, Holding, Object, ObjectId, Party, Record, SessionId, Suspicion,
    books,
};
use super::rules::{Kind, Rule, Severity};
use super::site::{Site, Stack};
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
/// [annotated call](crate::audit::Crossing) that is under way; outside of one it is the program.
///
/// An object that is called has code that runs outside of annotated calls, its constructor or a thread, and what that adds and
/// releases counts as the program's. So a method that releases what it did not add is told when the call ends if that must be
/// another's: the handle's, that of a [`Reference`](crate::crossing::Reference) which is passed, the one that an \[in\] pointer stands
/// for. Where it may have been its own all the time, it is told as soon as a reference is missing: as that call's, with the place
/// of that release, and of nobody who comes later.
///
/// What is leaked is told with the call in which it was added or handed out, and where it was added. Of several references that
/// one party holds nobody can tell which it forgot: of the program's it is one that a call handed out, if there is any.
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
        // SAFETY: the caller's promise; it lives for ever.
        let made = unsafe { Self::made(ptr::from_ref(vtable).cast(), identifiers, state) };
        made.expect("no memory for a counting object")
    }

    /// An object of a vtable that lives as long as its state; of that of `IUnknown` for null. `None` if there is no memory: the state
    /// is dropped then.
    ///
    /// # Safety
    ///
    /// * As for [`with_vtable`](Self::with_vtable).
    pub(crate) unsafe fn made<S: 'static>(
        vtable: *const UnknownVtbl,
        identifiers: &[Guid],
        state: S,
    ) -> Option<Self> {
        let vtbl: *const UnknownVtbl = if vtable.is_null() {
            &raw const UNKNOWN
        } else {
            vtable
        };
        let mut header = Box::new(Header {
            vtbl: vtbl.cast(),
            id: 0,
            identifiers: identifiers.to_vec(),
            state: Box::new(state),
        });
        let at = Stack::here();
        let mut books = books();
        let session = books.effective(current());
        let id = books.objects.next();
        header.id = id;
        let object = NonNull::from(Box::leak(header));
        let first = Holding {
            is_handles: true,
            ..added(&mut books, &at)
        };
        let memory = object.as_ptr().cast();
        let is_entered = books.objects.enter(id, memory, session, first);
        if let Some(book) = books.session(session) {
            book.counts.operations += 1;
        }
        drop(books);
        if !is_entered {
            // SAFETY: it was just leaked from a box, and nobody knows of it.
            drop(unsafe { Box::from_raw(object.as_ptr()) });
            return None;
        }
        Some(Self {
            object,
            has_vtable: PhantomData,
        })
    }

    /// The interface pointer, lent: without a reference of its own.
    #[must_use]
    pub fn as_raw(&self) -> *mut c_void {
        self.object.as_ptr().cast()
    }

    /// Hands the handle's reference over: whoever gets the pointer releases it.
    ///
    /// # Examples
    ///
    /// ```
    /// use olemem::audit::{CountingObject, Session};
    /// use olemem::com::{Object, UnknownVtbl};
    ///
    /// let session = Session::begin();
    /// let made = session
    ///     .call("IFactory::Create")
    ///     .out_interface::<UnknownVtbl>("object")
    ///     .invoke(|made: *mut *mut Object<UnknownVtbl>| {
    ///         // SAFETY: the caller's variable, and the reference is its own.
    ///         unsafe { made.write(CountingObject::unknown().into_raw().cast()) }
    ///     });
    /// drop(made);
    /// session.finish().assert_clean();
    /// ```
    #[must_use]
    pub fn into_raw(self) -> *mut c_void {
        let this = core::mem::ManuallyDrop::new(self);
        this.lets_go();
        this.as_raw()
    }

    /// The reference of the handle is like any other from now on, and that of whoever is in a call here.
    fn lets_go(&self) {
        let id = self.id();
        let mut books = books();
        let party = books.crossed.caller(crossing());
        if let Some(object) = books.objects.get(id) {
            object.takes_from_handle(party);
        }
    }

    /// How many references there are.
    #[must_use]
    pub fn references(&self) -> u32 {
        // SAFETY: the handle holds a reference, or its session keeps the memory.
        unsafe { Self::count(self.as_raw()) }
    }

    fn id(&self) -> ObjectId {
        // SAFETY: the handle holds a reference, or its session keeps the memory.
        unsafe { header(self.as_raw()) }.id
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
        let at = Stack::here();
        let mut books = books();
        let session = books.effective(current());
        let first = added(&mut books, &at);
        books.objects.take_up(id, session, first);
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
        self.lets_go();
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

/// Tells that an object has no reference where one is needed: once. While a call is under way that released more than it had,
/// that is for its verdict.
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
    let is_open = |call| books.crossed.open(call).is_some();
    if object.is_owed(is_open) || core::mem::replace(&mut object.is_blamed, true) {
        return;
    }
    let session = object.session;
    if let Some(suspicion) = object.suspicion {
        return suspicion.tell(books, session, deed);
    }
    let record = Record {
        rules: Rule::only(51),
        ..Record::new(kind, deed, Detail::Words(words), None)
    };
    books.tell(session, record, at);
}

/// A reference that whoever is in a call on this thread, or the program, adds here.
fn added(books: &mut Books, at: &Stack) -> Holding {
    let within = crossing();
    let open = books.crossed.open(within);
    let call = open.map(|open| Call {
        method: open.method,
        parameter: None,
        element: None,
    });
    Holding {
        by: books.crossed.caller(within),
        within,
        lent: 0,
        call,
        rule: 43,
        at: books.sites.keep(at),
        is_handles: false,
    }
}

impl Suspicion {
    /// A pointer was handed out without a reference.
    pub(super) fn not_added(by: Party, call: Call, at: Site) -> Self {
        let kind = Kind::InterfaceNotAddrefed;
        Self {
            by,
            kind,
            rules: kind.rules(),
            call,
            words: "an interface pointer was handed out without a reference for the caller",
            at,
        }
    }

    /// A reference was released that the call had not added.
    pub(super) fn released(by: Party, call: Call, rule: u8, at: Site) -> Self {
        Self {
            by,
            kind: Kind::InterfaceOverReleased,
            rules: Rule::only(rule),
            call,
            words: "the callee released a reference that it had not added, and one is missing now",
            at,
        }
    }

    /// It was right.
    pub(super) fn tell(self, books: &mut Books, session: SessionId, deed: Deed) {
        let record = Record {
            rules: self.rules,
            ..of_call(self.kind, deed, self.words, self.call)
        };
        let at = books.sites.get(self.at);
        books.tell(session, record, &at);
    }
}

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
    let at = Stack::here();
    let mut books = books();
    let added = added(&mut books, &at);
    let Some(object) = books.objects.get(id).filter(|object| object.references > 0) else {
        drop(books);
        is_there(id);
        return 0;
    };
    object.adds(added);
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
    let released_at = books.sites.keep(&at);
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
    object.releases(party, crossing(), released_at);
    object.is_held |= holds && object.references == 0;
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

/// What is told of an object that still has references when its session ends: of one of them for all.
pub(super) fn leak(object: &Object) -> Record {
    let detail = Detail::References(object.references);
    let mut record = Record::new(Kind::InterfaceLeaked, Deed::End, detail, None);
    if let Some(left) = object.left() {
        record.call = left.call;
        record.rules = Rule::only(left.rule);
        record.at = left.at;
    }
    record
}
