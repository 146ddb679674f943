//! Placeholders find their principals among the copied resources, and make
//! way for grants to them (sync-runtime.md §1.5).
//!
//! First the placeholders are read, so that of the copied resources only what
//! is asked for is remembered; the messages of those that are found go to a
//! temporary file.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::{Read, Seek, SeekFrom, Write};
use std::ops::ControlFlow;
use std::path::PathBuf;

use baton_c1z::{GrantReplacer, PutGrant, Row, SortedRows, Table};
use baton_proto::bid::EntitlementBid;
use baton_proto::c1::connector::v2::{self, resource_type::Trait};
use baton_proto::field::c1::connector::v2 as field;
use baton_proto::figures::counted;
use baton_proto::{Code, any, encode, wire};
use prost::Name;
use prost_types::{Struct, value::Kind};
use tempfile::SpooledTempFile;

use super::fold::fold;
use super::placeholder::{Placeholder, Profile, trait_of, unreadable};
use crate::blocking::Doing;
use crate::digest::{Digests, digest};
use crate::error::Error;

/// Bytes of principals' messages in memory, before they go to a file.
const SPOOL_BYTES: usize = 16 << 20;
/// What matching is, for the report of a panic.
const MATCHING: &str = "matching external principals";
/// Examples that a warning names.
const MAX_EXAMPLES: usize = 3;
/// The profile key that also means the addresses of a user.
const EMAIL: &str = "email";

/// Number of a principal that was found.
type Found = u32;

/// A copied resource that some placeholder may stand for.
#[derive(Debug, Clone, Copy)]
struct Principal {
    /// Where it is: its type, its id, its message.
    at: u64,
    type_length: usize,
    id_length: usize,
    message_length: usize,
}

/// Placeholders that were not replaced as asked.
#[derive(Debug, Default)]
struct Outcome {
    unmatched: u64,
    unmatched_examples: Vec<String>,
    foreign_sources: u64,
    foreign_examples: Vec<String>,
}

/// See the module's header.
#[derive(Debug)]
pub(crate) struct Matcher {
    /// What the work on the file is busy with.
    doing: Doing,
    /// Traits that are matched.
    traits: BTreeSet<Trait>,
    /// Grants that are not rewritten keep their expansion (format v3).
    keeps_expansion: bool,
    temp_dir: PathBuf,
    principals: Vec<Principal>,
    all: BTreeMap<i32, Vec<Found>>,
    /// How many placeholders for everybody with a trait are still to come,
    /// by entitlement and trait. All make the same grants, so the last does.
    alike: HashMap<u64, u32>,
    by_id: HashMap<String, Option<Found>>,
    by_profile: HashMap<Profile, Vec<Found>>,
    entitlements: Digests,
    spool: Option<SpooledTempFile>,
    spooled: u64,
    outcome: Outcome,
}

fn failed(doing: &'static str) -> impl Fn(std::io::Error) -> baton_c1z::Error {
    move |source| {
        let text = format!("cannot {doing} the temporary file of external resources: {source}");
        baton_c1z::Error::caller(Code::Unknown, text)
    }
}

impl Matcher {
    pub(crate) fn new(
        traits: BTreeSet<Trait>,
        keeps_expansion: bool,
        temp_dir: PathBuf,
        doing: Doing,
    ) -> Self {
        Self {
            doing,
            traits,
            keeps_expansion,
            temp_dir,
            principals: Vec::new(),
            all: BTreeMap::new(),
            alike: HashMap::new(),
            by_id: HashMap::new(),
            by_profile: HashMap::new(),
            entitlements: Digests::default(),
            spool: None,
            spooled: 0,
            outcome: Outcome::default(),
        }
    }

    fn is_matched(&self, of: i32) -> bool {
        trait_of(of).is_some_and(|of| self.traits.contains(&of))
    }

    /// Notes what a placeholder asks for.
    fn ask(&mut self, row: &Row<'_>, placeholder: Placeholder) {
        match placeholder {
            Placeholder::All(of) => {
                *self.alike.entry(alike(row, of)).or_default() += 1;
                if self.is_matched(of) {
                    self.all.entry(of).or_default();
                }
            }
            Placeholder::Some { id, profile } => {
                if let Some(id) = id {
                    self.by_id.entry(id).or_default();
                }
                if let Some(profile) = profile.filter(|profile| self.is_matched(profile.of)) {
                    self.by_profile.entry(profile).or_default();
                }
            }
        }
    }

