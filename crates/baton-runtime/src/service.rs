//! A connector that another program drives, as a service: which of its services
//! are offered, and how it ends.

use std::sync::Arc;
use std::time::Duration;

use baton_connector::Connector;
use baton_flags::{Config, Field};
use baton_grpc::Server;
use baton_grpc::serve::{Identity, Listener, accept};
use tokio_util::sync::CancellationToken;

use crate::flags;

/// How long writes that are on the wire get when the service ends.
const TO_END: Duration = Duration::from_secs(25);

/// The values that offer the services which change access, as in the Go SDK
/// (connector CLI specification, §4.7).
const CHANGES: [Field<String>; 9] = [
    flags::GRANT_ENTITLEMENT,
    flags::REVOKE_GRANT,
    flags::CREATE_ACCOUNT_PROFILE,
    flags::CREATE_ACCOUNT_LOGIN,
    flags::CREATE_ACCOUNT_EMAIL,
    flags::DELETE_RESOURCE,
    flags::DELETE_RESOURCE_TYPE,
    flags::ROTATE_CREDENTIALS,
    flags::ROTATE_CREDENTIALS_TYPE,
];

/// The switches that offer tickets.
const TICKETS: [Field<bool>; 4] = [
    flags::CREATE_TICKET,
    flags::BULK_CREATE_TICKET,
    flags::LIST_TICKET_SCHEMAS,
    flags::GET_TICKET,
];

/// Services that are refused unless they are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Offered {
    pub provisioning: bool,
    pub ticketing: bool,
}

impl Offered {
    /// What the two switches ask for.
    pub(crate) fn by_switches(config: &Config) -> Self {
        Self {
            provisioning: config.get(&flags::PROVISIONING),
            ticketing: config.get(&flags::TICKETING),
        }
    }

    /// What the flags of a parent ask for: those that choose its mode count as well.
    pub(crate) fn by_mode(config: &Config) -> Self {
        let switches = Self::by_switches(config);
        let changes = CHANGES.iter().any(|field| !config.get(field).is_empty());
        let tickets = TICKETS.iter().any(|field| config.get(field));
        Self {
            provisioning: switches.provisioning || changes,
            ticketing: switches.ticketing || (tickets && !changes),
        }
    }
}

/// Serves the connections of `listener` until `stop`. Then it accepts no more calls,
/// cancels reads, and gives writes and actions some time.
pub(crate) async fn serve(
    server: Server,
    connector: Arc<dyn Connector>,
    listener: Listener,
    identity: Option<Arc<dyn Identity>>,
    stop: impl Future<Output = ()>,
) {
    let ended = CancellationToken::new();
    let each = {
        let server = server.clone();
        move |stream| {
            let server = server.clone();
            async move { server.serve(stream).await }
        }
    };
    tokio::select! {
        () = accept(&listener, identity, &ended, each) => {}
        () = stop => {}
    }
    ended.cancel();
    // Who connects now is refused; the file of a socket is removed.
    drop(listener);
    let actions = async {
        if let Some(local) = connector.local() {
            let ended = tokio::time::timeout(TO_END, local.end_actions()).await;
            if ended.is_err() {
                tracing::warn!("actions did not end in time");
            }
        }
    };
    tokio::join!(server.stop(TO_END), actions);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flags::common;

    fn offered(args: &[&str]) -> Offered {
        use std::ffi::OsString;
        use std::path::Path;

        use baton_flags::sources::{self, Sources};
        use baton_flags::{Command, Program, args as line};

        let program = Program {
            version: "1",
            commit: None,
            root: Command::<()>::new("baton-x", "x").runs(()),
            common: common(flags::LogFormat::Json),
            relations: Vec::new(),
            groups: Vec::new(),
            reads_settings: true,
            reserved: Vec::new(),
        };
        let words: Vec<OsString> = args.iter().map(OsString::from).collect();
        let line = line::parse(&program, &words).unwrap();
        let fields = program.fields_of(&line.path);
        let environment = baton_flags::Environment::new();
        let below = sources::settings(&environment, None);
        let mut sources = Sources {
            values: &line.values,
            below: &below,
            cwd: Path::new("/"),
            stdin: &mut std::io::empty(),
        };
        Offered::by_mode(&sources::settle(&mut sources, &fields).unwrap().config)
    }

    #[test]
    fn flags_of_a_mode_offer_what_it_needs() {
        let both = |provisioning, ticketing| Offered {
            provisioning,
            ticketing,
        };
        assert_eq!(offered(&[]), both(false, false));
        assert_eq!(offered(&["-p"]), both(true, false));
        assert_eq!(offered(&["--ticketing"]), both(false, true));
        assert_eq!(offered(&["-p", "--get-ticket"]), both(true, true));
        for field in CHANGES {
            let flag = format!("--{}", field.name());
            assert_eq!(offered(&[&flag, "x"]), both(true, false), "{flag}");
            assert_eq!(offered(&[&flag, ""]), both(false, false), "{flag}");
            // As in Go.
            assert_eq!(offered(&[&flag, "x", "--get-ticket"]), both(true, false));
            assert_eq!(offered(&[&flag, "x", "--ticketing"]), both(true, true));
        }
        for field in TICKETS {
            let flag = format!("--{}", field.name());
            assert_eq!(offered(&[&flag]), both(false, true), "{flag}");
        }
    }
}
