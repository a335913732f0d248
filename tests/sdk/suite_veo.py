"""Films of Google's (Veo), by the official JavaScript SDK, unchanged but for the base URL."""

from decimal import Decimal

import refusals
from node import Node, Raised
from refusals import raised
from rig import Suite, until

SECOND = Decimal("0.4")


def price(work):
    return work["units"].get("seconds", 0) * SECOND


def client(key):
    return Node("suite_veo.cjs", suite.url, key)


def begin(key, prompt, films=1, seconds=8):
    return client(key).ask("begin", prompt=prompt, films=films, seconds=seconds)


def end(key, name):
    asked = client(key)

    def look():
        told = asked.ask("look", name=name)
        return told if told["done"] else None

    return until("the film is done", look)


def facts(error):
    return error.name, error.status, error.message


suite = Suite("@google/genai (JavaScript), Veo", "google", price)


@suite.step("a film to its end")
def _():
    payer = suite.payer()
    with suite.works() as works:
        begun = begin(payer.key, "a cat", films=2, seconds=4)
        assert begun["name"].startswith("models/") and not begun["done"], begun
        told = end(payer.key, begun["name"])
        assert (told["films"], told["error"]) == (2, None), told
        if suite.options.presets and not suite.direct:
            assert all(uri.startswith(suite.url + "/v1beta/files/") for uri in told["uris"]), told
        for uri in told["uris"]:
            said = client(payer.key).ask("download", uri=uri)
            assert said.startswith("the film ") and said.split()[-1] in uri, said
    suite.paid(payer, works)


@suite.step("one of two films is filtered out")
def _():
    payer = suite.payer()
    with suite.works() as works:
        told = end(payer.key, begin(payer.key, "partial", films=2)["name"])
        assert (told["films"], told["filtered"]) == (1, 1), told
    suite.paid(payer, works)


@suite.step("content is blocked")
def _():
    payer = suite.payer()
    with suite.works() as works:
        told = end(payer.key, begin(payer.key, "block me")["name"])
        assert (told["films"], told["filtered"]) == (0, 1), told
    suite.paid(payer, works)
    suite.outcome(payer, "blocked")


@suite.step("the upstream fails")
def _():
    payer = suite.payer()
    with suite.works() as works:
        told = end(payer.key, begin(payer.key, "fail me")["name"])
        assert told["error"] == "Internal error.", told
    suite.paid(payer, works)
    suite.outcome(payer, "failed")


@suite.step("a film that nobody asks for")
def _():
    payer = suite.payer()
    with suite.works() as works:
        begin(payer.key, "a dog")
        until("it is done", lambda: suite.upstream.works()[-1]["state"] == "done")
    suite.paid(payer, works)


@suite.step("a reset after the upstream accepted")
def _():
    payer = suite.payer()
    with suite.works() as works, suite.attempts() as attempts:
        raised(Raised, lambda: begin(payer.key, "reset me"))
        until("it is done", lambda: suite.upstream.works()[-1]["state"] == "done")
    assert attempts == [1] and len(works) == 1, (attempts, works)
    suite.lost(payer, works)
    return "1 attempt"


@suite.step("another account's film is not there", only="gateway")
def _():
    payer, other = suite.payer(), suite.payer()
    with suite.works() as works:
        name = begin(payer.key, "a cat")["name"]
        assert raised(Raised, lambda: client(other.key).ask("look", name=name)).status == 404
        uri = end(payer.key, name)["uris"][0]
        assert raised(Raised, lambda: client(other.key).ask("download", uri=uri)).status == 404
    suite.paid(payer, works)


table = refusals.Table(
    ask=lambda key: end(key, begin(key, "a cat")["name"]), held=lambda key: end(key, begin(key, "until released")["name"]),
    error=Raised, facts=facts, payment="ApiError", many="ApiError", cap_status=429, cap_name="ApiError", waits=False,
)
refusals.add(suite, table)
suite.finish()
