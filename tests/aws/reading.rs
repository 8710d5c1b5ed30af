//! Folders, versions, tags and deletions, as moto has them.

use std::collections::BTreeMap;

use penstock_domain::fault::FaultClass;
use penstock_domain::items::StoreItems;
use penstock_domain::secret::SecretValue;
use penstock_domain::sync::ValidatedSource;
use serde_json::json;

use super::Outcome;
use super::server::Moto;
use super::world::{Kind, item_place, lines, read, registry, source};

fn folder(path: &str) -> ValidatedSource {
    source(&format!("{path}/"))
}

fn pinned(path: &str, version: &str) -> ValidatedSource {
    ValidatedSource {
        version: Some(version.to_owned()),
        ..source(path)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn secrets_are_read_by_folder_version_and_tag() -> Outcome {
    let Some(moto) = Moto::start().await? else {
        return Ok(());
    };
    for number in 0..45 {
        moto.put_secret(&format!("apps/many/{number:02}"), "v")
            .await;
    }
    for (name, value) in [
        ("apps/db", "one"),
        ("/apps/rooted", "r"),
        ("apps-evil/x", "evil"),
        ("apps/gone", "x"),
    ] {
        moto.put_secret(name, value).await;
    }
    moto.put_secret("apps/db", "two\n").await;
    let tags = json!({"SecretId": "apps/db", "Tags": [{"Key": "env", "Value": "prod"}]});
    moto.call("secretsmanager.TagResource", tags).await;
    moto.call(
        "secretsmanager.DeleteSecret",
        json!({"SecretId": "apps/gone"}),
    )
    .await;
    let registry = registry(&moto, Kind::SecretsManager);

    let flat = read(&registry, &folder("apps")).await?;
    assert_eq!(lines(&flat), ["apps db=two\n", "apps rooted=r"]);
    assert_eq!(flat.entries[0].tags, ["env=prod".to_owned()].into());
    let many = read(&registry, &folder("apps/many")).await?;
    assert_eq!(many.entries.len(), 45);
    let before = read(&registry, &pinned("apps/db", "AWSPREVIOUS")).await?;
    assert_eq!(lines(&before), ["apps db=one"]);
    let id = before.entries[0].version.clone().unwrap();
    let by_id = read(&registry, &pinned("apps/db", &id)).await?;
    assert_eq!(lines(&by_id), ["apps db=one"]);
    for path in ["apps/never", "apps/gone"] {
        let fault = read(&registry, &source(path)).await.unwrap_err();
        assert_eq!(fault.class, FaultClass::NotFound, "{path}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parameters_are_read_by_path_number_and_label() -> Outcome {
    let Some(moto) = Moto::start().await? else {
        return Ok(());
    };
    for number in 0..25 {
        let name = format!("/app/many/{number:02}");
        moto.put_parameter(&name, "SecureString", "v").await;
    }
    for (name, kind, value) in [
        ("/app/db", "SecureString", "one"),
        ("/app/db", "SecureString", "two"),
        ("/app/list", "StringList", "a,b"),
        ("/app-evil/x", "String", "evil"),
        ("plain", "String", "p"),
    ] {
        moto.put_parameter(name, kind, value).await;
    }
    let label = json!({"Name": "/app/db", "ParameterVersion": 1, "Labels": ["stable"]});
    moto.call("AmazonSSM.LabelParameterVersion", label).await;
    let registry = registry(&moto, Kind::ParameterStore);

    let flat = read(&registry, &folder("app")).await?;
    assert_eq!(lines(&flat), ["app db=two", "app list=a,b"]);
    let many = read(&registry, &folder("app/many")).await?;
    assert_eq!(many.entries.len(), 25);
    for version in ["1", "stable"] {
        let one = read(&registry, &pinned("app/db", version)).await?;
        assert_eq!(lines(&one), ["app db=one"], "{version}");
    }
    assert_eq!(
        lines(&read(&registry, &source("plain")).await?),
        [" plain=p"]
    );
    let fault = read(&registry, &source("app/never")).await.unwrap_err();
    assert_eq!(fault.class, FaultClass::NotFound);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parameters_of_a_folder_are_set_for_people() -> Outcome {
    let Some(moto) = Moto::start().await? else {
        return Ok(());
    };
    moto.put_parameter("/shop/LIST", "StringList", "a,b").await;
    moto.put_parameter("/shop/KEPT", "SecureString", "k").await;
    moto.put_parameter("/shop/below/X", "String", "x").await;
    let registry = registry(&moto, Kind::ParameterStore);
    let place = item_place("shop");
    let seen = StoreItems::read(&registry, &place).await?;
    assert_eq!(seen.keys.keys().collect::<Vec<_>>(), ["KEPT", "LIST"]);
    let keys: BTreeMap<String, SecretValue> = [("LIST", "c"), ("NEW", "n\n")]
        .map(|(name, value)| (name.to_owned(), SecretValue::from(value)))
        .into();
    registry.set(&place, &keys, &seen.state).await?;
    let now = read(&registry, &folder("shop")).await?;
    assert_eq!(lines(&now), ["shop KEPT=k", "shop LIST=c", "shop NEW=n\n"]);
    let described = json!({"Name": "/shop/NEW", "WithDecryption": false});
    let described = moto.call("AmazonSSM.GetParameter", described).await;
    assert_eq!(described["Parameter"]["Type"], "SecureString");
    let again = registry.set(&place, &keys, &seen.state).await.unwrap_err();
    assert_eq!(again.class, FaultClass::Conflict);
    let names = registry.list(&place).await?;
    assert_eq!(names, ["KEPT", "LIST", "NEW", "below/"]);
    Ok(())
}
