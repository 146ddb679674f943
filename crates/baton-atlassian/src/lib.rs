//! The Atlassian organization connector.
