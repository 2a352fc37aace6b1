//! R20: what olemem did not hand out is not freed by it.

use crate::support::{assert_kept, assert_told, free, free_task, watched};
use olemem::heap::{self, Family};
use olemem::{BstrRef, bstr};

const BSTR: &str = "\
error[foreign-free]: a pointer to no block, or to one freed long before, is freed as a BSTR
  rule: R20
  help: free only what SysAllocString*, CoTaskMemAlloc or IMalloc::Alloc gave; memory from elsewhere goes back there";

#[test]
fn kept() {
    assert_kept(&watched(|| {
        let boxed = Box::new([0_u16; 8]);
        drop(boxed);
        drop(olemem::Bstr::from("text"));
    }));
}

#[test]
fn broken_from_another_allocator() {
    let mut boxed = Box::new([0_u64; 8]);
    let report = watched(|| free(boxed.as_mut_ptr().cast()));
    assert_told(&report, BSTR);
}

#[test]
fn broken_on_the_stack() {
    let mut units = [0_u16; 16];
    let report = watched(|| free(units.as_mut_ptr()));
    assert_told(&report, BSTR);
}

#[test]
fn broken_literal() {
    let literal: BstrRef<'_> = bstr!("a literal");
    let report = watched(|| free(literal.as_raw().cast_mut()));
    assert_told(&report, BSTR);
}

#[test]
fn broken_task_memory() {
    let mut value = [7_u8; 64];
    let report = watched(|| {
        free_task(value.as_mut_ptr());
        // SAFETY: the audit judges the address, and touches nothing.
        let new = unsafe { heap::realloc(value.as_mut_ptr(), 128, Family::Task) };
        assert!(new.is_null());
    });
    assert_eq!(value, [7; 64]);
    assert_told(
        &report,
        "\
error[foreign-free]: a pointer to no block, or to one freed long before, is freed as task memory
  rule: R20
  help: free only what SysAllocString*, CoTaskMemAlloc or IMalloc::Alloc gave; memory from elsewhere goes back there

error[foreign-free]: a pointer to no block, or to one freed long before, is reallocated as task memory
  rule: R20
  help: free only what SysAllocString*, CoTaskMemAlloc or IMalloc::Alloc gave; memory from elsewhere goes back there",
    );
}

/// Whatever the address.
#[test]
fn broken_wild() {
    for address in [
        1_usize,
        8,
        0xFFFF,
        usize::MAX,
        usize::MAX - 7,
        usize::MAX / 3,
    ] {
        let report = watched(|| free(std::ptr::without_provenance_mut(address)));
        assert_told(&report, BSTR);
    }
}
