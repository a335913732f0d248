"""Calls of the official Python SDK of OpenAI."""

import openai

from orders import serve


def make_client(order):
    return openai.OpenAI(
        base_url=order["base_url"] + "/v1",
        api_key=order["key"],
        default_headers=order["headers"],
    )


def image(client, arguments):
    made = client.images.generate(model="sample-image", prompt="a cat", **arguments)
    return {"images": len(made.data)}


def chat(client, arguments):
    made = client.chat.completions.create(model="sample-chat", **arguments)
    return {"text": made.choices[0].message.content, "usage": made.usage.model_dump()}


def stream(client, arguments):
    text, usage, chunks = "", None, 0
    options = {"include_usage": True}
    for chunk in client.chat.completions.create(
        model="sample-chat", stream=True, stream_options=options, **arguments
    ):
        chunks += 1
        usage = chunk.usage.model_dump() if chunk.usage else usage
        for choice in chunk.choices:
            text += choice.delta.content or ""
    return {"text": text, "usage": usage, "chunks": chunks}


def facts_of(error):
    return {"code": error.code, "type": error.type, "param": error.param, "said": error.body["message"]}


serve(
    make_client,
    {"image": image, "chat": chat, "stream": stream},
    openai.APIStatusError,
    facts_of,
)
