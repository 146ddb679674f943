//! The object whose list ended the run before is read first by the run that
//! resumes it. If it is gone, its lists are left out and counted; else the
//! same list would end every further run as well.

use baton_c1z::{ListId, Op};
use baton_proto::c1::connector::v2;
use baton_proto::causes;

use crate::context::Context;
use crate::error::Result;
use crate::list;
use crate::records::{self, Skip};
use crate::report::SkipKind;

/// Takes note that a list ends the run.
pub(crate) async fn note(cx: &mut Context, list: &ListId) {
    if object(list).is_none() {
        return;
    }
    let mark = records::to_text(&records::EndedBy::of(list)).into_bytes();
    // The failure of the list is the one to be reported, whatever this meets.
    let _ = cx.journal.mark(records::ENDED_BY, mark).await;
}

/// Reads the object of the list that ended the run before.
pub(crate) async fn recheck(cx: &mut Context, grants_wanted: bool) -> Result<()> {
    let Some(list) = cx.progress.ended_by.take() else {
        return Ok(());
    };
    let Some(id) = object(&list).filter(|_| !cx.progress.is_ended(&list)) else {
        return Ok(());
    };
    let cancel = cx.cancel.clone();
    let answer = tokio::select! {
        biased;
        () = cancel.cancelled() => return Ok(()),
        answer = cx.fetcher.connector.get_resource(&cx.fetcher.call, &id, None) => answer,
    };
    let reason = match answer {
        Ok(None) => "it no longer exists".to_owned(),
        Err(error) if error.is_vanished() => causes::one_line(&error),
        // Whatever else is wrong, the list itself meets it.
        _ => return Ok(()),
    };
    let mut lists = vec![list.with_cursor("")];
    if list.op() == Op::Entitlements && grants_wanted {
        lists.push(ListId::grants(&id.resource_type, &id.resource));
    }
    for list in lists {
        let skip = Skip {
            kind: SkipKind::Vanished,
            reason: reason.clone(),
            advice: Vec::new(),
        };
        cx.drop_list(&list, skip).await?;
    }
    Ok(())
}

/// The one object that a list belongs to.
fn object(id: &ListId) -> Option<v2::ResourceId> {
    let object = match id {
        // One that is asked for by its id needs no second question.
        ListId::Resources { parent, .. } => parent.as_ref(),
        _ => list::resource_of(id),
    };
    object.map(list::wire_id)
}
