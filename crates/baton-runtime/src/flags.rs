//! The flags that every connector program has.
//!
//! Names, defaults and exported texts of the first group equal the Go SDK's (connector CLI
//! specification, §1); the second group is ours. A flag appears here only once it works.

use baton_flags::Relation;
use baton_flags::{Export, Field};
use baton_flags::{IntRules, StringRules};

/// Longest HTTP timeout, in seconds.
pub(crate) const MAX_HTTP_TIMEOUT_SECONDS: i64 = 1800;
/// Most requests in flight that `--workers` can ask for; the engine's own bound.
pub(crate) const MAX_WORKERS: i64 = 1024;
/// Largest `--max-requests-per-second`.
pub(crate) const MAX_REQUESTS_PER_SECOND: i64 = 1_000_000;
/// `--max-grants` when nobody says anything: the expander's own default.
pub(crate) const MAX_GRANTS: i64 = 100_000_000;
/// `--workers` when nobody says anything: led by the rate limiter.
pub(crate) const WORKERS_AUTO: i64 = -1;

/// Names of the common fields, for lookups that must not misspell them.
pub(crate) mod name {
    pub const FILE: &str = "file";
    pub const LOG_LEVEL: &str = "log-level";
    pub const LOG_FORMAT: &str = "log-format";
    pub const LOG_PATH: &str = "log-path";
    pub const C1Z_TEMP_DIR: &str = "c1z-temp-dir";
    pub const HTTP_TIMEOUT_SECONDS: &str = "http-timeout-seconds";
    pub const WORKERS: &str = "workers";
    pub const STORAGE_ENGINE: &str = "storage-engine";
    pub const SKIP_ENTITLEMENTS_AND_GRANTS: &str = "skip-entitlements-and-grants";
    pub const SKIP_GRANTS: &str = "skip-grants";
    pub const SKIP_FULL_SYNC: &str = "skip-full-sync";
    pub const SYNC_RESOURCES: &str = "sync-resources";
    pub const SYNC_RESOURCE_TYPES: &str = "sync-resource-types";
    pub const EXTERNAL_RESOURCE_C1Z: &str = "external-resource-c1z";
    pub const EXTERNAL_RESOURCE_FILTER: &str = "external-resource-entitlement-id-filter";
    pub const EXTERNAL_RESOURCE_TRAITS: &str = "external-resource-traits";
    pub const DIFF_SYNCS: &str = "diff-syncs";
    pub const BASE_SYNC_ID: &str = "base-sync-id";
    pub const APPLIED_SYNC_ID: &str = "applied-sync-id";
    pub const COMPACT_SYNCS: &str = "compact-syncs";
    pub const COMPACT_OUTPUT_PATH: &str = "compact-output-path";
    pub const COMPACT_FILE_PATHS: &str = "compact-file-paths";
    pub const COMPACT_SYNC_IDS: &str = "compact-sync-ids";
    pub const GO_COMPATIBLE: &str = "go-compatible";
    pub const ALLOW_PARTIAL: &str = "allow-partial";
    pub const ALLOW_EMPTY: &str = "allow-empty";
    pub const FRESH: &str = "fresh";
    pub const RATE_SHARE: &str = "rate-share";
    pub const MAX_GRANTS: &str = "max-grants";
    pub const MAX_REQUESTS_PER_SECOND: &str = "max-requests-per-second";
}

/// How log lines look when nobody says anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DefaultLogFormat {
    Console,
    Json,
}

impl DefaultLogFormat {
    fn word(self) -> &'static str {
        match self {
            Self::Console => "console",
            Self::Json => "json",
        }
    }
}

/// The common fields, in the order in which the schema exports them.
pub(crate) fn common(log_format: DefaultLogFormat) -> Vec<Field> {
    let mut fields = go_fields(log_format);
    fields.extend(file_fields());
    fields.extend(our_fields());
    for field in &mut fields {
        field.persistent = true;
    }
    fields
}

/// The common fields of a connector that sends no HTTP requests. What the Go
/// programs take as well is still taken, but neither shown nor exported.
pub(crate) fn without_http(mut fields: Vec<Field>) -> Vec<Field> {
    fields.retain(|field| {
        field.name != name::RATE_SHARE && field.name != name::MAX_REQUESTS_PER_SECOND
    });
    for field in &mut fields {
        if field.name == name::HTTP_TIMEOUT_SECONDS {
            field.hidden = true;
            field.export = Export::None;
        }
    }
    fields
}

