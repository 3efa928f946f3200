"""The objects of the JSON API, as OpenAPI describes them."""

from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from pipeline.core.model import DropState
from pipeline.web.access import Right
from schemas.vocabulary import Outcome

_OF_SHEET = "Of these rows, where the file has several: their numbers may be those of others."
_IN_SHEET = "Empty where the file has only one, or the row's was not noted."


class Order(BaseModel):
    """Base of what machines send: a field that is not known, or not of its kind, is refused."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Problem(BaseModel):
    """Why a request was not carried out."""

    error: str = Field(description="What is wrong, in a sentence.")
    hint: str = Field(default="", description="What to do about it.")


class ProgressObject(BaseModel):
    """The progress of a drop that is being sent, in rows."""

    answered: int
    total: int


class DropObject(BaseModel):
    """One drop."""

    drop_id: str
    source_file: str
    folder: str = Field(description="The inbox sub-folder it was dropped into, or empty.")
    state: DropState
    courier: str
    received_at: datetime
    finished_at: datetime | None
    size: int = Field(description="Bytes.")
    sha256: str
    parent: str | None = Field(description="The drop that it corrects.")
    same_as: str | None = Field(description="An earlier drop with the same bytes.")
    request: str | None = Field(description="retry or cancel, while somebody asks for it.")
    read_again_as: str | None = Field(description="The drop that its file became when read again.")
    verdict: str = Field(description="The result, in one sentence.")
    progress: ProgressObject | None
    need: int = Field(description="Rows that need a person now: not corrected, not set aside.")
    corrected: int = Field(description="Its rows that were corrected since.")
    set_aside: int = Field(description="Its rows that somebody left as they are.")
    summary: dict[str, Any] | None = Field(description="As in summary.json.")
    tidied_at: datetime | None = Field(
        description="When its rows and details were removed, since it is old: of its summary only "
        "counts, codes and names are left."
    )


class DropList(BaseModel):
    """Drops, newest first."""

    drops: list[DropObject]
    next: int | None = Field(description="Give it as `before` for the older ones; null: no more.")
    hits: int = Field(description="How many there are in all.")


class ToDoItem(BaseModel):
    """One thing to see to. ``since``: null where nobody knows."""

    kind: Literal["rows", "api", "refused", "waiting", "late"]
    key: str = Field(description="Its name among those of its kind: a drop, a courier, a place.")
    title: str
    said: str
    since: datetime | None
    rows: int = Field(description="Rows that are left.")
    drop_id: str | None


class ToDoList(BaseModel):
    """Everything there is to do; of files the 50 oldest. ``count``: all of it."""

    count: int
    items: list[ToDoItem]


class ToDoOrder(Order):
    """A thing of the list about which nothing is to be done."""

    kind: Literal["rows", "api", "refused", "waiting", "late"]
    key: str = Field(min_length=1, max_length=600)
    reason: Literal["not a manifest", "already delivered", "not ours", "duplicate", "other"] = (
        Field(description="not a manifest: of a refused file alone.")
    )
    who: str = Field(default="", max_length=100, description="Without users: who says so.")


class WaitingObject(BaseModel):
    """A thing in the inbox. ``size`` and ``since`` are null for what is never taken."""

    folder: str
    name: str
    size: int | None
    since: datetime | None
    why: str = Field(description="What it waits for and what to do, or why it is never taken.")


class WaitingList(BaseModel):
    """Everything in the inbox, the longest waiting first."""

    files: list[WaitingObject]
    never: list[WaitingObject]


class CourierOnDay(BaseModel):
    """A courier on a day. ``late``: no file had come by the time it was expected."""

    courier: str
    files: int
    first_file_at: datetime | None
    expected_by: datetime | None
    late: bool
    rows: dict[str, int] = Field(description="By outcome.")
    left_to_do: int


class DayObject(BaseModel):
    """A day where the manifests come from."""

    day: str
    couriers: list[CourierOnDay]


class AnswerObject(BaseModel):
    """An order in a sentence. ``asked``: the text that led to it: its id or an AWB."""

    order_id: str
    asked: str
    said: str
    outcome: str
    at: datetime | None
    drop_id: str | None


class AnswerList(BaseModel):
    """Orders and AWBs that were found. ``missing``: texts that nothing is known of."""

    answers: list[AnswerObject]
    missing: list[str]
    like: list[str] = Field(description="Order ids that the one text is a part of.")
    back_to: datetime | None = Field(description="How far files were looked through for AWBs.")
    next: int | None = Field(description="Give it as `before` to look further back; null: no more.")


class RowObject(BaseModel):
    """One line of a results file."""

    row: int
    sheet: str
    order_id: str
    awb: str
    source_status: str
    order_status: str
    outcome: Outcome
    codes: list[str]
    message: str
    sent_at: str


class RowList(BaseModel):
    """A page of rows."""

    rows: list[RowObject]
    total: int = Field(description="Rows that fit the filter.")
    page: int
    pages: int


class UploadedFile(BaseModel):
    """One file of an upload, and the drop it became."""

    name: str = Field(description="As it lies in the inbox; a number may be added there.")
    sha256: str
    at: datetime
    drop: DropObject | None = Field(description="Null while it waits in the inbox.")


class UploadObject(BaseModel):
    """Files that were uploaded together."""

    upload: str
    files: list[UploadedFile]


class Asked(BaseModel):
    """A request to the service; it acts on it at its next scan."""

    drop_id: str
    request: str


class OrderObject(BaseModel):
    """Everything known of one order, oldest first: an object per row that named it."""

    order_id: str
    seen: list[dict[str, Any]]


class HealthObject(BaseModel):
    """The state of the service. Ages in seconds."""

    service_is_alive: bool
    last_scan_at: datetime | None
    api: str = Field(description="ok, slowed, paused, held, or empty when no service could tell.")
    reason: str
    waiting_files: int
    oldest_waiting_seconds: float
    unsent_updates: int


class CourierObject(BaseModel):
    """A courier that has a profile. ``due``: the time that was missed."""

    name: str
    title: str
    late: bool
    due: datetime | None
    last_drop: str | None


class CourierList(BaseModel):
    """All couriers, the late ones first."""

    couriers: list[CourierObject]


class Taught(Order):
    """A word and its meaning."""

    said: str = Field(min_length=1, max_length=200, description="As the courier writes it.")
    means: str = Field(
        min_length=1,
        max_length=200,
        description="A status the courier's profile knows, a milestone, or no_milestone.",
    )
    who: str = Field(default="", max_length=100, description="Without users: who teaches it.")


class WordObject(BaseModel):
    """A word that somebody taught."""

    said: str
    order_status: str = Field(description="The milestone; empty: nothing is reported.")
    means: str = Field(description="The milestone, no_milestone, or ambiguous: rows come back.")
    who: str
    at: datetime


class WordList(BaseModel):
    """The words that people taught for a courier."""

    words: list[WordObject]


class Expected(Order):
    """When a courier's files are to come, in its own zone."""

    by: str = Field(default="", pattern=r"^$|^([01][0-9]|2[0-3]):[0-5][0-9]$")
    days: list[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]] = Field(
        default=[], max_length=7, description="Empty: every day."
    )
    who: str = Field(default="", max_length=100, description="Without users: who says so.")


