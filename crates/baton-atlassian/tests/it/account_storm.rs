//! Accounts in random order among random faults: what is answered is true, and
//! nothing happens twice.

use std::time::Duration;

use atlassian_sim::{Action, Calls, Config, Fault, RetryAfter, ScimAccountId, TruthUser};
use baton_connector::{
    Accounts as _, Call, Code, Connector as _, Deleting as _, Invoke, Random as _, SplitMix, v2,
};
use prost_types::Struct;
use v2::BatonActionStatus as Status;
use v2::create_account_response::Result as Arm;

use crate::bench::{Bench, config, resource, text, user};

/// Revokes the tokens of all accounts: no connector may call it.
const REVOKE_ALL: &str = "DELETE api-access/v1/api-tokens";

struct Storm {
    bench: Bench,
    dice: SplitMix,
    scim: bool,
}

impl Storm {
    fn of(seed: u64) -> Self {
        let dice = SplitMix::seeded(seed);
        let scim = seed.is_multiple_of(2);
        let late = [
            ScimAccountId::AtOnce,
            ScimAccountId::After(Duration::from_secs(3)),
            ScimAccountId::Never,
        ];
        let mut bench = Bench::of(Config {
            visibility_delay: Duration::from_secs(10 * (seed / 2 % 2)),
            scim_account_id: late[usize::try_from(seed / 4 % 3).unwrap()],
            ..config()
        });
        if scim {
            bench = bench.scim();
        }
        Self { bench, dice, scim }
    }

    fn below(&self, limit: u64) -> u64 {
        self.dice.next_u64() % limit
    }

    fn stir(&self) {
        let actions = [
            Action::ConnectionReset,
            Action::LoseAnswer,
            Action::Hang,
            Action::Status(503),
            Action::MaskAnswer(500),
            Action::InvalidJson,
            Action::TooManyRequests(RetryAfter::Absent),
            Action::TooManyRequests(RetryAfter::Seconds(3)),
            Action::Status(403),
        ];
        let action = &actions[usize::try_from(self.below(9)).unwrap()];
        let writes = self.bench.sim.write_endpoints().into_iter();
        let calls = Calls::PerMille(300);
        let faults = writes.map(|write| Fault::new(write, calls.clone(), action.clone()));
        self.bench.sim.set_faults(faults.collect());
    }

    fn account(&self, email: &str) -> Option<TruthUser> {
        let truth = self.bench.sim.settled_truth();
        let mut all = truth.users.into_iter();
        all.find(|user| user.email.as_deref() == Some(email))
    }

    fn count(&self) -> usize {
        self.bench.sim.settled_truth().users.len()
    }

    async fn create(&self, email: &str) {
        let before = self.account(email).is_some();
        let count = self.count();
        let fields = [("userName", email), ("email", email)];
        let fields = fields.map(|(key, value)| (key.to_owned(), text(value)));
        let request = v2::CreateAccountRequest {
            account_info: Some(v2::AccountInfo {
                profile: Some(Struct {
                    fields: fields.into(),
                }),
                ..v2::AccountInfo::default()
            }),
            ..v2::CreateAccountRequest::default()
        };
        let connector = self.bench.connector();
        let done = connector.create_account(&Call::alone(), &request).await;
        let now = self.account(email);
        let added = usize::from(now.is_some() && !before);
        assert_eq!(self.count(), count + added, "{email}: {done:?}");
        match done.map(|answered| answered.response.result) {
            Ok(Some(Arm::Success(created))) => {
                let id = created.resource.unwrap().id.unwrap().resource;
                assert_eq!(now.unwrap().account_id, id);
            }
            Ok(Some(Arm::InProgress(waiting))) => {
                assert!(now.is_some() && self.scim);
                assert_eq!(waiting.resource.unwrap().id, None);
            }
            Ok(Some(Arm::AlreadyExists(_))) => assert!(before && now.is_some()),
            Ok(Some(Arm::ActionRequired(_))) => assert!(now.is_some() && !self.scim),
            Ok(None) => panic!("no result"),
            Err(error) => {
                let open = error.to_string().contains("not known");
                assert!(open || added == 0, "{error}");
            }
        }
    }

    async fn delete(&self, id: &str) {
        let before = self.state(id);
        let connector = self.bench.connector();
        let done = connector.delete(&Call::alone(), &user(id)).await;
        let now = self.state(id);
        match done {
            Ok(_) => assert!(now.as_deref().is_none_or(|word| word == "for_deletion")),
            Err(error) if error.code() == Code::Unavailable => {}
            Err(error) => assert_eq!(now, before, "{error}"),
        }
    }

    fn state(&self, id: &str) -> Option<String> {
        let truth = self.bench.sim.settled_truth();
        let mut all = truth.users.into_iter();
        all.find(|user| user.account_id == id)
            .map(|user| user.status)
    }

    async fn revoke_one(&self) {
        let truth = self.bench.sim.settled_truth();
        let Some(token) = truth.tokens.first() else {
            return;
        };
        let connector = self.bench.connector();
        let resource = resource("api_token", &token.id);
        let done = connector.delete(&Call::alone(), &resource).await;
        let now = self.bench.sim.settled_truth().tokens;
        let gone = now.iter().all(|known| known.id != token.id);
        assert_eq!(now.len(), truth.tokens.len() - usize::from(gone));
        assert!(gone || done.is_err(), "{done:?}");
    }

    async fn set_access(&self, name: &str, id: &str) {
        let arguments = Struct {
            fields: [("user_id".to_owned(), text(id))].into(),
        };
        let wanted = Invoke {
            name,
            type_id: None,
            arguments: &arguments,
            inline_wait: Duration::from_mins(10),
        };
        let connector = self.bench.connector();
        let actions = connector.actions().unwrap();
        let state = actions.invoke(&Call::alone(), wanted).await.unwrap();
        if state.status != Status::Complete {
            return;
        }
        let truth = self.bench.sim.settled_truth();
        let mut all = truth.users.iter();
        let user = all.find(|user| user.account_id == id).unwrap();
        let expected = match name {
            "disable_user" => user.directory_ids.len(),
            _ => 0,
        };
        assert_eq!(user.suspended_directory_ids.len(), expected, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn accounts_survive_every_order_and_every_fault() {
    for seed in 0..24 {
        let storm = Storm::of(seed);
        let organization = storm.bench.sim.truth().organization_name.to_lowercase();
        for _ in 0..12 {
            storm.stir();
            let email = format!("n{}@{organization}.test", storm.below(3));
            let known = storm.account(&email).map(|user| user.account_id);
            let id = known.unwrap_or_else(|| storm.bench.user.clone());
            match storm.below(5) {
                0 | 1 => storm.create(&email).await,
                2 => storm.delete(&id).await,
                3 => storm.revoke_one().await,
                _ => {
                    let name = ["disable_user", "enable_user"];
                    let name = name[usize::try_from(storm.below(2)).unwrap()];
                    storm.set_access(name, &id).await;
                }
            }
            tokio::time::sleep(Duration::from_secs(storm.below(40))).await;
        }
        assert_eq!(storm.bench.sim.count(REVOKE_ALL), 0);
    }
}
