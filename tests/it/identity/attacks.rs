//! Tokens as attackers make them: each gets the one answer, and nothing is forwarded.

use std::io::Write;
use std::process::{Command, Stdio};

use aws_lc_rs::rsa::KeySize;
use serde_json::{Value, json};

use super::rig::images;
use super::signer::{AUDIENCE, ISSUER, SetServer, Signer, b64, claims, main_key, now, set};
use super::tokens::behind;
use crate::world::IMAGES;

/// Puts these members in; `null` takes one out.
fn changed(mut all: Value, more: Value) -> Value {
    let Value::Object(more) = more else { panic!("members are wanted") };
    let members = all.as_object_mut().unwrap();
    for (name, value) in more {
        if value.is_null() {
            members.remove(&name);
        } else {
            members.insert(name, value);
        }
    }
    all
}

/// Claims that differ in this.
fn but(more: Value) -> Value {
    changed(claims("acct_lea"), more)
}

/// A header that differs in this.
fn head(more: Value) -> Value {
    changed(json!({ "alg": "RS256", "kid": "r", "typ": "JWT" }), more)
}

fn good() -> String {
    main_key().token(&head(json!({})), &claims("acct_lea"))
}

type Bad = Vec<(&'static str, String)>;

/// Signatures that are none, or by somebody else, or by another algorithm.
fn signatures() -> Bad {
    let (key, good, claims) = (main_key(), good(), claims("acct_lea"));
    let (message, signature) = good.rsplit_once('.').unwrap();
    let body = message.rsplit_once('.').unwrap().1;
    let with = |header: Value| format!("{}.{body}.{signature}", b64(header.to_string()));
    let unsigned = |header: Value| format!("{}.{body}.", b64(header.to_string()));
    let (other, edwards) = (Signer::rsa(KeySize::Rsa2048), Signer::edwards());
    let own = edwards.public(Some("r"));
    // The public key as a shared secret: what everybody can have.
    let public = key.public(None);
    let shared = |text: &str| {
        let signer = Signer::Shared(text.as_bytes().to_vec());
        signer.token(&head(json!({ "alg": "HS256" })), &claims)
    };
    let by_edwards = |header: Value| edwards.token(&header, &claims);
    // A last character that writes the same bytes in another way.
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let (front, last) = signature.split_at(signature.len() - 1);
    let next = alphabet.chars().nth(alphabet.find(last).unwrap() ^ 1).unwrap();
    vec![
        ("none", unsigned(json!({ "alg": "none", "kid": "r" }))),
        ("None", unsigned(json!({ "alg": "None" }))),
        ("none with a signature", with(json!({ "alg": "none" }))),
        ("no algorithm", with(json!({ "kid": "r" }))),
        ("no signature", format!("{message}.")),
        ("public key as secret: JWK", shared(&public.to_string())),
        ("public key as secret: modulus", shared(public["n"].as_str().unwrap())),
        ("empty secret", shared("")),
        ("RS512, not declared", key.token(&head(json!({ "alg": "RS512" })), &claims)),
        ("another family's algorithm", key.token(&head(json!({ "alg": "ES256" })), &claims)),
        ("RS256 as PS256", with(head(json!({ "alg": "PS256" })))),
        ("a stranger's key under a known name", other.token(&head(json!({})), &claims)),
        ("another family's key under a known name", by_edwards(head(json!({ "alg": "EdDSA" })))),
        ("its own key in the header", by_edwards(json!({ "alg": "EdDSA", "jwk": own }))),
        (
            "its own key set in the header",
            by_edwards(json!({ "alg": "EdDSA", "kid": "r", "jku": "http://127.0.0.1:1/" })),
        ),
        ("a loose end", format!("{message}.{front}{next}")),
        ("padding", format!("{good}=")),
        ("the other alphabet", format!("{message}.+/{}", &signature[2..])),
    ]
}

/// Headers that say what they should not, rightly signed.
fn headers() -> Bad {
    let header = |more: Value| main_key().token(&head(more), &claims("acct_lea"));
    let body = claims("acct_lea").to_string();
    let twice = r#"{"alg":"RS256","alg":"none","kid":"r"}"#;
    vec![
        ("a name of a key that is a path", header(json!({ "kid": "../../dev/null" }))),
        ("a name of a key that is SQL", header(json!({ "kid": "r' OR '1'='1" }))),
        ("a name of a key that is a number", header(json!({ "kid": 1 }))),
        ("a name of a key that is long", header(json!({ "kid": "r".repeat(300) }))),
        ("a name of a key that is a list", header(json!({ "kid": ["r"] }))),
        ("a critical extension", header(json!({ "crit": ["exp"], "exp": 1 }))),
        ("an empty list of them", header(json!({ "crit": [] }))),
        ("unencoded claims", header(json!({ "crit": ["b64"], "b64": false }))),
        ("another type", header(json!({ "typ": "dpop+jwt" }))),
        ("a type that is a number", header(json!({ "typ": 1 }))),
        ("a name twice", main_key().bytes("RS256", twice, &body)),
        ("a list", main_key().bytes("RS256", "[]", &body)),
    ]
}

/// Claims that are not good here, rightly signed.
fn wrong_claims() -> Bad {
    let claim = |more: Value| main_key().token(&head(json!({})), &but(more));
    vec![
        ("another issuer", claim(json!({ "iss": "https://evil.example/" }))),
        ("an issuer without its slash", claim(json!({ "iss": ISSUER.trim_end_matches('/') }))),
        ("an issuer in a list", claim(json!({ "iss": [ISSUER] }))),
        ("no issuer", claim(json!({ "iss": null }))),
        ("another audience", claim(json!({ "aud": "api.example.evil" }))),
        ("other audiences", claim(json!({ "aud": ["a", "b", 7] }))),
        ("an audience in an object", claim(json!({ "aud": { "a": AUDIENCE } }))),
        ("an audience in a list in a list", claim(json!({ "aud": [[AUDIENCE]] }))),
        ("no audience", claim(json!({ "aud": null }))),
        ("over", claim(json!({ "exp": now() - 6 }))),
        ("never over", claim(json!({ "exp": null }))),
        ("over as a text", claim(json!({ "exp": (now() + 300).to_string() }))),
        ("over in the far future", claim(json!({ "exp": 1e99 }))),
        ("over at a negative time", claim(json!({ "exp": -1 }))),
        ("not yet", claim(json!({ "nbf": now() + 60 }))),
        ("not yet, as a text", claim(json!({ "nbf": "soon" }))),
        ("issued in the future", claim(json!({ "iat": now() + 60 }))),
        ("no account", claim(json!({ "sub": null }))),
        ("an empty account", claim(json!({ "sub": "" }))),
        ("an account in a list", claim(json!({ "sub": ["acct_lea"] }))),
        ("a long account", claim(json!({ "sub": "x".repeat(300) }))),
        ("an unknown account", claim(json!({ "sub": "acct_nobody" }))),
        ("a plan that is a number", claim(json!({ "plan": 7 }))),
    ]
}

/// Tokens that are none, or that two readers read differently.
fn forms() -> Bad {
    let (key, good) = (main_key(), good());
    let parts: Vec<&str> = good.split('.').collect();
    let (header, body) = (head(json!({})).to_string(), claims("acct_lea").to_string());
    let said = |text: &str| key.bytes("RS256", &header, text);
    let ben = b64(but(json!({ "sub": "acct_ben" })).to_string());
    vec![
        ("a name twice", said(&body.replacen('{', "{\"sub\":\"acct_ben\",", 1))),
        ("a name twice, escaped", said(&body.replacen('{', "{\"\\u0073ub\":\"acct_ben\",", 1))),
        ("a name that differs by case", said(&body.replacen('{', "{\"SUB\":\"acct_ben\",", 1))),
        ("claims in a list", said("[1]")),
        ("claims that are no JSON", said("sub=acct_lea")),
        ("no claims", format!("{}..{}", parts[0], parts[2])),
        ("another's claims", format!("{}.{ben}.{}", parts[0], parts[2])),
        ("one part more", format!("{good}.AAAA")),
        ("one part less", format!("{}.{}", parts[0], parts[1])),
        ("white space within", good.replacen('.', ". ", 1)),
        ("oversize", key.token(&head(json!({})), &but(json!({ "pad": "x".repeat(20_000) })))),
    ]
}

#[test]
fn every_bad_token_gets_the_one_answer() {
    // The set has a symmetric key too, and one for encryption: neither signs.
    let mut encryption = main_key().public(Some("e"));
    encryption["use"] = "enc".into();
    let symmetric = Signer::Shared(b"public-knowledge".to_vec());
    let keys = [main_key().public(Some("r")), symmetric.public(Some("s")), encryption];
    let server = SetServer::start(&set(&keys));
    let place = behind(&server, "");
    let good = good();
    place.send(&images(IMAGES).key(&good)).ok();
    let forwarded = place.world.forwarded();
    let mut all = [signatures(), headers(), wrong_claims(), forms()].concat();
    let header = head(json!({ "alg": "HS256", "kid": "s" }));
    all.push(("a symmetric key of the set", symmetric.token(&header, &claims("acct_lea"))));
    let header = head(json!({ "kid": "e" }));
    all.push(("a key for encryption", main_key().token(&header, &claims("acct_lea"))));
    let mut wanted = None;
    for (what, token) in &all {
        let reply = place.send(&images(IMAGES).key(token));
        let mut body = reply.json();
        body["instance"] = Value::Null;
        assert_eq!(reply.problem(), (401, "invalid_key".into()), "{what}: {}", reply.text());
        assert_eq!(&body, wanted.get_or_insert(body.clone()), "{what}");
        let balance = crate::wire::Ask::new("GET", "/_credits/v1/balance").key(token);
        assert_eq!(place.send(&balance).problem(), (401, "invalid_key".into()), "{what}");
    }
    assert!(all.len() > 60, "{}", all.len());
    assert_eq!(place.world.forwarded(), forwarded);
    place.send(&images(IMAGES).key(&good)).ok();
}

#[test]
fn a_token_without_the_name_of_its_key_is_believed_where_there_is_no_choice() {
    let other = Signer::rsa(KeySize::Rsa2048);
    let curve = Signer::p256();
    let token = main_key().token(&json!({ "alg": "RS256" }), &claims("acct_lea"));
    for (keys, status) in [
        (vec![main_key().public(None), curve.public(None)], 200),
        (vec![main_key().public(Some("r"))], 200),
        (vec![main_key().public(Some("r")), other.public(Some("s"))], 401),
    ] {
        let server = SetServer::start(&set(&keys));
        let place = behind(&server, "");
        assert_eq!(place.send(&images(IMAGES).key(&token)).status, status, "{}", keys.len());
    }
}

/// Runs `openssl` with this on its standard input.
fn openssl(words: &[&str], given: &[u8]) -> Vec<u8> {
    let mut child = Command::new("openssl")
        .args(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(given).unwrap();
    let done = child.wait_with_output().unwrap();
    assert!(done.status.success(), "openssl {words:?}");
    done.stdout
}

/// A signature that is right, by a key that can be broken.
#[test]
fn a_short_key_signs_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("short.pem");
    let file = file.to_str().unwrap();
    openssl(&["genrsa", "-out", file, "1024"], b"");
    let modulus = openssl(&["rsa", "-in", file, "-noout", "-modulus"], b"");
    let modulus = String::from_utf8(modulus).unwrap();
    let digits = modulus.trim().trim_start_matches("Modulus=").as_bytes();
    let modulus = data_encoding::HEXUPPER.decode(digits).unwrap();
    assert_eq!(modulus.len(), 128);
    let weak = json!({ "kty": "RSA", "n": b64(modulus), "e": "AQAB", "kid": "weak" });
    let server = SetServer::start(&set(&[main_key().public(Some("r")), weak]));
    let place = behind(&server, "");
    let header = head(json!({ "kid": "weak" })).to_string();
    let message = format!("{}.{}", b64(header), b64(claims("acct_lea").to_string()));
    let signature = openssl(&["dgst", "-sha256", "-sign", file], message.as_bytes());
    let token = format!("{message}.{}", b64(signature));
    assert_eq!(place.send(&images(IMAGES).key(&token)).problem(), (401, "invalid_key".into()));
}
