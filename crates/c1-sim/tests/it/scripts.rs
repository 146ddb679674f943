//! A script in a running simulator.

use std::time::Duration;

use c1_sim::{Script, Simulator};
use tokio::time::advance;

use crate::client::{Assertion, Client, START, config, id, verdict};

#[tokio::test(start_paused = true)]
async fn a_script_decides_settings_tasks_and_faults() {
    let script = format!(
        "
next-poll: 5s
token-lifetime: 2m
clock-ahead: 10m
polls: {{3: 1d}}
tasks:
  - {{id: {}, task: {{grant: {{}}}}, at: 5s}}
  - unknown-arm: true
faults:
  - {{call: FinishTask, nth: 1, do: {{status: {{code: Unavailable, message: later}}}}}}
",
        id("g")
    );
    let script = Script::from_yaml(&script).unwrap();
    let mut config = config();
    script.configure(&mut config);
    let simulator = Simulator::new(config);
    script.run(&simulator).unwrap();
    let refused = simulator
        .token(Assertion::at(START, 1).request())
        .await
        .unwrap();
    assert_eq!(refused.status(), 401, "the client's clock is 10 min behind");
    assert_eq!(refused.headers()["date"], "Mon, 30 Nov 2026 01:03:20 GMT");
    let answer = simulator
        .token(Assertion::at(START + 600, 2).request())
        .await
        .unwrap();
    let body: serde_json::Value = serde_json::from_slice(answer.body()).unwrap();
    assert_eq!(body["expires_in"], 120);

    let mut client = Client::connect(&simulator).await;
    client.authorization = Some(format!("Bearer {}", body["access_token"].as_str().unwrap()));
    client.hello("").await.answer();
    let unknown = client.get_task().await.answer().task.unwrap();
    assert_eq!(
        (unknown.id.as_str(), unknown.task_type),
        ("T00000000000000000000000002", None)
    );
    client.fail(&unknown.id).await.refusal();
    client.fail(&unknown.id).await.answer();
    let empty = client.get_task().await.answer();
    assert_eq!((empty.task, empty.next_poll.unwrap().seconds), (None, 5));
    advance(Duration::from_secs(5)).await;
    assert_eq!(client.get_task().await.answer().task.unwrap().id, id("g"));
    client.succeed(&id("g")).await.answer();
    assert_eq!(verdict(&simulator), [""; 0]);
}
