"""A refusal leaves nothing behind of a report that was made while the drop was open."""

from datetime import UTC, datetime
from pathlib import Path

from pipeline.core.errors import DropRefused
from pipeline.core.file_names import REJECTS, REJECTS_XLSX, RESULTS, file_name
from pipeline.service.settings import Settings
from pipeline.service.wiring import Site
from schemas.codes import Code
from tests.fakes.ledger_plans import begun

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def test_a_file_refused_whole_has_neither_results_nor_rejects(tmp_path: Path) -> None:
    site = Site(tmp_path, Settings())
    site.folders.prepare()
    drop = begun(site.ledger, drop_id="d1", folder="", source_file="a.csv", received_at=NOW)
    for kind in (RESULTS, REJECTS, REJECTS_XLSX):
        site.folders.outbox.write("", file_name(drop, kind), [b"as it was"])
    site.closer.refuse(drop, DropRefused(Code.PROCESSING_FAILED, "It failed.", hint="Ask."))
    site.close()
    left = {path.name.partition(".")[2] for path in site.outbox_path.iterdir()}
    assert left == {"REFUSED.txt", "summary.json"}
