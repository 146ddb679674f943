//! Writes what a rate limiter has to know of each unary method: where its request
//! names a type of resource, and where its response has annotations.

use std::error::Error;
use std::fmt::Write as _;

use prost_types::field_descriptor_proto::Type;
use prost_types::{DescriptorProto, FieldDescriptorProto, FileDescriptorSet};

pub fn methods(set: &FileDescriptorSet, packages: &[&str]) -> Result<String, Box<dyn Error>> {
    let message = |full_name: &str| {
        let (package, name) = full_name.trim_start_matches('.').rsplit_once('.')?;
        let files = set.file.iter().filter(|file| file.package() == package);
        let mut messages = files.flat_map(|file| &file.message_type);
        messages.find(|message| message.name() == name)
    };
    let mut text = String::new();
    writeln!(text, "/// Unary methods.")?;
    writeln!(text, "static LIMITED_METHODS: &[LimitedMethod] = &[")?;
    let files = set.file.iter();
    for file in files.filter(|file| packages.contains(&file.package())) {
        for service in &file.service {
            let unary = |method: &&prost_types::MethodDescriptorProto| {
                !method.client_streaming() && !method.server_streaming()
            };
            for method in service.method.iter().filter(unary) {
                let request = message(method.input_type()).ok_or("an unknown request")?;
                let response = message(method.output_type()).ok_or("an unknown response")?;
                let is_resource =
                    |field: &FieldDescriptorProto| field.type_name() == ".c1.connector.v2.Resource";
                writeln!(
                    text,
                    "LimitedMethod {{ path: \"/{}.{}/{}\", resource: {:?}, \
                     resource_type_id: {:?}, annotations: {:?} }},",
                    file.package(),
                    service.name(),
                    method.name(),
                    number(request, "resource", is_resource),
                    number(request, "resource_type_id", |f| f.r#type() == Type::String),
                    number(response, "annotations", |_| true),
                )?;
            }
        }
    }
    writeln!(text, "];")?;
    Ok(text)
}

fn number(
    message: &DescriptorProto,
    name: &str,
    fits: impl Fn(&FieldDescriptorProto) -> bool,
) -> Option<i32> {
    let mut fields = message.field.iter();
    let field = fields.find(|field| field.name() == name && fits(field))?;
    Some(field.number())
}
