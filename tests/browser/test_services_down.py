"""What the overview says of services that are away."""

from playwright.sync_api import expect

from tests.browser.api import Api
from tests.browser.conftest import MakeGateway, Visit

_LIMITED = "echo UA_RETRY_AFTER=1200 > $UA_OUTCOME_FILE; echo slow down; exit 75"


def test_a_service_that_is_away_is_named_and_can_be_used_again(
    make_gateway: MakeGateway, visit: Visit
) -> None:
    gateway = make_gateway()
    page = visit(gateway).open("/")
    with Api(gateway) as api:
        api.create(
            "Inbox", command=_LIMITED, run_at="in 1 second", resources=["https://api.example.com"]
        )
        panel = page.get_by_role("region", name="Services that are away")
        expect(panel).to_contain_text("https://api.example.com limits the rate of calls")
        expect(panel).to_contain_text("as it asked")
        expect(panel).to_contain_text("slow down")
        panel.get_by_role("button", name="Use it again now").click()
        expect(panel).to_have_count(0)
        assert api.get("/api/v1/ops/resources") == {"resources": []}
