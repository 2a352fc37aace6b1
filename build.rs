//! Empty: Cargo asks for a build script beside the `links` key, which keeps two copies of olemem out
//! of one program.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
}
