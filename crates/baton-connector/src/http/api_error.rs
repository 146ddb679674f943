//! The hook by which a connector explains its application's errors.

use std::fmt;

/// An answer that is not a success, as far as it was read.
#[derive(Debug, Clone, Copy)]
pub struct ErrorResponse<'a> {
    /// The endpoint template.
    pub endpoint: &'static str,
    /// The HTTP method.
    pub method: &'a http::Method,
    /// The status.
    pub status: u16,
    /// The content type, if there is one.
    pub content_type: Option<&'a str>,
    /// The body, cut at [`super::HttpSettings::max_error_bytes`].
    pub body: &'a [u8],
}

/// The application's own words about its refusal.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ApiError {
    /// Its own error code, the stable part.
    pub code: Option<String>,
    /// Its words.
    pub message: Option<String>,
    /// Its id of the request, when that is only in the body.
    pub request_id: Option<String>,
    /// The application itself, not a gateway, answers that the requested object is
    /// gone. Counts for the statuses 404 and 410 only.
    pub vanished: bool,
    /// What the user can do.
    pub hint: Option<String>,
}

/// Reads error bodies of one application.
pub trait ReadApiError: Send + Sync + fmt::Debug {
    /// Makes what it can of the body, which may be anything.
    fn read(&self, answer: &ErrorResponse<'_>) -> ApiError;
}

/// Understands no error body.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoApiErrors;

impl ReadApiError for NoApiErrors {
    fn read(&self, _answer: &ErrorResponse<'_>) -> ApiError {
        ApiError::default()
    }
}
