//! A faithful simulator of the Atlassian admin APIs.
