//! Which slot of a cluster a partition lies in, and what `CLUSTER SLOTS` says.
//!
//! Invariant: the same slots as every other client and the server itself compute.

use redis::Value;

use crate::credit::Partition;
use crate::ledger::redis::settings::Address;

const SLOTS: u16 = 16_384;

/// The slot of a partition: of the tag that its keys carry in braces.
pub(super) fn slot(partition: Partition) -> u16 {
    crc16(format!("{:04}", partition.number()).as_bytes()) % SLOTS
}

/// CRC-16/XMODEM.
fn crc16(bytes: &[u8]) -> u16 {
    const POLYNOMIAL: u16 = 0x1021;
    bytes.iter().fold(0, |mut crc, byte| {
        crc ^= u16::from(*byte) << 8;
        for _ in 0..8 {
            let carry = crc & 0x8000 != 0;
            crc <<= 1;
            if carry {
                crc ^= POLYNOMIAL;
            }
        }
        crc
    })
}

/// A range of slots and the primary that has them.
#[derive(Debug, PartialEq)]
pub(super) struct Range {
    first: u16,
    last: u16,
    pub(super) primary: Address,
}

impl Range {
    pub(super) fn contains(&self, slot: u16) -> bool {
        (self.first..=self.last).contains(&slot)
    }
}

/// Reads the answer to `CLUSTER SLOTS`. A node that does not know its own name is where it was asked.
pub(super) fn read(answer: &Value, asked: &Address) -> Option<Vec<Range>> {
    let Value::Array(ranges) = answer else { return None };
    ranges.iter().map(|range| read_range(range, asked)).collect()
}

fn read_range(range: &Value, asked: &Address) -> Option<Range> {
    let Value::Array(parts) = range else { return None };
    let [first, last, Value::Array(primary), ..] = parts.as_slice() else { return None };
    let [host, port, ..] = primary.as_slice() else { return None };
    let host = match host {
        Value::BulkString(host) if !host.is_empty() => String::from_utf8(host.clone()).ok()?,
        Value::SimpleString(host) if !host.is_empty() => host.clone(),
        _ => asked.host.clone(),
    };
    let primary = Address { host, port: number(port)? };
    Some(Range { first: number(first)?, last: number(last)?, primary })
}

fn number(value: &Value) -> Option<u16> {
    let Value::Int(number) = value else { return None };
    u16::try_from(*number).ok()
}

/// Reads the address of a redirection. Without a host it is the one that said it.
pub(super) fn address(text: &str, said_by: &str) -> Option<Address> {
    let (host, port) = text.rsplit_once(':')?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let port = port.split('@').next()?.parse().ok()?;
    if host.is_empty() || host == "?" {
        return address(said_by, "127.0.0.1:0").map(|known| Address { port, ..known });
    }
    Some(Address { host: host.to_owned(), port })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(host: &str, port: u16) -> Address {
        Address { host: host.to_owned(), port }
    }

    #[test]
    fn checksums_are_the_standard_ones() {
        assert_eq!(crc16(b"123456789"), 0x31c3);
        assert_eq!(crc16(b""), 0);
    }

    #[test]
    fn a_map_is_read() {
        let asked = at("seed", 1);
        let text = b"*2\r\n*3\r\n:0\r\n:5460\r\n*4\r\n$9\r\n10.0.0.11\r\n:7000\r\n$1\r\nx\r\n*0\r\n\
            *4\r\n:5461\r\n:16383\r\n*3\r\n$0\r\n\r\n:7001\r\n$1\r\ny\r\n*3\r\n$1\r\nz\r\n:9\r\n$1\r\nz\r\n";
        let map = read(&redis::parse_redis_value(text).unwrap(), &asked).unwrap();
        let [low, high] = map.as_slice() else { panic!("{map:?}") };
        assert_eq!((&low.primary, &high.primary), (&at("10.0.0.11", 7000), &at("seed", 7001)));
        assert!(low.contains(0) && low.contains(5460) && !low.contains(5461));
        assert!(high.contains(16_383));
        assert_eq!(read(&Value::Okay, &asked), None);
    }

    #[test]
    fn redirections_are_read() {
        assert_eq!(address("10.0.0.1:7000", "x:1"), Some(at("10.0.0.1", 7000)));
        assert_eq!(address("[::1]:7000", "x:1"), Some(at("::1", 7000)));
        assert_eq!(address("::1:7000", "x:1"), Some(at("::1", 7000)));
        assert_eq!(address(":7000", "[::2]:1"), Some(at("::2", 7000)));
        assert_eq!(address("what", "x:1"), None);
    }
}
