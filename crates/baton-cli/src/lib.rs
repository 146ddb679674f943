//! The baton command: explore, compare and export sync files.
