//! `baton-atlassian` with one difference: it is
//! killed (SIGKILL) in the middle of the operation of its file layer that
//! `VICTIM_DIES_AT` names.
#![allow(
    clippy::disallowed_methods,
    reason = "an entry point reads its arguments, and a killed process needs real files"
)]
#![allow(clippy::print_stderr, clippy::exit, reason = "a program")]

use std::io::Result;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use baton_c1z::{Access, DataFile, Files, Open, SystemFiles};
use baton_runtime::Process;

/// Operations that change something, until the last one.
#[derive(Debug, Clone)]
struct Mortal {
    left: Arc<AtomicU64>,
}

impl Mortal {
    /// Whether this operation is the last one.
    fn is_last(&self) -> bool {
        self.left.fetch_sub(1, Ordering::SeqCst) == 1
    }

    fn dies(&self) {
        if self.is_last() {
            die();
        }
    }
}

/// Never returns: the process ends while this waits.
fn die() {
    let id = std::process::id().to_string();
    let killed = std::process::Command::new("kill")
        .args(["-KILL", &id])
        .status();
    eprintln!("not killed: {killed:?}");
    std::process::exit(99);
}

impl Files for Mortal {
    fn open(&self, path: &Path, how: Open) -> Result<Box<dyn DataFile>> {
        if how != Open::Modify {
            self.dies();
        }
        let file = SystemFiles.open(path, how)?;
        let mortal = self.clone();
        Ok(Box::new(MortalFile { file, mortal }))
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        self.dies();
        SystemFiles.rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> Result<()> {
        self.dies();
        SystemFiles.remove_file(path)
    }

    fn create_dir_all(&self, path: &Path) -> Result<()> {
        self.dies();
        SystemFiles.create_dir_all(path)
    }

    fn remove_dir_all(&self, path: &Path) -> Result<()> {
        self.dies();
        SystemFiles.remove_dir_all(path)
    }

    fn sync_dir(&self, path: &Path) -> Result<()> {
        self.dies();
        SystemFiles.sync_dir(path)
    }
}

#[derive(Debug)]
struct MortalFile {
    file: Box<dyn DataFile>,
    mortal: Mortal,
}

impl DataFile for MortalFile {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> Result<usize> {
        self.file.read_at(buf, offset)
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> Result<()> {
        if self.mortal.is_last() {
            self.file.write_all_at(&bytes[..bytes.len() / 2], offset)?;
            die();
        }
        self.file.write_all_at(bytes, offset)
    }

    fn set_access(&self, access: &Access) -> Result<()> {
        self.mortal.dies();
        self.file.set_access(access)
    }

    fn set_len(&self, len: u64) -> Result<()> {
        self.mortal.dies();
        self.file.set_len(len)
    }

    fn len(&self) -> Result<u64> {
        self.file.len()
    }

    fn sync(&self) -> Result<()> {
        self.mortal.dies();
        self.file.sync()
    }
}

fn main() -> ExitCode {
    let app = baton_atlassian::app();
    let Some(at) = std::env::var("VICTIM_DIES_AT").ok() else {
        return baton_runtime::main(&app);
    };
    let (Ok(at), Ok(mut process)) = (at.parse(), Process::current()) else {
        eprintln!("VICTIM_DIES_AT is the number of an operation");
        return ExitCode::from(98);
    };
    let left = Arc::new(AtomicU64::new(at));
    process.engine = Arc::new(move |connector, mut request, host| {
        let left = Arc::clone(&left);
        request.files = Arc::new(Mortal { left });
        Box::pin(baton_sync::run(connector, request, host))
    });
    baton_runtime::run(&app, process).into()
}