    /// Keys that are asked for, by trait.
    fn keys(&self) -> BTreeMap<i32, BTreeSet<String>> {
        let mut keys: BTreeMap<i32, BTreeSet<String>> = BTreeMap::new();
        for profile in self.by_profile.keys() {
            keys.entry(profile.of)
                .or_default()
                .insert(profile.key.clone());
        }
        keys
    }

    /// Looks whether anything asks for a copied resource.
    fn consider(
        &mut self,
        row: &Row<'_>,
        keys: &BTreeMap<i32, BTreeSet<String>>,
    ) -> baton_c1z::Result<()> {
        let decoded: v2::Resource = super::decode(row.data)
            .map_err(|source| baton_c1z::Error::from(unreadable_resource(row, source)))?;
        let carried = Carried::of(&decoded);
        // Empty until something asks for it.
        let number = u32::try_from(self.principals.len()).unwrap_or(u32::MAX);
        let mut wanted = false;
        for (of, everybody) in &mut self.all {
            if carried.has(*of) {
                everybody.push(number);
                wanted = true;
            }
        }
        if let Some(found) = self.by_id.get_mut(row.resource_id) {
            *found = Some(number);
            wanted = true;
        }
        for (of, keys) in keys.iter().filter(|(of, _)| carried.has(**of)) {
            carried.values(*of, keys, &mut |key, value| {
                let profile = Profile {
                    of: *of,
                    key: key.to_owned(),
                    value: fold(value),
                };
                if let Some(found) = self.by_profile.get_mut(&profile)
                    && found.last() != Some(&number)
                {
                    found.push(number);
                    wanted = true;
                }
            });
        }
        if wanted {
            self.keep(row)?;
        }
        Ok(())
    }

    fn keep(&mut self, row: &Row<'_>) -> baton_c1z::Result<()> {
        let spool = match &mut self.spool {
            Some(spool) => spool,
            none => none.insert(tempfile::spooled_tempfile_in(SPOOL_BYTES, &self.temp_dir)),
        };
        let (type_id, id) = (row.resource_type_id, row.resource_id);
        for part in [type_id.as_bytes(), id.as_bytes(), row.data] {
            spool.write_all(part).map_err(failed("write"))?;
            self.spooled += part.len() as u64;
        }
        let length = type_id.len() + id.len() + row.data.len();
        self.principals.push(Principal {
            at: self.spooled - length as u64,
            type_length: type_id.len(),
            id_length: id.len(),
            message_length: row.data.len(),
        });
        Ok(())
    }

    /// Type, id and message of a principal.
    fn read(&mut self, found: Found) -> baton_c1z::Result<[Vec<u8>; 3]> {
        let (Some(principal), Some(spool)) =
            (self.principals.get(found as usize), self.spool.as_mut())
        else {
            return Ok(Default::default());
        };
        let lengths = [
            principal.type_length,
            principal.id_length,
            principal.message_length,
        ];
        let mut parts = lengths.map(|length| vec![0; length]);
        spool
            .seek(SeekFrom::Start(principal.at))
            .map_err(failed("read"))?;
        for part in &mut parts {
            spool.read_exact(part).map_err(failed("read"))?;
        }
        Ok(parts)
    }

    /// Whom a placeholder stands for, and whether the expansion is rewritten
    /// for them.
    fn find(&self, placeholder: &Placeholder) -> Vec<(Found, bool)> {
        match placeholder {
            Placeholder::All(of) => {
                let everybody = self.all.get(of).into_iter().flatten();
                everybody.map(|found| (*found, false)).collect()
            }
            Placeholder::Some { id, profile } => {
                let by_id = id.as_ref().and_then(|id| *self.by_id.get(id)?);
                let by_id = by_id.map(|found| (found, true));
                let by_profile = profile.as_ref().and_then(|profile| {
                    let rewritten = profile.of != Trait::User as i32;
                    let found = self.by_profile.get(profile)?;
                    Some(found.iter().map(move |found| (*found, rewritten)))
                });
                by_id
                    .into_iter()
                    .chain(by_profile.into_iter().flatten())
                    .collect()
            }
        }
    }

