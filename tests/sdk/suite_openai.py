"""The official Python SDK of OpenAI, unchanged but for the base URL."""

import openai

import openai_steps
from node import Raised
from rig import Suite


def told(call):
    """Has errors of the SDK come as `Raised`."""

    def run(*arguments, **more):
        try:
            return call(*arguments, **more)
        except openai.APIStatusError as error:
            raise Raised(type(error).__name__, error.status_code, error.code, error.message) from error
        except openai.APIError as error:
            raise Raised(type(error).__name__, None, getattr(error, "code", None), str(error)) from error

    return run


class Client:
    def __init__(self, url, key):
        self.sdk = openai.OpenAI(base_url=url + "/v1", api_key=key)

    def __getattribute__(self, name):
        value = super().__getattribute__(name)
        return told(value) if callable(value) and name != "sdk" else value

    def image(self, prompt, **more):
        return {"images": len(self.sdk.images.generate(model="gpt-image-1", prompt=prompt, **more).data)}

    def edit(self, picture, prompt, **more):
        file = ("picture.png", picture, "image/png")
        return {"images": len(self.sdk.images.edit(model="gpt-image-1", image=file, prompt=prompt, **more).data)}

    def chat(self, prompt, sdk=None):
        messages = [{"role": "user", "content": prompt}]
        made = (sdk or self.sdk).chat.completions.create(
            model="gpt-4o", messages=messages, max_completion_tokens=100
        )
        return {"text": made.choices[0].message.content, "usage": made.usage.model_dump()}

    def quick_chat(self, prompt):
        """By a client that was told to ask once."""
        return self.chat(prompt, self.sdk.with_options(max_retries=0))

    def stream(self, prompt, include_usage):
        messages = [{"role": "user", "content": prompt}]
        options = {"stream_options": {"include_usage": True}} if include_usage else {}
        value = {"text": "", "usage": None, "chunks": 0, "empty": 0}
        for chunk in self.sdk.chat.completions.create(
            model="gpt-4o", messages=messages, max_completion_tokens=100, stream=True, **options
        ):
            value["chunks"] += 1
            value["empty"] += not chunk.choices
            value["usage"] = chunk.usage.model_dump() if chunk.usage else value["usage"]
            for choice in chunk.choices:
                value["text"] += choice.delta.content or ""
        return value

    def picture_stream(self, prompt, **more):
        value = {"previews": 0, "images": 0}
        for event in self.sdk.images.generate(
            model="gpt-image-1", prompt=prompt, stream=True, partial_images=1, **more
        ):
            value["images" if event.type == "image_generation.completed" else "previews"] += 1
        return value

    def answer(self, prompt):
        return {"text": self.sdk.responses.create(model="gpt-4o", input=prompt, max_output_tokens=100).output_text}

    def answer_stream(self, prompt):
        value = {"text": "", "status": None}
        for event in self.sdk.responses.create(model="gpt-4o", input=prompt, max_output_tokens=100, stream=True):
            if event.type == "response.output_text.delta":
                value["text"] += event.delta
            if event.type == "response.completed":
                value["status"] = event.response.status
        return value

    def speak(self, text):
        return {"bytes": len(self.sdk.audio.speech.create(model="tts-1", voice="alloy", input=text).read())}

    def transcribe(self, recording):
        file = ("recording.wav", recording, "audio/wav")
        made = self.sdk.audio.transcriptions.create(model="whisper-1", file=file)
        return {"text": made.text, "seconds": made.usage.seconds}

    def film(self, prompt, **more):
        return self.told(self.sdk.videos.create_and_poll(model="sora-2", prompt=prompt, **more))

    def begin_film(self, prompt, **more):
        return self.told(self.sdk.videos.create(model="sora-2", prompt=prompt, **more))

    def look(self, id):
        return self.told(self.sdk.videos.retrieve(id))

    def content(self, id):
        return {"bytes": len(self.sdk.videos.download_content(id).read())}

    def delete_film(self, id):
        return {"deleted": self.sdk.videos.delete(id).deleted}

    def told(self, video):
        error = video.error.code if video.error else None
        return {"id": video.id, "status": video.status, "seconds": video.seconds, "error": error}

    def respond(self, prompt):
        made = self.sdk.responses.create(model="gpt-4o", input=prompt, background=True, max_output_tokens=100)
        return {"id": made.id, "status": made.status}

    def response(self, id):
        made = self.sdk.responses.retrieve(id)
        return {"id": made.id, "status": made.status, "text": made.output_text}

    def cancel_response(self, id):
        return {"status": self.sdk.responses.cancel(id).status}


NAMES = {"payment": "APIStatusError", "many": "RateLimitError", "bad": "BadRequestError", "server": "InternalServerError"}

if __name__ == "__main__":
    suite = Suite("openai (Python)", "openai", openai_steps.price)
    openai_steps.add(suite, Client, NAMES)
    suite.finish()
