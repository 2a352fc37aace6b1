//! The browser component, shared by this package's tests.
#![expect(non_snake_case, reason = "COM's names")]

// Nothing names olemem: without this line the linker would drop it, and its functions with it.
use olemem as _;

use windows::core::{
    BSTR, Error, HRESULT, IUnknown, IUnknown_Vtbl, OutRef, Ref, Result, implement, interface,
};

include!("../../browser.rs");
