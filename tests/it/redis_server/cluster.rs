//! A cluster of primaries, and slots that move between them.

use redis::Value;

use super::{RedisServer, free_port, wait_until};

const SLOTS: u16 = 16_384;

/// Primaries that share the slots evenly, and as many replicas as were asked for.
#[derive(Debug)]
pub(crate) struct RedisCluster {
    nodes: Vec<RedisServer>,
    ids: Vec<String>,
    primaries: usize,
}

impl RedisCluster {
    #[track_caller]
    pub(crate) fn start(primaries: usize) -> Self {
        Self::start_with(primaries, 0, &[])
    }

    /// With `replicas` (of the first primaries, in their order) and more lines of configuration.
    #[track_caller]
    pub(crate) fn start_with(primaries: usize, replicas: usize, extra_config: &[&str]) -> Self {
        let config = |_| {
            let mut lines = vec![
                "cluster-enabled yes".to_owned(),
                "cluster-node-timeout 1000".to_owned(),
                format!("cluster-port {}", free_port()),
                "cluster-replica-validity-factor 0".to_owned(),
            ];
            lines.extend(extra_config.iter().map(ToString::to_string));
            lines
        };
        let nodes: Vec<_> =
            (0..primaries + replicas).map(|_| RedisServer::start_as(false, None, config)).collect();
        let ids = nodes.iter().map(|node| node.say("CLUSTER MYID")).collect();
        let made = Self { nodes, ids, primaries };
        made.share_the_slots();
        made.introduce();
        for replica in 0..replicas {
            let _: String = made.nodes[primaries + replica]
                .say(&format!("CLUSTER REPLICATE {}", made.ids[replica]));
        }
        wait_until("the replicas follow", || {
            made.nodes[primaries..].iter().all(|node| {
                node.say::<String>("INFO replication").contains("master_link_status:up")
            })
        });
        wait_until("every node knows the replicas", || {
            made.nodes.iter().all(|node| {
                node.say::<String>("CLUSTER NODES").matches("slave").count() == replicas
            })
        });
        made
    }

    fn share_the_slots(&self) {
        let shares = u16::try_from(self.primaries).unwrap();
        for (place, node) in self.nodes.iter().enumerate() {
            let epoch = place + 1;
            let _: String = node.say(&format!("CLUSTER SET-CONFIG-EPOCH {epoch}"));
        }
        for (place, node) in (0..shares).zip(&self.nodes) {
            let first = u32::from(SLOTS) * u32::from(place) / u32::from(shares);
            let last = u32::from(SLOTS) * u32::from(place + 1) / u32::from(shares) - 1;
            let _: String = node.say(&format!("CLUSTER ADDSLOTSRANGE {first} {last}"));
        }
    }

    fn introduce(&self) {
        let first = &self.nodes[0];
        for node in &self.nodes[1..] {
            let bus: Vec<String> = node.say("CONFIG GET cluster-port");
            let line = format!("CLUSTER MEET 127.0.0.1 {} {}", node.port(), bus[1]);
            let _: String = first.say(&line);
        }
        let known = format!("cluster_known_nodes:{}", self.nodes.len());
        wait_until("every node knows every slot", || {
            self.nodes.iter().all(|node| {
                let told: String = node.say("CLUSTER INFO");
                told.contains("cluster_state:ok")
                    && told.contains("cluster_slots_ok:16384")
                    && told.contains(&known)
            })
        });
    }

    /// The nodes, primaries first as they were at the start.
    pub(crate) fn nodes(&mut self) -> &mut [RedisServer] {
        &mut self.nodes
    }

    /// The ports of all nodes.
    pub(crate) fn ports(&self) -> Vec<u16> {
        self.nodes.iter().map(RedisServer::port).collect()
    }

    /// The place among the nodes of the one that has the slot, by the word of the last node that answers:
    /// a primary that is to be killed should be among the first.
    #[track_caller]
    pub(crate) fn owner(&self, slot: u16) -> usize {
        let said = |node: &RedisServer| node.try_command(&[b"CLUSTER", b"SLOTS"]).ok();
        let told = self.nodes.iter().rev().find_map(said).expect("a node answers");
        let told: Vec<Vec<Value>> = redis::from_redis_value(told).unwrap();
        let port = told.iter().find_map(|range| {
            let bounds = [&range[0], &range[1]].map(number);
            (bounds[0] <= i64::from(slot) && i64::from(slot) <= bounds[1]).then(|| {
                let Value::Array(node) = &range[2] else { panic!("{range:?}") };
                number(&node[1])
            })
        });
        let port = port.expect("somebody has the slot");
        self.nodes.iter().position(|node| i64::from(node.port()) == port).unwrap()
    }

