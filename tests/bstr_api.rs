//! Everything that windows-strings' `BSTR` offers, asked of `olemem::Bstr`: the shared file is
//! compiled over the real type by the packages in `tests/clients`.
#![cfg(feature = "std")]
#![expect(
    clippy::cmp_owned,
    clippy::comparison_to_empty,
    clippy::op_ref,
    reason = "each direction of comparison is there to be tried"
)]

use olemem::Bstr as StringType;

/// `Bstr::as_ptr` is its own, not the slice's: the terminator is within its bounds.
const READS_BEHIND_SLICES: bool = true;

/// 0.5 has `Display`, 0.100 has `display()`: here both, and they agree.
fn shown(text: &StringType) -> String {
    let shown = text.to_string();
    assert_eq!(text.display().to_string(), shown);
    shown
}

include!("clients/bstr_api.rs");
