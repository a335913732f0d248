//! A primary that Sentinels name.

use super::redis_server::sentinels::{Sentinels, WATCHED};
use super::*;

fn behind(sentinels: &Sentinels) -> Settings {
    let mut settings = settings(1);
    let at = |port| Address { host: "127.0.0.1".to_owned(), port };
    settings.topology = Topology::Sentinel {
        // The first one is not there.
        sentinels: std::iter::once(1).chain(sentinels.ports()).map(at).collect(),
        login: Login::default(),
        name: WATCHED.to_owned(),
        database: 0,
    };
    settings
}

#[tokio::test]
async fn the_link_follows_the_sentinels_to_another_primary() {
    let sentinels = meanwhile(Sentinels::start).await;
    let (link, backs) = open(behind(&sentinels));
    assert_eq!(count(&link, 5_000).await, Outcome::Done(Value::Int(1)));
    assert_eq!(backs.0.load(Ordering::SeqCst), 0);
    let mut sentinels = meanwhile(move || {
        let mut sentinels = sentinels;
        sentinels.primary().wait_for_its_replica();
        sentinels.fail_over();
        sentinels
    })
    .await;
    // Until the Sentinels have told the old primary, it takes calls that are lost.
    let mut returns = link.returns();
    let back = tokio::time::timeout(Duration::from_secs(20), returns.wait_for(|count| *count > 0));
    back.await.expect("it follows").unwrap();
    assert_eq!(backs.0.load(Ordering::SeqCst), 1_024);
    let Outcome::Done(Value::Int(made)) = count(&link, 2_000).await else { panic!("not made") };
    assert!(made >= 2, "the replica had the first one");
    let key = key(partition(417), "n");
    assert_eq!(number(sentinels.primary(), &key), u64::try_from(made).unwrap());
}

#[tokio::test]
async fn the_link_survives_the_death_of_the_primary() {
    let sentinels = meanwhile(Sentinels::start).await;
    let (link, _) = open(behind(&sentinels));
    assert!(done(&count(&link, 5_000).await));
    let _sentinels = meanwhile(move || {
        let mut sentinels = sentinels;
        let before = sentinels.primary_port();
        sentinels.primary().kill_nine();
        sentinels.wait_for_another(before);
        sentinels
    })
    .await;
    until(&link, "the other is used", done).await;
    assert_eq!(*link.returns().borrow(), 1);
}

#[tokio::test]
async fn a_name_that_nobody_watches() {
    let sentinels = meanwhile(Sentinels::start).await;
    let mut settings = behind(&sentinels);
    if let Topology::Sentinel { name, .. } = &mut settings.topology {
        "other".clone_into(name);
    }
    not_done(count(&open(settings).0, 5_000).await, "does not watch");
}
