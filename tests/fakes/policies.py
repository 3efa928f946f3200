"""The rules of delivery and planning as a service with default settings has them."""

from typing import Any

from msgspec.structs import replace

from pipeline.delivery.policy import DeliveryPolicy
from pipeline.planning.freeze import PlanRules
from pipeline.service.api_access import policy_of
from pipeline.service.settings import ApiSettings


def delivery_policy(**changes: Any) -> DeliveryPolicy:
    """Return how calls are made, tried again and given up."""
    return replace(policy_of(ApiSettings(), is_embedded=True), **changes)


def plan_rules(**changes: Any) -> PlanRules:
    """Return how drops are planned."""
    rules = PlanRules(
        chunk_size=20, fill_missing_pickup=False, max_reject_ratio=0.5, timezone="Asia/Kolkata"
    )
    return replace(rules, **changes)
