//! Checking proxies: each call judged on both sides, and everything else as if there were none.
#![cfg(all(feature = "audit", any(not(windows), miri)))]

#[cfg(all(unix, not(miri)))]
#[path = "support/children.rs"]
mod children;
#[path = "proxy/component.rs"]
mod component;
#[path = "crossing/support.rs"]
#[allow(dead_code, reason = "the tests of the calls use more of it")]
mod support;

#[path = "proxy/aggregation.rs"]
mod aggregation;
#[cfg(all(unix, not(miri)))]
#[path = "proxy/beyond.rs"]
mod beyond;
#[path = "proxy/directions.rs"]
mod directions;
#[path = "proxy/identity.rs"]
mod identity;
#[path = "proxy/interfaces.rs"]
mod interfaces;
#[path = "proxy/names.rs"]
mod names;
#[path = "proxy/references.rs"]
mod references;
#[path = "proxy/sample.rs"]
mod sample;
#[path = "proxy/sessions.rs"]
mod sessions;
