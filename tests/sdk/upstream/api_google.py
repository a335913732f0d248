"""Google: Gemini's generateContent, as JSON and as events, and Veo's long-running operations.

In a stream each chunk says the usage so far: the last one counts. A blocked prompt is a 200 without candidates; a
blocked answer a candidate with a reason. An operation is done with samples, with an error, or with samples that
were filtered out.
"""

from api import Api, random_id
from wire import Hang, Reply, Reset, Stream, event
from work import ANSWER, Wish, tokens

WORDS = {400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 404: "NOT_FOUND", 500: "INTERNAL", 503: "UNAVAILABLE"}


class Google(Api):
    name = "google"
    routes = (
        ("POST", r"/v1(?:beta)?/models/([^/:]+):generateContent", "generate"),
        ("POST", r"/v1(?:beta)?/models/([^/:]+):streamGenerateContent", "stream"),
        ("POST", r"/v1(?:beta)?/models/([^/:]+):countTokens", "count"),
        ("POST", r"/v1(?:beta)?/models/([^/:]+):predictLongRunning", "film"),
        ("GET", r"/v1(?:beta)?/(models/[^/]+/operations/[^/]+)", "operation"),
        ("GET", r"/v1(?:beta)?/files/([a-z0-9]+):download", "film_file"),
    )

    def shown(self, request):
        return request.headers.get("x-goog-api-key") or request.query.get("key", "")

    def error(self, status, message):
        said = {"code": status, "message": message, "status": WORDS[status], "details": []}
        return Reply(status, {"error": said})

    def prompt(self, request):
        contents = request.json()["contents"]
        return " ".join(part.get("text", "") for one in contents for part in one["parts"])

    def count(self, request, model):
        return Reply(200, {"totalTokens": tokens(self.prompt(request))})

    def usage(self, asked, answered, thought=2):
        """What is thought is billed as output and stands beside the candidates' tokens, not in them."""
        return {"promptTokenCount": asked, "candidatesTokenCount": answered, "thoughtsTokenCount": thought,
                "totalTokenCount": asked + answered + thought}

    def blocked(self, model, asked):
        usage = {"promptTokenCount": asked, "totalTokenCount": asked}
        feedback = {"blockReason": "PROHIBITED_CONTENT"}
        return {"promptFeedback": feedback, "usageMetadata": usage, "modelVersion": model, "responseId": random_id()}

    def chunk(self, model, id, text, usage, finish=None):
        candidate = {"content": {"role": "model", "parts": [{"text": text}]}, "index": 0}
        if finish:
            candidate["finishReason"] = finish
        return {"candidates": [candidate], "usageMetadata": usage, "modelVersion": model, "responseId": id}

    def generate(self, request, model):
        prompt = self.prompt(request)
        wish, asked = Wish(prompt), tokens(prompt)
        if wish.block:
            self.book.begin("content", model=model).end("blocked")
            return Reply(200, self.blocked(model, asked))
        work = self.book.begin("content", model=model)
        if wish.fail:
            work.end("failed")
            return self.error(500, "An internal error has occurred.")
        wish.pause(self.book)
        if wish.endless:
            work.end("abandoned")
            return Hang()
        answered = tokens(ANSWER)
        work.end("done", prompt_tokens=asked, output_tokens=answered + 2)
        body = self.chunk(model, random_id(), ANSWER, self.usage(asked, answered), "STOP")
        return Reset() if wish.reset else Reply(200, body)

    def stream(self, request, model):
        if request.query.get("alt") != "sse":
            return self.error(400, "This upstream streams events only.")
        prompt = self.prompt(request)
        wish, asked = Wish(prompt), tokens(prompt)
        if wish.block:
            self.book.begin("content", model=model).end("blocked")
            return Stream([event(self.blocked(model, asked))], "text/event-stream")
        work = self.book.begin("content", model=model)

        def pieces():
            id, words = random_id(), ANSWER.split(" ")
            for number, word in enumerate(words, 1):
                last = number == len(words)
                if last:
                    work.end("done", prompt_tokens=asked, output_tokens=number + 2)
                text = word if number == 1 else " " + word
                usage = self.usage(asked, number)
                yield event(self.chunk(model, id, text, usage, "STOP" if last else None))
                if wish.endless:
                    work.end("abandoned")
                    yield Stream.HANG

        return Stream(pieces(), "text/event-stream")

    # Veo

    def film(self, request, model):
        said = request.json()
        wish = Wish(said["instances"][0].get("prompt"))
        parameters = said.get("parameters", {})
        seconds, samples = int(parameters.get("durationSeconds", 8)), int(parameters.get("sampleCount", 1))
        made = 0 if wish.block else samples // 2 if wish.partial else samples
        id = f"models/{model}/operations/{random_id()}"
        work = self.book.begin("film", id=id, seconds=seconds, samples=samples, made=made)
        state = "failed" if wish.fail else "blocked" if wish.block else "done"
        work.last(wish.job_seconds, state, **({"seconds": seconds * made} if state == "done" else {}))
        return Reset() if wish.reset else Reply(200, {"name": id})

    def operation(self, request, id):
        work = self.book.works.get(id)
        if not work:
            return self.error(404, "Operation not found.")
        state = work.look()
        if state == "running":
            return Reply(200, {"name": id})
        if state == "failed":
            return Reply(200, {"name": id, "done": True, "error": {"code": 13, "message": "Internal error."}})
        said = {"@type": "type.googleapis.com/google.ai.generativelanguage.v1beta.PredictLongRunningResponse"}
        own = id.rpartition("/")[2]
        uris = (f"{self.url}/v1beta/files/{own}{number}:download?alt=media" for number in range(work.facts["made"]))
        films = {"generatedSamples": [{"video": {"uri": uri}} for uri in uris]}
        if work.facts["made"] < work.facts["samples"]:
            films["raiMediaFilteredCount"] = work.facts["samples"] - work.facts["made"]
            films["raiMediaFilteredReasons"] = ["The prompt could not be submitted."]
        if not work.facts["made"]:
            del films["generatedSamples"]
        return Reply(200, {"name": id, "done": True, "response": {**said, "generateVideoResponse": films}})

    def film_file(self, request, name):
        return Reply(200, f"the film {name}".encode(), kind="video/mp4")
