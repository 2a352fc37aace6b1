//! What is known of proxies: their states, where they are, which interfaces lead to them.

use core::ffi::c_void;
use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, AtomicUsize, Ordering};

use allocator_api2::alloc::System;
use allocator_api2::vec::Vec;

use super::types::IUnknown;
use super::{Description, Interface};
use crate::audit::{COUNTED, CountingObject, is_open, present};
use crate::com::{Guid, IID_UNKNOWN, UnknownVtbl};
use crate::task::lock::{Guard, Lock};

/// Where a proxy is looked for, in this order. It is made in the first.
pub(super) type Homes = [u64; 2];

/// What an identity works on.
pub(super) struct Proxy {
    /// The real object's `IUnknown`; null when it is gone.
    real: AtomicPtr<c_void>,
    /// The session that it is a proxy of; 0 if it is of none. Changed while the registry is locked, as is what follows.
    pub(super) home: AtomicU64,
    /// The real object is there, and nobody has a reference.
    is_unheld: AtomicBool,
    /// How often that was so.
    pub(super) turn: AtomicUsize,
    /// That an unheld proxy is used was told, or is not to be.
    pub(super) is_told: AtomicBool,
    /// Calls that have a reference of ours to it: it is not let go while there are any.
    pub(super) lent: AtomicUsize,
    pub(super) facets: Lock<Vec<NonNull<Facet>, System>>,
}

/// A pointer to one interface of a proxy.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Facet {
    /// First, as COM has it.
    pub(super) vtbl: *const c_void,
    pub(super) identity: *mut c_void,
    /// The real interface; null when it is gone.
    pub(super) real: AtomicPtr<c_void>,
    /// It has a reference of the real interface's.
    pub(super) is_counted: AtomicBool,
    pub(super) described: &'static Description,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        for facet in self.facets.lock().drain(..) {
            // SAFETY: `facet` leaked it from a box, and it goes with its proxy.
            drop(unsafe { Box::from_raw(facet.as_ptr()) });
        }
    }
}

impl Proxy {
    pub(super) fn real(&self) -> *mut c_void {
        self.real.load(Ordering::Acquire)
    }

    pub(super) fn is_unheld(&self) -> bool {
        self.is_unheld.load(Ordering::Acquire)
    }

    /// Nothing is told if it is used when it is unheld.
    pub(super) fn may_be_unheld(&self) {
        self.is_told.store(true, Ordering::Relaxed);
    }

    /// Nobody has a reference any more: what the real object is to be released by, its `IUnknown` last. `None` without memory.
    pub(super) fn let_go(&self) -> Option<Vec<*mut c_void, System>> {
        let facets = self.facets.lock();
        let mut references = Vec::new_in(System);
        references.try_reserve(facets.len() + 1).ok()?;
        for facet in facets.iter() {
            // SAFETY: facets live as long as their proxy.
            let facet = unsafe { facet.as_ref() };
            if facet.is_counted.swap(false, Ordering::Relaxed) {
                references.push(facet.real.load(Ordering::Relaxed));
            }
        }
        references.push(self.real());
        self.is_unheld.store(true, Ordering::Release);
        Some(references)
    }

    /// Somebody has a reference again, and it one to the real object.
    fn take_up(&self, real: *mut c_void) {
        self.real.store(real, Ordering::Release);
        self.turn.fetch_add(1, Ordering::Relaxed);
        self.is_unheld.store(false, Ordering::Release);
    }

    /// The real object is gone.
    pub(super) fn is_over(&self) {
        for facet in self.facets.lock().iter() {
            // SAFETY: facets live as long as their proxy.
            let facet = unsafe { facet.as_ref() };
            facet.real.store(ptr::null_mut(), Ordering::Release);
        }
        self.real.store(ptr::null_mut(), Ordering::Release);
        self.is_unheld.store(false, Ordering::Release);
    }
}

/// Which objects have a proxy, and which interfaces are known.
pub(super) struct Registry {
    pub(super) proxies: Vec<Entry, System>,
    /// Everything that was ever described: what has one of their vtables is a proxy.
    pub(super) described: Vec<&'static Description, System>,
    /// What is known in a home, or everywhere.
    known: Vec<(Option<u64>, &'static Description), System>,
}

/// A proxy that is held or unheld.
pub(super) struct Entry {
    /// The complemented address of the real `IUnknown`.
    real: usize,
    /// The identity. It is veiled from leak checkers as long as others have references.
    identity: *mut c_void,
    is_veiled: bool,
}

impl Entry {
    pub(super) fn identity(&self) -> *mut c_void {
        if self.is_veiled {
            veiled(self.identity)
        } else {
            self.identity
        }
    }

    pub(super) fn veil(&mut self, is_veiled: bool) {
        if is_veiled != self.is_veiled {
            self.identity = veiled(self.identity);
            self.is_veiled = is_veiled;
        }
    }

    fn proxy(&self) -> Option<&'static Proxy> {
        // SAFETY: the memory of what is in the registry is there, and nobody gives it back while it is locked.
        unsafe { proxy(self.identity()) }
    }

    fn home(&self) -> Option<u64> {
        self.proxy().map(|proxy| proxy.home.load(Ordering::Relaxed))
    }
}

