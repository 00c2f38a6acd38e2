#!/bin/sh
# `opencode run` and `gemini -p` exit with 0 when the model stopped at its token limit: half a
# sentence on stdout, and nothing on stderr that says so. Only opencode's JSON tells (the reason of
# step_finish). gemini's JSON does not, and says no more about a reply that a filter stopped.
# (claude -p and codex exec exit with 1 in that case, and print why.)
#
# Seen with opencode-ai 1.18.33 and @google/gemini-cli 0.61.0, Node.js 20.20, on 2026-11-30:
#     opencode       exit code 0; half a sent
#     opencode json  exit code 0; "reason":"length"
#     gemini         exit code 0; half a sent
#     gemini json    exit code 0; "response": "half a sent", no word of MAX_TOKENS
#     filtered       exit code 0; HEARTBEAT_OK, no word of SAFETY
. "$(dirname "$0")/common.sh"
node_modules opencode-ai@1.18.33 @google/gemini-cli@0.61.0

endpoint cut
mkdir -p "$work/home_opencode/.config/opencode"
cat >"$work/home_opencode/.config/opencode/opencode.json" <<END
{"model": "stub/m", "small_model": "stub/m", "provider": {"stub": {
  "npm": "@ai-sdk/openai-compatible", "name": "stub", "models": {"m": {"name": "m"}},
  "options": {"baseURL": "http://127.0.0.1:$port/v1", "apiKey": "unused"}}}}
END
alone opencode opencode run -- 'say hello'
say "opencode       exit code $code; $(cat "$work/opencode.out")"
[ "$code" = 0 ] && [ "$(cat "$work/opencode.out")" = "half a sent" ] || changed "opencode"
! grep -iq 'length\|limit\|token' "$work/opencode.err" || changed "opencode says why on stderr"
alone opencode opencode run --format json -- 'say hello'
reason=$(grep -o '"reason":"[a-z-]*"' "$work/opencode.out")
say "opencode json  exit code $code; $reason"
[ "$code" = 0 ] && [ "$reason" = '"reason":"length"' ] || changed "opencode's JSON"

ask_gemini() {
  environment="GEMINI_API_KEY=unused GOOGLE_GEMINI_BASE_URL=http://127.0.0.1:$port"
  mkdir -p "$work/home_gemini/.gemini"
  say '{"security": {"auth": {"selectedType": "gemini-api-key"}}}' >"$work/home_gemini/.gemini/settings.json"
  alone gemini gemini --skip-trust "$@" --prompt='say hello'
}
ask_gemini
say "gemini         exit code $code; $(cat "$work/gemini.out")"
[ "$code" = 0 ] && [ "$(cat "$work/gemini.out")" = "half a sent" ] || changed "gemini"
ask_gemini -o json
said=$(grep -o '"response": ".*"' "$work/gemini.out")
say "gemini json    exit code $code; $said"
[ "$code" = 0 ] && [ "$said" = '"response": "half a sent"' ] || changed "gemini's JSON"
! grep -q MAX_TOKENS "$work/gemini.out" || changed "gemini's JSON names the reason"
endpoint filtered
ask_gemini -o json
said=$(grep -o '"response": ".*"' "$work/gemini.out")
say "filtered       exit code $code; $said"
[ "$code" = 0 ] && [ "$said" = '"response": "HEARTBEAT_OK"' ] || changed "gemini's JSON, filtered"
! grep -q SAFETY "$work/gemini.out" || changed "gemini's JSON names the filter"
say "as recorded"
