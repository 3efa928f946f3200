"""Re-export the statuses, which have moved to ``schemas.vocabulary``."""

from schemas.vocabulary import NO_MILESTONE, STEPS, Journey, Milestone, Step

__all__ = ["NO_MILESTONE", "STEPS", "Journey", "Milestone", "Step"]
