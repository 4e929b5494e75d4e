//! Compiles the C++ functions around Boost.Interprocess, if its headers are there. If not, Boost's
//! peers are reported as missing.

use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=src/deaths/peers/boost.cpp");
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=CXX");
    println!("cargo::rustc-check-cfg=cfg(boost)");
    if !has_headers() {
        return;
    }
    cc::Build::new().cpp(true).std("c++17").warnings(false).file("src/deaths/peers/boost.cpp").compile("deaths_boost");
    println!("cargo::rustc-link-lib=rt");
    println!("cargo::rustc-cfg=boost");
}

/// Asks the C++ compiler itself: it knows its paths.
fn has_headers() -> bool {
    let compiler = cc::Build::new().cpp(true).get_compiler();
    let mut command: Command = compiler.to_command();
    command.args([
        "-x",
        "c++",
        "-E",
        "-include",
        "boost/interprocess/ipc/message_queue.hpp",
        "/dev/null",
        "-o",
        "/dev/null",
    ]);
    command.output().is_ok_and(|output| output.status.success())
}
