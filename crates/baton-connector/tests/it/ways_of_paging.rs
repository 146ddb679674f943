//! The ways of paging, each with its end, its loop and odd values.

use std::sync::Arc;

use baton_connector::paging::{End, Numbered, Rows, body_cursor, link_next, numbered, slice};
use baton_connector::{Call, Code, Error, Page, Result, UpstreamCount};

use crate::script::{Reply, Script, client, failed, get, ok};

/// All rows of a list, with the requests that it took (path and query).
async fn read_all(
    replies: impl IntoIterator<Item = Reply>,
    ask: impl AsyncFn(&Call, &crate::script::Client) -> Result<Page<u64>>,
) -> (Result<Vec<u64>>, Vec<String>) {
    let script = Script::new(replies);
    let client = client(&script);
    let (mut rows, mut call) = (Vec::new(), client.run.call());
    let outcome = loop {
        match ask(&call, &client).await {
            Err(error) => break Err(error),
            Ok(page) => {
                rows.extend(page.items());
                if page.next.is_last() {
                    break Ok(rows);
                }
                call = call.at(page.next.as_str());
            }
        }
    };
    (outcome, asked(&script))
}

fn asked(script: &Arc<Script>) -> Vec<String> {
    let seen = script.seen.lock().unwrap();
    seen.iter()
        .map(|(_, request)| request.uri().path_and_query().unwrap().to_string())
        .collect()
}

fn rows(numbers: impl IntoIterator<Item = u64>) -> Reply {
    let numbers: Vec<u64> = numbers.into_iter().collect();
    ok().body(&serde_json::to_string(&numbers).unwrap())
}

fn read(response: &baton_connector::http::Response) -> Result<Vec<u64>> {
    response.json()
}

async fn paged(by: Numbered, call: &Call, client: &crate::script::Client) -> Result<Page<u64>> {
    numbered("numbers", call, &client.http, get("/n"), by, read).await
}

#[test]
fn a_slice_is_served_in_pages_and_refuses_tokens_that_it_did_not_make() {
    let all: Vec<u64> = (0..250).collect();
    let serve = |list: &str, call: &Call| slice(list, call, &all, |row| Ok(*row));
    for (size, sizes) in [(0, vec![100, 100, 50]), (125, vec![125, 125])] {
        let mut call = Call::alone().with_page_size(size);
        let (mut found, mut seen) = (Vec::new(), Vec::new());
        loop {
            let page = serve("numbers", &call).unwrap();
            seen.push(page.items().len());
            found.extend(page.items());
            if page.next.is_last() {
                break;
            }
            let other = serve("letters", &call.at(page.next.as_str()));
            assert!(matches!(other, Err(Error::TokenCorrupt { .. })));
            call = call.at(page.next.as_str());
        }
        assert_eq!((&found, &seen), (&all, &sizes));
    }
    let empty = slice("none", &Call::alone(), &[] as &[u64], |row| Ok(*row)).unwrap();
    assert!(empty.items().is_empty() && empty.next.is_last());
    for cursor in ["x", "-1", "250", "99999999999999999999"] {
        let position = baton_connector::paging::Position::after(0, Some(cursor.to_owned()));
        let token = position.unwrap().token("numbers");
        let error = failed(serve("numbers", &Call::alone().at(token.as_str())));
        assert_eq!(error.code(), Code::InvalidArgument, "{cursor}");
    }
    let refused: Result<Page<u64>> = slice("numbers", &Call::alone(), &all, |_| {
        Err(Error::stated(Code::DataLoss, "row"))
    });
    assert_eq!(failed(refused).code(), Code::DataLoss);
}

#[tokio::test]
async fn numbered_pages_end_as_their_author_says() {
    let by = Numbered::pages("page").size("limit", 2);
    let (found, asked) = read_all([rows([1, 2]), rows([3]), rows([])], async |call, client| {
        paged(by, call, client).await
    })
    .await;
    assert_eq!(found.unwrap(), [1, 2, 3]);
    assert_eq!(
        asked,
        [
            "/admin/n?page=1&limit=2",
            "/admin/n?page=2&limit=2",
            "/admin/n?page=3&limit=2"
        ]
    );
    let short = by.end(End::ShortPage).first(0);
    let (found, asked) = read_all([rows([1, 2]), rows([3])], async |call, client| {
        paged(short, call, client).await
    })
    .await;
    assert_eq!(found.unwrap(), [1, 2, 3]);
    assert_eq!(
        asked,
        ["/admin/n?page=0&limit=2", "/admin/n?page=1&limit=2"]
    );
}

#[tokio::test]
async fn offsets_count_the_rows_that_came_and_not_those_that_were_kept() {
    let by = Numbered::rows("offset").end(End::Total);
    let (found, asked) = read_all(
        [rows([1, 2, 3]), rows([4, 5]), rows([6])],
        async |call, client| {
            let read = |response: &_| {
                let all = read(response)?;
                let even = all.iter().copied().filter(|n| n % 2 == 0).collect();
                Ok(Rows::new(even).of(all.len()).total(Some(6)))
            };
            let page = numbered("numbers", call, &client.http, get("/n"), by, read).await?;
            assert_eq!(
                page.notes.upstream_count,
                UpstreamCount::Unknown,
                "rows were left out"
            );
            Ok(page)
        },
    )
    .await;
    assert_eq!(found.unwrap(), [2, 4, 6]);
    let expected = [
        "/admin/n?offset=0",
        "/admin/n?offset=3",
        "/admin/n?offset=5",
    ];
    assert_eq!(asked, expected);
}

