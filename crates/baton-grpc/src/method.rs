//! A method of a service, with the types of its messages.

use std::fmt;
use std::marker::PhantomData;

use prost::{DecodeError, Message};

/// A method whose requests are `Q` and whose responses are `A`. See
/// [`methods`](crate::methods).
pub struct Method<Q, A> {
    path: &'static str,
    request: &'static str,
    types: PhantomData<fn(Q) -> A>,
}

impl<Q, A> Method<Q, A> {
    /// The method of a service that [`methods`](crate::methods) does not have: `path` is
    /// `/<service>/<method>`, `request` the full name of the request message.
    pub const fn new(path: &'static str, request: &'static str) -> Self {
        Self {
            path,
            request,
            types: PhantomData,
        }
    }

    /// The path of a call: `/<service>/<method>`.
    pub const fn path(&self) -> &'static str {
        self.path
    }

    /// The full name of the request message.
    pub const fn request(&self) -> &'static str {
        self.request
    }

    /// The full name of the service, and the name of the method in it.
    pub fn parts(&self) -> (&'static str, &'static str) {
        let path = self.path.trim_start_matches('/');
        path.split_once('/').unwrap_or((path, ""))
    }
}

/// Decodes a message and encodes it again.
pub(crate) fn reencoded<Q: Message + Default>(message: &[u8]) -> Result<Vec<u8>, DecodeError> {
    Ok(Q::decode(message)?.encode_to_vec())
}

impl<Q, A> Clone for Method<Q, A> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<Q, A> Copy for Method<Q, A> {}

impl<Q, A> fmt::Debug for Method<Q, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Method").field(&self.path).finish()
    }
}

#[cfg(test)]
mod tests {
    use crate::methods::connector_v2::{
        asset_service, resource_deleter_service::DELETE_RESOURCE_V2,
    };
    use crate::methods::{PATHS, reencode_request};

    #[test]
    fn constants_agree_with_the_descriptor_set() {
        let (service, name) = DELETE_RESOURCE_V2.parts();
        let services = baton_proto::services().iter();
        let mut methods = services
            .filter(|known| known.full_name == service)
            .flat_map(|known| &known.methods);
        let known = methods.find(|known| known.name == name).unwrap();
        assert_eq!(known.path, DELETE_RESOURCE_V2.path());
        assert_eq!(known.request, DELETE_RESOURCE_V2.request());
        assert_eq!(asset_service::NAME, "c1.connector.v2.AssetService");
    }

    #[test]
    fn requests_of_all_methods_are_decoded() {
        for path in PATHS {
            assert_eq!(reencode_request(path, &[]), Some(Ok(Vec::new())), "{path}");
            assert!(reencode_request(path, &[0xff]).unwrap().is_err());
        }
        assert_eq!(reencode_request("/c1.connector.v2.Nope/Nope", &[]), None);
    }
}
