//! The API's own counts of lists, to be compared with what the lists bring.

use baton_connector::Result;
use serde_json::Value;

use super::endpoints::{API_TOKENS_COUNT, GROUPS_COUNT, USERS_COUNT};
use super::{Api, Request};

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
        let response = self.client.send(request).await?;
        let answer: Value = response.json()?;
        number_in(&answer).ok_or_else(|| response.unusable("count", "no number is there"))
    }
}

/// A count comes as a bare number or as the member `count`, and either may be
/// inside `data`, as elsewhere in this API.
fn number_in(answer: &Value) -> Option<u64> {
    let inner = answer.get("data").unwrap_or(answer);
    inner.get("count").unwrap_or(inner).as_u64()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_count_is_read_in_every_form_and_never_guessed() {
        let forms = [
            json!(7),
            json!({"count": 7}),
            json!({"data": 7}),
            json!({"data": {"count": 7}, "links": {}}),
        ];
        for form in forms {
            assert_eq!(number_in(&form), Some(7), "{form}");
        }
        let odd = [
            json!(null),
            json!(-1),
            json!("7"),
            json!({}),
            json!({"count": null}),
            json!({"total": 7}),
            json!([7]),
        ];
        for form in odd {
            assert_eq!(number_in(&form), None, "{form}");
        }
    }
}
