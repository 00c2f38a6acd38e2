"""`ua serve`: what it says when it starts, and when it cannot."""

from tests.acceptance.gateway import GatewayProcess


def test_the_banner_says_where_the_gateway_is_and_how_to_add_a_job(gateway: GatewayProcess) -> None:
    banner = gateway.log.read_text()
    assert gateway.base_url in banner
    assert str(gateway.data_dir) in banner
    assert "no token is needed" in banner
    assert "ua job add" in banner
    assert f"curl -s {gateway.base_url}/api/v1/cron/jobs" in banner
