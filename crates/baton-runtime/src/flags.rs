//! The flags that every connector program has.
//!
//! Names, defaults and exported texts of the first group equal the Go SDK's (connector CLI
//! specification, §1); the last one is ours. A flag appears here only once it works, except the
//! hidden ones that scripts of the Go programs pass. Each is the handle by which its value is read.

mod choices;
pub(crate) mod otel;

use std::path::PathBuf;
use std::time::Duration;

use baton_connector::Secret;
use baton_flags::{AUTH_METHOD, AnyField, Export, Field, IntRules, OneOf, Relation};

pub(crate) use choices::{Engine, LogFormat, ResultForm, Switch};

/// Longest HTTP timeout, in seconds.
pub(crate) const MAX_HTTP_TIMEOUT_SECONDS: i64 = 1800;
/// Most requests in flight that `--workers` can ask for; the engine's own bound.
const MAX_WORKERS: i64 = 1024;
/// Largest `--max-requests-per-second`.
const LARGEST_REQUEST_RATE: i64 = 1_000_000;
/// Default of `--max-grants`: the expander's own.
const USUAL_MAX_GRANTS: i64 = 100_000_000;
/// Largest `--task-concurrency`.
const MAX_TASKS: i64 = 100;
/// Default of `--workers`: as many as the rate limiter allows.
const WORKERS_AUTO: i64 = -1;

/// The variable that replaces the host of a client id. It has no flag.
pub(crate) const API_HOST: &str = "BATON_C1_API_HOST";

pub(crate) const LOG_LEVEL: Field<String> =
    Field::string("log-level", "the log level: debug, info, warn, error")
        .value_name("level")
        .default("info")
        .export(Export::Ops);
pub(crate) const LOG_FORMAT: Field<OneOf<LogFormat>> =
    Field::choice("log-format", "form of the log lines: console or json")
        .value_name("format")
        .default("json")
        .export(Export::None);
pub(crate) const LOG_PATH: Field<Vec<String>> = Field::list(
    "log-path",
    "where log lines go instead of stderr: file paths, `stdout` or `stderr`",
)
.value_name("paths")
.must_name("the path of a log file")
.export(Export::None);
pub(crate) const FILE: Field<PathBuf> = Field::path("file", "path of the sync file")
    .short('f')
    .must_name("the path of a sync file")
    .default("sync.c1z")
    .export(Export::None);
pub(crate) const SESSION_STORE_MAXIMUM_SIZE: Field<i64> = Field::int(
    "session-store-maximum-size",
    "the maximum size of the local in-memory session store cache in bytes.",
)
.default(15 << 20)
.hidden()
.export(Export::Ops);
pub(crate) const C1Z_TEMP_DIR: Field<Option<PathBuf>> =
    Field::path("c1z-temp-dir", "existing folder for working files")
        .value_name("folder")
        .hidden()
        .export(Export::None);
pub(crate) const HEALTH_CHECK: Field<bool> =
    Field::bool("health-check", "enable the HTTP health check endpoint").export(Export::Ops);
