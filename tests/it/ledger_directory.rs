//! Accounts, keys and aliases, on every store the same.

use tollgate::credit::{AccountId, AliasId};
use tollgate::ledger::{AccountChange, Alias, KeyChange, KeyStatus, NewAccount, Refusal, Reserve};

use super::ledger_world::{World, no, ok, on_every_store, wait};

fn alias(w: &World, name: &str) -> Alias {
    let id = AliasId::of("key", name.as_bytes());
    Alias { id, account: w.account.clone(), key: Some(w.key) }
}

#[test]
fn an_alias_points_until_it_is_taken_back() {
    on_every_store(|w| {
        let ledger = w.store.ledger();
        let (first, second) = (alias(&w, "sk-1"), alias(&w, "sk-2"));
        assert_eq!(no(wait(ledger.alias(first.id))), Refusal::UnknownAlias);
        ok(wait(ledger.create_alias(first.clone())));
        ok(wait(ledger.create_alias(first.clone())));
        assert_eq!(ok(wait(ledger.alias(first.id))), first);
        assert_eq!(no(wait(ledger.alias(second.id))), Refusal::UnknownAlias);
        // Who has it keeps it.
        let stolen = Alias { account: "acct_thief".parse().unwrap(), key: None, ..first.clone() };
        assert_eq!(no(wait(ledger.create_alias(stolen.clone()))), Refusal::Exists);
        assert_eq!(no(wait(ledger.remove_alias(stolen.clone()))), Refusal::Exists);
        assert_eq!(ok(wait(ledger.alias(first.id))), first);
        ok(wait(ledger.remove_alias(first.clone())));
        ok(wait(ledger.remove_alias(first.clone())));
        assert_eq!(no(wait(ledger.alias(first.id))), Refusal::UnknownAlias);
        ok(wait(ledger.create_alias(stolen.clone())));
        assert_eq!(ok(wait(ledger.alias(first.id))), stolen);
    });
}

#[test]
fn sorts_of_aliases_never_meet() {
    assert_ne!(AliasId::of("key", b"a"), AliasId::of("reference", b"a"));
    assert_ne!(AliasId::of("a", b"b"), AliasId::of("", b"a\0b"));
    assert_eq!(AliasId::of("key", b"a").to_string().len(), 52);
}

#[test]
fn a_disabled_key_may_be_enabled_again_a_revoked_one_never() {
    on_every_store(|w| {
        w.buy("a", 10);
        let set = |status| {
            let call = KeyChange { status: Some(status), ..KeyChange::of(w.key) };
            wait(w.store.ledger().change_key(call))
        };
        let document = ok(set(KeyStatus::Disabled));
        assert!(matches!(no(w.reserve(&w.call(1))), Refusal::Stale { .. }));
        let call = Reserve { document_version: document.version, ..w.call(1) };
        assert_eq!(no(w.reserve(&call)), Refusal::InvalidKey);
        let document = ok(set(KeyStatus::Active));
        ok(w.reserve(&Reserve { document_version: document.version, ..w.call(1) }));
        ok(set(KeyStatus::Disabled));
        ok(set(KeyStatus::Revoked));
        for status in [KeyStatus::Active, KeyStatus::Disabled] {
            assert!(matches!(no(set(status)), Refusal::Invalid(_)));
        }
    });
}

#[test]
fn a_key_has_an_end_and_a_label() {
    on_every_store(|w| {
        let ledger = w.store.ledger();
        let end = w.now().plus_ms(1_000);
        let call =
            KeyChange { label: Some("old".into()), ends: Some(Some(end)), ..KeyChange::of(w.key) };
        let document = ok(wait(ledger.change_key(call.clone())));
        let key = document.key(w.key).unwrap();
        assert_eq!((key.label.as_str(), key.ends), ("old", Some(end)));
        assert!(key.speaks(w.now()) && !key.speaks(end));
        // The same again is no change, and what is not named stays.
        assert_eq!(ok(wait(ledger.change_key(call))).version, document.version);
        assert_eq!(ok(wait(ledger.change_key(KeyChange::of(w.key)))).version, document.version);
        let endless = KeyChange { ends: Some(None), ..KeyChange::of(w.key) };
        assert_eq!(ok(wait(ledger.change_key(endless))).key(w.key).unwrap().ends, None);
    });
}

#[test]
fn an_account_has_a_person_a_reference_and_a_reason() {
    on_every_store(|w| {
        let ledger = w.store.ledger();
        let account: AccountId = "acct_ada".parse().unwrap();
        let call = NewAccount {
            account: account.clone(),
            plan: "pro".into(),
            zone: "UTC".into(),
            anchor: None,
            label: String::new(),
            person: Some("ada".into()),
            reference: Some("crm-7".into()),
        };
        let document = ok(wait(ledger.create_account(call.clone())));
        assert_eq!(document.person.as_deref(), Some("ada"));
        let other = NewAccount { person: None, ..call };
        assert_eq!(no(wait(ledger.create_account(other))), Refusal::Conflict);
        let change = AccountChange {
            anchor: Some(w.now().plus_ms(5)),
            reason: Some("asked to".into()),
            person: Some(None),
            reference: Some(Some("crm-8".into())),
            ..AccountChange::of(account.clone())
        };
        let changed = ok(wait(ledger.change_account(change.clone())));
        assert_eq!(changed, ok(wait(ledger.document(account.clone()))));
        assert_eq!((changed.person, changed.reference), (None, Some("crm-8".into())));
        assert_eq!((changed.reason.as_str(), changed.version), ("asked to", document.version + 1));
        assert_eq!(ok(wait(ledger.change_account(change))).version, changed.version);
        for bad in ["", "a\nb", &"x".repeat(201)] {
            let person = Some(Some(bad.to_owned()));
            let call = AccountChange { person, ..AccountChange::of(account.clone()) };
            assert!(matches!(no(wait(ledger.change_account(call))), Refusal::Invalid(_)), "{bad}");
        }
    });
}
