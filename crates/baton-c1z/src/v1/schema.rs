//! Tables and indexes of format v1, with the names that the Go tools use.
//!
//! Two index names of `v1_resources` are swapped, and must stay so: the Go
//! tools create, drop and rely on indexes by name (c1z specification §1.3
//! and trap 1). Declared types matter too: the Go driver reads times by them.

use crate::row::Table;

/// A table with its indexes.
pub(super) struct TableDef {
    /// Name of the table.
    pub name: &'static str,
    /// Statement that creates it.
    pub sql: &'static str,
    /// Its indexes, in order of creation.
    pub indexes: &'static [IndexDef],
}

/// An index.
pub(super) struct IndexDef {
    /// Name of the index.
    pub name: &'static str,
    /// Statement that creates it.
    pub sql: &'static str,
}

/// Indexes of `v1_grants` that are kept up from the start, because they hold
/// few rows or because rows come about in their order and are appended: built
/// later, each would read the whole table once more.
pub(super) const KEPT_UP: &[&str] = &[
    "idx_grants_sync_expansion_v1",
    "idx_grants_sync_needs_expansion_v1",
    "idx_grants_resource_type_id_resource_id_v1",
    "idx_grants_entitlement_id_principal_id_v1",
    "idx_grants_entitlement_sync_grant_v1",
    "idx_grants_external_sync_v1",
];

/// Tables whose other indexes are built when all rows are there.
pub(super) const BULK_TABLES: &[&str] = &["v1_resources", "v1_entitlements", "v1_grants"];

/// The name of the table that stores rows of `table`.
pub(super) fn table_name(table: Table) -> &'static str {
    match table {
        Table::ResourceTypes => "v1_resource_types",
        Table::Resources => "v1_resources",
        Table::Entitlements => "v1_entitlements",
        Table::Grants => "v1_grants",
    }
}

/// Everything, in the order in which the Go tools create it.
pub(super) const TABLES: &[TableDef] = &[
    RESOURCE_TYPES,
    RESOURCES,
    ENTITLEMENTS,
    SYNC_RUNS,
    GRANTS,
    ASSETS,
    SESSIONS,
];

const RESOURCE_TYPES: TableDef = TableDef {
    name: "v1_resource_types",
    sql: "create table v1_resource_types (
        id integer primary key,
        external_id text not null,
        data blob not null,
        sync_id text not null,
        discovered_at datetime not null
    )",
    indexes: &[IndexDef {
        name: "idx_resource_types_external_sync_v1",
        sql: "create unique index idx_resource_types_external_sync_v1
            on v1_resource_types (external_id, sync_id)",
    }],
};

const RESOURCES: TableDef = TableDef {
    name: "v1_resources",
    sql: "create table v1_resources (
        id integer primary key,
        resource_type_id text not null,
        external_id text not null,
        parent_resource_type_id text,
        parent_resource_id text,
        data blob not null,
        sync_id text not null,
        discovered_at datetime not null
    )",
    indexes: &[
        IndexDef {
            name: "idx_resources_resource_type_id_v1",
            sql: "create index idx_resources_resource_type_id_v1
                on v1_resources (resource_type_id)",
        },
        IndexDef {
            name: "idx_resources_external_sync_v1",
            sql: "create index idx_resources_external_sync_v1
                on v1_resources (parent_resource_type_id, parent_resource_id)",
        },
        IndexDef {
            name: "idx_resources_parent_resource_id_v1",
            sql: "create unique index idx_resources_parent_resource_id_v1
                on v1_resources (external_id, sync_id)",
        },
    ],
};

const ENTITLEMENTS: TableDef = TableDef {
    name: "v1_entitlements",
    sql: "create table v1_entitlements (
        id integer primary key,
        resource_type_id text not null,
        resource_id text not null,
        external_id text not null,
        data blob not null,
        sync_id text not null,
        discovered_at datetime not null
    )",
    indexes: &[
        IndexDef {
            name: "idx_entitlements_resource_id_v1",
            sql: "create index idx_entitlements_resource_id_v1
                on v1_entitlements (resource_type_id, resource_id)",
        },
        IndexDef {
            name: "idx_entitlements_external_sync_v1",
            sql: "create unique index idx_entitlements_external_sync_v1
                on v1_entitlements (external_id, sync_id)",
        },
    ],
};

