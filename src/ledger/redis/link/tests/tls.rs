//! TLS: who is believed.

use super::redis_server::pki::Pki;
use super::*;
use crate::ledger::redis::settings::Tls;

fn at(host: &str, server: &RedisServer, tls: Tls) -> Settings {
    let mut settings = settings(1);
    let address = Address { host: host.to_owned(), port: server.tls_port() };
    settings.topology = Topology::Single { address, database: 0 };
    settings.tls = Some(tls);
    settings
}

fn trusting(pki: &Pki) -> Tls {
    Tls { ca_file: Some(pki.ca_file()), client: None }
}

#[tokio::test]
async fn only_a_certificate_that_is_vouched_for_and_names_the_host_is_believed() {
    let pki = Pki::new();
    let server = RedisServer::start_tls(&pki, &["localhost", "127.0.0.1"], &[]);
    for host in ["localhost", "127.0.0.1"] {
        let (link, _) = open(at(host, &server, trusting(&pki)));
        assert!(done(&count(&link, 5_000).await));
    }
    for tls in [trusting(&Pki::new()), Tls::default()] {
        not_done(
            count(&open(at("localhost", &server, tls)).0, 5_000).await,
            "invalid peer certificate",
        );
    }
    let other = RedisServer::start_tls(&pki, &["redis.example"], &[]);
    let outcome = count(&open(at("localhost", &other, trusting(&pki))).0, 5_000).await;
    not_done(outcome, "not valid for name");
    let old = pki.certify_expired(&["localhost"]);
    let old = RedisServer::start_with_certificate(&old, &pki, &[]);
    let outcome = count(&open(at("localhost", &old, trusting(&pki))).0, 5_000).await;
    not_done(outcome, "expired");
}

#[tokio::test]
async fn a_server_that_wants_a_certificate_gets_ours() {
    let pki = Pki::new();
    let server = RedisServer::start_tls(&pki, &["localhost"], &["tls-auth-clients yes"]);
    let with = Tls { client: Some(pki.certify(&["tollgate"])), ..trusting(&pki) };
    assert!(done(&count(&open(at("localhost", &server, with)).0, 5_000).await));
    let outcome = count(&open(at("localhost", &server, trusting(&pki))).0, 5_000).await;
    assert!(matches!(outcome, Outcome::NotDone(_)), "{outcome:?}");
    let nowhere = Tls { ca_file: Some("/nowhere/ca.pem".into()), client: None };
    not_done(count(&open(at("localhost", &server, nowhere)).0, 5_000).await, "/nowhere/ca.pem");
}
