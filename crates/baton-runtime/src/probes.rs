//! The flags about the server of probes, for the service and for the command that asks it.

use baton_flags::{Config, Field, Setting};

use crate::error::{Error, Result};
use crate::flags;
use crate::mode::Mode;
use crate::preflight::invalid;

/// Refuses flags about the server where there is none, and warns where there can be none.
pub(crate) fn check_flags(config: &Config, mode: Mode) -> Result<()> {
    let on = flags::HEALTH_CHECK.name();
    if !config.get(&flags::HEALTH_CHECK) {
        let given = [
            name_if_given(config, &flags::HEALTH_CHECK_PORT),
            name_if_given(config, &flags::HEALTH_CHECK_BIND_ADDRESS),
        ];
        return match given.into_iter().flatten().next() {
            Some(flag) => Err(Error::NeedsFlag { flag, on }),
            None => Ok(()),
        };
    }
    if mode != Mode::Service {
        tracing::warn!("--{on} concerns services only: this run has no health check endpoint");
    }
    Ok(())
}

fn name_if_given<T: Setting>(config: &Config, field: &Field<T>) -> Option<&'static str> {
    config.was_set(field).then(|| field.name())
}

/// The address to listen on.
pub(crate) fn host(config: &Config) -> Result<&str> {
    let host = config.get(&flags::HEALTH_CHECK_BIND_ADDRESS);
    if host.is_empty() {
        let name = flags::HEALTH_CHECK_BIND_ADDRESS.name();
        return Err(invalid(format!(
            "field {name}: an address is expected; 0.0.0.0 is every IPv4 address of this machine"
        )));
    }
    Ok(host)
}

/// The port to listen on; 0 for any that is free.
pub(crate) fn port_to_bind(config: &Config) -> Result<u16> {
    port(config, 0)
}

/// The port of a running service.
pub(crate) fn port_to_ask(config: &Config) -> Result<u16> {
    port(config, 1)
}

// The exported schema of the Go programs has no rule for the port.
fn port(config: &Config, least: u16) -> Result<u16> {
    let name = flags::HEALTH_CHECK_PORT.name();
    let given = config.get(&flags::HEALTH_CHECK_PORT);
    let rule = match u16::try_from(given) {
        Ok(port) if port >= least => return Ok(port),
        Err(_) if given > 0 => format!("less than or equal to {}", u16::MAX),
        _ => format!("greater than or equal to {least}"),
    };
    Err(invalid(format!(
        "field {name}: value must be {rule} but got {given}"
    )))
}
