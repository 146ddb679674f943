//! The members of an object from outside, read by what hangs on them.
//!
//! What identifies (ids, roles, cursors) is strict: another type, text that is
//! not valid Unicode or a repeated key is a [`FieldError`] with the place in the
//! document, since guessing would lose or mix up rows. What only describes
//! never fails: bad text is repaired, an odd value counts as absent, of equal
//! keys the last counts, and [`InvalidValues`] counts each.

use std::cell::{Cell, RefCell};

use super::json::{Json, Member, Object};

/// A value that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    /// The place in the document, as in `data[3].id`.
    pub path: String,
    /// What is wrong there.
    pub detail: String,
}

/// Describing values of one answer that were repaired or left out.
#[derive(Debug, Default)]
pub struct InvalidValues {
    count: Cell<u64>,
    first: RefCell<Option<String>>,
}

impl InvalidValues {
    /// How many there were.
    pub fn count(&self) -> u64 {
        self.count.get()
    }

    /// The first of them: its place, and what was odd.
    pub fn first(&self) -> Option<String> {
        self.first.borrow().clone()
    }

    fn note(&self, path: &str, what: &str) {
        self.count.set(self.count.get() + 1);
        self.first
            .borrow_mut()
            .get_or_insert_with(|| format!("`{path}`: {what}"));
    }
}

/// An object and its place in the document.
#[derive(Debug)]
pub struct Fields<'a> {
    object: Object<'a>,
    path: String,
    invalid: &'a InvalidValues,
}

impl<'a> Fields<'a> {
    /// The members of an object at `path`; a [`FieldError`] if it is anything else.
    pub fn of(
        value: Json<'a>,
        path: String,
        invalid: &'a InvalidValues,
    ) -> Result<Self, FieldError> {
        match value.object() {
            Some(object) => Ok(Self {
                object,
                path,
                invalid,
            }),
            None => Err(FieldError {
                path,
                detail: expected("an object", value),
            }),
        }
    }

    fn place(&self, name: &str) -> String {
        if self.path.is_empty() {
            name.to_owned()
        } else {
            format!("{}.{name}", self.path)
        }
    }

    /// Reports that a member cannot be used, and why.
    pub fn field_error(&self, name: &str, detail: impl Into<String>) -> FieldError {
        FieldError {
            path: self.place(name),
            detail: detail.into(),
        }
    }

