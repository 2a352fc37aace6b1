//! Whoever calls a method that a pointer's declared interface does not have is stopped there, and told why.

use std::os::unix::process::ExitStatusExt as _;
use std::ptr;

use olemem::com::Object;
use olemem::crossing::Reference;
use olemem::crossing::proxy::Interface;

use crate::children::{all_of, child, deed};
use crate::component::{Any, Good, IBrowser, IBrowser2, browser, call, tell};
use crate::support::OK;

#[test]
fn broken_by_another_interface() {
    for deed in ["unknown", "base"] {
        let output = child("beyond::in_a_child", deed)
            .output()
            .expect("it can be started");
        let all = all_of(&output);
        assert_eq!(output.status.signal(), Some(6), "{all}");
        let said = "a method was called that the interface does not have by which this pointer is declared";
        assert!(all.contains(said), "{all}");
    }
}

#[test]
fn in_a_child() {
    let Some(deed) = deed() else {
        return;
    };
    let made = browser(Good);
    // SAFETY: a live browser.
    let checked = unsafe { IBrowser::wrap(made.object) }.expect("it is not null");
    let pointer: Any = Reference::as_raw(&checked).cast();
    if deed == "unknown" {
        // It comes as `IUnknown`, and is taken for what it is behind the proxy.
        let mut same = ptr::null_mut();
        assert_eq!(call!(checked, Echo, pointer.cast(), &raw mut same), OK);
        let _ = tell(same.cast(), ptr::null_mut());
    } else {
        type Vtbl = <IBrowser2 as Interface>::Vtbl;
        // SAFETY: what stands behind the vtable is functions too.
        let vtbl = unsafe { &*pointer.cast::<Object<Vtbl>>() }.vtbl;
        // SAFETY: it does not return.
        let _ = unsafe { (vtbl.put_Title)(pointer, ptr::null_mut()) };
    }
    unreachable!("it went on");
}
