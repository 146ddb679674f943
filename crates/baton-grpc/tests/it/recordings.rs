//! The recorded calls to Go programs, from `tests/fixtures/recordings.tar.zst`.

use std::collections::BTreeMap;
use std::io::Read;
use std::sync::LazyLock;

const ARCHIVE: &[u8] = include_bytes!("../fixtures/recordings.tar.zst");

static FILES: LazyLock<BTreeMap<String, Vec<u8>>> = LazyLock::new(|| {
    let mut archive = tar::Archive::new(zstd::Decoder::new(ARCHIVE).unwrap());
    let mut files = BTreeMap::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let path = entry.path().unwrap().to_string_lossy().into_owned();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        files.insert(path.trim_start_matches("./").to_owned(), content);
    }
    files
});

pub(crate) fn file(path: &str) -> &'static [u8] {
    FILES.get(path).unwrap_or_else(|| panic!("no {path}"))
}

/// One recorded call.
#[derive(Debug)]
pub(crate) struct Recorded {
    folder: &'static str,
    columns: BTreeMap<String, String>,
}

impl Recorded {
    pub(crate) fn get(&self, column: &str) -> &str {
        match self.columns[column].as_str() {
            "-" => "",
            value => value,
        }
    }

    pub(crate) fn path(&self) -> String {
        format!("/{}/{}", self.get("service"), self.get("method"))
    }

    /// The request, where it is stored as it is.
    pub(crate) fn request(&self) -> Option<&'static [u8]> {
        let name = self.get("request_file");
        (!name.is_empty()).then(|| file(&format!("{}/{name}", self.folder)))
    }

    /// The `google.rpc.Status` of the details.
    pub(crate) fn details(&self) -> Option<&'static [u8]> {
        let name = self.get("details_file");
        (!name.is_empty()).then(|| file(&format!("{}/{name}", self.folder)))
    }

    pub(crate) fn code(&self) -> Option<u8> {
        self.get("code").parse().ok()
    }

    /// The text, with its JSON escapes resolved.
    pub(crate) fn message(&self) -> String {
        serde_json::from_str(&format!("\"{}\"", self.get("message"))).unwrap()
    }

    pub(crate) fn name(&self) -> String {
        let columns = ["n", "method", "case"].map(|column| self.get(column));
        format!("{}/{}", self.folder, columns.join("-"))
    }
}

/// The calls of one folder.
pub(crate) fn of(folder: &'static str) -> Vec<Recorded> {
    table(folder, "index.tsv")
}

/// What Go engines sent to their connector: each run with its calls.
pub(crate) fn runs_of_engines() -> Vec<(&'static str, Vec<Recorded>)> {
    let folders = FILES
        .keys()
        .filter_map(|path| path.strip_suffix("/calls.tsv"));
    let folders = folders.filter(|folder| folder.starts_with("parent/"));
    let read = |folder: &'static str| (folder, table(folder, "calls.tsv"));
    folders.map(read).collect()
}

fn table(folder: &'static str, name: &str) -> Vec<Recorded> {
    let text = std::str::from_utf8(file(&format!("{folder}/{name}"))).unwrap();
    let mut lines = text.lines();
    let names: Vec<_> = lines.next().unwrap().split('\t').collect();
    lines
        .map(|line| Recorded {
            folder,
            columns: names
                .iter()
                .map(|name| (*name).to_owned())
                .zip(line.split('\t').map(ToOwned::to_owned))
                .collect(),
        })
        .collect()
}
