"""A site's steps, taken one at a time in the test's own process."""

from pipeline.core.shipment import Closed, DeliveryResult
from pipeline.service.wiring import Site
from tests.fakes.killed_between import accept_all


def put(site: Site, name: str, text: str, folder: str = "") -> None:
    """Lay a file into the inbox."""
    place = site.inbox_path / folder
    place.mkdir(exist_ok=True)
    (place / name).write_text(text)


def claim(site: Site) -> None:
    """Take all that is ready."""
    done = site.claimer.claim(site.inbox.scan().ready)
    assert (done.refused, done.trouble) == ((), None)


def plan(site: Site) -> list[object]:
    """Read and plan what is claimed; returns what became of each."""
    drops = site.ledger.unfinished()
    return list(site.planner.plan_read(drops, site.files.read(drops)))


def finish(site: Site) -> None:
    """Report and put away what is planned, as if the API had taken everything."""
    accept_all(site)
    through = [
        (drop, DeliveryResult(drop_seq=drop.seq, complete=True, cancelled=False))
        for drop in site.ledger.unfinished()
    ]
    ended = site.drop_steps.finish(through)
    assert all(isinstance(one, Closed) for one in ended), ended
