//! Lines, byte by byte.

use data_encoding::BASE64;

use super::*;

const PLACE: Place<'static> = Place { epoch: "0a0b", partition: 417, stream_id: "7-0" };

fn head(verb: u8) -> Writer {
    let mut w = Writer::default();
    w.byte(super::VERSION)
        .byte(verb)
        .number(3)
        .number(1_795_348_800_123)
        .text("acct_maria")
        .unwrap();
    w
}

fn posting(w: &mut Writer, columns: &[u8; 2], micro: u64) {
    w.word("pack").unwrap().raw(columns).number(micro);
}

fn purse(w: &mut Writer) {
    w.word("pack").unwrap().word("credits").unwrap().byte(4).byte(0);
    w.number(1_000);
    w.maybe(None);
    for micro in [2_500_000, 2_500_000, 0, 0] {
        w.number(micro);
    }
    w.number(1_000).long(1);
}

fn told(line: &Line) -> &str {
    std::str::from_utf8(&line.text).unwrap()
}

#[test]
fn a_grant_on_one_line() {
    let mut w = head(b'g');
    w.short(2).unwrap();
    posting(&mut w, b"ga", 2_500_000);
    posting(&mut w, b"as", 1);
    purse(w.short(1).unwrap());
    let more = Writer::default().word("pack").unwrap().text("a \"gift\"\n").unwrap().done();
    w.short(0).unwrap().text(more).unwrap();
    let line = line(PLACE, &w.done());
    let wanted = concat!(
        r#"{"epoch":"0a0b","partition":417,"stream_id":"7-0","account":"acct_maria","sequence":3,"#,
        r#""at":"2026-11-22T12:00:00.123Z","verb":"grant","postings":["#,
        r#"{"bucket":"pack","from":"granted","to":"available","amount":"2.5"},"#,
        r#"{"bucket":"pack","from":"available","to":"spent","amount":"0.000001"}],"buckets":["#,
        r#"{"id":"pack","kind":"credits","class":"purchased","priority":0,"#,
        r#""effective":"1970-01-01T00:00:01.000Z","expires":null,"granted":"2.5"}],"charges":[],"#,
        r#""grant":{"id":"pack","reason":"a \"gift\"\n"}}"#,
        "\n"
    );
    assert_eq!(told(&line), wanted);
    assert_eq!(line.told, Ok(("acct_maria".parse().unwrap(), 3)));
}

#[test]
fn a_withdrawal_and_an_adjustment_on_one_line() {
    let mut w = head(b'w');
    w.short(1).unwrap();
    posting(&mut w, b"av", 5);
    let mut more = Writer::default();
    more.short(1).unwrap().word("pack").unwrap().byte(2).maybe(None);
    more.word("pack").unwrap().byte(b'f').text("asked \"so\"").unwrap();
    w.short(0).unwrap().short(0).unwrap().text(more.done()).unwrap();
    let told_of = |w: &mut Writer| {
        let line = line(PLACE, &w.done());
        assert!(line.told.is_ok(), "{}", told(&line));
        serde_json::from_str::<serde_json::Value>(told(&line)).unwrap()
    };
    let line = told_of(&mut w);
    let changes = serde_json::json!([{"bucket": "pack", "standing": "voided", "expires": null}]);
    let said = serde_json::json!({"bucket": "pack", "how": "refund", "reason": "asked \"so\""});
    assert_eq!((&line["verb"], &line["changes"]), (&"withdraw".into(), &changes));
    assert_eq!(line["withdraw"], said);
    let charge = ChargeId::from_bytes([1; 16]);
    let mut w = head(b'j');
    let mut more = Writer::default();
    more.short(0).unwrap().word(charge.to_string()).unwrap().word("j1").unwrap().number(7);
    w.short(0).unwrap().short(0).unwrap().short(0).unwrap().text(more.done()).unwrap();
    let line = told_of(&mut w);
    let said = serde_json::json!({"charge": charge.to_string(), "id": "j1", "held": "0.000007"});
    assert_eq!((&line["adjust"], line.get("changes")), (&said, None));
}

#[test]
fn every_cut_and_every_byte_too_much_is_told_raw() {
    let mut w = head(b's');
    w.short(1).unwrap();
    posting(&mut w, b"hs", 5);
    let whole = w.short(0).unwrap().short(0).unwrap().short(0).unwrap().done();
    assert!(line(PLACE, &whole).told.is_ok());
    let cuts = (0..whole.len()).map(|end| whole[..end].to_vec());
    let long = [[whole.as_slice(), b"x"].concat(), [&[super::VERSION + 1], &whole[1..]].concat()];
    let verb = [&[super::VERSION, b'?'], &whole[2..]].concat();
    for bytes in cuts.chain(long).chain([verb]) {
        let line = line(PLACE, &bytes);
        assert!(line.told.is_err());
        let read: serde_json::Value = serde_json::from_str(told(&line)).unwrap();
        assert_eq!(read["raw"], BASE64.encode(&bytes));
        assert_eq!((&read["partition"], &read["stream_id"]), (&417.into(), &"7-0".into()));
        assert!(told(&line).ends_with("\"}\n"));
    }
}
