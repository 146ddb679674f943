//! Many lists at once, each page by page.
//!
//! Calls run in tasks that this loop owns and joins; everything that changes
//! state (storing a page, ending a list) happens here, one batch of arrived
//! pages after the other. Dropping the future aborts the calls in flight.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use baton_proto::{Advice, Advise, Code, causes};
use tokio::task::{JoinError, JoinSet};
use tracing::Instrument as _;

use crate::added::Adder;
use crate::check::Checked;
use crate::context::Context;
use crate::crash;
use crate::error::{Error, Result};
use crate::event::Event;
use crate::fetch::{self, FetchError};
use crate::journal::Arrived;
use crate::list::{self, OpenList};
use crate::phases::ListPhase;
use crate::recheck;
use crate::records::Skip;
use crate::report::SkipKind;

/// How long a cancelled run waits for the pages in flight.
const GRACE: Duration = Duration::from_secs(10);
/// How often a run starts a list over because its cursor died. A cursor that
/// dies again is not worth a third try: the list is too slow for it.
const MAX_RESTARTS: u32 = 1;
/// Arrived pages that are stored in one go.
const MAX_BATCH: usize = 64;

type Asked = (OpenList, std::result::Result<Checked, FetchError>);

/// Runs a phase, unless an earlier run has finished it.
pub(crate) async fn run(cx: &mut Context, phase: &mut dyn ListPhase) -> Result<()> {
    let name = phase.phase();
    if cx.progress.is_done(name) {
        return phase.finish(cx).await;
    }
    let lists = phase.plan(cx);
    cx.send(&Event::PhaseStarted { phase: name, lists });
    let work = async {
        read_all(cx, phase).await?;
        phase.finish(cx).await?;
        cx.end_phase(name).await
    };
    work.instrument(name.span()).await
}

/// Reads all lists of a phase to their ends.
async fn read_all(cx: &mut Context, phase: &mut dyn ListPhase) -> Result<()> {
    let mut driver = Driver {
        calls: JoinSet::new(),
        ready: VecDeque::new(),
        adder: Adder::default(),
    };
    let result = driver.run(cx, phase).await;
    driver.calls.shutdown().await;
    result
}

struct Driver {
    calls: JoinSet<Asked>,
    /// Lists that were begun and whose next page may be asked for.
    ready: VecDeque<OpenList>,
    adder: Adder,
}

impl Driver {
    async fn run(&mut self, cx: &mut Context, phase: &mut dyn ListPhase) -> Result<()> {
        let cancel = cx.cancel.clone();
        loop {
            if cancel.is_cancelled() {
                self.finish_in_flight(cx).await?;
                return Err(Error::Interrupted {
                    phase: phase.phase(),
                });
            }
            self.fill(cx, phase).await?;
            let first = tokio::select! {
                biased;
                () = cancel.cancelled() => continue,
                joined = self.calls.join_next() => joined,
            };
            let Some(first) = first else {
                return Ok(());
            };
            self.handle_answers(cx, first).await?;
        }
    }

    /// Starts calls up to the limit. Begun lists go first, so that few are
    /// open at a time.
    async fn fill(&mut self, cx: &mut Context, phase: &mut dyn ListPhase) -> Result<()> {
        while self.calls.len() < cx.width {
            let next = match self.ready.pop_front() {
                Some(list) if cx.progress.split_lists.is_dropped(&list.id) => continue,
                Some(list) => Some(list),
                None => phase.next(cx).await?,
            };
            let Some(list) = next else {
                break;
            };
            let (fetcher, rules) = (Arc::clone(&cx.fetcher), Arc::clone(&cx.rules));
            let call = async move {
                let doing = || format!("listing {}", list::name(&list.id));
                let answer = crash::guard(doing, fetch::page(&fetcher, &rules, &list)).await;
                (list, answer)
            };
            self.calls.spawn(call.in_current_span());
        }
        Ok(())
    }

    /// Stores what has arrived, then deals with what has failed.
    async fn handle_answers(
        &mut self,
        cx: &mut Context,
        first: std::result::Result<Asked, JoinError>,
    ) -> Result<()> {
        let mut pages = Vec::new();
        let mut failures = Vec::new();
        let mut next = Some(first);
        while let Some(joined) = next {
            let (list, answer) =
                joined.map_err(|ended| Error::ended("listing what the connector has", ended))?;
            match answer {
                Ok(page) => pages.push(Arrived { list, page }),
                Err(error) => failures.push((list, error)),
            }
            next = if pages.len() + failures.len() < MAX_BATCH {
                self.calls.try_join_next()
            } else {
                None
            };
        }
        self.store(cx, pages).await?;
        for (list, error) in failures {
            let id = list.id.clone();
            if let Err(error) = self.failed(cx, list, error).await {
                recheck::note(cx, &id).await;
                return Err(error);
            }
        }
        Ok(())
    }