    /// A member on which rows depend, as it is; a repeated one is an error.
    pub fn member(&self, name: &str) -> Result<Option<Json<'a>>, FieldError> {
        match self.object.get(name) {
            Some(Member { repeated: true, .. }) => {
                Err(self.field_error(name, "the key comes more than once"))
            }
            found => Ok(found.map(|member| member.value)),
        }
    }

    /// The same, but `null` counts as absent.
    pub fn value(&self, name: &str) -> Result<Option<Json<'a>>, FieldError> {
        Ok(self.member(name)?.filter(|value| !value.is_null()))
    }

    /// An id: text that is there, whole and not empty.
    pub fn id(&self, name: &str) -> Result<String, FieldError> {
        match self.maybe_id(name)? {
            Some(id) if !id.is_empty() => Ok(id),
            Some(_) => Err(self.field_error(name, "the text is empty")),
            None => Err(self.field_error(name, "it is missing")),
        }
    }

    /// An id that may be absent, `null` or empty.
    pub fn maybe_id(&self, name: &str) -> Result<Option<String>, FieldError> {
        let Some(value) = self.value(name)? else {
            return Ok(None);
        };
        whole_text(value, || self.place(name)).map(Some)
    }

    /// Ids, each whole and not empty; absent and `null` mean none.
    pub fn ids(&self, name: &str) -> Result<Vec<String>, FieldError> {
        let values = self.list(name)?.into_iter();
        values
            .map(|(value, path)| {
                let id = whole_text(value, || path.clone())?;
                if id.is_empty() {
                    return Err(FieldError {
                        path,
                        detail: "the text is empty".to_owned(),
                    });
                }
                Ok(id)
            })
            .collect()
    }

    /// The objects of a list on which rows depend; absent and `null` mean none.
    pub fn objects(&self, name: &str) -> Result<Vec<Fields<'a>>, FieldError> {
        let values = self.list(name)?.into_iter();
        values
            .map(|(value, path)| Fields::of(value, path, self.invalid))
            .collect()
    }

    /// A list on which rows depend, each value with its place.
    fn list(&self, name: &str) -> Result<Vec<(Json<'a>, String)>, FieldError> {
        let Some(value) = self.value(name)? else {
            return Ok(Vec::new());
        };
        let list = value
            .list()
            .ok_or_else(|| self.field_error(name, expected("a list", value)))?;
        let place = |at| format!("{}[{at}]", self.place(name));
        let values = list.into_iter().enumerate();
        Ok(values.map(|(at, value)| (value, place(at))).collect())
    }

    /// A describing member; one of another kind than `read` takes counts as
    /// absent.
    fn described<T>(
        &self,
        name: &str,
        wanted: &str,
        read: impl FnOnce(Json<'a>) -> Option<T>,
    ) -> Option<T> {
        let Member { value, repeated } = self.object.get(name)?;
        if repeated {
            self.invalid
                .note(&self.place(name), "the key comes more than once");
        }
        if value.is_null() {
            return None;
        }
        let read = read(value);
        if read.is_none() {
            self.invalid
                .note(&self.place(name), &expected(wanted, value));
        }
        read
    }

    /// Describing text.
    pub fn text(&self, name: &str) -> Option<String> {
        let text = self.described(name, "text", Json::text)?;
        if !text.whole {
            self.invalid.note(&self.place(name), NOT_UNICODE);
        }
        Some(text.words)
    }

    /// The id of something else, which describes this: one that is not whole
    /// leads nowhere, so it counts as absent.
    pub fn reference(&self, name: &str) -> Option<String> {
        let text = self.described(name, "text", Json::text)?;
        if !text.whole {
            self.invalid.note(&self.place(name), NOT_UNICODE);
        }
        text.whole.then_some(text.words)
    }

    /// Describing texts; those that are of another kind are left out.
    pub fn texts(&self, name: &str) -> Option<Vec<String>> {
        let list = self.described(name, "a list", Json::list)?;
        let mut texts = Vec::with_capacity(list.len());
        for (at, value) in list.into_iter().enumerate() {
            let place = || format!("{}[{at}]", self.place(name));
            match value.text() {
                Some(text) => {
                    if !text.whole {
                        self.invalid.note(&place(), NOT_UNICODE);
                    }
                    texts.push(text.words);
                }
                None => self.invalid.note(&place(), &expected("text", value)),
            }
        }
        Some(texts)
    }

    /// A describing statement.
    pub fn flag(&self, name: &str) -> Option<bool> {
        self.described(name, "true or false", Json::flag)
    }

    /// A describing count.
    pub fn count(&self, name: &str) -> Option<u64> {
        self.described(name, "a whole number", Json::count)
    }

    /// A describing object.
    pub fn part(&self, name: &str) -> Option<Fields<'a>> {
        let object = self.described(name, "an object", Json::object)?;
        Some(Self {
            object,
            path: self.place(name),
            invalid: self.invalid,
        })
    }

    /// The members of an object that was found under `name`.
    pub fn inner(&self, value: Json<'a>, name: &str) -> Result<Fields<'a>, FieldError> {
        Fields::of(value, self.place(name), self.invalid)
    }

    /// A describing list, as it is.
    pub fn values(&self, name: &str) -> Option<Vec<Json<'a>>> {
        self.described(name, "a list", Json::list)
    }

    /// A describing list of objects; other values are left out.
    pub fn parts(&self, name: &str) -> Option<Vec<Fields<'a>>> {
        let values = self.values(name)?.into_iter().enumerate();
        let parts = values.filter_map(|(at, value)| {
            let path = format!("{}[{at}]", self.place(name));
            match Fields::of(value, path, self.invalid) {
                Ok(fields) => Some(fields),
                Err(FieldError { path, detail }) => {
                    self.invalid.note(&path, &detail);
                    None
                }
            }
        });
        Some(parts.collect())
    }
}

