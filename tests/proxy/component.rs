//! A component as anybody may write it, over raw vtables, which knows nothing of the audit; and the interfaces that are checked.

use std::ffi::c_void;
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use olemem::com::{IID_UNKNOWN, Object, UnknownVtbl};
use olemem::{Bstr, Guid, HResult, checked_interface, raw};

use crate::support::{OK, Raw, free, load, store, string, task};

checked_interface! {
    /// What a browser calls back.
    pub(crate) interface ISite("b5a3c8f0-1d51-4c3f-a3a0-0d6f3c0f2b01"): IUnknown {
        fn Told([in] text: BSTR) -> HRESULT;
    }
    /// A browser.
    pub(crate) interface IBrowser("b5a3c8f0-1d51-4c3f-a3a0-0d6f3c0f2b02"): IUnknown {
        fn put_Text([in] text: BSTR) -> HRESULT;
        fn get_Text([out, retval] text: *mut BSTR) -> HRESULT;
        fn Rename([in] name: BSTR, [in, out] title: *mut BSTR) -> HRESULT;
        [allow(may_fail_with_outs)]
        fn Find([in] text: BSTR, [out] rest: *mut BSTR) -> HRESULT;
        fn get_Path([out] path: *mut LPWSTR) -> HRESULT;
        fn get_Name([out, size_is(units)] buffer: *mut u16, [in] units: u32) -> HRESULT;
        fn get_Titles([out, size_is(, *count)] titles: *mut *mut BSTR, [out] count: *mut u32) -> HRESULT;
        fn DropLast([in, out, size_is(2), length_is(*count)] titles: *mut BSTR, [in, out] count: *mut u32) -> HRESULT;
        fn Next([in] room: u32, [out, size_is(room), length_is(*fetched)] texts: *mut LPWSTR, [out] fetched: *mut u32) -> HRESULT;
        fn put_All([in, size_is(count)] texts: *mut BSTR, [in] count: u32) -> HRESULT;
        fn Own() -> BSTR;
        fn Borrow([out, allocate(dont_free)] text: *mut BSTR) -> HRESULT;
        fn Tabs([in] kind: u32, [in] of: f64) -> u32;
        fn Close();
        fn put_Site([in] site: *mut ISite) -> HRESULT;
        fn get_Site([out] site: *mut *mut ISite) -> HRESULT;
        fn SwapSite([in, out] site: *mut *mut ISite) -> HRESULT;
        fn get_Parent([out] parent: *mut *mut IBrowser) -> HRESULT;
        fn IsSame([in] other: *mut IBrowser) -> u32;
        fn Parent() -> *mut IBrowser;
        fn Echo([in] any: *mut IUnknown, [out] same: *mut *mut IUnknown) -> HRESULT;
        fn put_Bytes([in, size_is(count)] bytes: *const u8, [in] count: u32) -> HRESULT;
        fn put_Texts([in, size_is(count)] texts: *const BSTR, [in] count: u32) -> HRESULT;
        fn put_Ref([in] text: *const BSTR) -> HRESULT;
        fn put_Literal([in, string] name: *const u16, [in] other: LPCWSTR) -> HRESULT;
        fn get_Site2([in] riid: REFIID, [out, iid_is(riid)] site: *mut *mut c_void) -> HRESULT;
        fn put_Site2([in] riid: REFIID, [in, iid_is(riid), unique] site: *mut IUnknown) -> HRESULT;
        fn SwapSite2([iid_is(riid), in, out] site: *mut *mut c_void, [in] riid: REFIID) -> HRESULT;
        fn put_Parent([in, weak] parent: *mut ISite) -> HRESULT;
        fn Read([out, size_is(*count / 2)] bytes: *mut u16, [in, out] count: *mut i32) -> HRESULT;
        fn Skip([in] room: u64, [out, size_is(room), length_is(*fetched)] texts: *mut BSTR, [out] fetched: *mut i64) -> HRESULT;
        fn get_Name2([retval, out, string] name: *mut *mut u16) -> HRESULT;
        fn NextSites([in] room: u32, [out, size_is(room), length_is(*fetched)] sites: *mut *mut ISite, [out] fetched: *mut u32) -> HRESULT;
        fn get_Sites([out, size_is(, *count)] sites: *mut *mut *mut ISite, [out] count: *mut u32) -> HRESULT;
        fn Label() -> LPCWSTR;
        fn get_Label([out] label: *mut LPCWSTR) -> HRESULT;
        fn IsShown([in] of: ULONG, [out] shown: *mut VARIANT_BOOL) -> HRESULT;
        fn NextLabels([in] room: u32, [out, size_is(room), length_is(*fetched)] labels: *mut LPCWSTR, [out] fetched: *mut u32) -> HRESULT;
        fn get_LabelPair([out, size_is(2)] labels: *mut LPCWSTR) -> HRESULT;
        fn get_Labels([out, size_is(, *count)] labels: *mut *mut LPCWSTR, [out] count: *mut u32) -> HRESULT;
        fn AdvanceLabel([in, out] label: *mut LPCWSTR, [in, out, string] other: *mut LPCWSTR) -> HRESULT;
        fn AdvanceLabels([in, out, size_is(*count), length_is(*count)] labels: *mut LPCWSTR, [in, out] count: *mut u32) -> HRESULT;
    }
    /// A newer one.
    pub(crate) interface IBrowser2("b5a3c8f0-1d51-4c3f-a3a0-0d6f3c0f2b03"): IBrowser {
        fn put_Title([in] title: BSTR) -> HRESULT;
    }
}

