//! Values that a connector keeps between the calls of one sync
//! (`sync-runtime.md` §9), such as a list that several syncers need.
//!
//! Each call brings the store of its sync ([`Call::session`](crate::Call::session)),
//! so syncs that run at once do not see each other's values. Values survive an
//! interruption together with the pages that were stored after them, and are
//! gone when the sync has ended.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use baton_proto::Code;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Error, Result};
use crate::page::shorten;

/// Most keys that one request to a store may name.
pub const MAX_KEYS: usize = 100;
/// Most bytes of one request or answer; see [`item_bytes`].
pub const MAX_BYTES: usize = 4_132_864;
/// Longest key, its prefix included, in characters.
pub const MAX_KEY_CHARS: usize = 512;
/// What an item costs beyond its key and value.
const ITEM_OVERHEAD: usize = 20;

/// What an item counts against [`MAX_BYTES`].
pub fn item_bytes(key: &str, value: &[u8]) -> usize {
    key.len() + value.len() + ITEM_OVERHEAD
}

/// What a store answers to several keys.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// Values of the keys that have one.
    pub items: BTreeMap<String, Vec<u8>>,
    /// Keys that were not looked at, since the answer was full. They are to
    /// be asked for again.
    pub unprocessed: Vec<String>,
}

/// A page of all items, by key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SessionPage {
    /// The items.
    pub items: Vec<(String, Vec<u8>)>,
    /// The key that the next page begins with; empty on the last page.
    pub next: String,
}

/// Where the values of one sync are kept.
///
/// Keys are whole, prefix included. A request names at most [`MAX_KEYS`] keys
/// and [`MAX_BYTES`] bytes; [`Session`] splits what is larger.
#[async_trait]
pub trait SessionStore: Send + Sync {
    /// The values of some keys.
    async fn get_many(&self, keys: &[String]) -> Result<Found>;

    /// Stores values, in place of older ones.
    async fn set_many(&self, items: Vec<(String, Vec<u8>)>) -> Result<()>;

    /// Forgets a value; no error if there is none.
    async fn delete(&self, key: &str) -> Result<()>;

    /// Forgets all values whose keys begin with `prefix`.
    async fn clear(&self, prefix: &str) -> Result<()>;

    /// Items whose keys begin with `prefix`, from the key `from` on.
    async fn page(&self, prefix: &str, from: &str) -> Result<SessionPage>;
}

/// A connector's view of its store. Clones share the store.
///
/// ```
/// # use baton_connector::session::Session;
/// # async fn list(session: &Session) -> baton_connector::Result<()> {
/// let roles = session.prefixed("roles/");
/// roles.set_json("admin", &["u1", "u2"]).await?;
/// let admins: Option<Vec<String>> = roles.get_json("admin").await?;
/// # let _ = admins;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default)]
pub struct Session {
    store: Option<Arc<dyn SessionStore>>,
    prefix: String,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session")
            .field("prefix", &self.prefix)
            .finish_non_exhaustive()
    }
}

impl Session {
    /// The values in `store`. Without one, as outside a sync, every call fails
    /// with [`Code::FailedPrecondition`].
    pub fn of(store: Option<Arc<dyn SessionStore>>) -> Self {
        Self {
            store,
            prefix: String::new(),
        }
    }

    /// The same session, with `prefix` in front of all keys.
    #[must_use]
    pub fn prefixed(&self, prefix: &str) -> Self {
        Self {
            store: self.store.clone(),
            prefix: format!("{}{prefix}", self.prefix),
        }
    }

    fn store(&self) -> Result<&dyn SessionStore> {
        self.store.as_deref().ok_or_else(|| {
            Error::stated(
                Code::FailedPrecondition,
                "the session store was used outside a sync",
            )
        })
    }

    fn whole_key(&self, key: &str) -> Result<String> {
        let whole = format!("{}{key}", self.prefix);
        if key.is_empty() || whole.chars().count() > MAX_KEY_CHARS {
            return Err(Error::stated(
                Code::InvalidArgument,
                format!(
                    "session key `{}`: a key has 1 to {MAX_KEY_CHARS} characters",
                    shorten(&whole)
                ),
            ));
        }
        Ok(whole)
    }

    /// The value of a key; `None` if it has none.
    pub async fn get(&self, key: &str) -> Result<Option<Vec<u8>>> {
        Ok(self.get_many([key]).await?.remove(key))
    }