pub(crate) const HEALTH_CHECK_PORT: Field<i64> = Field::int(
    "health-check-port",
    "port for the HTTP health check endpoint",
)
.value_name("port")
.default(8081)
.export(Export::Ops);
pub(crate) const HEALTH_CHECK_BIND_ADDRESS: Field<String> = Field::string(
    "health-check-bind-address",
    "bind address for health check server (127.0.0.1 for localhost-only)",
)
.value_name("address")
.default("127.0.0.1")
.hidden()
.export(Export::Ops);
pub(crate) const HTTP_TIMEOUT_SECONDS: Field<i64> = Field::int(
    "http-timeout-seconds",
    "HTTP client timeout in seconds (max 1800)",
)
.value_name("seconds")
.default(300)
.rules(IntRules {
    gte: Some(1),
    lte: Some(MAX_HTTP_TIMEOUT_SECONDS),
    ..IntRules::NONE
})
.export(Export::Ops);
pub(crate) const WORKERS: Field<i64> = Field::int(
    "workers",
    "concurrent requests: -1 = as many as rate limits allow, 0 = one at a time, N = at most N",
)
.default(WORKERS_AUTO)
.rules(IntRules {
    gte: Some(WORKERS_AUTO),
    lte: Some(MAX_WORKERS),
    ..IntRules::NONE
})
.export(Export::None);
pub(crate) const PARALLEL_SYNC: Field<bool> = Field::bool(
    "parallel-sync",
    "old spelling of --workers=-1, which is the default",
)
.export(Export::None);
/// In programs whose fields form no groups; others have the one of `baton_flags`.
pub(crate) const AUTH_METHOD_UNUSED: Field<String> = Field::string(
    AUTH_METHOD.name(),
    "way to log in; has no effect where the connector has only one",
)
.value_name("name")
.hidden()
.export(Export::None);
pub(crate) const STORAGE_ENGINE: Field<Option<OneOf<Engine>>> = Field::choice(
    "storage-engine",
    "storage engine of a new sync file: sqlite (format v1, the default) or pebble (format v3)",
)
.value_name("engine")
.export(Export::None);
pub(crate) const SKIP_ENTITLEMENTS_AND_GRANTS: Field<bool> = Field::bool(
    "skip-entitlements-and-grants",
    "sync resources only, without entitlements and grants",
)
.export(Export::None);
pub(crate) const SKIP_GRANTS: Field<bool> = Field::bool(
    "skip-grants",
    "leave out grants; only together with --sync-resources",
)
.hidden()
.export(Export::None);
pub(crate) const SKIP_FULL_SYNC: Field<bool> = Field::bool(
    "skip-full-sync",
    "in service mode, list nothing: full syncs upload an empty file",
)
.export(Export::None);
pub(crate) const CLIENT_ID: Field<String> = Field::string(
    "client-id",
    "run as a service of ConductorOne, with this client id",
)
.value_name("id")
.export(Export::None);
pub(crate) const CLIENT_SECRET: Field<Secret> =
    Field::secret("client-secret", "client secret that belongs to --client-id")
        .value_name("secret")
        .export(Export::None);
pub(crate) const TASK_CONCURRENCY: Field<i64> = Field::int(
    "task-concurrency",
    "in service mode, how many tasks run at the same time",
)
.value_name("tasks")
.default(3)
.rules(IntRules {
    gte: Some(1),
    lte: Some(MAX_TASKS),
    ..IntRules::NONE
})
.export(Export::None);
pub(crate) const KEEP_PREVIOUS_SYNC_C1Z: Field<bool> = Field::bool(
    "keep-previous-sync-c1z",
    "in service mode, accepted without an effect: no connector of this SDK uses it",
)
.export(Export::None);
pub(crate) const SYNC_RESOURCES: Field<Vec<String>> = Field::list(
    "sync-resources",
    "Baton ids of the resources to sync, such as bid:r:user/123; all when empty",
)
.value_name("ids")
.export(Export::None);
pub(crate) const SYNC_RESOURCE_TYPES: Field<Vec<String>> = Field::list(
    "sync-resource-types",
    "ids of the resource types to sync; all when empty",
)
.value_name("types")
.export(Export::None);
pub(crate) const EXTERNAL_RESOURCE_C1Z: Field<Option<PathBuf>> = Field::path(
    "external-resource-c1z",
    "sync file of another connector, with users and groups that grants refer to",
)
.export(Export::None);
pub(crate) const EXTERNAL_RESOURCE_FILTER: Field<String> = Field::string(
    "external-resource-entitlement-id-filter",
    "import only principals that hold this entitlement from that file",
)
.value_name("id")
.export(Export::None);
pub(crate) const EXTERNAL_RESOURCE_TRAITS: Field<Vec<String>> = Field::list(
    "external-resource-traits",
    "traits of the resources to import from that file, such as user or app; user and group when empty",
)
.value_name("traits")
.export(Export::None);