pub(crate) const IID_SITE: Guid = Guid::from_u128(0xb5a3c8f0_1d51_4c3f_a3a0_0d6f3c0f2b01);
pub(crate) const IID_BROWSER: Guid = Guid::from_u128(0xb5a3c8f0_1d51_4c3f_a3a0_0d6f3c0f2b02);
pub(crate) const IID_BROWSER_2: Guid = Guid::from_u128(0xb5a3c8f0_1d51_4c3f_a3a0_0d6f3c0f2b03);
/// One that nobody declared.
pub(crate) const IID_OTHER: Guid = Guid::from_u128(0xb5a3c8f0_1d51_4c3f_a3a0_0d6f3c0f2b0f);

/// A pointer to any object.
pub(crate) type Any = *mut c_void;

/// What a browser does: the rules are kept, unless a test says otherwise.
pub(crate) trait Methods {
    fn put_text(&self, text: Raw) -> HResult {
        let _ = text;
        OK
    }
    fn get_text(&self, text: *mut Raw) -> HResult {
        store(text, string("Ready"));
        OK
    }
    fn rename(&self, name: Raw, title: *mut Raw) -> HResult {
        // SAFETY: the test passes a string, which is lent.
        let units = unsafe { raw::unit_len(name) };
        // SAFETY: as above.
        let copy = unsafe { raw::alloc_units(name, units) };
        free(load(title));
        store(title, copy);
        OK
    }
    fn find(&self, text: Raw, rest: *mut Raw) -> HResult {
        let _ = text;
        store(rest, string("half"));
        HResult::E_FAIL
    }
    fn get_path(&self, path: *mut Raw) -> HResult {
        let block = task(4).cast::<u16>();
        store(block, u16::from(b'/'));
        store(block.wrapping_add(1), 0);
        store(path, block);
        OK
    }
    fn get_name(&self, buffer: *mut u16, units: u32) -> HResult {
        for at in 0..units as usize {
            store(buffer.wrapping_add(at), u16::from(b'n'));
        }
        OK
    }
    fn get_titles(&self, titles: *mut *mut Raw, count: *mut u32) -> HResult {
        let array = task(2 * size_of::<Raw>()).cast::<Raw>();
        store(array, string("one"));
        store(array.wrapping_add(1), string("two"));
        store(titles, array);
        store(count, 2);
        OK
    }
    fn drop_last(&self, titles: *mut Raw, count: *mut u32) -> HResult {
        let last = load(count) - 1;
        free(load(titles.wrapping_add(last as usize)));
        store(count, last);
        OK
    }
    /// As enumerators have it: without a variable for the count only one is asked for.
    fn next(&self, room: u32, texts: *mut Raw, fetched: *mut u32) -> HResult {
        for at in 0..room as usize {
            let _ = self.get_path(texts.wrapping_add(at));
        }
        if !fetched.is_null() {
            store(fetched, room);
        }
        OK
    }
    fn put_all(&self, texts: *mut Raw, count: u32) -> HResult {
        let _ = (texts, count);
        OK
    }
    fn own(&self) -> Raw {
        string("own")
    }
    fn borrow(&self, text: *mut Raw) -> HResult {
        store(text, ptr::null_mut());
        OK
    }
    fn put_site(&self, site: Any) -> HResult {
        let _ = site;
        OK
    }
    fn get_site(&self, site: *mut Any) -> HResult {
        store(site, ptr::null_mut());
        OK
    }
    fn swap_site(&self, site: *mut Any) -> HResult {
        let _ = site;
        OK
    }
    /// Whether it stands for the same object as a pointer of its own side.
    fn is_same(&self, this: Any, other: Any) -> u32 {
        (this == other).into()
    }
    fn put_bytes(&self, bytes: *const u8, count: u32) -> HResult {
        let _ = (bytes, count);
        OK
    }
    fn put_ref(&self, text: *mut Raw) -> HResult {
        let _ = text;
        OK
    }
    fn put_literal(&self, name: Raw, other: Raw) -> HResult {
        let _ = (name, other);
        OK
    }
    fn read(&self, bytes: *mut u16, count: *mut i32) -> HResult {
        if !count.is_null() {
            let _ = self.get_name(bytes, load(count).unsigned_abs() / 2);
            store(count, 0);
        }
        OK
    }
    /// Hands out one less than there is room for.
    fn skip(&self, room: u64, texts: *mut Raw, fetched: *mut i64) -> HResult {
        let count = room - 1;
        for at in 0..usize::try_from(count).expect("there are few") {
            store(texts.wrapping_add(at), string("text"));
        }
        store(fetched, count.cast_signed());
        HResult::S_FALSE
    }
    fn told(&self, text: Raw) -> HResult {
        let _ = text;
        OK
    }
}

