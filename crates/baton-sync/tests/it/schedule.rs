//! Many lists in flight: as many as allowed, and never visible in the result.

use std::sync::Arc;

use baton_connector::Error as Refusal;
use baton_connector::resource::{ResourceBuilder, resource_id};
use baton_proto::Code;
use baton_sync::{SyncRequest, Workers};

use crate::sandbox::{Sandbox, rows, rows_with};
use crate::world::{Twist, World, kind, user};

const ALL: [Workers; 4] = [
    Workers::Sequential,
    Workers::AtMost(1),
    Workers::AtMost(8),
    Workers::Auto,
];

/// Users on two lists, groups inside groups, so that winners depend on order.
fn tangled() -> World {
    let mut world = World::small();
    world.types.push(kind("folder", None));
    let folder = |id: &str, name: &str| {
        let built = ResourceBuilder::new("folder", id).display_name(name);
        let built = if name.len() < 4 {
            built.child_type("folder").child_type("user")
        } else {
            built
        };
        built.build().expect("valid")
    };
    world.add("folder", folder("a", "a"));
    world.add("folder", folder("b", "b"));
    for parent in ["a", "b", "shared"] {
        let list = format!("folder<folder:{parent}");
        world.add(
            &list,
            folder("shared", &format!("{parent}{}", "/".repeat(parent.len()))),
        );
        let mut again = user("u1");
        again.display_name = format!("User of {parent}");
        again.parent_resource_id = Some(resource_id("folder", parent));
        world.add(&format!("user<folder:{parent}"), again);
    }
    world
}

#[tokio::test(start_paused = true)]
async fn the_file_does_not_depend_on_workers_or_timing() {
    let expected = rows_with(tangled(), Workers::Sequential).await;
    for seed in 0..12 {
        for workers in ALL {
            let found = rows_with(tangled().slow(seed), workers).await;
            assert_eq!(found, expected, "seed {seed}, {workers:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn equal_syncs_at_the_same_time_are_equal_files() {
    let mut files = Vec::new();
    for (seed, workers) in [(1, Workers::Sequential), (2, Workers::Auto)] {
        let sandbox = Sandbox::new();
        let request = SyncRequest {
            workers,
            ..sandbox.request()
        };
        let world = Arc::new(tangled().slow(seed));
        sandbox.run(&world, request).await.expect("complete");
        files.push(std::fs::read(sandbox.target()).expect("there"));
    }
    assert!(files[0] == files[1]);
}

#[tokio::test(start_paused = true)]
async fn page_sizes_do_not_matter() {
    let mut found = Vec::new();
    for page_size in [1, 2, 3, 100] {
        let mut world = tangled().slow(page_size as u64);
        world.page_size = page_size;
        found.push(rows_with(world, Workers::Auto).await);
    }
    assert!(found.windows(2).all(|pair| pair[0] == pair[1]));
}

#[tokio::test(start_paused = true)]
async fn as_many_calls_are_in_flight_as_allowed_and_no_more() {
    for (workers, most) in [
        (Workers::Sequential, 1),
        (Workers::AtMost(1), 1),
        (Workers::AtMost(5), 5),
        (Workers::Auto, Workers::AUTO_LISTS),
    ] {
        let mut world = World::small();
        for n in 10..300 {
            world.add("user", user(&format!("u{n}")));
        }
        let world = Arc::new(world.slow(4));
        let sandbox = Sandbox::new();
        let request = SyncRequest {
            workers,
            ..sandbox.request()
        };
        sandbox.run(&world, request).await.expect("complete");
        assert_eq!(world.most_in_flight(), most, "{workers:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_does_not_depend_on_timing() {
    let mut found = Vec::new();
    for seed in 0..6 {
        let world = tangled().slow(seed).hooked(|list, _, _| {
            let refused = ["user<folder:b", "grants group:g1", "grants user:u3"];
            refused
                .iter()
                .any(|gone| list.ends_with(gone))
                .then(|| Twist::Fail(Refusal::stated(Code::PermissionDenied, "no")))
        });
        let sandbox = Sandbox::new();
        let report = sandbox.sync(world).await;
        found.push((report.skipped, rows(&sandbox.partial())));
    }
    assert_eq!(found[0].0.len(), 3);
    assert!(found.windows(2).all(|pair| pair[0] == pair[1]));
}

#[tokio::test(flavor = "multi_thread")]
async fn real_threads_give_the_same_rows() {
    let expected = rows_with(tangled(), Workers::Sequential).await;
    for _ in 0..5 {
        assert_eq!(rows_with(tangled(), Workers::Auto).await, expected);
    }
}
