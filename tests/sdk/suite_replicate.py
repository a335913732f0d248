"""The official Python SDK of Replicate, unchanged but for the base URL."""

import http.server
import os
import threading
from decimal import Decimal

import httpx
import replicate
from replicate.exceptions import ModelError, ReplicateError
from replicate.webhook import Webhooks, WebhookSigningSecret

import refusals
from refusals import raised
from rig import SECRETS, Suite, until

ANSWER = "Every credit is held before it is spent."
SECOND, PICTURE = Decimal("0.001"), Decimal(2)
MODEL = "acme/painter"
# Half a second by default.
os.environ["REPLICATE_POLL_INTERVAL"] = "0.1"


def price(work):
    units = work["units"]
    # The preset charges official models by their outputs alone.
    seconds = "0" if suite.options.presets else units.get("predict_seconds", "0")
    return Decimal(seconds) * SECOND + units.get("outputs", 0) * PICTURE


def client(key):
    return replicate.Client(api_token=key, base_url=suite.url)


def begin(key, prompt, **more):
    return client(key).models.predictions.create(MODEL, input={"prompt": prompt, "num_outputs": 2}, **more)


def facts(error):
    return type(error).__name__, error.status, f"{error.title} {error.detail}"


class Listener:
    """Where webhooks go: what came, as requests."""

    def __init__(self):
        came = self.came = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                came.append(httpx.Request("POST", "http://listener/", headers=dict(self.headers), content=body))
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"


suite = Suite("replicate (Python)", "replicate", price)


@suite.step("a prediction that is waited for")
def _():
    payer = suite.payer()
    with suite.works() as works:
        made = client(payer.key).run(MODEL, input={"prompt": "a cat", "num_outputs": 2}, use_file_output=False)
    assert len(made) == 2, made
    suite.paid(payer, works)


@suite.step("a job to its end, by polls")
def _():
    payer = suite.payer()
    with suite.works() as works:
        made = begin(payer.key, "a cat")
        assert made.status in ("starting", "processing"), made.status
        made.wait()
        assert made.status == "succeeded" and len(made.output) == 2, made
        # Its URLs lead here, not past here.
        assert made.urls["get"].startswith(suite.url) and made.urls["cancel"].startswith(suite.url), made.urls
        made.reload()
        assert made.status == "succeeded"
    suite.paid(payer, works)


@suite.step("content is blocked")
def _():
    payer = suite.payer()
    with suite.works() as works:
        error = raised(ModelError, lambda: client(payer.key).run(MODEL, input={"prompt": "block me"}))
    assert "NSFW" in str(error), error
    suite.paid(payer, works)


@suite.step("the upstream fails")
def _():
    payer = suite.payer()
    with suite.works() as works, suite.attempts() as attempts:
        made = begin(payer.key, "fail me")
        made.wait()
        assert made.status == "failed" and "memory" in made.error, made
    assert attempts == [1], attempts
    suite.paid(payer, works)


@suite.step("what cannot be run is refused by the upstream")
def _():
    payer = suite.payer()
    with suite.works() as works:
        error = raised(
            ReplicateError, lambda: client(payer.key).models.predictions.create(MODEL, input={"num_outputs": 2})
        )
    assert error.status == 422 and "prompt" in error.detail and not works, error
    suite.paid(payer, works)


@suite.step("a stream")
def _():
    payer = suite.payer()
    with suite.works() as works:
        made = begin(payer.key, "a cat")
        text = "".join(str(one) for one in made.stream() if one.event.value == "output")
        assert text.strip() == ANSWER, text
        made.wait()
    suite.paid(payer, works)


@suite.step("a job that nobody polls")
def _():
    payer = suite.payer()
    with suite.works() as works:
        begin(payer.key, "a dog")
        until("it is done", lambda: suite.upstream.works()[-1]["state"] == "done")
    suite.paid(payer, works)


@suite.step("a job that is cancelled")
def _():
    payer = suite.payer()
    with suite.works() as works:
        made = begin(payer.key, "never ends")
        made.cancel()
        assert made.status == "canceled", made
        made.reload()
        assert made.status == "canceled", made
        # Too late changes nothing.
        made.cancel()
    suite.paid(payer, works)
    suite.outcome(payer, "cancelled")


@suite.step("a webhook comes, signed as the upstream signed it")
def _():
    payer = suite.payer()
    listener = Listener()
    with suite.works() as works:
        made = begin(payer.key, "a cat", webhook=listener.url, webhook_events_filter=["completed"])
        until("a webhook comes", lambda: listener.came)
        # It signs what is told of everybody's work: only who holds the account at Replicate may give it away.
        secret = WebhookSigningSecret(key=SECRETS["SIGNED"])
        for came in listener.came:
            Webhooks.validate(came, secret=secret, tolerance=300)
        assert b'"succeeded"' in listener.came[-1].content, listener.came[-1].content
        assert made.id.encode() in listener.came[-1].content
    suite.paid(payer, works)


@suite.step("a reset after the upstream accepted")
def _():
    payer = suite.payer()
    with suite.works() as works, suite.attempts() as attempts:
        raised((ReplicateError, httpx.TransportError), lambda: begin(payer.key, "reset me"))
        until("it is done", lambda: suite.upstream.works()[-1]["state"] == "done")
    assert attempts == [1] and len(works) == 1, (attempts, works)
    suite.lost(payer, works)
    return "1 attempt"


@suite.step("another account's job is not there", only="gateway")
def _():
    payer, other = suite.payer(), suite.payer()
    with suite.works() as works:
        made = begin(payer.key, "a cat")
        for call in (client(other.key).predictions.get, client(other.key).predictions.cancel):
            error = raised(ReplicateError, lambda: call(made.id))
            assert error.status == 404, error
        made.wait()
        assert made.status == "succeeded", made
    suite.paid(payer, works)
    suite.paid(other, [])


def ask(key):
    made = begin(key, "a cat")
    made.wait()
    return made


def held(key):
    made = begin(key, "until released")
    made.wait()
    return made


table = refusals.Table(
    ask=ask, held=held, error=ReplicateError, facts=facts, payment="ReplicateError", many="ReplicateError",
    cap_status=402, cap_name="ReplicateError", waits=False,
)
refusals.add(suite, table)
suite.finish()
