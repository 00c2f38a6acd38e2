#!/bin/sh
# A litellm proxy hides that a reply is not complete. When its upstream's stream ends without
# finish_reason and [DONE], the proxy adds finish_reason "stop" and [DONE]; a finish_reason that it
# does not know becomes "stop".
#
# Seen with litellm[proxy] 1.108.7, Python 3.11, on 2026-11-30:
#     unfinished  half a sent stop [DONE]
#     unknown     half a sent stop [DONE]
#     cut         half a sent length [DONE]
# So behind such a proxy nobody can tell a reply that broke off from a whole one.
. "$(dirname "$0")/common.sh"
venv 'litellm[proxy]==1.108.7'
say "model_list:" >"$work/config.yaml"
for mode in unfinished unknown cut; do
  endpoint $mode
  cat >>"$work/config.yaml" <<END
  - model_name: $mode
    litellm_params: {model: openai/m, api_base: "http://127.0.0.1:$port/v1", api_key: unused}
END
done
cat >"$work/ask.py" <<'END'
import json, os, socket, subprocess, sys, time, urllib.request

with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
headers = {"content-type": "application/json"}
headers["authorization"] = "Bearer " + os.environ["LITELLM_MASTER_KEY"]
proxy = subprocess.Popen(
    [sys.argv[1], "--config", "config.yaml", "--host", "127.0.0.1", "--port", str(port)],
    stdout=open("proxy.log", "wb"), stderr=subprocess.STDOUT,
)
try:
    while proxy.poll() is None:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/health/liveliness")
            break
        except OSError:
            time.sleep(0.5)
    for mode in sys.argv[2:]:
        body = {"model": mode, "stream": True, "messages": [{"role": "user", "content": "hi"}]}
        url = f"http://127.0.0.1:{port}/v1/chat/completions"
        request = urllib.request.Request(url, json.dumps(body).encode(), headers)
        text, words = "", []
        for line in urllib.request.urlopen(request):
            data = line.decode().removeprefix("data:").strip()
            if data == "[DONE]":
                words.append(data)
            elif data.startswith("{"):
                for choice in json.loads(data).get("choices", []):
                    text += choice.get("delta", {}).get("content") or ""
                    words += [choice["finish_reason"]] if choice.get("finish_reason") else []
        print(mode, text, *words)
finally:
    proxy.terminate()
    proxy.wait()
END
LITELLM_MASTER_KEY=sk-$(python3 -c 'import secrets; print(secrets.token_hex(32))')
export LITELLM_MASTER_KEY HOME="$work"
cd "$work"
"$work/venv/bin/python" ask.py "$work/venv/bin/litellm" unfinished unknown cut >seen || {
  tail -20 proxy.log
  changed "the proxy did not answer"
}
cat seen
cat >expected <<'END'
unfinished half a sent stop [DONE]
unknown half a sent stop [DONE]
cut half a sent length [DONE]
END
cmp -s seen expected || changed "expected $(cat expected)"
say "as recorded"