    /// The grant to one principal.
    fn grant(
        &mut self,
        row: &Row<'_>,
        (found, rewritten): (Found, bool),
        slugs: &[String],
    ) -> baton_c1z::Result<Vec<u8>> {
        let [type_id, id, message] = self.read(found)?;
        let text = |part| {
            wire::text(part).map_err(|source| baton_c1z::Error::from(unreadable(row, source)))
        };
        let (type_id, id) = (text(&type_id)?, text(&id)?);
        let new_id = [row.entitlement_id, type_id, id].join(":");
        let spliced = wire::without(row.data, &[field::grant::PRINCIPAL, field::grant::ID])
            .and_then(|grant| wire::insert_bytes(&grant, field::grant::PRINCIPAL, &message))
            .and_then(|grant| wire::insert_bytes(&grant, field::grant::ID, new_id.as_bytes()))
            .map_err(|source| baton_c1z::Error::from(unreadable(row, source)))?;
        let expansion = match row.expansion {
            None => None,
            Some(expansion) if !rewritten => self.keeps_expansion.then(|| expansion.to_vec()),
            Some(expansion) => self.rewritten(row, expansion, (type_id, id), slugs)?,
        };
        match expansion {
            None => Ok(spliced),
            Some(expansion) => {
                let name = v2::GrantExpandable::full_name();
                wire::append_annotation(&spliced, field::grant::ANNOTATIONS, &name, &expansion)
                    .map_err(|source| baton_c1z::Error::from(unreadable(row, source)))
            }
        }
    }

    /// The expansion with the entitlements of the same names on the matched
    /// principal, as far as these are stored.
    fn rewritten(
        &self,
        row: &Row<'_>,
        expansion: &[u8],
        (type_id, id): (&str, &str),
        slugs: &[String],
    ) -> baton_c1z::Result<Option<Vec<u8>>> {
        let mut expandable = decode_expansion(row, expansion)?;
        let ids = slugs.iter().map(|slug| [type_id, id, slug].join(":"));
        let stored = |id: &String| self.entitlements.contains(&digest(&[id]));
        expandable.entitlement_ids = ids.filter(stored).collect();
        Ok((!expandable.entitlement_ids.is_empty()).then(|| encode::to_vec(&expandable)))
    }

    /// The names of the source entitlements on the placeholder's principal.
    fn slugs(&mut self, row: &Row<'_>) -> baton_c1z::Result<Vec<String>> {
        let Some(expansion) = row.expansion else {
            return Ok(Vec::new());
        };
        let mut slugs = Vec::new();
        for id in decode_expansion(row, expansion)?.entitlement_ids {
            let Ok(source) = id.parse::<EntitlementBid>() else {
                let outcome = &mut self.outcome;
                outcome.foreign_sources += 1;
                if outcome.foreign_examples.len() < MAX_EXAMPLES {
                    outcome.foreign_examples.push(id);
                }
                continue;
            };
            let on = &source.resource.id;
            if on.resource_type == row.principal_type_id && on.resource == row.principal_id {
                slugs.push(source.slug);
            }
        }
        Ok(slugs)
    }
}

/// What placeholders for everybody with a trait have in common that make the
/// same grants.
fn alike(row: &Row<'_>, of: i32) -> u64 {
    digest(&[
        row.resource_type_id,
        row.resource_id,
        row.entitlement_id,
        &of.to_string(),
    ])
}

fn decode_expansion(row: &Row<'_>, bytes: &[u8]) -> baton_c1z::Result<v2::GrantExpandable> {
    super::decode(bytes).map_err(|source| baton_c1z::Error::from(unreadable(row, source)))
}

fn unreadable_resource(row: &Row<'_>, source: baton_proto::Error) -> Error {
    Error::Annotation {
        record: format!("resource `{}`", row.id),
        source,
    }
}

impl GrantReplacer for Matcher {
    fn prepare(&mut self, rows: &dyn SortedRows) -> baton_c1z::Result<bool> {
        self.doing.set(MATCHING);
        let (mut some, mut expandable) = (false, false);
        rows.scan(Table::Grants, &mut |row| {
            if let Some(placeholder) = Placeholder::of(row).map_err(baton_c1z::Error::from)? {
                some = true;
                expandable |= row.expansion.is_some();
                self.ask(row, placeholder);
            }
            Ok(ControlFlow::Continue(()))
        })?;
        if !some {
            return Ok(false);
        }
        let keys = self.keys();
        let copied = v2::BatonId::full_name();
        rows.scan(Table::Resources, &mut |row| {
            let found = wire::has_annotation(row.data, field::resource::ANNOTATIONS, &[&copied]);
            let found =
                found.map_err(|source| baton_c1z::Error::from(unreadable_resource(row, source)))?;
            if found {
                self.consider(row, &keys)?;
            }
            Ok(ControlFlow::Continue(()))
        })?;
        if expandable {
            rows.scan(Table::Entitlements, &mut |row| {
                self.entitlements.insert(digest(&[row.id]));
                Ok(ControlFlow::Continue(()))
            })?;
        }
        Ok(true)
    }

