//! Lists as they stand in the log: six fields, also where an earlier version
//! wrote them.

use baton_c1z::{DropReason, ListId, ObjectId, Op, PageHeader, PageRow, Resumed, Table};

use crate::log_support::{Seen, events, locate, open};

/// One list of each kind, in the order of the fixture.
fn lists() -> [ListId; 16] {
    let by_id = |parent: Option<(&str, &str)>| ListId::Resource {
        id: ObjectId::new("user", "u:1"),
        parent: parent.map(|(type_id, id)| ObjectId::new(type_id, id)),
    };
    [
        ListId::resource_types(),
        ListId::resources("user", None),
        ListId::resources("site", Some(("org", "o:1"))),
        by_id(None),
        by_id(Some(("org", "o:1"))),
        ListId::static_entitlements("group"),
        ListId::TemplateRows {
            type_id: "group".into(),
        },
        ListId::entitlements_of_type("group"),
        ListId::entitlements_of_type("group").with_cursor("c"),
        ListId::entitlements("group", "g:1"),
        ListId::entitlements("group", "g:1").with_cursor("c"),
        ListId::grants_of_type("group"),
        ListId::grants_of_type("group").with_cursor("c"),
        ListId::grants("group", "g:1"),
        ListId::grants("group", "g:1").with_cursor("c"),
        ListId::external(),
    ]
}

/// A log written before lists had kinds, when they were six texts.
#[test]
fn a_log_of_an_earlier_version_has_the_same_lists_and_rows() {
    let folder = tempfile::tempdir().unwrap();
    let dir = locate(&folder.path().join("sync.c1z"));
    let earlier = include_bytes!("../fixtures/lists-of-layout-4.log");
    std::fs::write(dir.path().join("pages.log"), earlier).unwrap();
    let (log, resumed) = open(&dir);
    assert!(matches!(resumed, Resumed::Continued { damage: None, .. }));
    let mut seen = events(&log).into_iter();
    for (number, list) in lists().into_iter().enumerate() {
        let Some(Seen::Page(page_list, 0, 3, tokens, rows)) = seen.next() else {
            panic!("no page of {list:?}");
        };
        assert_eq!(page_list, list);
        assert_eq!(
            format!("{page_list:?}"),
            format!("{list:?}"),
            "the kind is the same, too"
        );
        assert_eq!(tokens, ["from", "to"]);
        let row = number.to_string().into_bytes();
        assert!(rows.len() == 6 && rows.iter().all(|(_, data)| *data == row));
        assert_eq!(seen.next(), Some(Seen::Restarted(list.clone(), 1)));
        let gone = Seen::Dropped(list, DropReason::Vanished, "gone".to_owned());
        assert_eq!(seen.next(), Some(gone));
    }
    let mark = Seen::Mark("mark".to_owned(), b"payload".to_vec());
    assert_eq!(seen.next(), Some(mark));
    assert_eq!(seen.next(), None);
}

/// What is written now is what was written then.
#[test]
fn a_log_of_this_version_has_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let dir = locate(&folder.path().join("sync.c1z"));
    let (mut log, _) = open(&dir);
    for (number, list) in lists().iter().enumerate() {
        let header = PageHeader {
            list,
            generation: 0,
            page: 3,
            request_token: "from",
            next_token: "to",
        };
        let row = number.to_string();
        let rows = [
            PageRow::resource_type(&row),
            PageRow::resource(&row),
            PageRow::entitlement(&row),
            PageRow::new(Table::Grants, &row),
            PageRow::resource(&row).added(),
            PageRow::entitlement(&row).added(),
        ];
        log.append_page(&header, &rows).unwrap();
        log.restart_list(list, 1).unwrap();
        log.drop_list(list, DropReason::Vanished, "gone").unwrap();
    }
    log.mark("mark", b"payload").unwrap();
    drop(log);
    let now = std::fs::read(dir.path().join("pages.log")).unwrap();
    assert!(now == include_bytes!("../fixtures/lists-of-layout-4.log"));
}

#[test]
fn the_canonical_order_of_lists_is_that_of_the_calls_and_fields() {
    let lists = lists();
    let mut sorted = lists.to_vec();
    sorted.sort();
    let fields = |list: &ListId| (list.op(), list.parts().map(str::to_owned));
    let mut by_fields = lists.to_vec();
    by_fields.sort_by_key(fields);
    assert_eq!(sorted, by_fields);
    assert_eq!(sorted.first(), Some(&ListId::ResourceTypes));
    assert_eq!(sorted.last(), Some(&ListId::External));
}

#[test]
fn fields_that_no_kind_has_are_no_list() {
    for op in [
        Op::ResourceTypes,
        Op::Resources,
        Op::StaticEntitlements,
        Op::Entitlements,
        Op::Grants,
        Op::External,
    ] {
        for bits in 0..64_u8 {
            let parts = std::array::from_fn(|n| if bits >> n & 1 == 1 { "x" } else { "" });
            let list = ListId::of_parts(op, parts);
            if let Some(list) = &list {
                assert_eq!((list.op(), list.parts()), (op, parts));
            }
            let has = |n: u8| bits >> n & 1 == 1;
            let allowed = match op {
                Op::ResourceTypes | Op::External => bits == 0,
                // Of one resource its type twice, and no cursor.
                Op::Resources => {
                    let one = has(3) || has(4);
                    !one || !has(5) && has(3) == has(0)
                }
                Op::StaticEntitlements => !has(1) && !has(2) && !has(4) && !has(5),
                Op::Entitlements | Op::Grants => !has(1) && !has(2),
            };
            assert!(allowed || list.is_none(), "{op:?} {parts:?}");
        }
    }
}