/// A text that stays the object's.
pub(crate) static LABEL: [u16; 3] = [b'o' as u16, b'k' as u16, 0];

/// One that keeps every rule.
pub(crate) struct Good;
impl Methods for Good {}

/// The object.
#[repr(C)]
struct Component {
    vtbl: *const c_void,
    references: AtomicU32,
    methods: Box<dyn Methods>,
    is_site: bool,
    alive: Arc<AtomicU32>,
}

impl Drop for Component {
    fn drop(&mut self) {
        self.alive.fetch_sub(1, Ordering::Relaxed);
    }
}

/// An object with one reference, and what says how many of its kind are there.
pub(crate) struct Made {
    pub(crate) object: Any,
    pub(crate) alive: Arc<AtomicU32>,
}

impl Made {
    pub(crate) fn is_alive(&self) -> bool {
        self.alive.load(Ordering::Relaxed) == 1
    }

    pub(crate) fn references(&self) -> u32 {
        component(self.object).references.load(Ordering::Relaxed)
    }
}

fn made(vtbl: *const c_void, methods: Box<dyn Methods>, is_site: bool) -> Made {
    let alive = Arc::new(AtomicU32::new(1));
    let component = Box::new(Component {
        vtbl,
        references: AtomicU32::new(1),
        methods,
        is_site,
        alive: Arc::clone(&alive),
    });
    Made {
        object: Box::into_raw(component).cast(),
        alive,
    }
}

pub(crate) fn browser(methods: impl Methods + 'static) -> Made {
    made((&raw const BROWSER).cast(), Box::new(methods), false)
}

pub(crate) fn site(methods: impl Methods + 'static) -> Made {
    made((&raw const SITE).cast(), Box::new(methods), true)
}

fn component<'a>(this: Any) -> &'a Component {
    // SAFETY: only the vtables below lead here, and the tests call what is live.
    unsafe { &*this.cast::<Component>() }
}

/// What an object does, without its vtable.
pub(crate) fn methods<'a>(this: Any) -> &'a dyn Methods {
    component(this).methods.as_ref()
}

unsafe extern "system" fn query_interface(this: Any, iid: *const Guid, out: *mut Any) -> HResult {
    // SAFETY: the caller passes an identifier.
    let iid = unsafe { *iid };
    let is_site = component(this).is_site;
    let has = iid == IID_UNKNOWN
        || (is_site && iid == IID_SITE)
        || (!is_site && [IID_BROWSER, IID_BROWSER_2, IID_OTHER].contains(&iid));
    if has {
        // SAFETY: a live object.
        unsafe { add_ref(this) };
        store(out, this);
        OK
    } else {
        store(out, ptr::null_mut());
        HResult::E_NOINTERFACE
    }
}

unsafe extern "system" fn add_ref(this: Any) -> u32 {
    component(this).references.fetch_add(1, Ordering::Relaxed) + 1
}

