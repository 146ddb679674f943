//! A program as data: its commands in a table, which nests, and the flags of each.
//!
//! A [`Command`] has a name, flags, positionals and what runs it; parsing, help, completion,
//! the man page and the reference page all read the same table. Nothing matches over commands: the
//! parser gives the one that was found, and the caller runs its `run`.

use std::collections::BTreeSet;

use crate::config::{Config, check_names, default_value, violations};
use crate::error::{Error, Result};
use crate::field::AnyField;
use crate::group::{self, FieldGroup};
use crate::relation::{self, Relation};

/// The flag that prints the help.
pub(crate) const HELP: &str = "help";
/// The flag that prints the version.
pub(crate) const VERSION: &str = "version";
/// Longest name of a flag, in bytes.
const MAX_NAME: usize = 64;

/// What a command does with words that are not flags.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Positionals {
    /// They are unknown commands.
    Refused,
    /// They are accepted, as in the Go programs; the command may ignore them.
    Accepted,
    /// They are what the command works on.
    Named {
        /// How the usage line shows them, such as `[FILE]`.
        shown: &'static str,
        /// What they are.
        help: &'static str,
    },
}

/// A command line with what it does, shown at the end of the help.
#[derive(Debug, Clone, Copy)]
pub struct Example {
    /// What it does.
    pub about: &'static str,
    /// The words after the program's name.
    pub args: &'static str,
}

/// A command and those below it. `R` is what runs it.
#[derive(Debug, Clone)]
pub struct Command<R> {
    /// The word that invokes it; the program's name for the root.
    pub name: &'static str,
    /// One line, beginning in lower case and without a full stop.
    pub about: &'static str,
    /// Whether it is left out of the list of commands.
    pub hidden: bool,
    /// What it does with words that are not flags.
    pub positionals: Positionals,
    /// Flags of this command alone; one with the name of a common field replaces it here.
    pub fields: Vec<AnyField>,
    /// Rules over its own flags.
    pub relations: Vec<Relation>,
    /// Whether the flags of the root that are not persistent exist here, too.
    pub takes_root_fields: bool,
    /// Whether required flags and rules over several flags are checked.
    pub needs_settings: bool,
    /// Whether its common flags have a meaning here; where not, they are accepted, not shown.
    pub uses_common: bool,
    /// Common flags that are accepted and not shown, though others are.
    pub unused: Vec<&'static str>,
    /// Shown at the end of its help.
    pub examples: Vec<Example>,
    /// The commands below it.
    pub commands: Vec<Command<R>>,
    /// What runs it; without, it prints its help.
    pub run: Option<R>,
}

impl<R> Command<R> {
    /// A command that prints its help.
    pub fn new(name: &'static str, about: &'static str) -> Self {
        Self {
            name,
            about,
            hidden: false,
            positionals: Positionals::Refused,
            fields: Vec::new(),
            relations: Vec::new(),
            takes_root_fields: false,
            needs_settings: true,
            uses_common: true,
            unused: Vec::new(),
            examples: Vec::new(),
            commands: Vec::new(),
            run: None,
        }
    }

    /// What runs it.
    #[must_use]
    pub fn runs(mut self, run: R) -> Self {
        self.run = Some(run);
        self
    }

    /// Adds a flag.
    #[must_use]
    pub fn field(mut self, field: impl Into<AnyField>) -> Self {
        self.fields.push(field.into());
        self
    }

    /// Adds a rule over its own flags.
    #[must_use]
    pub fn relation(mut self, relation: Relation) -> Self {
        self.relations.push(relation);
        self
    }

    /// What it does with words that are not flags.
    #[must_use]
    pub fn positionals(mut self, positionals: Positionals) -> Self {
        self.positionals = positionals;
        self
    }

    /// Leaves it out of the list of commands.
    #[must_use]
    pub fn hidden(mut self) -> Self {
        self.hidden = true;
        self
    }

    /// Has the flags of the root that are not persistent, too.
    #[must_use]
    pub fn with_root_fields(mut self) -> Self {
        self.takes_root_fields = true;
        self
    }

    /// Needs no settings: nothing is required of it, and only values that are given are checked.
    #[must_use]
    pub fn without_settings(mut self) -> Self {
        self.needs_settings = false;
        self
    }

    /// Accepts the common flags without showing them: they have no meaning here.
    #[must_use]
    pub fn without_common(mut self) -> Self {
        self.uses_common = false;
        self
    }

    /// Accepts one common flag without showing it: it has no meaning here.
    #[must_use]
    pub fn without(mut self, common: impl Into<AnyField>) -> Self {
        self.unused.push(common.into().name);
        self
    }

