//! Words of which one is chosen, and what each means.

use jsonwebtoken::Algorithm;
use schemars::{Schema, json_schema};

use super::Format;
use crate::admin::Role;
use crate::config::mirror::{Durability, GrantClass, Passing, QuantityType};
use crate::credit::{Class as Credit, Every, Measure, Rounding, ScopeKind, Start, When};
use crate::ledger::{OnUnknown, OverRun};
use crate::meter::{Class, Dialect, Merge, OnDisconnect, Verify, Way};
use crate::observe::Streamed;
use crate::proxy::ClientAddress;
use crate::tls::ClientCertificates;

macro_rules! words {
    ($type:ty { $($word:literal => $value:expr, $doc:literal;)+ }) => {
        impl Format for $type {
            fn read(text: &str) -> Result<Self, String> {
                match text {
                    $($word => Ok($value),)+
                    _ => Err(format!("`{text}` is not one of {}", [$(concat!("`", $word, "`")),+].join(", "))),
                }
            }

            fn schema() -> Schema {
                json_schema!({ "oneOf": [
                    $({ "const": $word, "type": "string", "description": $doc }),+
                ] })
            }
        }
    };
}

words!(Durability {
    "power" => Self::Power, "What was acknowledged survives the loss of power: every group is synced.";
    "process" => Self::Process, "What was acknowledged survives the end of the process. Not accepted yet.";
});
words!(GrantClass {
    "plan" => Self::Plan, "Credits of a plan.";
    "free" => Self::Free, "Credits given for nothing: never carried over, and only for so many accounts of a person.";
});
words!(Credit {
    "rollover" => Self::Rollover, "Left over from an earlier period.";
    "plan" => Self::Plan, "An allowance of the plan.";
    "goodwill" => Self::Goodwill, "Given for good will, or in place of paid credits that ended while they were held.";
    "bonus" => Self::Bonus, "Came with a purchase.";
    "purchased" => Self::Purchased, "Bought.";
    "free" => Self::Free, "Given for nothing.";
});
words!(Start {
    "calendar" => Self::Calendar, "At midnight in the account's time zone: of each day, of Mondays, of the first of the month.";
    "anchor" => Self::Anchor, "At the account's billing anchor, and every so often after it.";
});
words!(When {
    "always" => Self::Always, "From its beginning.";
    "paid_exhausted" => Self::PaidExhausted, "Once paid credits cannot cover a request, which takes the rest of them: for `class: free`.";
});
words!(Role {
    "owner" => Self::Owner, "Everything.";
    "finance" => Self::Finance, "Everything about money: all grants.";
    "support" => Self::Support, "Disable and rotate keys, release stuck holds, give goodwill and bonus credits.";
    "viewer" => Self::Viewer, "Looking, metrics included.";
});
words!(Every {
    "day" => Self::Day, "Each day in the account's time zone.";
    "week" => Self::Week, "Each week in the account's time zone; on the calendar from Monday (ISO 8601).";
    "month" => Self::Month, "Each month in the account's time zone.";
});
words!(Measure {
    "requests" => Self::Requests, "Each reserved request counts one.";
    "credits" => Self::Credits, "Each reserved request counts its amount.";
});
words!(ScopeKind {
    "account" => Self::Account, "The whole account.";
    "key" => Self::Key, "Each of its keys alone.";
    "route" => Self::Route, "Each route alone.";
    "feature" => Self::Feature, "Each feature alone.";
    "member" => Self::Member, "Each member of a team alone, by the name that the member's keys carry.";
});
words!(Rounding {
    "exact" => Self::Exact, "A part of a step costs its part, rounded up to the next micro-credit.";
    "started" => Self::Started, "A started step costs a whole one.";
    "completed" => Self::Completed, "Only completed steps cost.";
});
words!(QuantityType {
    "integer" => Self::Integer, "A whole number.";
    "decimal" => Self::Decimal, "A number with at most nine digits behind the point.";
    "seconds" => Self::Seconds, "A number of seconds: 5, \"5\" or \"5s\".";
    "pixels" => Self::Pixels, "A number of pixels: 1572864 or \"1024x1536\".";
    "text" => Self::Text, "A word.";
    "flag" => Self::Flag, "Yes or no.";
});
words!(Verify {
    "none" => Self::None, "Not at all: the secret in our URL is the proof.";
    "standard" => Self::Standard, "By `webhook-signature`, as standardwebhooks.com says.";
    "bfl" => Self::Bfl, "By `x-bfl-signature`, as Black Forest Labs says.";
    "elevenlabs" => Self::Elevenlabs, "By `elevenlabs-signature`, as ElevenLabs says.";
    "fal" => Self::Fal, "By `x-fal-webhook-signature`, with a key of fal's `jwks`.";
});
words!(Class {
    "completed" => Self::Completed, "The work was done.";
    "partial" => Self::Partial, "A part of it was done.";
    "failed" => Self::Failed, "The upstream failed.";
    "rejected" => Self::Rejected, "The upstream refused the request.";
    "blocked" => Self::Blocked, "The upstream refused the content.";
    "cancelled" => Self::Cancelled, "Somebody stopped it.";
    "pending" => Self::Pending, "It goes on.";
    "unknown" => Self::Unknown, "Nobody knows.";
});
words!(Dialect {
    "openai" => Self::Openai, "`{\"error\": {\"message\", \"type\", \"code\", \"param\"}}`.";
    "anthropic" => Self::Anthropic, "`{\"type\": \"error\", \"error\": {\"type\", \"message\", \"details\"}, \"request_id\"}`.";
    "google" => Self::Google, "`{\"error\": {\"code\", \"message\", \"status\", \"details\"}}`.";
    "replicate" => Self::Replicate, "The members of RFC 9457, and 402 where a cap is reached.";
    "fal" => Self::Fal, "`{\"detail\", \"message\", \"error_type\"}`.";
    "elevenlabs" => Self::Elevenlabs, "`{\"detail\": {\"status\", \"message\"}}`.";
    "runway" => Self::Runway, "`{\"error\": \"a text\"}`.";
    "detail" => Self::Detail, "`{\"detail\": \"a text\", \"message\", \"request_id\"}`.";
    "problem" => Self::Problem, "The members of RFC 9457 alone.";
});
words!(OnDisconnect {
    "finish" => Self::Finish, "The answer is read to its end and charged as if the client had stayed.";
    "cancel" => Self::Cancel, "It is cut off; what was seen is charged, and what was not seen as it was held.";
});
words!(Merge {
    "last" => Self::Last, "The last one holds: for running totals. A smaller one behind a larger one is not believed, and flagged.";
    "max" => Self::Max, "The largest one holds.";
    "sum" => Self::Sum, "They are added up: for what each event adds.";
});
words!(Streamed {
    "sse" => Self::Events, "Server-sent events.";
    "ndjson" => Self::Lines, "One JSON value on each line; each is read like an event.";
    "array" => Self::Items, "One JSON array; each of its items is read like an event as it comes. What is no array is one event.";
});
words!(ClientCertificates {
    "optional" => Self::Optional, "A client is asked for a certificate; what it shows must be good.";
    "required" => Self::Required, "Without a good certificate there is no connection.";
});
words!(OnUnknown {
    "release" => Self::Release, "Give everything back.";
    "charge" => Self::Charge, "Charge what was held.";
    "hold" => Self::Hold, "Keep holding until somebody decides.";
});
words!(OverRun {
    "absorb" => Self::Absorb, "Record the loss and let it go.";
    "debt" => Self::Debt, "Advance it as debt, within bounds, and repay it from the next grant.";
});
words!(Way {
    "key" => Self::Key, "A key: ours or an imported one.";
    "jwt" => Self::Jwt, "A token of a declared issuer.";
    "header" => Self::Header, "The account header of trusted networks.";
});
words!(Passing {
    "replace" => Self::Replace, "The client's is taken off; the operator's is put on if there is one.";
    "pass" => Self::Pass, "The client's goes on as it came; a key of ours never does.";
});
words!(ClientAddress {
    "none" => Self::None, "Not at all.";
    "x_forwarded" => Self::XForwarded, "By X-Forwarded-For, -Host and -Proto.";
    "forwarded" => Self::Forwarded, "By Forwarded (RFC 7239).";
});
words!(Algorithm {
    "RS256" => Self::RS256, "RSA with SHA-256.";
    "RS384" => Self::RS384, "RSA with SHA-384.";
    "RS512" => Self::RS512, "RSA with SHA-512.";
    "PS256" => Self::PS256, "RSA-PSS with SHA-256.";
    "PS384" => Self::PS384, "RSA-PSS with SHA-384.";
    "PS512" => Self::PS512, "RSA-PSS with SHA-512.";
    "ES256" => Self::ES256, "The curve P-256 with SHA-256.";
    "ES384" => Self::ES384, "The curve P-384 with SHA-384.";
    "EdDSA" => Self::EdDSA, "Ed25519.";
    "HS256" => Self::HS256, "A shared secret with SHA-256; never beside another one.";
});
