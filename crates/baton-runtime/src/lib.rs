//! Turns a connector into a program: flags, environment, logs, progress, exit codes.
