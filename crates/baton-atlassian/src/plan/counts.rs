//! Lists against the API's own counts of them.
//!
//! A list on one page shows one moment. A list of several pages can lose items
//! without a trace, if its cursors count items and items are removed while it is
//! read. So the automatic plan counts such a list, and then reads it from the
//! start. Items removed before the count are in neither number. Items removed after
//! it show as fewer rows than were counted, unless others were added.
//!
//! A list can also end too early. If the last page is full, the list is counted
//! under either plan. The list of groups states how many members each group has.
//! This is compared with the members, which shows a filter that the server
//! ignores.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

use baton_connector::{Error, Result, UpstreamCount};
use baton_proto::Code;

use super::{Plan, RequestPlan, locked};
use crate::api::{Api, ListPage, endpoints, models};

/// A list that the API counts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CountedList<'a> {
    /// Token of the page.
    pub token: &'a str,
    /// The token that follows the last page.
    pub end: &'a str,
    /// Where it is counted.
    pub endpoint: &'static str,
}

impl Plan {
    /// A count, unless one of its endpoint has failed in this run: a failure
    /// can take its minutes, and an endpoint that is not there stays away.
    async fn count<C>(&self, endpoint: &'static str, count: impl FnOnce() -> C) -> Result<u64>
    where
        C: Future<Output = Result<u64>>,
    {
        // The first count of an endpoint goes alone: if it fails, no other is
        // tried.
        let first =
            Some(self.run.counted_once.lock().await).filter(|ends| !ends.contains(endpoint));
        if let Some((code, before)) = locked(&self.run.uncounted).get(endpoint).cloned() {
            let detail = format!("an earlier count failed: {before}");
            return Err(Error::stated(code, detail));
        }
        self.run.spent.fetch_add(1, Ordering::Relaxed);
        let counted = count().await;
        if let Err(error) = &counted {
            let failure: (Code, String) = (error.code(), error.to_string());
            locked(&self.run.uncounted)
                .entry(endpoint)
                .or_insert(failure);
        }
        if let Some(mut first) = first
            && counted.is_ok()
        {
            first.insert(endpoint);
        }
        counted
    }

    /// A page of a list, with the API's own count where one is needed. A count
    /// that fails is reported, and does not end the list. Nothing is counted if
    /// only the Go connector's requests are sent, or if the page has a total.
    pub async fn counted<T, P, C>(
        &self,
        api: &Api,
        list: CountedList<'_>,
        page: impl Fn() -> P,
        count: impl FnOnce() -> C,
    ) -> Result<ListPage<T>>
    where
        P: Future<Output = Result<ListPage<T>>>,
        C: Future<Output = Result<u64>>,
    {
        let first = page().await?;
        if api.go_compatible() || first.counted != UpstreamCount::Unknown {
            return Ok(first);
        }
        let is_long = list.token.is_empty() && first.next != list.end;
        if self.planner.wanted == RequestPlan::Plain || !is_long {
            return self.counted_after(api, list, first, count).await;
        }
        match self.count(list.endpoint, count).await {
            Ok(count) => {
                self.run.spent.fetch_add(1, Ordering::Relaxed);
                let counted = UpstreamCount::Rows(count);
                Ok(ListPage {
                    counted,
                    ..page().await?
                })
            }
            Err(error) => Ok(uncounted(first, &error)),
        }
    }

    /// A page that was read, with the API's own count if it is the last of its
    /// list and full, and the list was not counted at its beginning.
    pub async fn counted_after<T, C>(
        &self,
        api: &Api,
        list: CountedList<'_>,
        page: ListPage<T>,
        count: impl FnOnce() -> C,
    ) -> Result<ListPage<T>>
    where
        C: Future<Output = Result<u64>>,
    {
        let was_counted = !list.token.is_empty() && self.planner.wanted != RequestPlan::Plain;
        let ends_full = page.next == list.end && page.full;
        if api.go_compatible()
            || page.counted != UpstreamCount::Unknown
            || was_counted
            || !ends_full
        {
            return Ok(page);
        }
        match self.count(list.endpoint, count).await {
            Ok(count) => Ok(ListPage {
                counted: UpstreamCount::Rows(count),
                ..page
            }),
            Err(error) => Ok(uncounted(page, &error)),
        }
    }

    /// Keeps the sizes that groups say they have.
    pub async fn note_group_sizes(&self, groups: &[models::Group]) -> Result<()> {
        let sizes = groups
            .iter()
            .filter_map(|group| Some((size_key(&group.id), group.users?.to_string().into_bytes())));
        let sizes: Vec<(String, Vec<u8>)> = sizes.collect();
        if sizes.is_empty() {
            return Ok(());
        }
        let items = sizes.iter().map(|(key, size)| (key.as_str(), size.clone()));
        match self.session.set_many(items).await {
            // Outside a sync nothing is kept.
            Err(error) if error.code() != Code::FailedPrecondition => Err(error),
            _ => Ok(()),
        }
    }

    /// A first page of members, compared with the size that the group itself
    /// gave. Where they differ, the group is asked again: it may have
    /// changed since.
    pub async fn sized_members(
        &self,
        api: &Api,
        id: &str,
        end: &str,
        page: ListPage<models::Member>,
    ) -> Result<ListPage<models::Member>> {
        let Some(stated) = self.group_size(id).await? else {
            return Ok(page);
        };
        let members = page.items.iter().map(|member| member.account_id.as_str());
        let members: BTreeSet<&str> = members.filter(|id| !id.is_empty()).collect();
        let members = members.len() as u64;
        let agrees = |size| {
            if page.next == end {
                members == size
            } else {
                members <= size
            }
        };
        if agrees(stated) {
            let counted = match page.counted {
                UpstreamCount::Unknown => UpstreamCount::Approximate(stated),
                known => known,
            };
            return Ok(ListPage { counted, ..page });
        }
        // The plain plan asks again too, so the automatic one spends nothing on it.
        let size = match api.group_size(id).await {
            Ok(now) => now.unwrap_or(stated),
            // What ends the list itself will show there.
            Err(_) => stated,
        };
        if agrees(size) {
            return Ok(page);
        }
        Ok(ListPage {
            counted: UpstreamCount::Approximate(size),
            ..page
        })
    }

    async fn group_size(&self, id: &str) -> Result<Option<u64>> {
        let kept = match self.session.get(&size_key(id)).await {
            Err(error) if error.code() == Code::FailedPrecondition => return Ok(None),
            kept => kept?,
        };
        let text = kept.and_then(|bytes| String::from_utf8(bytes).ok());
        Ok(text.and_then(|text| text.parse().ok()))
    }
}

fn uncounted<T>(page: ListPage<T>, error: &Error) -> ListPage<T> {
    ListPage {
        counted: UpstreamCount::Failed(error.to_string()),
        ..page
    }
}

fn size_key(group_id: &str) -> String {
    format!("size/{group_id}")
}

/// The list of all users.
pub(crate) fn users(token: &str) -> CountedList<'_> {
    CountedList {
        token,
        end: "",
        endpoint: endpoints::USERS_COUNT,
    }
}

/// The list of all groups.
pub(crate) fn groups(token: &str) -> CountedList<'_> {
    CountedList {
        endpoint: endpoints::GROUPS_COUNT,
        ..users(token)
    }
}
