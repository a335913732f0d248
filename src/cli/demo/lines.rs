//! The lines of the demo, in order. They build on each other: amounts follow from `config/demo.yaml`.

use super::place::Who;
use super::step::{Pace, Step};
use super::want::Want;
use Want::{Is, Items, There};
use Who::{Joao, Lea, Maria, Upstream};

const IMAGES: &str = "/v1/images/generations";
const LOW: &str = r#"{"prompt":"a lighthouse","quality":"low"}"#;

/// All of them.
pub(super) fn steps() -> Vec<Step> {
    [paid(), unpaid(), refused(), told()].concat()
}

/// Work that was done and is paid for.
fn paid() -> Vec<Step> {
    vec![
        Step::post(
            "A settled charge: two images at 5 credits. 10 are held, then charged",
            Maria,
            IMAGES,
            r#"{"prompt":"a lighthouse","n":2,"quality":"medium"}"#,
        )
        .keeps_charge()
        .answers("credits-charge-id", There)
        .answers("credits-held", Is("10"))
        .says("/data", Items(2)),
        Step::get(
            "Its receipt: lines, inputs, grants drawn, timeline",
            Maria,
            "/_credits/v1/charges/{charge}",
        )
        .pace(Pace::Eventually)
        .says("/status", Is("settled"))
        .says("/reserved", Is("10"))
        .says("/charged", Is("10"))
        .says("/lines", Items(1))
        .says("/legs/0/bucket", Is("welcome-acct_maria"))
        .says("/timeline", There),
        Step::post(
            "Dubbing: 5 minutes are held; the answer says 95 seconds, so 2 started minutes are charged",
            Maria,
            "/v1/dubbing",
            r#"{"seconds":95,"target_lang":"pt"}"#,
        )
        .keeps_charge()
        .answers("credits-held", Is("50"))
        .says("/seconds", Is("95")),
        Step::get("Its receipt: 20 of the 50", Maria, "/_credits/v1/charges/{charge}")
            .pace(Pace::Eventually)
            .says("/status", Is("settled"))
            .says("/charged", Is("20"))
            .says("/returned", Is("30")),
        Step::post(
            "A streamed chat: charged by the usage in its last event, 1200 and 800 tokens",
            Maria,
            "/v1/chat/completions",
            r#"{"stream":true,"messages":[{"role":"user","content":"When is a credit spent?"}]}"#,
        )
        .header("x-sample", "usage=1200,800")
        .keeps_charge()
        .answers("content-type", Is("text/event-stream")),
        Step::get("Its receipt: 0.6 + 1.6", Maria, "/_credits/v1/charges/{charge}")
            .pace(Pace::Eventually)
            .says("/charged", Is("2.2"))
            .says("/lines", Items(2)),
    ]
}

/// Work that was not done and costs nothing.
fn unpaid() -> Vec<Step> {
    vec![
        Step::post("A failure of the upstream passes through unchanged", Maria, IMAGES, LOW)
            .header("x-sample", "fail")
            .keeps_charge()
            .status(500)
            .says("/error/code", Is("server_error")),
        Step::get("and its hold was released", Maria, "/_credits/v1/charges/{charge}")
            .pace(Pace::Eventually)
            .says("/status", Is("released"))
            .says("/charged", Is("0")),
        Step::post("Content that the upstream blocks costs nothing either", Maria, IMAGES, LOW)
            .header("x-sample", "block")
            .keeps_charge()
            .status(400)
            .says("/error/code", Is("content_policy_violation")),
        Step::get("as its receipt says", Maria, "/_credits/v1/charges/{charge}")
            .pace(Pace::Eventually)
            .says("/outcome", Is("blocked"))
            .says("/charged", Is("0")),
    ]
}

/// Requests that never reach the upstream.
fn refused() -> Vec<Step> {
    let lines = vec![
        Step::post(
            "João has 3 credits, an image of medium quality costs 5: a clean 402",
            Joao,
            IMAGES,
            r#"{"prompt":"a lighthouse","nonce":"joao"}"#,
        )
        .status(402)
        .answers("x-should-retry", Is("false"))
        .says("/code", Is("insufficient_credits"))
        .says("/required", Is("5"))
        .says("/available", Is("3"))
        .says("/charged", Is("0"))
        .says("/next_refill_at", There),
        Step::get("and the upstream never heard of it", Upstream, "/_work?nonce=joao")
            .says("/units", Items(0)),
        Step::post("Léa may run one at a time: this one takes 3 seconds", Lea, IMAGES, LOW)
            .header("x-sample", "hang=3")
            .pace(Pace::WhileNext),
        Step::post("so a second one meanwhile is a 429 for concurrency", Lea, IMAGES, LOW)
            .pace(Pace::Meanwhile)
            .status(429)
            .answers("retry-after", There)
            .answers("x-should-retry", Is("true"))
            .says("/code", Is("concurrency_exceeded")),
    ];
    [lines, capped()].concat()
}

/// Two a day: the third is refused until midnight in Paris.
fn capped() -> Vec<Step> {
    vec![
        Step::post("Léa's second request of the day", Lea, IMAGES, LOW).says("/data", Items(1)),
        Step::post("and the third: a 429 for the daily cap, with its reset", Lea, IMAGES, LOW)
            .status(429)
            .says("/code", Is("cap_exceeded"))
            .says("/limit_name", Is("daily-requests"))
            .says("/used", Is("2"))
            .says("/time_zone", Is("Europe/Paris"))
            .says("/resets_at", There),
        Step::get("What limits Léa", Lea, "/_credits/v1/limits")
            .pace(Pace::Eventually)
            .says("/caps/0/used", Is("2"))
            .says("/caps/0/remaining", Is("0"))
            .says("/concurrency/0/in_use", Is("0")),
    ]
}

/// What can be asked without paying.
fn told() -> Vec<Step> {
    vec![
        Step::post(
            "A quote: what four images of high quality would hold",
            Maria,
            "/_credits/v1/quote",
            r#"{"method":"POST","path":"/v1/images/generations","body":{"n":4,"quality":"high"}}"#,
        )
        .says("/object", Is("quote"))
        .says("/decision", Is("allow"))
        .says("/hold", Is("40")),
        Step::post(
            "The same on the request itself: answered, not forwarded",
            Maria,
            IMAGES,
            r#"{"n":4,"quality":"high","nonce":"quoted"}"#,
        )
        .header("prefer", "metering=quote")
        .says("/decision", Is("allow"))
        .says("/hold", Is("40")),
        Step::get("as the upstream confirms", Upstream, "/_work?nonce=quoted")
            .says("/units", Items(0)),
        Step::get("A balance: 100 less 10, 20 and 2.2", Maria, "/_credits/v1/balance")
            .pace(Pace::Eventually)
            .says("/balances/0/available", Is("67.8"))
            .says("/balances/0/held", Is("0"))
            .says("/balances/0/by_grant", Items(1)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_runs_on_is_followed_by_one_who_waits() {
        let paces: Vec<Pace> = steps().iter().map(|step| step.pace).collect();
        let pairs = paces.windows(2).filter(|pair| pair[0] == Pace::WhileNext);
        assert_eq!(pairs.map(|pair| pair[1]).collect::<Vec<_>>(), [Pace::Meanwhile]);
    }
}