// Changing access instead of syncing.
pub(crate) const GRANT_ENTITLEMENT: Field<String> = Field::string(
    "grant-entitlement",
    "instead of syncing, grant this entitlement: its id or a name that only it has",
)
.value_name("id")
.hidden()
.export(Export::None);
pub(crate) const GRANT_PRINCIPAL: Field<String> = Field::string(
    "grant-principal",
    "who gets the entitlement of --grant-entitlement: an id, or a name that only one has",
)
.value_name("id")
.hidden()
.export(Export::None);
pub(crate) const GRANT_PRINCIPAL_TYPE: Field<String> = Field::string(
    "grant-principal-type",
    "resource type of --grant-principal, such as user or group",
)
.value_name("type")
.hidden()
.export(Export::None);
pub(crate) const REVOKE_GRANT: Field<String> = Field::string(
    "revoke-grant",
    "instead of syncing, revoke the grant with this id",
)
.value_name("id")
.hidden()
.export(Export::None);
pub(crate) const CREATE_ACCOUNT_LOGIN: Field<String> = Field::string(
    "create-account-login",
    "instead of syncing, create an account with this login",
)
.value_name("login")
.hidden()
.export(Export::None);
pub(crate) const CREATE_ACCOUNT_EMAIL: Field<String> = Field::string(
    "create-account-email",
    "e-mail address of the account to create; alone it is the login, too",
)
.value_name("address")
.hidden()
.export(Export::None);
pub(crate) const CREATE_ACCOUNT_PROFILE: Field<String> = Field::string(
    "create-account-profile",
    "instead of syncing, create an account with this profile, a JSON object",
)
.value_name("json")
.hidden()
.export(Export::None);
pub(crate) const CREATE_ACCOUNT_TYPE: Field<String> = Field::string(
    "create-account-resource-type",
    "resource type of the account to create; not needed where only one has accounts",
)
.value_name("type")
.hidden()
.export(Export::None);
pub(crate) const DELETE_RESOURCE: Field<String> = Field::string(
    "delete-resource",
    "instead of syncing, delete this resource: its id or a name that only it has",
)
.value_name("id")
.hidden()
.export(Export::None);
pub(crate) const DELETE_RESOURCE_TYPE: Field<String> =
    Field::string("delete-resource-type", "resource type of --delete-resource")
        .value_name("type")
        .hidden()
        .export(Export::None);
pub(crate) const ROTATE_CREDENTIALS: Field<String> = Field::string(
    "rotate-credentials",
    "instead of syncing, replace the credentials of this resource: its id or a name that only it \
     has",
)
.value_name("id")
.hidden()
.export(Export::None);
pub(crate) const ROTATE_CREDENTIALS_TYPE: Field<String> = Field::string(
    "rotate-credentials-type",
    "resource type of --rotate-credentials",
)
.value_name("type")
.hidden()
.export(Export::None);
pub(crate) const EVENT_FEED: Field<Option<OneOf<Switch>>> = Field::choice(
    "event-feed",
    "instead of syncing, print the events of a feed as JSON lines",
)
.value_name("bool")
.alone("true")
.hidden()
.export(Export::None);
pub(crate) const EVENT_FEED_ID: Field<String> = Field::string(
    "event-feed-id",
    "id of the event feed; not needed where there is only one",
)
.value_name("id")
.hidden()
.export(Export::None);
pub(crate) const EVENT_FEED_START_AT: Field<String> = Field::string(
    "event-feed-start-at",
    "time of the earliest event, such as 2026-01-31T00:00:00Z; one day ago when empty",
)
.value_name("time")
.hidden()
.export(Export::None);
pub(crate) const EVENT_FEED_CURSOR: Field<String> = Field::string(
    "event-feed-cursor",
    "where to continue: the cursor at the end of an earlier run",
)
.value_name("cursor")
.hidden()
.export(Export::None);
pub(crate) const CREATE_TICKET: Field<bool> =
    Field::bool("create-ticket", "instead of syncing, create a ticket")
        .hidden()
        .export(Export::None);
pub(crate) const TICKET_TEMPLATE_PATH: Field<String> = Field::string(
    "ticket-template-path",
    "JSON file that describes the ticket of --create-ticket",
)
.value_name("path")
.hidden()
.export(Export::None);
pub(crate) const BULK_CREATE_TICKET: Field<bool> = Field::bool(
    "bulk-create-ticket",
    "instead of syncing, create several tickets",
)
.hidden()
.export(Export::None);
pub(crate) const BULK_TICKET_TEMPLATE_PATH: Field<String> = Field::string(
    "bulk-ticket-template-path",
    "JSON file that describes the tickets of --bulk-create-ticket",
)
.value_name("path")
.hidden()
.export(Export::None);
pub(crate) const GET_TICKET: Field<bool> =
    Field::bool("get-ticket", "instead of syncing, show a ticket")
        .hidden()
        .export(Export::None);
pub(crate) const TICKET_ID: Field<String> =
    Field::string("ticket-id", "id of the ticket of --get-ticket")
        .value_name("id")
        .hidden()
        .export(Export::None);
