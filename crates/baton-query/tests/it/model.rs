//! Random organizations whose ids and names overlap, against a plain model: a
//! list that is looked through for each question.

use baton_proto::c1::connector::v2;
use baton_query::{Error, SyncFile};
use proptest::prelude::*;

use crate::support::{FORMATS, World, member, resource, user};

/// What a look-up ends with: an id, or how many objects it could be.
#[derive(Debug, PartialEq)]
enum Answer {
    Id(String),
    Several(u64),
    None,
}

fn answer(result: Result<String, Error>) -> Answer {
    match result {
        Ok(id) => Answer::Id(id),
        Err(Error::Ambiguous(ambiguous)) => Answer::Several(ambiguous.total),
        Err(Error::NotFound(_)) => Answer::None,
        Err(e) => panic!("{e}"),
    }
}

/// The model: ids first, then names.
fn expected<'o>(
    wanted: &str,
    objects: impl Iterator<Item = (&'o str, Vec<String>)> + Clone,
) -> Answer {
    let by_id = objects.clone().find(|(id, _)| *id == wanted);
    if let Some((id, _)) = by_id {
        return Answer::Id(id.to_owned());
    }
    let is_called = |(_, names): &(&str, Vec<String>)| names.iter().any(|name| name == wanted);
    let called: Vec<_> = objects.filter(is_called).collect();
    match &called[..] {
        [] => Answer::None,
        [(id, _)] => Answer::Id((*id).to_owned()),
        several => Answer::Several(several.len() as u64),
    }
}

fn without_empty(names: impl IntoIterator<Item = String>) -> Vec<String> {
    names.into_iter().filter(|name| !name.is_empty()).collect()
}

fn user_names(world: &World) -> Vec<(&str, Vec<String>)> {
    let users = world.resources.iter().filter_map(|it| {
        let id = it.id.as_ref()?;
        (id.resource_type == "user").then_some((&*id.resource, &it.display_name))
    });
    let names = |(id, name): (&'_ str, &String)| {
        let mut names = without_empty([name.clone()]);
        let behind_type: Vec<_> = names.iter().map(|name| format!("user:{name}")).collect();
        names.extend(behind_type);
        names.extend([
            format!("user:{id}"),
            format!("{id}@x"),
            format!("l{id}"),
            format!("l{id}-alias"),
        ]);
        names
    };
    users.map(|(id, name)| (id, names((id, name)))).collect()
}

fn entitlement_names(world: &World) -> Vec<(&str, Vec<String>)> {
    let of = |entitlement: &v2::Entitlement| {
        let id = entitlement.resource.as_ref().unwrap().id.clone().unwrap();
        let stored = world
            .resources
            .iter()
            .find(|it| it.id.as_ref() == Some(&id));
        let resource = without_empty([id.resource, stored.unwrap().display_name.clone()]);
        let last = without_empty([entitlement.slug.clone(), entitlement.display_name.clone()]);
        let mut names = without_empty([entitlement.display_name.clone()]);
        for resource in &resource {
            for last in &last {
                names.push(format!("{resource}:{last}"));
                names.push(format!("group:{resource}:{last}"));
            }
        }
        names
    };
    let all = world.entitlements.iter();
    all.map(|it| (&*it.id, of(it))).collect()
}

prop_compose! {
    fn world()(
        users in prop::collection::btree_map("[ab]{1,2}", "[ab]{0,2}", 1..5),
        groups in prop::collection::btree_map("[ab]{1,2}", ("[ab]{0,2}", "[a:]{0,3}", "[ab:]{0,5}"), 1..5),
    ) -> World {
        let mut world = World {
            types: vec!["group", "user"],
            ..World::default()
        };
        for (id, name) in &users {
            world.resources.push(user(id, name, &format!("{id}@x"), &format!("l{id}")));
        }
        for (id, (name, slug, shown)) in &groups {
            world.resources.push(resource("group", id, name));
            world.entitlements.push(v2::Entitlement {
                slug: slug.clone(),
                ..member(id, shown)
            });
        }
        world
    }
}

fn check(world: &World, file: &SyncFile, wanted: &[String]) {
    let users = user_names(world);
    let entitlements = entitlement_names(world);
    let named = users
        .iter()
        .chain(&entitlements)
        .flat_map(|(_, names)| names);
    for wanted in wanted.iter().chain(named) {
        let found = answer(
            file.principal("user", wanted)
                .map(|it| it.id.unwrap().resource),
        );
        assert_eq!(
            found,
            expected(wanted, users.iter().cloned()),
            "user {wanted}"
        );
        let found = answer(file.entitlement(wanted).map(|it| it.id));
        assert_eq!(
            found,
            expected(wanted, entitlements.iter().cloned()),
            "{wanted}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn look_ups_agree_with_a_plain_search(
        world in world(), wanted in prop::collection::vec("[ab:]{1,5}", 10),
    ) {
        for format in FORMATS {
            check(&world, &world.file(format).open(), &wanted);
        }
    }
}
