//! Makes a constant of each method of the gRPC services, with the types of
//! `baton-proto`, from the descriptor set that `baton-proto` compiled.

#![allow(
    clippy::disallowed_methods,
    reason = "a build script reads its environment and writes generated files"
)]

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::{env, fs};

#[path = "build/clauses.rs"]
mod clauses;
#[path = "build/limited.rs"]
mod limited;
#[path = "build/rules.rs"]
mod rules;

use prost::Message as _;
use prost_types::{FileDescriptorSet, MethodDescriptorProto, ServiceDescriptorProto};

/// The packages whose services are called over gRPC, and the modules that their
/// methods get.
const PACKAGES: [(&str, &str); 3] = [
    ("c1.connector.v2", "connector_v2"),
    ("c1.connectorapi.baton.v1", "connectorapi_v1"),
    ("c1.ratelimit.v1", "ratelimit_v1"),
];

/// The rules of requests, as data.
const RULES: &str = "src/rules/rules.tsv";

fn main() -> Result<(), Box<dyn Error>> {
    let descriptors = env::var("DEP_BATON_PROTO_DESCRIPTORS")?;
    println!("cargo:rerun-if-changed={descriptors}");
    let set = FileDescriptorSet::decode(fs::read(descriptors)?.as_slice())?;
    let mut text = String::new();
    for (package, module) in PACKAGES {
        let files = set.file.iter().filter(|file| file.package() == package);
        let services: BTreeMap<_, _> = files
            .flat_map(|file| &file.service)
            .map(|service| (service.name(), service))
            .collect();
        writeln!(text, "/// Services of the package `{package}`.")?;
        writeln!(text, "pub mod {module} {{")?;
        for service in services.values() {
            write_service(&mut text, package, service)?;
        }
        writeln!(text, "}}")?;
    }
    write_requests(&mut text, &set)?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(out.join("methods.rs"), text)?;
    println!("cargo:rerun-if-changed={RULES}");
    let packages = PACKAGES.map(|(package, _)| package);
    let tables = rules::tables(&set, &packages, &fs::read_to_string(RULES)?)?;
    fs::write(out.join("rules.rs"), tables)?;
    fs::write(out.join("limited.rs"), limited::methods(&set, &packages)?)?;
    Ok(())
}

fn write_service(
    text: &mut String,
    package: &str,
    service: &ServiceDescriptorProto,
) -> Result<(), Box<dyn Error>> {
    let name = service.name();
    writeln!(text, "/// `{package}.{name}`.")?;
    writeln!(text, "pub mod {} {{", snake_case(name))?;
    writeln!(text, "/// The full name of the service.")?;
    writeln!(text, "pub const NAME: &str = \"{package}.{name}\";")?;
    for method in &service.method {
        write_method(text, package, name, method)?;
    }
    writeln!(text, "}}")?;
    Ok(())
}

fn write_method(
    text: &mut String,
    package: &str,
    service: &str,
    method: &MethodDescriptorProto,
) -> Result<(), Box<dyn Error>> {
    let name = method.name();
    let (request, response) = (method.input_type(), method.output_type());
    writeln!(text, "/// `{service}.{name}`.")?;
    writeln!(
        text,
        "pub const {}: crate::Method<{}, {}> = crate::Method::new(\"/{package}.{service}/{name}\", \"{}\");",
        snake_case(name).to_uppercase(),
        rust_path(request)?,
        rust_path(response)?,
        request.trim_start_matches('.'),
    )?;
    Ok(())
}

/// A function that decodes the request of any method.
fn write_requests(text: &mut String, set: &FileDescriptorSet) -> Result<(), Box<dyn Error>> {
    let mut paths = Vec::new();
    let mut arms = String::new();
    for (package, _) in PACKAGES {
        for file in set.file.iter().filter(|file| file.package() == package) {
            for service in &file.service {
                for method in &service.method {
                    let path = format!("/{package}.{}/{}", service.name(), method.name());
                    let request = rust_path(method.input_type())?;
                    writeln!(
                        arms,
                        "{path:?} => crate::method::reencoded::<{request}>(message),"
                    )?;
                    paths.push(path);
                }
            }
        }
    }
    paths.sort_unstable();
    writeln!(
        text,
        "/// The paths of all methods, in order.
         pub const PATHS: &[&str] = &{paths:?};

         /// Decodes a request of the method at `path` and encodes it again: each field
         /// once, without the unknown ones. `None` if there is no such method.
         pub fn reencode_request(
             path: &str,
             message: &[u8],
         ) -> Option<Result<Vec<u8>, prost::DecodeError>> {{
             Some(match path {{ {arms} _ => return None }})
         }}"
    )?;
    Ok(())
}

/// The generated type of a top-level message: `.c1.connector.v2.Grant` becomes
/// `baton_proto::c1::connector::v2::Grant`.
fn rust_path(message: &str) -> Result<String, Box<dyn Error>> {
    let message = message.strip_prefix('.').ok_or("a relative name")?;
    Ok(format!("baton_proto::{}", message.replace('.', "::")))
}

/// `GetAsset` becomes `get_asset`, and `DeleteResourceV2` `delete_resource_v2`.
fn snake_case(name: &str) -> String {
    let mut snake = String::new();
    for (at, letter) in name.chars().enumerate() {
        if letter.is_uppercase() && at > 0 {
            snake.push('_');
        }
        snake.extend(letter.to_lowercase());
    }
    snake
}
