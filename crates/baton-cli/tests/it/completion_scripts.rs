//! The completion scripts: what is in each, and what its shell offers, where
//! the shell is installed.

#[cfg(unix)]
use std::path::Path;
#[cfg(unix)]
use std::process::Command;

#[cfg(unix)]
use crate::completing::in_time;
#[cfg(unix)]
use crate::program::fixture;
use crate::program::words;

const SHELLS: [&str; 5] = ["bash", "elvish", "fish", "powershell", "zsh"];

fn script(shell: &str) -> String {
    words(&["completion", shell]).stdout
}

#[test]
fn the_script_of_every_shell_asks_for_values_before_it_offers_the_table() {
    for shell in SHELLS {
        let script = script(shell);
        assert_eq!(script.matches(" complete-value ").count(), 1, "{shell}");
        // The table has all commands that the help shows, and not ours.
        assert!(script.contains("resource-types"), "{shell}");
        let asks = script.find(" complete-value ").unwrap();
        let used = match shell {
            "bash" => "complete -F _baton_with_values -o nosort",
            "elvish" => "$baton-of-table $@words",
            "fish" => "complete -c baton -n __fish_baton_has_values -s t -l resource-type -x",
            "powershell" => "$completions.Where{",
            "zsh" => "    compdef _baton baton",
            other => panic!("{other}"),
        };
        assert!(asks < script.find(used).unwrap_or(0), "{shell}: {script}");
    }
    let fish = script("fish");
    for flag in [
        "-s r -l resource",
        "-s e -l entitlement",
        "-l principal",
        "-l sync-id",
        "-l other-sync-id",
        "-l compare-entitlement",
        "-l columns",
        "-l sort",
        "-s o -l output-format",
        "-l only",
        "-l layout",
        "-l out-engine",
    ] {
        let line = format!(
            "\ncomplete -c baton -n __fish_baton_has_values {flag} -x -a '$__fish_baton_values'\n"
        );
        assert!(fish.contains(&line), "{flag}");
    }
}

/// Runs a program of a shell; `None` where the shell is missing, as not every system has each.
#[cfg(unix)]
fn shell(program: &str, arguments: &[&str]) -> Option<String> {
    let Ok(output) = Command::new(program).args(arguments).output() else {
        crate::kinds::skipped(&format!("{program} is missing"));
        return None;
    };
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(stderr, "", "{program} {arguments:?}");
    Some(String::from_utf8(output.stdout).unwrap())
}

/// The script of a shell as a file.
#[cfg(unix)]
fn script_file(folder: &Path, shell: &str, change: impl Fn(String) -> String) -> String {
    let path = folder.join(shell);
    std::fs::write(&path, change(script(shell))).unwrap();
    path.display().to_string()
}

/// What a shell offers with the program that the tests built.
#[cfg(unix)]
struct Typed<'t> {
    /// The words before the last one.
    before: &'t str,
    last: &'t str,
    /// How the offers begin.
    expected: &'t str,
}

#[cfg(unix)]
const PROGRAM: &str = env!("CARGO_BIN_EXE_baton");

#[cfg(unix)]
#[test]
fn bash_offers_values_of_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = script_file(folder.path(), "bash", |script| script);
    let file = fixture("v1-small.c1z");
    if shell("bash", &["-n", &path]).is_none() {
        return;
    }
    for Typed {
        before,
        last,
        expected,
    } in [
        Typed {
            before: "--principal",
            last: "User",
            expected: "User\\ 1\nUser\\ 2\n",
        },
        Typed {
            before: "--principal",
            last: r"User\ 3",
            expected: "User\\ 3\n",
        },
        Typed {
            before: "--principal",
            last: "'User 3",
            expected: "User 3\n",
        },
        Typed {
            before: "--principal",
            last: "\"User 3",
            expected: "User 3\n",
        },
        Typed {
            before: "-t group -r",
            last: "g2",
            expected: "g2\n",
        },
        Typed {
            before: "-t 'group' -r",
            last: "g2",
            expected: "g2\n",
        },
        Typed {
            before: "--resource-type = group --resource",
            last: "=",
            expected: "g1\n",
        },
        Typed {
            before: "--resource-type = group --resource =",
            last: "g2",
            expected: "g2\n",
        },
        // Not a value: the table of commands.
        Typed {
            before: "",
            last: "--princ",
            expected: "--principal\n",
        },
    ] {
        let quoted = |word: &str| format!("$'{}'", word.replace('\\', r"\\").replace('\'', r"\'"));
        let typed: Vec<String> = [PROGRAM, "grants", "-f", &file]
            .into_iter()
            .chain(before.split(' ').filter(|word| !word.is_empty()))
            .chain([last])
            .map(quoted)
            .collect();
        let ask = format!(
            "source {path}; COMP_WORDS=({}); COMP_CWORD={}; _baton_with_values {PROGRAM} {} x; \
             printf '%s\\n' \"${{COMPREPLY[@]}}\"",
            typed.join(" "),
            typed.len() - 1,
            quoted(last),
        );
        let offers = in_time(expected, || shell("bash", &["-c", &ask]).unwrap());
        assert!(offers.starts_with(expected), "{ask}: {offers}");
    }
}

