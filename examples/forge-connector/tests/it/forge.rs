//! A forge of three users, two teams and one repository.

use baton_testkit::{Harness, Reply, Script};

pub const TEAMS: &str = r#"[{"id":1,"name":"Core"},{"id":2,"name":"Docs"}]"#;
/// The members of the second team.
pub const TEAM_2: &str = "/teams/2/members";

fn user(id: u64) -> String {
    format!(
        r#"{{"id":{id},"login":"u{id}","name":"User {id}","email":"u{id}@x.test","active":true}}"#
    )
}

fn users(ids: &[u64]) -> Reply {
    let rows: Vec<String> = ids.iter().copied().map(user).collect();
    Reply::json(format!("[{}]", rows.join(",")))
}

/// Its replies; those of the caller take the place of these.
pub fn forge() -> Script {
    let access = r#"[{"kind":"team","id":1,"permission":"read"},
        {"kind":"user","id":3,"permission":"write"}]"#;
    Script::new()
        .get("/user", [Reply::json("{}")])
        .get(
            "/users",
            [users(&[1, 2]).header("link", r#"</users?limit=50&page=2>; rel="next""#)],
        )
        .get("/users?limit=50&page=2", [users(&[3])])
        .get("/teams", [Reply::json(TEAMS)])
        .get(
            "/teams/1/members",
            [users(&[1]).header("link", "<?limit=50&page=2>; rel=next")],
        )
        .get("/teams/1/members?limit=50&page=2", [users(&[2])])
        .get(TEAM_2, [users(&[3])])
        .get("/repos", [Reply::json(r#"[{"id":1,"name":"site"}]"#)])
        .get("/repos/1/access", [Reply::json(access)])
}

pub fn harness(script: &Script) -> Harness {
    Harness::new(baton_forge::app)
        .network(script)
        .env("BATON_TOKEN", "s3cr3t")
        .env("BATON_BASE_URL", "https://forge.test")
}