pub(crate) const LIST_TICKET_SCHEMAS: Field<bool> = Field::bool(
    "list-ticket-schemas",
    "instead of syncing, list the kinds of ticket",
)
.hidden()
.export(Export::None);
pub(crate) const TICKETING: Field<bool> = Field::bool(
    "ticketing",
    "serve tickets to other programs; no effect on a one-shot run",
)
.export(Export::None);

// Actions.
pub(crate) const INVOKE_ACTION: Field<String> = Field::string(
    "invoke-action",
    "instead of syncing, run the action with this name",
)
.value_name("name")
.hidden()
.export(Export::None);
pub(crate) const INVOKE_ACTION_ARGS: Field<String> = Field::string(
    "invoke-action-args",
    "arguments of --invoke-action, as a JSON object",
)
.value_name("object")
.default("{}")
.hidden()
.export(Export::None);
pub(crate) const INVOKE_ACTION_TYPE: Field<String> = Field::string(
    "invoke-action-resource-type",
    "resource type of --invoke-action; empty for an action of the connector",
)
.value_name("type")
.hidden()
.export(Export::None);
pub(crate) const INVOKE_RESOURCE_ACTION: Field<String> =
    Field::string("invoke-resource-action", "same as --invoke-action")
        .value_name("name")
        .hidden()
        .export(Export::None);
pub(crate) const INVOKE_RESOURCE_ACTION_ARGS: Field<String> = Field::string(
    "invoke-resource-action-args",
    "arguments of --invoke-resource-action, as a JSON object",
)
.value_name("object")
.default("{}")
.hidden()
.export(Export::None);
pub(crate) const INVOKE_RESOURCE_ACTION_TYPE: Field<String> = Field::string(
    "invoke-resource-action-resource-type",
    "resource type of --invoke-resource-action",
)
.value_name("type")
.hidden()
.export(Export::None);
pub(crate) const LIST_ACTION_SCHEMAS: Field<bool> = Field::bool(
    "list-action-schemas",
    "instead of syncing, list the actions of the connector",
)
.hidden()
.export(Export::None);
pub(crate) const LIST_ACTION_SCHEMAS_TYPE: Field<String> = Field::string(
    "list-action-schemas-resource-type",
    "resource type of --list-action-schemas; empty for all actions",
)
.value_name("type")
.hidden()
.export(Export::None);
pub(crate) const LIST_RESOURCE_ACTIONS: Field<String> = Field::string(
    "list-resource-actions",
    "instead of syncing, list the actions of this resource type",
)
.value_name("type")
.hidden()
.export(Export::None);
pub(crate) const ACTION_TIMEOUT: Field<Duration> = Field::duration(
    "action-timeout",
    "longest wait for the end of --invoke-action",
)
.value_name("time")
.default("1h")
.hidden()
.export(Export::None);

/// Name, resource type and arguments of an action.
pub(crate) const ACTION: [Field<String>; 3] =
    [INVOKE_ACTION, INVOKE_ACTION_TYPE, INVOKE_ACTION_ARGS];
/// The same under the names for actions of a resource type.
pub(crate) const RESOURCE_ACTION: [Field<String>; 3] = [
    INVOKE_RESOURCE_ACTION,
    INVOKE_RESOURCE_ACTION_TYPE,
    INVOKE_RESOURCE_ACTION_ARGS,
];
pub(crate) const PROVISIONING: Field<bool> = Field::bool(
    "provisioning",
    "serve changes of access to other programs; no effect on a one-shot run",
)
.short('p')
.export(Export::None);

// The modes that work on files instead of syncing.
pub(crate) const DIFF_SYNCS: Field<bool> = Field::bool(
    "diff-syncs",
    "instead of syncing, add to the sync file the rows that one of its syncs has and another lacks",
)
.hidden()
.export(Export::None);
pub(crate) const BASE_SYNC_ID: Field<String> =
    Field::string("base-sync-id", "id of the older sync of --diff-syncs")
        .value_name("id")
        .hidden()
        .export(Export::None);
pub(crate) const APPLIED_SYNC_ID: Field<String> =
    Field::string("applied-sync-id", "id of the newer sync of --diff-syncs")
        .value_name("id")
        .hidden()
        .export(Export::None);