unsafe extern "system" fn release(this: Any) -> u32 {
    let left = component(this).references.fetch_sub(1, Ordering::AcqRel) - 1;
    if left == 0 {
        // SAFETY: it came from a box, and this was the last reference.
        drop(unsafe { Box::from_raw(this.cast::<Component>()) });
    }
    left
}

const UNKNOWN: UnknownVtbl = UnknownVtbl {
    query_interface,
    add_ref,
    release,
};

/// The first slots of an object, as its callers have it.
fn unknown<'a>(object: Any) -> &'a UnknownVtbl {
    // SAFETY: the tests pass interface pointers whose memory is there.
    unsafe { &*object.cast::<Object<UnknownVtbl>>() }.vtbl
}

/// Adds a reference, as the holder of any interface does.
pub(crate) fn retain(object: Any) -> u32 {
    // SAFETY: as for `unknown`.
    unsafe { (unknown(object).add_ref)(object) }
}

/// Releases one.
pub(crate) fn let_go(object: Any) -> u32 {
    // SAFETY: as for `unknown`.
    unsafe { (unknown(object).release)(object) }
}

/// Asks for an interface.
pub(crate) fn ask(object: Any, iid: Guid) -> Result<Any, HResult> {
    let mut found = ptr::null_mut();
    // SAFETY: as for `unknown`; an identifier and a variable of this frame's.
    let result =
        unsafe { (unknown(object).query_interface)(object, &raw const iid, &raw mut found) };
    result.ok().map(|()| found)
}

#[repr(C)]
struct SiteVtbl {
    unknown: UnknownVtbl,
    told: unsafe extern "system" fn(Any, Raw) -> HResult,
}

static SITE: SiteVtbl = SiteVtbl {
    unknown: UNKNOWN,
    told: {
        unsafe extern "system" fn told(this: Any, text: Raw) -> HResult {
            methods(this).told(text)
        }
        told
    },
};

/// Calls a site, as a browser does.
pub(crate) fn tell(site: Any, text: Raw) -> HResult {
    // SAFETY: the tests pass sites.
    let vtbl = unsafe { &*site.cast::<Object<SiteVtbl>>() }.vtbl;
    // SAFETY: as above.
    unsafe { (vtbl.told)(site, text) }
}

/// A browser's vtable, and the functions in it.
macro_rules! browser_vtable {
    ($($name:ident($($parameter:ident: $type:ty),*) -> $result:ty $(= $of_object:expr)?;)*) => {
        #[repr(C)]
        struct BrowserVtbl {
            unknown: UnknownVtbl,
            $($name: unsafe extern "system" fn(Any $(, $type)*) -> $result,)*
        }
        static BROWSER: BrowserVtbl = BrowserVtbl {
            unknown: UNKNOWN,
            $($name: {
                unsafe extern "system" fn $name(this: Any $(, $parameter: $type)*) -> $result {
                    browser_vtable!(@call this, $name($($parameter),*) $(, $of_object)?)
                }
                $name
            },)*
        };
    };
    (@call $this:ident, $name:ident($($parameter:ident),*)) => { methods($this).$name($($parameter),*) };
    (@call $this:ident, $name:ident($($parameter:ident),*), $of_object:expr) => { $of_object($this $(, $parameter)*) };
}

