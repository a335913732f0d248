//! Servers that stop, die, refuse.

use std::future::Future;

use super::*;

/// What something returns, and how many milliseconds it took.
async fn timed<T>(work: impl Future<Output = T>) -> (T, u128) {
    let began = tokio::time::Instant::now();
    let done = work.await;
    (done, began.elapsed().as_millis())
}

#[tokio::test]
async fn nobody_there_is_said_at_once() {
    let (link, _) = open(settings(redis_server::free_port()));
    let (outcome, took) = timed(count(&link, 5_000)).await;
    not_done(outcome, "cannot be reached");
    assert!(took < 2_000, "{took} ms");
    let (outcome, took) = timed(count(&link, 5_000)).await;
    not_done(outcome, "cannot be reached");
    assert!(took < 100, "{took} ms");
}

#[tokio::test]
async fn a_server_that_stands_still_is_left_and_comes_back() {
    let server = RedisServer::start(&[]);
    let mut settings = settings(server.port());
    settings.lease_ms = 4_000;
    settings.deadlines.connect_ms = 500;
    let (link, backs) = open(settings);
    let mut returns = link.returns();
    until(&link, "it is there", done).await;
    let (before, seen) = (backs.0.load(Ordering::SeqCst), *returns.borrow_and_update());
    server.stop_the_clock();
    let (outcome, took) = timed(count(&link, 250)).await;
    assert!(matches!(outcome, Outcome::Unknown(_)), "{outcome:?}");
    assert!((250..700).contains(&took), "{took} ms");
    until(&link, "it is known to be away", |outcome| matches!(outcome, Outcome::NotDone(_))).await;
    for _ in 0..20 {
        let (outcome, took) = timed(count(&link, 1_000)).await;
        assert!(matches!(outcome, Outcome::NotDone(_)), "{outcome:?}");
        assert!(took < 100, "{took} ms");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    server.go_on();
    until(&link, "it is back", done).await;
    assert_eq!(backs.0.load(Ordering::SeqCst), before + 1_024);
    assert!(returns.has_changed().unwrap() && *returns.borrow() == seen + 1);
    assert!(number(&server, &key(partition(1_023), "back")) >= 1);
}

#[tokio::test]
async fn a_server_that_is_killed_comes_back_with_its_partitions_told_first() {
    let mut server = RedisServer::start(&["appendonly yes", "appendfsync always"]);
    let (link, backs) = open(settings(server.port()));
    assert_eq!(count(&link, 5_000).await, Outcome::Done(Value::Int(1)));
    assert_eq!((backs.0.load(Ordering::SeqCst), *link.returns().borrow()), (0, 0));
    server.kill_nine();
    until(&link, "it is away", |outcome| matches!(outcome, Outcome::NotDone(_))).await;
    server.start_again();
    until(&link, "it is back", done).await;
    assert_eq!(*link.returns().borrow(), 1);
    assert!(backs.0.load(Ordering::SeqCst) >= 1_024);
    assert_eq!(number(&server, &key(partition(0), "back")), 1);
    assert_eq!(count(&link, 5_000).await, Outcome::Done(Value::Int(2)));
}

#[tokio::test]
async fn a_server_that_has_just_started_was_away() {
    let server = RedisServer::start(&[]);
    let mut settings = settings(server.port());
    settings.lease_ms = 60_000;
    let (link, backs) = open(settings);
    assert_eq!(count(&link, 5_000).await, Outcome::Done(Value::Int(1)));
    assert_eq!((backs.0.load(Ordering::SeqCst), *link.returns().borrow()), (1_024, 1));
    assert_eq!(number(&server, &key(partition(77), "back")), 1);
}

#[tokio::test]
async fn an_idle_link_notices_an_outage() {
    let mut server = RedisServer::start(&[]);
    let (link, _) = open(settings(server.port()));
    until(&link, "it is there", done).await;
    let mut returns = link.returns();
    server.kill_nine();
    server.start_again();
    let changed = tokio::time::timeout(Duration::from_secs(20), returns.changed()).await;
    changed.expect("it came back").unwrap();
}

#[tokio::test]
async fn while_nothing_comes_back_nothing_else_is_run() {
    let server = RedisServer::start(&[]);
    let mut settings = settings(server.port());
    settings.lease_ms = 60_000;
    let returned: Returned = Arc::new(|partition| call(COUNT, partition, "n", &[], 2_000));
    fill(&server);
    let link = Link::open(Arc::new(settings), &scripts(), returned);
    not_done(count(&link, 2_000).await, "OOM");
    assert_eq!(*link.returns().borrow(), 0);
    let _: String = server.say("CONFIG SET maxmemory 0");
    until(&link, "it is back", done).await;
    assert_eq!(number(&server, &key(partition(417), "n")), 1);
}

/// Leaves no memory for anything that needs some.
fn fill(server: &RedisServer) {
    let _: String = server.say("CONFIG SET maxmemory 1");
}

#[tokio::test]
async fn without_memory_only_what_may_goes_on() {
    let server = RedisServer::start(&[]);
    let (link, _) = open(settings(server.port()));
    until(&link, "it is there", done).await;
    fill(&server);
    not_done(count(&link, 2_000).await, "OOM");
    let saved = link.run(call(SAVE, partition(417), "s", &["1"], 2_000)).await;
    assert_eq!(saved, Outcome::Done(Value::Okay));
    assert_eq!(number(&server, &key(partition(417), "n")), 0);
}

#[tokio::test]
async fn a_server_that_becomes_a_replica_refuses() {
    let server = RedisServer::start(&[]);
    let (link, _) = open(settings(server.port()));
    until(&link, "it is there", done).await;
    let _: String = server.say("REPLICAOF 127.0.0.1 1");
    not_done(count(&link, 2_000).await, "READONLY");
    let _: String = server.say("REPLICAOF NO ONE");
    until(&link, "it is back", done).await;
    assert!(done(&count(&link, 2_000).await));
}

#[tokio::test]
async fn logins_that_are_refused() {
    let server = RedisServer::start(&["requirepass right", "user weak on >weak ~* +@all -evalsha"]);
    let tries = [
        (Login::default(), "NOAUTH"),
        (Login { user: None, password: Some("wrong-one".to_owned()) }, "WRONGPASS"),
        (Login { user: Some("weak".to_owned()), password: Some("weak".to_owned()) }, "NOPERM"),
    ];
    for (login, word) in tries {
        let mut settings = settings(server.port());
        settings.login = login;
        let (link, _) = open(settings);
        let outcome = count(&link, 2_000).await;
        assert!(!format!("{outcome:?}").contains("wrong-one"));
        not_done(outcome, word);
    }
    let mut settings = settings(server.port());
    settings.login.password = Some("right".to_owned());
    assert!(done(&count(&open(settings).0, 2_000).await));
}

#[tokio::test]
async fn a_password_that_nobody_asked_for() {
    let server = RedisServer::start(&[]);
    let mut settings = settings(server.port());
    settings.login = Login { user: None, password: Some("extra".to_owned()) };
    not_done(count(&open(settings).0, 2_000).await, "Redis has none");
}

#[tokio::test]
async fn a_server_that_is_busy_refuses() {
    let server = Arc::new(RedisServer::start(&["busy-reply-threshold 100"]));
    let (link, _) = open(settings(server.port()));
    until(&link, "it is there", done).await;
    let busy = Arc::clone(&server);
    let spin = meanwhile(move || {
        let script = b"local n = 0 for i = 1, 1e12 do n = n + i end return n";
        let spinning = crate::seam::thread("spin", {
            let busy = Arc::clone(&busy);
            move || busy.try_command(&[b"EVAL", script, b"0"]).is_err()
        });
        std::thread::sleep(Duration::from_millis(500));
        spinning.unwrap()
    })
    .await;
    not_done(count(&link, 2_000).await, "BUSY");
    let _: String = server.say("SCRIPT KILL");
    assert!(spin.join().unwrap(), "the script was killed");
    until(&link, "it is back", done).await;
}

#[tokio::test]
async fn a_server_with_too_many_clients() {
    let server = RedisServer::start(&["maxclients 2"]);
    let clients: Vec<_> = (0..2)
        .map(|_| std::net::TcpStream::connect(("127.0.0.1", server.port())).unwrap())
        .collect();
    std::thread::sleep(Duration::from_millis(100));
    let (link, _) = open(settings(server.port()));
    not_done(count(&link, 2_000).await, "maxclients");
    drop(clients);
    until(&link, "there is room", done).await;
}

/// The line is on its way when the connection is already gone: whoever writes first and reads then may never
/// see it.
#[tokio::test]
async fn what_a_server_says_before_it_hangs_up_is_heard() {
    let hanging_up = hanging_up(b"-ERR max number of clients reached\r\n");
    for _ in 0..50 {
        not_done(count(&open(settings(hanging_up)).0, 2_000).await, "maxclients");
    }
}

/// A server that says one line to whoever comes, and goes.
fn hanging_up(line: &'static [u8]) -> u16 {
    use std::io::Write;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(crate::seam::thread("hanging up", move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            drop(stream.write_all(line));
        }
    }));
    port
}

