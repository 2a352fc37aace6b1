//! The command `olemem`.
fn main() {}
