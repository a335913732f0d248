//! What plans and keys allow, on real sockets: routes, features, values, sizes; and who has free credits.

use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};
use tollgate::credit::AccountId;
use tollgate::ledger::embedded::{EmbeddedLedger, Settings};
use tollgate::ledger::{FreeCredits, Ledger, NewAccount, NewKey};
use tollgate::meter::NewKeyText;
use tollgate::seam::{SystemClock, SystemEntropy};

use crate::audit::books;
use crate::exposition::Scrape;
use crate::ledger_world::{new_account, ok, wait};
use crate::processes::{self, Proxy, Site};
use crate::wire::{Ask, Reply, Wire};
use crate::world::{CHAT, IMAGES, Payer, Purse, TOKEN, World};

/// Where bodies are uploaded, for nothing.
const UPLOADS: &str = "/v1/dubbing";
const MODELS: &str = "/v1/models";

const YAML: &str = r#"
listen: 127.0.0.1:0
store: { embedded: { path: ledger, lease: 3s } }
admin: { listen: 127.0.0.1:0, token: { env: ADMIN } }
limits: { body: 10s, drain: 10s }
flood: { per_address: 1000000, failures: 1000000 }
upstreams: { sample: { url: UPSTREAM, credentials: { bearer: { env: SECRET } } } }
plans:
  studio: {}
  basic:
    routes: [models, upload]
    features: [media]
    refuse: [chat]
    options: { quality: { allow: [draft, low] }, n: { maximum: 2 } }
    body_limits: { upload: 1KiB, media: 2KiB }
  large: { body_limits: { image: 256KiB } }
  walled: { features: [media] }
  team: { caps: [{ name: weekly, measure: requests, limit: 1, every: week, scope: member }] }
  usual: { allowances: [{ name: monthly, amount: 3, every: month }] }
  saver:
    allowances: [{ name: monthly, amount: 3, every: month }]
    draw_order: [purchased, bonus, goodwill, rollover, plan, free]
  gratis: { allowances: [{ name: daily, class: free, amount: 3, every: day }] }
prices:
  images:
    lines:
      - label: Images
        quantities: [n]
        table:
          by: [quality]
          rows: [{ when: [draft], rate: 0 }, { when: [low], rate: 1 }, { when: [medium], rate: 5 }]
  chat: { lines: [{ label: Chat, rate: 1 }] }
routes:
  - name: image
    match: POST /v1/images/generations
    upstream: sample
    feature: media
    price: images
    body_limit: 64KiB
    quantities:
      n: { type: integer, request: [{ json: /n }], default: 1, minimum: 1, maximum: 10 }
      quality:
        { type: text, request: [{ json: /quality }], default: medium, one_of: [draft, low, medium, ultra] }
    on_unknown: release
  - name: chat
    match: POST /v1/chat/completions
    upstream: sample
    feature: media
    price: chat
    on_unknown: release
  - { name: models, match: GET /v1/models, upstream: sample, free: true }
  - { name: upload, match: POST /v1/dubbing, upstream: sample, free: true, body_limit: 64KiB }
"#;

fn world() -> World {
    World::of(YAML, &[])
}

/// Sends what must be refused with this code: it reaches nobody and costs nothing.
#[track_caller]
fn refused(world: &World, payer: &Payer, ask: &Ask, code: &str) -> Value {
    let (before, purse) = (world.forwarded(), world.purse(payer));
    let reply = world.send(ask);
    assert_eq!(reply.problem(), (403, code.to_owned()), "{}", reply.text());
    assert_eq!((world.forwarded(), world.purse(payer)), (before, purse));
    reply.json()
}

fn quote(ask: Ask) -> Ask {
    ask.header("prefer", "metering=quote")
}

