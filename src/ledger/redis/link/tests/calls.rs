//! Calls on a server that is well.

use super::*;

#[tokio::test]
async fn calls_are_written_in_the_order_of_run() {
    let server = RedisServer::start(&[]);
    let (link, _) = open(settings(server.port()));
    let runs: Vec<_> = (0..1_000)
        .map(|n| link.run(call(APPEND, partition(3), "list", &[&n.to_string()], 5_000)))
        .collect();
    for (place, outcome) in futures_util::future::join_all(runs).await.into_iter().enumerate() {
        assert_eq!(outcome, Outcome::Done(Value::Int(i64::try_from(place).unwrap() + 1)));
    }
    let list: Vec<usize> = redis::from_redis_value(server.command(&[
        b"LRANGE",
        &key(partition(3), "list"),
        b"0",
        b"-1",
    ]))
    .unwrap();
    assert!(list.into_iter().eq(0..1_000));
}

#[tokio::test]
async fn calls_of_one_turn_share_a_write() {
    let server = RedisServer::start(&[]);
    let (link, _) = open(settings(server.port()));
    until(&link, "it is there", done).await;
    let reads = || -> u64 {
        let told: String = server.say("INFO stats");
        let line = told.lines().find_map(|line| line.strip_prefix("total_reads_processed:"));
        line.unwrap().parse().unwrap()
    };
    let before = reads();
    let runs: Vec<_> =
        (0..100).map(|_| link.run(call(COUNT, partition(417), "n", &[], 5_000))).collect();
    assert!(futures_util::future::join_all(runs).await.iter().all(done));
    let took = reads() - before;
    assert!(took <= 5, "{took} reads for 100 calls, the look at them included");
}

#[tokio::test]
async fn a_call_that_nobody_waits_for_is_made_all_the_same() {
    let server = RedisServer::start(&[]);
    let (link, _) = open(settings(server.port()));
    drop(link.run(call(COUNT, partition(417), "n", &[], 5_000)));
    assert_eq!(count(&link, 5_000).await, Outcome::Done(Value::Int(2)));
}

#[tokio::test]
async fn scripts_that_were_flushed_are_loaded_again() {
    let server = Arc::new(RedisServer::start(&[]));
    let (link, _) = open(settings(server.port()));
    let (flushed, stop) = (Arc::clone(&server), Arc::<AtomicU64>::default());
    let stopped = Arc::clone(&stop);
    let flusher = crate::seam::thread("flusher", move || {
        while stopped.load(Ordering::SeqCst) == 0 {
            flushed.command(&[b"SCRIPT", b"FLUSH"]);
            std::thread::sleep(Duration::from_millis(50));
        }
    });
    let mut made = 0;
    for _ in 0..100 {
        let runs: Vec<_> =
            (0..40).map(|_| link.run(call(COUNT, partition(417), "n", &[], 5_000))).collect();
        for outcome in futures_util::future::join_all(runs).await {
            assert!(done(&outcome), "{outcome:?}");
            made += 1;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    stop.store(1, Ordering::SeqCst);
    flusher.unwrap().join().unwrap();
    assert_eq!(number(&server, &key(partition(417), "n")), made);
}

#[tokio::test]
async fn plain_commands_and_every_primary() {
    let server = RedisServer::start(&[]);
    let (link, _) = open(settings(server.port()));
    let words = |words: &[&[u8]]| words.iter().map(|word| word.to_vec()).collect::<Vec<_>>();
    let what = What::Command(words(&[b"SET", &key(partition(1), "a"), b"7"]));
    let set = link.run(Call { what, partition: partition(1), deadline_ms: 5_000 }).await;
    assert_eq!(set, Outcome::Done(Value::Okay));
    let all = link.everywhere(words(&[b"DBSIZE"]), 5_000).await;
    let name = format!("127.0.0.1:{}", server.port());
    assert_eq!(all, [(name, Outcome::Done(Value::Int(1)))]);
    assert!(server.say::<String>("CLIENT LIST").contains("name=tollgate "));
}

#[tokio::test]
async fn a_login_and_a_database() {
    let user = "user tollgate on >se$cret ~t:* +@all";
    let server = RedisServer::start(&[user]);
    let mut settings = settings(server.port());
    let address = Address { host: "localhost".to_owned(), port: server.port() };
    settings.topology = Topology::Single { address, database: 3 };
    settings.login =
        Login { user: Some("tollgate".to_owned()), password: Some("se$cret".to_owned()) };
    let (link, _) = open(settings);
    assert_eq!(count(&link, 5_000).await, Outcome::Done(Value::Int(1)));
    assert!(!format!("{link:?} {:?}", link.0.shared.settings).contains("se$cret"));
    assert!(server.say::<String>("INFO keyspace").contains("db3:keys=1"));
}

#[tokio::test]
async fn what_a_script_does_wrong_is_broken() {
    let server = RedisServer::start(&[]);
    let (link, _) = open(settings(server.port()));
    let outcome = link.run(call(FAIL, partition(1), "a", &[], 5_000)).await;
    assert!(matches!(&outcome, Outcome::Broken(why) if why.contains("script")), "{outcome:?}");
    server.command(&[b"RPUSH", &key(partition(417), "n"), b"x"]);
    let outcome = count(&link, 5_000).await;
    assert!(matches!(&outcome, Outcome::Broken(why) if why.contains("WRONGTYPE")), "{outcome:?}");
}

#[tokio::test]
async fn more_calls_than_there_is_room_for_are_refused() {
    let server = RedisServer::start(&[]);
    let (link, _) = open(settings(server.port()));
    let calls = job::ROOM + 100;
    let runs: Vec<_> =
        (0..calls).map(|_| link.run(call(COUNT, partition(417), "n", &[], 20_000))).collect();
    let outcomes = futures_util::future::join_all(runs).await;
    let made = outcomes.iter().filter(|outcome| done(outcome)).count();
    assert_eq!(made, job::ROOM);
    not_done(outcomes[calls - 1].clone(), "too many");
    assert_eq!(number(&server, &key(partition(417), "n")), u64::try_from(made).unwrap());
}
