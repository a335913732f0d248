//! An account whose record contradicts itself or cannot be read is left alone, and the others go on.

use std::collections::BTreeSet;
use std::sync::Arc;

use redb::{ReadableTable, TableDefinition};
use tollgate::credit::{AccountId, ChargeId, Class};
use tollgate::ledger::embedded::EmbeddedLedger;
use tollgate::ledger::*;
use tollgate::meter::{Journal, Marks, Recovered, recover, sweep};
use tollgate::seam::{Clock, SeededEntropy, SimulatedClock, SystemDisk};

use crate::ledger_disk::SimulatedDisk;
use crate::ledger_world::{
    LEASE, MINUTE, NOON, credits, kind, new_account, ok, wait, wait_timed, world_on,
};

/// Puts bytes of an unknown version in the place of records.
fn damage(disk: &SimulatedDisk, table: &str, accounts: &[&str]) {
    let database = disk.opener()().unwrap();
    let transaction = database.begin_write().unwrap();
    for account in accounts {
        let bytes = [9_u8].as_slice();
        if table == "money" {
            let money: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("money");
            transaction.open_table(money).unwrap().insert(*account, bytes).unwrap();
        } else {
            let open: TableDefinition<'_, (&str, [u8; 16]), &[u8]> = TableDefinition::new("open");
            let mut open = transaction.open_table(open).unwrap();
            let from = (*account, [0; 16]);
            let key = open.range(from..).unwrap().next().unwrap().unwrap().0.value().1;
            open.insert((*account, key), bytes).unwrap();
        }
    }
    transaction.commit().unwrap();
}

fn open(disk: &SimulatedDisk, clock: &Arc<SimulatedClock>) -> EmbeddedLedger {
    let clock = Arc::clone(clock) as Arc<dyn Clock>;
    EmbeddedLedger::open_with(disk.opener(), LEASE, clock).unwrap()
}

/// Makes an account with ten credits and one open charge of one.
fn another(ledger: &dyn Ledger, name: &str, number: u8, base: &Reserve) -> ChargeId {
    let account: AccountId = name.parse().unwrap();
    ok(wait(ledger.create_account(new_account(&account))));
    let key = crate::ledger_world::key_of(&account, number);
    let call = NewKey {
        member: None,
        routes: Vec::new(),
        account: account.clone(),
        id: key,
        hash: [1; 32],
        label: "".into(),
        ends: None,
    };
    let document_version = ok(wait(ledger.create_key(call))).version;
    let grant = Grant {
        bonus: None,
        only: Vec::new(),
        paid: None,
        account: account.clone(),
        id: format!("for-{name}").parse().unwrap(),
        kind: kind(),
        class: Class::Purchased,
        amount: credits(10),
        priority: 0,
        effective: None,
        expires: None,
        reason: String::new(),
    };
    ok(wait(ledger.grant(grant)));
    let entropy = SeededEntropy::new(u64::from(number));
    let born = NOON.plus_ms(LEASE);
    let charge = ChargeId::make(born, &account, &entropy).unwrap();
    let call = Reserve { account, charge, key, document_version, ..base.clone() };
    ok(wait(ledger.reserve(call)));
    charge
}

#[test]
fn recovery_leaves_a_broken_account_alone_and_goes_on() {
    for table in ["money", "open"] {
        let disk = SimulatedDisk::default();
        let world = world_on(&disk);
        world.buy("a", 10);
        let broken = world.call(1);
        ok(world.reserve(&broken));
        let sound = another(world.store.ledger(), "acct_zoe", 3, &broken);
        let folder = tempfile::tempdir().unwrap();
        let mut journal = Journal::start(Arc::new(SystemDisk), folder.path(), 0).unwrap();
        journal.forwarding(broken.charge).unwrap();
        let clock = world.clock.clone();
        drop(world);
        damage(&disk, table, &["acct_maria"]);

        let ledger = open(&disk, &clock);
        let recovery = recover(&ledger, &SystemDisk, folder.path(), "i1");
        let done = wait_timed(recovery).expect("recovery waits for a broken account").unwrap();
        assert_eq!(done, Recovered { released: 1, unknown: 0 }, "{table}");
        assert_eq!(ok(wait(ledger.charge(sound))).state, ChargeState::Released);
        // Once somebody has repaired it, its charge is still known to have been forwarded.
        let marks = Marks::read(&SystemDisk, folder.path()).unwrap();
        assert_eq!(marks, Marks::These(BTreeSet::from([broken.charge])), "{table}");
    }
}

#[test]
fn a_list_of_accounts_leaves_a_broken_one_out() {
    let disk = SimulatedDisk::default();
    let world = world_on(&disk);
    for name in ["acct_ana", "acct_zoe"] {
        let account: AccountId = name.parse().unwrap();
        ok(wait(world.store.ledger().create_account(new_account(&account))));
    }
    let clock = world.clock.clone();
    drop(world);
    damage(&disk, "money", &["acct_maria"]);
    let ledger = open(&disk, &clock);
    let ids = |limit| -> Vec<String> {
        let page = ok(wait(ledger.accounts(None, limit)));
        page.iter().map(|document| document.account.to_string()).collect()
    };
    assert_eq!(ids(9), ["acct_ana", "acct_zoe"]);
    // A full page stays full, or its reader would think that it was the last.
    assert_eq!(ids(2), ["acct_ana", "acct_zoe"]);
}

#[test]
fn broken_accounts_do_not_stand_before_the_others_in_the_sweep() {
    let disk = SimulatedDisk::default();
    let world = world_on(&disk);
    let base = world.call(1);
    let names: Vec<String> = (0..65).map(|n| format!("acct_{n:02}")).collect();
    for (name, number) in names.iter().zip(10..) {
        another(world.store.ledger(), name, number, &base);
    }
    let clock = world.clock.clone();
    drop(world);
    contradict(&disk, &names[..64]);
    let ledger = open(&disk, &clock);
    clock.advance(LEASE + MINUTE);
    assert_eq!(wait(sweep(&ledger)), 1);
    let charges = ok(wait(ledger.charges(names[64].parse().unwrap(), None, 1)));
    assert_eq!(charges[0].state, ChargeState::Unknown);
}

/// Lets these accounts' money be another's: readable, but at odds with their open charges.
fn contradict(disk: &SimulatedDisk, accounts: &[String]) {
    let database = disk.opener()().unwrap();
    let transaction = database.begin_write().unwrap();
    let table: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("money");
    let mut money = transaction.open_table(table).unwrap();
    for account in accounts {
        money.remove(account.as_str()).unwrap();
    }
    drop(money);
    transaction.commit().unwrap();
}
