//! Lists that end, lists that walk in circles, tokens that are not ours.

use baton_connector::Error;
use baton_connector::paging::{Chunk, ListGuard, Position, every_page, page};
use baton_proto::Code;

#[test]
fn foreign_and_damaged_tokens_are_refused() {
    let token = Position::after(1, Some("a.b|ü".to_owned()))
        .unwrap()
        .token("list a");
    let good = Position::read("list a", token.as_str()).unwrap();
    assert_eq!((good.step, good.cursor.as_deref()), (1, Some("a.b|ü")));
    let text = token.as_str();
    for bad in [
        "{\"states\":null}",
        "b1",
        "b1.",
        "b1.0123",
        "b0.0123456789abcdef.0.x",
        &text[..20],
        &text.replace(".1.", ".300."),
    ] {
        let error = Position::read("list a", bad).expect_err(bad);
        assert!(matches!(error, Error::TokenCorrupt { .. }), "{bad}");
        assert_eq!(error.code(), Code::InvalidArgument);
        assert!(error.to_string().contains("page token corrupt"));
    }
    let error = Position::read("list b", text).expect_err("another list");
    assert!(error.to_string().contains("another list"), "{error}");
}

#[test]
fn tokens_are_the_same_in_every_version() {
    let token = Position::after(0, Some("c".to_owned()))
        .unwrap()
        .token("members of group `g-1`");
    assert_eq!(token.as_str(), "b1.2b951b30ad45436b.0.c");
}

#[test]
fn missing_and_empty_cursors_end_a_list() {
    assert_eq!(Position::after(0, None), None);
    assert_eq!(Position::after(0, Some(String::new())), None);
    assert_eq!(Position::read("x", "").unwrap(), Position::begin(0));
}

#[tokio::test]
async fn a_page_makes_the_token_that_reads_the_next() {
    let fetch = async |at: Position| {
        Ok(match at.cursor.as_deref() {
            None if at.step == 0 => Chunk::new(vec![1, 2], Some("n".to_owned())),
            Some("n") => Chunk {
                items: vec![3],
                next: Some(Position::begin(1)),
                total: None,
            },
            None => Chunk {
                items: vec![4],
                next: None,
                total: None,
            },
            Some(other) => panic!("{other}"),
        })
    };
    let first = page("l", "", fetch).await.unwrap();
    let second = page("l", first.next.as_str(), fetch).await.unwrap();
    let third = page("l", second.next.as_str(), fetch).await.unwrap();
    assert!(third.next.is_last());
    assert_eq!(
        (first.into_items(), second.into_items(), third.into_items()),
        (vec![1, 2], vec![3], vec![4])
    );
}

#[tokio::test]
async fn a_cursor_that_leads_to_itself_is_fatal() {
    let fetch = async |_: Position| Ok(Chunk::new(vec![1], Some("same".to_owned())));
    let first = page("l", "", fetch).await.unwrap();
    let error = page("l", first.next.as_str(), fetch)
        .await
        .expect_err("no way on");
    assert!(
        error.to_string().contains("next page token unchanged"),
        "{error}"
    );
    assert_eq!(error.code(), Code::Internal);
}

#[tokio::test]
async fn every_page_is_visited_once() {
    let fetch = async |at: Position| {
        let n: u64 = at.cursor.map_or(0, |cursor| cursor.parse().unwrap());
        let next = (n < 1000).then(|| (n + 1).to_string());
        Ok(Chunk::new(vec![n.to_string()], next))
    };
    let mut all = Vec::new();
    let pages = every_page("l", fetch, String::as_str, |page| all.extend(page)).await;
    assert_eq!(pages.unwrap(), 1001);
    let expected: Vec<_> = (0..=1000).map(|n: u64| n.to_string()).collect();
    assert_eq!(all, expected);
}

#[tokio::test]
async fn a_list_whose_pages_repeat_ends_with_an_error() {
    let fetch = async |at: Position| {
        let n: u64 = at.cursor.map_or(0, |cursor| cursor.parse().unwrap());
        Ok(Chunk::new(
            vec![n.to_string()],
            Some(((n % 5) + 1).to_string()),
        ))
    };
    let mut good = 0;
    let error = every_page("users", fetch, String::as_str, |_| good += 1)
        .await
        .expect_err("a loop");
    assert_eq!(good, 6);
    assert!(
        error.to_string().starts_with("users: the pages repeat"),
        "{error}"
    );
}

#[test]
fn the_guard_compares_sets_of_ids_per_token() {
    let mut guard = ListGuard::new("l");
    guard.check("", "a", ["1", "2"]).unwrap();
    guard.check("a", "b", ["1", "2"]).unwrap();
    guard.check("b", "a", Vec::<String>::new()).unwrap();
    guard.check("a", "b", ["1", "3"]).unwrap();
    let error = guard
        .check("b", "a", Vec::<String>::new())
        .expect_err("seen");
    assert!(
        matches!(error, Error::PagingLoop { pages: 5, .. }),
        "{error:?}"
    );
    let error = guard
        .check("a", "b", ["3", "1", "1"])
        .expect_err("the same set");
    assert!(matches!(error, Error::PagingLoop { .. }));
    assert_eq!(guard.pages(), 6);
}

#[tokio::test]
async fn an_absurd_cursor_is_refused() {
    let fetch = async |_: Position| Ok(Chunk::new(vec![1], Some("x".repeat(100_000))));
    let error = page("l", "", fetch).await.expect_err("too long");
    assert!(error.to_string().contains("100000 bytes"), "{error}");
    let fetch = async |at: Position| {
        let next = fetch(at).await?.next;
        Ok(Chunk {
            items: vec![String::new()],
            next,
            total: None,
        })
    };
    let error = every_page("l", fetch, String::as_str, |_| {})
        .await
        .expect_err("too long");
    assert!(error.to_string().contains("100000 bytes"), "{error}");
}

#[test]
fn long_tokens_are_shortened_in_errors() {
    let long = "x".repeat(10_000);
    let error = ListGuard::new("l")
        .check(&long, &long, ["1"])
        .expect_err("unchanged");
    assert!(error.to_string().len() < 200);
}
