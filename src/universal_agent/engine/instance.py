"""Proof that a gateway is the one of a data directory.

Any program that listens on a stopped gateway's port would receive the operator's token with the
next command. So the gateway keeps a random key in its data directory, readable by its owner alone,
and answers a challenge with a proof; a command checks that before it sends the token. The proof
names the port, so that another listener cannot pass on one of the real gateway's.
"""

import hmac
import os
import secrets
from pathlib import Path

from universal_agent.files import read_regular

KEY_FILE = "instance_key"

#: What a challenge looks like.
CHALLENGE_PATTERN = r"^[0-9a-f]{32,128}$"

_KEY_BYTES = 32


def make_challenge() -> str:
    """A challenge that was never made before."""
    return secrets.token_hex(_KEY_BYTES)


def read_key(data_dir: Path) -> bytes | None:
    """The key in the data directory; None when there is none, or none that can be used."""
    try:
        key = bytes.fromhex(read_regular(data_dir / KEY_FILE, limit=1024).decode("ascii").strip())
    except (OSError, ValueError):
        return None
    return key if len(key) == _KEY_BYTES else None


def own_key(data_dir: Path) -> bytes:
    """The key in the data directory, made when there is none. For its gateway alone."""
    key = read_key(data_dir)
    if key is None:
        key = secrets.token_bytes(_KEY_BYTES)
        draft = data_dir / f"{KEY_FILE}.new"
        draft.unlink(missing_ok=True)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(key.hex() + "\n")
        draft.replace(data_dir / KEY_FILE)
    return key


def proof(key: bytes, challenge: str, port: int) -> str:
    """What only a gateway with the key can answer at that port."""
    return hmac.digest(key, f"universal-agent {challenge} {port}".encode(), "sha256").hex()


def is_proof(answer: object, key: bytes, challenge: str, port: int) -> bool:
    """Whether that was answered by a gateway with the key."""
    return isinstance(answer, str) and hmac.compare_digest(
        answer.encode(), proof(key, challenge, port).encode()
    )
