"""OpenAI: images, chat, responses, speech, transcriptions, videos.

Shapes as the official SDKs' types state them (openai 3.54 for Python, `types/*`): a stream of chat says its usage
only if `stream_options.include_usage` asked for it, then in a chunk without choices; a video is made from a
multipart form even without a file; a video can be deleted once it has ended, not before.
"""

import base64
import io
import math
import time
import wave

from api import Api, random_id
from wire import Hang, Reply, Reset, Stream, event
from work import ANSWER, Wish, tokens

PICTURE = base64.b64encode(b"a picture").decode()
BLOCKED = "Your request was rejected by the safety system."
BROKEN = "The server had an error while processing your request."


class OpenAi(Api):
    name = "openai"
    routes = (
        ("POST", r"/v1/images/(generations|edits)", "images"),
        ("POST", r"/v1/chat/completions", "chat"),
        ("POST", r"/v1/responses", "respond"),
        ("GET", r"/v1/responses/([^/]+)", "response"),
        ("POST", r"/v1/responses/([^/]+)/cancel", "cancel_response"),
        ("POST", r"/v1/audio/speech", "speech"),
        ("POST", r"/v1/audio/transcriptions", "transcribe"),
        ("POST", r"/v1/videos", "make_video"),
        ("GET", r"/v1/videos/([^/]+)", "video"),
        ("GET", r"/v1/videos/([^/]+)/content", "content"),
        ("DELETE", r"/v1/videos/([^/]+)", "delete_video"),
        ("GET", r"/v1/models", "models"),
    )

    def error(self, status, message, type="invalid_request_error", code=None, param=None):
        said = {"message": message, "type": type, "param": param, "code": code}
        return Reply(status, {"error": said}, {"x-request-id": random_id("req_")})

    def broken(self):
        return self.error(500, BROKEN, type="server_error")

    def ok(self, body, **headers):
        return Reply(200, body, {"x-request-id": random_id("req_"), **headers})

    def models(self, request):
        return self.ok({"object": "list", "data": [{"id": "gpt-4o-mini", "object": "model"}]})

    # Images

    def images(self, request, verb):
        json_body = request.headers.get("content-type", "").startswith("application/json")
        said = request.json() if json_body else request.form()
        wish = Wish(said.get("prompt"))
        if wish.block:
            return self.error(
                400, BLOCKED, type="image_generation_user_error", code="moderation_blocked"
            )
        asked = int(said.get("n") or 1)
        size, quality = said.get("size") or "1024x1024", said.get("quality") or "high"
        work = self.book.begin("images", size=size, quality=quality, model=said.get("model"))
        if wish.fail:
            work.end("failed")
            return self.broken()
        wish.pause(self.book)
        made = asked // 2 if wish.partial else asked
        words = tokens(said["prompt"])
        work.end("done", images=made, input_tokens=words, output_tokens=1000 * made)
        if wish.reset:
            return Reset()
        usage = {
            "input_tokens": words,
            "output_tokens": 1000 * made,
            "total_tokens": words + 1000 * made,
            "input_tokens_details": {"text_tokens": words, "image_tokens": 0},
        }
        echo = {"size": size, "quality": quality, "output_format": "png", "background": "opaque"}
        created = int(time.time())
        if said.get("stream") in (True, "true"):
            kind = "image_generation" if verb == "generations" else "image_edit"
            whole = {"created_at": created, "b64_json": PICTURE, **echo}
            partial = {"type": f"{kind}.partial_image", "partial_image_index": 0, **whole}
            # Each picture is completed by an event of its own, with what it alone used.
            own = {**usage, "output_tokens": 1000, "total_tokens": words + 1000}
            completed = {"type": f"{kind}.completed", "usage": own, **whole}
            return Stream([event(one, one["type"]) for one in (partial, completed)] * made)
        data = [{"b64_json": PICTURE} for _ in range(made)]
        return self.ok({"created": created, "data": data, **echo, "usage": usage})

    # Chat

    def chat(self, request):
        said = request.json()
        prompt = " ".join(one["content"] for one in said["messages"])
        wish = Wish(prompt)
        if wish.block:
            return self.error(400, "Your prompt was flagged.", code="invalid_prompt")
        work = self.book.begin("chat", model=said["model"], stream=bool(said.get("stream")))
        if wish.fail and not said.get("stream"):
            work.end("failed")
            return self.broken()
        wish.pause(self.book)
        if wish.endless and not said.get("stream"):
            work.end("abandoned")
            return Hang()
        asked, answered = tokens(prompt), tokens(ANSWER)
        usage = {
            "prompt_tokens": asked,
            "completion_tokens": answered,
            "total_tokens": asked + answered,
            "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
        }
        head = {"id": random_id("chatcmpl-"), "created": int(time.time()), "model": said["model"]}
        if said.get("stream"):
            options = said.get("stream_options") or {}
            return Stream(self.chunks(work, wish, head, usage, options.get("include_usage")))
        work.end("done", prompt_tokens=asked, completion_tokens=answered)
        if wish.reset:
            return Reset()
        message = {"role": "assistant", "content": ANSWER, "refusal": None}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
        return self.ok({**head, "object": "chat.completion", "choices": [choice], "usage": usage})

    def chunks(self, work, wish, head, usage, include_usage):
        """A stream of chat. Without the option no chunk has a member `usage`; with it all have, `null` but in the last."""
        null = {"usage": None} if include_usage else {}

        def chunk(delta, finish=None):
            choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
            return event({**head, "object": "chat.completion.chunk", "choices": [choice], **null})

        yield chunk({"role": "assistant", "content": "", "refusal": None})
        for word in ANSWER.split(" "):
            yield chunk({"content": word if word == "Every" else " " + word})
            if wish.fail:
                work.end("failed")
                yield event({"error": {"message": BROKEN, "type": "server_error", "code": None}})
                return
            if wish.endless:
                work.end("abandoned")
                yield Stream.HANG
        work.end("done", prompt_tokens=usage["prompt_tokens"], completion_tokens=usage["completion_tokens"])
        yield chunk({}, "stop")
        if include_usage:
            yield event({**head, "object": "chat.completion.chunk", "choices": [], "usage": usage})
        yield event("[DONE]")

    # Responses

    def respond(self, request):
        said = request.json()
        wish = Wish(said["input"])
        if wish.block:
            return self.error(400, "Your prompt was flagged.", code="invalid_prompt")
        asked, answered = tokens(said["input"]), tokens(ANSWER)
        work = self.book.begin("response", id=random_id("resp_"), model=said["model"], asked=asked)
        units = {"input_tokens": asked, "output_tokens": answered}
        if said.get("background"):
            work.last(wish.job_seconds, *(("failed",) if wish.fail else ("done",)), **({} if wish.fail else units))
            return self.ok(self.told_response(work))
        if wish.fail:
            work.end("failed")
            return self.broken()
        wish.pause(self.book)
        work.end("done", **units)
        if said.get("stream"):
            return Stream(self.response_events(work))
        return Reset() if wish.reset else self.ok(self.told_response(work))

    def response_events(self, work):
        whole = self.told_response(work)
        begun = {**whole, "status": "in_progress", "output": [], "usage": None}
        yield event({"type": "response.created", "sequence_number": 0, "response": begun}, "response.created")
        item = whole["output"][0]["id"]
        for number, word in enumerate(ANSWER.split(" "), 1):
            kind = "response.output_text.delta"
            delta = {"type": kind, "sequence_number": number, "item_id": item, "output_index": 0,
                     "content_index": 0, "delta": word + " ", "logprobs": []}
            yield event(delta, kind)
        kind = "response.completed"
        yield event({"type": kind, "sequence_number": 99, "response": whole}, kind)

    def told_response(self, work):
        words = {"running": "in_progress", "done": "completed", "failed": "failed", "cancelled": "cancelled"}
        state = work.look()
        body = {
            "id": work.id, "object": "response", "created_at": int(work.wall), "model": work.facts["model"],
            "status": words[state], "output": [], "usage": None, "error": None, "incomplete_details": None,
            "instructions": None, "metadata": {}, "parallel_tool_calls": True, "temperature": 1.0,
            "tool_choice": "auto", "tools": [], "top_p": 1.0, "background": True,
        }
        if state == "failed":
            body["error"] = {"code": "server_error", "message": BROKEN}
        if state == "done":
            content = {"type": "output_text", "text": ANSWER, "annotations": [], "logprobs": []}
            body["output"] = [{"id": "msg_1", "type": "message", "role": "assistant",
                               "status": "completed", "content": [content]}]
            asked, answered = work.units["input_tokens"], work.units["output_tokens"]
            body["usage"] = {
                "input_tokens": asked, "output_tokens": answered, "total_tokens": asked + answered,
                "input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0},
            }
        return body

    def known(self, id, what):
        work = self.book.works.get(id)
        return work if work and work.what == what else None

    def response(self, request, id):
        work = self.known(id, "response")
        return self.ok(self.told_response(work)) if work else self.error(404, f"No response {id}.")

    def cancel_response(self, request, id):
        work = self.known(id, "response")
        if not work:
            return self.error(404, f"No response {id}.")
        work.look()
        work.end("cancelled")
        return self.ok(self.told_response(work))

    # Sound

    def speech(self, request):
        said = request.json()
        wish = Wish(said["input"])
        if wish.block:
            return self.error(400, BLOCKED, code="content_policy_violation")
        work = self.book.begin("speech", model=said["model"])
        if wish.fail:
            work.end("failed")
            return self.broken()
        wish.pause(self.book)
        work.end("done", characters=len(said["input"]))
        if wish.reset:
            return Reset()
        pieces = [b"sound" * 20] * 5
        return Stream(pieces, "audio/mpeg", {"x-request-id": random_id("req_")})

    def transcribe(self, request):
        said = request.form()
        wish = Wish(said.get("prompt"))
        work = self.book.begin("transcription", model=said["model"])
        if wish.fail:
            work.end("failed")
            return self.broken()
        with wave.open(io.BytesIO(request.file("file"))) as sound:
            seconds = math.ceil(sound.getnframes() / sound.getframerate())
        work.end("done", seconds=seconds)
        usage = {"type": "duration", "seconds": seconds}
        return self.ok({"text": ANSWER, "usage": usage})

    # Videos

    def make_video(self, request):
        said = request.form()
        wish = Wish(said.get("prompt"))
        facts = {"model": said.get("model", "sora-2"), "seconds": said.get("seconds", "4"),
                 "size": said.get("size", "720x1280"), "prompt": said["prompt"]}
        work = self.book.begin("video", id=random_id("video_"), **facts)
        if wish.block or wish.fail:
            work.facts["code"] = "moderation_blocked" if wish.block else "server_error"
            work.last(wish.job_seconds, "blocked" if wish.block else "failed")
        else:
            work.last(wish.job_seconds, "done", seconds=int(facts["seconds"]))
        return Reset() if wish.reset else self.told_video(work)

    def told_video(self, work):
        state = work.look()
        words = {"running": "in_progress" if work.age > 0.1 else "queued", "done": "completed"}
        body = {
            "id": work.id, "object": "video", "created_at": int(work.wall), "progress": 0,
            "status": words.get(state, "failed"), "error": None, "remixed_from_video_id": None,
            "completed_at": None, "expires_at": None,
            **{name: work.facts[name] for name in ("model", "seconds", "size", "prompt")},
        }
        if state == "done":
            body.update(progress=100, completed_at=int(work.wall_end), expires_at=int(work.wall_end) + 3600)
        if state in ("failed", "blocked"):
            said = BLOCKED if state == "blocked" else BROKEN
            body["error"] = {"code": work.facts["code"], "message": said}
        return self.ok(body, **{"openai-poll-after-ms": "100"})

    def video(self, request, id):
        work = self.known(id, "video")
        return self.told_video(work) if work else self.error(404, f"Video with id '{id}' not found.")

    def content(self, request, id):
        work = self.known(id, "video")
        if not work or work.look() != "done":
            return self.error(404, f"Video with id '{id}' has no content.")
        return Reply(200, b"a film" * 100, kind="video/mp4")

    def delete_video(self, request, id):
        work = self.known(id, "video")
        if not work:
            return self.error(404, f"Video with id '{id}' not found.")
        if work.look() == "running":
            return self.error(400, "A video can be deleted once it has ended.")
        return self.ok({"id": id, "object": "video.deleted", "deleted": True})
