"""The official Python SDK of Google for Gemini, unchanged but for the base URL.

Films (Veo) are made by suite_veo.py: this SDK offers them on Vertex alone.
"""

from decimal import Decimal

from google import genai
from google.genai import errors

import refusals
from refusals import raised
from rig import Suite

ANSWER = "Every credit is held before it is spent."
MODEL = "gemini-2.5-flash"
PROMPT, OUTPUT = Decimal("0.001"), Decimal("0.008")


def price(work):
    units = work["units"]
    return units.get("prompt_tokens", 0) * PROMPT + units.get("output_tokens", 0) * OUTPUT


# A client that nobody holds closes its connections, even under a call of its own.
clients = {}


def client(key):
    if key not in clients:
        clients[key] = genai.Client(api_key=key, vertexai=False, http_options={"base_url": suite.url})
    return clients[key]


def config():
    return genai.types.GenerateContentConfig(max_output_tokens=100)


def ask(key, prompt="how are you"):
    return client(key).models.generate_content(model=MODEL, contents=prompt, config=config())


def stream(key, prompt):
    asked = client(key)
    return list(asked.models.generate_content_stream(model=MODEL, contents=prompt, config=config()))


def facts(error):
    return type(error).__name__, error.code, str(error.message)


suite = Suite("google-genai (Python)", "google", price)


@suite.step("content is made")
def _():
    payer = suite.payer()
    with suite.works() as works:
        made = ask(payer.key)
    assert made.text == ANSWER, made
    usage = made.usage_metadata
    assert (usage.prompt_token_count, usage.candidates_token_count, usage.thoughts_token_count) == (3, 8, 2), usage
    suite.paid(payer, works)


@suite.step("a stream: the last usage counts")
def _():
    payer = suite.payer()
    with suite.works() as works:
        chunks = stream(payer.key, "how are you")
    assert "".join(one.text for one in chunks) == ANSWER and len(chunks) == 8, chunks
    assert chunks[-1].usage_metadata.candidates_token_count == 8, chunks[-1]
    suite.paid(payer, works)


@suite.step("tokens are counted for nothing")
def _():
    payer = suite.payer(credits="0.000001")
    assert client(payer.key).models.count_tokens(model=MODEL, contents="how are you").total_tokens == 3
    suite.paid(payer, [])


@suite.step("content is blocked")
def _():
    payer = suite.payer()
    with suite.works() as works:
        made = ask(payer.key, "block me")
        assert made.prompt_feedback.block_reason.value == "PROHIBITED_CONTENT" and not made.candidates, made
        suite.outcome(payer, "blocked")
        assert stream(payer.key, "block me")[0].prompt_feedback.block_reason.value == "PROHIBITED_CONTENT"
    suite.paid(payer, works)
    suite.outcome(payer, "blocked")


@suite.step("the upstream fails")
def _():
    payer = suite.payer()
    with suite.works() as works, suite.attempts() as attempts:
        error = raised(errors.ServerError, lambda: ask(payer.key, "fail me"))
    assert error.code == 500 and error.status == "INTERNAL", error
    assert attempts == [1], attempts
    suite.paid(payer, works)
    return "1 attempt"


@suite.step("a reset after the upstream accepted")
def _():
    payer = suite.payer()
    with suite.works() as works, suite.attempts() as attempts:
        raised(Exception, lambda: ask(payer.key, "reset me"))
    assert attempts == [1] and len(works) == 1, (attempts, works)
    suite.lost(payer, works)
    return "1 attempt"


table = refusals.Table(
    ask=ask, held=lambda key: ask(key, "until released"), error=errors.APIError, facts=facts, payment="ClientError",
    many="ClientError", cap_status=429, cap_name="ClientError", waits=False,
)
refusals.add(suite, table)
suite.finish()
