//! Notifications: heard at once, and a gap is told of.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use penstock_domain::fault::FaultClass;
use penstock_domain::names::NamespaceName;
use penstock_domain::stores::{Capability, StoreNotices, StoreProbe};
use penstock_domain::sync::StoreReference;
use penstock_testbed::{Failure, Postgres, ToolSet, Tools, eventually, keeper};
use serde_json::json;
use tokio::sync::Notify;

use super::{Case, Outcome, SOON, server, settings};

#[derive(Default)]
struct Heard {
    count: AtomicUsize,
    more: Notify,
}

impl StoreNotices for Heard {
    fn changed(&self, home: &NamespaceName, store: &StoreReference) {
        assert_eq!((home.as_str(), store.name.as_str()), ("prod", "db"));
        self.count.fetch_add(1, Ordering::SeqCst);
        self.more.notify_one();
    }
}

impl Heard {
    fn count(&self) -> usize {
        self.count.load(Ordering::SeqCst)
    }

    async fn beyond(&self, count: usize) -> Outcome {
        let waiting = async {
            while self.count() <= count {
                self.more.notified().await;
            }
        };
        tokio::time::timeout(SOON, waiting)
            .await
            .map_err(|_| Failure::because("nothing was heard"))?;
        Ok(())
    }
}

async fn listening(server: &Postgres) -> Result<(Case, Arc<Heard>), Failure> {
    let case = Case::new(server, settings()).await?;
    case.settings(&[("A", "1")]).await?;
    let case = case.changed(json!({"notify": {"channel": "Settings \"changed\""}}));
    let heard = Arc::new(Heard::default());
    case.registry.tell(Arc::clone(&heard) as _);
    let can = case.registry.check(&case.store).await?;
    assert!(can.contains(&Capability::Notify));
    // Whoever begins to listen may have missed something.
    heard.beyond(0).await?;
    Ok((case, heard))
}

#[tokio::test]
async fn a_notification_is_heard_at_once_and_others_are_not() -> Outcome {
    let Some(server) = server().await? else {
        return Ok(());
    };
    let (case, heard) = Box::pin(listening(server)).await?;
    let before = heard.count();
    case.run("SELECT pg_notify('settings changed', ''); SELECT pg_notify('other', '')")
        .await?;
    let begun = Instant::now();
    case.run("SELECT pg_notify('Settings \"changed\"', 'x')")
        .await?;
    heard.beyond(before).await?;
    let took = begun.elapsed();
    assert_eq!(heard.count(), before + 1);
    assert!(took < Duration::from_secs(10), "{took:?}");
    Ok(())
}

#[tokio::test]
async fn a_store_that_is_closed_listens_no_more() -> Outcome {
    let Some(server) = server().await? else {
        return Ok(());
    };
    let (case, _heard) = Box::pin(listening(server)).await?;
    let sql = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE usename = '{}' AND query LIKE 'LISTEN%'",
        case.role
    );
    assert_eq!(case.admin.text(&sql).await?.as_deref(), Some("1"));
    case.registry
        .invalidate(&case.store.home, &case.store.reference);
    let gone = eventually("the listener has gone", SOON, || async {
        let left = case.admin.text(&sql).await;
        let left = left.map_err(|error| error.to_string())?;
        if left.as_deref() == Some("0") {
            Ok(())
        } else {
            Err(format!("{left:?}"))
        }
    });
    Ok(gone.await?)
}

#[tokio::test]
async fn a_server_that_comes_back_is_listened_to_and_read_again() -> Outcome {
    if server().await?.is_none() {
        return Ok(());
    }
    let tools = Tools::find_set(ToolSet::Database)?;
    let own = Postgres::start(keeper().await?, &tools).await?;
    let (case, heard) = Box::pin(listening(&own)).await?;
    let before = heard.count();
    own.kill().await?;
    let fault = case.fault(&case.source()).await;
    assert_eq!(fault.class, FaultClass::Unavailable, "{fault}");
    own.start_again().await?;
    // What was told meanwhile is lost: the return itself is news.
    heard.beyond(before).await?;
    let again = heard.count();
    let admin = own.client(&case.role).await?;
    admin
        .run("SELECT pg_notify('Settings \"changed\"', '')")
        .await?;
    heard.beyond(again).await?;
    assert_eq!(case.lines().await?, ["/A=1"]);
    Ok(())
}

#[tokio::test]
async fn a_pooler_in_transaction_mode_is_no_place_to_listen() -> Outcome {
    let Some(server) = server().await? else {
        return Ok(());
    };
    let notify = json!({"channel": "c"});
    for changes in [
        json!({"notify": notify, "pooler": "transaction"}),
        json!({"notify": notify, "host": "aws-0-eu-central-1.pooler.supabase.com", "port": 6543}),
    ] {
        let case = Case::new(server, settings()).await?.changed(changes);
        let fault = case.registry.check(&case.store).await.unwrap_err();
        assert_eq!(fault.class, FaultClass::Invalid);
        assert!(fault.to_string().contains("session mode"), "{fault}");
    }
    Ok(())
}
