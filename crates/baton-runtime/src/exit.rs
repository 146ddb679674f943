//! How a run ended, for the calling shell.

use baton_proto::Code;

/// Every way in which a program ends. Exit codes come only from here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExitStatus {
    /// Everything requested was done.
    Success,
    /// Failed with a cause; the exit code is the number of its gRPC code, 2 for plain mistakes.
    Failed(Code),
    /// The sync is written, but objects that the credentials cannot read are missing.
    Partial,
    /// Ended by SIGINT; the next run resumes.
    Interrupted,
    /// Ended by SIGTERM; the next run resumes.
    Terminated,
}

impl ExitStatus {
    /// The process exit code.
    pub fn code(self) -> u8 {
        match self {
            Self::Success => 0,
            // A status OK used as an error is an internal mistake (connector CLI, §5.5).
            Self::Failed(Code::Ok) => Code::Internal.as_u8(),
            Self::Failed(code) => code.as_u8(),
            Self::Partial => 20,
            Self::Interrupted => 130,
            Self::Terminated => 143,
        }
    }
}

impl From<ExitStatus> for std::process::ExitCode {
    fn from(status: ExitStatus) -> Self {
        Self::from(status.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_the_documented_ones() {
        assert_eq!(ExitStatus::Success.code(), 0);
        assert_eq!(ExitStatus::Failed(Code::Unknown).code(), 2);
        assert_eq!(ExitStatus::Failed(Code::Unauthenticated).code(), 16);
        assert_eq!(ExitStatus::Failed(Code::Ok).code(), 13);
        assert_eq!(ExitStatus::Partial.code(), 20);
        assert_eq!(ExitStatus::Interrupted.code(), 130);
        assert_eq!(ExitStatus::Terminated.code(), 143);
    }
}
