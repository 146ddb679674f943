//! Reads what is known about this machine.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

/// Largest file that is read.
const MAX_BYTES: u64 = 64 * 1024;

/// What is known about a machine.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HostFacts {
    /// The name of the machine.
    pub host_name: Option<String>,
    /// The operating system, as Go names it: `linux`, `darwin`, `windows`.
    pub os: String,
    /// The processor architecture, as the kernel names it.
    pub arch: String,
    /// The version of the kernel.
    pub kernel_version: Option<String>,
    /// The content of `/etc/os-release`.
    pub os_release: Option<String>,
    /// True in a container of Docker.
    pub is_docker: bool,
    /// True in a container of Podman.
    pub is_podman: bool,
    /// The name of the machine's product, which hypervisors set.
    pub product_name: Option<String>,
}

impl HostFacts {
    /// Reads them from the kernel, and from files below `root`, usually `/`. What cannot
    /// be read is absent.
    pub fn read(root: &Path) -> Self {
        let text = |path: &str| read(&root.join(path));
        let exists = |path: &str| root.join(path).exists();
        let facts = Self {
            os: match std::env::consts::OS {
                "macos" => "darwin",
                os => os,
            }
            .to_owned(),
            arch: std::env::consts::ARCH.to_owned(),
            os_release: text("etc/os-release").or_else(|| text("usr/lib/os-release")),
            is_docker: exists(".dockerenv"),
            is_podman: exists("run/.containerenv"),
            product_name: text("sys/class/dmi/id/product_name"),
            ..Self::default()
        };
        of_kernel(facts)
    }
}

/// A file that is small enough; what is not UTF-8 in it is replaced.
fn read(path: &Path) -> Option<String> {
    let mut bytes = Vec::new();
    let file = File::open(path).ok()?;
    file.take(MAX_BYTES).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(unix)]
fn of_kernel(facts: HostFacts) -> HostFacts {
    let kernel = rustix::system::uname();
    let text = |text: &std::ffi::CStr| text.to_string_lossy().into_owned();
    HostFacts {
        host_name: Some(text(kernel.nodename())),
        arch: text(kernel.machine()),
        kernel_version: Some(text(kernel.release())),
        ..facts
    }
}

#[cfg(not(unix))]
fn of_kernel(facts: HostFacts) -> HostFacts {
    facts
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn files_are_read_below_the_root() {
        let root = tempfile::tempdir().unwrap();
        let none = HostFacts::read(root.path());
        assert_eq!((&none.os_release, &none.product_name), (&None, &None));
        assert!(!none.is_docker && !none.is_podman);
        for folder in ["etc", "usr/lib", "run", "sys/class/dmi/id"] {
            fs::create_dir_all(root.path().join(folder)).unwrap();
        }
        let write = |path: &str, content: &[u8]| fs::write(root.path().join(path), content);
        write("usr/lib/os-release", b"ID=second").unwrap();
        assert_eq!(
            HostFacts::read(root.path()).os_release.unwrap(),
            "ID=second"
        );
        write("etc/os-release", b"ID=f\xffirst").unwrap();
        write(".dockerenv", b"").unwrap();
        write("run/.containerenv", b"").unwrap();
        write("sys/class/dmi/id/product_name", b"KVM\n").unwrap();
        let all = HostFacts::read(root.path());
        assert_eq!(all.os_release.unwrap(), "ID=f\u{fffd}irst");
        assert_eq!(all.product_name.unwrap(), "KVM\n");
        assert!(all.is_docker && all.is_podman);
    }

    #[test]
    fn a_file_without_an_end_is_read_in_part() {
        assert_eq!(read(Path::new("/dev/zero")).unwrap().len(), 64 * 1024);
        assert_eq!(read(Path::new("/nonexistent")), None);
    }

    #[cfg(unix)]
    #[test]
    fn the_kernel_names_itself() {
        let facts = HostFacts::read(Path::new("/nonexistent"));
        assert!(facts.kernel_version.unwrap().contains('.'));
        assert!(!facts.arch.is_empty());
    }
}
