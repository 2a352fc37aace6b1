//! Copies of the heap with one thing wrong in each, to see that the models notice.

use std::path::{Path, PathBuf};
use std::{env, fs};

/// What is broken: a name, the file, what it says, and what the copy says instead.
const BREAKAGES: &[(&str, &str, &str, &str)] = &[
    (
        "stores_instead_of_exchanging",
        "slab/state.rs",
        "match word.compare_exchange(state.0, new, Ordering::Relaxed, Ordering::Relaxed) {",
        "word.store(new, Ordering::Relaxed);\n match Ok::<u32, u32>(new) {",
    ),
    ("stays_told", "slab.rs", "returned.told = false;", ""),
    (
        "tells_without_release",
        "slab.rs",
        "                Ordering::Release,\n                Ordering::Relaxed,",
        "                Ordering::Relaxed,\n                Ordering::Relaxed,",
    ),
    (
        "gives_up_without_collecting",
        "slab.rs",
        "        let result = unsafe { self.collect_from(&mut returned) };\n        self.front.0.owner.store(0,",
        "        let result = Ok(());\n        self.front.0.owner.store(0,",
    ),
    (
        "reads_the_next_after_collecting",
        "store/parts.rs",
        "told = slab.next_told.get();
            // SAFETY: the thread owns what its part leads to.
            must_be_once(unsafe { slab.collect() });",
        "// SAFETY: as it was.
            must_be_once(unsafe { slab.collect() });
            told = slab.next_told.get();",
    ),
    (
        "does_not_visit",
        "slab.rs",
        "            return Ok(true);",
        "            return Ok(false);",
    ),
    (
        "visits_what_has_an_owner",
        "depot.rs",
        "if !slab.is_nobodys() || !slab.has_returned()",
        "if !slab.has_returned()",
    ),
    (
        "visits_what_was_melted",
        "depot.rs",
        "if !slab.is_nobodys() || !slab.has_returned()",
        "if !slab.is_nobodys()",
    ),
    (
        "collects_what_is_not_there",
        "slab.rs",
        "if free.state.get() == State::REMOTE {",
        "if true {",
    ),
];

/// The files of a copy.
const TASK: &[&str] = &[
    "backing.rs",
    "block.rs",
    "depot.rs",
    "large.rs",
    "local.rs",
    "order.rs",
    "registry.rs",
    "size_class.rs",
    "slab.rs",
    "slab/shape.rs",
    "slab/state.rs",
    "slab_list.rs",
    "store.rs",
    "store/forking.rs",
    "store/parts.rs",
    "table_memory.rs",
    "whole.rs",
];
const MODELS: &[&str] = &[
    "complain.rs",
    "loom_registry.rs",
    "loom_thread.rs",
    "scenarios.rs",
    "task.rs",
];

fn main() {
    let sources = Path::new("../../src/task");
    println!("cargo::rerun-if-changed={}", sources.display());
    println!("cargo::rerun-if-changed=src");
    println!("cargo::rerun-if-changed=build.rs");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("Cargo says where"));
    let mut modules = String::new();
    for (name, broken, says, instead) in BREAKAGES {
        let folder = out.join(name);
        let all = TASK.iter().map(|file| (file, sources.join(file))).chain(
            MODELS
                .iter()
                .map(|file| (file, Path::new("src").join(file))),
        );
        for (file, path) in all {
            let mut text = fs::read_to_string(&path).expect("a file of the heap");
            if file == broken {
                assert_eq!(
                    text.matches(says).count(),
                    1,
                    "{file} has changed: the breakage {name} needs another look"
                );
                text = text.replace(says, instead);
            }
            let text = text
                .replace("crate::task::", &format!("crate::broken::{name}::task::"))
                .replace("../../../src/task/", "");
            let copy = folder.join(file);
            fs::create_dir_all(copy.parent().expect("a folder")).expect("a folder");
            fs::write(copy, text).expect("a copy");
        }
        let path = |file: &str| folder.join(file).display().to_string();
        modules += &format!(
            "pub mod {name} {{\n    #[path = {:?}]\n    mod task;\n    #[path = {:?}]\n    pub mod scenarios;\n}}\n",
            path("task.rs"),
            path("scenarios.rs")
        );
    }
    fs::write(out.join("broken.rs"), modules).expect("a list of copies");
}
