//! Rows in a form that is the same for the same content: encoders of other
//! languages may write the entries of maps in any order, also within annotations.

use baton_proto::json::{self, MessageId, Options, Registry};
use prost::{Message, Name};

/// The JSON form of a row. One that has none, as with annotations of unknown types,
/// stays as it is.
pub(super) fn of_bytes(message: Option<MessageId>, wire: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    let options = Options::default();
    match message.map(|message| json::write(&mut text, message, wire, &options)) {
        Some(Ok(())) => text,
        _ => wire.to_vec(),
    }
}

/// As [`of_bytes`] of a message.
pub(super) fn of_message<M: Message + Name>(message: &M) -> Vec<u8> {
    let id = Registry::get().message_of::<M>().ok();
    of_bytes(id, &baton_proto::encode::to_vec(message))
}

#[cfg(test)]
mod tests {
    use baton_connector::v2;

    use super::*;

    /// A user whose annotation has a map with two entries, in either order.
    fn user(first: &str, second: &str) -> v2::Resource {
        let entry = |key: &str| {
            let mut entry = vec![0x0a, 1];
            entry.extend(key.as_bytes());
            entry.extend([0x12, 2, 0x20, 1]);
            let mut field = vec![0x0a, u8::try_from(entry.len()).unwrap()];
            field.extend(entry);
            field
        };
        let map = [entry(first), entry(second)].concat();
        // `profile` of `UserTrait`.
        let mut value = vec![0x1a, u8::try_from(map.len()).unwrap()];
        value.extend(map);
        v2::Resource {
            annotations: vec![baton_connector::Any {
                type_url: "type.googleapis.com/c1.connector.v2.UserTrait".to_owned(),
                value,
            }],
            ..v2::Resource::default()
        }
    }

    #[test]
    fn the_order_of_a_map_within_an_annotation_does_not_count() {
        let (one, other) = (user("a", "b"), user("b", "a"));
        assert_ne!(one.encode_to_vec(), other.encode_to_vec());
        let text = String::from_utf8(of_message(&one)).unwrap();
        assert!(text.contains(r#""a":true"#), "{text}");
        assert_eq!(of_message(&one), of_message(&other));
        assert_ne!(of_message(&one), of_message(&user("a", "c")));
    }

    #[test]
    fn a_row_without_a_json_form_stays_as_it_is() {
        let mut row = user("a", "b");
        row.annotations[0].type_url = "type.test/unknown".to_owned();
        let bytes = baton_proto::encode::to_vec(&row);
        assert_eq!(of_message(&row), bytes);
    }
}
