//! Mistakes that Miri must see.

use client_windows_core::Browser;
use olemem as _;
use windows_core::BSTR;

include!("../../mistakes.rs");
