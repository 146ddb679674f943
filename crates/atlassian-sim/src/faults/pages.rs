//! Complete pages with wrong content.

use serde_json::{Map, Value};

use super::Action;
use crate::cursor::CursorSeal;

/// The page as the action changes it; another answer stays.
pub(super) fn changed(
    action: &Action,
    bytes: &[u8],
    cursor: Option<&str>,
    seal: &CursorSeal,
) -> Vec<u8> {
    let Ok(mut page) = serde_json::from_slice::<Value>(bytes) else {
        return bytes.to_vec();
    };
    match action {
        Action::RepeatCursor => repeat_cursor(&mut page, cursor),
        Action::CutCursor => set_next(&mut page, Value::Null),
        Action::RepeatItems => {
            if let Some(items) = items(&mut page) {
                let twice = items.iter().flat_map(|item| [item.clone(), item.clone()]);
                *items = twice.collect();
            }
        }
        Action::Total(total) if items(&mut page).is_some() => {
            if !page.get("meta").is_some_and(Value::is_object) {
                page["meta"] = Value::Object(Map::new());
            }
            page["meta"]["total"] = Value::from(*total);
        }
        Action::SamePage | Action::EmptyPage => {
            if let Some(again) = cursor_again(&page, seal) {
                set_next(&mut page, Value::from(again));
                if let (Action::EmptyPage, Some(items)) = (action, items(&mut page)) {
                    items.clear();
                }
            }
        }
        _ => {}
    }
    page.to_string().into_bytes()
}

fn items(page: &mut Value) -> Option<&mut Vec<Value>> {
    page.get_mut("data").and_then(Value::as_array_mut)
}

fn set_next(page: &mut Value, next: Value) {
    if let Some(links) = page.get_mut("links").and_then(Value::as_object_mut) {
        links.insert("next".to_owned(), next);
    }
}

/// The cursor that the page was asked with as its next one; a first page keeps its own.
fn repeat_cursor(page: &mut Value, cursor: Option<&str>) {
    let Some(cursor) = cursor else {
        return;
    };
    set_next(page, Value::from(cursor));
    if let Some(next) = page.get_mut("meta").and_then(|m| m.get_mut("next")) {
        *next = Value::from(cursor);
    }
}

/// A new cursor that leads to this page.
fn cursor_again(page: &Value, seal: &CursorSeal) -> Option<String> {
    let this = page.get("links")?.get("self")?.as_str()?;
    let mut body = seal.open(this)?;
    body.page = body.page.saturating_add(1);
    Some(seal.seal(&body))
}
