"""What the SDKs of OpenAI are asked to do, for Python and for JavaScript alike.

A client is made by `make(url, key)` and has the calls that are used here; what the SDK raises comes as `Raised`.
"""

import io
import wave
from decimal import Decimal

from node import Raised
from rig import background, until

ANSWER = "Every credit is held before it is spent."
QUESTION = "how are you"

# Credits: images by quality, tokens, characters, seconds.
IMAGES = {"low": Decimal(1), "medium": Decimal(4), "high": Decimal(16)}
PROMPT, COMPLETION = Decimal("0.0025"), Decimal("0.01")
CHARACTER, HEARD, FILMED = Decimal("0.015"), Decimal("0.1"), Decimal(10)


def raised(call, *arguments, **more):
    """The error of a call that must not succeed."""
    try:
        value = call(*arguments, **more)
    except Raised as error:
        return error
    raise AssertionError(f"it succeeded: {value}")


def price(work):
    units = work["units"]
    if work["what"] == "images":
        return units.get("images", 0) * IMAGES[work["facts"]["quality"]]
    if work["what"] == "chat":
        return units.get("prompt_tokens", 0) * PROMPT + units.get("completion_tokens", 0) * COMPLETION
    if work["what"] == "response":
        return units.get("input_tokens", 0) * PROMPT + units.get("output_tokens", 0) * COMPLETION
    if work["what"] == "speech":
        return units.get("characters", 0) * CHARACTER
    if work["what"] == "transcription":
        return units.get("seconds", 0) * HEARD
    return units.get("seconds", 0) * FILMED


def sound(seconds):
    """A WAV file of so many seconds."""
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(8000)
        out.writeframes(b"\0\0" * int(8000 * seconds))
    return file.getvalue()


def add(suite, make, names):
    """Declares all steps. `names`: the SDK's classes for a payment that is due, too many requests, a bad request,
    a server's error."""
    add_successes(suite, make)
    add_failures(suite, make, names)
    add_streams(suite, make)
    add_jobs(suite, make)
    if not suite.direct:
        add_refusals(suite, make, names)


def add_successes(suite, make):
    @suite.step("images are made")
    def _():
        payer = suite.payer()
        client = make(suite.url, payer.key)
        with suite.works() as works:
            assert client.image("a cat", n=3, quality="high", size="1024x1024")["images"] == 3
            assert client.image("a cat, partial", n=4, quality="low", size="1024x1024")["images"] == 2
        suite.paid(payer, works)

    @suite.step("a picture is edited, from a form")
    def _():
        payer = suite.payer()
        with suite.works() as works:
            made = make(suite.url, payer.key).edit(b"a picture", "a hat", n=2, quality="medium")
        assert made["images"] == 2
        suite.paid(payer, works)

    @suite.step("a chat")
    def _():
        payer = suite.payer()
        with suite.works() as works:
            value = make(suite.url, payer.key).chat(QUESTION)
        assert value["text"] == ANSWER, value
        assert (value["usage"]["prompt_tokens"], value["usage"]["completion_tokens"]) == (3, 8), value
        suite.paid(payer, works)

    @suite.step("speech is spoken")
    def _():
        payer = suite.payer()
        with suite.works() as works:
            assert make(suite.url, payer.key).speak("Straße, señor") == {"bytes": 500}
        suite.paid(payer, works)

    @suite.step("a recording is transcribed")
    def _():
        payer = suite.payer()
        with suite.works() as works:
            value = make(suite.url, payer.key).transcribe(sound(2.5))
        assert value == {"text": ANSWER, "seconds": 3}, value
        suite.paid(payer, works)


