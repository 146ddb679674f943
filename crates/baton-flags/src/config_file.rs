//! The config file: where it is, and its values.
//!
//! Always YAML, whatever its extension (connector CLI specification, §3). Only the keys of known
//! fields are read, as the raw text of their scalars, so that one value syntax serves all
//! sources. Where the Go programs silently pass over a missing, broken or oversized file, this is
//! an error.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::error::{Error, Result};

/// Names the file to read.
pub const PATH_VARIABLE: &str = "BATON_CONFIG_PATH";
/// Base name of the file that is looked for in the current folder.
const BASE_NAME: &str = ".baton";
/// Tried in this order behind the base name; the bare base name comes last.
const EXTENSIONS: [&str; 12] = [
    "json",
    "toml",
    "yaml",
    "yml",
    "properties",
    "props",
    "prop",
    "hcl",
    "tfvars",
    "dotenv",
    "env",
    "ini",
];
/// Largest config file, in bytes.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// What a key's value has to look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// One text.
    Scalar,
    /// A sequence of texts, or one text with commas.
    List,
    /// A mapping of texts.
    Map,
}

/// A value as the file has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileValue {
    /// A scalar's text.
    Text(String),
    /// The items of a sequence of scalars.
    Items(Vec<String>),
    /// The pairs of a mapping; keys are in lower case.
    Pairs(BTreeMap<String, String>),
}

/// The values of a config file. Keys are lower case.
#[derive(Debug, Default)]
pub struct ConfigFile {
    /// Where it is.
    pub path: PathBuf,
    /// Values of known fields, by name.
    pub values: BTreeMap<String, FileValue>,
    /// Keys that name no field, in file order.
    pub unknown: Vec<String>,
}

/// The file of this run, if there is one. `named` is the content of [`PATH_VARIABLE`].
pub fn locate(named: Option<&str>, cwd: &Path) -> Result<Option<PathBuf>> {
    if let Some(named) = named {
        check_extension(named)?;
        return Ok(Some(cwd.join(named)));
    }
    let candidates = EXTENSIONS
        .iter()
        .map(|extension| format!("{BASE_NAME}.{extension}"))
        .chain(std::iter::once(BASE_NAME.to_owned()));
    Ok(candidates
        .map(|name| cwd.join(name))
        // A pipe or device of this name is refused when it is read, not passed over.
        .find(|path| path.exists() && !path.is_dir()))
}

/// The only check that every command makes, also those that read no file.
pub fn check_extension(named: &str) -> Result<()> {
    let path = Path::new(named);
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("yaml" | "yml") => Ok(()),
        _ => Err(Error::ConfigExtension {
            variable: PATH_VARIABLE,
            path: path.to_path_buf(),
        }),
    }
}

/// Reads and parses one file. `shape` knows the fields by lower-case name.
pub fn read(path: PathBuf, shape: &dyn Fn(&str) -> Option<Shape>) -> Result<ConfigFile> {
    // Looked at before it is opened: opening a pipe would wait for its writer.
    if let Some(found) = std::fs::metadata(&path)
        .ok()
        .and_then(|kind| other_kind(&kind))
    {
        let expected = "a YAML file";
        return Err(Error::ConfigKind {
            path,
            found,
            expected,
        });
    }
    let open = || -> std::io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        std::fs::File::open(&path)?
            .take(MAX_FILE_BYTES + 1)
            .read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let bytes = match open() {
        Ok(bytes) => bytes,
        Err(source) => return Err(Error::ConfigUnreadable { path, source }),
    };
    let problem = if bytes.len() as u64 > MAX_FILE_BYTES {
        "larger than 1 MiB".to_owned()
    } else {
        let text = match text_of(&bytes) {
            Ok(text) => text,
            Err(found) => {
                let expected = "UTF-8 text";
                return Err(Error::ConfigKind {
                    path,
                    found,
                    expected,
                });
            }
        };
        match parse(text, shape) {
            Ok((values, unknown)) => {
                return Ok(ConfigFile {
                    path,
                    values,
                    unknown,
                });
            }
            Err(problem) => problem,
        }
    };
    Err(Error::ConfigSyntax { path, problem })
}

