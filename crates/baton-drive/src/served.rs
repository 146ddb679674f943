//! A connector that serves at an address.

use baton_connector::{Code, Error, Result};
use baton_grpc::dial::{DialError, Peer, PeerAddress, PeerTls};
use baton_grpc::{ClientSettings, RemoteConnector, channel};
use std::path::PathBuf;

use baton_runtime::{Config, ConnectorEnv, Field};

use crate::{ADDRESS, INSECURE, TLS, TLS_CA, TLS_CERT, TLS_KEY, TLS_NAME};

/// The connector at the address of the flags, and the address.
pub(crate) fn connector(config: &Config, env: &ConnectorEnv) -> Result<(RemoteConnector, String)> {
    let address = PeerAddress::parse(config.get(&ADDRESS)).map_err(unusable)?;
    let tls = tls(config, env);
    if tls.is_none() && !address.is_local() && !config.get(&INSECURE) {
        let text = format!("the connector at {address} is on another machine");
        let error = Error::stated(Code::FailedPrecondition, text);
        return Err(error.with_hint(format!(
            "encrypt the connection with --{} or --{}, or accept that everything is sent \
             unencrypted with --{}",
            TLS.name(),
            TLS_CA.name(),
            INSECURE.name()
        )));
    }
    let name = address.to_string();
    let peer = Peer::new(address.within(&env.cwd), tls.as_ref()).map_err(unusable)?;
    let channel = channel(move || {
        let peer = peer.clone();
        async move { peer.dial().await }
    });
    let mut settings = ClientSettings::new(name.clone());
    settings.traces.clone_from(&env.traces);
    let connector = RemoteConnector::new(channel, settings);
    Ok((connector, name))
}

/// How TLS is spoken; `None` without a flag that asks for it.
fn tls(config: &Config, env: &ConnectorEnv) -> Option<PeerTls> {
    let file = |field: &Field<Option<PathBuf>>| config.get(field).map(|path| env.cwd.join(path));
    let name = config.get(&TLS_NAME);
    let mut tls = PeerTls {
        authority: file(&TLS_CA),
        identity: file(&TLS_CERT).zip(file(&TLS_KEY)),
        server_name: (!name.is_empty()).then(|| name.to_owned()),
        trusted: Vec::new(),
    };
    let wanted = config.get(&TLS) || tls != PeerTls::default();
    tls.trusted.clone_from(&env.network.trusted);
    wanted.then_some(tls)
}

fn unusable(error: DialError) -> Error {
    match error {
        DialError::Tls(error) => error,
        DialError::Pem(error) => {
            Error::caused(Code::InvalidArgument, "cannot connect with TLS", error)
        }
        error => Error::stated(Code::InvalidArgument, error.to_string()),
    }
}
