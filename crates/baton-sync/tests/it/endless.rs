//! Lists that never end, and lists that bring rows more than once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use baton_connector::resource::{ResourceBuilder, ResourceTypeBuilder};
use baton_connector::{
    Call, ConnectorBuilder, ExpectedDuplicates, Page, ResourceSyncer, TypeSpec, Types,
    UpstreamCount,
};
use baton_proto::Code;
use baton_proto::c1::connector::v2;
use baton_sync::{Completeness, Error, Report};

use crate::sandbox::{Sandbox, ids};

/// What the pages of a list of rooms are like.
type Rooms = fn(page: u64) -> Vec<u64>;

#[derive(Clone)]
struct Hotel {
    rooms: Rooms,
    /// By the application's own count.
    counted: Option<u64>,
    /// Pages; none: no end.
    pages: Option<u64>,
    asked: Arc<AtomicU64>,
    reason: Option<&'static str>,
}

#[async_trait]
impl ResourceSyncer for Hotel {
    async fn list(
        &self,
        call: &Call,
        _: Option<&v2::ResourceId>,
    ) -> baton_connector::Result<Page<v2::Resource>> {
        let page: u64 = call.token().parse().unwrap_or(0);
        self.asked.fetch_add(1, Ordering::Relaxed);
        let rooms = (self.rooms)(page).into_iter();
        let rooms = rooms.map(|n| ResourceBuilder::new("room", n.to_string()).build());
        let rooms = rooms.collect::<baton_connector::Result<Vec<_>>>()?;
        let next = match self.pages {
            Some(pages) if page + 1 >= pages => String::new(),
            _ => (page + 1).to_string(),
        };
        let counted = match self.counted.filter(|_| page == 0) {
            Some(rows) => UpstreamCount::Rows(rows),
            None => UpstreamCount::Unknown,
        };
        Ok(Page::new(rooms, next).upstream_count(counted))
    }

    fn expected_duplicates(&self) -> ExpectedDuplicates {
        ExpectedDuplicates {
            resources: self.reason,
            grants: None,
        }
    }
}

struct Outcome {
    result: Result<Report, Error>,
    pages: u64,
    sandbox: Sandbox,
}

async fn sync(hotel: Hotel) -> Outcome {
    let sandbox = Sandbox::new();
    let asked = Arc::clone(&hotel.asked);
    let room = ResourceTypeBuilder::new("room", "Room").build();
    let room = TypeSpec::new(room.expect("valid"), |hotel: &Hotel| Ok(hotel.clone()));
    let connector = ConnectorBuilder::new().types(&Types::new().with(room), &hotel);
    let connector = connector.and_then(ConnectorBuilder::build).expect("valid");
    let connector = Arc::new(connector);
    let result = baton_sync::run(connector, sandbox.request(), sandbox.host()).await;
    Outcome {
        result,
        pages: asked.load(Ordering::Relaxed),
        sandbox,
    }
}

fn hotel(rooms: Rooms, counted: Option<u64>, pages: Option<u64>) -> Hotel {
    Hotel {
        rooms,
        counted,
        pages,
        asked: Arc::default(),
        reason: None,
    }
}

#[tokio::test]
async fn a_list_without_end_ends_the_run_after_a_known_number_of_pages() {
    let same: Rooms = |_| vec![1, 2];
    let empty: Rooms = |_| Vec::new();
    let circle: Rooms = |page| vec![page % 7];
    let new: Rooms = |page| (page * 10..page * 10 + 10).collect();
    let cases: [(&str, Rooms, Option<u64>, u64); 7] = [
        // The first page is new.
        ("the same rows", same, None, 1001),
        ("no rows", empty, None, 1000),
        ("seven rows in a circle", circle, None, 1007),
        // 25 rows, 10 on a page: 3 pages.
        ("new rows, beyond the count", new, Some(25), 2 * 3 + 10),
        ("new rows, as many as counted", new, Some(20), 2 * 2 + 10),
        ("no rows, but some counted", empty, Some(4), 2 * 4 + 10),
        ("the same rows, all counted", same, Some(2), 2 + 10),
    ];
    for (what, rooms, counted, pages) in cases {
        let outcome = sync(hotel(rooms, counted, None)).await;
        let error = outcome.result.expect_err(what);
        assert_eq!(error.code(), Code::Internal, "{what}: {error}");
        assert!(error.to_string().contains("never ends"), "{what}: {error}");
        assert_eq!(outcome.pages, pages, "{what}");
        assert!(!outcome.sandbox.target().exists());
    }
}