/// The kind of a path that is not a regular file.
fn other_kind(metadata: &std::fs::Metadata) -> Option<&'static str> {
    let kind = metadata.file_type();
    if kind.is_file() {
        return None;
    }
    if kind.is_dir() {
        return Some("a folder");
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        if kind.is_fifo() {
            return Some("a pipe");
        }
        if kind.is_socket() {
            return Some("a socket");
        }
    }
    Some("a device")
}

/// The text without a byte order mark, or what the bytes are instead.
fn text_of(bytes: &[u8]) -> std::result::Result<&str, &'static str> {
    // UTF-32 begins like UTF-16, followed by zeros.
    match bytes {
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => return Err("UTF-32 text"),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => return Err("UTF-16 text"),
        [0x1f, 0x8b, ..] => return Err("compressed data (gzip)"),
        _ => {}
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    if bytes.contains(&0) {
        // Without a mark, every other byte of western text is zero.
        let zeros = bytes
            .iter()
            .map(|byte| usize::from(*byte == 0))
            .sum::<usize>();
        let wide = zeros >= bytes.len() / 3;
        return Err(if wide { "UTF-16 text" } else { "binary data" });
    }
    std::str::from_utf8(bytes).map_err(|_| "text in another encoding")
}

type Parsed = (BTreeMap<String, FileValue>, Vec<String>);

fn parse(text: &str, shape: &dyn Fn(&str) -> Option<Shape>) -> std::result::Result<Parsed, String> {
    // An empty document is an empty configuration; the parser has no opinion on it.
    let blank = |line: &str| {
        let line = line.trim();
        line.is_empty() || line.starts_with('#') || line == "---"
    };
    if text.lines().all(blank) {
        return Ok(Parsed::default());
    }
    // No snippet: the parser would draw the lines around the problem, and a secret may be there.
    let options = serde_saphyr::options! { with_snippet: false };
    serde_saphyr::with_deserializer_from_str_with_options(text, options, |deserializer| {
        deserializer.deserialize_map(Document { shape })
    })
    .map_err(|error| error.to_string().lines().collect::<Vec<_>>().join(" "))
}

struct Document<'a> {
    shape: &'a dyn Fn(&str) -> Option<Shape>,
}

impl<'de> Visitor<'de> for Document<'_> {
    type Value = Parsed;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a mapping of flag names to values")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Parsed, A::Error> {
        let (mut values, mut unknown) = Parsed::default();
        while let Some(key) = map.next_key::<String>()? {
            let name = key.to_lowercase();
            let value = match (self.shape)(&name) {
                // Null counts as absent.
                Some(Shape::Scalar) => map.next_value::<Option<String>>()?.map(FileValue::Text),
                Some(Shape::List) => map.next_value_seed(ListValue)?,
                Some(Shape::Map) => map.next_value_seed(MapValue)?,
                None => {
                    map.next_value::<IgnoredAny>()?;
                    unknown.push(key);
                    continue;
                }
            };
            if let Some(value) = value
                && values.insert(name, value).is_some()
            {
                return Err(serde::de::Error::custom(format!("`{key}` is there twice")));
            }
        }
        Ok((values, unknown))
    }
}

/// A sequence of scalars, or one scalar that holds a comma separated list.
struct ListValue;

impl<'de> DeserializeSeed<'de> for ListValue {
    type Value = Option<FileValue>;

    fn deserialize<D: Deserializer<'de>>(
        self,
        deserializer: D,
    ) -> std::result::Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

/// Scalars of every type are taken as text.
macro_rules! scalar {
    ($method:ident, $type:ty) => {
        fn $method<E>(self, value: $type) -> std::result::Result<Self::Value, E> {
            Ok(Some(FileValue::Text(value.to_string())))
        }
    };
}