// SAFETY: what the pointers lead to is used under its own locks, or by whoever has a reference.
unsafe impl Send for Registry {}

static REGISTRY: Lock<Registry> = Lock::new(Registry {
    proxies: Vec::new_in(System),
    described: Vec::new_in(System),
    known: Vec::new_in(System),
});

fn veiled(pointer: *mut c_void) -> *mut c_void {
    pointer.map_addr(|address| !address)
}

impl Registry {
    /// Has an interface and its bases known, in a home or everywhere.
    pub(super) fn knows(&mut self, home: Option<u64>, described: &'static Description) {
        let mut next = Some(described);
        while let Some(described) = next {
            let is_known = |(of, known): &(Option<u64>, &Description)| {
                *of == home && ptr::eq(*known, described)
            };
            if !self.known.iter().any(is_known) {
                self.forget();
                if self.known.try_reserve(1).is_ok() {
                    self.known.push((home, described));
                }
            }
            let is_new = !self
                .described
                .iter()
                .any(|known| ptr::eq(*known, described));
            if is_new && self.described.try_reserve(1).is_ok() {
                self.described.push(described);
            }
            next = described.base.map(|base| base());
        }
    }

    /// Forgets what was known in sessions that are over, and of which nobody has a proxy.
    fn forget(&mut self) {
        let proxies = &self.proxies;
        self.known
            .retain(|(home, _)| home.is_none_or(|home| is_inhabited(proxies, home)));
    }

    /// Where the proxy of an object is in the list.
    fn find(&mut self, real: *mut c_void, homes: Homes) -> Option<usize> {
        let address = !real.addr();
        let in_home = |entry: &Entry, home| entry.real == address && entry.home() == Some(home);
        let mut found = homes
            .iter()
            .find_map(|home| self.proxies.iter().position(|entry| in_home(entry, *home)));
        if found.is_none() {
            let is_free = |entry: &Entry| {
                entry.real == address
                    && entry
                        .home()
                        .is_some_and(|home| !is_inhabited(&self.proxies, home))
            };
            found = self.proxies.iter().position(is_free);
            if let Some(proxy) = found.and_then(|at| self.proxies[at].proxy()) {
                proxy.home.store(homes[0], Ordering::Relaxed);
                proxy.is_told.store(false, Ordering::Relaxed);
            }
        }
        found
    }

    /// The proxy of an object, with a reference, and whether it takes over the one to `real`. A new one is made of its state.
    pub(super) fn proxy(
        &mut self,
        real: *mut c_void,
        homes: Homes,
        make: fn(Proxy) -> *mut c_void,
    ) -> Option<(*mut c_void, bool)> {
        if let Some(at) = self.find(real, homes) {
            let entry = &mut self.proxies[at];
            let (identity, proxy) = (entry.identity(), entry.proxy()?);
            if !proxy.is_unheld() {
                // SAFETY: what is in the registry and not unheld has a reference.
                unsafe { (COUNTED.add_ref)(identity) };
                return Some((identity, false));
            }
            proxy.take_up(real);
            entry.veil(true);
            // SAFETY: the memory of an unheld proxy is kept, and held from now on.
            unsafe { CountingObject::<UnknownVtbl>::take_up(identity) };
            return Some((identity, true));
        }
        self.proxies.try_reserve(1).ok()?;
        let state = Proxy {
            real: AtomicPtr::new(real),
            home: AtomicU64::new(homes[0]),
            is_unheld: AtomicBool::new(false),
            turn: AtomicUsize::new(0),
            is_told: AtomicBool::new(false),
            lent: AtomicUsize::new(0),
            facets: Lock::new(Vec::new_in(System)),
        };
        let identity = make(state);
        self.proxies.push(Entry {
            real: !real.addr(),
            identity: veiled(identity),
            is_veiled: true,
        });
        Some((identity, true))
    }
}

/// Whether a home is an open session, none at all, or somebody has a proxy of it.
fn is_inhabited(proxies: &[Entry], home: u64) -> bool {
    let is_held = |entry: &Entry| {
        entry.home() == Some(home) && entry.proxy().is_some_and(|proxy| !proxy.is_unheld())
    };
    home == 0 || is_open(home) || proxies.iter().any(is_held)
}

pub(super) fn registry() -> Guard<'static, Registry> {
    REGISTRY.lock()
}

/// Makes an interface known: in the session of this thread, or everywhere if that is in none.
pub(super) fn know(described: &'static Description) {
    let home = Some(present()).filter(|home| *home != 0);
    registry().knows(home, described);
}

/// An interface that is known in a home, by its identifier.
pub(super) fn known(iid: &Guid, home: u64) -> Option<&'static Description> {
    if *iid == IID_UNKNOWN {
        return Some(IUnknown::description());
    }
    let registry = registry();
    let mut all = registry.known.iter();
    let found = all.find(|(of, known)| known.iid == *iid && of.is_none_or(|of| of == home));
    found.map(|(_, known)| *known)
}

/// What an identity works on; `None` for what is none.
///
/// # Safety
///
/// * `identity` is an identity whose memory is there for `'a`.
pub(super) unsafe fn proxy<'a>(identity: *mut c_void) -> Option<&'a Proxy> {
    // SAFETY: the caller's promise.
    unsafe { CountingObject::<UnknownVtbl>::peek(identity) }
}