#[tokio::test]
async fn a_server_that_ignores_the_number_is_found_out_at_its_second_page() {
    for by in [Numbered::pages("page"), Numbered::rows("offset")] {
        let (found, asked) = read_all([rows([1, 2])], async |call, client| {
            paged(by, call, client).await
        })
        .await;
        assert!(matches!(failed(found), Error::PagingLoop { .. }));
        assert_eq!(asked.len(), 2);
    }
}

#[tokio::test]
async fn an_answer_that_knows_its_end_is_believed() {
    for last in [true, false] {
        let (found, _) = read_all([rows([1]), rows([2]), rows([])], async |call, client| {
            let read = |response: &_| Ok(Rows::new(read(response)?).last(last.then_some(true)));
            let by = Numbered::pages("page");
            numbered("numbers", call, &client.http, get("/n"), by, read).await
        })
        .await;
        let expected: &[u64] = if last { &[1] } else { &[1, 2] };
        assert_eq!(found.unwrap(), expected);
    }
}

#[tokio::test]
async fn odd_numbers_and_missing_sizes_are_errors() {
    let client = client(&Script::new([rows([1])]));
    let call = client.run.call();
    for cursor in ["x", "1", "1.x", "-1.0.0"] {
        let position = baton_connector::paging::Position::after(0, Some(cursor.to_owned()));
        let call = call.at(position.unwrap().token("numbers").as_str());
        let error = failed(paged(Numbered::pages("page"), &call, &client).await);
        assert!(matches!(error, Error::TokenCorrupt { .. }), "{cursor}");
    }
    let unsized_pages = Numbered::pages("page").end(End::ShortPage);
    let error = failed(paged(unsized_pages, &call, &client).await);
    assert_eq!(error.code(), Code::InvalidArgument);
    let last = Numbered::pages("page").first(u64::MAX);
    assert!(
        paged(last, &call, &client).await.is_err(),
        "no number follows"
    );
}

async fn linked(call: &Call, client: &crate::script::Client) -> Result<Page<u64>> {
    link_next(
        "numbers",
        call,
        &client.http,
        get("/n").query("limit", "2"),
        read,
    )
    .await
}

#[tokio::test]
async fn links_are_followed_to_the_page_that_has_none() {
    let first = rows([1, 2]).with("link", "</elsewhere?cursor=a%2Fb>; rel=\"next\"");
    let (found, asked) = read_all([first, rows([3])], linked).await;
    assert_eq!(found.unwrap(), [1, 2, 3]);
    assert_eq!(asked, ["/admin/n?limit=2", "/elsewhere?cursor=a%2Fb"]);
}

#[tokio::test]
async fn links_to_the_same_page_to_others_and_to_nowhere_are_errors() {
    for (link, says) in [
        ("<?limit=2>; rel=next", "unchanged"),
        ("<https://evil.test/n>; rel=next", "another server"),
        ("<http://api.test/n>; rel=next", "another server"),
        ("<https://a:b@api.test/n>; rel=next", "credentials"),
        ("<?x>; rel=next, <?y>; rel=next", "two different links"),
        ("?x; rel=next", "does not begin"),
    ] {
        let (found, asked) = read_all([rows([1]).with("link", link)], linked).await;
        let text = failed(found).to_string();
        assert!(text.contains(says), "{link}: {text}");
        assert_eq!(asked.len(), 1, "nothing is sent there");
    }
    // A token of another list, and one whose link was changed on the disk.
    let client = client(&Script::new([rows([1])]));
    let foreign = baton_connector::paging::Position::after(0, Some("https://evil.test/".into()));
    let call = client
        .run
        .call()
        .at(foreign.unwrap().token("numbers").as_str());
    assert!(linked(&call, &client).await.is_err());
}

#[tokio::test]
async fn cursors_from_the_body_lead_on_until_there_is_none() {
    async fn ask(call: &Call, client: &crate::script::Client) -> Result<Page<u64>> {
        let read = |response: &baton_connector::http::Response| {
            let (row, next): (u64, Option<String>) = response.json()?;
            Ok(Rows::new(vec![row]).cursor(next).total(Some(2)))
        };
        let page = body_cursor("numbers", call, &client.http, get("/n"), "after", read).await?;
        assert_eq!(page.notes.upstream_count, UpstreamCount::Rows(2));
        Ok(page)
    }
    for end in ["null", "\"\""] {
        let replies = [ok().body("[1,\"a b\"]"), ok().body(&format!("[2,{end}]"))];
        let (found, asked) = read_all(replies, ask).await;
        assert_eq!(found.unwrap(), [1, 2]);
        assert_eq!(asked, ["/admin/n", "/admin/n?after=a+b"]);
    }
    let (found, asked) = read_all([ok().body("[1,\"same\"]")], ask).await;
    assert!(matches!(failed(found), Error::TokenUnchanged { .. }));
    assert_eq!(asked.len(), 2);
}

#[tokio::test]
async fn an_answer_that_continues_nowhere_is_an_error() {
    for way in 0..2 {
        let (found, _) = read_all([rows([1])], async |call, client| {
            let read = |response: &_| Ok(Rows::new(read(response)?).last(Some(false)));
            match way {
                0 => body_cursor("numbers", call, &client.http, get("/n"), "c", read).await,
                _ => link_next("numbers", call, &client.http, get("/n"), read).await,
            }
        })
        .await;
        let text = failed(found).to_string();
        assert!(text.contains("but not where"), "{text}");
    }
}