#[test]
fn a_plan_has_the_routes_and_features_that_it_names() {
    let world = world();
    let basic = world.payer("basic", "10");
    world.send(&basic.images(1, "low")).ok();
    world.send(&basic.get(MODELS)).ok();
    let chat = basic.post(CHAT, &json!({ "messages": [] }));
    let told = refused(&world, &basic, &chat, "route_not_in_plan");
    assert_eq!((&told["plan"], &told["route"]), (&json!("basic"), &json!("chat")));
    // Free routes are no way around.
    let walled = world.payer("walled", "10");
    world.send(&walled.images(1, "medium")).ok();
    let told = refused(&world, &walled, &walled.get(MODELS), "route_not_in_plan");
    assert_eq!(told["detail"], "The plan walled does not include models.");
    let quoted = world.send(&quote(walled.get(MODELS))).ok().json();
    assert_eq!(
        (&quoted["decision"], &quoted["code"]),
        (&json!("block"), &json!("route_not_in_plan"))
    );
    let quoted = world.send(&quote(basic.get(MODELS))).ok().json();
    assert_eq!(quoted["decision"], "allow");
    let asked = json!({ "method": "GET", "path": MODELS });
    let quoted = world.send(&walled.post("/_credits/v1/quote", &asked)).ok().json();
    assert_eq!(quoted["code"], "route_not_in_plan", "{quoted}");
    // A new plan counts at once, on free routes too.
    world.change(&walled, &json!({ "plan": "studio" }));
    world.send(&walled.get(MODELS)).ok();
}

#[test]
fn a_plan_has_the_values_that_it_allows() {
    let world = world();
    let basic = world.payer("basic", "10");
    world.send(&basic.images(2, "low")).ok();
    let told = refused(&world, &basic, &basic.images(1, "medium"), "option_not_in_plan");
    assert_eq!(told["detail"], "The plan basic does not include quality = medium.");
    let members = ["plan", "quantity", "value", "charged"].map(|name| told[name].clone());
    assert_eq!(members, [json!("basic"), json!("quality"), json!("medium"), json!("0")]);
    // What the request leaves to its default is asked for as well.
    refused(&world, &basic, &basic.post(IMAGES, &json!({ "n": 1 })), "option_not_in_plan");
    let told = refused(&world, &basic, &basic.images(3, "low"), "option_not_in_plan");
    assert_eq!((&told["quantity"], &told["value"]), (&json!("n"), &json!("3")));
    // Also where the plan could not pay: there is no rate for it.
    refused(&world, &basic, &basic.images(1, "ultra"), "option_not_in_plan");
    let studio = world.payer("studio", "10");
    let reply = world.send(&studio.images(1, "ultra"));
    assert_eq!(reply.problem(), (422, "unpriceable_request".to_owned()));
    let french = basic.images(3, "low").header("accept-language", "fr");
    let reply = world.send(&french);
    assert!(reply.json()["detail"].as_str().unwrap().contains("forfait basic"), "{}", reply.text());
    let quoted = world.send(&quote(basic.images(3, "low"))).ok().json();
    let said = ["decision", "code", "status", "hold"].map(|name| quoted[name].clone());
    assert_eq!(said, [json!("block"), json!("option_not_in_plan"), json!(403), Value::Null]);
    world.send(&quote(basic.images(2, "low"))).ok();
    world.change(&basic, &json!({ "plan": "studio" }));
    let charge = world.send(&basic.images(1, "medium")).ok().charge();
    world.ended(&basic, &charge, "settled");
    world.change(&basic, &json!({ "plan": "basic" }));
    refused(&world, &basic, &basic.images(1, "medium"), "option_not_in_plan");
}

#[test]
fn a_value_that_costs_nothing_passes_at_zero_balance() {
    let world = world();
    let poor = world.payer("basic", "");
    let charge = world.send(&poor.images(2, "draft")).ok().charge();
    assert_eq!(world.ended(&poor, &charge, "settled")["charged"], "0");
    let nothing = Purse { available: "0".into(), held: "0".into(), owed: "0".into() };
    assert_eq!(world.purse(&poor), nothing);
    let reply = world.send(&poor.images(1, "low"));
    assert_eq!(reply.problem(), (402, "insufficient_credits".to_owned()));
}

