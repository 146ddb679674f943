//! The forge's API: its lists and its rows. Nothing here knows of Baton's
//! resources.

use baton_connector::http::{Credential, HttpClient, Request, Response};
use baton_connector::paging::{End, Numbered, link_next, numbered};
use baton_connector::{Call, Page, Result, Secret, Url};
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// Rows of a page.
const PER_PAGE: u32 = 50;

#[derive(Debug, Deserialize)]
pub(crate) struct User {
    pub id: u64,
    pub login: String,
    pub name: String,
    pub email: String,
    pub active: bool,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Team {
    pub id: u64,
    pub name: String,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Repo {
    pub id: u64,
    pub name: String,
}

/// Who may do what in a repository.
#[derive(Debug, Deserialize)]
pub(crate) struct Access {
    /// `user` or `team`.
    pub kind: String,
    pub id: u64,
    /// `read`, `write` or `admin`.
    pub permission: String,
}

/// A forge, as one token sees it.
#[derive(Debug, Clone)]
pub(crate) struct Forge {
    client: HttpClient,
    base: Url,
    token: Credential,
}

impl Forge {
    pub(crate) fn new(client: HttpClient, base: &Url, token: &Secret) -> Result<Self> {
        Ok(Self {
            client,
            base: base.clone(),
            token: Credential::scheme("access token", "token", token)?,
        })
    }

    fn get(&self, template: &'static str, params: &[&str]) -> Result<Request> {
        Ok(Request::get(&self.base, template, params)?.credential(&self.token))
    }

    /// Whether the forge accepts the token.
    pub(crate) async fn check(&self, call: &Call) -> Result<()> {
        let request = self.get("/user", &[])?;
        self.client.on(call).send(&request).await.map(drop)
    }

    /// A list whose pages follow each other by `Link` headers.
    pub(crate) async fn linked<R: DeserializeOwned, T>(
        &self,
        call: &Call,
        template: &'static str,
        params: &[&str],
        row: impl Fn(R) -> Result<T>,
    ) -> Result<Page<T>> {
        let limit = PER_PAGE.to_string();
        let request = self.get(template, params)?.query("limit", &limit);
        let list = format!("{template} {params:?}");
        link_next(&list, call, &self.client, request, rows(row)).await
    }

    /// A list whose pages have numbers. The forge fills every page but the last.
    pub(crate) async fn counted<R: DeserializeOwned, T>(
        &self,
        call: &Call,
        template: &'static str,
        row: impl Fn(R) -> Result<T>,
    ) -> Result<Page<T>> {
        let by = Numbered::pages("page")
            .size("limit", PER_PAGE)
            .end(End::ShortPage);
        let request = self.get(template, &[])?;
        numbered(template, call, &self.client, request, by, rows(row)).await
    }
}

/// Reads the rows of an answer.
fn rows<R: DeserializeOwned, T>(
    row: impl Fn(R) -> Result<T>,
) -> impl FnOnce(&Response) -> Result<Vec<T>> {
    move |response| {
        let rows: Vec<R> = response.json()?;
        rows.into_iter().map(row).collect()
    }
}