pub(crate) const COMPACT_SYNCS: Field<bool> = Field::bool(
    "compact-syncs",
    "instead of syncing, merge the syncs of several files into a new file",
)
.hidden()
.export(Export::None);
pub(crate) const COMPACT_OUTPUT_PATH: Field<Option<PathBuf>> = Field::path(
    "compact-output-path",
    "folder for the new file of --compact-syncs",
)
.value_name("folder")
.must_name("the path of a folder")
.hidden()
.export(Export::None);
pub(crate) const COMPACT_FILE_PATHS: Field<Vec<String>> = Field::list(
    "compact-file-paths",
    "sync files to compact, the base first, then from older to newer",
)
.value_name("paths")
.must_name("the paths of sync files")
.hidden()
.export(Export::None);
pub(crate) const COMPACT_SYNC_IDS: Field<Vec<String>> = Field::list(
    "compact-sync-ids",
    "sync ids of --compact-file-paths, one per file in the same order; used only when v1 files are compacted into a v3 file",
)
.value_name("ids")
.hidden()
.export(Export::None);

// Ours.
pub(crate) const ALLOW_PARTIAL: Field<bool> = Field::bool(
    "allow-partial",
    "accept a partial sync (objects the credentials cannot read are left out)",
)
.export(Export::None);
pub(crate) const ALLOW_EMPTY: Field<bool> = Field::bool(
    "allow-empty",
    "accept a sync without users or groups although the last one had some",
)
.export(Export::None);
pub(crate) const FRESH: Field<bool> = Field::bool(
    "fresh",
    "start over instead of resuming an interrupted sync",
)
.export(Export::None);
pub(crate) const RATE_SHARE: Field<String> = Field::string(
    "rate-share",
    "fraction of the server's rate limit to use (0 < x <= 1)",
)
.value_name("fraction")
.default("0.8")
.export(Export::None);
pub(crate) const MAX_GRANTS: Field<i64> = Field::int(
    "max-grants",
    "most grants that expansion may derive; the run fails before it derives more",
)
.default(USUAL_MAX_GRANTS)
.rules(IntRules {
    gte: Some(0),
    ..IntRules::NONE
})
.export(Export::None);
pub(crate) const MAX_REQUESTS_PER_SECOND: Field<i64> = Field::int(
    "max-requests-per-second",
    "most requests per second, over all endpoints; 0 for no such limit",
)
.rules(IntRules {
    gte: Some(0),
    lte: Some(LARGEST_REQUEST_RATE),
    ..IntRules::NONE
})
.export(Export::None);

pub(crate) const DRY_RUN: Field<bool> = Field::bool(
    "dry-run",
    "with a change: show what would be sent, and send no write",
)
.export(Export::None);
pub(crate) const AUDIT_LOG: Field<Option<PathBuf>> = Field::path(
    "audit-log",
    "file to which intent and outcome of each change are added, as JSON lines",
)
.must_name("the path of an audit log")
.export(Export::None);
pub(crate) const METRICS_FILE: Field<Option<PathBuf>> = Field::path(
    "metrics-file",
    "file for the metrics of the run, replaced at its end, in the text format of Prometheus",
)
.must_name("the path of a metrics file")
.export(Export::None);
pub(crate) const SYNC_AFTER: Field<bool> =
    Field::bool("sync-after", "sync the file again after a change").export(Export::None);
pub(crate) const FORCE_PROTECTED: Field<bool> = Field::bool(
    "force-protected",
    "make a change even if a protected entitlement has too few holders afterwards",
)
.export(Export::None);
pub(crate) const CREDENTIAL_RECIPIENT: Field<Vec<String>> = Field::list(
    "credential-recipient",
    "who can read a credential that a change makes: age1..., ssh-ed25519 ..., or @file of a JWK",
)
.value_name("recipient")
.export(Export::None);
pub(crate) const CREDENTIALS_OUT: Field<Option<PathBuf>> = Field::path(
    "credentials-out",
    "new file for credentials that a change makes, encrypted to the recipients",
)
.must_name("the path of a new file")
.export(Export::None);
pub(crate) const YES: Field<bool> =
    Field::bool("yes", "delete without asking").export(Export::None);
pub(crate) const OUTPUT: Field<OneOf<ResultForm>> =
    Field::choice("output", "form of the result of a change: console or json")
        .short('o')
        .value_name("form")
        .default("console")
        .export(Export::None);

pub(crate) const EVENT_FEED_CURSOR_FILE: Field<Option<PathBuf>> = Field::path(
    "event-feed-cursor-file",
    "with --event-feed: file that keeps the cursor, read at the start and replaced after each page",
)
.must_name("the path of a cursor file")
.export(Export::None);
pub(crate) const FOLLOW: Field<bool> = Field::bool(
    "follow",
    "with --event-feed: wait for further events until a signal",
)
.export(Export::None);

