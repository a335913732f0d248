"""The refusals that every SDK must read: for balance, for a cap, for concurrency, each with its number of attempts."""

from dataclasses import dataclass
from typing import Any, Callable

from rig import background, until


@dataclass
class Table:
    """What one SDK does.

    `ask(key)` is a small call, `held(key)` one that holds its slot until the upstream is told to go on, `error` the SDK's class. `facts`
    takes an error and gives its class's name, status and what it said. Then: the classes for 402 and for what is
    asked too often, the status of a used up cap, how often a call without a slot is made (`None`: until it has
    one), how often one without credits is.
    """

    ask: Callable[[str], Any]
    held: Callable[[str], Any]
    error: type
    facts: Callable[[Exception], tuple]
    payment: str
    many: str
    cap_status: int
    cap_name: str
    waits: bool


def raised(kind, call):
    try:
        value = call()
    except kind as error:
        return error
    raise AssertionError(f"it succeeded: {value}")


def add(suite, table):
    if suite.direct:
        return

    def refused(payer, code, name, status, words):
        with suite.works() as works, suite.attempts(code) as attempts:
            error = raised(table.error, lambda: table.ask(payer.key))
        got, got_status, said = table.facts(error)
        assert (got, got_status) == (name, status), (got, got_status, error)
        assert words in said, f"{words!r} is not in {said!r}"
        assert attempts == [1] and not works, (attempts, works)
        return "1 attempt"

    @suite.step("not enough credits")
    def _():
        payer = suite.payer(credits="0.000001")
        told = refused(payer, "insufficient_credits", table.payment, 402, "0.000001")
        assert payer.purse()["available"] == payer.credits and not payer.charges()
        return told

    @suite.step("a daily cap")
    def _():
        payer = suite.payer("rationed")
        with suite.works() as works:
            table.ask(payer.key)
        told = refused(payer, "cap_exceeded", table.cap_name, table.cap_status, "")
        suite.paid(payer, works)
        return told

    @suite.step("one at a time")
    def _():
        payer = suite.payer("single")
        with suite.works() as works, suite.attempts("concurrency_exceeded") as attempts:
            first = background(lambda: table.held(payer.key))
            until("the slot is taken", lambda: payer.purse()["held"] > 0)
            if table.waits:
                before = suite.gateway.decided("concurrency_exceeded")
                second = background(lambda: table.ask(payer.key))
                until("it is refused", lambda: suite.gateway.decided("concurrency_exceeded") > before)
                suite.upstream.release()
                second.result()
            else:
                error = raised(table.error, lambda: table.ask(payer.key))
                name, status, _ = table.facts(error)
                assert (name, status) == (table.many, 429), error
                suite.upstream.release()
            first.result()
        wanted = 2 if table.waits else 1
        assert attempts[0] >= 1 and (table.waits or attempts == [1]), attempts
        assert len(works) == wanted, works
        suite.paid(payer, works)
        return f"{attempts[0] + table.waits} attempts"
