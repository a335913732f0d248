//! What Sentinels say.
//!
//! Invariant: each is asked by itself, so that one that is away or wrong is seen.

use std::time::Duration;

use futures_util::future::join_all;

use super::{ADVICE, connect};
use crate::ledger::finding::{Finding, UNREACHABLE};
use crate::ledger::redis::settings::{Address, Settings, Topology};

/// Each Sentinel's word: where the primary is, or why it does not say.
pub(in crate::ledger::redis) async fn ask_sentinels(
    settings: &Settings,
) -> Vec<(String, Result<Option<String>, String>)> {
    let Topology::Sentinel { sentinels, .. } = &settings.topology else { return Vec::new() };
    let asked = sentinels.iter().map(|address| async move {
        let said = ask_sentinel(settings, address).await;
        (address.to_string(), said.map(|primary| primary.map(|primary| primary.to_string())))
    });
    join_all(asked).await
}

async fn ask_sentinel(settings: &Settings, address: &Address) -> Result<Option<Address>, String> {
    let Topology::Sentinel { login, name, .. } = &settings.topology else { return Ok(None) };
    let asked = async {
        let mut connection = connect(settings, address, login, 0).await?;
        let mut ask = redis::cmd("SENTINEL");
        ask.arg("get-master-addr-by-name").arg(name);
        let said = ask.query_async::<Option<(String, u16)>>(&mut connection).await;
        said.map_err(|error| error.to_string())
    };
    let limit = Duration::from_millis(settings.deadlines.other_ms);
    match tokio::time::timeout(limit, asked).await {
        Ok(Ok(primary)) => Ok(primary.map(|(host, port)| Address { host, port })),
        Ok(Err(why)) => Err(why),
        Err(_) => Err(format!("no answer within {} ms", limit.as_millis())),
    }
}

/// The primary that the first Sentinel names that names one.
pub(super) async fn primary(settings: &Settings) -> Result<Address, Finding> {
    let Topology::Sentinel { sentinels, .. } = &settings.topology else { return Err(nobody()) };
    for sentinel in sentinels {
        if let Ok(Some(primary)) = ask_sentinel(settings, sentinel).await {
            return Ok(primary);
        }
    }
    Err(nobody())
}

fn nobody() -> Finding {
    Finding::error(UNREACHABLE, "", "no Sentinel names a primary", ADVICE)
}