class ReplaceOrder(Order):
    """One value for all rows that have another one."""

    column: str = Field(max_length=1000, description="The heading, as in the file.")
    old: str = Field(max_length=5000)
    new: str = Field(max_length=5000)
    remember_for: str = Field(default="", max_length=60, description="A courier's name.")
    who: str = Field(default="", max_length=100)


class SendOrder(Order):
    """Send what was corrected."""

    note: str = Field(default="", max_length=1000)
    sure: str = Field(
        default="", max_length=60, description="As in the 409 for one order id in several rows."
    )


class Message(BaseModel):
    """The result in words."""

    said: str


class Sent(BaseModel):
    """Corrected rows on their way. ``upload``: the name to follow them by."""

    upload: str
    rows: int
    skipped: int = Field(description="Rows that are still wrong: they were not sent.")


class CheckedFile(BaseModel):
    """One file as it would be read, and the updates that would be sent."""

    name: str
    left_out: bool = Field(description="True when it is not sent with the others.")
    courier: str
    why: str = Field(description="Why it is read as this courier's.")
    refused: dict[str, Any] | None = Field(description="Why it would be refused, if so.")
    rows: dict[str, int] = Field(description="By outcome; unsent: would be sent.")
    columns: list[dict[str, Any]] = Field(description="Headings read, and those not, per sheet.")
    statuses: list[dict[str, Any]] = Field(description="Each status word: meaning, outcome, rows.")
    first: list[dict[str, Any]] = Field(description="The first updates as they would be sent.")
    errors: list[dict[str, Any]]
    warnings: list[dict[str, Any]]


