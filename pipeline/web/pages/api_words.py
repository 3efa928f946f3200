"""The JSON API of couriers: who there is, and which words they were taught."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path, Query

from pipeline.web.api_models import CourierList, CourierObject, Taught, WordList, WordObject
from pipeline.web.front import AtFront, ByMachine, Looker
from pipeline.web.lateness import couriers
from pipeline.web.pages.api import LATER, PROBLEMS
from pipeline.web.profile_files import Word
from pipeline.web.remember import forget, learned, remember

router = APIRouter(prefix="/api/v1", responses=PROBLEMS)

Name = Annotated[str, Path(pattern=r"^[a-z0-9_-]{1,60}$", examples=["delhivery"])]


@router.get("/couriers")
def all_couriers(front: AtFront, _visitor: Looker) -> CourierList:
    """List the couriers, the late ones first."""
    found = couriers(front.site, front.tally)
    return CourierList(
        couriers=[
            CourierObject(
                name=each.profile.name,
                title=each.profile.title,
                late=each.late,
                due=each.due,
                last_drop=each.last.drop_id if each.last else None,
            )
            for each in found
        ]
    )


@router.get("/couriers/{name}/words")
def words(front: AtFront, _visitor: Looker, name: Name) -> WordList:
    """List the status words that people taught for a courier, the newest first."""
    return WordList(words=[_object(each) for each in learned(front.site, name)])


@router.put("/couriers/{name}/words", responses=LATER)
def teach(front: AtFront, visitor: ByMachine, name: Name, word: Taught) -> WordObject:
    """Teach a word, or give one that was taught another meaning."""
    who = visitor.name or word.who
    return _object(remember(front.site, name, said=word.said, means=word.means, who=who))


@router.delete("/couriers/{name}/words", responses=LATER)
def unteach(
    front: AtFront,
    visitor: ByMachine,
    name: Name,
    said: Annotated[str, Query(min_length=1, max_length=200)],
) -> WordObject:
    """Forget a word that was taught; rows that were sent with it are not changed."""
    return _object(forget(front.site, name, said, who=visitor.name))


def _object(word: Word) -> WordObject:
    wire = "" if word.means == "no_milestone" else word.means
    return WordObject(
        said=word.said, order_status=wire, who=word.who, at=datetime.fromisoformat(word.at)
    )
