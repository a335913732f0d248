//! Streams and answers as the APIs really send them: what is charged, and that the client sees every byte.

mod apis;
mod asking;
mod coded;
mod leaving;
mod merging;
mod script;
mod taking_out;
mod trailers;

pub(crate) use coded::CODINGS;

use serde_json::{Value, json};

use crate::wire::Reply;
use crate::world::{Payer, World};
use script::{Answer, Script};

/// Routes of several APIs, at one credit for what goes in and ten for what comes out.
const YAML: &str = r#"
listen: 127.0.0.1:0
store: { embedded: { path: ledger, lease: 3s } }
admin: { listen: 127.0.0.1:0, token: { env: ADMIN } }
limits: { drain: 10s }
flood: { per_address: 1000000, failures: 1000000 }
upstreams:
  service:
    url: UPSTREAM
    credentials: { bearer: { env: SECRET } }
    timeouts: { connect: 1s, first_byte: 20s, idle: 20s, total: 40s }
plans: { studio: {} }
prices:
  tokens:
    lines:
      - { label: Input, quantities: [input], rate: 1 }
      - { label: Output, quantities: [output], rate: 10 }
  output: { lines: [{ label: Output, quantities: [output], rate: 1 }] }
routes:
  - name: chat
    match: POST /v1/chat/completions
    upstream: service
    price: tokens
    quantities:
      input: { type: integer, hold: 500, maximum: 500, response: [{ json: /usage/prompt_tokens }] }
      output: { type: integer, hold: 100, maximum: 100, response: [{ json: /usage/completion_tokens }] }
    outcomes:
      - { status: [2xx], body: { at: /error, exists: true }, class: failed, charge: none }
    stream:
      end: "[DONE]"
      ask: { when: /stream, at: /stream_options/include_usage, take_out: /usage, alone: /choices }
    on_unknown: release
    reconcile: 1s
  - name: responses
    match: POST /v1/responses
    upstream: service
    price: tokens
    quantities:
      input:
        { type: integer, hold: 500, maximum: 500, response: [{ json: /usage/input_tokens }, { json: /response/usage/input_tokens }] }
      output:
        { type: integer, hold: 100, maximum: 100, response: [{ json: /usage/output_tokens }, { json: /response/usage/output_tokens }] }
    outcomes:
      - { status: [2xx], body: { at: /type, in: [response.failed, error] }, class: failed, charge: none }
      - { status: [2xx], body: { at: /type, equals: response.incomplete }, class: partial, charge: settle }
    stream: { end_when: { at: /type, in: [response.completed, response.incomplete, response.failed, error] } }
    on_unknown: release
    reconcile: 1s
  - name: messages
    match: POST /v1/messages
    upstream: service
    price: tokens
    quantities:
      input:
        type: integer
        hold: 500
        maximum: 500
        response:
          - event: { name: message_delta, at: /usage/input_tokens }
          - event: { name: message_start, at: /message/usage/input_tokens }
          - json: /usage/input_tokens
      output:
        type: integer
        hold: 100
        maximum: 100
        response:
          - event: { name: message_delta, at: /usage/output_tokens }
          - event: { name: message_start, at: /message/usage/output_tokens }
          - json: /usage/output_tokens
    outcomes:
      - { status: [2xx], body: { at: /type, equals: error }, class: failed, charge: none }
    stream: { end_event: message_stop }
    on_unknown: release
    reconcile: 1s
  - name: gemini
    match: POST /v1beta/models/{model}:streamGenerateContent
    upstream: service
    price: tokens
    quantities:
      input: { type: integer, hold: 500, maximum: 500, response: [{ json: /usageMetadata/promptTokenCount }] }
      output: { type: integer, hold: 100, maximum: 100, response: [{ json: /usageMetadata/candidatesTokenCount }] }
    outcomes:
      - { status: [2xx], body: { at: /error, exists: true }, class: failed, charge: none }
      - { status: [2xx], body: { at: /promptFeedback/blockReason, exists: true }, class: blocked, charge: none }
    stream: { format: array, end_when: { at: "/candidates/*/finishReason", exists: true } }
    on_unknown: release
    reconcile: 1s
  - name: ollama
    match: POST /api/chat
    upstream: service
    price: tokens
    quantities:
      input: { type: integer, hold: 500, maximum: 500, response: [{ json: /prompt_eval_count }] }
      output: { type: integer, hold: 100, maximum: 100, response: [{ json: /eval_count }] }
    outcomes:
      - { status: [2xx], body: { at: /error, exists: true }, class: failed, charge: none }
    stream: { end_when: { at: /done, equals: true } }
    on_unknown: release
    reconcile: 1s
  - name: images
    match: POST /v1/images/generations
    upstream: service
    price: output
    quantities:
      output:
        type: integer
        hold: 9000
        maximum: 9000
        merge: sum
        response:
          - event: { name: image_generation.completed, at: /usage/output_tokens }
          - json: /usage/output_tokens
    on_unknown: release
    reconcile: 1s
  - name: pictures
    match: POST /v1/pictures
    upstream: service
    price: output
    quantities:
      output:
        type: integer
        request: [{ json: /n }]
        default: 1
        maximum: 10
        response: [{ count: "/data/*/url" }, { count: "/data/*/b64_json" }, { count: "/predictions/*/bytesBase64Encoded" }]
    on_unknown: release
    reconcile: 1s
  - name: transcripts
    match: POST /v1/audio/transcriptions
    upstream: service
    price: output
    quantities:
      output: { type: integer, hold: 100, maximum: 100, response: [{ event: { name: transcript.text.done, at: /usage/total_tokens } }] }
    stream: { end_event: transcript.text.done }
    on_unknown: release
    reconcile: 1s
  - name: speech
    match: POST /v1/audio/speech
    upstream: service
    price: output
    quantities:
      output: { type: integer, request: [{ characters: /input }], maximum: 4096, response: [{ header: character-cost }] }
    on_unknown: release
    reconcile: 1s
  - name: text
    match: POST /v1/text
    upstream: service
    price: output
    quantities:
      output:
        { type: integer, hold: 1000, maximum: 1000, response: [{ json: /usage/characters }, { characters: "/choices/*/delta/content" }] }
    stream: { end: "[DONE]" }
    on_disconnect: DISCONNECT
    on_unknown: release
    reconcile: 1s
  - name: bytes
    match: POST /v1/bytes
    upstream: service
    price: output
    quantities:
      output: { type: integer, hold: 100000, maximum: 100000, response: [body_bytes] }
    on_disconnect: DISCONNECT
    on_unknown: release
    reconcile: 1s
  - name: music
    match: POST /v1/music
    upstream: service
    price: output
    quantities:
      output: { type: seconds, hold: 600, maximum: 600, response: [media_seconds] }
    on_disconnect: DISCONNECT
    on_unknown: release
    reconcile: 1s
  - { name: models, match: GET /v1/models, upstream: service, free: true }
