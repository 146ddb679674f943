//! Lists against the API's own counts of them.
//!
//! A list on one page is what stood there at one moment. One of several pages
//! can lose items without a trace, where its cursors count items and some are
//! removed meanwhile. So it is counted, and then begun again: what is removed
//! before the count is in neither, what is removed after it shows as fewer
//! rows than were counted, unless others came.

use std::sync::atomic::Ordering;

use baton_connector::{Counted, Error, Result};

use super::{Plan, RequestPlan, locked};
use crate::api::{Api, ListPage};

impl Plan {
    /// The number of a group's members. Where that could not be had of one
    /// group, no other is asked about: a failure can take its minutes.
    pub async fn count_members(&self, api: &Api, group_id: &str) -> Result<u64> {
        // The first count goes alone: if it fails, no other is tried.
        let first = Some(self.members_counted.lock().await).filter(|counted| !**counted);
        if let Some((code, before)) = locked(&self.members_uncounted).clone() {
            let detail = format!("an earlier count of members failed: {before}");
            return Err(Error::stated(code, detail));
        }
        let counted = api.count_members(group_id).await;
        if let Err(error) = &counted
            && !error.is_vanished()
        {
            let failure = (error.code(), error.to_string());
            locked(&self.members_uncounted).get_or_insert(failure);
        }
        if let Some(mut first) = first {
            *first = counted.is_ok();
        }
        counted
    }

    /// The page of a list at `token`; a first page of several comes with the
    /// API's own count. `end` is the token that follows the last page.
    ///
    /// The plain plan counts nothing, since it makes no request beyond the
    /// lists. That a count fails is told, and ends nothing.
    pub async fn counted<T, P, C>(
        &self,
        token: &str,
        end: &str,
        page: impl Fn() -> P,
        count: impl FnOnce() -> C,
    ) -> Result<ListPage<T>>
    where
        P: Future<Output = Result<ListPage<T>>>,
        C: Future<Output = Result<u64>>,
    {
        let first = page().await?;
        if self.wanted == RequestPlan::Plain || !token.is_empty() || first.next == end {
            return Ok(first);
        }
        self.spent.fetch_add(1, Ordering::Relaxed);
        match count().await {
            Ok(count) => {
                self.spent.fetch_add(1, Ordering::Relaxed);
                let counted = Counted::Rows(count);
                Ok(ListPage {
                    counted,
                    ..page().await?
                })
            }
            Err(error) => Ok(ListPage {
                counted: Counted::Unknown(error.to_string()),
                ..first
            }),
        }
    }
}
