//! Too few file handles, however early they run out: the message says so, and
//! how to get more.

use std::process::Command;

#[test]
fn too_few_file_handles_are_named_before_anything_begins() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("demo.c1z");
    let mut refused = 0;
    for handles in 4..24 {
        let output = Command::new("/bin/sh")
            .args(["-c", &format!("ulimit -n {handles}; exec \"$0\" \"$@\"")])
            .arg(env!("CARGO_BIN_EXE_baton-atlassian"))
            .args(["demo", "-f"])
            .arg(&file)
            .env_clear()
            .output()
            .unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success(), "{handles} handles: {stderr}");
        let named = stderr.contains("Too many open files") && stderr.contains("ulimit -n");
        // The loader of the program itself may be what fails.
        assert!(
            named || stderr.contains("shared libraries"),
            "{handles} handles: {stderr}"
        );
        refused += usize::from(named);
        assert!(!file.exists(), "{handles} handles");
    }
    assert!(refused >= 15, "only {refused} runs named the handles");
}
