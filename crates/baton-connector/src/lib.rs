//! What a connector is, and the HTTP client that every connector shares.
