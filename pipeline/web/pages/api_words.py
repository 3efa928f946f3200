"""The JSON API of couriers: who there is, and which words they were taught."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path, Query

from pipeline.web.api_models import (
    CourierList,
    CourierObject,
    Expected,
    Taught,
    WordList,
    WordObject,
)
from pipeline.web.courier_view import expect
from pipeline.web.front import AtFront, ByMachine, Looker
from pipeline.web.lateness import couriers
from pipeline.web.pages.api import LATER, PROBLEMS
from pipeline.web.profile_files import Word
from pipeline.web.remember import forget, learned, remember
from schemas.courier import DAYS

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


@router.put("/couriers/{name}/expected", responses=LATER)
def expected(front: AtFront, visitor: ByMachine, name: Name, when: Expected) -> Expected:
    """Say when a courier's files are to come; an empty `by`: at no set time."""
    days = tuple(day for day in DAYS if day in when.days)
    expect(front.site, name, by=when.by, days=days, who=visitor.name or when.who)
    return when


def _object(word: Word) -> WordObject:
    wire = "" if word.means in {"no_milestone", "ambiguous"} else word.means
    at = datetime.fromisoformat(word.at)
    return WordObject(said=word.said, order_status=wire, means=word.means, who=word.who, at=at)
