//! Rows are found again by their references, and limits hold.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use baton_c1z::{
    DataFile, Error, Files, ListId, MAX_ROW_BYTES, MAX_TOKEN_BYTES, Open, PageHeader, PageLog,
    PageRow, SystemFiles, WorkDir,
};

use crate::log_support::{Seen, append_grants, events, fingerprint, locate, now, open};

#[test]
fn rows_are_read_back_by_reference_in_this_process_and_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("sync.c1z");
    let list = ListId::grants("group", "g");
    let long = "x".repeat(100_000);
    let refs = {
        let dir = locate(&target);
        let (mut log, _) = open(&dir);
        append_grants(&mut log, &list, 0, 0, &["first"]);
        let refs = append_grants(&mut log, &list, 0, 1, &["", &long, "last"]);
        assert_eq!(log.read_row(refs[1]).unwrap(), long.as_bytes());
        refs
    };
    let dir = locate(&target);
    let (log, _) = open(&dir);
    assert_eq!(log.read_row(refs[0]).unwrap(), b"");
    assert_eq!(log.read_row(refs[1]).unwrap(), long.as_bytes());
    assert_eq!(log.read_row(refs[2]).unwrap(), b"last");
    match &events(&log)[1] {
        Seen::Page(_, _, 1, _, rows) => {
            assert_eq!(rows.iter().map(|r| r.0).collect::<Vec<_>>(), refs);
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_reference_into_another_log_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let one = locate(&folder.path().join("one.c1z"));
    let two = locate(&folder.path().join("two.c1z"));
    let list = ListId::grants("group", "g");
    let (mut big, _) = open(&one);
    let refs = append_grants(&mut big, &list, 0, 0, &["a", &"b".repeat(1000), "c"]);
    let (small, _) = open(&two);
    assert!(small.read_row(refs[2]).is_err());
}

#[test]
fn rows_and_tokens_beyond_the_limits_are_refused_and_leave_no_trace() {
    let folder = tempfile::tempdir().unwrap();
    let dir = locate(&folder.path().join("sync.c1z"));
    let (mut log, _) = open(&dir);
    let list = ListId::resource_types();
    let token = "t".repeat(MAX_TOKEN_BYTES + 1);
    let row = vec![0; MAX_ROW_BYTES + 1];
    let mut header = PageHeader {
        list: &list,
        generation: 0,
        page: 0,
        request_token: "",
        next_token: "",
    };
    let error = log
        .append_page(&header, &[PageRow::resource(&row)])
        .unwrap_err();
    assert!(matches!(error, Error::Limit { what: "row", .. }), "{error}");
    header.next_token = &token;
    let error = log.append_page::<&[u8]>(&header, &[]).unwrap_err();
    assert!(matches!(error, Error::Limit { .. }), "{error}");
    assert_eq!(events(&log), Vec::new());
}

/// A file layer whose writes fail while the switch is on, after half the bytes.
#[derive(Debug)]
struct Full(Arc<AtomicBool>);

#[derive(Debug)]
struct FullFile(Box<dyn DataFile>, Arc<AtomicBool>);

impl Files for Full {
    fn open(&self, path: &Path, how: Open) -> std::io::Result<Box<dyn DataFile>> {
        let file = SystemFiles.open(path, how)?;
        Ok(Box::new(FullFile(file, Arc::clone(&self.0))))
    }
    fn rename(&self, from: &Path, to: &Path) -> std::io::Result<()> {
        SystemFiles.rename(from, to)
    }
    fn remove_file(&self, path: &Path) -> std::io::Result<()> {
        SystemFiles.remove_file(path)
    }
    fn create_dir_all(&self, path: &Path) -> std::io::Result<()> {
        SystemFiles.create_dir_all(path)
    }
    fn remove_dir_all(&self, path: &Path) -> std::io::Result<()> {
        SystemFiles.remove_dir_all(path)
    }
    fn sync_dir(&self, path: &Path) -> std::io::Result<()> {
        SystemFiles.sync_dir(path)
    }
}

impl DataFile for FullFile {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> std::io::Result<usize> {
        self.0.read_at(buf, offset)
    }
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> std::io::Result<()> {
        if self.1.load(Ordering::Relaxed) {
            self.0.write_all_at(&bytes[..bytes.len() / 2], offset)?;
            return Err(std::io::ErrorKind::StorageFull.into());
        }
        self.0.write_all_at(bytes, offset)
    }
    fn set_len(&self, len: u64) -> std::io::Result<()> {
        if self.1.load(Ordering::Relaxed) {
            return Err(std::io::ErrorKind::StorageFull.into());
        }
        self.0.set_len(len)
    }
    fn len(&self) -> std::io::Result<u64> {
        self.0.len()
    }
    fn sync(&self) -> std::io::Result<()> {
        self.0.sync()
    }
}

#[test]
fn a_full_disk_is_named_and_keeps_every_whole_page() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("sync.c1z");
    let full = Arc::new(AtomicBool::new(false));
    let list = ListId::grants("group", "g");
    let path = {
        let files = Arc::new(Full(Arc::clone(&full)));
        let dir = WorkDir::locate_on(files, &target, None, now()).unwrap();
        let (mut log, _) = PageLog::open(&dir, &fingerprint(), now(), false).unwrap();
        append_grants(&mut log, &list, 0, 0, &["kept"]);
        full.store(true, Ordering::Relaxed);
        let error = log.mark("lost", &[7; 1000]).unwrap_err();
        assert!(error.to_string().contains("pages.log"), "{error}");
        // Room again: the log goes on where it was.
        full.store(false, Ordering::Relaxed);
        log.mark("kept", b"").unwrap();
        full.store(true, Ordering::Relaxed);
        log.mark("lost", &[7; 1000]).unwrap_err();
        log.path().to_owned()
    };
    assert!(path.exists());
    let dir = locate(&target);
    let (log, _) = open(&dir);
    let seen = events(&log);
    assert_eq!(seen.len(), 2);
    assert_eq!(seen[1], Seen::Mark("kept".into(), Vec::new()));
}
