"""The official Python SDK of Runway, unchanged but for the base URL."""

from decimal import Decimal

import runwayml

import refusals
from refusals import raised
from rig import Suite, until

# What a credit of Runway's costs here.
CREDIT = Decimal("1.2")
ENDED = ("SUCCEEDED", "FAILED", "CANCELLED")


def price(work):
    return work["units"].get("credits", 0) * CREDIT


def client(key):
    return runwayml.RunwayML(base_url=suite.url, api_key=key)


def film(key, prompt, duration=5, **options):
    return client(key).with_options(**options).image_to_video.create(
        model="gen4_turbo", prompt_image="https://files.invalid/cat.png", prompt_text=prompt, ratio="1280:720",
        duration=duration,
    )


def end(key, id):
    """The task, once it has ended; the SDK's own waiting looks every six seconds."""
    def look():
        task = client(key).tasks.retrieve(id)
        return task if task.status in ENDED else None

    return until("the task ends", look)


def facts(error):
    return type(error).__name__, error.status_code, str(error)


suite = Suite("runwayml (Python)", "runway", price)


@suite.step("a job to its end, as the SDK waits for it")
def _():
    payer = suite.payer()
    with suite.works() as works:
        task = film(payer.key, "a cat").wait_for_task_output(timeout=60)
    assert task.status == "SUCCEEDED" and task.cost.credits == 25, task
    # What is stored elsewhere stays where it is.
    assert task.output == ["https://storage.invalid/presigned.mp4?_jwt=token"], task
    suite.paid(payer, works)


@suite.step("a picture, and a film that cost less than was estimated")
def _():
    payer = suite.payer()
    with suite.works() as works:
        made = client(payer.key).text_to_image.create(model="gen4_image", prompt_text="a hat", ratio="1920:1080")
        assert made.estimated_cost.credits == 5, made
        assert end(payer.key, made.id).cost.credits == 5
        made = film(payer.key, "partial", duration=10)
        assert made.estimated_cost.credits == 50, made
        assert end(payer.key, made.id).cost.credits == 25
    suite.paid(payer, works)


@suite.step("content is blocked")
def _():
    payer = suite.payer()
    with suite.works() as works:
        task = end(payer.key, film(payer.key, "block me").id)
    assert task.status == "FAILED" and task.failure_code == "SAFETY.INPUT.TEXT" and task.cost.credits == 0, task
    suite.paid(payer, works)
    suite.outcome(payer, "blocked")


@suite.step("the upstream fails")
def _():
    payer = suite.payer()
    with suite.works() as works, suite.attempts() as attempts:
        task = end(payer.key, film(payer.key, "fail me").id)
        assert task.status == "FAILED" and task.failure_code.startswith("INTERNAL"), task
    assert attempts == [1], attempts
    suite.paid(payer, works)
    suite.outcome(payer, "failed")


@suite.step("the upstream cannot take it")
def _():
    payer = suite.payer()
    with suite.works() as works, suite.attempts() as attempts:
        error = raised(runwayml.APIStatusError, lambda: film(payer.key, "overload"))
    assert facts(error)[:2] == ("InternalServerError", 503), error
    assert attempts == [3] and not works, (attempts, works)
    suite.paid(payer, works)
    return "3 attempts"


@suite.step("a job that nobody polls")
def _():
    payer = suite.payer()
    with suite.works() as works:
        film(payer.key, "a dog")
        until("it is done", lambda: suite.upstream.works()[-1]["state"] == "done")
    suite.paid(payer, works)


@suite.step("a job that is cancelled")
def _():
    payer = suite.payer()
    with suite.works() as works:
        made = film(payer.key, "never ends")
        client(payer.key).tasks.delete(made.id)
        task = client(payer.key).tasks.retrieve(made.id)
        assert task.status == "CANCELLED" and task.cost.credits == 0, task
    suite.paid(payer, works)
    suite.outcome(payer, "cancelled")


@suite.step("a job that is deleted once it has ended")
def _():
    payer = suite.payer()
    with suite.works() as works:
        made = film(payer.key, "a cat")
        end(payer.key, made.id)
        client(payer.key).tasks.delete(made.id)
        assert raised(runwayml.NotFoundError, lambda: client(payer.key).tasks.retrieve(made.id))
    suite.paid(payer, works)


@suite.step("a reset after the upstream accepted")
def _():
    payer = suite.payer()
    with suite.works() as works, suite.attempts() as attempts:
        raised(runwayml.APIError, lambda: film(payer.key, "reset me"))
        until("all are done", lambda: all(one["state"] != "running" for one in suite.upstream.works()))
    assert len(works) == attempts[0], (works, attempts)
    assert suite.direct or attempts == [1], attempts
    suite.lost(payer, works)
    return f"{attempts[0]} attempts"


@suite.step("another account's job is not there", only="gateway")
def _():
    payer, other = suite.payer(), suite.payer()
    with suite.works() as works:
        made = film(payer.key, "a cat")
        raised(runwayml.NotFoundError, lambda: client(other.key).tasks.retrieve(made.id))
        raised(runwayml.NotFoundError, lambda: client(other.key).tasks.delete(made.id))
        assert end(payer.key, made.id).status == "SUCCEEDED"
    suite.paid(payer, works)


def held(key):
    return end(key, film(key, "until released").id)


table = refusals.Table(
    ask=lambda key: end(key, film(key, "a cat").id), held=held, error=runwayml.APIStatusError, facts=facts,
    payment="APIStatusError", many="RateLimitError", cap_status=429, cap_name="RateLimitError", waits=True,
)
refusals.add(suite, table)
suite.finish()
