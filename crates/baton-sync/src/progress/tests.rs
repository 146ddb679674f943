use super::*;

const NONE: OwnRows<'static> = OwnRows {
    keys: &[],
    id: &|_| String::new(),
};

#[test]
fn a_further_list_that_was_not_read_breaks_an_invariant() {
    let mut progress = Progress::default();
    let root = ListId::grants_of_type("group");
    progress.plan.number(&root);
    let place = PagePlace {
        list: &root,
        generation: 0,
        page: 0,
        next: "",
    };
    let facts = PageFacts {
        enqueued: vec!["t".to_owned()],
        ..PageFacts::default()
    };
    progress
        .apply_page(place, Content::RowsOnly, &[], (NONE, &facts))
        .expect("applied");
    let broken = progress.check_cursors(Phase::Grants).expect_err("unread");
    assert_eq!(
        broken.to_string(),
        "ingest invariant I10 violated: a further list of the grants of all resources of \
         type `group` was not read"
    );
    assert!(progress.check_cursors(Phase::Entitlements).is_ok());
    let further = root.with_cursor("t");
    let place = PagePlace {
        list: &further,
        ..place
    };
    progress
        .apply_page(place, Content::RowsOnly, &[], (NONE, &PageFacts::default()))
        .expect("applied");
    assert!(progress.check_cursors(Phase::Grants).is_ok());
    assert_eq!(progress.ended, 1, "two lists that make up one");
}
