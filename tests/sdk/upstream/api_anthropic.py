"""Anthropic: messages, as JSON and as events.

A stream says its input in `message_start` and, in `message_delta`, the sum so far of the output and of input that
came to it since: the last one counts, nothing is added up. Both have a member of the same name; the first says
one token of output, so whoever sums is wrong. A refusal is a 200 with `stop_reason: refusal`, and is billed.
"""

from api import Api, random_id
from wire import Hang, Reply, Reset, Stream, event
from work import ANSWER, Wish, tokens


class Anthropic(Api):
    name = "anthropic"
    routes = (
        ("POST", r"/v1/messages", "message"),
        ("POST", r"/v1/messages/count_tokens", "count"),
        ("GET", r"/v1/models", "models"),
    )

    def shown(self, request):
        # The API takes either; the Python SDK of today sends a key as a bearer, older ones in a header of its own.
        return request.headers.get("x-api-key") or super().shown(request)

    def error(self, status, message, type=None):
        types = {401: "authentication_error", 404: "not_found_error", 529: "overloaded_error"}
        id = random_id("req_")
        said = {"type": type or types.get(status, "api_error"), "message": message}
        return Reply(status, {"type": "error", "error": said, "request_id": id}, {"request-id": id})

    def models(self, request):
        return Reply(200, {"data": [], "has_more": False, "first_id": None, "last_id": None})

    def asked(self, request):
        said = request.json()
        return said, " ".join(one["content"] for one in said["messages"])

    def count(self, request):
        return Reply(200, {"input_tokens": tokens(self.asked(request)[1])})

    def message(self, request):
        if "anthropic-version" not in request.headers:
            return self.error(400, "anthropic-version: header is required", "invalid_request_error")
        said, prompt = self.asked(request)
        wish = Wish(prompt)
        work = self.book.begin("message", model=said["model"], stream=bool(said.get("stream")))
        if wish.overload:
            work.end("failed")
            return self.error(529, "Overloaded")
        if wish.fail and not said.get("stream"):
            work.end("failed")
            return self.error(500, "Internal server error")
        wish.pause(self.book)
        if wish.endless and not said.get("stream"):
            work.end("abandoned")
            return Hang()
        text = "" if wish.block else ANSWER
        usage = {
            "input_tokens": tokens(prompt), "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0,
            "output_tokens": tokens(text) or 1, "service_tier": "standard",
        }
        whole = {
            "id": random_id("msg_"), "type": "message", "role": "assistant", "model": said["model"],
            "content": [{"type": "text", "text": text}] if text else [], "stop_sequence": None,
            "stop_reason": "refusal" if wish.block else "end_turn", "usage": usage,
        }
        if said.get("stream"):
            return Stream(self.events(work, wish, whole), headers={"request-id": random_id("req_")})
        self.done(work, whole)
        return Reset() if wish.reset else Reply(200, whole, {"request-id": random_id("req_")})

    def done(self, work, whole):
        state = "blocked" if whole["stop_reason"] == "refusal" else "done"
        units = {name: whole["usage"][name] for name in ("input_tokens", "output_tokens")}
        work.end(state, **units)

    def events(self, work, wish, whole):
        def one(type, **more):
            return event({"type": type, **more}, type)

        begun = {**whole, "content": [], "stop_reason": None, "usage": {**whole["usage"], "output_tokens": 1}}
        yield one("message_start", message=begun)
        yield one("ping")
        for block in whole["content"]:
            yield one("content_block_start", index=0, content_block={"type": "text", "text": ""})
            for word in block["text"].split(" "):
                delta = {"type": "text_delta", "text": word if word == "Every" else " " + word}
                yield one("content_block_delta", index=0, delta=delta)
                if wish.fail:
                    work.end("failed")
                    yield one("error", error={"type": "overloaded_error", "message": "Overloaded"})
                    return
                if wish.endless:
                    work.end("abandoned")
                    yield Stream.HANG
            yield one("content_block_stop", index=0)
        self.done(work, whole)
        delta = {"stop_reason": whole["stop_reason"], "stop_sequence": None}
        usage = {name: value for name, value in whole["usage"].items() if name != "service_tier"}
        yield one("message_delta", delta=delta, usage=usage)
        yield one("message_stop")
