//! Which server the Sentinels name.
//!
//! Invariant: one Sentinel that was cut off from the others is outvoted; what is named must call itself a
//! primary before it is used.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::sleep;

use super::connect::{Wire, within};
use crate::ledger::redis::settings::{Address, Login, Settings};

/// How often a Sentinel is asked whether the primary is still the primary: an old one that lives on takes
/// calls that are lost.
const ASK_EVERY: Duration = Duration::from_secs(1);

/// What is watched, and by whom.
#[derive(Clone, Debug)]
pub(super) struct Watched {
    pub(super) sentinels: Vec<Address>,
    pub(super) login: Login,
    pub(super) name: String,
}

/// The servers that Sentinels name, the one that most of them name first.
pub(super) async fn candidates(
    settings: &Settings,
    watched: &Watched,
) -> Result<Vec<Address>, String> {
    let all = watched.sentinels.iter().map(|sentinel| ask(settings, watched, sentinel));
    let mut votes: Vec<(Address, usize)> = Vec::new();
    let mut why = "no Sentinel is configured".to_owned();
    for said in join_all(all).await {
        match said {
            Ok(address) => match votes.iter_mut().find(|(named, _)| *named == address) {
                Some((_, count)) => *count += 1,
                None => votes.push((address, 1)),
            },
            Err(said) => why = said,
        }
    }
    if votes.is_empty() {
        return Err(why);
    }
    votes.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    Ok(votes.into_iter().map(|(address, _)| address).collect())
}

/// Waits until the Sentinels name another server.
pub(super) async fn another(settings: &Settings, watched: &Watched, current: &Address) {
    for sentinel in watched.sentinels.iter().cycle() {
        sleep(ASK_EVERY).await;
        // One is asked; only if it disagrees, all are.
        let disagrees = |named: &Address| named != current;
        if ask(settings, watched, sentinel).await.is_ok_and(|named| disagrees(&named))
            && let Ok(all) = candidates(settings, watched).await
            && all.first().is_some_and(disagrees)
        {
            return;
        }
    }
    std::future::pending().await
}

async fn ask(settings: &Settings, watched: &Watched, at: &Address) -> Result<Address, String> {
    let name = &watched.name;
    let work = async {
        let mut wire = Wire::open(at, settings.tls.as_ref()).await?;
        wire.log_in(&watched.login, 0).await?;
        let mut question = redis::cmd("SENTINEL");
        wire.demand(question.arg("GET-MASTER-ADDR-BY-NAME").arg(name)).await
    };
    let told = |why: String| format!("no Sentinel answers: {why}");
    // One that hangs must not keep us from the others for long.
    let share = (settings.deadlines.connect_ms / 4).max(100);
    match within(share, at, work).await.map_err(told)? {
        redis::Value::Nil => Err(format!("the Sentinel {at} does not watch {name:?}")),
        value => match redis::from_redis_value::<(String, u16)>(value) {
            Ok((host, port)) => Ok(Address { host, port }),
            Err(error) => Err(format!("the Sentinel {at}: {error}")),
        },
    }
}
