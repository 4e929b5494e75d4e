//! Compiles the C++ functions around Boost.Interprocess, if its headers are there. If not, Boost's
//! peers are reported as missing. Tells the programs which compiler they are made by.

use std::process::Command;

fn main() {
    name_the_toolchain();
    println!("cargo::rerun-if-changed=src/boost.cpp");
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=CXX");
    println!("cargo::rustc-check-cfg=cfg(boost)");
    if !has_headers() {
        return;
    }
    cc::Build::new().cpp(true).std("c++17").warnings(false).file("src/boost.cpp").compile("peers_boost");
    println!("cargo::rustc-link-lib=rt");
    println!("cargo::rustc-cfg=boost");
}

fn name_the_toolchain() {
    let compiler = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(compiler).arg("--version").output();
    let version = output.ok().and_then(|output| String::from_utf8(output.stdout).ok());
    let version = version.as_deref().map_or("an unknown compiler", str::trim);
    println!("cargo::rustc-env=TOOLCHAIN={version}");
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
