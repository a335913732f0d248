//! The commands that look at a store and make one, against real servers: examined, made, damaged, examined.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

use super::processes::{BIN, Process, eventually};

/// Everything in a configuration but the store.
const REST: &str = "
upstreams: { generator: { url: http://127.0.0.1:9000 } }
plans: { starter: {} }
prices:
  image: { lines: [{ label: Image, rate: 5 }] }
routes:
  - { name: image, match: POST /v1/images, upstream: generator, price: image, on_unknown: release }
";
const PASSWORD: &str = "canary-of-a-server";

/// A folder, and the servers that were started in it.
struct Place {
    folder: TempDir,
    servers: Vec<Process>,
}

impl Place {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), servers: Vec::new() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A Redis with these settings, one on each line, on a free port.
    fn server(&mut self, settings: &str, more: &[&str]) -> SocketAddr {
        let address = free();
        let port = address.port();
        let file = self.path(&format!("{port}.conf"));
        let folder = self.folder.path().display();
        let common = format!("bind 127.0.0.1\nport {port}\ndir {folder}\nsave \"\"\n");
        std::fs::write(&file, common + settings).unwrap();
        let process = Process::start(Command::new("redis-server").arg(file).args(more));
        eventually("the server listens", || TcpStream::connect(address).ok());
        self.servers.push(process);
        address
    }

    /// A node of a cluster, alone and without slots; and the port of its bus.
    fn cluster_node(&mut self) -> (SocketAddr, String) {
        let number = self.servers.len();
        let bus = free().port().to_string();
        let nodes = format!("cluster-enabled yes\ncluster-config-file nodes-{number}.conf\n");
        let own = format!("{SAFE}{nodes}cluster-port {bus}\nappenddirname log-{number}\n");
        (self.server(&own, &[]), bus)
    }

    /// Runs a command on a configuration with this store.
    fn run(&self, words: &[&str], store: &str) -> Output {
        let file = self.path("tollgate.yaml");
        std::fs::write(&file, format!("store: {{ {store} }}{REST}")).unwrap();
        let mut command = Command::new(BIN);
        command.args(words).arg("--config").arg(&file).env("REDIS_PASSWORD", PASSWORD);
        command.output().unwrap()
    }

    fn doctor(&self, store: &str) -> (Option<i32>, Vec<(String, String)>) {
        let output = self.run(&["doctor", "--json"], store);
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(!text.contains(PASSWORD), "{text}");
        let told: Value = serde_json::from_str(&text).unwrap();
        let word = |value: &Value| value.as_str().unwrap().to_owned();
        let found = told["findings"].as_array().unwrap().iter();
        let found = found.map(|one| (word(&one["level"]), word(&one["code"])));
        (output.status.code(), found.collect())
    }

    /// Makes a ledger; the answer is the exit code and what was said.
    fn create(&self, store: &str) -> (Option<i32>, String) {
        let output = self.run(&["ledger", "create"], store);
        let said = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(said).unwrap())
    }
}

/// An address that was free a moment ago.
fn free() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

fn redis(address: SocketAddr) -> String {
    format!("redis: {{ url: redis://{address}, state: ./data }}")
}

/// What is not well, in words.
fn unwell(found: &[(String, String)]) -> Vec<String> {
    let wrong = found.iter().filter(|(level, _)| level != "ok");
    wrong.map(|(level, code)| format!("{level} {code}")).collect()
}

/// One command on a server.
fn ask(address: SocketAddr, command: &[&str]) {
    let mut wire = format!("*{}\r\n", command.len());
    for word in command {
        wire.push_str(&format!("${}\r\n{word}\r\n", word.len()));
    }
    let mut stream = TcpStream::connect(address).unwrap();
    std::io::Write::write_all(&mut stream, wire.as_bytes()).unwrap();
    let mut first = [0; 1];
    std::io::Read::read_exact(&mut stream, &mut first).unwrap();
    assert_ne!(first, *b"-", "{command:?}");
}

const SAFE: &str = "appendonly yes\nappendfsync always\nmaxmemory 100mb\n";