/// The file of the ledger in the folder of a world.
fn file(folder: &Path) -> EmbeddedLedger {
    let folder = folder.join("ledger");
    std::fs::create_dir_all(&folder).unwrap();
    let settings = Settings { lease_ms: 3_000, ..Settings::at(folder.join("ledger.redb")) };
    EmbeddedLedger::open(&settings, Arc::new(SystemClock)).unwrap()
}

/// A world with an account of this plan that has ten credits and these keys: their members and routes.
fn with_keys(plan: &str, keys: &[(Option<&str>, &[&str])]) -> (World, Vec<Payer>) {
    let account: AccountId = "acct_keys".parse().unwrap();
    let make = || NewKeyText::make(&account, None, &SystemClock, &SystemEntropy).unwrap();
    let made: Vec<_> = keys.iter().map(|_| make()).collect();
    let world = World::seeded_of(YAML, &[], |folder| {
        let ledger = file(folder);
        let call = NewAccount { plan: plan.into(), ..new_account(&account) };
        ok(wait(ledger.create_account(call)));
        for (made, (member, routes)) in made.iter().zip(keys) {
            ok(wait(ledger.create_key(NewKey {
                account: account.clone(),
                id: made.id,
                hash: made.hash,
                label: String::new(),
                ends: None,
                member: member.map(str::to_owned),
                routes: routes.iter().map(|&route| route.to_owned()).collect(),
            })));
        }
        ledger.close();
    });
    let payers: Vec<Payer> = made
        .into_iter()
        .map(|made| Payer {
            account: account.to_string(),
            key: made.text,
            key_id: made.id.to_string(),
        })
        .collect();
    world.grant(&payers[0], "10");
    (world, payers)
}

#[test]
fn a_member_of_a_team_has_a_cap_of_its_own() {
    let (world, keys) = with_keys(
        "team",
        &[(Some("ana"), &[]), (Some("ana"), &[]), (Some("ben"), &[]), (None, &[])],
    );
    let draws = |key: usize| world.send(&keys[key].images(1, "low"));
    draws(0).ok();
    // It counts the person, not the key.
    for key in [0, 1] {
        let reply = draws(key);
        assert_eq!(reply.json()["scope"], "member:ana", "{}", reply.text());
        assert_eq!(reply.problem(), (429, "cap_exceeded".to_owned()));
    }
    draws(2).ok();
    draws(3).ok();
    draws(3).ok();
}

#[test]
fn a_plan_says_in_which_order_credits_pay() {
    let world = world();
    for (plan, order) in [("usual", ["monthly", "grant"]), ("saver", ["grant", "monthly"])] {
        let payer = world.payer(plan, "2");
        let quoted = world.send(&quote(payer.images(4, "low"))).ok().json();
        let legs: Vec<&str> = quoted["legs"]
            .as_array()
            .unwrap()
            .iter()
            .map(|leg| leg["bucket"].as_str().unwrap())
            .collect();
        let begins = |(leg, name): (&&str, &str)| leg.starts_with(name);
        assert!(legs.len() == 2 && legs.iter().zip(order).all(begins), "{plan}: {legs:?}");
    }
}

#[test]
fn a_plan_that_is_not_known_here_has_no_rights_on_free_routes_either() {
    let mut world = world();
    let payer = world.payer("walled", "");
    world.restart(&[("  walled: {", "  fenced: {")]);
    let reply = world.send(&payer.get(MODELS));
    assert_eq!(reply.problem(), (403, "plan_unknown_here".to_owned()));
    assert_eq!(world.forwarded(), 0);
}

