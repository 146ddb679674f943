//! How the user starts another program of the project from the current folder.
//!
//! A command that is shown must work when it is pasted: in a checkout, beside an installed
//! program, and where only the search path knows the other program.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// What is known about this process.
#[derive(Debug, Clone, Default)]
pub(crate) struct ProgramPlace {
    /// The file of the running program.
    pub exe: Option<PathBuf>,
    /// The variable `PATH`.
    pub search_path: Option<std::ffi::OsString>,
    pub cwd: PathBuf,
}

/// The beginning of a command line that starts the program `name` of the package `package`; `None`
/// if it is not on this machine.
pub(crate) fn command(name: &str, package: &str, place: &ProgramPlace) -> Option<String> {
    let file = format!("{name}{}", std::env::consts::EXE_SUFFIX);
    let found = place
        .search_path
        .as_deref()
        .and_then(|path| on_search_path(&file, path));
    let exe = place.exe.as_deref();
    let sibling = exe
        .and_then(Path::parent)
        .map(|folder| folder.join(&file))
        .filter(|path| path.is_file());
    if let Some(sibling) = sibling {
        let same = |other: &PathBuf| other.canonicalize().ok() == sibling.canonicalize().ok();
        if found.as_ref().is_some_and(same) {
            return Some(name.to_owned());
        }
        return Some(shell_word(&shown(&sibling, &place.cwd)));
    }
    if found.is_some() {
        return Some(name.to_owned());
    }
    let root = exe.and_then(checkout)?;
    let here = place.cwd.starts_with(&root);
    let manifest = if here {
        String::new()
    } else {
        let manifest = root.join("Cargo.toml").display().to_string();
        format!(" --manifest-path {}", shell_word(&manifest))
    };
    Some(format!("cargo run -q{manifest} -p {package} --"))
}

/// The first program of this name.
fn on_search_path(file: &str, path: &OsStr) -> Option<PathBuf> {
    std::env::split_paths(path)
        .map(|folder| folder.join(file))
        .find(|path| path.is_file())
}

/// The folder of the workspace whose `target` folder holds the program.
fn checkout(exe: &Path) -> Option<PathBuf> {
    let target = exe.ancestors().find(|path| path.ends_with("target"))?;
    let root = target.parent()?;
    root.join("Cargo.toml").is_file().then(|| root.to_owned())
}

/// A path as short as possible, and always with a separator: a bare name would be looked for on
/// the search path.
fn shown(path: &Path, cwd: &Path) -> String {
    match path.strip_prefix(cwd) {
        Ok(inner) => Path::new(".").join(inner).display().to_string(),
        Err(_) => path.display().to_string(),
    }
}

/// A text as one word of a shell.
pub(crate) fn shell_word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.:/=+@,".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn touch(path: &Path) {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "").unwrap();
    }

    fn file(name: &str) -> String {
        format!("{name}{}", std::env::consts::EXE_SUFFIX)
    }

    #[test]
    fn the_command_fits_the_place_of_the_program() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("check out");
        let exe = root.join("target/debug").join(file("connector"));
        touch(&exe);
        touch(&root.join("Cargo.toml"));
        let bin = dir.path().join("bin");
        let place = |cwd: &Path, search_path: Option<&Path>| ProgramPlace {
            exe: Some(exe.clone()),
            search_path: search_path.map(|path| path.as_os_str().to_owned()),
            cwd: cwd.to_owned(),
        };
        let of = |place: &ProgramPlace| command("baton", "baton-cli", place);
        // Not built: cargo builds it, from wherever the user is.
        assert_eq!(
            of(&place(&root.join("docs"), None)).unwrap(),
            "cargo run -q -p baton-cli --"
        );
        let away = of(&place(dir.path(), None)).unwrap();
        assert!(away.starts_with("cargo run -q --manifest-path '"), "{away}");
        // Installed somewhere.
        touch(&bin.join(file("baton")));
        assert_eq!(of(&place(&root, Some(&bin))).unwrap(), "baton");
        // Built: the one beside this program, not the installed one.
        let built = root.join("target/debug").join(file("baton"));
        touch(&built);
        let relative = Path::new(".").join("target/debug").join(file("baton"));
        assert_eq!(
            of(&place(&root, Some(&bin))).unwrap(),
            relative.display().to_string()
        );
        let quoted = format!("'{}'", built.display());
        assert_eq!(of(&place(&bin, None)).unwrap(), quoted);
        // The one beside this program is the one of the search path.
        let beside = root.join("target/debug");
        assert_eq!(of(&place(dir.path(), Some(&beside))).unwrap(), "baton");
        // Nowhere.
        assert_eq!(of(&ProgramPlace::default()), None);
    }

    #[test]
    fn words_are_quoted_where_a_shell_would_read_them() {
        for (text, word) in [
            ("demo.c1z", "demo.c1z"),
            ("712020:a-b", "712020:a-b"),
            ("", "''"),
            ("a b", "'a b'"),
            ("$(x)", "'$(x)'"),
            ("it's", r"'it'\''s'"),
            ("<id>", "'<id>'"),
        ] {
            assert_eq!(shell_word(text), word);
        }
    }
}