#[test]
fn a_ledger_is_made_once_and_missed_when_it_is_gone() {
    let mut place = Place::new();
    let address = place.server(SAFE, &[]);
    let store = redis(address);
    let alone = "warning no_replicas";
    let (code, found) = place.doctor(&store);
    assert_eq!((code, unwell(&found)), (Some(1), vec![alone.into(), "error no_ledger".into()]));
    let (code, said) = place.create(&store);
    assert!(code == Some(0) && said.starts_with("made the ledger "), "{code:?} {said}");
    let (code, found) = place.doctor(&store);
    assert_eq!((code, unwell(&found)), (Some(0), vec![alone.into()]));
    let (code, said) = place.create(&store);
    assert_eq!((code, said.as_str()), (Some(1), "tollgate: there is a ledger already\n"));
    ask(address, &["DEL", "tollgate:{0003}:epoch"]);
    let (code, found) = place.doctor(&store);
    assert_eq!((code, unwell(&found)), (Some(1), vec![alone.into(), "error ledger_lost".into()]));
    let (code, said) = place.create(&store);
    assert!(code == Some(1) && said.contains("not whole: 1 of 1024"), "{code:?} {said}");
    assert!(!place.path("data").exists(), "nothing was written here");
}

#[test]
fn what_is_left_of_a_ledger_is_no_room_for_a_new_one() {
    let mut place = Place::new();
    let address = place.server(SAFE, &[]);
    for number in 0..2_000 {
        ask(address, &["SET", &format!("other:{number}"), "1"]);
    }
    ask(address, &["SET", "tollgate:{0417}:a:acct_maria", "1"]);
    let store = redis(address);
    let (code, said) = place.create(&store);
    assert!(code == Some(1) && said.contains("`tollgate:{0417}:a:acct_maria` is left"), "{said}");
    let other = store.replace("state", "prefix: \"new:\", state");
    assert_eq!(place.create(&other).0, Some(0), "another prefix is another ledger");
    let elsewhere = store.replace("state", "database: 3, state");
    assert_eq!(place.create(&elsewhere).0, Some(0), "and so is another database");
}

#[test]
fn a_server_that_forgets_is_named() {
    let mut place = Place::new();
    let address = place.server("maxmemory 100mb\nmaxmemory-policy allkeys-lru\n", &[]);
    let store = redis(address);
    assert_eq!(place.create(&store).0, Some(0));
    let (code, found) = place.doctor(&store);
    let wrong = ["error evicts", "warning not_persistent", "warning no_replicas"];
    assert_eq!((code, unwell(&found)), (Some(1), wrong.map(str::to_owned).to_vec()));
}

#[test]
fn a_user_with_few_rights_is_enough_and_a_wrong_password_is_said() {
    let mut place = Place::new();
    let user = format!(
        "user tollgate on >{PASSWORD} ~tollgate:* +@read +@write +@connection +info +time +select\n\
         user default off\n"
    );
    let address = place.server(&format!("{SAFE}{user}"), &[]);
    let own = "user: tollgate, password: { env: REDIS_PASSWORD }, state";
    let store = redis(address).replace("state", own);
    assert_eq!(place.create(&store).0, Some(0));
    let (code, found) = place.doctor(&store);
    // CONFIG is forbidden: how often it syncs is not known.
    let unknown = ["warning unknown_setting", "warning no_replicas"];
    assert_eq!((code, unwell(&found)), (Some(0), unknown.map(str::to_owned).to_vec()));
    let nobody = store.replace("user: tollgate", "user: nobody");
    let (code, found) = place.doctor(&nobody);
    assert_eq!((code, unwell(&found)), (Some(75), vec!["error unreachable".to_owned()]));
    let (code, said) = place.create(&nobody);
    assert!(code == Some(75) && !said.contains(PASSWORD), "{code:?} {said}");
}

#[test]
fn sentinels_name_the_primary() {
    let mut place = Place::new();
    let primary = place.server(SAFE, &[]);
    let (host, port) = (primary.ip(), primary.port());
    let watch = format!("sentinel monitor mymaster {host} {port} 2\n");
    let sentinels = [place.server(&watch, &["--sentinel"]), place.server(&watch, &["--sentinel"])];
    let [one, two] = sentinels;
    let store = format!(
        "redis: {{ sentinel: {{ addresses: [{one}, {two}], name: mymaster }}, state: ./d }}"
    );
    assert_eq!(place.create(&store).0, Some(0));
    let (code, found) = place.doctor(&store);
    assert_eq!((code, unwell(&found)), (Some(0), vec!["warning no_replicas".to_owned()]));
    assert!(found.contains(&("ok".to_owned(), "sentinels".to_owned())), "{found:?}");
    let strange = store.replace("name: mymaster", "name: other");
    let (code, found) = place.doctor(&strange);
    let wrong = ["error unknown_primary", "error unknown_primary", "error unreachable"];
    assert_eq!((code, unwell(&found)), (Some(1), wrong.map(str::to_owned).to_vec()));
}