#[test]
fn a_key_has_the_routes_that_it_names() {
    let (world, mut keys) = with_keys("studio", &[(None, &["image", "upload"])]);
    let narrow = keys.remove(0);
    world.send(&narrow.images(1, "low")).ok();
    world.send(&narrow.post(UPLOADS, &json!({}))).ok();
    let told = refused(&world, &narrow, &narrow.get(MODELS), "route_not_in_plan");
    assert_eq!(
        (&told["detail"], &told["scope"]),
        (&json!("This key is not for models."), &json!("key"))
    );
    let chat = narrow.post(CHAT, &json!({ "messages": [] }));
    refused(&world, &narrow, &chat, "route_not_in_plan");
    let quoted = world.send(&quote(chat.clone())).ok().json();
    assert_eq!(quoted["detail"], "This key is not for chat.");
    // Another key of the account is for all.
    let wide = world.another_key(&narrow.account);
    world.send(&wide.get(MODELS)).ok();
    world.send(&wide.post(CHAT, &json!({ "messages": [] }))).ok();
}

/// A JSON body of exactly this length.
fn body(length: usize) -> Vec<u8> {
    let empty = r#"{"quality":"low","n":1,"pad":""}"#;
    empty.replace("\"\"", &format!("\"{}\"", "x".repeat(length - empty.len()))).into_bytes()
}

fn chunked(world: &World, payer: &Payer, path: &str, length: usize) -> Reply {
    let ask = Ask::new("POST", path)
        .key(&payer.key)
        .header("content-type", "application/json")
        .header("transfer-encoding", "chunked");
    let head = String::from_utf8(ask.head()).unwrap().replace("Content-Length: 0\r\n", "");
    let body = body(length);
    let mut wire: Wire = world.wire();
    wire.write(head.as_bytes());
    wire.write(format!("{length:x}\r\n").as_bytes());
    wire.write(&body);
    wire.write(b"\r\n0\r\n\r\n");
    wire.reply().unwrap()
}

#[test]
fn bodies_are_as_large_as_the_plan_allows() {
    let world = world();
    let (basic, large) = (world.payer("basic", "100"), world.payer("large", "100"));
    let send = |payer: &Payer, path: &str, length: usize| {
        let ask = Ask::new("POST", path).key(&payer.key);
        world.send(&ask.header("content-type", "application/json").body(&body(length)))
    };
    let too_large = |reply: &Reply, limit: u64, plan: Option<&str>| {
        let told = reply.json();
        assert_eq!((reply.status, &told["limit_bytes"]), (413, &json!(limit)), "{}", reply.text());
        // Whose word it is: the plan's, if it says anything of the route.
        let detail = told["detail"].as_str().unwrap();
        match plan {
            Some(plan) => assert!(detail.contains(&format!("the plan {plan} allows")), "{detail}"),
            None => assert!(detail.contains("this route allows"), "{detail}"),
        }
        assert_eq!(told["plan"].as_str(), plan);
    };
    for path in [UPLOADS, IMAGES] {
        let limit = if path == UPLOADS { 1_024 } else { 2_048 };
        let length = usize::try_from(limit).unwrap();
        send(&basic, path, length).ok();
        let before = world.forwarded();
        too_large(&send(&basic, path, length + 1), limit, Some("basic"));
        assert_eq!(world.forwarded(), before);
        too_large(&chunked(&world, &basic, path, length + 1), limit, Some("basic"));
        chunked(&world, &basic, path, length).ok();
    }
    // More than the route's own limit, and that one where the plan says nothing.
    send(&large, IMAGES, 256 << 10).ok();
    too_large(&send(&large, IMAGES, (256 << 10) + 1), 256 << 10, Some("large"));
    too_large(&send(&large, UPLOADS, (64 << 10) + 1), 64 << 10, None);
    // A plan that allows more counts at once, though it is only remembered what the old one was.
    world.change(&basic, &json!({ "plan": "large" }));
    send(&basic, IMAGES, 100 << 10).ok();
    world.change(&large, &json!({ "plan": "basic" }));
    too_large(&send(&large, UPLOADS, 65 << 10), 1_024, Some("basic"));
}

