//! Creation on servers that are pretended: two of them, each with half of the partitions.

use std::collections::BTreeMap;
use std::sync::Mutex;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::*;
use crate::ledger::redis::check::Servers;

/// Keys and their values.
type Store = BTreeMap<Vec<u8>, Vec<u8>>;

/// Two servers with one store; what they have shown of it goes by cursors of their own.
#[derive(Default)]
struct Pretended {
    store: Mutex<Store>,
    /// Keys that are no ledger's, by server and page.
    pages: [Vec<Option<&'static str>>; 2],
    /// From this write on nothing is answered.
    silent_from: Option<usize>,
    writes: Mutex<usize>,
    /// What a write finds that somebody else has written meanwhile.
    raced: bool,
}

fn bulk(text: &str) -> Value {
    Value::BulkString(text.as_bytes().to_vec())
}

impl Pretended {
    fn write(&self, key: &[u8], value: &[u8]) -> Outcome {
        let mut writes = self.writes.lock().unwrap();
        *writes += 1;
        if self.silent_from.is_some_and(|from| *writes >= from) {
            return Outcome::Unknown("the connection broke".to_owned());
        }
        if self.raced {
            return Outcome::Done(Value::Nil);
        }
        self.store.lock().unwrap().insert(key.to_vec(), value.to_vec());
        Outcome::Done(Value::Okay)
    }

    fn scan(&self, server: usize, cursor: &str) -> Outcome {
        // A cursor is a page, and of the second server a hundred more: not each other's.
        let base = server * 100;
        let cursor: usize = cursor.parse().unwrap();
        let page = if cursor == 0 { 0 } else { cursor.saturating_sub(base) };
        let Some(key) = self.pages[server].get(page) else {
            return Outcome::Done(Value::Array(vec![bulk("0"), Value::Array(vec![])]));
        };
        let more = page + 1 < self.pages[server].len();
        let next = if more { (base + page + 1).to_string() } else { "0".to_owned() };
        let keys = key.iter().map(|key| bulk(key)).collect();
        Outcome::Done(Value::Array(vec![bulk(&next), Value::Array(keys)]))
    }
}

impl Servers for Pretended {
    fn run(&self, call: Call) -> BoxFuture<'static, Outcome> {
        let What::Command(words) = call.what else { panic!("a script") };
        let outcome = match words.as_slice() {
            [get, key] if get == b"GET" => {
                let value = self.store.lock().unwrap().get(key).cloned();
                Outcome::Done(value.map_or(Value::Nil, Value::BulkString))
            }
            [set, key, value, nx] if set == b"SET" && nx == b"NX" => self.write(key, value),
            other => panic!("{other:?}"),
        };
        async move { outcome }.boxed()
    }

    fn everywhere(
        &self,
        command: Vec<Vec<u8>>,
        _: u64,
    ) -> BoxFuture<'static, Vec<(String, Outcome)>> {
        assert_eq!(command[0], b"SCAN");
        assert_eq!(command[3], b"tollgate:{[0-9][0-9][0-9][0-9]}:*");
        let cursor = String::from_utf8(command[1].clone()).unwrap();
        let answer = |(server, name): (usize, &str)| (name.to_owned(), self.scan(server, &cursor));
        let answers: Vec<_> = ["a:1", "b:1"].into_iter().enumerate().map(answer).collect();
        async move { answers }.boxed()
    }
}

fn epoch() -> Epoch {
    Epoch { for_tests: false, id: [3; 16], grace_until: Timestamp(0), created: Timestamp(5) }
}

fn made(servers: &Pretended) -> Result<(), CreateError> {
    create_on(servers, &Settings::at("a", 1), epoch()).now_or_never().unwrap()
}

fn refused(result: Result<(), CreateError>) -> String {
    match result {
        Err(CreateError::Refused(say)) => say,
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_partition_gets_the_same() {
    let servers = Pretended { pages: [vec![None; 3], vec![None; 5]], ..Pretended::default() };
    assert_eq!(made(&servers), Ok(()));
    let store = servers.store.lock().unwrap().clone();
    assert_eq!(store.len(), 1_024);
    assert!(store.values().all(|value| *value == epoch().bytes()));
    assert!(store.contains_key(b"tollgate:{0417}:epoch".as_slice()));
    assert_eq!(refused(made(&servers)), "there is a ledger already");
    assert_eq!(*servers.writes.lock().unwrap(), 1_024, "a refusal writes nothing");
}

#[test]
fn a_part_of_a_ledger_is_one() {
    let servers = Pretended::default();
    assert_eq!(made(&servers), Ok(()));
    servers.store.lock().unwrap().retain(|key, _| key != b"tollgate:{0000}:epoch");
    assert!(refused(made(&servers)).contains("not whole: 1 of 1024"));
    let foreign = b"tollgate:{0001}:epoch".to_vec();
    let servers = Pretended {
        store: Mutex::new(Store::from([(foreign, b"strange".to_vec())])),
        ..Pretended::default()
    };
    assert!(refused(made(&servers)).contains("not ours to read"));
    assert_eq!(*servers.writes.lock().unwrap(), 0);
}

#[test]
fn a_trace_on_the_last_page_of_the_last_server_is_found() {
    for server in [0, 1] {
        let mut pages = [vec![None; 4], vec![None; 4]];
        pages[server][3] = Some("tollgate:{0007}:accounts");
        let servers = Pretended { pages, ..Pretended::default() };
        let say = refused(made(&servers));
        assert!(say.contains("`tollgate:{0007}:accounts` is left"), "{say}");
        assert_eq!(*servers.writes.lock().unwrap(), 0);
    }
}

#[test]
fn of_two_who_create_at_once_one_writes() {
    let servers = Pretended { raced: true, ..Pretended::default() };
    assert!(refused(made(&servers)).contains("somebody else"));
    assert_eq!(*servers.writes.lock().unwrap(), 1, "the first partition decides");
}

#[test]
fn a_creation_that_broke_off_is_said_and_is_no_ledger() {
    let mut servers = Pretended { silent_from: Some(500), ..Pretended::default() };
    let Err(CreateError::Unreachable(say)) = made(&servers) else { panic!("it was made") };
    assert!(say.contains("the connection broke") && say.contains("tollgate doctor"), "{say}");
    servers.silent_from = None;
    assert!(refused(made(&servers)).contains("not whole: 525 of 1024"));
}
