"""Runway: tasks that state their cost, as an estimate when they begin and as what was taken when they have ended.

What it bills are its own credits. A task that fails or is deleted while it runs costs 0 and says so; the estimate
is an upper bound and the cost may be lower.
"""

from datetime import datetime, timezone

from api import Api
from wire import Reply, Reset
from work import Wish

import uuid

RATES = {"gen4_turbo": 5, "gen4.5": 12, "gen4_image": 5, "gen4_image_turbo": 2}
STATES = {"running": "RUNNING", "done": "SUCCEEDED", "failed": "FAILED", "blocked": "FAILED", "cancelled": "CANCELLED"}


class Runway(Api):
    name = "runway"
    routes = (
        ("POST", r"/v1/(image_to_video|text_to_video|text_to_image)", "create"),
        ("GET", r"/v1/tasks/([^/]+)", "get"),
        ("DELETE", r"/v1/tasks/([^/]+)", "delete"),
    )

    def error(self, status, message):
        return Reply(status, {"error": message})

    def create(self, request, kind):
        if "x-runway-version" not in request.headers:
            return self.error(400, "The X-Runway-Version header is required.")
        said = request.json()
        if said.get("model") not in RATES:
            return Reply(400, {"error": "Validation of body failed", "issues": [{"path": ["model"]}]})
        wish = Wish(said.get("promptText"))
        if wish.overload:
            return self.error(503, "The service is overloaded.")
        estimate = RATES[said["model"]] * (1 if kind == "text_to_image" else said.get("duration", 10))
        work = self.book.begin("task", id=str(uuid.uuid4()), kind=kind, model=said["model"], estimate=estimate)
        if wish.block or wish.fail:
            work.last(wish.job_seconds, "blocked" if wish.block else "failed")
        else:
            # A generation that came out shorter gives back what it did not use.
            work.last(wish.job_seconds, "done", credits=estimate // 2 if wish.partial else estimate)
        return Reset() if wish.reset else Reply(200, {"id": work.id, "estimatedCost": {"credits": estimate}})

    def get(self, request, id):
        work = self.book.works.get(id)
        if not work or work.facts.get("deleted"):
            return self.error(404, "A task with that ID could not be found.")
        state = work.look()
        created = datetime.fromtimestamp(work.wall, timezone.utc).isoformat().replace("+00:00", "Z")
        body = {"id": id, "createdAt": created, "status": STATES[state]}
        if state == "running":
            if work.age < 0.1:
                body["status"] = "PENDING"
            else:
                body["progress"] = 0.5
            body["estimatedCost"] = {"credits": work.facts["estimate"]}
        else:
            body["cost"] = {"credits": work.units.get("credits", 0)}
        if state == "done":
            body["output"] = ["https://storage.invalid/presigned.mp4?_jwt=token"]
        if state == "blocked":
            body.update(failure="The prompt was refused.", failureCode="SAFETY.INPUT.TEXT")
        if state == "failed":
            body.update(failure="An error occurred.", failureCode="INTERNAL.BAD_OUTPUT.CODE01")
        return Reply(200, body)

    def delete(self, request, id):
        work = self.book.works.get(id)
        if not work:
            return self.error(404, "A task with that ID could not be found.")
        if work.look() == "running":
            work.end("cancelled")
        else:
            work.facts["deleted"] = True
        return Reply(204)
