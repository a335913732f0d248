//! The names of keys. All of a partition lie in one slot of a cluster: `tollgate:{0417}:a:acct_maria`.
//!
//! Invariant: the same names on every topology, so that a ledger can be moved between them.

use crate::credit::{AccountId, AliasId, BucketId, ChargeId, KeyId, Partition};
use crate::ledger::verbs::JobKey;

/// Makes key names of one ledger.
#[derive(Clone, Debug)]
pub(super) struct Keys {
    prefix: String,
}

impl Keys {
    pub(super) fn new(prefix: &str) -> Self {
        Self { prefix: prefix.to_owned() }
    }

    fn of(&self, partition: Partition, rest: &str) -> Vec<u8> {
        format!("{}{{{:04}}}:{rest}", self.prefix, partition.number()).into_bytes()
    }

    /// The partition's own record: the ledger's epoch, and until when nothing is ended (string).
    pub(super) fn epoch(&self, partition: Partition) -> Vec<u8> {
        self.of(partition, "epoch")
    }

    /// An account's money and counters (string).
    pub(super) fn account(&self, id: &AccountId) -> Vec<u8> {
        self.of(Partition::of(id), &format!("a:{id}"))
    }

    /// The keys that every verb about an account declares, in the scripts' order.
    pub(super) fn all(&self, id: &AccountId) -> Vec<Vec<u8>> {
        let partition = Partition::of(id);
        vec![
            self.epoch(partition),
            self.account(id),
            self.document(id),
            self.open(id),
            self.lapsed(partition),
            self.history(id),
            self.leases(partition),
            self.wakes(partition),
            self.stream(partition),
        ]
    }

    /// An account's document (string).
    pub(super) fn document(&self, id: &AccountId) -> Vec<u8> {
        self.of(Partition::of(id), &format!("d:{id}"))
    }

    /// An account's open charges (hash by their ids).
    pub(super) fn open(&self, id: &AccountId) -> Vec<u8> {
        self.of(Partition::of(id), &format!("o:{id}"))
    }

    /// Charges that a deadline has ended and nobody has spoken for since (hash).
    pub(super) fn lapsed(&self, partition: Partition) -> Vec<u8> {
        self.of(partition, "lapsed")
    }

    /// An account's ended charges by age (sorted set without scores).
    pub(super) fn history(&self, id: &AccountId) -> Vec<u8> {
        self.of(Partition::of(id), &format!("h:{id}"))
    }

    /// A charge's tombstone once it has ended (string with an end).
    pub(super) fn charge(&self, id: ChargeId) -> Vec<u8> {
        self.of(id.partition(), &format!("c:{id}"))
    }

    /// What was said of an ended charge (string with an end).
    pub(super) fn texts(&self, id: ChargeId) -> Vec<u8> {
        self.of(id.partition(), &format!("x:{id}"))
    }

    /// Whose key this is (string).
    pub(super) fn key(&self, id: KeyId) -> Vec<u8> {
        self.of(id.partition(), &format!("k:{id}"))
    }

    /// A grant that was given to the account (string). Never forgotten.
    pub(super) fn grant(&self, account: &AccountId, id: &BucketId) -> Vec<u8> {
        self.of(Partition::of(account), &format!("g:{id}"))
    }

    /// Which account a grant's id belongs to, and how many calls say so (string), in the partition of the
    /// id. Never forgotten once it was given.
    pub(super) fn claim(&self, id: &BucketId) -> Vec<u8> {
        self.of(Partition::of_grant(id), &format!("i:{id}"))
    }

    /// Where another name points (string), in the partition of its own hash.
    pub(super) fn alias(&self, id: AliasId) -> Vec<u8> {
        self.of(id.partition(), &format!("l:{id}"))
    }

    /// The accounts that have their person's free credits (set), in the partition of the person's hash. Never
    /// forgotten.
    pub(super) fn free(&self, person: AliasId) -> Vec<u8> {
        self.of(person.partition(), &format!("f:{person}"))
    }

    /// What is known of a job (string with an end), in the partition of its account. Its name is a hash of the account
    /// and of what the job is called there.
    pub(super) fn job(&self, partition: Partition, key: JobKey) -> Vec<u8> {
        self.of(partition, &format!("j:{}", key.name()))
    }

    /// Jobs by the moment at which somebody is to ask about them (sorted set).
    pub(super) fn watches(&self, partition: Partition) -> Vec<u8> {
        self.of(partition, "watches")
    }

    /// Accounts by the moment at which a lease lapses or a deadline comes, or earlier (sorted set).
    pub(super) fn leases(&self, partition: Partition) -> Vec<u8> {
        self.of(partition, "leases")
    }

    /// Accounts by the moment at which a bucket begins or ends, or earlier (sorted set).
    pub(super) fn wakes(&self, partition: Partition) -> Vec<u8> {
        self.of(partition, "wakes")
    }

    /// All accounts (sorted set without scores).
    pub(super) fn accounts(&self, partition: Partition) -> Vec<u8> {
        self.of(partition, "accounts")
    }

    /// What happened (stream).
    pub(super) fn stream(&self, partition: Partition) -> Vec<u8> {
        self.of(partition, "stream")
    }

    /// Who exports the streams of all partitions (string with an end).
    pub(super) fn lease(&self) -> Vec<u8> {
        self.of(Partition::default(), "exporter")
    }

    /// Up to which entry the stream was exported, and to which set of files (string).
    pub(super) fn exported(&self, partition: Partition) -> Vec<u8> {
        self.of(partition, "exported")
    }
}
