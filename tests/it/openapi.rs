//! The OpenAPI documents against what is served: every path, every role, and every answer of the other tests.
//!
//! A small reader of the part of JSON Schema that the documents use; what it does not know fails.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use serde_json::{Value, json};
use tollgate::admin::{ENDPOINTS, Role};

use super::panes::{Panes, Reply};

pub(crate) static ADMIN: LazyLock<Value> =
    LazyLock::new(|| read(include_str!("../../config/openapi/admin.json")));
pub(crate) static CLIENT: LazyLock<Value> =
    LazyLock::new(|| read(include_str!("../../config/openapi/client.json")));

fn read(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// Holds an answer against the document; and what was asked, if it was done.
#[track_caller]
pub(crate) fn holds(
    document: &Value,
    method: &str,
    path: &str,
    asked: Option<&Value>,
    reply: &Reply,
) {
    let path = path.split('?').next().unwrap();
    let Some(operation) = find(document, path).and_then(|found| found.get(method.to_lowercase()))
    else {
        let none = matches!(reply.status.as_u16(), 401 | 403 | 404 | 405);
        return assert!(none, "{method} {path} is served and not documented");
    };
    if reply.body.is_null() {
        return;
    }
    let responses = &operation["responses"];
    let response = responses.get(reply.status.as_str()).unwrap_or_else(|| {
        assert!(!reply.status.is_success(), "{method} {path}: {} is not documented", reply.status);
        &responses["default"]
    });
    let (kind, schema) = response["content"].as_object().unwrap().iter().next().unwrap();
    assert_eq!(reply.headers["content-type"], kind.as_str(), "{method} {path}");
    fits(document, &schema["schema"], &reply.body, &format!("{method} {path}"));
    if let (true, Some(asked)) = (reply.status.is_success(), asked) {
        let body = &operation["requestBody"]["content"]["application/json"]["schema"];
        fits(document, body, asked, &format!("{method} {path}, asked"));
    }
}

/// What the document says of a path: the template with the fewest names that fits.
fn find<'a>(document: &'a Value, path: &str) -> Option<&'a Value> {
    let parts: Vec<&str> = path.split('/').collect();
    let fits = |template: &str| {
        let own: Vec<&str> = template.split('/').collect();
        own.len() == parts.len()
            && own.iter().zip(&parts).all(|(own, part)| own.starts_with('{') || own == part)
    };
    let found = document["paths"].as_object().unwrap().iter().filter(|(path, _)| fits(path));
    found.min_by_key(|(path, _)| path.matches('{').count()).map(|(_, item)| item)
}

#[track_caller]
fn fits(document: &Value, schema: &Value, value: &Value, place: &str) {
    if let Some(name) = schema["$ref"].as_str() {
        let target = document.pointer(name.strip_prefix('#').unwrap()).unwrap();
        return fits(document, target, value, place);
    }
    let sort = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_u64() => "integer",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    match &schema["type"] {
        Value::Null => {}
        Value::String(only) => assert_eq!(only, sort, "{place}: {value}"),
        several => assert!(several.as_array().unwrap().contains(&json!(sort)), "{place}: {value}"),
    }
    if let Some(one_of) = schema["enum"].as_array() {
        assert!(one_of.contains(value), "{place}: {value} is not one of {one_of:?}");
    }
    if let (Some("date-time"), Some(text)) = (schema["format"].as_str(), value.as_str()) {
        assert!(text.parse::<tollgate::seam::Timestamp>().is_ok(), "{place}: {text}");
    }
    for item in value.as_array().into_iter().flatten() {
        fits(document, &schema["items"], item, &format!("{place}[]"));
    }
    let Some(members) = value.as_object() else { return };
    for (name, member) in members {
        let place = format!("{place}.{name}");
        match (schema["properties"].get(name), &schema["additionalProperties"]) {
            (Some(schema), _) => fits(document, schema, member, &place),
            (None, Value::Null | Value::Bool(true)) => {}
            (None, Value::Object(_)) => {
                fits(document, &schema["additionalProperties"], member, &place);
            }
            (None, _) => panic!("{place} is not documented"),
        }
    }
    for name in schema["required"].as_array().into_iter().flatten() {
        assert!(members.contains_key(name.as_str().unwrap()), "{place} lacks {name}");
    }
}

fn operations(document: &Value) -> BTreeSet<(String, String)> {
    let paths = document["paths"].as_object().unwrap().iter();
    let of = |(path, item): (&String, &Value)| {
        let methods = item.as_object().unwrap().keys().map(|method| method.to_uppercase());
        methods.map(|method| (method, path.clone())).collect::<Vec<_>>()
    };
    paths.flat_map(of).collect()
}

