"""The official Python SDK of ElevenLabs, unchanged but for the base URL."""

import io
import wave
from decimal import Decimal

import httpx
from elevenlabs import ElevenLabs
from elevenlabs.core.api_error import ApiError

import refusals
from openai_steps import sound
from refusals import raised
from rig import Suite, until

CHARACTER, DUBBED = Decimal("0.01"), Decimal("0.5")
MILLISECOND = Decimal("0.0002")
VOICE, MODEL = "JBFqnCBsd6RMkjVDRZzb", "eleven_multilingual_v2"


def price(work):
    units = work["units"]
    if work["what"] == "music" and suite.options.presets:
        # By its length, asked for or chosen by the model.
        return units.get("milliseconds", 0) * MILLISECOND
    return units.get("characters", 0) * CHARACTER + Decimal(units.get("seconds", "0")) * DUBBED


def client(key):
    return ElevenLabs(base_url=suite.url, api_key=key)


def speak(key, text):
    return b"".join(client(key).text_to_speech.convert(VOICE, text=text, model_id=MODEL))


def dub(key, name, seconds=3):
    file = ("film.wav", sound(seconds), "audio/wav")
    return client(key).dubbing.create(file=file, name=name, source_lang="en", target_lang="es")


def end(key, id):
    def look():
        told = client(key).dubbing.get(id)
        return told if told.status in ("dubbed", "failed") else None

    return until("the dub ends", look)


def facts(error):
    return type(error).__name__, error.status_code, str(error.body)


suite = Suite("elevenlabs (Python)", "elevenlabs", price)


@suite.step("speech is spoken")
def _():
    payer = suite.payer()
    with suite.works() as works:
        assert len(speak(payer.key, "Straße, señor")) == 500
    assert works[0]["units"] == {"characters": 13}, works
    suite.paid(payer, works)


@suite.step("a stream of speech")
def _():
    payer = suite.payer()
    with suite.works() as works:
        pieces = list(client(payer.key).text_to_speech.stream(VOICE, text="how are you", model_id=MODEL))
    assert sum(map(len, pieces)) == 500
    suite.paid(payer, works)


@suite.step("music, with a length and without")
def _():
    payer = suite.payer()
    with suite.works() as works:
        for more, length in (({"music_length_ms": 10_000}, 10_000), ({}, 30_000)):
            made = b"".join(client(payer.key).music.compose(prompt="a waltz", **more))
            with wave.open(io.BytesIO(made)) as song:
                assert song.getnframes() * 1_000 == length * song.getframerate()
    assert [one["units"]["milliseconds"] for one in works] == [10_000, 30_000], works
    suite.paid(payer, works)


@suite.step("content is blocked")
def _():
    payer = suite.payer()
    with suite.works() as works, suite.attempts() as attempts:
        error = raised(ApiError, lambda: speak(payer.key, "block me"))
        assert error.status_code == 400 and error.body["detail"]["status"] == "content_against_policy", error
    assert attempts == [1] and not works, (attempts, works)
    suite.paid(payer, works)
    suite.outcome(payer, "blocked")


@suite.step("the upstream fails")
def _():
    payer = suite.payer()
    with suite.works() as works, suite.attempts() as attempts:
        error = raised(ApiError, lambda: speak(payer.key, "fail me"))
        assert error.status_code == 500, error
    assert len(works) == attempts[0], (attempts, works)
    suite.paid(payer, works)
    return f"{attempts[0]} attempts"


@suite.step("a dub to its end")
def _():
    payer = suite.payer()
    with suite.works() as works:
        made = dub(payer.key, "a film", seconds=2.5)
        assert made.expected_duration_sec == 2.5, made
        told = end(payer.key, made.dubbing_id)
        assert told.status == "dubbed" and told.media_metadata.duration == 2.5, told
        assert len(b"".join(client(payer.key).dubbing.audio.get(made.dubbing_id, "es"))) == 360
    suite.paid(payer, works)


@suite.step("a dub that fails")
def _():
    payer = suite.payer()
    with suite.works() as works:
        assert end(payer.key, dub(payer.key, "fail me").dubbing_id).status == "failed"
    suite.paid(payer, works)
    suite.outcome(payer, "failed")


@suite.step("a dub that nobody polls")
def _():
    payer = suite.payer()
    with suite.works() as works:
        dub(payer.key, "a film")
        until("it is done", lambda: suite.upstream.works()[-1]["state"] == "done")
    suite.paid(payer, works)


@suite.step("a dub that is cancelled")
def _():
    payer = suite.payer()
    with suite.works() as works:
        made = dub(payer.key, "never ends")
        assert client(payer.key).dubbing.delete(made.dubbing_id).status == "ok"
        assert raised(ApiError, lambda: client(payer.key).dubbing.get(made.dubbing_id)).status_code == 404
    suite.paid(payer, works)
    suite.outcome(payer, "cancelled")


@suite.step("a reset after the upstream accepted")
def _():
    payer = suite.payer()
    with suite.works() as works, suite.attempts() as attempts:
        raised((ApiError, httpx.TransportError), lambda: speak(payer.key, "reset me"))
    assert attempts == [1] and len(works) == 1, (works, attempts)
    suite.lost(payer, works)
    return "1 attempt"


@suite.step("a reset of a dub: this SDK asks again, and leaves the form's fields out", only="gateway")
def _():
    payer = suite.payer()
    with suite.works() as works, suite.attempts() as attempts:
        end(payer.key, dub(payer.key, "reset me").dubbing_id)
    assert attempts == [2], attempts
    assert [one["facts"]["name"] for one in works] == ["reset me", ""], works
    suite.lost(payer, works, known=works[1:])
    return "2 attempts"


@suite.step("another account's dub is not there", only="gateway")
def _():
    payer, other = suite.payer(), suite.payer()
    with suite.works() as works:
        made = dub(payer.key, "a film")
        calls = (client(other.key).dubbing.get, client(other.key).dubbing.delete)
        assert [raised(ApiError, lambda: call(made.dubbing_id)).status_code for call in calls] == [404, 404]
        assert end(payer.key, made.dubbing_id).status == "dubbed"
    suite.paid(payer, works)


table = refusals.Table(
    ask=lambda key: speak(key, "how are you"), held=lambda key: speak(key, "until released"), error=ApiError, facts=facts,
    payment="ApiError", many="ApiError", cap_status=402, cap_name="ApiError", waits=False,
)
refusals.add(suite, table)
suite.finish()