    /// Adds an example to its help.
    #[must_use]
    pub fn example(mut self, about: &'static str, args: &'static str) -> Self {
        self.examples.push(Example { about, args });
        self
    }

    /// Adds a command below it.
    #[must_use]
    pub fn command(mut self, command: Command<R>) -> Self {
        self.commands.push(command);
        self
    }

    /// The command below it with this name.
    pub fn find(&self, name: &str) -> Option<&Command<R>> {
        self.commands.iter().find(|command| command.name == name)
    }
}

/// A variable that has a meaning of its own, so that no flag may derive it.
#[derive(Debug, Clone, Copy)]
pub struct Reserved {
    /// The flag whose variable it is.
    pub flag: &'static str,
    /// What it means.
    pub meaning: &'static str,
}

/// A program without its behaviour.
#[derive(Debug, Clone)]
pub struct Program<R> {
    /// What `--version` prints; empty for none.
    pub version: &'static str,
    /// The commit that it was built from, if that is known.
    pub commit: Option<&'static str>,
    /// The root command, with the commands below it.
    pub root: Command<R>,
    /// Flags that every command has.
    pub common: Vec<AnyField>,
    /// Rules over fields of the root and common fields.
    pub relations: Vec<Relation>,
    /// Ways to fill the fields of the root, of which one is used.
    pub groups: Vec<FieldGroup>,
    /// Whether flags have variables and keys of a config file.
    pub reads_settings: bool,
    /// Variables that no flag may derive.
    pub reserved: Vec<Reserved>,
}

