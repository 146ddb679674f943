//! Makes the version of the compiler known to the crate: the service shows it.

#![allow(
    clippy::disallowed_methods,
    reason = "a build script reads its environment"
)]

use std::env;
use std::error::Error;
use std::process::Command;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=build.rs");
    let rustc = env::var_os("RUSTC").ok_or("cargo names the compiler")?;
    let output = Command::new(rustc).arg("--version").output()?;
    let text = String::from_utf8(output.stdout)?;
    // `rustc 1.95.0 (<commit> <date>)`
    let version = text.split_whitespace().nth(1);
    let version = version.ok_or("the compiler shows its version")?;
    println!("cargo:rustc-env=COMPILER_VERSION={version}");
    Ok(())
}
