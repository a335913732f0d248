"""fal: its queue and its synchronous host.

Both have the same paths on hosts of their own (queue.fal.run, fal.run), so they are two upstreams here too.
`COMPLETED` is not success: the status may have an `error`, and the result's answer is then the error. What is
billed stands in the header `x-fal-billable-units` of the answer that carries the result, with decimals.
"""

import uuid

from api import Api
from wire import Hang, Reply, Reset, Stream, event
from work import ANSWER, Wish

PICTURE = {"url": "https://v3.fal.media/files/a/picture.png", "width": 1024, "height": 768, "content_type": "image/png"}
# What an image bills: fal counts megapixels, 1024 x 768 are three quarters of one.
UNITS = "0.75"


class Fal(Api):
    """What both hosts have in common."""

    def shown(self, request):
        return request.headers.get("authorization", "").removeprefix("Key ")

    def error(self, status, detail, type=None):
        headers = {"x-fal-request-id": str(uuid.uuid4()), **({"x-fal-error-type": type} if type else {})}
        return Reply(status, {"detail": detail, **({"error_type": type} if type else {})}, headers)

    def refused(self):
        said = {"loc": ["body", "prompt"], "msg": "The content could not be processed because it was flagged.",
                "type": "content_policy_violation", "url": "https://docs.fal.ai/errors#content_policy_violation",
                "input": "…"}
        return Reply(422, {"detail": [said]}, {"x-fal-request-id": str(uuid.uuid4())})

    def units(self, work):
        return {"x-fal-billable-units": work.units["units"], "x-fal-request-id": work.id}

    def plan(self, app, said, wish):
        """Takes the work on; it ends as it was asked to."""
        images = int(said.get("num_images", 1))
        made = images // 2 if wish.partial else images
        work = self.book.begin("request", id=str(uuid.uuid4()), app=app, images=made)
        if wish.block or wish.fail:
            return work.last(wish.job_seconds, "blocked" if wish.block else "failed")
        return work.last(wish.job_seconds, "done", units=f"{float(UNITS) * made:g}")

    def output(self, work):
        return {"images": [PICTURE] * work.facts["images"], "seed": 7, "has_nsfw_concepts": [False], "prompt": "…"}

    def end(self, work, state):
        if state == "done":
            return Reply(200, self.output(work), self.units(work))
        if state == "blocked":
            return self.refused()
        if state == "cancelled":
            return self.error(499, "The request was cancelled.", "request_cancelled")
        return self.error(500, "Internal Server Error", "internal_server_error")


class FalQueue(Fal):
    name = "fal-queue"
    routes = (
        ("GET", r"/([^/]+/[^/]+)/requests/([^/]+)/status", "status"),
        ("GET", r"/([^/]+/[^/]+)/requests/([^/]+)", "result"),
        ("PUT", r"/([^/]+/[^/]+)/requests/([^/]+)/cancel", "cancel"),
        ("POST", r"/([^/]+/[^/]+(?:/[^/]+)*)", "submit"),
    )

    def submit(self, request, app):
        said = request.json()
        wish = Wish(said.get("prompt"))
        if "prompt" not in said:
            return Reply(422, {"detail": [{"loc": ["body", "prompt"], "msg": "field required", "type": "missing"}]})
        work = self.plan(app, said, wish)
        wish.pause(self.book)
        if wish.reset:
            return Reset()
        # Only owner and alias stay in the URLs of a request.
        own = f"{self.url}/{'/'.join(app.split('/')[:2])}/requests/{work.id}"
        urls = {"response_url": own, "status_url": own + "/status", "cancel_url": own + "/cancel"}
        work.facts["urls"] = urls
        body = {"status": "IN_QUEUE", "request_id": work.id, **urls, "logs": None, "metrics": {}, "queue_position": 0}
        return Reply(200, body)

    def status(self, request, app, id):
        work = self.book.works.get(id)
        if not work:
            return self.error(404, "Request not found.")
        state = work.look()
        body = {"request_id": id, **work.facts["urls"], "logs": [] if request.query.get("logs") == "1" else None}
        if state == "running":
            if work.age < 0.1:
                return Reply(202, {"status": "IN_QUEUE", "queue_position": 0, **body})
            return Reply(202, {"status": "IN_PROGRESS", **body})
        body.update(status="COMPLETED", metrics={"inference_time": 0.3})
        if state in ("failed", "cancelled"):
            body.update(error="The request failed.", error_type="internal_server_error")
        if state == "cancelled":
            body.update(error="The request was cancelled.", error_type="request_cancelled")
        if state == "blocked":
            body.update(error="Unprocessable", error_type="content_policy_violation")
        return Reply(200, body)

    def result(self, request, app, id):
        work = self.book.works.get(id)
        if not work:
            return self.error(404, "Request not found.")
        state = work.look()
        if state == "running":
            return self.error(400, "Request is still in progress")
        return self.end(work, state)

    def cancel(self, request, app, id):
        work = self.book.works.get(id)
        if not work:
            return Reply(404, {"status": "NOT_FOUND"})
        if work.look() != "running":
            return Reply(400, {"status": "ALREADY_COMPLETED"})
        work.end("cancelled")
        return Reply(202, {"status": "CANCELLATION_REQUESTED"})


class FalRun(Fal):
    name = "fal-run"
    routes = (
        ("POST", r"/([^/]+/[^/]+(?:/[^/]+)*)/stream", "stream"),
        ("POST", r"/([^/]+/[^/]+(?:/[^/]+)*)", "run"),
    )

    def run(self, request, app):
        said = request.json()
        wish = Wish(said.get("prompt"))
        work = self.plan(app, said, wish)
        if wish.endless:
            work.end("abandoned")
            return Hang()
        state = work.wait(60)
        return Reset() if wish.reset else self.end(work, state)

    def stream(self, request, app):
        said = request.json()
        work = self.plan(app, said, Wish(said.get("prompt")))
        work.facts["streamed"] = True

        def pieces():
            text = ""
            for word in ANSWER.split(" "):
                text = f"{text} {word}".strip()
                yield event({"output": text, "partial": True})
            work.wait(60)
            yield event({"output": text, "partial": False})

        # A stream's header is there before its work is: it cannot say units.
        return Stream(pieces(), headers={"x-fal-request-id": work.id})