    fn replace(&mut self, row: &Row<'_>, put: &mut PutGrant<'_>) -> baton_c1z::Result<bool> {
        let Some(placeholder) = Placeholder::of(row).map_err(baton_c1z::Error::from)? else {
            return Ok(false);
        };
        let found = self.find(&placeholder);
        if found.is_empty() {
            let outcome = &mut self.outcome;
            outcome.unmatched += 1;
            if outcome.unmatched_examples.len() < MAX_EXAMPLES {
                outcome.unmatched_examples.push(row.id.to_owned());
            }
        }
        let slugs = if found.iter().any(|(_, rewritten)| *rewritten) {
            self.slugs(row)?
        } else {
            Vec::new()
        };
        if let Placeholder::All(of) = placeholder
            && let Some(left) = self.alike.get_mut(&alike(row, of))
        {
            *left = left.saturating_sub(1);
            if *left > 0 {
                return Ok(true);
            }
        }
        for found in found {
            put(&self.grant(row, found, &slugs)?)?;
        }
        Ok(true)
    }
    fn warnings(&self) -> Vec<String> {
        let Outcome {
            unmatched,
            unmatched_examples,
            foreign_sources,
            foreign_examples,
        } = &self.outcome;
        let mut warnings = Vec::new();
        if *unmatched > 0 {
            warnings.push(format!(
                "{}: `{}`",
                counted(
                    *unmatched,
                    "grant has an unmatched external principal and is left out",
                    "grants have an unmatched external principal and are left out",
                ),
                unmatched_examples.join("`, `")
            ));
        }
        if *foreign_sources > 0 {
            warnings.push(format!(
                "{}: `{}`",
                counted(
                    *foreign_sources,
                    "source of grants to external resources is not followed, since it is not \
                     a Baton id of an entitlement",
                    "sources of grants to external resources are not followed, since they are \
                     not Baton ids of entitlements",
                ),
                foreign_examples.join("`, `")
            ));
        }
        warnings
    }
}

/// Traits and profiles of a copied resource.
struct Carried<'a> {
    resource: &'a v2::Resource,
    user: Option<v2::UserTrait>,
}

impl<'a> Carried<'a> {
    fn of(resource: &'a v2::Resource) -> Self {
        Self {
            resource,
            user: any::find::<v2::UserTrait>(&resource.annotations).unwrap_or_default(),
        }
    }

    fn has(&self, of: i32) -> bool {
        let annotations = &self.resource.annotations;
        match trait_of(of) {
            Some(Trait::App) => any::contains::<v2::AppTrait>(annotations),
            Some(Trait::Group) => any::contains::<v2::GroupTrait>(annotations),
            Some(Trait::User) => any::contains::<v2::UserTrait>(annotations),
            Some(Trait::Role) => any::contains::<v2::RoleTrait>(annotations),
            Some(Trait::Secret) => any::contains::<v2::SecretTrait>(annotations),
            _ => false,
        }
    }

    /// The resource's own profile, else that of the first trait with one.
    // Profiles have moved to the resource, but not in all files.
    #[allow(deprecated)]
    fn profile(&self) -> Option<Struct> {
        macro_rules! profile_of {
            ($message:ty) => {
                any::find::<$message>(&self.resource.annotations)
                    .unwrap_or_default()
                    .and_then(|carried| carried.profile)
            };
        }
        self.resource
            .profile
            .clone()
            .or_else(|| self.user.as_ref()?.profile.clone())
            .or_else(|| profile_of!(v2::GroupTrait))
            .or_else(|| profile_of!(v2::RoleTrait))
            .or_else(|| profile_of!(v2::AppTrait))
            .or_else(|| profile_of!(v2::SecretTrait))
            .or_else(|| profile_of!(v2::AgentTrait))
    }

    /// Visits what a resource with this trait has under some keys.
    fn values(&self, of: i32, keys: &BTreeSet<String>, visit: &mut dyn FnMut(&str, &str)) {
        let is_user = of == Trait::User as i32;
        // The profile of a user whose trait cannot be read is not used.
        if is_user && self.user.is_none() {
            return;
        }
        let profile = self.profile().unwrap_or_default();
        for (key, value) in &profile.fields {
            if let Some(Kind::StringValue(text)) = &value.kind
                && keys.contains(key)
            {
                visit(key, text);
            }
        }
        if let Some(user) = self.user.as_ref().filter(|_| is_user)
            && keys.contains(EMAIL)
        {
            for email in &user.emails {
                visit(EMAIL, &email.address);
            }
        }
    }
}
