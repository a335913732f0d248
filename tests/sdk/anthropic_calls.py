"""Calls of the official Python SDK of Anthropic."""

import anthropic

from orders import serve


def make_client(order):
    return anthropic.Anthropic(
        base_url=order["base_url"], api_key=order["key"], default_headers=order["headers"]
    )


def chat(client, arguments):
    made = client.messages.create(model="sample-chat", **arguments)
    return {"text": made.content[0].text, "usage": made.usage.model_dump(mode="json")}


def stream(client, arguments):
    with client.messages.stream(model="sample-chat", **arguments) as events:
        text = "".join(events.text_stream)
        made = events.get_final_message()
    return {
        "text": text,
        "usage": made.usage.model_dump(mode="json"),
        "stop_reason": made.stop_reason,
    }


def facts_of(error):
    return {"code": error.error_code, "type": error.type, "said": error.api_message, "body": error.body}


serve(make_client, {"chat": chat, "stream": stream}, anthropic.APIStatusError, facts_of)