/// Sends requests for images until one is refused; how many passed, and how it was refused.
fn until_refused(proxy: &Proxy, key: &str, serial: &mut u64) -> (u64, String) {
    let bearer = format!("Bearer {key}");
    for passed in 0..20 {
        *serial += 1;
        let body = json!({ "n": 1, "serial": 0, "nonce": serial.to_string() }).to_string();
        let headers = [("authorization", bearer.as_str())];
        let reply = processes::ask(proxy.data, "POST", IMAGES, &headers, &body).unwrap();
        if reply.status != 200 {
            return (passed, format!("{} {}", reply.status, reply.json()["code"]));
        }
    }
    (20, String::new())
}

/// What operators read of how often the ledger was asked for claims.
fn claims(proxy: &Proxy) -> u64 {
    let bearer = format!("Bearer {}", processes::TOKEN);
    let headers = [("authorization", bearer.as_str())];
    let reply = processes::ask(proxy.admin, "GET", "/metrics", &headers, "").unwrap();
    let scrape = Scrape::read(&reply.body);
    let labels = [("verb", "claim_free"), ("answer", "applied")];
    scrape.value("tollgate_store_answers_total", &labels).parse().unwrap()
}

#[test]
fn two_of_a_persons_accounts_have_free_credits() {
    let site = Site::new();
    let yaml = std::fs::read_to_string(site.config()).unwrap();
    let plans = "plans:\n  studio: {}\n  gratis: { allowances: [{ name: daily, class: free, amount: 3, every: day }] }\n";
    std::fs::write(site.config(), yaml.replace("plans: { studio: {} }\n", plans)).unwrap();
    let proxy = site.start();
    let account = |id: &str, plan: &str, person: Value| {
        let body = json!({ "id": id, "plan": plan, "person": person });
        proxy.operator("POST", "/accounts", &body);
        let made = proxy.operator("POST", &format!("/accounts/{id}/keys"), &json!({}));
        made["secret"].as_str().unwrap().to_owned()
    };
    let mut serial = 0;
    let refused = "402 \"insufficient_credits\"".to_owned();
    let first = account("acct_a", "gratis", json!("maria"));
    let second = account("acct_b", "gratis", json!("maria"));
    let third = account("acct_c", "gratis", json!("maria"));
    assert_eq!(until_refused(&proxy, &first, &mut serial), (3, refused.clone()));
    assert_eq!(until_refused(&proxy, &second, &mut serial), (3, refused.clone()));
    assert_eq!(until_refused(&proxy, &third, &mut serial), (0, refused.clone()));
    assert_eq!(until_refused(&proxy, &third, &mut serial), (0, refused.clone()));
    assert_eq!(claims(&proxy), 3);
    // Whoever has no person, or no free credits to be had, asks for nothing.
    let alone = account("acct_d", "gratis", Value::Null);
    assert_eq!(until_refused(&proxy, &alone, &mut serial), (3, refused.clone()));
    let paying = account("acct_e", "studio", json!("maria"));
    assert_eq!(until_refused(&proxy, &paying, &mut serial), (0, refused));
    assert_eq!(claims(&proxy), 3);
    proxy.stop();
    let settings = Settings::at(site.data().join("ledger.redb"));
    let ledger = EmbeddedLedger::open(&settings, Arc::new(SystemClock)).unwrap();
    let free = ["acct_a", "acct_b", "acct_c", "acct_d", "acct_e"].map(|id| {
        let document = ok(wait(ledger.document(id.parse().unwrap())));
        document.free
    });
    ledger.close();
    let (had, none) = (FreeCredits::Granted, FreeCredits::Unclaimed);
    assert_eq!(free, [had, had, FreeCredits::Refused, none, none]);
    books(&site);
}

/// Whether the account can pay for an image, on this connection.
fn pays(wire: &mut Wire, payer: &Payer) -> bool {
    let reply = wire.ask(&payer.images(1, "low"));
    assert!(matches!(reply.status, 200 | 402), "{}", reply.text());
    reply.status == 200
}

