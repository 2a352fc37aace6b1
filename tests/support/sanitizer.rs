//! AddressSanitizer, for programs in C and C++.
#![allow(dead_code, reason = "each test crate uses its own part")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use crate::cc::{Compiler, text};
use crate::tools;

/// Both streams, for reports that may be on either.
pub(crate) fn all(output: &Output) -> String {
    text(&output.stdout) + &text(&output.stderr)
}

pub(crate) const ASAN_FLAGS: &[&str] = &["-O1", "-g", "-fsanitize=address"];

/// What the sanitizer can do with a compiler, found out with a program that has nothing to do with us.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sanitizer {
    pub(crate) leaks: bool,
}

impl Sanitizer {
    pub(crate) fn of(compiler: &Compiler, dir: &Path) -> Option<Self> {
        let file = dir.join(format!(
            "control-{}.{}",
            compiler.name,
            compiler.language.extension()
        ));
        let body = "#include <stdlib.h>\n\
            static void lose(void) { void *volatile p = malloc(64); (void)p; }\n\
            static void forget(void) { volatile char a[4096]; for (int i = 0; i < 4096; i++) a[i] = 0; }\n\
            int main(void) { for (int i = 0; i < 8; i++) lose(); forget(); return 0; }\n";
        fs::write(&file, body).expect("the scratch folder can be written");
        let program = file.with_extension("");
        let mut build = Command::new(&compiler.path);
        build.args(ASAN_FLAGS).arg("-Wno-unused").arg(&file);
        let built = tools::run(build.arg("-o").arg(&program));
        if !built.status.success() {
            tools::skipped(&["asan", compiler.name], &text(&built.stderr));
            return None;
        }
        if cfg!(target_os = "macos") {
            tools::skipped(&["lsan"], "not a part of Apple's compilers");
            return Some(Self { leaks: false });
        }
        let output = tools::run(&mut Self { leaks: true }.run(&program));
        let said = all(&output);
        // The one way of failing that is the surroundings': a container or a debugger that keeps the
        // process from being inspected. Whatever else goes wrong is a failure.
        let leaks = if said.contains("LeakSanitizer has encountered a fatal error") {
            tools::skipped(&["lsan"], &said);
            false
        } else {
            assert!(
                said.contains("detected memory leaks") && output.status.code() == Some(23),
                "the control program's leak was not seen: {}\n{said}",
                output.status
            );
            true
        };
        Some(Self { leaks })
    }

    pub(crate) fn run(self, program: &Path) -> Command {
        let mut command = Command::new(program);
        let leaks = u8::from(self.leaks);
        command.env(
            "ASAN_OPTIONS",
            format!("exitcode=23:detect_leaks={leaks}:fast_unwind_on_malloc=0"),
        );
        command.env("LSAN_OPTIONS", "exitcode=23");
        command
    }
}
