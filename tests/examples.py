"""Set the number of hypothesis' examples: a quarter in ``make test``, all in the soak."""

import os

from hypothesis import settings

ALL = bool(os.environ.get("SHIPDROP_TEST_EXAMPLES"))


def examples(number: int, *, steps: int = 50) -> settings:
    """Return the settings of a test that is worth ``number`` examples, of so many steps each."""
    return settings(
        max_examples=number if ALL else number // 4, stateful_step_count=steps, deadline=None
    )


settings.register_profile("shipdrop", examples(100))
settings.load_profile("shipdrop")
