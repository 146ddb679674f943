//! The principals that derived grants embed.
//!
//! A derived grant carries the principal's message as its first contributing
//! grant has it. *First* is a matter of order in the file, not of time: the
//! first source entitlement in canonical order, there the first direct grant
//! of the principal, or else its first grant; if that grant is derived itself,
//! its sources are asked. Nearly always one message serves all
//! grants of a principal, so that one is kept, and only what differs is noted
//! per entitlement.

use std::collections::{HashMap, HashSet};

use crate::blob::{Blob, Blobs};
use crate::error::Result;
use crate::propagate::Derivation;

/// The messages, by principal and where needed by entitlement.
#[derive(Debug)]
pub(crate) struct Embedded {
    blobs: Blobs,
    usual: Vec<Option<Blob>>,
    /// (entitlement, principal) whose message is not the usual one.
    unusual: HashMap<(u32, u32), Blob>,
    /// Principals that occur in `unusual`.
    varied: HashSet<u32>,
    last: Option<Noted>,
}

#[derive(Debug, Clone, Copy)]
struct Noted {
    entitlement: u32,
    principal: u32,
    direct: bool,
}

impl Embedded {
    pub(crate) fn new(blobs: Blobs) -> Self {
        Self {
            blobs,
            usual: Vec::new(),
            unusual: HashMap::new(),
            varied: HashSet::new(),
            last: None,
        }
    }

    /// Notes the message of a stored grant. Grants come in canonical order.
    pub(crate) fn note(
        &mut self,
        entitlement: u32,
        principal: u32,
        direct: bool,
        message: &[u8],
    ) -> Result<()> {
        let same_pair = self
            .last
            .filter(|last| last.entitlement == entitlement && last.principal == principal);
        if same_pair.is_some_and(|last| last.direct || !direct) {
            return Ok(());
        }
        self.last = Some(Noted {
            entitlement,
            principal,
            direct,
        });
        let at = principal as usize;
        if self.usual.len() <= at {
            self.usual.resize(at + 1, None);
        }
        match self.usual[at] {
            None => self.usual[at] = Some(self.blobs.put(message)?),
            Some(usual) if self.blobs.equals(usual, message)? => {
                self.unusual.remove(&(entitlement, principal));
            }
            Some(_) => {
                let blob = self.blobs.put(message)?;
                self.unusual.insert((entitlement, principal), blob);
            }
        }
        Ok(())
    }

    /// Gives every principal its final number: `numbers[old]`.
    pub(crate) fn renumber(&mut self, numbers: &[u32]) {
        let mut usual = vec![None; numbers.len()];
        for (old, blob) in std::mem::take(&mut self.usual).into_iter().enumerate() {
            usual[numbers[old] as usize] = blob;
        }
        self.usual = usual;
        self.unusual = std::mem::take(&mut self.unusual)
            .into_iter()
            .map(|((entitlement, old), blob)| ((entitlement, numbers[old as usize]), blob))
            .collect();
        self.varied = self
            .unusual
            .keys()
            .map(|&(_, principal)| principal)
            .collect();
    }

    /// The message for a derived grant with the sources `set` of `derivation`.
    /// `None` only if no contributing grant was noted.
    pub(crate) fn find<'a>(
        &self,
        mut derivation: &'a Derivation,
        all: &'a [Option<Derivation>],
        principal: u32,
        mut set: u32,
    ) -> Option<Blob> {
        let usual = self.usual.get(principal as usize).copied().flatten();
        if !self.varied.contains(&principal) {
            return usual;
        }
        // Each step goes against an edge between two nodes, so it ends.
        loop {
            let source = derivation.sources(set).next()?.entitlement.0;
            let derived = all
                .get(source as usize)
                .and_then(Option::as_ref)
                .and_then(|from| Some((from, from.find_new(principal)?)));
            if let Some((from, claim)) = derived {
                derivation = from;
                set = claim.set;
            } else {
                let unusual = self.unusual.get(&(source, principal));
                return unusual.copied().or(usual);
            }
        }
    }

    /// Appends a message to `out`.
    pub(crate) fn append(&mut self, message: Blob, out: &mut Vec<u8>) -> Result<()> {
        self.blobs.append(message, out)
    }
}