    async fn store(&mut self, cx: &mut Context, pages: Vec<Arrived>) -> Result<()> {
        let mut storable = Vec::with_capacity(pages.len());
        let mut refused = None;
        for mut arrived in pages {
            if cx.progress.split_lists.is_dropped(&arrived.list.id) {
                continue;
            }
            if let Some(reason) = arrived.page.abandoned.take() {
                cx.abandon(&arrived.list.id, reason).await?;
                continue;
            }
            match check_paging(&mut arrived) {
                Ok(()) => match self.adder.add(cx, &mut arrived.page).await {
                    Ok(()) => storable.push(arrived),
                    // A stopped run calls the connector no longer. The next
                    // run requests the page again.
                    Err(Error::Connector { .. }) if cx.cancel.is_cancelled() => {}
                    Err(error) => refused = Some(error),
                },
                // Stored pages need not be asked for again after the failure.
                Err(error) => refused = Some(error),
            }
        }
        if !storable.is_empty() {
            for (Arrived { mut list, page }, refs) in cx.journal.append(storable).await? {
                let next = page.next.clone();
                let rows = page.keys.len() as u64;
                cx.progress.page_stored(&list, page, &refs)?;
                cx.send(&Event::Page {
                    phase: list::phase(list.id.op()),
                    type_id: list::counted_type(&list.id).to_owned(),
                    rows,
                    last: next.is_empty(),
                });
                if !next.is_empty() {
                    cx.progress.check_end(&list.id)?;
                    list.page += 1;
                    list.token = next;
                    self.ready.push_back(list);
                }
            }
        }
        refused.map_or(Ok(()), Err)
    }

    async fn failed(
        &mut self,
        cx: &mut Context,
        mut list: OpenList,
        error: FetchError,
    ) -> Result<()> {
        let error = match error {
            FetchError::Page(error) => return Err(error),
            FetchError::Connector(error) => error,
        };
        if cx.progress.split_lists.is_dropped(&list.id) {
            return Ok(());
        }
        match judge(&list, &error) {
            Verdict::Restart if cx.progress.split_lists.contains(&list.id) => {
                Err(Error::CursorDied {
                    list: list::name(&list.id),
                    source: error,
                })
            }
            Verdict::Fail => Err(Error::Connector {
                doing: match list.page {
                    0 => format!("list {}", list::name(&list.id)),
                    page => format!("list {}, page {}", list::name(&list.id), page + 1),
                },
                source: with_remedy(&list, error),
            }),
            Verdict::Skip(kind) => cx.drop_list(&list.id, skip(kind, &error)).await,
            Verdict::Restart => {
                list.restart();
                cx.journal.restart(list.id.clone(), list.generation).await?;
                cx.progress.restarted(&list.id, list.generation);
                cx.send(&Event::ListRestarted {
                    what: list::name(&list.id),
                    reason: causes::one_line(&error),
                });
                self.ready.push_back(list);
                Ok(())
            }
        }
    }

    /// Waits for the calls in flight and keeps what they bring; those that
    /// only wait for a limit or a retry end by themselves. Failures
    /// that would end the sync are left for the next run to meet.
    async fn finish_in_flight(&mut self, cx: &mut Context) -> Result<()> {
        let deadline = tokio::time::Instant::now() + GRACE;
        while let Ok(Some(joined)) = tokio::time::timeout_at(deadline, self.calls.join_next()).await
        {
            match joined {
                Ok((list, Ok(page))) => self.store(cx, vec![Arrived { list, page }]).await?,
                Ok((list, Err(FetchError::Connector(error)))) => {
                    let dropped = cx.progress.split_lists.is_dropped(&list.id);
                    if let Verdict::Skip(kind) = judge(&list, &error)
                        && !dropped
                    {
                        cx.drop_list(&list.id, skip(kind, &error)).await?;
                    }
                }
                Ok((_, Err(FetchError::Page(_)))) | Err(_) => {}
            }
        }
        Ok(())
    }
}