#[test]
fn the_operators_document_has_every_endpoint_and_nothing_else() {
    let table = ENDPOINTS.iter().map(|it| (it.method.to_owned(), it.path.to_owned()));
    // These need no token, so they are in no table of roles.
    let open = ["/livez", "/readyz"].map(|path| ("GET".to_owned(), path.to_owned()));
    assert_eq!(operations(&ADMIN), table.chain(open).collect());
    assert_eq!(ADMIN["paths"]["/readyz"]["get"]["security"], json!([]));
    for endpoint in ENDPOINTS {
        let operation = &ADMIN["paths"][endpoint.path][endpoint.method.to_lowercase()];
        let roles: Vec<&str> = endpoint.roles.iter().copied().map(Role::name).collect();
        assert_eq!(operation["x-roles"], json!(roles), "{endpoint:?}");
        let names = endpoint.path.split('{').skip(1).map(|rest| rest.split('}').next().unwrap());
        let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
        let documented = parameters.iter().filter(|parameter| parameter["in"] == "path");
        let documented: Vec<_> = documented.map(|it| it["name"].as_str().unwrap()).collect();
        assert_eq!(documented, names.collect::<Vec<_>>(), "{endpoint:?}");
        let once = parameters.iter().any(|parameter| parameter["name"] == "Idempotency-Key");
        assert_eq!(once, endpoint.method != "GET", "{endpoint:?}");
    }
    let mut ids: Vec<&str> = Vec::new();
    for (method, path) in operations(&ADMIN) {
        ids.push(ADMIN["paths"][path][method.to_lowercase()]["operationId"].as_str().unwrap());
    }
    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), count);
}

#[test]
fn the_documents_parameters_are_those_that_are_understood() {
    let panes = Panes::new();
    panes.account("acct_a", "studio");
    for (method, path) in operations(&ADMIN) {
        if method != "GET" || path.contains("{key}") || path.contains("{charge}") {
            continue;
        }
        let real =
            path.replace("{account}", "acct_a").replace("{grant}", "g").replace("{person}", "ada");
        let operation = &ADMIN["paths"][&path]["get"];
        let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
        for parameter in parameters.iter().filter(|parameter| parameter["in"] == "query") {
            let name = parameter["name"].as_str().unwrap();
            let value = match name {
                "limit" => "5",
                "older_than" => "10m",
                "books" => "true",
                "starting_after" => continue,
                _ => parameter["schema"]["enum"][0].as_str().unwrap_or("x"),
            };
            let asked = format!("{real}?{name}={value}");
            let reply = panes.by(super::panes::TOKEN, &[], "GET", &asked, None);
            assert_eq!(reply.status, 200, "{asked}: {}", reply.body);
        }
        let odd = panes.by(super::panes::TOKEN, &[], "GET", &format!("{real}?colour=red"), None);
        let deaf =
            ["/metrics", "/admin/v1/openapi.json", "/livez", "/readyz"].contains(&path.as_str());
        assert!(deaf || odd.body["param"] == "colour", "{path}: {}", odd.body);
    }
}

#[test]
fn the_document_is_served_as_it_is_committed() {
    let panes = Panes::new();
    assert_eq!(panes.operator("GET", "/openapi.json", None).ok(), *ADMIN);
}

#[test]
fn the_clients_document_has_every_route_and_nothing_else() {
    let source = include_str!("../../src/portal/mod.rs");
    let routes = source.split(".route(\"").skip(1).map(|rest| {
        let (path, rest) = rest.split_once("\", ").unwrap();
        let method = rest.split('(').next().unwrap().to_uppercase();
        (method, format!("/_credits/v1{path}"))
    });
    assert_eq!(operations(&CLIENT), routes.collect());
}

#[test]
fn the_reader_itself_sees() {
    let holds = |schema: Value, value: Value| {
        std::panic::catch_unwind(|| fits(&json!({}), &schema, &value, "")).is_ok()
    };
    let object = json!({ "type": "object", "properties": { "a": { "type": "string" } },
                         "required": ["a"], "additionalProperties": false });
    assert!(holds(object.clone(), json!({ "a": "x" })));
    for wrong in [json!({}), json!({ "a": 1 }), json!({ "a": "x", "b": 1 }), json!([])] {
        assert!(!holds(object.clone(), wrong));
    }
    let list = json!({ "type": ["array", "null"], "items": { "type": "integer" } });
    assert!(holds(list.clone(), json!([1])) && holds(list.clone(), json!(null)));
    assert!(!holds(list.clone(), json!(["1"])) && !holds(list, json!("x")));
}