const NOT_UNICODE: &str = "the text is not valid Unicode";

/// Text that must be whole.
fn whole_text(value: Json<'_>, place: impl FnOnce() -> String) -> Result<String, FieldError> {
    match value.text() {
        Some(text) if text.whole => Ok(text.words),
        Some(_) => Err(FieldError {
            path: place(),
            detail: NOT_UNICODE.to_owned(),
        }),
        None => Err(FieldError {
            path: place(),
            detail: expected("text", value),
        }),
    }
}

fn expected(wanted: &str, value: Json<'_>) -> String {
    format!("{} instead of {wanted}", value.kind())
}

#[cfg(test)]
mod tests {
    use super::super::json::Document;
    use super::*;

    const ODD: &[u8] = br#"{"text":"a","bad":"\ud800","n":7,"huge":1e999,"yes":true,"null":null,
        "list":["a",7,"\ud800"],"empty":"","object":{"x":"y"},"twice":"a","twice":"b"}"#;

    fn with<R>(read: impl FnOnce(&Fields<'_>) -> R) -> (R, u64) {
        let document = Document::parse(ODD).expect("JSON");
        let invalid = InvalidValues::default();
        let fields = Fields::of(document.root(), "data[3]".to_owned(), &invalid).expect("object");
        let result = read(&fields);
        (result, invalid.count())
    }

    #[test]
    fn an_id_is_text_that_is_there_whole_and_not_empty() {
        let cases = [
            ("text", Ok("a")),
            ("bad", Err("the text is not valid Unicode")),
            ("n", Err("a number instead of text")),
            ("yes", Err("true instead of text")),
            ("list", Err("a list instead of text")),
            ("object", Err("an object instead of text")),
            ("null", Err("it is missing")),
            ("none", Err("it is missing")),
            ("empty", Err("the text is empty")),
            ("twice", Err("the key comes more than once")),
        ];
        for (name, expected) in cases {
            let (read, odd) = with(|fields| fields.id(name));
            let expected = expected.map(str::to_owned).map_err(|detail| FieldError {
                path: format!("data[3].{name}"),
                detail: detail.to_owned(),
            });
            assert_eq!((read, odd), (expected, 0));
        }
        assert_eq!(with(|fields| fields.maybe_id("null")).0, Ok(None));
    }

    #[test]
    fn ids_name_the_place_of_the_one_that_is_wrong() {
        let (read, _) = with(|fields| fields.ids("list"));
        assert_eq!(read.expect_err("a number").path, "data[3].list[1]");
        assert!(with(|fields| fields.ids("text")).0.is_err());
        assert_eq!(with(|fields| fields.ids("none")).0, Ok(Vec::new()));
    }

    #[test]
    fn what_describes_never_fails_and_is_counted() {
        let cases = [
            ("text", Some("a"), 0),
            ("bad", Some("\u{fffd}"), 1),
            ("n", None, 1),
            ("huge", None, 1),
            ("yes", None, 1),
            ("null", None, 0),
            ("none", None, 0),
            ("list", None, 1),
            ("object", None, 1),
            ("twice", Some("b"), 1),
        ];
        for (name, expected, odd) in cases {
            let read = with(|fields| fields.text(name));
            assert_eq!(read, (expected.map(str::to_owned), odd), "{name}");
        }
        assert_eq!(with(|fields| fields.reference("bad")), (None, 1));
        assert_eq!(with(|fields| fields.flag("yes")), (Some(true), 0));
        assert_eq!(with(|fields| fields.count("huge")), (None, 1));
        let texts = Some(vec!["a".to_owned(), "\u{fffd}".to_owned()]);
        assert_eq!(with(|fields| fields.texts("list")), (texts, 2));
        let (parts, odd) = with(|fields| fields.parts("list").map(|parts| parts.len()));
        assert_eq!((parts, odd), (Some(0), 3));
    }
}
