//! A cluster: slots that move, primaries that die.

use super::redis_server::cluster::RedisCluster;
use super::*;

fn of(cluster: &RedisCluster) -> Settings {
    let mut settings = settings(1);
    let at = |port| Address { host: "127.0.0.1".to_owned(), port };
    // The first one is not there.
    let seeds = std::iter::once(1).chain(cluster.ports()).map(at).collect();
    settings.topology = Topology::Cluster { seeds };
    settings
}

#[tokio::test]
async fn every_partition_finds_its_node() {
    let cluster = meanwhile(|| RedisCluster::start(3)).await;
    let (link, backs) = open(of(&cluster));
    let runs: Vec<_> = Partition::all()
        .map(|partition| link.run(call(COUNT, partition, "n", &[], 5_000)))
        .collect();
    for outcome in futures_util::future::join_all(runs).await {
        assert_eq!(outcome, Outcome::Done(Value::Int(1)));
    }
    assert_eq!(backs.0.load(Ordering::SeqCst), 0);
    let all = link.everywhere(vec![b"DBSIZE".to_vec()], 5_000).await;
    let sizes = all.iter().map(|(_, outcome)| match outcome {
        Outcome::Done(Value::Int(size)) => *size,
        other => panic!("{other:?}"),
    });
    assert_eq!(sizes.clone().count(), 3);
    assert_eq!(sizes.sum::<i64>(), 1_024);
}

#[tokio::test]
async fn a_slot_moves_under_load_and_nothing_is_lost_or_done_twice() {
    let cluster = meanwhile(|| RedisCluster::start(3)).await;
    let (link, backs) = open(of(&cluster));
    let moved = partition(417);
    let slot = slots::slot(moved);
    // Keys that have to be carried over while they are counted up.
    for n in 0..60 {
        let outcome = link.run(call(COUNT, moved, &format!("m:{n}"), &[], 5_000)).await;
        assert_eq!(outcome, Outcome::Done(Value::Int(1)));
    }
    let mover = crate::seam::thread("mover", move || {
        let from = cluster.owner(slot);
        for step in 1..=4 {
            cluster.move_slot(slot, (from + step) % 3, || {
                std::thread::sleep(Duration::from_millis(10));
            });
        }
        cluster
    })
    .unwrap();
    let mut made = vec![1; 60];
    let mut rounds = 0;
    while !mover.is_finished() || rounds < 20 {
        let runs: Vec<_> =
            (0..60).map(|n| link.run(call(COUNT, moved, &format!("m:{n}"), &[], 5_000))).collect();
        for (made, outcome) in made.iter_mut().zip(futures_util::future::join_all(runs).await) {
            *made += 1;
            assert_eq!(outcome, Outcome::Done(Value::Int(*made)));
        }
        rounds += 1;
    }
    let mut cluster = mover.join().unwrap();
    let owner = cluster.owner(slot);
    for (n, made) in made.iter().enumerate() {
        let key = key(moved, &format!("m:{n}"));
        assert_eq!(number(&cluster.nodes()[owner], &key), u64::try_from(*made).unwrap());
    }
    assert_eq!(backs.0.load(Ordering::SeqCst), 0, "nobody was away");
}

#[tokio::test]
async fn a_replica_takes_over_and_its_partitions_are_told_first() {
    let cluster = meanwhile(|| RedisCluster::start_with(3, 1, &[])).await;
    let (link, backs) = open(of(&cluster));
    let lost = Partition::all().find(|at| cluster.owner(slots::slot(*at)) == 0).unwrap();
    assert!(done(&link.run(call(COUNT, lost, "n", &[], 5_000)).await));
    let cluster = meanwhile(move || {
        let mut cluster = cluster;
        cluster.nodes()[0].wait_for_its_replica();
        cluster.nodes()[0].kill_nine();
        cluster.wait_for_another(slots::slot(lost), 0);
        cluster
    })
    .await;
    let mut outcome = Outcome::NotDone(String::new());
    for _ in 0..400 {
        outcome = link.run(call(COUNT, lost, "n", &[], 2_000)).await;
        if done(&outcome) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(outcome, Outcome::Done(Value::Int(2)));
    let share = Partition::all().filter(|at| cluster.owner(slots::slot(*at)) == 3).count();
    assert_eq!(backs.0.load(Ordering::SeqCst), u64::try_from(share).unwrap());
    assert_eq!(*link.returns().borrow(), 1);
}

#[tokio::test]
async fn a_cluster_that_is_not_there() {
    let mut settings = settings(1);
    let address = Address { host: "127.0.0.1".to_owned(), port: redis_server::free_port() };
    settings.topology = Topology::Cluster { seeds: vec![address] };
    let (link, _) = open(settings);
    not_done(count(&link, 5_000).await, "cannot be reached");
    let all = link.everywhere(vec![b"PING".to_vec()], 1_000).await;
    assert!(matches!(all.as_slice(), [(_, Outcome::NotDone(_))]));
}

#[tokio::test]
async fn one_server_that_turns_out_to_be_a_cluster() {
    let cluster = meanwhile(|| RedisCluster::start(3)).await;
    let (link, _) = open(settings(cluster.ports()[0]));
    let elsewhere = Partition::all().find(|at| cluster.owner(slots::slot(*at)) == 1).unwrap();
    not_done(link.run(call(COUNT, elsewhere, "n", &[], 5_000)).await, "is a cluster");
}

#[tokio::test]
async fn a_call_whose_keys_lie_on_both_sides_waits_for_the_move() {
    let cluster = meanwhile(|| RedisCluster::start(3)).await;
    let (link, _) = open(of(&cluster));
    let moved = partition(417);
    let slot = slots::slot(moved);
    for n in 0..10 {
        assert!(done(&link.run(call(COUNT, moved, &format!("m:{n}"), &[], 5_000)).await));
    }
    let from = cluster.owner(slot);
    let mover = crate::seam::thread("mover", move || {
        cluster.move_slot(slot, (from + 1) % 3, || std::thread::sleep(Duration::from_millis(50)));
        cluster
    });
    let all: Vec<_> = (0..10).map(|n| key(moved, &format!("m:{n}"))).collect();
    let what = |keys: &[Vec<u8>]| What::Command([&[b"MGET".to_vec()], keys].concat());
    for _ in 0..10 {
        let both = Call { what: what(&all), partition: moved, deadline_ms: 5_000 };
        let outcome = link.run(both).await;
        let Outcome::Done(Value::Array(values)) = outcome else { panic!("{outcome:?}") };
        assert!(values.iter().all(|value| *value == Value::BulkString(b"1".to_vec())));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    drop(mover.unwrap().join().unwrap());
}
