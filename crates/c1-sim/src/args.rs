//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Parser;

/// The form of scripts, shown after the help.
const SCRIPTS: &str = "\
Scripts are YAML. Times have a unit: ms, s, m, h, d.

  next-poll: 10s          # what a client waits for after an answer without a task
  next-heartbeat: 5s
  token-lifetime: 1h
  skew-tolerance: 60s
  clock-ahead: 10m        # the clock of the service is wrong
  requeue-on-hello: true  # a host that starts again gets its unfinished tasks again
  require-deadlines: true # a call of gRPC without a deadline is wrong
  polls: {3: 0s, 4: 1d}   # next-poll of single polls without a task
  tasks:
    - task: {syncFull: {}}      # one arm as protobuf JSON; or unknown-arm: true; or empty: true
      id: Ta00000000000000000000000000
      debug: true
      at: 5s                    # not before this time since the start
      after-finished: 2         # not before so many tasks are finished
      times: 2                  # handed out twice, with the same id
      host: name                # to this host only
      foreign: true             # belongs to another host
      next-poll: 0s
      cancel-at-heartbeat: 2
      next-heartbeats: {1: 5s}
    - task: {listEventFeeds: {}}
      copies: 100               # without id
  faults:
    - {call: FinishTask, nth: 1, do: lose-answer}
    - {call: GetTask, from: 3, to: 5, do: {status: {code: Unavailable, message: later}}}

Calls: Token, Hello, GetTask, GetTasks, Heartbeat, UploadAsset, FinishTask.
A fault without nth and from hits all calls of its kind.

Actions:
  hang, hang-answer, drop, lose-answer, goaway, html, wrong-service, expire-token
  {delay: 40s}, {status: {code: NotFound, message: text}}, {http: {status: 429, retry-after: 5}}
  {reset-stream: 7}, {garbage: ff00}, {message: {nextPoll: 9s}}, {huge: 100000000}
  {drop-after: 2}, {status-after: {chunks: 2, code: PermissionDenied}}    (UploadAsset)
  {token-body: {status: 200, body: text}}                                 (Token)
hang-answer and lose-answer carry the call out first.";

/// Simulates the service side of ConductorOne.
///
/// Prints the command that connects a connector to it, and logs each call. Ends with
/// Ctrl-C; then it prints what the client did wrong, and ends with 1 if there is something.
#[derive(Debug, Parser)]
#[command(name = "c1-sim", version, after_long_help = SCRIPTS)]
pub struct Args {
    /// Address to listen on; port 0: any free one
    #[arg(long, default_value = "127.0.0.1:0", value_name = "IP:PORT")]
    pub listen: SocketAddr,
    /// Host in the client id: a name of this machine
    #[arg(long, default_value = "localhost", value_name = "NAME")]
    pub host_name: String,
    /// Name in the client id
    #[arg(long, default_value = "c1-sim", value_name = "NAME")]
    pub client_name: String,
    /// Tasks and faults; without it, one full sync
    #[arg(long, value_name = "FILE")]
    pub script: Option<PathBuf>,
    /// File with the client secret (default: a new one per start)
    #[arg(long, value_name = "FILE")]
    pub key_file: Option<PathBuf>,
    /// Program that the printed command starts, with its own arguments
    #[arg(long, default_value = "baton-atlassian", value_name = "COMMAND")]
    pub command: String,
    /// Ends when so many tasks are finished
    #[arg(long, value_name = "N")]
    pub until_finished: Option<usize>,
}