def add_failures(suite, make, names):
    @suite.step("content is blocked")
    def _():
        payer = suite.payer()
        client = make(suite.url, payer.key)
        with suite.works() as works, suite.attempts() as attempts:
            error = raised(client.image, "block me", n=1, quality="low", size="1024x1024")
        assert (error.name, error.status, error.code) == (names["bad"], 400, "moderation_blocked"), error
        assert attempts == [1] and not works, (attempts, works)
        suite.paid(payer, works)
        suite.outcome(payer, "blocked")
        error = raised(client.chat, "block me")
        assert (error.name, error.status, error.code) == (names["bad"], 400, "invalid_prompt"), error
        suite.paid(payer, works)
        suite.outcome(payer, "blocked")

    @suite.step("the upstream fails")
    def _():
        payer = suite.payer()
        with suite.works() as works, suite.attempts() as attempts:
            error = raised(make(suite.url, payer.key).chat, "fail me")
        assert (error.name, error.status) == (names["server"], 500), error
        # Each attempt is a piece of work of its own, and none of them is billed.
        assert attempts == [3] and len(works) == 3, (attempts, works)
        suite.paid(payer, works)
        return "3 attempts"

    @suite.step("the upstream resets the connection after it accepted")
    def _():
        payer = suite.payer()
        with suite.works() as works, suite.attempts() as attempts:
            error = raised(make(suite.url, payer.key).chat, "reset me")
        # What was lost on the way is known to nobody; whoever asks again would do the work again.
        assert len(works) == attempts[0], (works, attempts)
        if not suite.direct:
            assert error.code == "upstream_error" and attempts == [1], (error, attempts)
        suite.lost(payer, works)
        return f"{attempts[0]} attempts"


def add_streams(suite, make):
    @suite.step("a stream with its usage")
    def _():
        payer = suite.payer()
        with suite.works() as works:
            value = make(suite.url, payer.key).stream(QUESTION, include_usage=True)
        assert value["text"] == ANSWER, value
        assert value["usage"]["completion_tokens"] == 8, value
        suite.paid(payer, works)
        return f"{value['chunks']} chunks"

    # A gateway asks for it, and takes it out again.
    @suite.step("a stream whose usage nobody asked for")
    def _():
        payer = suite.payer()
        with suite.works() as works:
            value = make(suite.url, payer.key).stream(QUESTION, include_usage=False)
        assert value["text"] == ANSWER and value["usage"] is None, value
        assert value["chunks"] == 10 and value["empty"] == 0, value
        suite.paid(payer, works)

    @suite.step("pictures come in a stream, with previews")
    def _():
        payer = suite.payer()
        client = make(suite.url, payer.key)
        with suite.works() as works:
            assert client.picture_stream("a cat", n=2, quality="low") == {"previews": 2, "images": 2}
            assert client.picture_stream("a cat, partial", n=2, quality="medium") == {"previews": 1, "images": 1}
        suite.paid(payer, works)

    @suite.step("a response at once, and one in a stream")
    def _():
        payer = suite.payer()
        client = make(suite.url, payer.key)
        with suite.works() as works:
            assert client.answer(QUESTION) == {"text": ANSWER}
            assert client.answer_stream(QUESTION) == {"text": ANSWER + " ", "status": "completed"}
        suite.paid(payer, works)

    @suite.step("a stream that fails in the middle")
    def _():
        payer = suite.payer()
        with suite.works() as works:
            error = raised(make(suite.url, payer.key).stream, "fail me", include_usage=True)
        assert "server had an error" in error.message, error
        suite.paid(payer, works)


