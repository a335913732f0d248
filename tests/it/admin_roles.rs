//! Who may do what: every endpoint by every role, and what the log is told.

use serde_json::{Value, json};
use tollgate::admin::{ENDPOINTS, Role};

use super::log::Log;
use super::panes::{Panes, TOKEN, call, token_of};

/// What each role may do, written down by hand: O, F, S and V for those that may.
const MAY: &str = "
GET   /metrics                                     OFSV
GET   /admin/v1/openapi.json                       OFSV
POST  /admin/v1/accounts                           O
GET   /admin/v1/accounts                           OFSV
GET   /admin/v1/accounts/{account}                 OFSV
PATCH /admin/v1/accounts/{account}                 O
POST  /admin/v1/accounts/{account}/suspend         O
POST  /admin/v1/accounts/{account}/resume          O
POST  /admin/v1/accounts/{account}/close           O
GET   /admin/v1/accounts/{account}/balance         OFSV
GET   /admin/v1/accounts/{account}/limits          OFSV
GET   /admin/v1/accounts/{account}/usage           OFSV
GET   /admin/v1/accounts/{account}/charges         OFSV
GET   /admin/v1/accounts/{account}/holds           OFSV
POST  /admin/v1/accounts/{account}/grants          OFS
GET   /admin/v1/accounts/{account}/grants          OFSV
GET   /admin/v1/accounts/{account}/grants/{grant}  OFSV
POST  /admin/v1/accounts/{account}/grants/{grant}/void     OF
POST  /admin/v1/accounts/{account}/grants/{grant}/refund   OF
POST  /admin/v1/accounts/{account}/grants/{grant}/reverse  OF
POST  /admin/v1/accounts/{account}/grants/{grant}/expire   OF
POST  /admin/v1/accounts/{account}/grants/{grant}/freeze   OF
POST  /admin/v1/accounts/{account}/grants/{grant}/thaw     OF
POST  /admin/v1/accounts/{account}/overrides       OFS
GET   /admin/v1/accounts/{account}/overrides       OFSV
POST  /admin/v1/accounts/{account}/overrides/{override}/end  OFS
POST  /admin/v1/accounts/{account}/keys            O
POST  /admin/v1/accounts/{account}/keys/import     O
GET   /admin/v1/accounts/{account}/keys            OFSV
GET   /admin/v1/keys/{key}                         OFSV
PATCH /admin/v1/keys/{key}                         O
POST  /admin/v1/keys/{key}/rotate                  OS
POST  /admin/v1/keys/{key}/disable                 OS
POST  /admin/v1/keys/{key}/enable                  OS
POST  /admin/v1/keys/{key}/revoke                  O
GET   /admin/v1/charges/{charge}                   OFSV
POST  /admin/v1/charges/{charge}/release           OS
GET   /admin/v1/test_clock                         OFSV
POST  /admin/v1/test_clock/advance                 O
GET   /admin/v1/audit                              OFSV
GET   /admin/v1/accounts/{account}/audit           OFSV
POST  /admin/v1/charges/{charge}/refund            OFS
POST  /admin/v1/charges/{charge}/adjust            OFS
GET   /admin/v1/persons/{person}                   OFSV
GET   /admin/v1/packs                              OFSV
GET   /admin/v1/holds                              OFSV
GET   /admin/v1/config                             OFSV
POST  /admin/v1/config/reload                      O
";

fn letter(role: Role) -> char {
    match role {
        Role::Owner => 'O',
        Role::Finance => 'F',
        Role::Support => 'S',
        Role::Viewer => 'V',
    }
}

