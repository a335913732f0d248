"""The official JavaScript SDK of OpenAI, unchanged but for the base URL: the same steps, by suite_openai.cjs."""

import base64

import openai_steps
from node import Node
from rig import Suite


class Client(Node):
    """A process of Node for each client: two of them work at once."""

    def __init__(self, url, key):
        super().__init__("suite_openai.cjs", url, key)

    def image(self, prompt, **more):
        return self.ask("image", prompt=prompt, more=more)

    def edit(self, picture, prompt, **more):
        return self.ask("edit", picture=base64.b64encode(picture).decode(), prompt=prompt, more=more)

    def chat(self, prompt):
        return self.ask("chat", prompt=prompt)

    def quick_chat(self, prompt):
        return self.ask("chat", prompt=prompt, once=True)

    def stream(self, prompt, include_usage):
        return self.ask("stream", prompt=prompt, include_usage=include_usage)

    def picture_stream(self, prompt, **more):
        return self.ask("picture_stream", prompt=prompt, more=more)

    def answer(self, prompt):
        return self.ask("answer", prompt=prompt)

    def answer_stream(self, prompt):
        return self.ask("answer_stream", prompt=prompt)

    def speak(self, text):
        return self.ask("speak", text=text)

    def transcribe(self, recording):
        return self.ask("transcribe", recording=base64.b64encode(recording).decode())

    def film(self, prompt, **more):
        return self.ask("film", prompt=prompt, more=more)

    def begin_film(self, prompt, **more):
        return self.ask("begin_film", prompt=prompt, more=more)

    def look(self, id):
        return self.ask("look", id=id)

    def content(self, id):
        return self.ask("content", id=id)

    def delete_film(self, id):
        return self.ask("delete_film", id=id)

    def respond(self, prompt):
        return self.ask("respond", prompt=prompt)

    def response(self, id):
        return self.ask("response", id=id)

    def cancel_response(self, id):
        return self.ask("cancel_response", id=id)


NAMES = {"payment": "APIError", "many": "RateLimitError", "bad": "BadRequestError", "server": "InternalServerError"}

if __name__ == "__main__":
    suite = Suite("openai (JavaScript)", "openai", openai_steps.price)
    openai_steps.add(suite, Client, NAMES)
    suite.finish()
