//! The audit: each kind of violation that the heap can see, kept and broken, its report word by word.
#![cfg(all(feature = "audit", any(not(windows), miri)))]

#[path = "laws/programs.rs"]
mod programs;
#[path = "support/seeds.rs"]
mod seeds;
#[allow(dead_code, reason = "programs need no more of it than choices")]
#[path = "laws/steps.rs"]
mod steps;
#[path = "audit/support.rs"]
mod support;
#[path = "support/tools.rs"]
mod tools;

#[path = "audit/double_free.rs"]
mod double_free;
#[path = "audit/family_mismatch.rs"]
mod family_mismatch;
#[path = "audit/foreign_free.rs"]
mod foreign_free;
#[path = "audit/interior_free.rs"]
mod interior_free;
#[path = "audit/leak.rs"]
mod leak;
#[path = "audit/null_out_pointer.rs"]
mod null_out_pointer;
#[path = "audit/overlapping_source.rs"]
mod overlapping_source;
#[path = "audit/overrun.rs"]
mod overrun;
#[path = "audit/pins.rs"]
mod pins;
#[path = "audit/prefix_corrupted.rs"]
mod prefix_corrupted;
#[path = "audit/property.rs"]
mod property;
#[path = "audit/safearray.rs"]
mod safearray;
#[path = "audit/sessions.rs"]
mod sessions;
#[path = "audit/silence.rs"]
mod silence;
#[path = "audit/sites.rs"]
mod sites;
#[path = "audit/source_over_read.rs"]
mod source_over_read;
#[path = "audit/terminator_overwritten.rs"]
mod terminator_overwritten;
#[path = "audit/underrun.rs"]
mod underrun;
#[path = "audit/use_after_free.rs"]
mod use_after_free;
#[path = "audit/write_after_free.rs"]
mod write_after_free;
