//! Whatever happens to the bytes of a log, it resumes with a prefix.

use std::path::Path;

use baton_c1z::{
    DropReason, Fingerprint, ListId, PageLog, Resumed, SetAside, SystemFiles, WorkDir,
};

use crate::log_support::{Seen, append_grants, events, fingerprint, locate, now, open};

/// A log with every kind of record; returns its events.
fn small_log(target: &Path) -> Vec<Seen> {
    let dir = locate(target);
    let (mut log, _) = open(&dir);
    let list = ListId::grants("group", "g1");
    append_grants(&mut log, &list, 0, 0, &["a", "b"]);
    append_grants(&mut log, &list, 0, 1, &[]);
    log.restart_list(&list, 1).unwrap();
    append_grants(&mut log, &list, 1, 0, &["c"]);
    log.drop_list(
        &ListId::entitlements("group", "g2"),
        DropReason::Vanished,
        "gone",
    )
    .unwrap();
    log.mark("phase", b"\x00\x01").unwrap();
    events(&log)
}

#[test]
fn a_log_cut_at_any_byte_resumes_with_a_prefix_of_its_events() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("sync.c1z");
    let all = small_log(&target);
    let path = locate(&target).path().join("pages.log");
    let bytes = std::fs::read(&path).unwrap();
    let mut lengths = Vec::new();
    for cut in 0..=bytes.len() {
        std::fs::write(&path, &bytes[..cut]).unwrap();
        let dir = locate(&target);
        let (log, resumed) = open(&dir);
        let seen = events(&log);
        assert_eq!(seen[..], all[..seen.len()], "cut at {cut}");
        match resumed {
            Resumed::Continued { records, damage } => {
                assert_eq!(records, seen.len() as u64);
                if let Some(damage) = damage {
                    assert_eq!(damage.offset + damage.lost_bytes, cut as u64);
                }
            }
            Resumed::New => assert_eq!(cut, 0),
            Resumed::SetAside(why) => assert_eq!(why, SetAside::Unreadable),
        }
        lengths.push(seen.len());
    }
    assert!(lengths.is_sorted());
    assert_eq!(lengths.last(), Some(&all.len()));
}

#[test]
fn a_flipped_bit_anywhere_loses_only_what_comes_after_it() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("sync.c1z");
    let all = small_log(&target);
    let path = locate(&target).path().join("pages.log");
    let bytes = std::fs::read(&path).unwrap();
    for at in 0..bytes.len() {
        for bit in [at % 8, (at + 3) % 8] {
            let mut bad = bytes.clone();
            bad[at] ^= 1 << bit;
            std::fs::write(&path, &bad).unwrap();
            let dir = locate(&target);
            let (log, resumed) = open(&dir);
            let seen = events(&log);
            assert!(seen.len() < all.len(), "byte {at}, bit {bit}");
            assert_eq!(seen[..], all[..seen.len()], "byte {at}, bit {bit}");
            assert_ne!(resumed, Resumed::New);
        }
    }
}

#[test]
fn a_damaged_log_can_be_appended_to_and_reads_back_whole() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("sync.c1z");
    let all = small_log(&target);
    let path = locate(&target).path().join("pages.log");
    let mut bytes = std::fs::read(&path).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 0xff;
    std::fs::write(&path, &bytes).unwrap();
    {
        let dir = locate(&target);
        let (mut log, resumed) = open(&dir);
        assert!(matches!(
            resumed,
            Resumed::Continued {
                damage: Some(_),
                ..
            }
        ));
        log.mark("again", b"").unwrap();
    }
    let dir = locate(&target);
    let (log, resumed) = open(&dir);
    assert_eq!(
        resumed,
        Resumed::Continued {
            records: all.len() as u64,
            damage: None
        }
    );
    assert_eq!(
        events(&log).last(),
        Some(&Seen::Mark("again".into(), Vec::new()))
    );
}

