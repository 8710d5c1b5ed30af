//! Every kind of account, and what becomes of a login that is refused or ends.

use std::time::Duration;

use penstock_domain::conditions::Reason;
use penstock_fakes::bitwarden::{Behaviour, Flavour};

use super::*;

#[tokio::test]
async fn every_kind_of_account_and_server_is_opened() {
    let argon2 = Kdf::Argon2id {
        iterations: 2,
        memory: 16,
        parallelism: 1,
    };
    let behaviours: [fn(&mut Behaviour); 5] = [
        |_| (),
        |it| it.flavour = Flavour::Vaultwarden,
        |it| it.capitals = true,
        |it| it.nested_only = true,
        |it| it.keys_in_sync_only = true,
    ];
    for kdf in [Kdf::Pbkdf2(5000), argon2] {
        let lab = Lab::with(kdf, Listen::Http).await;
        lab.folder("app", &[("DB", "one")]);
        for behaviour in behaviours {
            lab.fake.model().behaviour = Behaviour::default();
            behaviour(&mut lab.fake.model().behaviour);
            let store = lab.open().await;
            if let Err(failure) = read(&store, "app").await {
                // Ours is the pace, not the server's refusal: five kinds, two accounts.
                panic!("{}", failure.fault);
            }
        }
        assert_eq!(lab.fake.logins(), 5);
    }
}

#[tokio::test]
async fn https_is_verified_against_the_given_authority() {
    let lab = Lab::with(Kdf::Pbkdf2(5000), Listen::Https).await;
    lab.folder("app", &[("DB", "one")]);
    let store = lab.open().await;
    assert_eq!(lines(&read(&store, "app").await.unwrap()), ["app DB=one"]);
    let mut provider = lab.provider();
    provider.ca_bundle = None;
    let store = open_store(&store_object(provider)).await.unwrap();
    let failure = read(&store, "app").await.unwrap_err();
    assert!(
        failure.fault.message.contains("certificate"),
        "{}",
        failure.fault
    );
    assert!(failure.blames_credentials);
}

#[tokio::test]
async fn a_hundred_readers_of_ten_folders_share_one_login_and_few_reads() {
    let lab = Lab::new().await;
    for number in 0..10 {
        lab.folder(&format!("f{number}"), &[("K", "1")]);
    }
    let store = lab.open().await;
    let paths: Vec<_> = (0..100).map(|number| format!("f{}", number % 10)).collect();
    let answers = futures::future::join_all(paths.iter().map(|path| read(&store, path))).await;
    assert!(answers.iter().all(Result::is_ok));
    assert_eq!(lab.fake.logins(), 1);
    assert!(lab.syncs() <= 2, "{}", lab.syncs());
}

