//! Mistakes that Miri must see.

use client_windows::Browser;
use olemem as _;
use windows::core::BSTR;

include!("../../mistakes.rs");
