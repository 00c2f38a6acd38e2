"""A model endpoint on loopback for the findings: what it says is valid, and the same each time.

    endpoint.py MODE PORT_FILE

Writes its port into PORT_FILE and serves until it is ended. MODE says how each reply ends:

    complete      HEARTBEAT_OK, and the API's word for a natural end
    cut           "half a sent", and the API's word for the token limit
    filtered      HEARTBEAT_OK, and the API's word for a content filter
    unknown       "half a sent", and a finish_reason that no API documents (`abort`)
    unfinished    "half a sent", and then the end of the stream
    page          200 with a web page
    refused       401

APIs: OpenAI chat completions and responses, Anthropic messages, Gemini's generateContent.
"""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

MODE = sys.argv[1]
TEXT = "half a sent" if MODE in ("cut", "unknown", "unfinished") else "HEARTBEAT_OK"
CHAT = {"complete": "stop", "cut": "length", "filtered": "content_filter", "unknown": "abort"}
CLAUDE = {"complete": "end_turn", "cut": "max_tokens", "filtered": "refusal"}
GEMINI = {"complete": "STOP", "cut": "MAX_TOKENS", "filtered": "SAFETY"}

Events = list[tuple[str, Any]]


def chat() -> Events:
    def chunk(delta: dict[str, str], finish: str | None = None) -> tuple[str, Any]:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        head = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
        return "", {**head, "choices": [choice]}

    events = [chunk({"role": "assistant", "content": TEXT})]
    if MODE != "unfinished":
        events += [chunk({}, CHAT[MODE]), ("", "[DONE]")]
    return events


def responses() -> Events:
    part = {"type": "output_text", "text": TEXT, "annotations": []}
    item = {"type": "message", "id": "1", "status": "completed", "role": "assistant"}
    usage = {
        "input_tokens": 1,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": 1,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 2,
    }
    head = {"id": "1", "object": "response", "created_at": 1, "model": "m"}
    whole = {**item, "content": [part]}
    place = {"output_index": 0, "content_index": 0, "item_id": "1"}
    events: list[dict[str, Any]] = [
        {"type": "response.created", "response": {**head, "status": "in_progress", "output": []}},
        {"type": "response.output_item.added", "output_index": 0, "item": {**item, "content": []}},
        {"type": "response.output_text.delta", **place, "delta": TEXT},
        {"type": "response.output_item.done", "output_index": 0, "item": whole},
    ]
    end = "incomplete" if MODE == "cut" else "completed"
    last: dict[str, Any] = {**head, "status": end, "output": [whole], "usage": usage}
    if MODE == "cut":
        last["incomplete_details"] = {"reason": "max_output_tokens"}
    events.append({"type": f"response.{end}", "response": last})
    return [(event["type"], event) for event in events]


def messages() -> Events:
    head = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m"}
    usage = {"input_tokens": 1, "output_tokens": 1}
    empty = {**head, "content": [], "stop_reason": None, "stop_sequence": None, "usage": usage}
    ended = {"stop_reason": CLAUDE[MODE], "stop_sequence": None}
    block = {"type": "text", "text": ""}
    delta = {"type": "text_delta", "text": TEXT}
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": empty},
        {"type": "content_block_start", "index": 0, "content_block": block},
        {"type": "content_block_delta", "index": 0, "delta": delta},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": ended, "usage": {"output_tokens": 1}},
        {"type": "message_stop"},
    ]
    return [(event["type"], event) for event in events]


def gemini() -> Any:
    content = {"role": "model", "parts": [{"text": TEXT}]}
    usage = {"promptTokenCount": 1, "candidatesTokenCount": 1, "totalTokenCount": 2}
    candidate = {"index": 0, "content": content, "finishReason": GEMINI[MODE]}
    return {"candidates": [candidate], "usageMetadata": usage}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def answer(self, status: int, media_type: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("content-type", media_type)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def stream(self, events: Events) -> None:
        body = ""
        for name, data in events:
            text = data if isinstance(data, str) else json.dumps(data)
            body += (f"event: {name}\n" if name else "") + f"data: {text}\n\n"
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("connection", "close")
        self.end_headers()
        self.wfile.write(body.encode())
        self.close_connection = True

    def do_HEAD(self) -> None:
        self.answer(200, "text/plain", b"")

    def do_GET(self) -> None:
        body = json.dumps({"object": "list", "data": [{"id": "m", "object": "model"}]})
        self.answer(200, "application/json", body.encode())

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("content-length") or 0))
        path = self.path.partition("?")[0]
        if MODE == "refused":
            error = {"message": "Incorrect API key provided.", "code": "invalid_api_key"}
            error["type"] = "invalid_request_error"
            body = {"type": "error", "error": error}
            self.answer(401, "application/json", json.dumps(body).encode())
        elif MODE == "page":
            page = "<!DOCTYPE html><html><title>Sign in</title><p>Sign in to go on.</p></html>"
            self.answer(200, "text/html; charset=utf-8", page.encode())
        elif path.endswith("/count_tokens"):
            self.answer(200, "application/json", b'{"input_tokens": 1}')
        elif path.endswith("/messages"):
            self.stream(messages())
        elif path.endswith("/responses"):
            self.stream(responses())
        elif path.endswith(":streamGenerateContent"):
            self.stream([("", gemini())])
        elif path.endswith(":generateContent"):
            self.answer(200, "application/json", json.dumps(gemini()).encode())
        else:
            self.stream(chat())


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
Path(sys.argv[2]).write_text(f"{server.server_port}\n")
server.serve_forever()
