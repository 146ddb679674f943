//! The API's own counts of lists, to be compared with what the lists bring.

use baton_connector::Result;

use super::endpoints::{API_TOKENS_COUNT, GROUPS_COUNT, USERS_COUNT};
use super::{Api, Request, answer};

impl Api {
    /// The number of all users.
    pub async fn count_users(&self) -> Result<u64> {
        self.count(&self.get(USERS_COUNT, &[])?).await
    }

    /// The number of a group's members.
    pub async fn count_members(&self, group_id: &str) -> Result<u64> {
        let request = self.get(USERS_COUNT, &[])?.query("groupIds", group_id);
        self.count(&request).await
    }

    /// The number of all groups.
    pub async fn count_groups(&self) -> Result<u64> {
        self.count(&self.get(GROUPS_COUNT, &[])?).await
    }

    /// The number of all API tokens.
    pub async fn count_api_tokens(&self) -> Result<u64> {
        self.count(&self.get(API_TOKENS_COUNT, &[])?).await
    }

    async fn count(&self, request: &Request) -> Result<u64> {
        answer::count(&self.client.send(request).await?)
    }
}
