//! Where a cluster's slots are.
//!
//! Invariant: a partition's keys lie in the slot of the number in their braces, on every topology.

use redis::Value;
use redis::aio::MultiplexedConnection;

use crate::credit::Partition;
use crate::ledger::redis::check::text;
use crate::ledger::redis::settings::Address;

/// How many slots a cluster has.
const SLOTS: u16 = 16_384;

/// From which slot to which, both included.
pub(super) type Slots = (u16, u16);

/// The slot of a partition's keys: that of what stands in their braces.
pub(super) fn slot(partition: Partition) -> u16 {
    crc16(format!("{:04}", partition.number()).as_bytes()) % SLOTS
}

/// CRC-16/XMODEM, by which a cluster spreads keys.
fn crc16(bytes: &[u8]) -> u16 {
    let bit = |crc: u16, _| if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 };
    bytes.iter().fold(0, |crc, byte| (0..8).fold(crc ^ (u16::from(*byte) << 8), bit))
}

/// The primaries and their slots, as a node of the cluster knows them.
pub(super) async fn primaries(
    mut connection: MultiplexedConnection,
    seed: &Address,
) -> Result<Vec<(Address, Vec<Slots>)>, String> {
    let mut ask = redis::cmd("CLUSTER");
    ask.arg("SLOTS");
    let reply = ask.query_async::<Value>(&mut connection).await;
    let primaries = read(&reply.map_err(|error| error.to_string())?, seed);
    if primaries.is_empty() {
        return Err("it knows of no primary: does it belong to a cluster?".to_owned());
    }
    Ok(primaries)
}

/// Reads `[[first, last, [host, port, …], replica…], …]`.
fn read(reply: &Value, seed: &Address) -> Vec<(Address, Vec<Slots>)> {
    let mut primaries: Vec<(Address, Vec<Slots>)> = Vec::new();
    let Value::Array(ranges) = reply else { return primaries };
    for range in ranges {
        let Some((primary, slots)) = range_of(range, seed) else { continue };
        match primaries.iter_mut().find(|(known, _)| *known == primary) {
            Some((_, known)) => known.push(slots),
            None => primaries.push((primary, vec![slots])),
        }
    }
    primaries
}

fn range_of(range: &Value, seed: &Address) -> Option<(Address, Slots)> {
    let Value::Array(parts) = range else { return None };
    let number = |value: &Value| text(value)?.parse::<u16>().ok();
    let slots = (number(parts.first()?)?, number(parts.get(1)?)?);
    let Value::Array(primary) = parts.get(2)? else { return None };
    // A node that does not know its own name is where it was reached.
    let host = text(primary.first()?).filter(|host| !host.is_empty() && host != "?");
    let host = host.unwrap_or_else(|| seed.host.clone());
    Some((Address { host, port: number(primary.get(1)?)? }, slots))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_the_clusters() {
        // From the specification, and from CLUSTER KEYSLOT.
        assert_eq!(crc16(b"123456789"), 0x31c3);
        let slots: Vec<_> = Partition::all().map(slot).collect();
        assert_eq!((slots[0], slots[417], slots[1_023]), KEYSLOTS);
    }

    /// What `CLUSTER KEYSLOT` of a server says of `{0000}`, `{0417}` and `{1023}`.
    const KEYSLOTS: (u16, u16, u16) = (6_794, 1_436, 14_911);

    #[test]
    fn primaries_by_their_ranges() {
        let bulk = |text: &str| Value::BulkString(text.as_bytes().to_vec());
        let node = |host: Value, port| Value::Array(vec![host, Value::Int(port), bulk("id")]);
        let range = |first, last, nodes: Vec<Value>| {
            Value::Array([vec![Value::Int(first), Value::Int(last)], nodes].concat())
        };
        let reply = Value::Array(vec![
            range(0, 99, vec![node(bulk("a"), 1), node(bulk("b"), 2)]),
            range(100, 199, vec![node(bulk(""), 3)]),
            range(200, 16_383, vec![node(bulk("a"), 1)]),
            range(7, 8, vec![]),
        ]);
        let at = |host: &str, port| Address { host: host.to_owned(), port };
        assert_eq!(
            read(&reply, &at("seed", 9)),
            [(at("a", 1), vec![(0, 99), (200, 16_383)]), (at("seed", 3), vec![(100, 199)])]
        );
        assert_eq!(read(&range(0, 1, vec![node(Value::Nil, 3)]), &at("seed", 9)), []);
        assert_eq!(read(&Value::Nil, &at("seed", 9)), []);
    }
}
