//! Cargo asks for a build script beside the `links` key, which keeps two copies of olemem out of one
//! program. All it does is to tell dependents where the C headers are: `DEP_OLEMEM_INCLUDE` in the build
//! script of a package that depends on olemem directly.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if let Some(folder) = std::env::var_os("CARGO_MANIFEST_DIR") {
        let include = std::path::Path::new(&folder).join("src/export/include/win32");
        println!("cargo::metadata=include={}", include.display());
    }
}
