//! Secrets and ConfigMaps as targets.

use kube::ResourceExt as _;
use kube::api::{DeleteParams, Patch, PatchParams};
use penstock_adapters::kubernetes::{ApiServer, ApiServerLimits, KubernetesTargets};
use penstock_domain::conditions::Reason;
use penstock_domain::fault::{Fault, FaultClass};
use penstock_domain::names::Key;
use penstock_domain::ports::{Observation, Targets as _};
use penstock_domain::secret::SecretValue;
use penstock_domain::sync::{Destination, SecretType};
use penstock_domain::testing::contract::target::{CASES, OBJECT_CASES, TargetWorld as _};
use penstock_testbed::{Failure, ServiceAccountName, eventually};
use serde_json::json;

use super::super::SOON;
use super::world::{World, config_map, data, secret, world};
use super::{Cases, Corner, Outcome, testbed};

#[tokio::test]
async fn the_contract_of_targets_holds() -> Outcome {
    let Some(testbed) = testbed().await? else {
        return Ok(());
    };
    let mut cases = Cases::default();
    for case in CASES.iter().chain(OBJECT_CASES) {
        let world = World::new(Corner::new(testbed, "target").await?);
        cases.spawn(case.name, async move { (case.run)(&world).await });
    }
    cases.join().await
}

#[tokio::test]
async fn a_write_is_one_request_unless_somebody_co_owns_what_goes() -> Outcome {
    let Some(world) = world("target").await? else {
        return Ok(());
    };
    for target in [secret("a")?, config_map("a")?] {
        let two = data(&[("A", b"1"), ("B", b"2")])?;
        let one = data(&[("A", b"1")])?;
        world.corner.proxy.reset();
        world.write(&target, &two, &[]).await?;
        assert_eq!(world.writes(), 1, "created");
        world.write(&target, &one, &["B"]).await?;
        assert_eq!(world.writes(), 2, "dropped a key");
        world.write(&target, &two, &[]).await?;
        let by_hand = SecretValue::from("by hand");
        world
            .edit(&target.destination, &Key::new("B")?, Some(&by_hand))
            .await;
        world.corner.proxy.reset();
        world.write(&target, &one, &["B"]).await?;
        assert_eq!(world.writes(), 2, "dropped a key that somebody co-owns");
    }
    Ok(())
}

#[tokio::test]
async fn a_key_of_a_config_map_changes_from_text_to_bytes_and_back_whoever_co_owns_it() -> Outcome {
    let Some(world) = world("target").await? else {
        return Ok(());
    };
    let target = config_map("a")?;
    let text = data(&[("K", b"text"), ("OTHER", b"text")])?;
    let bytes = data(&[("K", b"\xff\x00"), ("OTHER", b"\xfe")])?;
    world.write(&target, &text, &[]).await?;
    for content in [&bytes, &text, &bytes] {
        let by_hand = if content == &bytes {
            &b"by hand"[..]
        } else {
            b"\xfd"
        };
        let by_hand = SecretValue::new(by_hand);
        world
            .edit(&target.destination, &Key::new("K")?, Some(&by_hand))
            .await;
        world.write(&target, content, &[]).await?;
        match world.observe(&target).await? {
            Observation::Present(object) => assert!(object.data == *content),
            Observation::Absent => panic!("the ConfigMap is there"),
        }
    }
    Ok(())
}

#[tokio::test]
async fn adopting_strips_the_copy_of_old_values_and_keeps_everything_else() -> Outcome {
    let Some(world) = world("target").await? else {
        return Ok(());
    };
    let last_applied = "kubectl.kubernetes.io/last-applied-configuration";
    let object = json!({"apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": "a", "labels": {"team": "x"}, "finalizers": ["example.com/keep"],
            "annotations": {last_applied: "{\"data\":{\"K\":\"b2xk\"}}", "note": "stays"}},
        "data": {"K": "b2xk", "THEIRS": "AP8="}});
    world.corner.namespace.apply(&object.to_string()).await?;
    let target = secret("a")?;
    world.write(&target, &data(&[("K", b"new")])?, &[]).await?;
    let secret = world.secrets().get("a").await?;
    assert_eq!(secret.annotations().get(last_applied), None);
    assert_eq!(secret.annotations()["note"], "stays");
    assert_eq!(secret.labels()["team"], "x");
    assert_eq!(secret.finalizers(), ["example.com/keep"]);
    let data = secret.data.unwrap_or_default();
    assert_eq!(data["THEIRS"].0, [0, 255]);
    assert_eq!(data["K"].0, b"new");
    Ok(())
}