/// What is remembered of an account may name another person than it has by now: the claim is of the one whom
/// the ledger names. One account of each has free credits here.
#[test]
fn a_claim_is_made_for_the_person_of_this_moment() {
    let world = World::of(YAML, &[("plans:\n", "free_accounts_per_person: 1\nplans:\n")]);
    let person = |name: &str| {
        let payer = world.payer("gratis", "");
        world.change(&payer, &json!({ "person": name }));
        payer
    };
    let moved = person("maria");
    let mut wire = world.wire();
    // Remembered by this connection's core, with maria's claim.
    wire.ask(&moved.get(MODELS)).ok();
    world.change(&moved, &json!({ "person": "joao" }));
    assert!(pays(&mut wire, &moved));
    // A claim is never taken back: maria's stays with the account that was hers.
    let [hers, his, anas] = [person("maria"), person("joao"), person("ana")];
    assert!(!pays(&mut world.wire(), &hers));
    assert!(!pays(&mut world.wire(), &his));
    assert!(pays(&mut world.wire(), &anas));
}

/// A quote says what a request would find: it decides what the request would.
#[test]
fn a_quote_sees_free_credits_that_nobody_has_used_yet() {
    let world = World::of(YAML, &[("plans:\n", "free_accounts_per_person: 1\nplans:\n")]);
    let quoted = |payer: &Payer| {
        let quoted = world.send(&quote(payer.images(1, "low"))).ok().json();
        (quoted["decision"].clone(), quoted["code"].clone())
    };
    let person = || {
        let payer = world.payer("gratis", "");
        world.change(&payer, &json!({ "person": "maria" }));
        payer
    };
    let (first, second) = (person(), person());
    assert_eq!(quoted(&first), (json!("allow"), Value::Null));
    assert_eq!(quoted(&second), (json!("block"), json!("insufficient_credits")));
    assert!(pays(&mut world.wire(), &first));
    assert!(!pays(&mut world.wire(), &second));
}

#[test]
fn the_example_of_credits_runs() {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/examples/credits.yaml");
    let yaml = std::fs::read_to_string(example).unwrap();
    let world = World::of(
        &yaml,
        &[
            ("store:", "listen: 127.0.0.1:0\nstore:"),
            (
                "admin: { token: { env: TOLLGATE_ADMIN_TOKEN } }",
                "admin: { listen: 127.0.0.1:0, token: { env: ADMIN } }",
            ),
            ("https://studio.example.com", "UPSTREAM"),
            ("STUDIO_KEY", "SECRET"),
            ("POST /v1/pictures\n", "POST /v1/images/generations\n"),
            ("POST /v1/films", "POST /v1/dubbing"),
        ],
    );
    let free = world.payer("free", "");
    assert_eq!(world.purse(&free).available, "50");
    let charge = world.send(&free.images(4, "low")).ok().charge();
    assert_eq!(world.ended(&free, &charge, "settled")["charged"], "20");
    assert_eq!(world.purse(&free).available, "30");
    refused(&world, &free, &free.images(1, "high"), "option_not_in_plan");
    let film =
        |payer: &Payer, seconds: u64| payer.post("/v1/dubbing", &json!({ "seconds": seconds }));
    refused(&world, &free, &film(&free, 11), "option_not_in_plan");
    world.send(&film(&free, 10)).ok();
    let upscale = free.post("/v1/pictures/p1/upscale", &json!({}));
    refused(&world, &free, &upscale, "route_not_in_plan");
    world.send(&free.images(4, "draft")).ok();
    let team = world.payer("team", "");
    assert_eq!(world.purse(&team).available, "10000");
    let charge = world.send(&team.images(4, "high")).ok().charge();
    assert_eq!(world.ended(&team, &charge, "settled")["charged"], "80");
    world.operator(&Ask::new("GET", "/metrics").key(TOKEN)).ok();
}
