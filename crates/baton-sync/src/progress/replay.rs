//! The progress of a sync from its log: the same steps as those of a running
//! one.

use baton_c1z::{LogEvent, LoggedPage, Op, PageLog};
use baton_proto::c1::connector::v2;
use prost::Message;

use super::{Content, OwnRows, PagePlace, Progress};
use crate::check::{self, ResourceFacts};
use crate::error::{Error, Result};
use crate::list;
use crate::records::{self, Abandoned, EndedBy, Note, Run};
use crate::row_keys;
use crate::types::TypeFacts;

impl Progress {
    /// Everything in the log, from its beginning.
    pub(crate) fn replay(log: &PageLog) -> Result<Self> {
        let mut replay = Replay::default();
        log.replay(&mut |event| Ok(replay.event(event)?))?;
        Ok(replay.progress)
    }
}

/// Applies logged events; a note waits for the page right behind it.
#[derive(Default)]
struct Replay {
    progress: Progress,
    note: Option<Note>,
}

impl Replay {
    fn event(&mut self, event: LogEvent<'_>) -> Result<()> {
        match event {
            LogEvent::Page(page) => return self.page(&page),
            LogEvent::Restarted { list, generation } => self.progress.restarted(list, generation),
            LogEvent::Dropped { list, detail, .. } => {
                let skip = records::from_bytes(detail.as_bytes(), "detail of a dropped list")?;
                self.progress.list_dropped(list, skip);
            }
            LogEvent::Marked { kind, payload } => self.mark(kind, payload)?,
            _ => {
                return Err(Error::Journal {
                    what: "record of an unknown kind",
                });
            }
        }
        Ok(())
    }

    fn mark(&mut self, kind: &str, payload: &[u8]) -> Result<()> {
        match kind {
            records::RUN => {
                let run: Run = records::from_bytes(payload, "id of the sync")?;
                self.progress.sync_id = Some(run.sync_id);
            }
            records::PHASE => {
                let phase = records::phase_named(payload).ok_or(Error::Journal {
                    what: "name of a phase",
                })?;
                self.progress.phase_done(phase);
            }
            records::SESSION => self.progress.session_values.replay(payload)?,
            records::NOTE => self.note = Some(Note::decode(payload)?),
            records::ABANDONED => {
                let abandoned: Abandoned = records::from_bytes(payload, "abandoned list")?;
                self.progress
                    .list_abandoned(&abandoned.list(), abandoned.reason);
            }
            records::ENDED_BY => {
                let ended: EndedBy = records::from_bytes(payload, "list that ended a run")?;
                self.progress.ended_by = ended.list();
            }
            _ => {
                return Err(Error::Journal {
                    what: "mark of an unknown kind",
                });
            }
        }
        Ok(())
    }

    fn page(&mut self, page: &LoggedPage<'_>) -> Result<()> {
        let header = &page.header;
        let key = || records::page_key(header.list, header.generation, header.page);
        let note = self.note.take().filter(|note| note.page == key());
        let note = note.unwrap_or_default();
        let mut refs = Vec::new();
        let mut types = Vec::new();
        let mut resources = Vec::new();
        let mut own_rows = Vec::new();
        for (at, row) in page.rows.clone() {
            refs.push(at);
            if check::is_own(row.table, header.list.op()) {
                own_rows.push(row);
            }
            match header.list.op() {
                Op::ResourceTypes => {
                    let kind: v2::ResourceType = decode(row.data)?;
                    let facts = TypeFacts::of(&kind);
                    types.push((kind.id, facts));
                }
                Op::Resources => {
                    let resource: v2::Resource = decode(row.data)?;
                    resources.push(ResourceFacts::of(&resource)?);
                }
                _ => {}
            }
        }
        let content = match header.list.op() {
            Op::ResourceTypes => Content::Types(types),
            Op::Resources => Content::Resources(resources),
            Op::StaticEntitlements if !list::is_made_by_engine(header.list) => {
                Content::Templates(note.templates)
            }
            _ => Content::RowsOnly,
        };
        let place = PagePlace {
            list: header.list,
            generation: header.generation,
            page: header.page,
            next: header.next_token,
        };
        let keys: Vec<u64> = own_rows.iter().map(|row| row_keys::key(*row)).collect();
        let id = |n: usize| {
            own_rows
                .get(n)
                .map(|row| row_keys::id(*row))
                .unwrap_or_default()
        };
        let own = OwnRows {
            keys: &keys,
            id: &id,
        };
        self.progress
            .apply_page(place, content, &refs, (own, &note.facts))
    }
}

fn decode<M: Message + Default>(bytes: &[u8]) -> Result<M> {
    M::decode(bytes).map_err(|_| Error::Journal { what: "stored row" })
}