#[cfg(unix)]
#[test]
fn zsh_offers_values_of_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = script_file(folder.path(), "zsh", |script| script);
    let file = fixture("v1-small.c1z");
    if shell("zsh", &["-n", &path]).is_none() {
        return;
    }
    for Typed {
        before,
        last,
        expected,
    } in [
        Typed {
            before: "--principal",
            last: "User",
            expected: "User 1\nUser 2\n",
        },
        Typed {
            before: "--principal",
            last: r"User\ 3",
            expected: "User 3\n",
        },
        Typed {
            before: "-t 'group' -r",
            last: "g2",
            expected: "g2\n",
        },
        Typed {
            before: "-t group",
            last: "--resource=g",
            expected: "behind the sign\ng1\n",
        },
        Typed {
            before: "",
            last: "--princ",
            expected: "of the table\n",
        },
    ] {
        // The shell completes only for a terminal: what it would be given is printed instead.
        let quoted = |word: &str| format!("'{}'", word.replace('\'', r"'\''"));
        let typed: Vec<String> = [PROGRAM, "grants", "-f", &file]
            .into_iter()
            .chain(before.split(' ').filter(|word| !word.is_empty()))
            .chain([last])
            .map(quoted)
            .collect();
        let ask = format!(
            "compdef() {{ }}; source {path}; _baton_of_table() {{ print of the table }}
             compset() {{ print behind the sign }}; compadd() {{ print -rl -- $values }}
             words=({}); CURRENT={}; PREFIX={}; _baton",
            typed.join(" "),
            typed.len(),
            quoted(last),
        );
        let offers = in_time(expected, || shell("zsh", &["-fc", &ask]).unwrap());
        assert!(offers.starts_with(expected), "{ask}: {offers}");
    }
}

#[cfg(unix)]
#[test]
fn fish_offers_values_of_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = script_file(folder.path(), "fish", |script| script);
    let file = fixture("v1-small.c1z");
    if shell("fish", &["--no-config", "-n", &path]).is_none() {
        return;
    }
    for Typed {
        before,
        last,
        expected,
    } in [
        Typed {
            before: "grants --principal",
            last: "User",
            expected: "User 1\nUser 2\n",
        },
        Typed {
            before: "grants --principal",
            last: r"User\ 3",
            expected: "User 3\n",
        },
        Typed {
            before: "grants --principal",
            last: "'User 3",
            expected: "User 3\n",
        },
        Typed {
            before: "grants -t 'group' -r",
            last: "g2",
            expected: "g2\n",
        },
        Typed {
            before: "grants -t group",
            last: "--resource=g2",
            expected: "--resource=g2\n",
        },
        Typed {
            before: "show",
            last: "Acm",
            expected: "Acme\n",
        },
        Typed {
            before: "grants",
            last: "--princ",
            expected: "--principal\tonly grants to this principal",
        },
    ] {
        // The commands of the script are for `baton`, whatever the path of the program is.
        let (bin, line) = (
            Path::new(PROGRAM).parent().unwrap().display(),
            format!("baton -f {file} {before} {last}").replace('\\', r"\\"),
        );
        let ask = format!(
            "set -gx PATH {bin} $PATH; source {path}; complete -C '{}'",
            line.replace('\'', r"\'")
        );
        let run = || {
            Command::new("fish")
                .args(["--no-config", "-c", &ask])
                .env("HOME", folder.path())
                .output()
        };
        let offers = in_time(expected, || {
            String::from_utf8(run().unwrap().stdout).unwrap()
        });
        assert!(offers.starts_with(expected), "{ask}: {offers}");
    }
}

#[cfg(unix)]
#[test]
fn elvish_offers_values_of_the_file() {
    let folder = tempfile::tempdir().unwrap();
    // What only the interactive shell has is a variable of the test.
    let path = script_file(folder.path(), "elvish", |script| {
        let script = script
            .replace("edit:completion:arg-completer", "completers")
            .replace("edit:complex-candidate $text &display=", "put $text #");
        format!(
            "var completers = [&]\n{script}\nfor value [($completers[baton] $@args)] {{ echo $value }}\n"
        )
    });
    let file = fixture("v1-small.c1z");
    if shell("elvish", &["-version"]).is_none() {
        return;
    }
    for (typed, expected) in [
        (&["--principal", "User"][..], "User 1\nUser 2\n"),
        (&["-t", "group", "-r", "g2"], "g2\n"),
        (&["-t", "group", "--resource=g2"], "--resource=g2\n"),
    ] {
        let line = [&[&*path, PROGRAM, "grants", "-f", &file], typed].concat();
        let arguments = [&["-norc"], &*line].concat();
        let offers = in_time(expected, || shell("elvish", &arguments).unwrap());
        assert!(offers.starts_with(expected), "{line:?}: {offers}");
    }
}
