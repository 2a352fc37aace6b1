//! The browser component and its clients.

use client_windows::{
    Browser, FAILED, IBrowser, IHistory, INVALID_ARGUMENT, NO_INTERFACE, NULL_POINTER,
};
use olemem as _;
use windows::core::{BSTR, HRESULT, IUnknown, Interface};

include!("../../browser_tests.rs");