    /// The values of those keys that have one.
    ///
    /// # Errors
    /// Those of the store, and [`Code::Internal`] if it makes no progress.
    pub async fn get_many<'k>(
        &self,
        keys: impl IntoIterator<Item = &'k str>,
    ) -> Result<BTreeMap<String, Vec<u8>>> {
        let store = self.store()?;
        let mut wanted = keys
            .into_iter()
            .map(|key| self.whole_key(key))
            .collect::<Result<Vec<_>>>()?;
        wanted.sort_unstable();
        wanted.dedup();
        let mut all = BTreeMap::new();
        while !wanted.is_empty() {
            let rest = wanted.split_off(wanted.len().min(MAX_KEYS));
            let found = store.get_many(&wanted).await?;
            if found.unprocessed.len() >= wanted.len() {
                return Err(no_progress("read several values"));
            }
            for (key, value) in found.items {
                all.insert(self.short_key(&key)?, value);
            }
            wanted = found.unprocessed;
            wanted.extend(rest);
        }
        Ok(all)
    }

    /// Stores a value in place of an older one.
    pub async fn set(&self, key: &str, value: impl Into<Vec<u8>>) -> Result<()> {
        self.set_many([(key, value.into())]).await
    }

    /// Stores several values.
    ///
    /// # Errors
    /// [`Code::InvalidArgument`] if a key or a value is too long, before
    /// anything is stored; else those of the store.
    pub async fn set_many<'k>(
        &self,
        items: impl IntoIterator<Item = (&'k str, Vec<u8>)>,
    ) -> Result<()> {
        let store = self.store()?;
        let mut batches = vec![(Vec::new(), 0)];
        for (key, value) in items {
            let key = self.whole_key(key)?;
            let bytes = item_bytes(&key, &value);
            if bytes > MAX_BYTES {
                return Err(Error::stated(
                    Code::InvalidArgument,
                    format!(
                        "session key `{}`: its value has {} bytes, an item may have {MAX_BYTES}",
                        shorten(&key),
                        value.len()
                    ),
                ));
            }
            let full = batches
                .last()
                .is_none_or(|(batch, total): &(Vec<_>, usize)| {
                    batch.len() == MAX_KEYS || total + bytes > MAX_BYTES
                });
            if full {
                batches.push((Vec::new(), 0));
            }
            if let Some((batch, total)) = batches.last_mut() {
                batch.push((key, value));
                *total += bytes;
            }
        }
        for (batch, _) in batches {
            if !batch.is_empty() {
                store.set_many(batch).await?;
            }
        }
        Ok(())
    }

    /// Forgets a value; no error if there is none.
    pub async fn delete(&self, key: &str) -> Result<()> {
        let key = self.whole_key(key)?;
        self.store()?.delete(&key).await
    }

    /// Forgets all values under this session's prefix.
    pub async fn clear(&self) -> Result<()> {
        self.store()?.clear(&self.prefix).await
    }

    /// All values under this session's prefix.
    pub async fn get_all(&self) -> Result<BTreeMap<String, Vec<u8>>> {
        let store = self.store()?;
        let mut all = BTreeMap::new();
        let mut from = self.prefix.clone();
        loop {
            let page = store.page(&self.prefix, &from).await?;
            for (key, value) in page.items {
                all.insert(self.short_key(&key)?, value);
            }
            if page.next.is_empty() {
                return Ok(all);
            }
            if page.next <= from {
                return Err(no_progress("read all values"));
            }
            from = page.next;
        }
    }

    /// The value of a key that [`Session::set_json`] stored.
    ///
    /// # Errors
    /// [`Code::DataLoss`] if it is no JSON of this type.
    pub async fn get_json<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>> {
        let Some(value) = self.get(key).await? else {
            return Ok(None);
        };
        // The value is not shown: it may be what a connector keeps secret.
        let value = serde_json::from_slice(&value).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            let message = format!(
                "session key `{}`: its value is not what is expected, at line {line} column {column}",
                shorten(key)
            );
            Error::stated(Code::DataLoss, message)
        })?;
        Ok(Some(value))
    }

    /// Stores a value as JSON.
    pub async fn set_json<T: Serialize + ?Sized>(&self, key: &str, value: &T) -> Result<()> {
        let value = serde_json::to_vec(value).map_err(|_| {
            let message = format!(
                "session key `{}`: its value is not valid JSON",
                shorten(key)
            );
            Error::stated(Code::InvalidArgument, message)
        })?;
        self.set(key, value).await
    }

    fn short_key(&self, whole: &str) -> Result<String> {
        whole
            .strip_prefix(&self.prefix)
            .map(ToOwned::to_owned)
            .ok_or_else(|| {
                Error::stated(
                    Code::Internal,
                    format!(
                        "the session store gave `{}`, which was not asked for",
                        shorten(whole)
                    ),
                )
            })
    }
}

fn no_progress(doing: &str) -> Error {
    Error::stated(
        Code::Internal,
        format!("{doing} of the session: the store makes no progress"),
    )
}
