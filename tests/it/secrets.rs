//! Secrets that are put into every place where they may stand, and looked for in everything that a proxy says
//! or keeps.

use std::path::Path;

use super::crash::{CHAT, DUBBING, IMAGES, body, headers};
use super::processes::{Site, TOKEN, ask};

const PROMPT: &str = "canary-prompt-5f1d";
const QUERY: &str = "canary-query-77ab";
const HEADER: &str = "canary-header-02c4";

/// Every file below a folder, as text.
fn kept(folder: &Path, found: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            kept(&path, found);
        } else {
            found.push_str(&String::from_utf8_lossy(&std::fs::read(path).unwrap()));
        }
    }
}

#[test]
fn no_secret_and_no_body_is_logged_or_kept() {
    let site = Site::new();
    let mut proxy = site.start();
    let key = proxy.account("acct_maria", 1_000);
    let bearer = format!("Bearer {key}");
    let wrong = format!("{}{}", &bearer[..bearer.len() - 4], "0000");
    let ordinary = body(1, false).replacen('{', &format!("{{\"prompt\":\"{PROMPT}\","), 1);
    let twice = format!("{{\"n\":1,\"n\":2,\"prompt\":\"{PROMPT}\"}}");
    let mut statuses = Vec::new();
    for path in [IMAGES, CHAT, DUBBING, "/v1/nothing", "/_credits/v1/balance"] {
        let path = format!("{path}?token={QUERY}");
        for (bearer, body) in [(&bearer, &ordinary), (&bearer, &twice), (&wrong, &ordinary)] {
            for told in ["", "fail", "block"] {
                let mut all = headers(bearer, told).to_vec();
                all.push(("x-secret", HEADER));
                let reply = ask(proxy.data, "POST", &path, &all, body).unwrap();
                assert!(!reply.body.contains(&key), "{}", reply.body);
                statuses.push(reply.status);
            }
        }
    }
    let refused =
        ask(proxy.admin, "GET", "/admin/v1/accounts", &[("authorization", "Bearer no")], "");
    assert_eq!(refused.unwrap().status, 401);
    proxy.process.signal(rustix::process::Signal::TERM);
    assert_eq!(proxy.process.wait(), Some(0));
    let mut all = proxy.process.told() + &proxy.process.printed();
    assert!(all.lines().count() > 40, "there are logs to look into");
    kept(&site.data(), &mut all);
    let secret = key.rsplit('_').next().unwrap();
    let wrong = wrong.rsplit('_').next().unwrap();
    for canary in [secret, wrong, TOKEN, PROMPT, QUERY, HEADER] {
        assert!(!all.contains(canary), "{canary} was logged or kept");
    }
}
