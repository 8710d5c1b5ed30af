//! The contract of [`Sources`].
#![expect(clippy::unwrap_used, reason = "the contract suite is test code")]

use std::collections::BTreeMap;

use async_trait::async_trait;
use futures::future::join_all;

use crate::bundle::Snapshot;
use crate::fault::{Fault, FaultClass};
use crate::names::SyncId;
use crate::ports::{Freshness, Sources};
use crate::secret::SecretValue;
use crate::sync::ValidatedSource;

/// What lies at one place: texts by key.
pub type Content = BTreeMap<String, String>;

/// Where sources lie, and what other people do there.
#[async_trait]
pub trait SourceWorld: Send + Sync {
    /// The port.
    fn sources(&self) -> &dyn Sources;
    /// The sync that asks.
    fn sync(&self) -> SyncId;
    /// A source that reads `place` (a lower case name) and selects nothing.
    fn source(&self, place: &str) -> ValidatedSource;
    /// Somebody puts this content there, in the place of what was there before.
    async fn put(&self, place: &str, content: &Content);
    /// Somebody removes the place.
    async fn remove(&self, place: &str);
}

super::cases! { dyn SourceWorld:
    what_lies_there_is_read_byte_for_byte,
    a_hundred_keys_are_read_as_a_whole,
    an_empty_place_is_a_complete_answer,
    a_place_that_never_was_is_not_found,
    a_place_that_was_removed_is_not_found,
    a_place_that_came_back_is_read_again,
    who_asks_for_now_sees_every_change,
    two_reads_of_one_content_are_equal,
    places_of_similar_names_do_not_mix,
    readers_at_the_same_time_see_the_same,
    a_fault_holds_nothing_that_was_read,
}

fn content(pairs: &[(&str, &str)]) -> Content {
    let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    pairs.iter().map(owned).collect()
}

async fn read(world: &dyn SourceWorld, place: &str) -> Result<Snapshot, Fault> {
    let source = world.source(place);
    world
        .sources()
        .read(&world.sync(), &source, Freshness::Now)
        .await
}

async fn must_hold(world: &dyn SourceWorld, place: &str, expected: &Content) {
    let snapshot = read(world, place).await.unwrap();
    let found: BTreeMap<_, _> = snapshot
        .entries
        .iter()
        .map(|entry| (entry.name.clone(), entry.value.clone()))
        .collect();
    let expected: BTreeMap<_, _> = expected
        .iter()
        .map(|(key, value)| (key.clone(), SecretValue::from(value.as_str())))
        .collect();
    // Values do not print; the names say enough.
    assert!(found == expected, "{:?}", found.keys());
    assert_eq!(snapshot.entries.len(), expected.len(), "no key twice");
}

async fn must_be_missing(world: &dyn SourceWorld, place: &str) {
    let outcome = read(world, place).await;
    let class = outcome.map(|_| ()).unwrap_err().class;
    assert_eq!(class, FaultClass::NotFound);
}

async fn what_lies_there_is_read_byte_for_byte(world: &dyn SourceWorld) {
    let large = "x".repeat(64 * 1024);
    let lies = content(&[
        ("EMPTY", ""),
        ("NEWLINE", "-----BEGIN-----\nabc\n"),
        ("RETURN", "a\r\n\tb "),
        ("UNICODE", "Grüße, 世界 😀"),
        ("QUOTES", r#"{"a": "b\n", 'c': <&>}"#),
        ("NUMBER", "0123456789.10"),
        ("dotted.name", "x"),
        ("LARGE", &large),
    ]);
    world.put("bytes", &lies).await;
    must_hold(world, "bytes", &lies).await;
}

async fn a_hundred_keys_are_read_as_a_whole(world: &dyn SourceWorld) {
    let lies = (0..100)
        .map(|number| (format!("KEY_{number}"), number.to_string()))
        .collect();
    world.put("hundred", &lies).await;
    must_hold(world, "hundred", &lies).await;
}

async fn an_empty_place_is_a_complete_answer(world: &dyn SourceWorld) {
    world.put("empty", &Content::new()).await;
    must_hold(world, "empty", &Content::new()).await;
}

async fn a_place_that_never_was_is_not_found(world: &dyn SourceWorld) {
    must_be_missing(world, "never").await;
}

async fn a_place_that_was_removed_is_not_found(world: &dyn SourceWorld) {
    let lies = content(&[("K", "1")]);
    world.put("removed", &lies).await;
    must_hold(world, "removed", &lies).await;
    world.remove("removed").await;
    must_be_missing(world, "removed").await;
}

async fn a_place_that_came_back_is_read_again(world: &dyn SourceWorld) {
    must_be_missing(world, "later").await;
    let lies = content(&[("K", "1")]);
    world.put("later", &lies).await;
    must_hold(world, "later", &lies).await;
}

async fn who_asks_for_now_sees_every_change(world: &dyn SourceWorld) {
    for lies in [
        content(&[("A", "1"), ("B", "1")]),
        content(&[("A", "2"), ("B", "1")]),
        content(&[("A", "2")]),
        content(&[("A", "2"), ("C", "3")]),
    ] {
        world.put("changing", &lies).await;
        must_hold(world, "changing", &lies).await;
    }
}

async fn two_reads_of_one_content_are_equal(world: &dyn SourceWorld) {
    let lies = content(&[("B", "2"), ("A", "1"), ("C", "3")]);
    world.put("equal", &lies).await;
    let first = read(world, "equal").await.unwrap();
    let second = read(world, "equal").await.unwrap();
    assert!(first == second, "also in order, tags and versions");
}

async fn places_of_similar_names_do_not_mix(world: &dyn SourceWorld) {
    let (one, other) = (content(&[("K", "one")]), content(&[("K", "other")]));
    world.put("app", &one).await;
    world.put("app-evil", &other).await;
    must_hold(world, "app", &one).await;
    must_hold(world, "app-evil", &other).await;
    must_be_missing(world, "ap").await;
}

async fn readers_at_the_same_time_see_the_same(world: &dyn SourceWorld) {
    let lies = content(&[("K", "1")]);
    world.put("crowded", &lies).await;
    let answers = join_all((0..20).map(|_| read(world, "crowded"))).await;
    let first = answers.first().unwrap().as_ref().unwrap();
    assert!(answers.iter().all(|answer| answer.as_ref() == Ok(first)));
}

async fn a_fault_holds_nothing_that_was_read(world: &dyn SourceWorld) {
    world.put("secret", &content(&[("K", "hunter2")])).await;
    read(world, "secret").await.unwrap();
    world.remove("secret").await;
    let fault = read(world, "secret").await.unwrap_err();
    assert!(!format!("{fault} {fault:?}").contains("hunter2"));
}
