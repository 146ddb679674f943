//! Names, paths and types of the gRPC services and their methods, for servers
//! and clients. Knows nothing of a gRPC library.

use std::sync::LazyLock;

use prost::Message as _;
use prost_types::{FileDescriptorSet, MethodDescriptorProto};

use crate::schema::DESCRIPTOR_SET;

static SERVICES: LazyLock<Vec<Service>> = LazyLock::new(|| {
    // As for the message tables: written by the build script of this crate.
    let set = FileDescriptorSet::decode(DESCRIPTOR_SET).unwrap_or_default();
    let mut services = Vec::new();
    for file in &set.file {
        for service in &file.service {
            let full_name = format!("{}.{}", file.package(), service.name());
            let methods = service.method.iter().map(|m| method(&full_name, m));
            services.push(Service {
                methods: methods.collect(),
                full_name,
            });
        }
    }
    services.sort_by(|a, b| a.full_name.cmp(&b.full_name));
    services
});

/// A gRPC service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// Full name, such as `c1.connector.v2.GrantsService`.
    pub full_name: String,
    /// In the order of the declaration.
    pub methods: Vec<Method>,
}

/// A method of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Method {
    /// Name within the service.
    pub name: String,
    /// HTTP path of a call: `/<service>/<method>`.
    pub path: String,
    /// Full name of the request message.
    pub request: String,
    /// Full name of the response message.
    pub response: String,
    /// Whether the client sends many requests.
    pub client_streaming: bool,
    /// Whether the server sends many responses.
    pub server_streaming: bool,
}

/// Every service of the compiled packages, by name.
#[must_use]
pub fn services() -> &'static [Service] {
    &SERVICES
}

fn method(service: &str, source: &MethodDescriptorProto) -> Method {
    Method {
        name: source.name().to_owned(),
        path: format!("/{service}/{}", source.name()),
        request: source.input_type().trim_start_matches('.').to_owned(),
        response: source.output_type().trim_start_matches('.').to_owned(),
        client_streaming: source.client_streaming(),
        server_streaming: source.server_streaming(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_service_lists_its_methods_with_their_paths() {
        assert_eq!(services().len(), 27);
        let assets = services()
            .iter()
            .find(|service| service.full_name == "c1.connector.v2.AssetService");
        let [method] = assets.expect("a service").methods.as_slice() else {
            panic!("{assets:?}");
        };
        assert_eq!(method.path, "/c1.connector.v2.AssetService/GetAsset");
        assert!(method.server_streaming && !method.client_streaming);
    }
}