    /// Moves a slot to the node at a place, key by key, as `redis-cli` does. `between` runs after every
    /// few keys, so that a test can look while keys lie on both sides.
    #[track_caller]
    pub(crate) fn move_slot(&self, slot: u16, to: usize, mut between: impl FnMut()) {
        let from = self.owner(slot);
        assert_ne!(from, to, "it lies there already");
        let (source, target) = (&self.nodes[from], &self.nodes[to]);
        let set = |node: &RedisServer, what: &str, id: &str| {
            let _: String = node.say(&format!("CLUSTER SETSLOT {slot} {what} {id}"));
        };
        set(target, "IMPORTING", &self.ids[from]);
        set(source, "MIGRATING", &self.ids[to]);
        loop {
            let keys: Vec<Vec<u8>> = source.say(&format!("CLUSTER GETKEYSINSLOT {slot} 3"));
            if keys.is_empty() {
                break;
            }
            let port = target.port().to_string();
            let head: [&[u8]; 7] =
                [b"MIGRATE", b"127.0.0.1", port.as_bytes(), b"", b"0", b"5000", b"KEYS"];
            let words: Vec<&[u8]> =
                head.into_iter().chain(keys.iter().map(Vec::as_slice)).collect();
            source.command(&words);
            between();
        }
        set(target, "NODE", &self.ids[to]);
        set(source, "NODE", &self.ids[to]);
        for node in &self.nodes[..self.primaries] {
            // One that has become a replica meanwhile refuses, and hears of it from the others.
            let slot = slot.to_string();
            let id = self.ids[to].as_bytes();
            drop(node.try_command(&[b"CLUSTER", b"SETSLOT", slot.as_bytes(), b"NODE", id]));
        }
    }

    /// The place of the replica of the node at a place.
    #[track_caller]
    pub(crate) fn replica_of(&self, primary: usize) -> usize {
        let id = &self.ids[primary];
        let follows = |node: &RedisServer| -> bool {
            let told = node.replication();
            let port = format!("master_port:{}\r", self.nodes[primary].port());
            told.contains("role:slave") && told.contains(&port)
        };
        let found = self.nodes.iter().position(follows);
        found.unwrap_or_else(|| panic!("nobody follows {id}"))
    }

    /// Waits until a node follows another and has all it was sent.
    #[track_caller]
    pub(crate) fn wait_until_followed(&self, primary: usize, replica: usize) {
        wait_until("the replica follows", || {
            let told = self.nodes[replica].replication();
            let port = format!("master_port:{}\r", self.nodes[primary].port());
            told.contains(&port) && told.contains("master_link_status:up")
        });
        self.nodes[primary].wait_for_its_replica();
    }

    /// Waits until another node than `before` has the slot.
    #[track_caller]
    pub(crate) fn wait_for_another(&self, slot: u16, before: usize) {
        wait_until("the slot has another owner", || self.owner(slot) != before);
    }
}

#[track_caller]
fn number(value: &Value) -> i64 {
    let Value::Int(number) = value else { panic!("{value:?}") };
    *number
}

#[test]
fn a_cluster_starts_and_a_slot_moves() {
    let mut all = RedisCluster::start(3);
    let slot: u16 = all.nodes()[0].say("CLUSTER KEYSLOT {0417}:a");
    let from = all.owner(slot);
    let to = (from + 1) % 3;
    for key in 0..10 {
        let _: String = all.nodes()[from].say(&format!("SET {{0417}}:{key} {key}"));
    }
    let mut rounds = 0;
    all.move_slot(slot, to, || rounds += 1);
    assert_eq!(rounds, 4);
    assert_eq!(all.owner(slot), to);
    all.wait_for_another(slot, from);
    assert_eq!(all.nodes()[to].say::<String>("GET {0417}:7"), "7");
    assert_eq!(all.ports().len(), 3);
}

#[test]
fn a_replica_takes_the_place_of_a_primary_that_died() {
    let mut all = RedisCluster::start_with(3, 1, &[]);
    assert_eq!(all.owner(7), 0);
    let _: String = all.nodes()[0].say("SET {0417}:a 1");
    all.nodes()[0].kill_nine();
    all.wait_for_another(7, 0);
    assert_eq!(all.owner(7), 3);
}
