"""The official Python client of fal, its synchronous host, unchanged but for the host's name, over TLS."""

import os
from decimal import Decimal

from rig import Suite
import refusals
from refusals import raised

UNIT = Decimal(4)
APP = "fal-ai/flux/schnell"


def price(work):
    if work["facts"].get("streamed"):
        # Its header was there before its work was, and said no units: charged as held.
        return UNIT * (1 if suite.options.presets else 6)
    return Decimal(work["units"].get("units", "0")) * UNIT


suite = Suite("fal-client (Python), run", "fal-run", price, tls=True)
os.environ.update(FAL_RUN_HOST=suite.url.removeprefix("https://"), SSL_CERT_FILE=suite.pki.ca)

import fal_client  # noqa: E402  It reads its hosts when it is imported.
from fal_client.client import FalClientHTTPError  # noqa: E402


def run(key, prompt, **more):
    return fal_client.SyncClient(key=key).run(APP, {"prompt": prompt, "num_images": 2, **more})


def facts(error):
    return type(error).__name__, error.status_code, str(error)


@suite.step("pictures are made")
def _():
    payer = suite.payer()
    with suite.works() as works:
        assert len(run(payer.key, "a cat")["images"]) == 2
        assert len(run(payer.key, "partial")["images"]) == 1
    suite.paid(payer, works)


@suite.step("content is blocked")
def _():
    payer = suite.payer()
    with suite.works() as works:
        error = raised(FalClientHTTPError, lambda: run(payer.key, "block me"))
        assert error.status_code == 422 and error.message[0]["type"] == "content_policy_violation", error
    suite.paid(payer, works)
    suite.outcome(payer, "blocked")


@suite.step("the upstream fails")
def _():
    payer = suite.payer()
    with suite.works() as works, suite.attempts() as attempts:
        error = raised(FalClientHTTPError, lambda: run(payer.key, "fail me"))
        assert (error.status_code, error.error_type) == (500, "internal_server_error"), error
    assert attempts == [1], attempts
    suite.paid(payer, works)


@suite.step("a reset after the upstream accepted", only="gateway")
def _():
    payer = suite.payer()
    with suite.works() as works, suite.attempts() as attempts:
        error = raised(FalClientHTTPError, lambda: run(payer.key, "reset me"))
        assert error.status_code == 502, error
    assert attempts == [1] and len(works) == 1, (attempts, works)
    suite.lost(payer, works)
    return "1 attempt"


@suite.step("a stream")
def _():
    payer = suite.payer()
    with suite.works() as works:
        pieces = list(fal_client.SyncClient(key=payer.key).stream(APP, {"prompt": "how are you"}))
    assert pieces[-1]["partial"] is False and pieces[-1]["output"].startswith("Every credit"), pieces
    suite.paid(payer, works)


table = refusals.Table(
    ask=lambda key: run(key, "a cat"), held=lambda key: run(key, "until released"), error=FalClientHTTPError, facts=facts,
    payment="FalClientHTTPError", many="FalClientHTTPError", cap_status=402, cap_name="FalClientHTTPError",
    waits=True,
)
refusals.add(suite, table)
suite.finish()
