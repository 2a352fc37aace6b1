//! A checking proxy in a program that is C but for the interface's declaration.
#![cfg(all(unix, feature = "export", feature = "audit", not(miri)))]

#[path = "support/cc.rs"]
mod cc;
#[path = "support/clients.rs"]
mod clients;
#[path = "support/tools.rs"]
mod tools;

use std::process::Command;

use cc::Language::C;
use cc::{compilers, source, text};

const TOLD: &str = "\
error[out-not-a-copy]: a BSTR was handed out that was handed out before and has an owner
  call IBrowser::get_StatusText, parameter text
  block 3: BSTR, 10 bytes, \"Ready\"
  rule: R13
  help: hand out a copy of a stored string; or detach it, and keep no pointer to it

error[in-not-a-bstr]: what is passed as a BSTR is a pointer into a BSTR
  call IBrowser::put_StatusText, parameter text
  block 2: BSTR, 12 bytes, \"olemem\"
  rule: R3
  help: pass NULL or what SysAllocString* gave, for [in] as well; a static literal of a BSTR's shape has to be registered

error[out-freed-by-callee]: the callee freed a BSTR that it had handed out in an earlier call
  call IBrowser::get_StatusText, parameter text
  block 3: BSTR, 10 bytes, \"Ready\"
  rule: R11
  help: what was handed out is the caller's to free

error[inout-leaked]: an [in,out] value was replaced, and a BSTR that it was is never freed
  call IBrowser::Rename, parameter title
  block 4: BSTR, 6 bytes, \"old\"
  rule: R8, R9
  help: free the old value when a new one is assigned

";

#[test]
fn a_client_in_c_is_judged_by_a_proxy_made_in_rust() {
    let Some(package) = clients::client("proxy") else {
        return;
    };
    let target = clients::target("proxy");
    if clients::fetched(&package, &target).is_none() {
        return;
    }
    tools::run_ok(clients::cargo(&package, &target).args(["build", "--locked", "--offline"]));
    let library = target.join("debug/libclient_proxy.a");
    let dir = tools::scratch("c-proxy");
    for compiler in compilers().iter().filter(|known| known.language == C) {
        let program = dir.join(compiler.name);
        tools::run_ok(
            compiler
                .command()
                .arg(C.standard())
                .arg(source("proxy", C))
                .arg("-o")
                .arg(&program)
                .arg(&library)
                .args(tools::system_libraries()),
        );
        let output = tools::run_ok(&mut Command::new(&program));
        let said = text(&output.stdout);
        let (told, _) = said.rsplit_once("ok ").expect("a count of the checks");
        assert_eq!(told, TOLD, "{compiler:?}");
    }
}
