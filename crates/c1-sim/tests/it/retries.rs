//! How soon a client may call again after a call that failed.

use std::time::Duration;

use baton_proto::Code;
use c1_sim::{Action, Call, Fault, Simulator, Which};
use tokio::time::advance;

use crate::client::{Client, config, verdict};

/// A simulator that refuses the first calls of a kind with these codes.
fn refusing(call: Call, codes: &[Code]) -> Simulator {
    let simulator = Simulator::new(config());
    for (nth, code) in (1..).zip(codes) {
        let action = Action::status(*code, "refused");
        simulator.fault(Fault::nth(call, nth, action)).unwrap();
    }
    simulator
}

#[tokio::test(start_paused = true)]
async fn polls_wait_longer_with_each_failure_and_start_over_after_a_success() {
    let simulator = refusing(Call::GetTask, &[Code::Unavailable; 9]);
    let mut client = Client::greeted(&simulator).await;
    for wait in [0, 1, 4, 9, 16, 25, 36, 49, 60, 60, 1] {
        advance(Duration::from_secs(wait)).await;
        client.get_task().await;
    }
    assert_eq!(verdict(&simulator), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_poll_that_comes_too_early_after_failures_is_noted() {
    let simulator = refusing(Call::GetTask, &[Code::Unavailable, Code::Internal]);
    let http = Action::Http {
        status: 503,
        retry_after: None,
    };
    let (call, which) = (Call::GetTask, Which::Nth(3));
    let action = http;
    simulator
        .fault(Fault {
            call,
            which,
            action,
        })
        .unwrap();
    let mut client = Client::greeted(&simulator).await;
    client.get_task().await.refusal();
    advance(Duration::from_millis(900)).await;
    client.get_task().await.refusal();
    advance(Duration::from_secs(4)).await;
    client.get_task().await;
    advance(Duration::from_secs(4)).await;
    client.get_task().await.answer();
    let expected = [
        "GetTask 2: the poll comes 100 ms too early after 1 that failed",
        "GetTask 4: the poll comes 5000 ms too early after 3 that failed",
    ];
    assert_eq!(verdict(&simulator), expected);
}

#[tokio::test(start_paused = true)]
async fn a_refused_token_allows_one_retry_at_once() {
    let simulator = refusing(Call::GetTask, &[Code::Unauthenticated; 2]);
    let mut client = Client::greeted(&simulator).await;
    client.get_task().await.refusal();
    client.get_task().await.refusal();
    assert_eq!(verdict(&simulator), [""; 0]);
    client.get_task().await.answer();
    let text = "GetTask 3: the poll comes 1000 ms too early after 2 that failed";
    assert_eq!(verdict(&simulator), [text]);
}

#[tokio::test(start_paused = true)]
async fn broken_connections_count_as_no_failure() {
    let simulator = Simulator::new(config());
    let which = Which::Range(1, 3);
    let (call, action) = (Call::GetTask, Action::ResetStream(7));
    simulator
        .fault(Fault {
            call,
            which,
            action,
        })
        .unwrap();
    let mut client = Client::greeted(&simulator).await;
    for _ in 0..3 {
        client.get_task().await.broken();
    }
    client.get_task().await.answer();
    assert_eq!(verdict(&simulator), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn the_hello_of_a_start_is_retried_with_waits() {
    let simulator = refusing(Call::Hello, &[Code::Unavailable; 3]);
    let mut client = Client::with_token(&simulator).await;
    for wait in [0, 1, 2, 4] {
        advance(Duration::from_secs(wait)).await;
        client.hello("").await;
    }
    assert_eq!(verdict(&simulator), [""; 0]);

    let simulator = refusing(Call::Hello, &[Code::Unavailable; 2]);
    let mut client = Client::with_token(&simulator).await;
    for wait in [0, 1, 1] {
        advance(Duration::from_secs(wait)).await;
        client.hello("").await;
    }
    let text = "Hello 3: Hello comes 1000 ms too early after 2 that failed";
    assert_eq!(verdict(&simulator), [text]);
}

#[tokio::test(start_paused = true)]
async fn a_hello_that_is_refused_for_good_is_not_sent_again() {
    for code in [
        Code::PermissionDenied,
        Code::InvalidArgument,
        Code::Unimplemented,
        Code::FailedPrecondition,
        Code::NotFound,
    ] {
        let simulator = refusing(Call::Hello, &[code]);
        let mut client = Client::with_token(&simulator).await;
        client.hello("").await.refusal();
        advance(Duration::from_secs(5)).await;
        client.hello("").await.answer();
        let text = format!("Hello 2: Hello is sent again after {}", code.name());
        assert_eq!(verdict(&simulator), [text]);
        // A process that starts again may try.
        let simulator = refusing(Call::Hello, &[code]);
        Client::with_token(&simulator)
            .await
            .hello("")
            .await
            .refusal();
        Client::greeted(&simulator).await;
        assert_eq!(verdict(&simulator), [""; 0]);
    }
}
