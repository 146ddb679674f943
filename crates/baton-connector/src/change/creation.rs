//! A change that makes something: an account, a resource, a secret, the answer
//! of an action.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use super::description::Change;
use crate::call::Call;
use crate::error::Result;
use crate::held::Operation;

type Giving<T> = Pin<Box<dyn Future<Output = Result<T>> + Send>>;
type Give<T> = Box<dyn FnOnce(Call, Made) -> Giving<T> + Send>;

/// When a creation was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Made {
    /// Now, by its writes.
    Now,
    /// Before: there was nothing to do, or the application answered so.
    Before,
}

/// A [`Change`] that has not happened, and what comes of it.
///
/// ```
/// use baton_connector::{Answer, Change, Creation, Error, Write};
///
/// fn draw_a_number() -> Creation<u64> {
///     let answer = Answer::new();
///     let (kept, drawn) = (answer.clone(), answer);
///     let draw = Write::local("draw a number", move |_call| {
///         kept.keep(7);
///         async { Ok(()) }
///     });
///     Change::create().write(draw).gives(move |_call, _made| async move {
///         drawn.take().ok_or(Error::MissingResource { call: "draw" })
///     })
/// }
/// # let _ = draw_a_number();
/// ```
#[must_use]
pub struct Creation<T> {
    change: Change,
    give: Give<T>,
}

impl Change {
    /// Adds what comes of the change: `result` is called once it is made, or is
    /// found to be made already, and sends reads only.
    pub fn gives<T, F, R>(self, result: F) -> Creation<T>
    where
        F: FnOnce(Call, Made) -> R + Send + 'static,
        R: Future<Output = Result<T>> + Send + 'static,
    {
        Creation {
            change: self,
            give: Box::new(move |call, made| Box::pin(result(call, made))),
        }
    }
}

impl<T> Creation<T> {
    /// Adds a sentence that the user must read.
    pub fn warning(mut self, sentence: impl Into<String>) -> Self {
        self.change = self.change.warning(sentence);
        self
    }

    /// The change as `operation`, and what comes of it.
    pub(crate) fn into_parts(mut self, operation: Operation) -> (Change, Give<T>) {
        self.change.operation = operation;
        (self.change, self.give)
    }
}

impl<T> fmt::Debug for Creation<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Creation").field(&self.change).finish()
    }
}

/// What a write was answered, kept from the write until the result is made of
/// it. The last answer counts. It does not print.
pub struct Answer<T>(Arc<Mutex<Option<T>>>);

impl<T> Answer<T> {
    /// No answer yet.
    pub fn new() -> Self {
        Self(Arc::default())
    }

    /// Keeps an answer.
    pub fn keep(&self, answer: T) {
        // Whole whatever happened to a thread that held it.
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(answer);
    }

    /// The answer; `None` if none came, as when it was lost on the way.
    pub fn take(&self) -> Option<T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl<T> Clone for Answer<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Default for Answer<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> fmt::Debug for Answer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Answer")
    }
}