/// The fields that choose a mode of the root command, and those that only a mode has.
pub(crate) fn of_modes() -> Vec<AnyField> {
    let mut fields = modes_of_the_schema();
    fields.extend([
        EVENT_FEED_CURSOR_FILE.any(),
        FOLLOW.any(),
        CLIENT_ID.any(),
        CLIENT_SECRET.any(),
        TASK_CONCURRENCY.any(),
        KEEP_PREVIOUS_SYNC_C1Z.any(),
        HEALTH_CHECK.any(),
        HEALTH_CHECK_PORT.any(),
        HEALTH_CHECK_BIND_ADDRESS.any(),
    ]);
    fields
}

/// Those of them that follow each other in the schema, in its order.
fn modes_of_the_schema() -> Vec<AnyField> {
    vec![
        GRANT_ENTITLEMENT.any(),
        GRANT_PRINCIPAL.any(),
        GRANT_PRINCIPAL_TYPE.any(),
        REVOKE_GRANT.any(),
        CREATE_ACCOUNT_LOGIN.any(),
        CREATE_ACCOUNT_EMAIL.any(),
        CREATE_ACCOUNT_PROFILE.any(),
        CREATE_ACCOUNT_TYPE.any(),
        DELETE_RESOURCE.any(),
        DELETE_RESOURCE_TYPE.any(),
        ROTATE_CREDENTIALS.any(),
        ROTATE_CREDENTIALS_TYPE.any(),
        EVENT_FEED.any(),
        EVENT_FEED_ID.any(),
        EVENT_FEED_START_AT.any(),
        EVENT_FEED_CURSOR.any(),
        CREATE_TICKET.any(),
        TICKET_TEMPLATE_PATH.any(),
        BULK_CREATE_TICKET.any(),
        BULK_TICKET_TEMPLATE_PATH.any(),
        GET_TICKET.any(),
        TICKET_ID.any(),
        LIST_TICKET_SCHEMAS.any(),
        TICKETING.any(),
        INVOKE_ACTION.any(),
        INVOKE_ACTION_ARGS.any(),
        INVOKE_ACTION_TYPE.any(),
        INVOKE_RESOURCE_ACTION.any(),
        INVOKE_RESOURCE_ACTION_ARGS.any(),
        INVOKE_RESOURCE_ACTION_TYPE.any(),
        LIST_ACTION_SCHEMAS.any(),
        LIST_ACTION_SCHEMAS_TYPE.any(),
        LIST_RESOURCE_ACTIONS.any(),
        ACTION_TIMEOUT.any(),
        PROVISIONING.any(),
        DIFF_SYNCS.any(),
        BASE_SYNC_ID.any(),
        APPLIED_SYNC_ID.any(),
        COMPACT_SYNCS.any(),
        COMPACT_OUTPUT_PATH.any(),
        COMPACT_FILE_PATHS.any(),
        COMPACT_SYNC_IDS.any(),
    ]
}

/// The common fields, in the order in which the schema exports them.
pub(crate) fn common(log_format: LogFormat) -> Vec<AnyField> {
    let log_format = match log_format {
        LogFormat::Console => LOG_FORMAT_ON_TERMINAL.any(),
        LogFormat::Json => LOG_FORMAT.any(),
    };
    let mut fields = vec![
        FILE.any(),
        LOG_LEVEL.any(),
        SESSION_STORE_MAXIMUM_SIZE.any(),
    ];
    fields.extend(otel::all());
    fields.extend([
        log_format,
        LOG_PATH.any(),
        C1Z_TEMP_DIR.any(),
        HEALTH_CHECK.any(),
        HEALTH_CHECK_PORT.any(),
        HEALTH_CHECK_BIND_ADDRESS.any(),
        HTTP_TIMEOUT_SECONDS.any(),
        WORKERS.any(),
        PARALLEL_SYNC.any(),
        AUTH_METHOD_UNUSED.any(),
        STORAGE_ENGINE.any(),
        SKIP_ENTITLEMENTS_AND_GRANTS.any(),
        SKIP_GRANTS.any(),
        CLIENT_ID.any(),
        CLIENT_SECRET.any(),
        TASK_CONCURRENCY.any(),
        KEEP_PREVIOUS_SYNC_C1Z.any(),
        SKIP_FULL_SYNC.any(),
        SYNC_RESOURCES.any(),
        SYNC_RESOURCE_TYPES.any(),
        EXTERNAL_RESOURCE_C1Z.any(),
        EXTERNAL_RESOURCE_FILTER.any(),
        EXTERNAL_RESOURCE_TRAITS.any(),
    ]);
    fields.extend(modes_of_the_schema());
    fields.extend([
        ALLOW_PARTIAL.any(),
        ALLOW_EMPTY.any(),
        FRESH.any(),
        RATE_SHARE.any(),
        MAX_GRANTS.any(),
        MAX_REQUESTS_PER_SECOND.any(),
        DRY_RUN.any(),
        AUDIT_LOG.any(),
        METRICS_FILE.any(),
        SYNC_AFTER.any(),
        FORCE_PROTECTED.any(),
        CREDENTIAL_RECIPIENT.any(),
        CREDENTIALS_OUT.any(),
        YES.any(),
        EVENT_FEED_CURSOR_FILE.any(),
        FOLLOW.any(),
        OUTPUT.any(),
    ]);
    for field in &mut fields {
        field.persistent = true;
    }
    fields
}