#[tokio::test]
async fn a_refused_login_is_told_and_never_reaches_the_limit() {
    let lab = Lab::new().await;
    lab.folder("app", &[("K", "1")]);
    let store = lab.open().await;
    let change = |secret: &str| {
        for account in lab.fake.model().accounts.values_mut() {
            secret.clone_into(&mut account.client_secret);
        }
    };
    change("another");
    for flavour in [Flavour::Official, Flavour::Vaultwarden] {
        lab.fake.model().behaviour.flavour = flavour;
        tokio::time::pause();
        for _ in 0..60 {
            tokio::time::resume();
            let failure = read(&store, "app").await.unwrap_err();
            tokio::time::pause();
            assert_eq!(failure.fault.reason, Reason::CredentialsRefused);
            assert!(failure.blames_credentials);
            assert!(!format!("{failure:?}").contains("hunter2"));
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        tokio::time::resume();
    }
    assert!(
        (2..=4).contains(&lab.fake.logins()),
        "{}",
        lab.fake.logins()
    );
    change("hunter2-secret");
    tokio::time::pause();
    tokio::time::advance(Duration::from_mins(2)).await;
    tokio::time::resume();
    read(&store, "app").await.unwrap();
}

#[tokio::test]
async fn a_wrong_master_password_is_told_from_a_wrong_api_key() {
    let lab = Lab::new().await;
    lab.folder("app", &[("K", "1")]);
    let mut provider = lab.provider();
    provider.master_password_ref = secret_ref("wrong");
    let store = open_store(&store_object(provider)).await.unwrap();
    for _ in 0..20 {
        let failure = read(&store, "app").await.unwrap_err();
        assert_eq!(failure.fault.reason, Reason::CredentialsRefused);
        assert!(failure.fault.message.contains("master password"));
        assert!(failure.blames_credentials);
        assert!(!format!("{failure:?}").contains("hunter2"));
    }
    assert_eq!(lab.fake.logins(), 1);
}

#[tokio::test]
async fn a_password_that_is_changed_closes_the_vault_at_once() {
    let lab = Lab::new().await;
    lab.folder("app", &[("K", "1")]);
    let store = lab.open().await;
    read(&store, "app").await.unwrap();
    lab.edit(|model, owner| owner.change_password(model, "another").unwrap());
    let failure = read(&store, "app").await.unwrap_err();
    assert!(
        failure.fault.message.contains("master password"),
        "{}",
        failure.fault
    );
}

#[tokio::test]
async fn a_stamp_that_changes_makes_a_new_login_though_the_token_lives() {
    let lab = Lab::new().await;
    lab.folder("app", &[("K", "1")]);
    let store = lab.open().await;
    read(&store, "app").await.unwrap();
    for account in lab.fake.model().accounts.values_mut() {
        account.security_stamp = "new".to_owned();
    }
    read(&store, "app").await.unwrap();
    assert_eq!(lab.fake.logins(), 2);
    read(&store, "app").await.unwrap();
    assert_eq!(lab.fake.logins(), 2);
}

#[tokio::test]
async fn a_dead_token_is_replaced_once_for_all_readers() {
    let lab = Lab::new().await;
    lab.folder("app", &[("K", "1")]);
    let store = lab.open().await;
    read(&store, "app").await.unwrap();
    for (logins, flavour) in [(2, Flavour::Official), (3, Flavour::Vaultwarden)] {
        lab.fake.model().behaviour.flavour = flavour;
        lab.fake.model().revoke_all();
        let answers = futures::future::join_all((0..20).map(|_| read(&store, "app"))).await;
        assert!(answers.iter().all(Result::is_ok));
        assert_eq!(lab.fake.logins(), logins);
    }
}

#[tokio::test]
async fn a_token_that_ends_is_replaced_before_anybody_is_refused() {
    let lab = Lab::new().await;
    lab.folder("app", &[("K", "1")]);
    let store = lab.open().await;
    read(&store, "app").await.unwrap();
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(3599)).await;
    tokio::time::resume();
    read(&store, "app").await.unwrap();
    assert_eq!(lab.fake.logins(), 2);
}

#[tokio::test]
async fn twenty_stores_at_one_server_stay_below_its_limit() {
    let lab = Lab::new().await;
    lab.folder("app", &[("K", "1")]);
    let mut throttled = 0;
    for _ in 0..20 {
        let store = lab.open().await;
        if let Err(failure) = read(&store, "app").await {
            assert_eq!(failure.fault.reason, Reason::Throttled);
            assert!(failure.fault.retry_after().unwrap() <= Duration::from_mins(1));
            throttled += 1;
        }
    }
    assert_eq!((lab.fake.logins(), throttled), (5, 15));
}

#[tokio::test]
async fn who_is_asked_for_a_second_factor_is_told_what_to_use() {
    let lab = Lab::new().await;
    lab.fake.model().behaviour.two_factor = true;
    let store = lab.open().await;
    let failure = read(&store, "app").await.unwrap_err();
    assert_eq!(failure.fault.reason, Reason::CredentialsRefused);
    assert!(failure.fault.hint.unwrap().contains("personal API key"));
}

#[tokio::test]
async fn a_server_that_asks_for_too_much_work_is_refused() {
    let lab = Lab::new().await;
    for account in lab.fake.model().accounts.values_mut() {
        account.kdf = Kdf::Argon2id {
            iterations: 3,
            memory: 4096,
            parallelism: 4,
        };
    }
    let store = lab.open().await;
    let failure = read(&store, "app").await.unwrap_err();
    assert_eq!(failure.fault.class, FaultClass::Invalid);
    assert!(
        failure.fault.message.contains("memory"),
        "{}",
        failure.fault
    );
}

#[tokio::test]
async fn nothing_is_kept_once_the_store_is_closed() {
    let lab = Lab::new().await;
    lab.folder("app", &[("K", "1")]);
    let store = lab.open().await;
    read(&store, "app").await.unwrap();
    let keys = Arc::downgrade(&store.vault().client().login().unlocked().unwrap());
    store.close().await;
    assert!(
        keys.upgrade().is_none(),
        "the keys are dropped, and zeroed with it"
    );
}
