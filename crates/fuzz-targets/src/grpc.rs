//! The target for requests of the gRPC services.

use baton_grpc::check_request;
use baton_grpc::methods::{PATHS, reencode_request};

/// Input: the number of a method in one byte, then a request of it. What the
/// decoder makes of the bytes breaks the same rules as the bytes.
pub fn request(data: &[u8]) {
    let Some((number, message)) = data.split_first() else {
        return;
    };
    let Some(path) = PATHS.get(usize::from(*number) % PATHS.len()) else {
        return;
    };
    let methods = baton_proto::services().iter().flat_map(|s| &s.methods);
    let Some(method) = methods.into_iter().find(|method| method.path == *path) else {
        panic!("no method has the path {path}");
    };
    let checked = check_request(&method.request, message);
    let Some(decoded) = reencode_request(path, message) else {
        panic!("no request type for {path}");
    };
    if let Ok(encoded) = decoded {
        assert_eq!(check_request(&method.request, &encoded), checked, "{path}");
    }
}
