//! Fixtures that Go wrote, and small files of both formats.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use baton_c1z::{
    Fingerprint, Format, ListId, NewAsset, NewRun, PageHeader, PageLog, PageRow, ReadOptions,
    SealPlan, SealSteps, SyncType, WorkDir, seal,
};
use baton_proto::c1::connector::v2;
use baton_proto::{any, encode};
use baton_query::SyncFile;
use tempfile::TempDir;

pub const FORMATS: [Format; 2] = [Format::V1, Format::V3];

/// 2026-01-01T00:00:00Z.
pub fn ended_at() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_hours(490_896)
}

pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../baton-c1z/tests/fixtures")
        .join(name)
}

pub fn open(path: &Path) -> SyncFile {
    SyncFile::open(path, &ReadOptions::default()).unwrap()
}

/// One organization in the making.
#[derive(Debug, Clone, Default)]
pub struct World {
    pub types: Vec<&'static str>,
    pub resources: Vec<v2::Resource>,
    pub entitlements: Vec<v2::Entitlement>,
    pub grants: Vec<v2::Grant>,
    pub tool: Option<&'static str>,
}

pub fn resource(type_id: &str, id: &str, name: &str) -> v2::Resource {
    v2::Resource {
        id: Some(v2::ResourceId {
            resource_type: type_id.into(),
            resource: id.into(),
            ..Default::default()
        }),
        display_name: name.into(),
        description: format!("about {id}"),
        ..Default::default()
    }
}

/// What rows embed: the ids only.
pub fn stub(type_id: &str, id: &str) -> v2::Resource {
    v2::Resource {
        description: String::new(),
        ..resource(type_id, id, "")
    }
}

pub fn user(id: &str, name: &str, email: &str, login: &str) -> v2::Resource {
    let user = v2::UserTrait {
        emails: vec![v2::user_trait::Email {
            address: email.into(),
            is_primary: true,
        }],
        login: login.into(),
        login_aliases: vec![format!("{login}-alias")],
        ..Default::default()
    };
    v2::Resource {
        annotations: vec![any::pack(&user)],
        ..resource("user", id, name)
    }
}

pub fn member(group: &str, name: &str) -> v2::Entitlement {
    v2::Entitlement {
        id: format!("group:{group}:member"),
        display_name: name.into(),
        slug: "member".into(),
        description: format!("members of {group}"),
        resource: Some(stub("group", group)),
        grantable_to: vec![v2::ResourceType {
            id: "user".into(),
            ..Default::default()
        }],
        ..Default::default()
    }
}

pub fn grant(group: &str, user: &str) -> v2::Grant {
    v2::Grant {
        id: format!("group:{group}:member:user:{user}"),
        entitlement: Some(v2::Entitlement {
            id: format!("group:{group}:member"),
            resource: Some(stub("group", group)),
            ..Default::default()
        }),
        principal: Some(stub("user", user)),
        ..Default::default()
    }
}

impl World {
    /// Two users, two groups, a membership.
    pub fn small() -> Self {
        Self {
            types: vec!["group", "user"],
            resources: vec![
                resource("group", "g1", "jira-users"),
                resource("group", "g2", "admins"),
                user("u1", "Kim Vale", "kim@example.com", "kvale"),
                user("u2", "Ada Ash", "ada@example.com", "aash"),
            ],
            entitlements: vec![member("g1", "Jira members"), member("g2", "Admin members")],
            grants: vec![grant("g1", "u1")],
            tool: Some("baton-test"),
        }
    }

    /// Seals a file of this format.
    pub fn file(&self, format: Format) -> Sealed {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sync.c1z");
        let now = ended_at();
        let dir = WorkDir::locate(&path, None, now).unwrap();
        let (mut log, _) = PageLog::open(&dir, &Fingerprint::default(), now, true).unwrap();
        self.append(&mut log);
        let run = NewRun {
            id: "3MVxu1fAkCi8scufhFJpQZ00000".into(),
            sync_type: SyncType::Full,
            started_at: now,
            ended_at: now,
            parent_sync_id: String::new(),
            token: String::new(),
            supports_diff: true,
            ingest_invariant: baton_c1z::IngestInvariant::default(),
        };
        let assets = self.tool.map(|tool| NewAsset {
            id: baton_c1z::PROVENANCE_ASSET.into(),
            content_type: "application/json".into(),
            data: format!(r#"{{"tool":"{tool}"}}"#).into_bytes(),
        });
        let plan = SealPlan {
            format,
            assets: assets.into_iter().collect(),
            ..SealPlan::new(path.clone(), run)
        };
        seal(log, plan, SealSteps::default(), &mut |_| ()).unwrap();
        Sealed {
            _folder: folder,
            path,
        }
    }

    fn append(&self, log: &mut PageLog) {
        let types = self.types.iter().map(|id| v2::ResourceType {
            id: (*id).into(),
            display_name: format!("type {id}"),
            ..Default::default()
        });
        let rows: Vec<_> = types.map(|row| encode::to_vec(&row)).collect();
        let rows: Vec<_> = rows.iter().map(PageRow::resource_type).collect();
        page(log, &ListId::resource_types(), &rows);
        let rows: Vec<_> = self.resources.iter().map(encode::to_vec).collect();
        let rows: Vec<_> = rows.iter().map(PageRow::resource).collect();
        page(log, &ListId::resources("any", None), &rows);
        let rows: Vec<_> = self.entitlements.iter().map(encode::to_vec).collect();
        let rows: Vec<_> = rows.iter().map(PageRow::entitlement).collect();
        page(log, &ListId::entitlements("any", "any"), &rows);
        let rows: Vec<_> = self.grants.iter().map(encode::to_vec).collect();
        let rows: Vec<_> = rows.iter().map(PageRow::grant).collect();
        page(log, &ListId::grants("any", "any"), &rows);
    }
}

fn page<B: AsRef<[u8]>>(log: &mut PageLog, list: &ListId, rows: &[PageRow<B>]) {
    let header = PageHeader {
        list,
        generation: 0,
        page: 0,
        request_token: "",
        next_token: "",
    };
    log.append_page(&header, rows).unwrap();
}

/// A file that goes away with its folder.
pub struct Sealed {
    _folder: TempDir,
    pub path: PathBuf,
}

impl Sealed {
    pub fn open(&self) -> SyncFile {
        open(&self.path)
    }
}

/// Runs a check on the file of each format.
pub fn in_both(world: &World, check: impl Fn(&SyncFile)) {
    for format in FORMATS {
        check(&world.file(format).open());
    }
}

/// A v1 file whose database `sql` changed.
pub fn changed(base: &Path, sql: &str) -> Sealed {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("made.db");
    let bytes = fs::read(base).unwrap();
    fs::write(&database, zstd::decode_all(&bytes[5..]).unwrap()).unwrap();
    let conn = rusqlite::Connection::open(&database).unwrap();
    conn.execute_batch(sql).unwrap();
    conn.close().map_err(|(_, e)| e).unwrap();
    let content = fs::read(&database).unwrap();
    let path = folder.path().join("sync.c1z");
    let mut file = b"C1ZF\0".to_vec();
    file.extend(zstd::encode_all(content.as_slice(), 1).unwrap());
    fs::write(&path, file).unwrap();
    Sealed {
        _folder: folder,
        path,
    }
}
