"""ElevenLabs: speech, music, dubbing.

Speech and music say what they cost in the header `character-cost`. A dub says how long it will be when it begins,
and how long its media is once it is dubbed.
"""

import io
import wave
from datetime import datetime, timezone

from api import Api, random_id
from wire import Hang, Reply, Reset, Stream
from work import Wish

# What a second of music costs, in characters.
MUSIC_COST = 20


def song(milliseconds):
    """A WAV file of so many milliseconds, a byte for ten of them."""
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(1)
        out.setframerate(100)
        out.writeframes(b"\x80" * (milliseconds // 10))
    return file.getvalue()


class ElevenLabs(Api):
    name = "elevenlabs"
    routes = (
        ("POST", r"/v1/text-to-speech/([^/]+)(/stream)?", "speak"),
        ("POST", r"/v1/music(/stream)?", "compose"),
        ("POST", r"/v1/dubbing", "dub"),
        ("GET", r"/v1/dubbing/([^/]+)", "dubbing"),
        ("GET", r"/v1/dubbing/([^/]+)/audio/([^/]+)", "audio"),
        ("DELETE", r"/v1/dubbing/([^/]+)", "delete"),
    )

    def shown(self, request):
        return request.headers.get("xi-api-key", "")

    def error(self, status, message, word=None):
        words = {401: "invalid_api_key", 404: "not_found", 500: "internal_server_error"}
        word = word or words.get(status, "bad_request")
        return Reply(status, {"detail": {"status": word, "message": message}})

    def blocked(self):
        return self.error(400, "The text violates the terms of service.", "content_against_policy")

    def speak(self, request, voice, stream):
        said = request.json()
        wish = Wish(said["text"])
        if wish.block:
            return self.blocked()
        work = self.book.begin("speech", model=said.get("model_id"), voice=voice)
        if wish.fail:
            work.end("failed")
            return self.error(500, "Something went wrong.")
        wish.pause(self.book)
        if wish.endless:
            work.end("abandoned")
            return Hang()
        cost = len(said["text"])
        work.end("done", characters=cost)
        if wish.reset:
            return Reset()
        headers = {"character-cost": str(cost), "request-id": random_id()}
        return Stream([b"sound" * 20] * 5, "audio/mpeg", headers)

    def compose(self, request, stream):
        said = request.json()
        wish = Wish(said.get("prompt"))
        if wish.block:
            return self.error(400, "The prompt was refused.", "bad_prompt")
        work = self.book.begin("music")
        if wish.fail:
            work.end("failed")
            return self.error(500, "Something went wrong.")
        # Without a length the model chooses one, and the sound alone says it.
        length = said.get("music_length_ms") or 30_000
        cost = MUSIC_COST * length // 1000
        work.end("done", characters=cost, milliseconds=length)
        headers = {"character-cost": str(cost), "song-id": random_id()}
        made = song(length)
        return Stream([made[at : at + 500] for at in range(0, len(made), 500)], "audio/wav", headers)

    def dub(self, request):
        said = request.form()
        wish = Wish(said.get("name"))
        if wish.block:
            return self.blocked()
        content = request.file("file")
        if content is None:
            return Reply(422, {"detail": [{"loc": ["body", "file"], "msg": "Field required", "type": "missing"}]})
        with wave.open(io.BytesIO(content)) as sound:
            seconds = sound.getnframes() / sound.getframerate()
        facts = {"seconds": seconds, "name": said.get("name", ""), "target": said.get("target_lang")}
        work = self.book.begin("dub", id=random_id(bytes=10), **facts)
        if wish.fail:
            work.last(wish.job_seconds, "failed")
        else:
            work.last(wish.job_seconds, "done", seconds=str(seconds))
        body = {"dubbing_id": work.id, "expected_duration_sec": seconds}
        return Reset() if wish.reset else Reply(200, body)

    def known(self, id):
        work = self.book.works.get(id)
        return work if work and work.what == "dub" and not work.facts.get("deleted") else None

    def dubbing(self, request, id):
        work = self.known(id)
        if not work:
            return self.error(404, "Dubbing not found.", "dubbing_not_found")
        state = work.look()
        body = {
            "dubbing_id": id, "name": work.facts["name"], "target_languages": [work.facts["target"]],
            "status": {"running": "dubbing", "done": "dubbed"}.get(state, "failed"), "editable": False,
            "created_at": datetime.fromtimestamp(work.wall, timezone.utc).isoformat(),
            "source_language": None, "media_metadata": None, "error": None,
        }
        if state == "done":
            body["source_language"] = "en"
            body["media_metadata"] = {"content_type": "audio/wav", "duration": work.facts["seconds"]}
        if state == "failed":
            body["error"] = "Dubbing failed."
        return Reply(200, body)

    def audio(self, request, id, language):
        work = self.known(id)
        if not work or work.look() != "done":
            return self.error(404, "Dubbed file not found.", "dubbing_not_found")
        return Stream([b"dubbed" * 20] * 3, "audio/mpeg")

    def delete(self, request, id):
        work = self.known(id)
        if not work:
            return self.error(404, "Dubbing not found.", "dubbing_not_found")
        work.look()
        work.end("cancelled")
        work.facts["deleted"] = True
        return Reply(200, {"status": "ok"})
