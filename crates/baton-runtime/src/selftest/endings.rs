//! Calls that are stopped or dropped, and many calls at once.

use std::time::Duration;

use baton_connector::{Call, Code};
use futures_util::future::join_all;
use tokio::task::yield_now;
use tokio::time::sleep;

use super::caller::{Answer, Caller, Fault};
use super::recorder::{Asked, Recorded};
use super::{CheckResult, Verdict};

/// What a stopped call may take to its end: a request on the wire is completed.
const STOP_LIMIT: Duration = Duration::from_mins(1);
/// When a call is stopped or dropped after its start.
const UNDER_WAY: Duration = Duration::from_millis(5);
/// After how many turns of other tasks a call is dropped: one for each call.
const TURNS: [u32; 7] = [0, 1, 2, 4, 8, 16, 32];
/// Calls at once.
const AT_ONCE: usize = 200;
/// How many of them read a list; the others read the resource types.
const LISTS_AT_ONCE: usize = 40;

const STOPPED: &str = "stopped calls end";
const USABLE: &str = "dropped calls leave the connector usable";
const ANSWERED: &str = "200 calls at once are answered";

/// Lists whose calls are disturbed, with the outcome of an undisturbed one.
struct Undisturbed<'a> {
    lists: Vec<(&'a Asked, Option<Code>)>,
    found: Vec<String>,
}

pub(super) async fn checks(caller: &Caller, recorded: &Recorded) -> Vec<CheckResult> {
    let undisturbed = undisturbed(caller, recorded).await;
    if !undisturbed.found.is_empty() {
        let verdict = Verdict::Skip("an undisturbed call has no answer");
        let names = [USABLE, ANSWERED].into_iter();
        let skipped = names.map(|name| CheckResult {
            name,
            verdict: verdict.clone(),
        });
        let failed = CheckResult {
            name: STOPPED,
            verdict: Verdict::Fail(undisturbed.found),
        };
        return std::iter::once(failed).chain(skipped).collect();
    }
    let lists = &undisturbed.lists;
    let checks = [
        (STOPPED, stopped(caller, lists).await),
        (USABLE, dropped(caller, lists).await),
        (ANSWERED, at_once(caller, lists).await),
    ];
    let checks = checks.into_iter();
    checks
        .map(|(name, found)| CheckResult {
            name,
            verdict: Verdict::of(found),
        })
        .collect()
}

/// Reads one list of each kind.
async fn undisturbed<'a>(caller: &Caller, recorded: &'a Recorded) -> Undisturbed<'a> {
    let (mut lists, mut found) = (Vec::new(), Vec::new());
    for list in recorded.sample(1) {
        let call = caller.call();
        match caller.ask(list.page(caller.connector(), &call)).await {
            Ok(_) => lists.push((list, None)),
            Err(Fault::Refused(error)) => lists.push((list, Some(error.code()))),
            Err(fault) => found.push(format!("{}: {fault}", list.name())),
        }
    }
    Undisturbed { lists, found }
}

/// Stops calls before they begin and while they are under way.
async fn stopped(caller: &Caller, lists: &[(&Asked, Option<Code>)]) -> Vec<String> {
    let mut found = Vec::new();
    for (list, usual) in lists {
        let asked =
            |call: Call| async move { list.page(caller.connector(), &call).await.map(drop) };
        found.extend(stop(caller, &list.name(), *usual, asked).await);
    }
    let validate = |call: Call| async move { caller.connector().validate(&call).await.map(drop) };
    found.extend(stop(caller, "validation", None, validate).await);
    found
}

async fn stop<F>(
    caller: &Caller,
    name: &str,
    usual: Option<Code>,
    asked: impl Fn(Call) -> F,
) -> Vec<String>
where
    F: Future<Output = baton_connector::Result<()>>,
{
    let mut found = Vec::new();
    let mut judge = |when: &str, answer: Answer<()>| {
        let finding = match answer {
            Ok(()) => return,
            Err(Fault::Late) => format!("it does not end within {} s", STOP_LIMIT.as_secs()),
            Err(fault) if fault.code() == Some(Code::Canceled) => return,
            Err(fault) if fault.code().is_some() && fault.code() == usual => return,
            Err(Fault::Refused(error)) => {
                format!("expected Canceled; {}", Fault::Refused(error))
            }
            Err(fault) => fault.to_string(),
        };
        found.push(format!("{name}, stopped {when}: {finding}"));
    };
    let stop = caller.child_stop();
    stop.cancel();
    let call = caller.call().stopped_by(stop);
    judge(
        "before it began",
        caller.ask_within(STOP_LIMIT, asked(call)).await,
    );
    let stop = caller.child_stop();
    let call = caller.call().stopped_by(stop.clone());
    let limit = STOP_LIMIT.saturating_add(UNDER_WAY);
    let (answer, ()) = tokio::join!(caller.ask_within(limit, asked(call)), async {
        sleep(UNDER_WAY).await;
        stop.cancel();
    });
    judge("under way", answer);
    found
}

/// Drops calls at their beginning and under way; the lists must be readable
/// afterwards.
async fn dropped(caller: &Caller, lists: &[(&Asked, Option<Code>)]) -> Vec<String> {
    let mut found = Vec::new();
    for (list, usual) in lists {
        let name = list.name();
        let turns = TURNS.iter().map(|turns| Some(*turns));
        for turns in turns.chain([None]) {
            let call = caller.call();
            let asked = list.page(caller.connector(), &call);
            let dropped = caller.ask(async {
                tokio::select! {
                    biased;
                    answer = asked => drop(answer),
                    () = pass(turns) => {}
                }
                Ok(())
            });
            if let Err(fault) = dropped.await {
                found.push(format!("{name}, dropped: {fault}"));
            }
        }
        let call = caller.call();
        let answer = caller.ask(list.page(caller.connector(), &call)).await;
        if let Err(fault) = answer
            && (fault.code().is_none() || fault.code() != *usual)
        {
            found.push(format!("{name} after dropped calls: {fault}"));
        }
    }
    found
}

/// Lets other tasks have so many turns; `None` waits for a time.
async fn pass(turns: Option<u32>) {
    match turns {
        None => sleep(UNDER_WAY).await,
        Some(turns) => {
            for _ in 0..turns {
                yield_now().await;
            }
        }
    }
}

/// Calls many times at once.
async fn at_once(caller: &Caller, lists: &[(&Asked, Option<Code>)]) -> Vec<String> {
    let calls = (0..AT_ONCE).map(|number| async move {
        let list = match number % (AT_ONCE / LISTS_AT_ONCE) {
            0 => lists.get((number / (AT_ONCE / LISTS_AT_ONCE)) % lists.len().max(1)),
            _ => None,
        };
        let call = caller.call();
        match list {
            None => {
                let asked = caller.connector().list_resource_types(&call);
                let fault = caller.ask(asked).await.err()?;
                Some(format!("resource types: {fault}"))
            }
            Some((list, usual)) => {
                let asked = list.page(caller.connector(), &call);
                let fault = caller.ask(asked).await.err()?;
                let refused = match fault.code() {
                    // The limits of the application.
                    Some(Code::ResourceExhausted | Code::Unavailable) => true,
                    code => code.is_some() && code == *usual,
                };
                (!refused).then(|| format!("{}: {fault}", list.name()))
            }
        }
    });
    join_all(calls).await.into_iter().flatten().collect()
}