#[tokio::test]
async fn what_is_written_has_no_owner_and_a_field_manager_of_its_own() -> Outcome {
    let Some(world) = world("target").await? else {
        return Ok(());
    };
    world
        .write(&secret("a")?, &data(&[("K", b"1")])?, &[])
        .await?;
    let secret = world.secrets().get("a").await?;
    assert!(secret.metadata.owner_references.is_none());
    let managers: Vec<_> = secret.managed_fields().iter().collect();
    assert_eq!(managers.len(), 1);
    let manager = managers[0].manager.as_deref().unwrap_or_default();
    assert!(manager.starts_with("penstock-"), "{manager}");
    assert_eq!(managers[0].operation.as_deref(), Some("Apply"));
    Ok(())
}

#[tokio::test]
async fn a_foreign_change_is_told_with_its_time_and_our_own_writes_are_none() -> Outcome {
    let Some(world) = world("target").await? else {
        return Ok(());
    };
    let target = secret("a")?;
    world
        .write(&target, &data(&[("K", b"1"), ("L", b"1")])?, &[])
        .await?;
    let seen = async || match world.observe(&target).await {
        Ok(Observation::Present(object)) => object.foreign_change,
        _ => None,
    };
    assert_eq!(seen().await, None);
    let by_hand = SecretValue::from("by hand");
    world
        .edit(&target.destination, &Key::new("K")?, Some(&by_hand))
        .await;
    assert!(seen().await.is_some());
    Ok(())
}

#[tokio::test]
async fn a_type_without_its_keys_is_refused_before_anything_is_made() -> Outcome {
    let Some(world) = world("target").await? else {
        return Ok(());
    };
    let mut target = secret("a")?;
    if let Destination::Secret(secret) = &mut target.destination {
        secret.secret_type = SecretType::Tls;
    }
    let outcome = world
        .write(&target, &data(&[("K", b"hunter2")])?, &[])
        .await;
    let failure = outcome.unwrap_err();
    let fault = failure.downcast_ref::<Fault>();
    assert_eq!(fault.map(|fault| &fault.class), Some(&FaultClass::Invalid));
    assert!(!failure.to_string().contains("hunter2"));
    assert_eq!(world.observe(&target).await?, Observation::Absent);
    Ok(())
}

#[tokio::test]
async fn a_dying_namespace_takes_nothing_new() -> Outcome {
    let Some(world) = world("target").await? else {
        return Ok(());
    };
    let held = json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "held", "finalizers": ["example.com/hold"]}});
    world.corner.namespace.apply(&held.to_string()).await?;
    world.corner.namespace.delete().await?;
    let target = secret("a")?;
    let refused = eventually("the namespace is being deleted", SOON, || async {
        match world.write(&target, &data(&[("K", b"1")])?, &[]).await {
            Err(failure) => Ok(failure),
            Ok(_) => Err(Failure::because("written")),
        }
    });
    let failure = refused.await?;
    let fault = failure.downcast_ref::<Fault>();
    assert_eq!(
        fault.map(|fault| (&fault.class, fault.reason)),
        Some((&FaultClass::Denied, Reason::TargetTerminating))
    );
    let release = Patch::Merge(json!({"metadata": {"finalizers": null}}));
    let plain = PatchParams::default();
    world.config_maps().patch("held", &plain, &release).await?;
    Ok(())
}

#[tokio::test]
async fn an_object_that_is_being_deleted_says_so() -> Outcome {
    let Some(world) = world("target").await? else {
        return Ok(());
    };
    let held = json!({"apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": "a", "finalizers": ["example.com/hold"]}});
    world.corner.namespace.apply(&held.to_string()).await?;
    world
        .secrets()
        .delete("a", &DeleteParams::default())
        .await?;
    match world.observe(&secret("a")?).await? {
        Observation::Present(object) => assert!(object.terminating),
        Observation::Absent => panic!("the finalizer holds it"),
    }
    Ok(())
}

#[tokio::test]
async fn who_may_not_write_is_told_which_verb_is_missing() -> Outcome {
    let Some(testbed) = testbed().await? else {
        return Ok(());
    };
    let corner = Corner::new(testbed, "target").await?;
    let nobody = ServiceAccountName::new(corner.name.as_str(), "nobody");
    let account =
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "nobody"}});
    corner.namespace.apply(&account.to_string()).await?;
    let token = nobody.token(corner.namespace.client(), &[]).await?;
    let client = testbed.control_plane.endpoint().client(&token).await?;
    let targets = KubernetesTargets::new(ApiServer::new(client, ApiServerLimits::default()));
    let sync = corner.sync("sync")?;
    let fault = targets.observe(&sync, &secret("a")?).await.unwrap_err();
    assert_eq!(fault.class, FaultClass::Denied);
    assert!(fault.to_string().contains("`get` on `secrets`"), "{fault}");
    Ok(())
}