fn go_fields(log_format: DefaultLogFormat) -> Vec<Field> {
    vec![
        Field::string(name::LOG_LEVEL, "The log level: debug, info, warn, error")
            .default_string("info")
            .export(Export::Ops),
        Field::string(name::LOG_FORMAT, "Form of the log lines: console or json")
            .default_string(log_format.word())
            .string_rules(StringRules {
                one_of: &["console", "json"],
                ..StringRules::default()
            })
            .export(Export::None),
        Field::list(
            name::LOG_PATH,
            "Where log lines go instead of stderr: file paths, `stdout` or `stderr`",
        )
        .export(Export::None),
        Field::string(name::FILE, "Path of the sync file")
            .short('f')
            .default_string("sync.c1z")
            .export(Export::None),
        Field::string(name::C1Z_TEMP_DIR, "Existing folder for working files")
            .hidden()
            .export(Export::None),
        Field::int(
            name::HTTP_TIMEOUT_SECONDS,
            "HTTP client timeout in seconds (max 1800)",
        )
        .default_int(300)
        .int_rules(IntRules {
            gte: Some(1),
            lte: Some(MAX_HTTP_TIMEOUT_SECONDS),
            ..IntRules::default()
        })
        .export(Export::Ops),
        Field::int(
            name::WORKERS,
            "Requests in flight: -1 as many as the rate limits allow, 0 one at a time, N at most N",
        )
        .default_int(WORKERS_AUTO)
        .int_rules(IntRules {
            gte: Some(WORKERS_AUTO),
            lte: Some(MAX_WORKERS),
            ..IntRules::default()
        })
        .export(Export::None),
        Field::string(
            name::STORAGE_ENGINE,
            "Storage engine of a new sync file: sqlite (format v1, the default) or pebble (format v3)",
        )
        .string_rules(StringRules {
            one_of: &["", "sqlite", "pebble"],
            ..StringRules::default()
        })
        .export(Export::None),
        Field::bool(
            name::SKIP_ENTITLEMENTS_AND_GRANTS,
            "Sync resources only, without entitlements and grants",
        )
        .export(Export::None),
        Field::bool(
            name::SKIP_GRANTS,
            "Leave out grants; only together with --sync-resources",
        )
        .hidden()
        .export(Export::None),
        Field::bool(
            name::SKIP_FULL_SYNC,
            "Do no full syncs as a service; without meaning for a single run",
        )
        .export(Export::None),
        Field::list(
            name::SYNC_RESOURCES,
            "Baton ids of the resources to sync, such as bid:r:user/123; all when empty",
        )
        .export(Export::None),
        Field::list(
            name::SYNC_RESOURCE_TYPES,
            "Ids of the resource types to sync; all when empty",
        )
        .export(Export::None),
        Field::string(
            name::EXTERNAL_RESOURCE_C1Z,
            "Sync file of another connector, with users and groups that grants may lead to",
        )
        .export(Export::None),
        Field::string(
            name::EXTERNAL_RESOURCE_FILTER,
            "Take from that file only who holds this entitlement",
        )
        .export(Export::None),
        Field::list(
            name::EXTERNAL_RESOURCE_TRAITS,
            "Traits of the resources to take from that file, such as user or app; user and group when empty",
        )
        .export(Export::None),
    ]
}

/// The modes that work on files instead of syncing.
fn file_fields() -> Vec<Field> {
    let fields = vec![
        Field::bool(
            name::DIFF_SYNCS,
            "Add to the sync file what one of its syncs has that another has not, instead of syncing",
        ),
        Field::string(name::BASE_SYNC_ID, "Id of the older sync of --diff-syncs"),
        Field::string(
            name::APPLIED_SYNC_ID,
            "Id of the newer sync of --diff-syncs",
        ),
        Field::bool(
            name::COMPACT_SYNCS,
            "Merge the syncs of several files into a new file, instead of syncing",
        ),
        Field::string(
            name::COMPACT_OUTPUT_PATH,
            "Folder for the new file of --compact-syncs",
        ),
        Field::list(
            name::COMPACT_FILE_PATHS,
            "Sync files to compact, the base first, then from older to newer",
        ),
        Field::list(
            name::COMPACT_SYNC_IDS,
            "Sync ids of --compact-file-paths, one per file in the same order; they count for v1 files that become v3",
        ),
    ];
    let hide = |field: Field| field.hidden().export(Export::None);
    fields.into_iter().map(hide).collect()
}

/// The rules over several common fields.
pub(crate) fn relations() -> Vec<Relation> {
    vec![
        Relation::RequiredTogether(vec![
            name::DIFF_SYNCS,
            name::BASE_SYNC_ID,
            name::APPLIED_SYNC_ID,
        ]),
        Relation::RequiredTogether(vec![
            name::COMPACT_SYNCS,
            name::COMPACT_SYNC_IDS,
            name::COMPACT_FILE_PATHS,
            name::COMPACT_OUTPUT_PATH,
        ]),
        Relation::MutuallyExclusive(vec![name::DIFF_SYNCS, name::COMPACT_SYNCS]),
    ]
}

fn our_fields() -> Vec<Field> {
    vec![
        Field::bool(
            name::GO_COMPATIBLE,
            "Write exactly what the Go connector writes: no added fields, rows or assets",
        )
        .export(Export::None),
        Field::bool(
            name::ALLOW_PARTIAL,
            "Accept a sync that had to leave out objects the key may not read",
        )
        .export(Export::None),
        Field::bool(
            name::ALLOW_EMPTY,
            "Accept a sync without users or groups where the last one had some",
        )
        .export(Export::None),
        Field::bool(
            name::FRESH,
            "Start over instead of resuming an interrupted sync",
        )
        .export(Export::None),
        Field::string(
            name::RATE_SHARE,
            "Share of the announced rate limits to use, more than 0 and at most 1",
        )
        .default_string("0.8")
        .export(Export::None),
        Field::int(
            name::MAX_GRANTS,
            "Most grants that expansion may derive; more end the run before any is made",
        )
        .default_int(MAX_GRANTS)
        .int_rules(IntRules {
            gte: Some(0),
            ..IntRules::default()
        })
        .export(Export::None),
        Field::int(
            name::MAX_REQUESTS_PER_SECOND,
            "Most requests per second, over all endpoints; 0 for no such limit",
        )
        .int_rules(IntRules {
            gte: Some(0),
            lte: Some(MAX_REQUESTS_PER_SECOND),
            ..IntRules::default()
        })
        .export(Export::None),
    ]
}
