#!/bin/sh
# aider exits with 0 when the endpoint refuses its key, and prints the error on stdout, between its
# banner and its token counts. A scheduler that goes by the exit code calls that run a success.
#
# Seen with aider-chat 0.86.2, Python 3.11, on 2026-11-30:
#     exit code 0; stdout has "litellm.AuthenticationError"
. "$(dirname "$0")/common.sh"
venv aider-chat==0.86.2
endpoint refused
environment="OPENAI_API_KEY=unused OPENAI_API_BASE=http://127.0.0.1:$port/v1"
alone aider aider --model openai/m --message 'say hello' --yes-always --no-git \
  --no-check-update --no-analytics --no-show-model-warnings
found=$(grep -c 'litellm.AuthenticationError' "$work/aider.out" || :)
say "exit code $code; stdout has \"litellm.AuthenticationError\" $found times"
[ "$code" = 0 ] && [ "$found" != 0 ] || changed "expected exit code 0, and the error on stdout"
say "as recorded"
