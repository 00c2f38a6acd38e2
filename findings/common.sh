# What the findings share. Source it: `. "$(dirname "$0")/common.sh"`.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P)
work=$(mktemp -d)
started=''

# Ends what was started, by its id, and removes the folder.
clean_up() {
  for pid in $started; do kill "$pid" 2>/dev/null || :; done
  rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

say() { printf '%s\n' "$*"; }
changed() { say "CHANGED: $*"; exit 1; }

# endpoint MODE: serves the model endpoint and sets $port.
endpoint() {
  rm -f "$work/port"
  mkfifo "$work/port"
  python3 "$here/endpoint.py" "$1" "$work/port" &
  started="$started $!"
  read -r port <"$work/port" # waits for the endpoint
}

# venv PACKAGE...: Python packages in an environment of their own, in $work/venv.
venv() {
  python3 -m venv "$work/venv"
  "$work/venv/bin/pip" install --quiet --disable-pip-version-check "$@"
}

# node_modules PACKAGE...: npm packages in $work/node_modules.
node_modules() {
  (cd "$work" && npm install --silent --no-audit --no-fund --no-save "$@" >/dev/null)
}

# alone NAME COMMAND...: runs a command as a scheduler does, with a fresh HOME, no terminal, and only
# the environment in $environment; keeps what it prints in $work/NAME.out and NAME.err, sets $code.
alone() {
  name=$1
  shift
  home=$work/home_$name
  mkdir -p "$home/work"
  code=0
  # shellcheck disable=SC2086 # $environment is a list of words
  (cd "$home/work" && env -i PATH="$work/node_modules/.bin:$work/venv/bin:$PATH" HOME="$home" \
    LANG=C.UTF-8 $environment timeout 120 "$@") \
    </dev/null >"$work/$name.out" 2>"$work/$name.err" || code=$?
}
environment=''