impl<R> Program<R> {
    /// The program's name.
    pub fn name(&self) -> &'static str {
        self.root.name
    }

    /// Checks the declaration: no name, letter or variable twice on one command, none that the
    /// parser needs itself or cannot take, no command twice, relations and groups that can hold,
    /// and defaults that can be read.
    ///
    /// # Errors
    ///
    /// The first fault, with the name of the field or command.
    pub fn check(&self) -> Result<()> {
        for field in self.all_fields() {
            self.check_name(field)?;
            default_value(field, std::path::Path::new(""))?;
        }
        let mut names = BTreeSet::new();
        for field in self.common.iter().chain(&self.root.fields) {
            if !names.insert(field.name) {
                return Err(Error::DuplicateField { name: field.name });
            }
        }
        self.check_command(&mut vec![&self.root])?;
        let fields = self.fields_of(&[&self.root]);
        relation::check_declared(&self.relations.iter().collect::<Vec<_>>(), &fields)?;
        group::check_declared(&self.groups, &fields)
    }

    fn check_name(&self, field: &AnyField) -> Result<()> {
        let name = field.name;
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let sound = name.starts_with(|c: char| c.is_ascii_lowercase())
            && name.len() <= MAX_NAME
            && name.chars().all(plain)
            && !name.ends_with('-')
            && !name.contains("--");
        if !sound {
            return Err(Error::BadName { name });
        }
        if !self.reads_settings {
            return Ok(());
        }
        for reserved in &self.reserved {
            let variable = crate::field::env_name(reserved.flag);
            if field.variables().any(|own| own == variable) {
                return Err(Error::ReservedName {
                    name,
                    variable,
                    meaning: reserved.meaning.to_owned(),
                });
            }
        }
        Ok(())
    }

    fn check_command<'p>(&'p self, path: &mut Vec<&'p Command<R>>) -> Result<()> {
        let Some(command) = path.last().copied() else {
            return Ok(());
        };
        let mut own = BTreeSet::new();
        if let Some(twice) = command.fields.iter().find(|field| !own.insert(field.name)) {
            return Err(Error::DuplicateField { name: twice.name });
        }
        let fields = self.fields_of(path);
        check_letters(&fields)?;
        self.check_variables(&fields)?;
        relation::check_declared(&command.relations.iter().collect::<Vec<_>>(), &fields)?;
        let mut names = BTreeSet::new();
        for below in &command.commands {
            path.push(below);
            if !names.insert(below.name) {
                return Err(Error::DuplicateCommand {
                    path: words_of(path),
                });
            }
            self.check_command(path)?;
            path.pop();
        }
        Ok(())
    }

    /// Two fields of a command never read one variable.
    fn check_variables(&self, fields: &[&AnyField]) -> Result<()> {
        let mut variables = std::collections::BTreeMap::new();
        for field in fields.iter().filter(|_| self.reads_settings) {
            for variable in field.variables() {
                if let Some(other) = variables.insert(variable.clone(), field.name) {
                    return Err(Error::ReservedName {
                        name: field.name,
                        variable,
                        meaning: format!("--{other}"),
                    });
                }
            }
        }
        Ok(())
    }

    /// The fields of a command, named by its way from the root, in declaration order.
    pub fn fields_of<'p>(&'p self, path: &[&'p Command<R>]) -> Vec<&'p AnyField> {
        let Some((command, above)) = path.split_last() else {
            return Vec::new();
        };
        let replaced = |field: &&AnyField| !command.fields.iter().any(|own| own.name == field.name);
        let root_fields: &[AnyField] = if above.is_empty() {
            &[]
        } else {
            &self.root.fields
        };
        let root_fields = root_fields
            .iter()
            .filter(|field| command.takes_root_fields || field.persistent);
        self.common
            .iter()
            .chain(root_fields)
            .filter(replaced)
            .chain(&command.fields)
            .collect()
    }

    /// The fields of all commands.
    pub fn all_fields(&self) -> Vec<&AnyField> {
        let mut fields: Vec<&AnyField> = self.common.iter().collect();
        let mut open = vec![&self.root];
        while let Some(command) = open.pop() {
            fields.extend(&command.fields);
            open.extend(&command.commands);
        }
        fields
    }

    /// The way to a command that words name, as far as it goes, and the first word that names none.
    pub fn find<'p, 'w>(
        &'p self,
        words: impl IntoIterator<Item = &'w str>,
    ) -> (Vec<&'p Command<R>>, Option<&'w str>) {
        let mut path = vec![&self.root];
        for word in words {
            match path.last().and_then(|command| command.find(word)) {
                Some(command) => path.push(command),
                None => return (path, Some(word)),
            }
        }
        (path, None)
    }

    /// Chooses the field group, then checks the values: what must be set, then what goes together,
    /// then each value, in the order of the contract.
    ///
    /// # Errors
    ///
    /// The first kind of fault; all faults of values at once.
    pub fn check_values(&self, path: &[&Command<R>], config: &mut Config) -> Result<()> {
        let fields = self.fields_of(path);
        let Some(command) = path.last() else {
            return Ok(());
        };
        if !command.needs_settings {
            return check_given(&fields, config);
        }
        let has_root_fields = path.len() == 1 || command.takes_root_fields;
        let chosen = if has_root_fields {
            group::chosen(&self.groups, config)?
        } else {
            None
        };
        config.choose(chosen.map(|group| group.name));
        let counting = group::counting(&fields, &self.groups, chosen.as_ref());
        let mut unset: Vec<String> = counting
            .iter()
            .filter(|field| field.is_required() && !config.is_set(field.name))
            .map(|field| field.name.to_owned())
            .collect();
        // With groups the parser requires nothing; a value that is missing is an error below.
        if !unset.is_empty() && chosen.is_none() {
            unset.sort_unstable();
            return Err(Error::RequiredFlags { names: unset });
        }
        let relations: Vec<&Relation> = self.relations.iter().chain(&command.relations).collect();
        relation::check_set(&relations, &fields, config)?;
        let problems = violations(&counting, config);
        if !problems.is_empty() {
            return Err(Error::InvalidFields { problems });
        }
        check_names(&fields, config)?;
        if has_root_fields {
            relation::check_values(&relations, config)?;
        }
        Ok(())
    }
}

/// The values that were given, each for itself.
fn check_given(fields: &[&AnyField], config: &Config) -> Result<()> {
    let mut given = fields.to_vec();
    given.retain(|field| config.is_set(field.name));
    let problems = violations(&given, config);
    if !problems.is_empty() {
        return Err(Error::InvalidFields { problems });
    }
    check_names(&given, config)
}

/// The words of a command, the program's name first.
pub fn words_of<R>(path: &[&Command<R>]) -> String {
    let words: Vec<&str> = path.iter().map(|command| command.name).collect();
    words.join(" ")
}

/// The parser treats a clash as a bug of the caller, so it must not see one.
fn check_letters(fields: &[&AnyField]) -> Result<()> {
    let mut letters = BTreeSet::from(['h', 'v']);
    for field in fields {
        let reserved = [HELP, VERSION];
        let taken = if reserved.contains(&field.name) {
            format!("--{}", field.name)
        } else if let Some(short) = field.short.filter(|short| !letters.insert(*short)) {
            format!("-{short}")
        } else {
            continue;
        };
        return Err(Error::TakenName {
            name: field.name,
            taken,
        });
    }
    Ok(())
}
