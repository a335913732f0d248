"""The official Python client of fal, its queue, unchanged but for the host's name, over TLS.

The client insists on `https://`; a certificate authority of this run stands in `SSL_CERT_FILE`, as its documentation
has it. All of it goes over a line that can be cut. Its pauses between attempts are shortened, nothing else is.
"""

import os
import time
import types
from decimal import Decimal

from rig import Line, Suite, background, until
import refusals
from refusals import raised

UNIT = Decimal(4)
APP = "fal-ai/flux/schnell"
# Of fal's pauses this much is left: ten attempts take a minute otherwise.
HURRY = 0.02


def price(work):
    return Decimal(work["units"].get("units", "0")) * UNIT


suite = Suite("fal-client (Python), queue", "fal-queue", price, tls=True)
line = Line(suite.url.removeprefix("https://"))
os.environ.update(FAL_QUEUE_RUN_HOST=line.address, FAL_RUN_HOST="nowhere.invalid", SSL_CERT_FILE=suite.pki.ca)

import fal_client  # noqa: E402  It reads its hosts when it is imported.
import fal_client.client  # noqa: E402

fal_client.client.time = types.SimpleNamespace(
    sleep=lambda seconds: time.sleep(seconds if seconds <= 0.1 else max(0.1, seconds * HURRY)), time=time.time
)


def client(key):
    return fal_client.SyncClient(key=key)


def submit(key, prompt, **more):
    return client(key).submit(APP, {"prompt": prompt, "num_images": 2, **more})


def subscribe(key, prompt, **more):
    return client(key).subscribe(APP, {"prompt": prompt, "num_images": 2, **more})


def facts(error):
    return type(error).__name__, error.status_code, str(error)


@suite.step("a job to its end: status, result")
def _():
    payer = suite.payer()
    with suite.works() as works:
        handle = submit(payer.key, "a cat")
        for url in (handle.response_url, handle.status_url, handle.cancel_url):
            wanted = suite.upstream.url if suite.direct else f"https://{line.address}"
            assert url.startswith(wanted + "/fal-ai/flux/requests/"), url
        assert len(handle.get()["images"]) == 2
        # The same by the names that the client makes from the id alone.
        assert len(client(payer.key).result(APP, handle.request_id)["images"]) == 2
    suite.paid(payer, works)


@suite.step("as it is called usually, with units that have decimals")
def _():
    payer = suite.payer()
    with suite.works() as works:
        seen = []
        made = client(payer.key).subscribe(
            APP, {"prompt": "partial", "num_images": 2}, with_logs=True, on_queue_update=seen.append
        )
    assert len(made["images"]) == 1 and works[0]["units"] == {"units": "0.75"}, (made, works)
    assert [type(one).__name__ for one in seen][-1] == "Completed", seen
    suite.paid(payer, works)


@suite.step("content is blocked")
def _():
    payer = suite.payer()
    with suite.works() as works:
        error = raised(fal_client.client.FalClientHTTPError, lambda: subscribe(payer.key, "block me"))
        assert error.status_code == 422 and error.message[0]["type"] == "content_policy_violation", error
    suite.paid(payer, works)
    suite.outcome(payer, "blocked")


@suite.step("the upstream fails: completed is not success")
def _():
    payer = suite.payer()
    with suite.works() as works:
        handle = submit(payer.key, "fail me")
        error = raised(fal_client.client.FalClientHTTPError, handle.get)
        assert (error.status_code, error.error_type) == (500, "internal_server_error"), error
        assert handle.status().error_type == "internal_server_error"
    suite.paid(payer, works)


@suite.step("a job that nobody polls")
def _():
    payer = suite.payer()
    with suite.works() as works:
        submit(payer.key, "a dog")
        until("it is done", lambda: suite.upstream.works()[-1]["state"] == "done")
    suite.paid(payer, works)


@suite.step("a job that is cancelled, and one that has ended")
def _():
    payer = suite.payer()
    with suite.works() as works:
        submit(payer.key, "never ends").cancel()
        handle = submit(payer.key, "a cat")
        handle.get()
        error = raised(fal_client.client.FalClientHTTPError, handle.cancel)
        assert error.status_code == 400, error
    suite.paid(payer, works)


@suite.step("a reset after the upstream accepted")
def _():
    payer = suite.payer()
    with suite.works() as works, suite.attempts() as attempts:
        raised(Exception, lambda: submit(payer.key, "reset me"))
        until("all are done", lambda: all(one["state"] != "running" for one in suite.upstream.works()))
    assert len(works) == attempts[0], (works, attempts)
    # Without the gateway it is paid for ten times.
    assert attempts == [10 if suite.direct else 1], attempts
    suite.lost(payer, works)
    return f"{attempts[0]} attempts"


@suite.step("the client's line is cut after the upstream accepted, ten times")
def _():
    payer = suite.payer()
    with suite.works() as works:
        first = len(suite.upstream.works())
        call = background(lambda: raised(Exception, lambda: submit(payer.key, "until released")))
        for cut in range(10):
            until("the work is taken on", lambda: len(suite.upstream.works()) > first + cut)
            line.cut()
        call.result()
        suite.upstream.release()
        until("all are done", lambda: all(one["state"] == "done" for one in suite.upstream.works()[first:]))
    assert len(works) == 10, works
    suite.paid(payer, works)
    return "10 attempts, 10 pieces of work"


@suite.step("another account's job is not there", only="gateway")
def _():
    payer, other = suite.payer(), suite.payer()
    with suite.works() as works:
        handle = submit(payer.key, "a cat")
        for call in (client(other.key).status, client(other.key).cancel):
            error = raised(fal_client.client.FalClientHTTPError, lambda: call(APP, handle.request_id))
            assert error.status_code == 404, error
        handle.get()
    suite.paid(payer, works)


table = refusals.Table(
    ask=lambda key: subscribe(key, "a cat"), held=lambda key: subscribe(key, "until released"),
    error=fal_client.client.FalClientHTTPError, facts=facts, payment="FalClientHTTPError",
    many="FalClientHTTPError", cap_status=402, cap_name="FalClientHTTPError", waits=True,
)
refusals.add(suite, table)
suite.finish()
