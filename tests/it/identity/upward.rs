//! What reaches a service: whose credential, who asks, and from where.

use super::rig::{Place, Seed, images, team_route};
use crate::ledger_world::key_of;
use crate::wire::Ask;
use crate::world::{IMAGES, Payer};

const OLD: &str = "sk-old-4f8a1c92d7e6b350";

fn import(seed: &Seed<'_>) {
    let account = seed.account("acct_lea", None);
    seed.import(&account, 9, OLD);
}

fn place(upstream: &str, route: &str, more: &[(&'static str, &str)]) -> (Place, Payer) {
    let mut changes = team_route(upstream, route).to_vec();
    changes.extend(more.iter().map(|(from, to)| (*from, (*to).to_owned())));
    let changes: Vec<_> = changes.iter().map(|(a, b)| (*a, b.as_str())).collect();
    let place = Place::on_file(&changes, import);
    let key_id = key_of(&"acct_lea".parse().unwrap(), 9).to_string();
    let payer = Payer { account: "acct_lea".to_owned(), key: OLD.to_owned(), key_id };
    place.world.grant(&payer, "100");
    (place, payer)
}

fn ways() -> Vec<(&'static str, String)> {
    vec![
        ("authorization", format!("Bearer {OLD}")),
        ("authorization", format!("Token {OLD}")),
        ("x-api-key", OLD.to_owned()),
        ("xi-api-key", OLD.to_owned()),
    ]
}

#[test]
fn a_credential_is_replaced_unless_it_passes() {
    let (place, _) = place("", "", &[]);
    for (name, value) in ways() {
        place.send(&images("/team/images").header(name, &value)).ok();
    }
    assert!(!place.team.all().contains(OLD), "{}", place.team.all());
    assert_eq!(place.team.count(), 4);
}

#[test]
fn an_imported_key_passes_as_it_came_and_a_key_of_ours_never_does() {
    for (upstream, route) in [(", credentials: pass", ""), ("", ", credentials: pass")] {
        let keys = ("limits: {", "keys: { query: key }\nlimits: {");
        let (place, payer) = place(upstream, route, &[keys]);
        for (name, value) in ways() {
            place.send(&images("/team/images").header(name, &value)).ok();
            assert_eq!(place.team.header(name), Some(value));
        }
        place.send(&images(&format!("/team/images?a=1&key={OLD}&b"))).ok();
        let line = format!("POST /team/images?a=1&key={OLD}&b HTTP/1.1");
        assert!(place.team.last().starts_with(&line), "{}", place.team.last());
        let ours = place.world.another_key(&payer.account).key;
        place.send(&images("/team/images").key(&ours)).ok();
        place.send(&images("/team/images").header("x-api-key", &ours)).ok();
        place.send(&images(&format!("/team/images?key={ours}&c=3"))).ok();
        assert!(place.team.last().starts_with("POST /team/images?c=3 HTTP/1.1"));
        assert!(!place.team.all().contains(&ours), "{}", place.team.all());
        // The other service is given the operator's, whatever the client showed.
        place.send(&images(IMAGES).key(OLD)).ok();
        let told = format!("{:?}", place.world.last_headers());
        assert!(!told.contains(OLD) && told.contains("sample-upstream-secret"), "{told}");
    }
}

#[test]
fn a_route_can_replace_where_its_upstream_passes() {
    let (place, _) = place(", credentials: pass", ", credentials: replace", &[]);
    place.send(&images("/team/images").key(OLD)).ok();
    assert!(!place.team.all().contains(OLD));
}

const TOLD: &str = ", identity_headers: { account: x-tollgate-account, key: x-tollgate-key, charge: x-tollgate-charge }";

#[test]
fn a_service_learns_who_asks_and_no_client_can_say_it() {
    let (place, payer) = place(TOLD, "", &[]);
    let lie = |ask: Ask| {
        ask.header("X-Tollgate-Account", "acct_evil")
            .header("x-tollgate-account", "acct_evil2")
            .header("x_tollgate_account", "acct_evil3")
            .header("x-tollgate-key", "key_evil")
            .header("x-tollgate-charge", "chg_evil")
            .header("connection", "keep-alive, x-tollgate-account")
    };
    let reply = place.send(&lie(images("/team/images").key(OLD))).ok();
    assert_eq!(place.team.header("x-tollgate-account"), Some("acct_lea".to_owned()));
    assert_eq!(place.team.header("x-tollgate-key"), Some(payer.key_id.clone()));
    assert_eq!(place.team.header("x-tollgate-charge"), Some(reply.charge()));
    assert!(!place.team.last().contains("evil"), "{}", place.team.last());
    // On every route, also to services that are told nothing.
    place.send(&lie(images(IMAGES).key(OLD))).ok();
    let told = format!("{:?}", place.world.last_headers());
    assert!(!told.contains("evil") && !told.contains("x-tollgate"), "{told}");
    place.send(&lie(Ask::new("GET", "/v1/models").key(OLD))).ok();
    let told = format!("{:?}", place.world.last_headers());
    assert!(!told.contains("evil") && !told.contains("x-tollgate"), "{told}");
}

/// A request that says much about where it came from.
fn claims() -> Ask {
    images("/team/images")
        .key(OLD)
        .header("x-forwarded-for", "203.0.113.9")
        .header("x-forwarded-for", "203.0.113.10")
        .header("x-forwarded-host", "outer.example")
        .header("x-forwarded-proto", "https")
        .header("x-forwarded-port", "443")
        .header("x-real-ip", "203.0.113.9")
        .header("x_forwarded_for", "203.0.113.9")
        .header("forwarded", "for=203.0.113.9;proto=https")
}

#[test]
fn addresses_go_on_only_where_that_is_declared() {
    let trusted = ("limits: {", "trusted_proxies: [127.0.0.0/8]\nlimits: {");
    for more in [&[][..], &[trusted]] {
        let (place, _) = place("", "", more);
        place.send(&claims()).ok();
        let last = place.team.last().to_lowercase();
        for name in ["forwarded", "real-ip", "203.0.113", "127.0.0.1, "] {
            assert!(!last.contains(name), "{name}: {last}");
        }
    }
}

#[test]
fn a_strangers_word_is_replaced_and_a_trusted_proxys_is_kept() {
    let trusted = ("limits: {", "trusted_proxies: [127.0.0.0/8]\nlimits: {");
    for (more, wanted) in [
        (&[][..], [Some("127.0.0.1"), Some("gateway"), None]),
        (
            &[trusted],
            [Some("203.0.113.9, 203.0.113.10, 127.0.0.1"), Some("outer.example"), Some("https")],
        ),
    ] {
        let (place, _) = place(", client_address: x_forwarded", "", more);
        place.send(&claims()).ok();
        let names = ["x-forwarded-for", "x-forwarded-host", "x-forwarded-proto"];
        let told = names.map(|name| place.team.header(name));
        assert_eq!(told.each_ref().map(Option::as_deref), wanted);
        let last = place.team.last().to_lowercase();
        assert!(!last.contains("x-real-ip") && !last.contains("\nforwarded"), "{last}");
    }
    let (place, _) = place(", client_address: forwarded", "", &[trusted]);
    place.send(&claims()).ok();
    let told = "for=203.0.113.9;proto=https, for=127.0.0.1;host=\"gateway\"";
    assert_eq!(place.team.header("forwarded").as_deref(), Some(told));
    assert!(!place.team.last().to_lowercase().contains("x-forwarded"));
}
