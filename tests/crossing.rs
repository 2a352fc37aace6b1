//! Annotated calls: each rule of the crossings, kept and broken, its report word by word.
#![cfg(all(feature = "audit", any(not(windows), miri)))]

#[cfg(not(miri))]
#[path = "support/schema.rs"]
mod schema;
#[path = "crossing/support.rs"]
mod support;

#[path = "crossing/counted.rs"]
mod counted;

#[path = "crossing/aliases.rs"]
mod aliases;
#[path = "crossing/arrays.rs"]
mod arrays;
#[path = "crossing/buffers.rs"]
mod buffers;
#[path = "crossing/callees.rs"]
mod callees;
#[path = "crossing/demonstrated.rs"]
mod demonstrated;
#[cfg(feature = "export")]
#[path = "crossing/exported.rs"]
mod exported;
#[path = "crossing/failure.rs"]
mod failure;
#[path = "crossing/in_is_a_bstr.rs"]
mod in_is_a_bstr;
#[path = "crossing/in_lent.rs"]
mod in_lent;
#[path = "crossing/in_not_retained.rs"]
mod in_not_retained;
#[path = "crossing/in_out.rs"]
mod in_out;
#[path = "crossing/in_out_failure.rs"]
mod in_out_failure;
#[path = "crossing/in_unmodified.rs"]
mod in_unmodified;
#[path = "crossing/interfaces.rs"]
mod interfaces;
#[path = "crossing/members.rs"]
mod members;
#[path = "crossing/out_family.rs"]
mod out_family;
#[path = "crossing/out_is_a_copy.rs"]
mod out_is_a_copy;
#[path = "crossing/out_not_read.rs"]
mod out_not_read;
#[path = "crossing/out_owns_nothing.rs"]
mod out_owns_nothing;
#[path = "crossing/out_set.rs"]
mod out_set;
#[path = "crossing/out_stays_handed.rs"]
mod out_stays_handed;
#[path = "crossing/partial_failure.rs"]
mod partial_failure;
#[path = "crossing/pins.rs"]
mod pins;
#[path = "crossing/references.rs"]
mod references;
#[path = "crossing/reports.rs"]
mod reports;
#[path = "crossing/silence.rs"]
mod silence;