"#;

/// Where chats are completed.
const CHAT: &str = "/v1/chat/completions";

/// What a stream's head says.
const SSE: &str = "content-type: text/event-stream; charset=utf-8\r\n";
/// What an answer's head says.
const JSON: &str = "content-type: application/json\r\n";

/// A gateway, the service behind it and somebody with credits.
struct Stage {
    script: Script,
    world: World,
    payer: Payer,
}

impl Stage {
    fn start() -> Self {
        Self::changed(&[])
    }

    /// The configuration differs in these texts.
    fn changed(changes: &[(&str, &str)]) -> Self {
        let script = Script::start();
        let url = format!("http://{}", script.addr);
        let own = [("UPSTREAM", url.as_str())];
        let finish = [("DISCONNECT", "finish")];
        let finish: &[(&str, &str)] =
            if changes.iter().any(|(from, _)| *from == "DISCONNECT") { &[] } else { &finish };
        let world = World::of(YAML, &[changes, finish, &own].concat());
        let payer = world.payer("studio", "10000000");
        Self { script, world, payer }
    }

    /// Sends a request that the service answers so.
    #[track_caller]
    fn ask(&self, path: &str, body: &Value, answer: Answer) -> Reply {
        self.script.next(answer);
        self.world.send(&self.payer.post(path, body))
    }

    /// The receipt of an answer's charge, once that has ended, in one line: status, charge, outcome, flags.
    #[track_caller]
    fn receipt(&self, reply: &Reply) -> String {
        self.ended(&reply.charge())
    }

    #[track_caller]
    fn ended(&self, charge: &str) -> String {
        let mut line = String::new();
        crate::world::until("the charge ends", || {
            let receipt = self.world.receipt(&self.payer, charge);
            let word = |name: &str| receipt[name].as_str().unwrap_or_default().to_owned();
            let flags = receipt["flags"].as_array().into_iter().flatten();
            let flags: String = flags.map(|flag| format!(" {}", flag.as_str().unwrap())).collect();
            line = format!("{} {} {}{flags}", word("status"), word("charged"), word("outcome"));
            word("status") != "held"
        });
        line
    }
}

/// A request for a stream.
fn streamed() -> Value {
    json!({ "stream": true, "messages": [] })
}
