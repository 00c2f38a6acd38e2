#!/bin/sh
# `codex exec` prints nothing but the reply on stdout, and on stderr a banner, the whole prompt, the
# reply again and the token count, with exit code 0. A program that reads both streams as one takes
# the prompt for the answer; a search for error words on stderr finds those of the prompt.
#
# Seen with @openai/codex 0.171.0, Node.js 20.20, on 2026-11-30:
#     exit code 0; stdout: HEARTBEAT_OK
#     stderr has the prompt, the reply, "session id" and "tokens used"
. "$(dirname "$0")/common.sh"
node_modules @openai/codex@0.171.0
endpoint complete
mkdir -p "$work/home_codex/.codex"
cat >"$work/home_codex/.codex/config.toml" <<END
model = "m"
model_provider = "stub"
[model_providers.stub]
name = "stub"
base_url = "http://127.0.0.1:$port/v1"
env_key = "STUB_KEY"
wire_api = "responses"
END
environment="STUB_KEY=unused"
alone codex codex exec --skip-git-repo-check -- 'report every error: of today'
say "exit code $code; stdout: $(cat "$work/codex.out")"
[ "$code" = 0 ] && [ "$(cat "$work/codex.out")" = HEARTBEAT_OK ] || changed "stdout"
for words in 'report every error: of today' HEARTBEAT_OK 'session id' 'tokens used'; do
  grep -q "$words" "$work/codex.err" || changed "stderr has no \"$words\" any more"
  say "stderr has \"$words\""
done
say "as recorded"
