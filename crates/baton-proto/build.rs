//! Compiles the `.proto` files with a pure-Rust compiler, so that a fresh
//! machine needs no `protoc`, and embeds the descriptor set that the JSON
//! mapping, the canonical encoder and the fact-table test read. The numbers of
//! all fields become constants, for code that works on encoded messages.

#![allow(
    clippy::disallowed_methods,
    reason = "a build script reads its environment and writes generated files"
)]

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

use prost_types::{DescriptorProto, FileDescriptorProto, FileDescriptorSet};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=proto");
    let root = Path::new("proto");
    let mut files = Vec::new();
    collect(root, &mut files)?;
    files.sort();
    let mut compiler = protox::Compiler::new([root])?;
    compiler.include_imports(true).open_files(&files)?;
    // Encoded by the compiler itself: a detour over the plain descriptor types
    // would lose the custom options (storage tables and indexes).
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let descriptors = out.join("descriptors.bin");
    fs::write(&descriptors, compiler.encode_file_descriptor_set())?;
    // `DEP_BATON_PROTO_DESCRIPTORS` for crates that generate code of the same set.
    println!("cargo:descriptors={}", descriptors.display());
    let set = compiler.file_descriptor_set();
    fs::write(out.join("field_numbers.rs"), field_numbers(&set)?)?;
    prost_build::Config::new()
        .btree_map(["."])
        .enable_type_names()
        .include_file("all.rs")
        .compile_fds(set)?;
    Ok(())
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), Box<dyn Error>> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|e| e == "proto") {
            files.push(path);
        }
    }
    Ok(())
}

/// A module of field numbers: a part of a package name, or a message.
#[derive(Default)]
struct Module {
    modules: BTreeMap<String, Module>,
    /// Name and number of each field.
    fields: Vec<(String, i32)>,
}

/// One constant per field of the Baton messages and of `Any`, in modules named like those of the messages.
fn field_numbers(set: &FileDescriptorSet) -> Result<String, Box<dyn Error>> {
    let mut root = Module::default();
    let ours = |file: &&FileDescriptorProto| {
        file.package().starts_with("c1.") || file.name() == "google/protobuf/any.proto"
    };
    for file in set.file.iter().filter(ours) {
        let mut package = &mut root;
        for part in file.package().split('.') {
            package = package.modules.entry(part.to_owned()).or_default();
        }
        for message in &file.message_type {
            add_message(package, message);
        }
    }
    let mut text = String::new();
    write_module(&mut text, &root)?;
    Ok(text)
}

fn add_message(parent: &mut Module, message: &DescriptorProto) {
    let module = parent
        .modules
        .entry(snake_case(message.name()))
        .or_default();
    for field in &message.field {
        module
            .fields
            .push((field.name().to_uppercase(), field.number()));
    }
    for nested in &message.nested_type {
        add_message(module, nested);
    }
}

fn write_module(text: &mut String, module: &Module) -> std::fmt::Result {
    for (name, number) in &module.fields {
        writeln!(text, "pub const {name}: u32 = {number};")?;
    }
    for (name, inner) in &module.modules {
        writeln!(text, "pub mod {name} {{")?;
        write_module(text, inner)?;
        writeln!(text, "}}")?;
    }
    Ok(())
}

/// `GrantSources` becomes `grant_sources`, as in the generated messages.
fn snake_case(name: &str) -> String {
    let letters: Vec<char> = name.chars().collect();
    let mut snake = String::new();
    for (at, letter) in letters.iter().enumerate() {
        let after_lower = at > 0 && !letters[at - 1].is_uppercase();
        let before_lower = letters.get(at + 1).is_some_and(|next| next.is_lowercase());
        if letter.is_uppercase() && at > 0 && (after_lower || before_lower) {
            snake.push('_');
        }
        snake.extend(letter.to_lowercase());
    }
    snake
}