#[test]
fn records_of_random_bytes_never_panic() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("sync.c1z");
    small_log(&target);
    let path = locate(&target).path().join("pages.log");
    let header = {
        let dir = locate(&target);
        PageLog::open(&dir, &fingerprint(), now(), true).unwrap();
        std::fs::read(&path).unwrap()
    };
    let mut state = 7u64;
    for round in 0..500 {
        let mut payload = Vec::new();
        for _ in 0..round % 60 {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            payload.push((state >> 56) as u8 & if round % 2 == 0 { 0x0f } else { 0xff });
        }
        let kind = u8::try_from(round % 5 + 1).unwrap();
        let mut crc = crc32fast::Hasher::new();
        crc.update(&(payload.len() as u64).to_le_bytes());
        crc.update(&[kind]);
        crc.update(&payload);
        let mut bytes = header.clone();
        bytes.extend_from_slice(&u32::try_from(payload.len()).unwrap().to_le_bytes());
        bytes.extend_from_slice(&crc.finalize().to_le_bytes());
        bytes.push(kind);
        bytes.extend_from_slice(&payload);
        std::fs::write(&path, &bytes).unwrap();
        let dir = locate(&target);
        let (log, _) = open(&dir);
        let _ = events(&log);
    }
}

#[test]
fn other_settings_set_the_work_aside_and_name_the_difference() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("sync.c1z");
    small_log(&target);
    let mut other = Fingerprint::default();
    other.0.insert("organization".into(), "o2".into());
    other.0.insert("connector".into(), "test".into());
    let dir = locate(&target);
    let (log, resumed) = PageLog::open(&dir, &other, now(), false).unwrap();
    assert_eq!(
        resumed,
        Resumed::SetAside(SetAside::OtherContent {
            differing: vec!["organization".into()]
        })
    );
    assert_eq!(events(&log), Vec::new());
    assert!(dir.path().join("pages.log.old").exists());
}

#[test]
fn work_older_than_seven_days_and_fresh_runs_set_it_aside() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("sync.c1z");
    small_log(&target);
    let dir = locate(&target);
    let week = baton_c1z::MAX_WORK_AGE;
    let (_, resumed) = PageLog::open(&dir, &fingerprint(), now() + week, false).unwrap();
    assert!(matches!(resumed, Resumed::Continued { .. }));
    let late = now() + week + std::time::Duration::from_secs(1);
    let (_, resumed) = PageLog::open(&dir, &fingerprint(), late, false).unwrap();
    assert_eq!(
        resumed,
        Resumed::SetAside(SetAside::TooOld { begun: now() })
    );
    let (_, resumed) = PageLog::open(&dir, &fingerprint(), late, true).unwrap();
    assert_eq!(resumed, Resumed::SetAside(SetAside::Fresh));
}

#[test]
fn a_second_handle_is_told_who_works_on_the_target() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("sync.c1z");
    let held = locate(&target);
    let error = WorkDir::locate(&target, None, now()).unwrap_err();
    let text = error.to_string();
    let ours = format!("is being written by process {} ", std::process::id());
    assert!(text.contains(&ours), "{text}");
    assert!(text.contains("2026-01-01T00:00:00Z"), "{text}");
    drop(held);
    locate(&target);
}

#[test]
fn the_temp_folder_is_one_per_target() {
    let folder = tempfile::tempdir().unwrap();
    let temp = folder.path().join("tmp");
    let a = WorkDir::locate(&folder.path().join("a.c1z"), Some(&temp), now()).unwrap();
    let b = WorkDir::locate(&folder.path().join("b.c1z"), Some(&temp), now()).unwrap();
    assert_ne!(a.path(), b.path());
    assert_eq!(a.path().parent(), Some(temp.as_path()));
    assert!(matches!(
        WorkDir::locate(&folder.path().join("a.c1z"), Some(&temp), now()),
        Err(baton_c1z::Error::Busy { .. })
    ));
    a.remove().unwrap();
    assert!(!a.path().exists());
}

#[test]
fn a_missing_output_folder_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("missing").join("sync.c1z");
    let error = WorkDir::locate(&target, None, now()).unwrap_err();
    assert!(error.to_string().contains("missing"), "{error}");
}

#[test]
fn only_old_folders_that_nobody_holds_are_orphans() {
    let folder = tempfile::tempdir().unwrap();
    let held = locate(&folder.path().join("held.c1z"));
    let left = locate(&folder.path().join("left.c1z"));
    let left_path = left.path().to_owned();
    drop(left);
    std::fs::create_dir(folder.path().join(".other")).unwrap();
    // The lock files are as old as the machine's clock says, so the future
    // stands in for the passing of time.
    let soon = std::time::SystemTime::now();
    assert!(WorkDir::remove_orphans(&SystemFiles, folder.path(), soon).is_empty());
    let later = soon + baton_c1z::MAX_WORK_AGE * 2;
    assert_eq!(
        WorkDir::remove_orphans(&SystemFiles, folder.path(), later),
        [left_path]
    );
    assert!(held.path().exists());
}
