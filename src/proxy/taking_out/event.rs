//! One event of a stream, as its lines came, and what is left of it without a member.
//!
//! Invariant: what is left are parts of the very bytes that came, in their order.

use std::ops::Range;

use crate::meter::TakeOut;
use crate::observe::{Fact, Pointer, Spot, Step, response, spot};

/// A line of an event: all of it with its end, and the value of its field `data`.
struct Line {
    whole: Range<usize>,
    data: Option<Range<usize>>,
    /// Whether it is of the event that is dispatched: its data or its name.
    own: bool,
}

fn lines(held: &[u8]) -> Vec<Line> {
    let (mut found, mut start) = (Vec::new(), 0_usize);
    while let Some(rest) = held.get(start..).filter(|rest| !rest.is_empty()) {
        let length = memchr::memchr2(b'\n', b'\r', rest).unwrap_or(rest.len());
        let end = start.saturating_add(length);
        let crlf = held.get(end..).is_some_and(|rest| rest.starts_with(b"\r\n"));
        let next = end.saturating_add(if crlf { 2 } else { 1 }).min(held.len());
        let line = held.get(start..end).unwrap_or_default();
        let value = [&b"data: "[..], b"data:"].into_iter().find(|field| line.starts_with(field));
        let data = value.map(|field| start.saturating_add(field.len())..end);
        let own =
            data.is_some() || line == b"data" || line == b"event" || line.starts_with(b"event:");
        found.push(Line { whole: start..next, data, own });
        start = next;
    }
    found
}

/// The parts of an event's lines that are left; `None`: all of it.
pub(super) fn changed(held: &[u8], rule: &TakeOut) -> Option<Vec<Range<usize>>> {
    let lines = lines(held);
    let data = joined(held, &lines);
    if !may_have(&data, &rule.member) {
        return None;
    }
    let places: Vec<&Pointer> =
        [Some(&rule.member), rule.alone.as_ref()].into_iter().flatten().collect();
    let picked = response(&data, &places).ok()?;
    let stated = !matches!(picked.at(0), [] | [Fact::Null]);
    if stated && rule.alone.is_some() && picked.at(1) == [Fact::Array(0)] {
        return Some(lines.into_iter().filter(|line| !line.own).map(|line| line.whole).collect());
    }
    match spot(&data, &rule.member)? {
        Spot::There { whole, .. } => Some(without(held, &lines, &whole)),
        Spot::Absent { .. } | Spot::Other { .. } => None,
    }
}

/// Whether the member may be there: most events have none, and need not be read.
fn may_have(data: &[u8], member: &Pointer) -> bool {
    let Some(Step::Name(name)) = member.steps().last() else { return false };
    memchr::memmem::find(data, name.as_bytes()).is_some()
        || memchr::memmem::find(data, b"\\u").is_some()
}

/// The data of an event: its lines, joined by LF.
fn joined(held: &[u8], lines: &[Line]) -> Vec<u8> {
    let data = lines.iter().filter_map(|line| held.get(line.data.clone()?));
    data.collect::<Vec<_>>().join(&b'\n')
}

/// The parts of an event that are left without this part of its data. A line that lies in it goes as a whole.
fn without(held: &[u8], lines: &[Line], gone: &Range<usize>) -> Vec<Range<usize>> {
    let (mut parts, mut at) = (Vec::new(), 0_usize);
    for line in lines {
        let Some(data) = line.data.clone() else {
            parts.push(line.whole.clone());
            continue;
        };
        let length = data.end.saturating_sub(data.start);
        let own = |place: usize| data.start.saturating_add(place.saturating_sub(at).min(length));
        let (first, last) = (own(gone.start), own(gone.end));
        at = at.saturating_add(length).saturating_add(1);
        let left = held.get(data.start..first).into_iter().chain(held.get(last..data.end));
        let bare = left.flatten().all(u8::is_ascii_whitespace);
        if first == last || !bare || lines.len() == 1 {
            parts.extend([line.whole.start..first, last..line.whole.end]);
        }
    }
    parts
}
