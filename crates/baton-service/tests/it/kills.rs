//! A service that is killed at random moments, with a network that fails: at its next
//! start it resumes its work, until every task is reported.

use std::time::Duration;

use baton_connector::{Random as _, SplitMix};
use baton_proto::Code;
use c1_sim::{Action, Call, Complaint, Fault, PlannedTask};
use tokio::time::{advance, sleep};

use crate::people::People;
use crate::rich::Rich;
use crate::stage::{Stage, padded};

const SYNCS: u64 = 8;
const PAGES: u64 = 10;
/// Grants between syncs: what the connector does, and the code of the report.
const GRANTS: [(&str, i32); 3] = [("fine", 0), ("brief", 0), ("denied", 7)];
const FAULTS: u64 = 30;
/// A service lives at most so many seconds, until the kills end.
const LONGEST_LIFE: u64 = 90;
const KILLS: u64 = 60;
const SEEDS: u64 = 6;

/// A number below `end`.
fn below(random: &SplitMix, end: u64) -> u64 {
    random.next_u64() % end
}

/// A call that fails, somewhere in the run.
fn fault(random: &SplitMix) -> Fault {
    let calls = [
        (Call::GetTask, 300),
        (Call::Heartbeat, 60),
        (Call::FinishTask, 30),
        (Call::UploadAsset, 12),
        (Call::Hello, 20),
    ];
    let (call, most) = calls[usize::try_from(below(random, 5)).unwrap()];
    let action = match below(random, 6) {
        0 => Action::Drop,
        1 => Action::LoseAnswer,
        2 => Action::Hang,
        3 => Action::HangAnswer,
        4 if call == Call::UploadAsset => Action::DropAfter(1),
        4 => Action::GoAway,
        _ => Action::status(Code::Unavailable, "as planned"),
    };
    let nth = match call {
        // An upload gets three attempts: not all of them fail.
        Call::UploadAsset => 1 + 3 * below(random, most / 3),
        _ => 1 + below(random, most),
    };
    Fault::nth(call, nth, action)
}

/// Plans tasks and faults. Gives how many heartbeats get no answer.
fn plan(stage: &Stage, random: &SplitMix) -> u64 {
    let task = |id: &str, task: &str| {
        let text = format!("{{\"id\": \"{}\", {task}}}", padded(id));
        PlannedTask::from_json(&text).unwrap()
    };
    for number in 0..SYNCS {
        stage
            .simulator
            .plan(task(&format!("S{number}x"), "\"syncFull\": {}"));
        for (grant, (what, _)) in GRANTS.iter().enumerate() {
            let arm = format!(
                "\"grant\": {{\"entitlement\": {{\"id\": \"group:{what}:member\", \"slug\": \
                 \"member\", \"resource\": {{\"id\": {{\"resourceType\": \"group\", \
                 \"resource\": \"{what}\"}}}}}}, \"principal\": {{\"id\": \
                 {{\"resourceType\": \"user\", \"resource\": \"u1\"}}}}}}"
            );
            stage
                .simulator
                .plan(task(&format!("G{number}x{grant}x"), &arm));
        }
    }
    let mut unanswered = 0;
    for _ in 0..FAULTS {
        let fault = fault(random);
        let hangs = matches!(fault.action, Action::Hang | Action::HangAnswer);
        unanswered += u64::from(hangs && fault.call == Call::Heartbeat);
        stage.simulator.fault(fault).unwrap();
    }
    unanswered
}

/// What a kill excuses: a start that ended before its Hello leaves a token, of which the
/// next start does not know.
fn is_excused(complaint: &Complaint) -> bool {
    let text = "a token is requested while the last one is valid";
    complaint.call.is_some_and(|(call, _)| call == Call::Token) && complaint.text.starts_with(text)
}

/// One life of the service: a runtime of its own, which ends with everything in it.
/// Gives what the clock shows, and whether all tasks are finished.
fn live(stage: &Stage, before: Duration, life: Option<Duration>) -> (Duration, bool) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async {
        // The clock of a runtime begins at the present.
        advance(before).await;
        let mut running = stage.start();
        let tasks = usize::try_from(SYNCS).unwrap() * (1 + GRANTS.len());
        let finished = match life {
            Some(life) => tokio::select! {
                () = running.finished(tasks) => true,
                () = sleep(life) => false,
            },
            None => {
                running.finished(tasks).await;
                true
            }
        };
        if finished {
            running.end().await.unwrap();
        }
        (stage.simulator.clock().elapsed(), finished)
    })
}

#[test]
fn killed_services_resume_their_work_until_all_tasks_are_finished() {
    for seed in 0..SEEDS {
        let random = SplitMix::seeded(seed);
        let people = People {
            pace: Duration::from_secs(10),
            ..People::of(PAGES)
        };
        let listed = people.listed.clone();
        let mut stage = Stage::configured(Rich::with_people(people), |config| {
            config.requeue_on_hello = true;
        });
        stage.batch = seed % 2 == 1;
        let unanswered = plan(&stage, &random);

        let (mut elapsed, mut kills, mut files_lost) = (Duration::ZERO, 0, 0);
        loop {
            let life = Duration::from_millis(below(&random, LONGEST_LIFE * 1000));
            let life = (kills < KILLS).then_some(life);
            let (now, finished) = live(&stage, elapsed, life);
            if finished {
                break;
            }
            elapsed = now;
            kills += 1;
            // A file that was not uploaded is made again.
            files_lost += u64::from(stage.has_file());
        }
        assert!(kills > 5, "seed {seed}: {kills} kills");
        let verdict = stage.simulator.verdict_at_end();
        let (excused, wrong): (Vec<_>, Vec<_>) = verdict.into_iter().partition(is_excused);
        assert!(wrong.is_empty(), "seed {seed}: {wrong:#?}");
        assert!(excused.len() as u64 <= kills, "seed {seed}: {excused:#?}");
        let mut done = 0;
        for number in 0..SYNCS {
            match stage.report(&format!("S{number}x")) {
                (0, _) => done += 1,
                // Its first heartbeats were not answered in time.
                failed => assert_eq!(failed, (2, "task failed heartbeat".to_owned())),
            }
            for (grant, (_, code)) in GRANTS.iter().enumerate() {
                let id = format!("G{number}x{grant}x");
                assert_eq!(stage.report(&id).0, *code, "seed {seed}: {id}");
            }
        }
        assert!(SYNCS - done <= unanswered, "seed {seed}: {done} syncs");
        // A page that was on its way is listed again; so are all pages of a lost file.
        let most = PAGES * (done + files_lost) + kills;
        let listed = listed.get();
        assert!(
            (PAGES * done..=most).contains(&listed),
            "seed {seed}: {listed}"
        );
    }
}