/// An error that is not declared to be about a deleted object may still be,
/// if the object was listed before.
fn with_remedy(list: &OpenList, error: baton_connector::Error) -> baton_connector::Error {
    let code = match error.request() {
        Some(request) if request.maybe_gone && list.is_about_one_object() => {
            request.api_code.clone()
        }
        _ => return error,
    };
    if error.advice().is_empty() {
        error.with_advice(Advice::DeclareGone(code))
    } else {
        error
    }
}

fn skip(kind: SkipKind, error: &baton_connector::Error) -> Skip {
    Skip {
        kind,
        reason: causes::one_line(error),
        advice: error.advice(),
    }
}

/// Refuses a page that leads nowhere.
fn check_paging(arrived: &mut Arrived) -> Result<()> {
    let Arrived { list, page } = arrived;
    if !page.next.is_empty() && page.next == list.token {
        return Err(Error::TokenUnchanged {
            list: list::name(&list.id),
        });
    }
    if !list.guard.admit(&list.token, page.items) {
        return Err(Error::EndlessList {
            list: list::name(&list.id),
            page: list.page,
        });
    }
    Ok(())
}

#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// The sync ends.
    Fail,
    /// The list ends, without its rows.
    Skip(SkipKind),
    /// The list starts over.
    Restart,
}

/// What a connector's error means for the sync. A plain not-found answer is
/// a failure, unlike in the Go tools: it may come from a gateway or mean a
/// wrong organization, and leaving out rows because of it would go unseen.
fn judge(list: &OpenList, error: &baton_connector::Error) -> Verdict {
    let one_object = list.is_about_one_object();
    match error.code() {
        _ if one_object && error.is_vanished() => Verdict::Skip(SkipKind::Vanished),
        Code::PermissionDenied if one_object => Verdict::Skip(SkipKind::Forbidden),
        // Refusing the arguments of a request that has just worked with
        // another cursor is how applications report a dead cursor.
        Code::InvalidArgument | Code::OutOfRange
            if !list.token.is_empty() && list.restarts < MAX_RESTARTS =>
        {
            Verdict::Restart
        }
        _ => Verdict::Fail,
    }
}

#[cfg(test)]
mod tests {
    use baton_c1z::ListId;

    use super::*;
    use crate::list::Position;

    fn list(id: ListId, token: &str) -> OpenList {
        OpenList {
            token: token.to_owned(),
            ..OpenList::at(id, Position::default())
        }
    }

    fn stated(code: Code) -> baton_connector::Error {
        baton_connector::Error::stated(code, "refused")
    }

    #[test]
    fn a_plain_not_found_fails_the_sync_on_every_list() {
        for id in [
            ListId::grants("group", "g"),
            ListId::resources("group", None),
        ] {
            let verdict = judge(&list(id, ""), &stated(Code::NotFound));
            assert_eq!(verdict, Verdict::Fail);
        }
    }

    #[test]
    fn a_refusal_of_one_object_skips_it_and_of_a_root_list_fails() {
        let forbidden = Verdict::Skip(SkipKind::Forbidden);
        for (id, expected) in [
            (ListId::grants("group", "g"), forbidden),
            (
                ListId::resources("site", Some(("org", "o"))),
                Verdict::Skip(SkipKind::Forbidden),
            ),
            (ListId::resources("group", None), Verdict::Fail),
            (ListId::resource_types(), Verdict::Fail),
            (ListId::static_entitlements("group"), Verdict::Fail),
        ] {
            let verdict = judge(&list(id, ""), &stated(Code::PermissionDenied));
            assert_eq!(verdict, expected);
        }
    }

    #[test]
    fn missing_credentials_fail_everywhere() {
        let verdict = judge(
            &list(ListId::grants("group", "g"), "t"),
            &stated(Code::Unauthenticated),
        );
        assert_eq!(verdict, Verdict::Fail);
    }

    #[test]
    fn a_dead_cursor_restarts_a_list_a_bounded_number_of_times() {
        let error = stated(Code::InvalidArgument);
        let mut list = list(ListId::resources("user", None), "");
        assert_eq!(judge(&list, &error), Verdict::Fail, "no cursor, no restart");
        list.token = "t".to_owned();
        assert_eq!(judge(&list, &error), Verdict::Restart);
        list.restarts = MAX_RESTARTS;
        assert_eq!(judge(&list, &error), Verdict::Fail);
    }
}
