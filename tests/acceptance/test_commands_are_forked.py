"""Show that commands are forked, in a whole run as in one module: else it takes far longer."""

import pandera.pandas  # noqa: F401 - sets variables as it loads, as in a whole run

from tests.acceptance.harness import Root
from tests.forked import POSSIBLE, Forked


def test_a_command_is_forked_whatever_other_tests_imported(root: Root) -> None:
    for command in (["run"], ["run", "--web", "--web-port", "0"]):
        assert isinstance(root.start(*command).process, Forked) == POSSIBLE
