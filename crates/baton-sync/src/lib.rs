//! The sync engine: phases, bounded concurrency, resume, sealing.