class CheckChange(Order):
    """Say what is to be different with a file of a check."""

    courier: str | None = Field(default=None, max_length=60, description="Empty: recognise it.")
    left_out: bool | None = Field(default=None, description="Whether it is not to be sent.")


class CheckObject(BaseModel):
    """Files that were checked together. ``check``: the name to send them by."""

    check: str
    files: list[CheckedFile]


class AsideOrder(Order):
    """Rows about which nothing is to be done."""

    rows: list[Annotated[int, Field(ge=0, le=2**31)]] = Field(default=[], max_length=100_000)
    sheet: str = Field(default="", max_length=200, description=_OF_SHEET)
    fault: str = Field(default="", max_length=100, description="All rows left with this code.")
    reason: Literal["already delivered", "not ours", "duplicate", "other"]
    who: str = Field(default="", max_length=100, description="Without users: who says so.")


class AsideRow(BaseModel):
    """A row that was set aside."""

    row: int
    sheet: str = Field(description=_IN_SHEET)
    reason: str = Field(description="Empty once the details of its drop were removed.")
    who: str
    at: datetime | None = Field(description="Empty where the time was not kept.")


class AsideList(BaseModel):
    """The rows of a drop that were set aside."""

    rows: list[AsideRow]


class CorrectionCounts(BaseModel):
    """How far the rows are that need somebody; each of them is in one of the four."""

    ready: int = Field(description="Sound, and sent with the next word.")
    wrong: int = Field(description="Changed or ticked, and still wrong: not sent.")
    untouched: int
    left_out: int = Field(description="Somebody said that they are not to be sent.")


class NeighbourObject(BaseModel):
    """Somebody who has the rows open on the page. ``row``: where, empty where nobody knows."""

    name: str
    row: str


class RowsMeant(Order):
    """Rows to correct, by their numbers or by their lines: one of the two."""

    rows: list[Annotated[int, Field(ge=0, le=2**31)]] = Field(default=[], max_length=10_000)
    lines: list[Annotated[int, Field(ge=0, le=2**31)]] = Field(
        default=[], max_length=10_000, description="As listed; tells rows of one number apart."
    )
    sheet: str = Field(default="", max_length=200, description=_OF_SHEET)


class PasteOrder(RowsMeant):
    """A column to be filled down: a value for each row, an empty one leaves its row as it is."""

    column: str = Field(max_length=1000, description="The heading, as in the file.")
    values: list[Annotated[str, Field(max_length=5000)]] = Field(max_length=10_000)
    had: list[Annotated[str, Field(max_length=5000)]] | None = Field(
        default=None, max_length=10_000, description="What stood there when it was looked at."
    )
    who: str = Field(default="", max_length=100, description="Without users: who pastes it.")


class PasteObject(BaseModel):
    """A column was filled down. ``conflicts``: cells that somebody changed meanwhile."""

    filled: int
    conflicts: list[str]
    counts: CorrectionCounts


class ChoiceOrder(RowsMeant):
    """Whether rows are to be sent."""

    send: bool


class CorrectionRow(BaseModel):
    """A row that needs somebody, as it is now. ``cells``: heading → text."""

    row: int
    sheet: str = Field(description=_IN_SHEET)
    line: int = Field(description="Names the row where several sheets or files have its number.")
    codes: list[str]
    message: str
    cells: dict[str, str]
    goes_out: bool = Field(description="True when it would be sent with the others.")


class CorrectionList(BaseModel):
    """A page of rows that need somebody, and how many of them are how far.

    ``here``: who has them open on the page.
    """

    rows: list[CorrectionRow]
    counts: CorrectionCounts
    here: list[NeighbourObject]
    total: int
    page: int
    pages: int


