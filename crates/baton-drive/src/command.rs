//! A connector that is started for the run.

use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;

use baton_connector::{Code, Error, Result};
use baton_grpc::RemoteConnector;
use baton_grpc::child::{ChildLine, Launch, child_connector};
use baton_runtime::{Config, ConnectorEnv};
use data_encoding::HEXLOWER;
use sha2::{Digest as _, Sha256};

use crate::COMMAND;

/// The connector of a command line, and what decides the content of its answers: the
/// program's name, and a hash of the whole command, which may hold credentials.
pub(crate) fn connector(
    command: &str,
    config: &Config,
    env: &ConnectorEnv,
) -> Result<(RemoteConnector, String)> {
    let refused = |reason: &str| {
        let text = format!("cannot run the command of --{}: {reason}", COMMAND.name());
        Error::stated(Code::InvalidArgument, text)
    };
    let words = shlex::split(command).ok_or_else(|| refused("a quote is not closed"))?;
    let Some((program, args)) = words.split_first() else {
        return Err(refused("it is empty"));
    };
    let name = Path::new(program).file_name();
    let name = name.map_or_else(
        || program.clone(),
        |name| name.to_string_lossy().into_owned(),
    );
    let environment = env.child_processes.environment(config);
    let (program, args) = (program.clone(), args.to_vec());
    let (cwd, shown_as) = (env.cwd.clone(), name.clone());
    let processes = env.child_processes.clone();
    let launch = move |credentials| {
        let mut launch = Launch::new(program.clone(), credentials);
        launch.args = args.iter().map(OsString::from).collect();
        launch.env.clone_from(&environment);
        launch.cwd = Some(cwd.clone());
        let (processes, name) = (processes.clone(), shown_as.clone());
        launch.show = Arc::new(move |line| match line {
            ChildLine::Stderr(line) | ChildLine::Stdout(line) => processes.show(&name, line),
        });
        launch
    };
    let ending = env.child_processes.ending();
    let traces = env.traces.clone();
    let connector = child_connector(&name, Arc::clone(&env.clock), ending, traces, launch);
    let hash = HEXLOWER.encode(&Sha256::digest(command));
    let fact = format!("{name} {hash}");
    Ok((connector, fact))
}