browser_vtable! {
    put_text(text: Raw) -> HResult;
    get_text(text: *mut Raw) -> HResult;
    rename(name: Raw, title: *mut Raw) -> HResult;
    find(text: Raw, rest: *mut Raw) -> HResult;
    get_path(path: *mut Raw) -> HResult;
    get_name(buffer: *mut u16, units: u32) -> HResult;
    get_titles(titles: *mut *mut Raw, count: *mut u32) -> HResult;
    drop_last(titles: *mut Raw, count: *mut u32) -> HResult;
    next(room: u32, texts: *mut Raw, fetched: *mut u32) -> HResult;
    put_all(texts: *mut Raw, count: u32) -> HResult;
    own() -> Raw;
    borrow(text: *mut Raw) -> HResult;
    tabs(kind: u32, of: f64) -> u32 = |_, kind, of| if of > 1.0 { kind } else { 0 };
    close() -> () = |_| ();
    put_site(site: Any) -> HResult;
    get_site(site: *mut Any) -> HResult;
    swap_site(site: *mut Any) -> HResult;
    get_parent(parent: *mut Any) -> HResult = |this, parent| {
        retain(this);
        store(parent, this);
        OK
    };
    is_same(other: Any) -> u32 = |this, other| methods(this).is_same(this, other);
    parent() -> Any = |this| {
        retain(this);
        this
    };
    echo(any: Any, same: *mut Any) -> HResult = |_, any, same| {
        retain(any);
        store(same, any);
        OK
    };
    put_bytes(bytes: *const u8, count: u32) -> HResult;
    put_texts(texts: *mut Raw, count: u32) -> HResult = |this, texts, count| methods(this).put_all(texts, count);
    put_ref(text: *mut Raw) -> HResult;
    put_literal(name: Raw, other: Raw) -> HResult;
    get_site_2(riid: *const Guid, site: *mut Any) -> HResult = |this, _, site| methods(this).get_site(site);
    put_site_2(riid: *const Guid, site: Any) -> HResult = |this, _, site| methods(this).put_site(site);
    swap_site_2(site: *mut Any, riid: *const Guid) -> HResult = |this, site, _| methods(this).swap_site(site);
    put_parent(parent: Any) -> HResult = |this, parent| methods(this).put_site(parent);
    read(bytes: *mut u16, count: *mut i32) -> HResult;
    skip(room: u64, texts: *mut Raw, fetched: *mut i64) -> HResult;
    get_name_2(name: *mut Raw) -> HResult = |this, name| methods(this).get_path(name);
    next_sites(room: u32, sites: *mut Any, fetched: *mut u32) -> HResult = |this, room, sites: *mut Any, fetched: *mut u32| {
        for at in 0..room as usize {
            let _ = methods(this).get_site(sites.wrapping_add(at));
        }
        if !fetched.is_null() {
            store(fetched, room);
        }
        OK
    };
    get_sites(sites: *mut *mut Any, count: *mut u32) -> HResult = |this, sites, count| {
        let array = task(size_of::<Any>()).cast::<Any>();
        let _ = methods(this).get_site(array);
        store(sites, array);
        store(count, 1);
        OK
    };
    label() -> *const u16 = |_| LABEL.as_ptr();
    get_label(label: *mut *const u16) -> HResult = |_, label| {
        store(label, LABEL.as_ptr());
        OK
    };
    is_shown(of: u32, shown: *mut i16) -> HResult = |_, of, shown| {
        store(shown, if of == 0 { 0 } else { -1 });
        OK
    };
    next_labels(room: u32, labels: *mut *const u16, fetched: *mut u32) -> HResult = |_, room, labels: *mut *const u16, fetched| {
        for at in 0..room as usize {
            store(labels.wrapping_add(at), LABEL.as_ptr());
        }
        store(fetched, room);
        OK
    };
    get_label_pair(labels: *mut *const u16) -> HResult = |_, labels: *mut *const u16| {
        for at in 0..2 {
            store(labels.wrapping_add(at), LABEL.as_ptr());
        }
        OK
    };
    get_labels(labels: *mut *mut *const u16, count: *mut u32) -> HResult = |_, labels, count| {
        let array = task(size_of::<Raw>()).cast::<*const u16>();
        store(array, LABEL.as_ptr());
        store(labels, array);
        store(count, 1);
        OK
    };
    advance_label(label: *mut *const u16, other: *mut *const u16) -> HResult = |_, label: *mut *const u16, other| {
        for label in [label, other] {
            store(label, load(label).wrapping_add(1));
        }
        OK
    };
    advance_labels(labels: *mut *const u16, count: *mut u32) -> HResult = |_, labels: *mut *const u16, count| {
        for at in 0..load(count) as usize {
            let label = labels.wrapping_add(at);
            store(label, load(label).wrapping_add(1));
        }
        OK
    };
    put_title(title: Raw) -> HResult = |this, title| methods(this).put_text(title);
}

/// Calls a method of a checked interface through the proxy's vtable, as any holder of the pointer does.
macro_rules! call {
    ($object:expr, $($slot:ident).+ $(, $argument:expr)*) => {{
        let object = olemem::crossing::Reference::as_raw(&$object);
        // SAFETY: the reference keeps the proxy.
        let vtbl = unsafe { (*object).vtbl };
        // SAFETY: what the method is declared with.
        unsafe { (vtbl.$($slot).+)(object.cast() $(, $argument)*) }
    }};
}
pub(crate) use call;

/// The raw pointer of a string.
pub(crate) fn lent(text: &Bstr) -> Raw {
    text.as_raw().cast_mut()
}
