"""The official Python SDK of Anthropic, unchanged but for the base URL."""

from decimal import Decimal

import anthropic

import refusals
from refusals import raised
from rig import Suite

ANSWER = "Every credit is held before it is spent."
INPUT, OUTPUT = Decimal("0.003"), Decimal("0.015")


def price(work):
    """A refusal is billed as any answer is; the gateway charges it, since its configuration says so."""
    units = work["units"]
    return units.get("input_tokens", 0) * INPUT + units.get("output_tokens", 0) * OUTPUT


def client(key):
    return anthropic.Anthropic(base_url=suite.url, api_key=key)


def order(prompt):
    return {"model": "claude-sonnet-4-5", "max_tokens": 100, "messages": [{"role": "user", "content": prompt}]}


def ask(key, prompt="how are you", **options):
    return client(key).with_options(**options).messages.create(**order(prompt))


def stream(key, prompt):
    with client(key).messages.stream(**order(prompt)) as events:
        text = "".join(events.text_stream)
        return text, events.get_final_message()


def facts(error):
    return type(error).__name__, error.status_code, str(error)


suite = Suite("anthropic (Python)", "anthropic", price)


@suite.step("a message")
def _():
    payer = suite.payer()
    with suite.works() as works:
        made = ask(payer.key)
    assert made.content[0].text == ANSWER and made.stop_reason == "end_turn", made
    assert (made.usage.input_tokens, made.usage.output_tokens) == (3, 8), made
    suite.paid(payer, works)


@suite.step("a stream: the last usage counts")
def _():
    payer = suite.payer()
    with suite.works() as works:
        text, made = stream(payer.key, "how are you")
    assert text == ANSWER and made.stop_reason == "end_turn", made
    assert (made.usage.input_tokens, made.usage.output_tokens) == (3, 8), made
    suite.paid(payer, works)


@suite.step("tokens are counted for nothing")
def _():
    payer = suite.payer(credits="0.000001")
    counted = client(payer.key).messages.count_tokens(
        model="claude-sonnet-4-5", messages=[{"role": "user", "content": "how are you"}]
    )
    assert counted.input_tokens == 3, counted
    suite.paid(payer, [])


@suite.step("content is blocked")
def _():
    payer = suite.payer()
    with suite.works() as works:
        made = ask(payer.key, "block me")
        assert made.stop_reason == "refusal" and not made.content, made
        text, made = stream(payer.key, "block me")
        assert made.stop_reason == "refusal" and text == "", made
    suite.paid(payer, works)
    suite.outcome(payer, "blocked")


@suite.step("the upstream fails")
def _():
    payer = suite.payer()
    for prompt, name, status in (("fail me", "InternalServerError", 500), ("overload", "OverloadedError", 529)):
        with suite.works() as works, suite.attempts() as attempts:
            error = raised(anthropic.APIStatusError, lambda: ask(payer.key, prompt))
        assert facts(error)[:2] == (name, status), error
        assert attempts == [3] and len(works) == 3, (attempts, works)
        suite.paid(payer, works)
    return "3 attempts"


@suite.step("a stream that fails in the middle")
def _():
    payer = suite.payer()
    with suite.works() as works:
        error = raised(anthropic.APIStatusError, lambda: stream(payer.key, "fail me"))
    assert "Overloaded" in str(error), error
    suite.paid(payer, works)
    suite.outcome(payer, "failed")


@suite.step("a reset after the upstream accepted")
def _():
    payer = suite.payer()
    with suite.works() as works, suite.attempts() as attempts:
        raised(anthropic.APIError, lambda: ask(payer.key, "reset me"))
    assert len(works) == attempts[0], (works, attempts)
    assert suite.direct or attempts == [1], attempts
    suite.lost(payer, works)
    return f"{attempts[0]} attempts"


table = refusals.Table(
    ask=ask, held=lambda key: ask(key, "until released"), error=anthropic.APIStatusError, facts=facts,
    payment="PaymentRequiredError", many="RateLimitError", cap_status=429, cap_name="RateLimitError", waits=True,
)
refusals.add(suite, table)
suite.finish()
