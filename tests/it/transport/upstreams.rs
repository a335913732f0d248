//! Upstreams of HTTP/1.1 and HTTP/2, in clear and under TLS, with and without a certificate of ours.

use http::Version;

use super::line::{Line, Way, run};
use super::service::{Seen, Service, Speaks};
use crate::redis_server::pki::Pki;
use crate::world::{Payer, World};

/// A world before an upstream that is described so.
fn world(described: &str) -> World {
    World::start(&[("url: UPSTREAM", described)])
}

/// Asks for an image; what the upstream saw of it.
fn ask(world: &World, payer: &Payer, service: &Service) -> Seen {
    let before = service.seen().len();
    let reply = world.send(&payer.images(1, "low")).ok();
    assert_eq!(reply.text(), "{\"data\":[1]}");
    assert_eq!(world.ended(payer, &reply.charge(), "settled")["charged"], "1");
    let seen = service.seen();
    assert_eq!(seen.len(), before + 1);
    seen.last().unwrap().clone()
}

#[test]
fn in_clear_it_is_as_the_operator_says() {
    for (speaks, http, version) in [
        (Speaks::One, "", Version::HTTP_11),
        (Speaks::One, "\n    http: 1", Version::HTTP_11),
        (Speaks::Two, "\n    http: 2", Version::HTTP_2),
    ] {
        let service = Service::in_clear(speaks);
        let world = world(&format!("url: http://{}/base{http}", service.addr));
        let payer = world.payer("studio", "10");
        let seen = ask(&world, &payer, &service);
        assert_eq!(seen.version, version, "{speaks:?} {http}");
        assert!(seen.uri.ends_with("/base/v1/images/generations"), "{}", seen.uri);
        assert!(std::str::from_utf8(&seen.body).unwrap().contains("\"quality\":\"low\""));
        assert_eq!(seen.headers["authorization"], "Bearer sample-upstream-secret");
        // One host, and it is the upstream's.
        let host = seen.headers.get("host").map(|host| host.to_str().unwrap().to_owned());
        let named = host.or_else(|| seen.uri.split('/').nth(2).map(str::to_owned));
        assert_eq!(named.unwrap(), service.addr.to_string());
    }
}

#[test]
fn under_tls_both_sides_agree() {
    let pki = Pki::new();
    for (http, version) in
        [("auto", Version::HTTP_2), ("1", Version::HTTP_11), ("2", Version::HTTP_2)]
    {
        let service = Service::under_tls(&pki, None);
        let (port, ca) = (service.addr.port(), pki.ca_file());
        let world = world(&format!(
            "url: https://localhost:{port}\n    http: {http}\n    ca_file: {}",
            ca.display()
        ));
        let payer = world.payer("studio", "10");
        assert_eq!(ask(&world, &payer, &service).version, version, "{http}");
    }
}

#[test]
fn an_upstream_may_want_our_certificate() {
    let (pki, clients) = (Pki::new(), Pki::new());
    let service = Service::under_tls(&pki, Some(&clients.ca_file()));
    let url = format!(
        "url: https://localhost:{}\n    ca_file: {}",
        service.addr.port(),
        pki.ca_file().display()
    );
    let (certificate, key) = clients.certify(&["tollgate"]);
    let ours = format!(
        "{url}\n    certificate_file: {}\n    key_file: {}",
        certificate.display(),
        key.display()
    );
    let with = world(&ours);
    let payer = with.payer("studio", "10");
    ask(&with, &payer, &service);

    let without = world(&url);
    let payer = without.payer("studio", "10");
    let reply = without.send(&payer.images(1, "low"));
    assert_eq!(reply.status, 502);
    assert_eq!(service.seen().len(), 1);
}

#[test]
fn a_hundred_requests_share_a_connection() {
    let service = Service::in_clear(Speaks::Two);
    let world = World::start(&[
        ("url: UPSTREAM", &format!("url: http://{}\n    http: 2", service.addr)),
        ("store:", "cores: 1\nstore:"),
    ]);
    let payer = world.payer("crowded", "100");
    let ask = payer.images(1, "low").header("x-slowly", "yes");
    let statuses = run(async {
        let Line::Two(line) = Line::open(Way::Two, world.data, &world.ca_file()).await else {
            panic!("it does not speak HTTP/2");
        };
        let all = (0..100).map(|_| {
            let mut line = Line::Two(line.clone());
            let ask = ask.clone();
            async move { line.ask(&ask).await.status }
        });
        futures_util::future::join_all(all).await
    });
    assert!(statuses.iter().all(|status| *status == 200), "{statuses:?}");
    assert_eq!((service.seen().len(), service.connections()), (100, 1));
    crate::world::until("all is settled", || world.purse(&payer).held == "0");
    assert_eq!(world.purse(&payer).available, "0");
}

#[test]
fn a_stream_that_was_not_looked_at_costs_nothing_and_is_not_sent_again() {
    let service = Service::in_clear(Speaks::Refusing);
    let world = world(&format!("url: http://{}\n    http: 2", service.addr));
    let payer = world.payer("studio", "10");
    let reply = world.send(&payer.images(1, "low"));
    assert_eq!(reply.problem(), (502, "upstream_error".to_owned()));
    assert_eq!(reply.header("x-should-retry"), Some("true"));
    assert_eq!(world.ended(&payer, &reply.charge(), "released")["charged"], "0");
    assert_eq!(world.purse(&payer).available, "10");
}

#[test]
fn an_upstream_that_speaks_something_else_gets_nothing() {
    // It is spoken to by HTTP/2 and answers by HTTP/1.1.
    let service = Service::in_clear(Speaks::One);
    let world = world(&format!("url: http://{}\n    http: 2", service.addr));
    let payer = world.payer("studio", "10");
    let reply = world.send(&payer.images(1, "low"));
    assert_eq!(reply.status, 502, "{}", reply.text());
    assert_eq!(service.seen().len(), 0);
}
