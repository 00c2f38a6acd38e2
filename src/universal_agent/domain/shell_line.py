"""Recognizes commands that were probably meant for a shell, not as a prompt for an agent."""

import re

_NO_WORDS = """
    apt apt-get awk bash brew bun cat cd certbot chmod chown cp curl deno df docker du echo
    env export gcloud git grep gunzip gzip helm jq kubectl ln ls mkdir mount mv mysqldump nc
    nice node nohup npm npx openssl pg_dump php pip pip3 pnpm podman poetry printf ps psql
    python python3 rclone restic rm rmdir rsync scp sed sh sqlite3 ssh sudo systemctl tar
    tee true ua umount unzip uv uvx wc wget xargs yarn zip zsh
"""
_ALSO_WORDS = """
    at cargo cut date dig diff false find for go head host if java kill less make mail perl
    ping ruby sleep sort source tail test time timeout touch which while who
"""
#: Programs whose names are no everyday words, and those whose names begin sentences too.
_PROGRAMS = frozenset(_NO_WORDS.split())
_WORDS = frozenset(_ALSO_WORDS.split())
_OPERATOR = re.compile(r"&&|\|\||>>|\$\(|\$\{?[A-Z_]|2>|\s[|>]\s*\S|;\s*(?:done|fi)\b")
_SCRIPT = re.compile(r"[\w./~-]+\.(?:sh|bash|zsh|py|js|mjs|ts|rb|pl)")
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=\S*")


def looks_like_shell(command: str) -> bool:
    """Whether a command reads like a shell line. A guess: for asking, never for deciding."""
    line = command.strip()
    first, rest = ([*line.split(None, 1), "", ""])[:2]
    if first.startswith(("./", "~/", "../", "#!")) or (first.count("/") > 1 and first[0] == "/"):
        return True
    if _SCRIPT.fullmatch(first) or (_ASSIGNMENT.fullmatch(first) and rest):
        return True
    if first in _PROGRAMS:
        return True
    if first in _WORDS:
        return not rest or rest.startswith("-") or bool(_OPERATOR.search(line))
    return bool(re.fullmatch(r"[a-z0-9_.+-]+", first) and _OPERATOR.search(line))
