//! Checking proxies: each call judged on both sides, and everything else as if there were none.
#![cfg(all(feature = "audit", any(not(windows), miri)))]

#[path = "proxy/component.rs"]
mod component;
#[path = "crossing/support.rs"]
#[allow(dead_code, reason = "the tests of the calls use more of it")]
mod support;

#[path = "proxy/directions.rs"]
mod directions;
#[path = "proxy/identity.rs"]
mod identity;
#[path = "proxy/interfaces.rs"]
mod interfaces;
#[path = "proxy/references.rs"]
mod references;
#[path = "proxy/sample.rs"]
mod sample;
#[path = "proxy/sessions.rs"]
mod sessions;