/// A server that answers everything with one line.
fn answering(line: &'static [u8]) -> u16 {
    use std::io::{Read, Write};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    // It ends with the test's process: nothing waits for a connection that never comes.
    drop(crate::seam::thread("answering", move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut bytes = [0; 4096];
            while stream.read(&mut bytes).is_ok_and(|count| count > 0) {
                drop(stream.write_all(line));
            }
        }
    }));
    port
}

#[tokio::test]
async fn a_server_that_loads_its_data_or_speaks_nonsense() {
    let loading = answering(b"-LOADING Redis is loading the dataset in memory\r\n");
    not_done(count(&open(settings(loading)).0, 2_000).await, "LOADING");
    let nonsense = answering(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    let outcome = count(&open(settings(nonsense)).0, 2_000).await;
    assert!(matches!(outcome, Outcome::NotDone(_)), "{outcome:?}");
}

#[tokio::test]
async fn a_script_that_takes_too_long_leaves_its_call_unknown() {
    let server = RedisServer::start(&["busy-reply-threshold 60000"]);
    let (link, _) = open(settings(server.port()));
    until(&link, "it is there", done).await;
    let (outcome, took) = timed(link.run(call(SPIN, partition(1), "spun", &[], 250))).await;
    assert!(matches!(outcome, Outcome::Unknown(_)), "{outcome:?}");
    assert!(took < 1_000, "{took} ms");
    until(&link, "it has spun", done).await;
    let key = key(partition(1), "spun");
    redis_server::wait_until("it was executed", || number(&server, &key) == 1);
}
