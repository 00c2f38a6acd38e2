#!/bin/sh
# The official Python client of OpenAI raises nothing when a stream ends without finish_reason and
# [DONE], when it ends with a finish_reason that is not documented, nor when a web page comes with
# status 200: the stream is just over, after half a text or after none.
#
# Seen with openai 3.57.0, Python 3.11, on 2026-11-30:
#     unfinished  text='half a sent' finish=None error=None
#     unknown     text='half a sent' finish='abort' error=None
#     page        text='' finish=None error=None
# So a client has to ask for a finish_reason that it knows, and must not trust a silent end.
. "$(dirname "$0")/common.sh"
venv openai==3.57.0
cat >"$work/read.py" <<'END'
import sys
from openai import OpenAI
client = OpenAI(base_url=sys.argv[1], api_key="unused", max_retries=0)
text, finish, error = "", None, None
try:
    question = [{"role": "user", "content": "hi"}]
    for chunk in client.chat.completions.create(model="m", messages=question, stream=True):
        for choice in chunk.choices:
            text += choice.delta.content or ""
            finish = choice.finish_reason or finish
except Exception as raised:
    error = type(raised).__name__
print(f"text={text!r} finish={finish!r} error={error!r}")
END
expect() {
  endpoint "$1"
  seen=$("$work/venv/bin/python" "$work/read.py" "http://127.0.0.1:$port/v1")
  say "$1  $seen"
  [ "$seen" = "$2" ] || changed "expected $2"
}
expect unfinished "text='half a sent' finish=None error=None"
expect unknown "text='half a sent' finish='abort' error=None"
expect page "text='' finish=None error=None"
say "as recorded"