#[tokio::test]
async fn long_lists_that_bring_something_end_in_their_own_time() {
    // One new row in 500 pages, and many pages that are nearly empty.
    let rare: Rooms = |page| {
        if page % 500 == 0 {
            vec![page]
        } else {
            Vec::new()
        }
    };
    let outcome = sync(hotel(rare, None, Some(1800))).await;
    let report = outcome.result.expect("it ends");
    assert_eq!(report.stats.resources, 4);
    let single: Rooms = |page| vec![page];
    let outcome = sync(hotel(single, Some(300), Some(300))).await;
    let report = outcome.result.expect("it ends");
    assert_eq!(report.warnings, Vec::<String>::new());
}

#[tokio::test]
async fn repeated_rows_are_told_with_ids_and_make_up_for_no_missing_ones() {
    // Ten rows come, two of them twice: 8 different ones of 10.
    let rooms: Rooms = |page| match page {
        0 => vec![1, 2, 3, 4, 4],
        _ => vec![5, 6, 7, 2, 8],
    };
    let outcome = sync(hotel(rooms, Some(10), Some(2))).await;
    let report = outcome.result.expect("complete");
    assert_eq!(report.completeness, Completeness::Complete);
    let [repeated] = &report.repeated[..] else {
        panic!("{:?}", report.repeated)
    };
    assert_eq!(repeated.rows, 2);
    assert_eq!(repeated.examples, ["room:2", "room:4"]);
    assert_eq!(
        (report.shortfalls[0].listed, report.shortfalls[0].counted),
        (8, 10)
    );
    let told =
        "2 repeated resources of type `room` (`room:2`, `room:4`): the last one of each id is kept";
    assert!(
        report.warnings.contains(&told.to_owned()),
        "{:?}",
        report.warnings
    );
    assert_eq!(
        ids(&outcome.sandbox.target(), baton_c1z::Table::Resources).len(),
        8
    );
    // Where the count is right, only the repetition is told.
    let outcome = sync(hotel(rooms, Some(8), Some(2))).await;
    let report = outcome.result.expect("complete");
    assert_eq!(report.warnings.len(), 1, "{:?}", report.warnings);
}

#[tokio::test]
async fn repetitions_that_are_right_are_a_note() {
    let rooms: Rooms = |_| vec![1, 1, 2];
    let hotel = Hotel {
        reason: Some("rooms have two doors"),
        ..hotel(rooms, Some(2), Some(1))
    };
    let report = sync(hotel).await.result.expect("complete");
    assert_eq!(report.warnings, Vec::<String>::new());
    assert_eq!(
        report.notes,
        ["1 repeated resource of type `room` (`room:1`): rooms have two doors"]
    );
}

#[tokio::test]
async fn more_rows_than_counted_are_as_odd_as_fewer() {
    let rooms: Rooms = |page| (page * 10..page * 10 + 10).collect();
    for (counted, shortfalls, surpluses) in [(30, 0, 0), (31, 1, 0), (29, 0, 1), (1, 0, 1)] {
        let outcome = sync(hotel(rooms, Some(counted), Some(3))).await;
        let report = outcome.result.expect("complete");
        let found = (report.shortfalls.len(), report.surpluses.len());
        assert_eq!(found, (shortfalls, surpluses), "{counted}");
        let named =
            |w: &String| w.contains(&format!("30 listed, but the application counts {counted}"));
        assert_eq!(report.warnings.iter().any(named), counted != 30);
    }
}