/// The same flag with the default for people.
const LOG_FORMAT_ON_TERMINAL: Field<OneOf<LogFormat>> =
    Field::choice(LOG_FORMAT.name(), "form of the log lines: console or json")
        .value_name("format")
        .default("console")
        .export(Export::None);

/// The common fields of a connector that sends no HTTP requests. What the Go
/// programs take as well is still taken, but neither shown nor exported.
pub(crate) fn without_http(mut fields: Vec<AnyField>) -> Vec<AnyField> {
    let gone = [RATE_SHARE.name(), MAX_REQUESTS_PER_SECOND.name()];
    fields.retain(|field| !gone.contains(&field.name));
    for field in &mut fields {
        if field.name == HTTP_TIMEOUT_SECONDS.name() {
            field.hidden = true;
            field.export = Export::None;
        }
    }
    fields
}

/// The common fields of a program whose own fields form groups.
pub(crate) fn with_groups(mut fields: Vec<AnyField>) -> Vec<AnyField> {
    fields.retain(|field| field.name != AUTH_METHOD_UNUSED.name());
    fields
}

/// The rules over several common fields.
pub(crate) fn relations() -> Vec<Relation> {
    vec![
        Relation::RequiredTogether(vec![CLIENT_ID.name(), CLIENT_SECRET.name()]),
        Relation::RequiredTogether(vec![
            DIFF_SYNCS.name(),
            BASE_SYNC_ID.name(),
            APPLIED_SYNC_ID.name(),
        ]),
        Relation::RequiredTogether(vec![
            COMPACT_SYNCS.name(),
            COMPACT_SYNC_IDS.name(),
            COMPACT_FILE_PATHS.name(),
            COMPACT_OUTPUT_PATH.name(),
        ]),
        Relation::RequiredTogether(vec![GRANT_ENTITLEMENT.name(), GRANT_PRINCIPAL.name()]),
        Relation::RequiredTogether(vec![CREATE_TICKET.name(), TICKET_TEMPLATE_PATH.name()]),
        Relation::RequiredTogether(vec![
            BULK_CREATE_TICKET.name(),
            BULK_TICKET_TEMPLATE_PATH.name(),
        ]),
        Relation::RequiredTogether(vec![GET_TICKET.name(), TICKET_ID.name()]),
        Relation::MutuallyExclusive(vec![
            GRANT_ENTITLEMENT.name(),
            REVOKE_GRANT.name(),
            CREATE_ACCOUNT_LOGIN.name(),
            DELETE_RESOURCE.name(),
            ROTATE_CREDENTIALS.name(),
            EVENT_FEED.name(),
            CREATE_TICKET.name(),
            GET_TICKET.name(),
            LIST_TICKET_SCHEMAS.name(),
            BULK_CREATE_TICKET.name(),
        ]),
        Relation::MutuallyExclusive(vec![
            GRANT_ENTITLEMENT.name(),
            REVOKE_GRANT.name(),
            CREATE_ACCOUNT_EMAIL.name(),
            DELETE_RESOURCE_TYPE.name(),
            ROTATE_CREDENTIALS_TYPE.name(),
            EVENT_FEED.name(),
            DIFF_SYNCS.name(),
            COMPACT_SYNCS.name(),
            LIST_TICKET_SCHEMAS.name(),
        ]),
    ]
}
