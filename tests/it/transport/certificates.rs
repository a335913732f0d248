//! Certificates: changed while clients come and go, broken, wanted of clients, of operators' listener.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio_rustls::TlsConnector;

use super::line::{Line, Way, run, told};
use crate::metrics::scrape;
use crate::redis_server::pki::Pki;
use crate::wire::trusting;
use crate::world::{Payer, World, until};

/// A certificate and its key at places that do not change.
fn place(pki: &Pki, folder: &Path) -> (PathBuf, PathBuf) {
    let files = (folder.join("tls.pem"), folder.join("tls.key"));
    put(pki, &files);
    files
}

/// Puts another certificate and its key there, one after the other.
fn put(pki: &Pki, (certificate, key): &(PathBuf, PathBuf)) {
    let (from, its_key) = pki.certify(&["127.0.0.1", "localhost"]);
    std::fs::copy(from, certificate).unwrap();
    std::thread::sleep(Duration::from_millis(20));
    std::fs::copy(its_key, key).unwrap();
}

/// The certificate that is served.
fn served(world: &World) -> Vec<u8> {
    run(async {
        let config = trusting(&world.ca_file(), &[b"h2"], None);
        let stream = tokio::net::TcpStream::connect(world.data).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap();
        stream.get_ref().1.peer_certificates().unwrap()[0].to_vec()
    })
}

/// Comes and asks until it is told to stop; what went wrong.
fn come_and_ask(
    way: Way,
    world: &World,
    payer: &Payer,
    (stop, done, wrong): (&AtomicBool, &AtomicU64, &Mutex<Vec<String>>),
) {
    run(async {
        while !stop.load(Ordering::Relaxed) {
            let line = Line::open_as(way, world.data, &world.ca_file(), None).await;
            let mut line = match line {
                Ok(line) => line,
                Err(error) => return wrong.lock().unwrap().push(format!("{way:?} {error:?}")),
            };
            for _ in 0..5 {
                let request = line.request(&payer.images(1, "gift"));
                let status = match line.send(request).await {
                    Ok(response) => told(response).await.map(|told| told.status),
                    Err(error) => Err(error),
                };
                match status {
                    Ok(200) => done.fetch_add(1, Ordering::Relaxed),
                    other => return wrong.lock().unwrap().push(format!("{way:?} {other:?}")),
                };
            }
        }
    });
}

#[test]
fn a_change_under_load_fails_nobody() {
    let (pki, folder) = (Pki::new(), tempfile::tempdir().unwrap());
    let files = place(&pki, folder.path());
    let world = World::start_with_certificate(&pki, &files, "", &[]);
    let payer = world.payer("crowded", "100");
    let (stop, done, wrong) = (AtomicBool::new(false), AtomicU64::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for way in [Way::OneTls, Way::TwoTls, Way::OneTls, Way::TwoTls] {
            let (world, payer, all) = (&world, &payer, (&stop, &done, &wrong));
            scope.spawn(move || come_and_ask(way, world, payer, all));
        }
        let mut seen = vec![served(&world)];
        for _ in 0..2 {
            put(&pki, &files);
            until("the new certificate is served", || {
                let now = served(&world);
                let new = !seen.contains(&now);
                if new {
                    seen.push(now);
                }
                new
            });
        }
        stop.store(true, Ordering::Relaxed);
    });
    let wrong = wrong.into_inner().unwrap();
    println!("certificates: {} requests under two changes", done.load(Ordering::Relaxed));
    assert!(wrong.is_empty(), "{wrong:?}");
    assert!(done.load(Ordering::Relaxed) > 50);
}

#[test]
fn a_broken_file_leaves_the_old_one() {
    let (pki, folder) = (Pki::new(), tempfile::tempdir().unwrap());
    let files = place(&pki, folder.path());
    let world = World::start_with_certificate(&pki, &files, "", &[]);
    let payer = world.payer("studio", "");
    let broken = |number: &str| {
        let labels = [("listener", "clients")];
        until("the broken file is seen", || {
            scrape(&world).value("tollgate_certificate_broken", &labels) == number
        });
    };
    broken("0");
    // A key of another certificate, garbage, nothing.
    let (_, other_key) = pki.certify(&["localhost"]);
    let breaks: [&dyn Fn(); 3] = [
        &|| assert!(std::fs::copy(&other_key, &files.1).is_ok()),
        &|| std::fs::write(&files.0, "-----BEGIN CERTIFICATE-----\n").unwrap(),
        &|| std::fs::remove_file(&files.0).unwrap(),
    ];
    for fault in breaks {
        let old = served(&world);
        fault();
        broken("1");
        assert_eq!(served(&world), old);
        world.send(&payer.get("/v1/models")).ok();
        put(&pki, &files);
        until("the new one is served", || served(&world) != old);
        broken("0");
    }
}

#[test]
fn clients_may_have_to_show_a_certificate() {
    let (pki, clients, strangers) = (Pki::new(), Pki::new(), Pki::new());
    let (own, foreign) = (clients.certify(&["a client"]), strangers.certify(&["another"]));
    for (asked, without) in [("", false), (", client_certificates: optional", true)] {
        let block = format!(", client_ca_file: {}{asked}", clients.ca_file().display());
        let (certificate, key) = pki.certify(&["127.0.0.1", "localhost"]);
        let world = World::start_with_certificate(&pki, &(certificate, key), &block, &[]);
        let payer = world.payer("studio", "");
        let good = |own: Option<&(PathBuf, PathBuf)>, way| {
            run(async {
                let line = Line::open_as(way, world.data, &pki.ca_file(), own).await;
                let Ok(mut line) = line else { return false };
                let request = line.request(&payer.get("/v1/models"));
                // TLS 1.3 tells of a certificate that is not liked after the handshake.
                line.send(request).await.is_ok_and(|response| response.status() == 200)
            })
        };
        for way in [Way::OneTls, Way::TwoTls] {
            assert!(good(Some(&own), way), "{asked:?} {way:?}");
            assert!(!good(Some(&foreign), way), "{asked:?} {way:?}");
            assert_eq!(good(None, way), without, "{asked:?} {way:?}");
        }
    }
}

#[test]
fn who_vouches_for_clients_may_change() {
    let (pki, old, new) = (Pki::new(), Pki::new(), Pki::new());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("clients.pem");
    std::fs::copy(old.ca_file(), &file).unwrap();
    let block = format!(", client_ca_file: {}", file.display());
    let world = World::start_with_certificate(&pki, &pki.certify(&["localhost"]), &block, &[]);
    let payer = world.payer("studio", "");
    let good = |own: &(PathBuf, PathBuf)| {
        run(async {
            let line = Line::open_as(Way::TwoTls, world.data, &pki.ca_file(), Some(own)).await;
            let Ok(mut line) = line else { return false };
            let request = line.request(&payer.get("/v1/models"));
            line.send(request).await.is_ok_and(|response| response.status() == 200)
        })
    };
    let (of_old, of_new) = (old.certify(&["a"]), new.certify(&["b"]));
    assert!(good(&of_old) && !good(&of_new));
    std::fs::copy(new.ca_file(), &file).unwrap();
    until("the new ones may come", || good(&of_new));
    assert!(!good(&of_old));
}