class CellOrder(Order):
    """A cell as it is to be, of a row by its number or by its line: one of the two."""

    row: Annotated[int, Field(ge=0, le=2**31)] | None = None
    line: Annotated[int, Field(ge=0, le=2**31)] | None = Field(
        default=None, description="As listed; tells rows of one number apart."
    )
    sheet: str = Field(default="", max_length=200, description=_OF_SHEET)
    column: str = Field(max_length=1000, description="The heading, as in the file.")
    value: str = Field(max_length=5000)
    had: str | None = Field(
        default=None, max_length=5000, description="What stood there when it was looked at."
    )


class CellFault(BaseModel):
    """A fault of the row now. ``column``: empty where it concerns the row."""

    column: str
    message: str


class CellObject(BaseModel):
    """A cell was kept. ``goes_out``: how many rows would be sent now."""

    faults: list[CellFault]
    goes_out: int


class PersonObject(BaseModel):
    """Somebody who may log in."""

    name: str
    role: Right
    off: bool = Field(description="Switched off: cannot log in.")
    kept_in_settings: bool = Field(description="Named in the settings, so not changed here.")
    must_choose_password: bool = Field(description="Has a password that somebody else chose.")
    version: int = Field(description="Grows by each change; give it back with a change of yours.")
    last_seen_at: datetime | None


class PersonChanged(BaseModel):
    """A change of who may do what. ``by``: empty where nobody had to log in."""

    at: datetime
    by: str
    name: str
    did: str


class PeopleList(BaseModel):
    """Everybody who may log in, and what was changed, the newest first."""

    people: list[PersonObject]
    changes: list[PersonChanged]


_Role = Annotated[Right, Field(strict=False)]  # strict is an object of ours, which JSON has not
_Password = Annotated[SecretStr, Field(max_length=1024)]


class NewPerson(Order):
    """Somebody to add. The first one of all has to be a manager."""

    name: str = Field(min_length=1, max_length=100)
    role: _Role
    password: _Password


class PersonChange(Order):
    """A change; fields that are left out stay as they are. ``version``: as when looked at."""

    role: _Role | None = None
    off: bool | None = None
    password: _Password | None = None
    version: Annotated[int, Field(ge=0, le=2**31)] | None = None


class NewPassword(Order):
    """A password of one's own, and the current one."""

    old: _Password
    new: _Password


class AccountObject(BaseModel):
    """Whoever asks. ``name``: empty where nobody has to log in."""

    name: str
    role: Right
    kept_in_settings: bool
    must_choose_password: bool
    session_ends_at: datetime | None = Field(description="null: a token, or no log-in.")


class TotalsObject(BaseModel):
    """Files, their rows by outcome, and the share of rows that had to be corrected, in per cent."""

    files: int
    rows: dict[Outcome, int] = Field(description="Outcomes without rows are left out.")
    to_correct_percent: float


class DayReport(TotalsObject):
    """One day. Seconds: from the arrival of a file to its end; null: no file was finished."""

    day: date
    typical_seconds: float | None
    longest_seconds: float | None


class CourierReport(TotalsObject):
    """One courier. ``courier``: empty where none was recognised."""

    courier: str


class ProblemReport(BaseModel):
    """A fault, and how often it came. ``drops``: files that have it, the newest first."""

    code: str
    said: str
    count: int
    of: Literal["rows", "files"]
    drops: list[str]


class HourReport(BaseModel):
    """The calls of an hour. ``most_ms``: 95 % were answered sooner."""

    at: datetime
    calls: int
    mean_ms: float
    most_ms: float
    errors: int


class ReportObject(BaseModel):
    """The last days: in all, and by day, courier and fault; and as many days before them."""

    total: TotalsObject
    before: TotalsObject = Field(description="As many days before.")
    days: list[DayReport] = Field(description="The newest first, also those without files.")
    couriers: list[CourierReport] = Field(description="The one with the most rows first.")
    problems: list[ProblemReport] = Field(description="The most frequent first.")
    hours: list[HourReport] = Field(description="Calls of the last two days, the newest first.")