def add_jobs(suite, make):
    @suite.step("a film is made, to its end")
    def _():
        payer = suite.payer()
        client = make(suite.url, payer.key)
        with suite.works() as works:
            made = client.film("a dog runs", seconds="8", size="1280x720")
            assert made["status"] == "completed" and made["seconds"] == "8", made
            assert client.content(made["id"]) == {"bytes": 600}
            assert client.delete_film(made["id"]) == {"deleted": True}
        suite.paid(payer, works)

    @suite.step("a film that is blocked, and one that fails")
    def _():
        payer = suite.payer()
        client = make(suite.url, payer.key)
        with suite.works() as works:
            for prompt, code in (("block me", "moderation_blocked"), ("fail me", "server_error")):
                made = client.film(prompt, seconds="4", size="1280x720")
                assert (made["status"], made["error"]) == ("failed", code), made
        suite.paid(payer, works)

    @suite.step("a film that nobody asks for")
    def _():
        payer = suite.payer()
        with suite.works() as works:
            make(suite.url, payer.key).begin_film("a dog sleeps", seconds="4", size="1280x720")
            until("it is done", lambda: all(one["state"] == "done" for one in suite.upstream.works()[-1:]))
        suite.paid(payer, works)

    @suite.step("a film's reset after it was accepted")
    def _():
        payer = suite.payer()
        with suite.works() as works, suite.attempts() as attempts:
            error = raised(make(suite.url, payer.key).begin_film, "reset me", seconds="4", size="1280x720")
            until("it is done", lambda: suite.upstream.works()[-1]["state"] == "done")
        assert len(works) == attempts[0], (works, attempts)
        if not suite.direct:
            assert error.code == "upstream_error" and attempts == [1], (error, attempts)
        suite.lost(payer, works)
        return f"{attempts[0]} attempts"

    @suite.step("a response in the background, to its end, and one that is cancelled")
    def _():
        payer = suite.payer()
        client = make(suite.url, payer.key)
        with suite.works() as works:
            begun = client.respond(QUESTION)
            done = until("it ends", lambda: ended(client.response(begun["id"])))
            assert done["status"] == "completed" and done["text"] == ANSWER, done
            begun = client.respond("never ends")
            assert client.cancel_response(begun["id"])["status"] == "cancelled"
            assert client.response(begun["id"])["status"] == "cancelled"
        suite.paid(payer, works)


def ended(response):
    return response if response["status"] not in ("queued", "in_progress") else None


def add_refusals(suite, make, names):
    def refused(payer, code, name, status, call, wanted):
        with suite.works() as works, suite.attempts(code) as attempts:
            error = raised(call)
        assert (error.name, error.status, error.code) == (name, status, code), error
        assert not works and attempts == [wanted], (works, attempts)
        return f"{attempts[0]} attempt"

    @suite.step("not enough credits")
    def _():
        payer = suite.payer(credits="0.000001")
        client = make(suite.url, payer.key)
        told = refused(payer, "insufficient_credits", names["payment"], 402, lambda: client.chat(QUESTION), 1)
        assert payer.purse()["available"] == payer.credits
        return told

    @suite.step("a daily cap")
    def _():
        payer = suite.payer("rationed")
        client = make(suite.url, payer.key)
        with suite.works() as works:
            client.chat(QUESTION)
        told = refused(payer, "cap_exceeded", names["many"], 429, lambda: client.chat(QUESTION), 1)
        suite.paid(payer, works)
        return told

    @suite.step("one at a time: the SDK waits for its slot")
    def _():
        payer = suite.payer("single")
        with suite.works() as works, suite.attempts("concurrency_exceeded") as attempts:
            first = background(lambda: make(suite.url, payer.key).chat("until released"))
            until("the slot is taken", lambda: payer.purse()["held"] > 0)
            before = suite.gateway.decided("concurrency_exceeded")
            second = background(lambda: make(suite.url, payer.key).chat(QUESTION))
            until("it is refused", lambda: suite.gateway.decided("concurrency_exceeded") > before)
            suite.upstream.release()
            assert second.result()["text"] == ANSWER
            first.result()
        assert attempts[0] >= 1 and len(works) == 2, (attempts, works)
        suite.paid(payer, works)
        return f"{attempts[0] + 1} attempts"

    @suite.step("a job keeps its slot until it ends")
    def _():
        payer = suite.payer("single")
        client = make(suite.url, payer.key)
        with suite.works() as works:
            made = client.begin_film("until released", seconds="4", size="1280x720")
            assert payer.purse()["held"] > 0
            error = raised(client.quick_chat, QUESTION)
            assert (error.status, error.code) == (429, "concurrency_exceeded"), error
            # Looking at a job takes no slot.
            assert client.look(made["id"])["status"] in ("queued", "in_progress")
            suite.upstream.release()
            until("it is done", lambda: client.look(made["id"])["status"] == "completed")
            until("the slot is free", lambda: payer.purse()["held"] == 0)
            client.chat(QUESTION)
        suite.paid(payer, works)
