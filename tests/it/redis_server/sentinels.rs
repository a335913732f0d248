//! A primary, its replica, and three Sentinels that watch them under the name `tollgate`.

use super::{RedisServer, wait_until};

/// The name of what the Sentinels watch.
pub(crate) const WATCHED: &str = "tollgate";

/// One primary, one replica and three Sentinels, which take half a second of silence for death.
#[derive(Debug)]
pub(crate) struct Sentinels {
    servers: Vec<RedisServer>,
    sentinels: Vec<RedisServer>,
}

impl Sentinels {
    #[track_caller]
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    /// With more lines of configuration for the data servers.
    #[track_caller]
    pub(crate) fn start_with(extra_config: &[&str]) -> Self {
        let primary = RedisServer::start(extra_config);
        let replica_of = format!("replicaof 127.0.0.1 {}", primary.port());
        let replica = RedisServer::start(&[&[replica_of.as_str()], extra_config].concat());
        wait_until("the replica follows", || {
            replica.say::<String>("INFO replication").contains("master_link_status:up")
        });
        let port = primary.port();
        let config = move |_| {
            vec![
                format!("sentinel monitor {WATCHED} 127.0.0.1 {port} 2"),
                format!("sentinel down-after-milliseconds {WATCHED} 500"),
                format!("sentinel failover-timeout {WATCHED} 3000"),
                format!("sentinel parallel-syncs {WATCHED} 1"),
            ]
        };
        let sentinels = (0..3).map(|_| RedisServer::start_as(true, None, config)).collect();
        let made = Self { servers: vec![primary, replica], sentinels };
        wait_until("the Sentinels know each other and the replica", || made.acquainted());
        made
    }

    fn acquainted(&self) -> bool {
        self.sentinels.iter().all(|sentinel| {
            let words = format!("SENTINEL MASTER {WATCHED}");
            let told: std::collections::HashMap<String, String> = sentinel.say(&words);
            told["num-other-sentinels"] == "2"
                && told["num-slaves"] == "1"
                && told["flags"] == "master"
        })
    }

    /// The ports of the Sentinels.
    pub(crate) fn ports(&self) -> Vec<u16> {
        self.sentinels.iter().map(RedisServer::port).collect()
    }

    /// The port of the server that the Sentinels name.
    pub(crate) fn primary_port(&self) -> u16 {
        let words = format!("SENTINEL GET-MASTER-ADDR-BY-NAME {WATCHED}");
        let (_, port): (String, u16) = self.sentinels[0].say(&words);
        port
    }

    /// The server that the Sentinels name.
    pub(crate) fn primary(&mut self) -> &mut RedisServer {
        let port = self.primary_port();
        self.servers.iter_mut().find(|server| server.port() == port).unwrap()
    }

    /// Has the Sentinels make the replica the primary, and waits until all of them say so and it is.
    #[track_caller]
    pub(crate) fn fail_over(&self) {
        let before = self.primary_port();
        let _: String = self.sentinels[0].say(&format!("SENTINEL FAILOVER {WATCHED}"));
        self.wait_for_another(before);
    }

    /// Waits until the other server follows the primary and has all it was sent, and the Sentinels know.
    #[track_caller]
    pub(crate) fn wait_until_followed(&self) {
        let now = self.primary_port();
        let port = format!("master_port:{now}\r");
        let (primary, replica): (Vec<_>, Vec<_>) =
            self.servers.iter().partition(|server| server.port() == now);
        wait_until("the other follows", || {
            let told = replica[0].replication();
            told.contains(&port) && told.contains("master_link_status:up")
        });
        primary[0].wait_for_its_replica();
        wait_until("the Sentinels know it", || {
            self.sentinels.iter().all(|sentinel| {
                let told: Vec<std::collections::HashMap<String, String>> =
                    sentinel.say(&format!("SENTINEL REPLICAS {WATCHED}"));
                told.iter().any(|one| one["flags"] == "slave" && one["master-link-status"] == "ok")
            })
        });
    }

    /// The Sentinels take this much silence for death from now on, in milliseconds.
    pub(crate) fn wait_before_death(&self, ms: u32) {
        for sentinel in &self.sentinels {
            let line = format!("SENTINEL SET {WATCHED} down-after-milliseconds {ms}");
            let _: String = sentinel.say(&line);
        }
    }

    /// Cuts the replica off. The Sentinels take it for fit to take over all the same: they wait longer from now on, and
    /// with that forgive more.
    #[track_caller]
    pub(crate) fn cut_off_the_replica(&self) {
        self.wait_before_death(3_000);
        let now = self.primary_port();
        let (primary, replica): (Vec<_>, Vec<_>) =
            self.servers.iter().partition(|server| server.port() == now);
        primary[0].wait_for_its_replica();
        primary[0].cut_off(replica[0]);
    }

    /// Waits until another server than `before` is the primary.
    #[track_caller]
    pub(crate) fn wait_for_another(&self, before: u16) {
        wait_until("another server is named", || self.primary_port() != before);
        let now = self.primary_port();
        let server = self.servers.iter().find(|server| server.port() == now).unwrap();
        wait_until("it is a primary", || server.replication().contains("role:master"));
    }
}

#[test]
fn sentinels_name_another_primary() {
    let mut all = Sentinels::start();
    assert_eq!(all.ports().len(), 3);
    let first = all.primary_port();
    all.primary().command(&[b"SET", b"a", b"1"]);
    all.primary().wait_for_its_replica();
    all.fail_over();
    assert_eq!(all.primary().say::<String>("GET a"), "1");
    let second = all.primary_port();
    assert_ne!(first, second);
}
