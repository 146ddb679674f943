//! The types that settings are read as.

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::time::Duration;

use baton_proto::Secret;
use url::Url;

use crate::value::Value;

/// A type that a [`crate::Field`] can be read as.
///
/// | field | is read as |
/// | --- | --- |
/// | `Field<String>` | `&str` |
/// | `Field<Secret>` | `&Secret`, empty when there is none |
/// | `Field<bool>`, `Field<i64>` | `bool`, `i64` |
/// | `Field<Vec<String>>` | `&[String]` |
/// | `Field<BTreeMap<String, String>>` | `&BTreeMap<String, String>` |
/// | `Field<PathBuf>` | `&Path`, absolute or relative to the current folder of the process |
/// | `Field<Url>` | `&Url` |
/// | `Field<Duration>`, `Field<Size>` | `Duration`, `u64` (bytes) |
/// | `Field<OneOf<C>>` | `C` |
/// | `Field<Option<T>>` of the last five | `Option` of it |
pub trait Setting: sealed::Sealed {
    /// What reading gives.
    type Read<'c>;

    /// The value, if it is of this type and there.
    #[doc(hidden)]
    fn read(value: &Value) -> Option<Self::Read<'_>>;
}

/// Types whose values are not zero by themselves: without a default they may be absent.
pub trait HasNoZero: Setting {}

/// A closed set of words, such as the variants of an enum.
pub trait Choice: Copy + 'static {
    /// The words, in the order of help and errors. An empty word means no choice.
    const WORDS: &'static [&'static str];

    /// The value of a word.
    fn of_word(word: &str) -> Option<Self>;
}

/// Marks a field whose value is a [`Choice`].
#[derive(Debug)]
pub struct OneOf<C>(PhantomData<fn() -> C>);

/// Marks a field whose value is a number of bytes.
#[derive(Debug)]
pub struct Size(());

mod sealed {
    pub trait Sealed {}
}

macro_rules! setting {
    ($type:ty, $read:ty, $pattern:pat => $value:expr) => {
        impl sealed::Sealed for $type {}
        impl Setting for $type {
            type Read<'c> = $read;

            fn read(value: &Value) -> Option<Self::Read<'_>> {
                match value {
                    $pattern => $value,
                    _ => None,
                }
            }
        }
    };
}

setting!(String, &'c str, Value::Text(text) => Some(text));
setting!(Secret, &'c Secret, Value::Secret(secret) => Some(secret));
setting!(bool, bool, Value::Bool(value) => Some(*value));
setting!(i64, i64, Value::Int(value) => Some(*value));
setting!(Vec<String>, &'c [String], Value::List(items) => Some(items));
setting!(
    BTreeMap<String, String>,
    &'c BTreeMap<String, String>,
    Value::Map(map) => Some(map)
);
setting!(PathBuf, &'c Path, Value::Path(path) => path.full.as_deref());
setting!(Url, &'c Url, Value::Url(url) => url.as_ref());
setting!(Duration, Duration, Value::Duration(duration) => *duration);
setting!(Size, u64, Value::Size(bytes) => *bytes);

impl HasNoZero for PathBuf {}
impl HasNoZero for Url {}
impl HasNoZero for Duration {}
impl HasNoZero for Size {}

impl<C: Choice> sealed::Sealed for OneOf<C> {}
impl<C: Choice> HasNoZero for OneOf<C> {}
impl<C: Choice> Setting for OneOf<C> {
    type Read<'c> = C;

    fn read(value: &Value) -> Option<C> {
        match value {
            Value::Text(word) => C::of_word(word),
            _ => None,
        }
    }
}

impl<T: HasNoZero> sealed::Sealed for Option<T> {}
impl<T: HasNoZero> Setting for Option<T> {
    type Read<'c> = Option<T::Read<'c>>;

    fn read(value: &Value) -> Option<Self::Read<'_>> {
        Some(T::read(value))
    }
}