const SYNC_RUNS: TableDef = TableDef {
    name: "v1_sync_runs",
    sql: "create table v1_sync_runs (
        id integer primary key,
        sync_id text not null,
        started_at datetime not null,
        ended_at datetime,
        sync_token text not null,
        sync_type text not null default 'full',
        parent_sync_id text not null default '',
        linked_sync_id text not null default '',
        supports_diff integer not null default 0,
        grants_backfilled integer not null default 0,
        stats text,
        ingest_invariant_generation text not null default '',
        ingest_invariant_coverage text not null default '',
        ingest_invariant_mode text not null default ''
    )",
    indexes: &[IndexDef {
        name: "idx_sync_runs_sync_id_v1",
        sql: "create unique index idx_sync_runs_sync_id_v1 on v1_sync_runs (sync_id)",
    }],
};

const GRANTS: TableDef = TableDef {
    name: "v1_grants",
    sql: "create table v1_grants (
        id integer primary key,
        resource_type_id text not null,
        resource_id text not null,
        entitlement_id text not null,
        principal_resource_type_id text not null,
        principal_resource_id text not null,
        external_id text not null,
        expansion blob,
        needs_expansion integer not null default 0,
        data blob not null,
        sync_id text not null,
        discovered_at datetime not null
    )",
    indexes: &[
        IndexDef {
            name: "idx_grants_resource_type_id_resource_id_v1",
            sql: "create index idx_grants_resource_type_id_resource_id_v1
                on v1_grants (resource_type_id, resource_id)",
        },
        IndexDef {
            name: "idx_grants_principal_id_v1",
            sql: "create index idx_grants_principal_id_v1
                on v1_grants (principal_resource_type_id, principal_resource_id)",
        },
        IndexDef {
            name: "idx_grants_entitlement_id_principal_id_v1",
            sql: "create index idx_grants_entitlement_id_principal_id_v1 on v1_grants
                (entitlement_id, principal_resource_type_id, principal_resource_id)",
        },
        IndexDef {
            name: "idx_grants_external_sync_v1",
            sql: "create unique index idx_grants_external_sync_v1
                on v1_grants (external_id, sync_id)",
        },
        IndexDef {
            name: "idx_grants_entitlement_sync_grant_v1",
            sql: "create index idx_grants_entitlement_sync_grant_v1
                on v1_grants (entitlement_id, sync_id, id)",
        },
        IndexDef {
            name: "idx_grants_sync_expansion_v1",
            sql: "create index idx_grants_sync_expansion_v1
                on v1_grants (sync_id) where expansion is not null",
        },
        IndexDef {
            name: "idx_grants_sync_needs_expansion_v1",
            sql: "create index idx_grants_sync_needs_expansion_v1
                on v1_grants (sync_id) where needs_expansion = 1",
        },
    ],
};

const ASSETS: TableDef = TableDef {
    name: "v1_assets",
    sql: "create table v1_assets (
        id integer primary key,
        external_id text not null,
        content_type text not null,
        data blob not null,
        sync_id text not null,
        discovered_at datetime not null
    )",
    indexes: &[IndexDef {
        name: "idx_assets_external_sync_v1",
        sql: "create unique index idx_assets_external_sync_v1
            on v1_assets (external_id, sync_id)",
    }],
};

const SESSIONS: TableDef = TableDef {
    name: "v1_connector_sessions",
    sql: "create table v1_connector_sessions (
        id integer primary key,
        sync_id text NOT NULL,
        key TEXT NOT NULL,
        value BLOB NOT NULL
    )",
    indexes: &[IndexDef {
        name: "idx_session_store_sync_key_v1",
        sql: "create unique index idx_session_store_sync_key_v1
            on v1_connector_sessions (sync_id, key)",
    }],
};

/// Columns that older files lack: table, column, declaration (c1z
/// specification §1.7).
pub(super) const LATER_COLUMNS: &[(&str, &str, &str)] = &[
    ("v1_sync_runs", "sync_type", "text not null default 'full'"),
    ("v1_sync_runs", "parent_sync_id", "text not null default ''"),
    ("v1_sync_runs", "linked_sync_id", "text not null default ''"),
    (
        "v1_sync_runs",
        "supports_diff",
        "integer not null default 0",
    ),
    (
        "v1_sync_runs",
        "grants_backfilled",
        "integer not null default 0",
    ),
    ("v1_sync_runs", "stats", "text"),
    (
        "v1_sync_runs",
        "ingest_invariant_generation",
        "text not null default ''",
    ),
    (
        "v1_sync_runs",
        "ingest_invariant_coverage",
        "text not null default ''",
    ),
    (
        "v1_sync_runs",
        "ingest_invariant_mode",
        "text not null default ''",
    ),
    ("v1_grants", "expansion", "blob"),
    ("v1_grants", "needs_expansion", "integer not null default 0"),
];
