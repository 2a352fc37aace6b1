//! Everything that this version's `BSTR` offers, over olemem's memory.
#![expect(
    clippy::cmp_owned,
    clippy::comparison_to_empty,
    clippy::op_ref,
    reason = "each direction of comparison is there to be tried"
)]

use olemem as _;
use windows_strings::BSTR as StringType;

const READS_BEHIND_SLICES: bool = true;

fn shown(text: &StringType) -> String {
    text.display().to_string()
}

include!("../../bstr_api.rs");