#[test]
fn tls_is_checked_both_ways() {
    let mut place = Place::new();
    let names = vec!["127.0.0.1".to_owned()];
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    std::fs::write(place.path("own.pem"), made.cert.pem()).unwrap();
    std::fs::write(place.path("own.key"), made.signing_key.serialize_pem()).unwrap();
    let file = |name: &str| place.path(name).display().to_string();
    let (pem, key, tls) = (file("own.pem"), file("own.key"), free());
    let settings = format!(
        "{SAFE}tls-port {}\ntls-cert-file {pem}\ntls-key-file {key}\ntls-ca-cert-file {pem}\n",
        tls.port()
    );
    place.server(&settings, &[]);
    let with = |scheme: &str, tls_settings: &str| {
        format!("redis: {{ url: {scheme}://{tls}, {tls_settings} state: ./data }}")
    };
    let client = "certificate_file: own.pem, key_file: own.key";
    let good = with("rediss", &format!("tls: {{ ca_file: own.pem, {client} }},"));
    assert_eq!(place.create(&good).0, Some(0));
    let (code, found) = place.doctor(&good);
    assert_eq!((code, unwell(&found)), (Some(0), vec!["warning no_replicas".to_owned()]));
    let implied = with("redis", &format!("tls: {{ ca_file: own.pem, {client} }},"));
    assert_eq!(place.doctor(&implied).0, Some(0));
    for bad in [
        with("redis", ""),
        with("rediss", ""),
        with("rediss", "tls: { ca_file: own.pem },"),
        with("rediss", &format!("tls: {{ {client} }},")),
    ] {
        let (code, found) = place.doctor(&bad);
        assert_eq!(
            (code, unwell(&found)),
            (Some(75), vec!["error unreachable".to_owned()]),
            "{bad}"
        );
    }
}

#[test]
fn a_cluster_is_asked_as_a_whole() {
    let mut place = Place::new();
    let ((one, bus), (two, _)) = (place.cluster_node(), place.cluster_node());
    let store = format!("redis: {{ cluster: [{one}, {two}], state: ./data }}");
    let (code, found) = place.doctor(&store);
    assert_eq!((code, unwell(&found)), (Some(75), vec!["error unreachable".to_owned()]));
    ask(one, &["CLUSTER", "ADDSLOTSRANGE", "0", "8191"]);
    ask(two, &["CLUSTER", "ADDSLOTSRANGE", "8192", "16383"]);
    ask(two, &["CLUSTER", "SET-CONFIG-EPOCH", "2"]);
    let (host, port) = (one.ip().to_string(), one.port().to_string());
    ask(two, &["CLUSTER", "MEET", &host, &port, &bus]);
    let alone = "warning no_replicas".to_owned();
    eventually("the nodes have met", || {
        let (code, found) = place.doctor(&store);
        let whole = code == Some(1) && unwell(&found).contains(&"error no_ledger".to_owned());
        (whole && unwell(&found).len() == 3).then_some(())
    });
    assert_eq!(place.create(&store).0, Some(0));
    let (code, found) = place.doctor(&store);
    assert_eq!((code, unwell(&found)), (Some(0), vec![alone.clone(), alone.clone()]));
    assert_eq!(found.iter().filter(|(_, code)| code == "cluster").count(), 2, "{found:?}");
    let single = redis(one);
    let (code, found) = place.doctor(&single);
    assert!(
        code == Some(1) && unwell(&found).contains(&"error is_cluster".to_owned()),
        "{found:?}"
    );
    // One comes back empty: half of the ledger is gone, and is not taken for new.
    ask(two, &["FLUSHALL"]);
    let (code, found) = place.doctor(&store);
    let lost = vec![alone.clone(), alone, "error ledger_lost".to_owned()];
    assert_eq!((code, unwell(&found)), (Some(1), lost));
    assert_eq!(place.create(&store).0, Some(1));
}

#[test]
fn an_embedded_store_is_looked_at_without_being_opened() {
    let place = Place::new();
    let store = "embedded: { path: ./data }";
    assert_eq!(place.doctor(store).0, Some(0));
    assert_eq!(place.create(store).0, Some(2));
    let data = place.path("data");
    assert!(!data.exists(), "nothing was made");
    std::fs::create_dir(&data).unwrap();
    std::fs::write(data.join("ledger.redb"), "nothing of ours").unwrap();
    let (code, found) = place.doctor(store);
    assert_eq!((code, unwell(&found)), (Some(1), vec!["error not_a_ledger".to_owned()]));
    assert_eq!(place.run(&["doctor"], "embedded: {}").status.code(), Some(78));
    let table = String::from_utf8(place.run(&["doctor"], store).stdout).unwrap();
    assert!(table.starts_with("LEVEL  CHECK         AT"), "{table}");
    assert!(table.ends_with("\n1 error, 0 warnings\n"), "{table}");
}
