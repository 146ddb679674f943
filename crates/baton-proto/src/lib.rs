//! Wire types, protobuf-JSON and the Any registry of the Baton formats.