#[test]
fn every_endpoint_lets_in_whom_the_table_names_and_nobody_else() {
    let panes = Panes::new();
    let rows: Vec<Vec<&str>> = MAY.lines().map(|line| line.split_whitespace().collect()).collect();
    let rows: Vec<_> = rows.into_iter().filter(|row| row.len() == 3).collect();
    assert_eq!(rows.len(), ENDPOINTS.len());
    let (mut let_in, mut kept_out) = (0, 0);
    for endpoint in ENDPOINTS {
        let row = rows.iter().find(|row| row[0] == endpoint.method && row[1] == endpoint.path);
        let may = row.unwrap_or_else(|| panic!("{endpoint:?} is not in this test's table"))[2];
        let path = endpoint.path.replace(['{', '}'], "");
        for role in Role::ALL {
            // What is given has rules of its own, below.
            let body = path.ends_with("/grants").then(|| json!({ "class": "goodwill" }));
            let body = body.filter(|_| endpoint.method == "POST");
            let reply = panes.by(&token_of(role), &[], endpoint.method, &path, body.as_ref());
            let code = reply.body["code"].as_str().unwrap_or_default();
            if may.contains(letter(role)) {
                let_in += 1;
                // The object is not there, or the body lacks something: it was looked at.
                assert_ne!(code, "forbidden_role", "{endpoint:?} {role}");
                assert_ne!(reply.status, 405, "{endpoint:?} is not served");
                assert_ne!(code, "unknown_path", "{endpoint:?} is not served");
            } else {
                kept_out += 1;
                assert_eq!(reply.problem(), (403, "forbidden_role"), "{endpoint:?} {role}");
                assert_eq!(reply.body["role"], role.name());
                let needed: Vec<char> = reply.body["needed"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|role| letter(role.as_str().unwrap().parse().unwrap()))
                    .collect();
                assert_eq!(needed.iter().collect::<String>(), may, "{endpoint:?}");
            }
        }
    }
    assert!(let_in > 60 && kept_out > 30, "{let_in} {kept_out}");
}

#[test]
fn what_may_be_given_depends_on_the_role() {
    let panes = Panes::new();
    panes.account("acct_a", "studio");
    for (class, may) in [
        ("purchased", "OF"),
        ("free", "OF"),
        ("adjustment", "OF"),
        ("goodwill", "OFS"),
        ("bonus", "OFS"),
    ] {
        for role in Role::ALL {
            let id = format!("{class}-{role}");
            let body = json!({ "id": id, "amount": "1", "reason": "r", "class": class });
            let path = "/admin/v1/accounts/acct_a/grants";
            let reply = panes.by(&token_of(role), &[], "POST", path, Some(&body));
            let expected = if may.contains(letter(role)) { 201 } else { 403 };
            assert_eq!(reply.status.as_u16(), expected, "{class} by {role}: {}", reply.body);
        }
    }
}

#[test]
fn names_that_are_configured_are_served() {
    let panes = Panes::new();
    let ask = |host: &str| {
        let request = http::Request::get("/admin/v1/accounts")
            .header("host", host)
            .header("authorization", format!("Bearer {TOKEN}"));
        call(&panes.admin, request.body(axum::body::Body::empty()).unwrap()).status.as_u16()
    };
    for host in ["tollgate.internal", "TOLLGATE.internal:8081", "localhost", "10.1.2.3:8081"] {
        assert_eq!(ask(host), 200, "{host}");
    }
    for host in ["evil.example", "x.tollgate.internal", "tollgate.internal.evil.example"] {
        assert_eq!(ask(host), 403, "{host}");
    }
}

#[test]
fn whoever_writes_is_named_in_the_log() {
    let log = Log::default();
    let panes = Panes::new();
    let listening = log.listen();
    let (secret, key) = panes.account("acct_a", "studio");
    panes.give("acct_a", "pay_1", "12.5");
    panes.operator("GET", "/accounts", None).ok();
    let path = format!("/admin/v1/keys/{key}/disable");
    panes.by(&token_of(Role::Support), &[], "POST", &path, None).ok();
    let denied = panes.by(&token_of(Role::Viewer), &[], "POST", &path, None);
    assert_eq!(denied.status, 403);
    drop(listening);
    let text = log.text();
    for secret in [secret, TOKEN.to_owned(), token_of(Role::Support)] {
        assert!(!text.contains(&secret), "{text}");
    }
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let lines: Vec<&Value> = lines.iter().filter(|line| line["message"] == "operator").collect();
    let told: Vec<_> = lines
        .iter()
        .map(|line| {
            let text = |name: &str| line[name].as_str().unwrap();
            (text("operator"), text("role"), text("object"), line["status"].as_u64().unwrap())
        })
        .collect();
    assert_eq!(told.len(), 5, "reading leaves no line: {text}");
    assert_eq!(told[0], ("a-owner", "owner", "acct_a", 201));
    assert!(told[1].2.starts_with("key_"));
    assert_eq!(told[2].2, "pay_1: 12.5 credits, purchased");
    assert_eq!((told[3].0, told[3].1, told[3].3), ("a-support", "support", 200));
    assert_eq!((told[4].0, told[4].2, told[4].3), ("a-viewer", "", 403));
    assert!(lines.iter().all(|line| line["request"].as_str().unwrap().starts_with("req_")));
}
