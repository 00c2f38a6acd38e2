"""A gateway that needs a token, and commands that have none, a wrong one, or the right one."""

import pytest

from tests.acceptance.conftest import MakeGateway
from tests.acceptance.gateway import GatewayProcess

TOKEN = "a-token-of-thirty-two-characters"


@pytest.fixture
def guarded(make_gateway: MakeGateway) -> GatewayProcess:
    """A gateway that has a token, whose commands know nothing of it."""
    gateway = make_gateway(UA_OPS_TOKEN=TOKEN)
    gateway.start()
    del gateway.environment["UA_OPS_TOKEN"]
    return gateway


@pytest.mark.parametrize(
    "command",
    [
        ("job", "list"),
        ("job", "add", "every 1d", "true"),
        ("stasis", "list"),
        ("ledger",),
        ("session", "list"),
        ("heartbeat", "status"),
    ],
)
@pytest.mark.parametrize("token", ["", "wrong"])
def test_a_command_with_a_wrong_token_or_none_is_refused_in_one_sentence(
    guarded: GatewayProcess, command: tuple[str, ...], token: str
) -> None:
    refused = guarded.ua(*command, UA_OPS_TOKEN=token)
    assert (refused.returncode, refused.stdout) == (4, "")
    assert refused.stderr.startswith("ua: ")
    assert refused.stderr.count("\n") == 1
    assert "token" in refused.stderr
    assert "wrong" not in refused.stderr.replace("wrong token", ""), "what was sent is not repeated"


def test_a_command_with_the_right_token_is_let_in(guarded: GatewayProcess) -> None:
    assert guarded.ua("job", "list", UA_OPS_TOKEN=TOKEN).returncode == 0
    assert guarded.ua("job", "list", "--ops-token", TOKEN).returncode == 0
