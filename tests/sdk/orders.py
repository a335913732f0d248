"""What the scripts of the Python SDKs share: an order is a line of JSON in, its result a line of JSON out.

An order: {"do": name, "base_url": URL, "key": text, "headers": {…}, "arguments": {…}}. A client is made for
each, as its documentation shows; nothing of it is changed but the base URL, the key and default headers.
"""

import json
import sys


def serve(make_client, calls, status_error, facts_of):
    """Does orders until there are no more. An error of the SDK is a result, any other ends the script."""
    for line in sys.stdin:
        order = json.loads(line)
        client = make_client(order)
        try:
            result = {"value": calls[order["do"]](client, order["arguments"])}
        except status_error as error:
            result = {
                "error": type(error).__name__,
                "bases": [base.__name__ for base in type(error).__mro__],
                "status": error.status_code,
                "message": str(error),
                "request_id": error.request_id,
                "headers": dict(error.response.headers),
                **facts_of(error),
            }
        print(json.dumps(result), flush=True)
