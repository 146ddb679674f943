//! Query strings: decoded pairs in order, with repeated keys for lists.

use percent_encoding::percent_decode_str;

use crate::errors::ApiError;

/// Most pairs that are looked at.
const MAX_PAIRS: usize = 1000;

#[derive(Clone, Debug, Default)]
pub(crate) struct Query(Vec<(String, String)>);

fn decode(text: &str) -> String {
    percent_decode_str(&text.replace('+', " "))
        .decode_utf8_lossy()
        .into_owned()
}

impl Query {
    pub(crate) fn parse(text: &str) -> Self {
        let pairs = text
            .split('&')
            .filter(|p| !p.is_empty())
            .take(MAX_PAIRS)
            .map(|pair| {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                let name = decode(name);
                // `actor[]=a` and `actor=a` both mean a list.
                let name = name.strip_suffix("[]").map(str::to_owned).unwrap_or(name);
                (name, decode(value))
            });
        Self(pairs.collect())
    }

    /// The first value; an empty one counts as absent.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(n, v)| n == name && !v.is_empty())
            .map(|(_, v)| v.as_str())
    }

    /// The first value, even when empty.
    pub(crate) fn get_raw(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, v)| v.as_str())
    }

    /// All values of a repeated key.
    pub(crate) fn all(&self, name: &str) -> Vec<String> {
        self.0
            .iter()
            .filter(|(n, v)| n == name && !v.is_empty())
            .map(|(_, v)| v.clone())
            .collect()
    }

    /// `true` or `false`; anything else is refused.
    pub(crate) fn flag(&self, name: &str) -> Result<Option<bool>, ApiError> {
        match self.get(name) {
            None => Ok(None),
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(_) => Err(ApiError::bad_parameter(format!(
                "`{name}` must be true or false"
            ))),
        }
    }
}

/// One path segment, decoded.
pub(crate) fn decode_segment(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_and_escapes_are_understood() {
        let query = Query::parse(
            "groupIds=a&groupIds=b&actor[]=c&searchTerm=K%C3%A9+m&empty=&flag=true&bad=1",
        );
        assert_eq!(query.all("groupIds"), ["a", "b"]);
        assert_eq!(query.all("actor"), ["c"]);
        assert_eq!(query.get("searchTerm"), Some("Ké m"));
        assert_eq!(query.get("empty"), None);
        assert_eq!(query.get_raw("empty"), Some(""));
        assert_eq!(query.flag("flag"), Ok(Some(true)));
        assert!(query.flag("bad").is_err());
    }
}
