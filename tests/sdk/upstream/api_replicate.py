"""Replicate: predictions.

`Prefer: wait` holds the answer until the prediction has ended or the seconds are over. Streams are at a URL of
their own in `urls.stream`. Webhooks are signed as Standard Webhooks say, `start` and `completed`, each once.
A cancelled run of a public model is billed for the time that it ran; one that fails is not.
"""

import base64
import hashlib
import hmac
import json
import re
import threading
import time
import urllib.request
from datetime import datetime, timezone

from api import Api, random_id
from wire import Reply, Reset, Stream, event
from work import ANSWER, Wish

WEBHOOK_SECRET = "whsec_" + base64.b64encode(b"a secret of webhooks for tests..").decode()
# What every run that was not cut short says it took.
RUN_SECONDS, CUT_SECONDS = 2.5, 0.5
STATES = {"running": "processing", "done": "succeeded", "failed": "failed", "blocked": "failed", "cancelled": "canceled"}


def instant(seconds):
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat().replace("+00:00", "Z")


class Replicate(Api):
    name = "replicate"
    routes = (
        ("POST", r"/v1/predictions", "create"),
        ("POST", r"/v1/models/([^/]+/[^/]+)/predictions", "create"),
        ("POST", r"/v1/deployments/([^/]+/[^/]+)/predictions", "create"),
        ("GET", r"/v1/predictions/([^/]+)", "get"),
        ("POST", r"/v1/predictions/([^/]+)/cancel", "cancel"),
        ("GET", r"/v1/webhooks/default/secret", "secret"),
        ("GET", r"/v1/account", "account"),
        ("GET", r"/v1/stream/([^/]+)", "stream"),
        ("GET", r"/v1/files/(.+)", "file"),
    )

    def error(self, status, detail, title=None):
        titles = {401: "Unauthenticated", 404: "Not found", 422: "Input validation failed"}
        title = title or titles.get(status, "Internal server error")
        return Reply(status, {"title": title, "detail": detail, "status": status})

    def is_open(self, request):
        # A stream's URL is its own secret, and so is a file's.
        return request.path.startswith(("/v1/stream/", "/v1/files/"))

    def account(self, request):
        return Reply(200, {"type": "organization", "username": "acme", "name": "Acme", "github_url": None})

    def secret(self, request):
        return Reply(200, {"key": WEBHOOK_SECRET})

    def create(self, request, model=None):
        said = request.json()
        prompt = said["input"].get("prompt")
        if not isinstance(prompt, str):
            return self.error(422, "- input: prompt is required\n")
        wish = Wish(prompt)
        model = model or "acme/" + said["version"][:8]
        facts = {"model": model, "version": said.get("version", "hidden"), "input": said["input"],
                 "webhook": said.get("webhook"), "filter": said.get("webhook_events_filter")}
        work = self.book.begin("prediction", id=random_id(bytes=13), **facts)
        if wish.fail or wish.block:
            work.last(wish.job_seconds, "blocked" if wish.block else "failed")
        else:
            outputs = int(said["input"].get("num_outputs", 1))
            work.last(wish.job_seconds, "done", predict_seconds=str(RUN_SECONDS), outputs=outputs)
        if facts["webhook"]:
            threading.Thread(target=self.call_back, args=(work,), daemon=True).start()
        if wish.reset:
            return Reset()
        prefer = re.match(r"wait(?:=(\d+))?", request.headers.get("prefer", ""))
        if prefer:
            work.wait(min(int(prefer[1] or 60), 60))
        headers = {"preference-applied": prefer[0]} if prefer else {}
        return Reply(201, self.told(work), headers)

    def told(self, work):
        state = work.look()
        status = STATES[state] if work.age > 0.1 or state != "running" else "starting"
        own = f"{self.url}/v1/predictions/{work.id}"
        body = {
            "id": work.id, "model": work.facts["model"], "version": work.facts["version"], "status": status,
            "input": work.facts["input"], "output": None, "logs": "", "error": None, "data_removed": False,
            "created_at": instant(work.wall), "started_at": instant(work.wall + 0.1), "completed_at": None,
            "urls": {"get": own, "cancel": own + "/cancel", "stream": f"{self.url}/v1/stream/{work.id}"},
        }
        if state == "running":
            return body
        body["completed_at"] = instant(work.wall_end)
        took = {"done": RUN_SECONDS, "cancelled": CUT_SECONDS}.get(state, RUN_SECONDS)
        body["metrics"] = {"predict_time": took, "total_time": took + 0.25}
        if state == "done":
            files = range(work.units["outputs"])
            body["output"] = [f"{self.url}/v1/files/{work.id}/out-{n}.png" for n in files]
        elif state == "blocked":
            body["error"] = "NSFW content detected. Try running it again, or try a different prompt."
        elif state == "failed":
            body["error"] = "The model ran out of memory."
        return body

    def get(self, request, id):
        work = self.book.works.get(id)
        return Reply(200, self.told(work)) if work else self.error(404, "The requested resource could not be found.")

    def cancel(self, request, id):
        work = self.book.works.get(id)
        if not work:
            return self.error(404, "The requested resource could not be found.")
        work.look()
        work.end("cancelled", predict_seconds=str(CUT_SECONDS), outputs=0)
        return Reply(200, self.told(work))

    def file(self, request, name):
        return Reply(200, b"a picture", kind="image/png")

    def stream(self, request, id):
        work = self.book.works.get(id)
        return Stream(self.events(work)) if work else self.error(404, "No such stream.")

    def events(self, work):
        for number, word in enumerate(ANSWER.split(" ")):
            yield f"id: 17:{number}\n".encode() + event(word + " ", "output")
        work.wait(60)
        reason = {"cancelled": {"reason": "canceled"}, "failed": {"reason": "error"}}
        yield b"id: 17:99\n" + event(reason.get(work.state, {}), "done")

    # Webhooks

    def call_back(self, work):
        if self.wanted(work, "start"):
            time.sleep(0.15)
            self.post(work, "start")
        # Whoever reads the log ends the work that is due; so does this.
        while work.look() == "running":
            work.told.wait(0.02)
        if self.wanted(work, "completed"):
            self.post(work, "completed")

    def wanted(self, work, name):
        return not work.facts["filter"] or name in work.facts["filter"]

    def post(self, work, name):
        body = json.dumps(self.told(work)).encode()
        id, at = f"msg_{work.id}_{name}", str(int(time.time()))
        key = base64.b64decode(WEBHOOK_SECRET.removeprefix("whsec_"))
        mac = hmac.new(key, f"{id}.{at}.".encode() + body, hashlib.sha256).digest()
        headers = {"content-type": "application/json", "webhook-id": id, "webhook-timestamp": at,
                   "webhook-signature": "v1," + base64.b64encode(mac).decode()}
        for attempt in range(5):
            try:
                asked = urllib.request.Request(work.facts["webhook"], body, headers, method="POST")
                with urllib.request.urlopen(asked, timeout=5):
                    return
            except OSError:
                time.sleep(0.2 * 2**attempt)