impl<'de> Visitor<'de> for ListValue {
    type Value = Option<FileValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of texts")
    }

    scalar!(visit_bool, bool);
    scalar!(visit_i64, i64);
    scalar!(visit_u64, u64);
    scalar!(visit_f64, f64);
    scalar!(visit_str, &str);

    fn visit_unit<E>(self) -> std::result::Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_none<E>(self) -> std::result::Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_some<D: Deserializer<'de>>(
        self,
        deserializer: D,
    ) -> std::result::Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(
        self,
        mut seq: A,
    ) -> std::result::Result<Self::Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element::<String>()? {
            items.push(item);
        }
        Ok(Some(FileValue::Items(items)))
    }
}

/// A mapping of scalars; a scalar in its place is kept, to be refused by name.
struct MapValue;

impl<'de> DeserializeSeed<'de> for MapValue {
    type Value = Option<FileValue>;

    fn deserialize<D: Deserializer<'de>>(
        self,
        deserializer: D,
    ) -> std::result::Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for MapValue {
    type Value = Option<FileValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a mapping of texts")
    }

    scalar!(visit_bool, bool);
    scalar!(visit_i64, i64);
    scalar!(visit_u64, u64);
    scalar!(visit_f64, f64);
    scalar!(visit_str, &str);

    fn visit_unit<E>(self) -> std::result::Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_none<E>(self) -> std::result::Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_some<D: Deserializer<'de>>(
        self,
        deserializer: D,
    ) -> std::result::Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_map<A: MapAccess<'de>>(
        self,
        mut map: A,
    ) -> std::result::Result<Self::Value, A::Error> {
        let mut pairs = BTreeMap::new();
        while let Some((key, value)) = map.next_entry::<String, String>()? {
            pairs.insert(key.to_lowercase(), value);
        }
        Ok(Some(FileValue::Pairs(pairs)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(name: &str) -> Option<Shape> {
        match name {
            "organization-id" | "workers" | "fresh" | "access-token" => Some(Shape::Scalar),
            "types" => Some(Shape::List),
            _ => None,
        }
    }

    fn text(value: &str) -> FileValue {
        FileValue::Text(value.to_owned())
    }

    #[test]
    fn what_is_not_a_mapping_of_scalars_is_refused() {
        for bad in [
            "- a\n- b",
            "just words",
            "a: [",
            "organization-id: {a: b}",
            "organization-id: [a]",
            "types: {a: b}",
            "types: [[a]]",
            "workers: 1\nWORKERS: 2",
            "a: *nope",
        ] {
            let problem = parse(bad, &shape).unwrap_err();
            assert!(
                !problem.is_empty() && !problem.contains('\n'),
                "{bad:?}: {problem}"
            );
        }
    }

    #[test]
    fn what_is_not_a_utf_8_text_file_is_named() {
        let wide = |mark: &[u8], text: &str, bytes: fn(u16) -> [u8; 2]| {
            let units = text.encode_utf16().flat_map(bytes);
            mark.iter().copied().chain(units).collect::<Vec<u8>>()
        };
        let yaml = "workers: 3\n";
        for (bytes, found) in [
            (wide(b"\xff\xfe", yaml, u16::to_le_bytes), "UTF-16 text"),
            (wide(b"\xfe\xff", yaml, u16::to_be_bytes), "UTF-16 text"),
            (wide(b"", yaml, u16::to_le_bytes), "UTF-16 text"),
            (wide(b"", yaml, u16::to_be_bytes), "UTF-16 text"),
            (b"\xff\xfe\0\0w\0\0\0".to_vec(), "UTF-32 text"),
            (b"\x1f\x8b\x08\0".to_vec(), "compressed data (gzip)"),
            (b"workers: 3\n\0binary stuff".to_vec(), "binary data"),
            (b"name: caf\xe9\n".to_vec(), "text in another encoding"),
        ] {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("app.yaml");
            std::fs::write(&path, &bytes).unwrap();
            let error = read(path.clone(), &shape).unwrap_err();
            assert_eq!(
                error.to_string(),
                format!(
                    "config file `{}` is {found}: expected UTF-8 text",
                    path.display()
                )
            );
        }
        let dir = tempfile::tempdir().unwrap();
        let error = read(dir.path().to_path_buf(), &shape).unwrap_err();
        assert!(
            error
                .to_string()
                .ends_with("is a folder: expected a YAML file")
        );
    }

    #[cfg(unix)]
    #[test]
    fn a_pipe_a_socket_and_a_device_are_named_and_not_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let pipe = dir.path().join(".baton.yaml");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.unwrap().success());
        // Found by its name, too: it is not passed over.
        assert_eq!(locate(None, dir.path()).unwrap(), Some(pipe.clone()));
        let socket = dir.path().join("socket.yaml");
        let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        for (path, found) in [
            (pipe, "a pipe"),
            (socket, "a socket"),
            ("/dev/null".into(), "a device"),
        ] {
            let error = read(path, &shape).unwrap_err();
            let expected = format!("is {found}: expected a YAML file");
            assert!(error.to_string().ends_with(&expected), "{error}");
        }
    }

    #[test]
    fn a_byte_order_mark_of_utf_8_is_left_out() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("app.yaml");
        std::fs::write(&path, "\u{feff}workers: 3\n").unwrap();
        let file = read(path, &shape).unwrap();
        assert_eq!(file.values["workers"], text("3"));
    }

    #[test]
    fn an_alias_bomb_is_refused() {
        use std::fmt::Write as _;
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..12 {
            let items = vec![format!("*a{}", level - 1); 10].join(", ");
            writeln!(bomb, "a{level}: &a{level} [{items}]").unwrap();
        }
        assert!(parse(&bomb, &shape).is_err());
    }

    #[test]
    fn a_problem_shows_no_value() {
        let problem = parse("access-token: hunter2\n  bad: [", &shape).unwrap_err();
        assert!(!problem.contains("hunter2"), "{problem}");
    }

    #[test]
    fn scalars_keep_their_text_and_keys_their_meaning() {
        let (values, unknown) = parse(
            "Organization-ID: 0123\nworkers: 0x10\nfresh: True\naccess-token:\ntypes: [a, \"b,c\", 7]\nother: {x: 1}\n",
            &shape,
        )
        .unwrap();
        assert_eq!(values["organization-id"], text("0123"));
        assert_eq!(values["workers"], text("0x10"));
        assert_eq!(values["fresh"], text("True"));
        assert!(!values.contains_key("access-token"));
        assert_eq!(
            values["types"],
            FileValue::Items(vec!["a".to_owned(), "b,c".to_owned(), "7".to_owned()])
        );
        assert_eq!(unknown, ["other"]);
        let (values, _) = parse("types: a,b", &shape).unwrap();
        assert_eq!(values["types"], text("a,b"));
        for nothing in ["", "# only words\n", "---\n"] {
            assert_eq!(parse(nothing, &shape).unwrap(), Parsed::default());
        }
    }

    #[test]
    fn json_is_yaml_too() {
        let (values, _) =
            parse("{\"organization-id\": \"x\", \"types\": [\"a\"]}", &shape).unwrap();
        assert_eq!(values["organization-id"], text("x"));
    }

    #[test]
    fn lookup_follows_the_extension_order() {
        let dir = tempfile::tempdir().unwrap();
        let found = || {
            locate(None, dir.path())
                .unwrap()
                .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
        };
        assert_eq!(found(), None);
        std::fs::create_dir(dir.path().join(".baton.json")).unwrap();
        for name in [
            ".baton",
            ".baton.ini",
            ".baton.yml",
            ".baton.yaml",
            ".baton.toml",
        ] {
            std::fs::write(dir.path().join(name), "").unwrap();
            assert_eq!(found().as_deref(), Some(name));
        }
    }

    #[test]
    fn a_named_file_must_be_yaml() {
        for bad in ["x.json", "x", "x.yaml.txt", ".yaml"] {
            let error = locate(Some(bad), Path::new("/")).unwrap_err();
            assert_eq!(
                error.to_string(),
                "expected config file to have .yaml or .yml extension"
            );
        }
        assert_eq!(
            locate(Some("conf/x.yml"), Path::new("/etc")).unwrap(),
            Some(PathBuf::from("/etc/conf/x.yml"))
        );
    }
}
