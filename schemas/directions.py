"""Words that tell which way a shipment went, or its fate, wherever they stand.

Only words that are plain anywhere count: in a cell, a heading, the name of a tab or a title.
"""

import re
from collections.abc import Collection, Iterable, Mapping

from schemas.headings import is_old_version
from schemas.normalise import fold, is_absent, kept, visible
from schemas.similarity import nearest
from schemas.statuses import Direction, agrees
from schemas.vocabulary import Milestone
from schemas.word_lists import word_set

WORD = re.compile(r"[a-z0-9]+")
RTO_WORDS = frozenset({"rt0", "rto", "rtod", "rtos", "rts"})
_RETURN = word_set(
    "return returns returned reverse reversed rev rvp rvs rvrs dto crn rtn rtrn revp revpu rpu "
    "rvpu revrse rvrse cir"
)
FORWARD_WORDS = frozenset({"forward", "frwd", "fwd"})

#: The last ones are Hindi in Latin letters.
_BACKWARD = word_set(
    "b2o r2o r2s retn rtnd rtv rtw "
    "backward backwards lautaya vaapas vaapsi vapas vapasi vapis vapsi waapas waapsi wapas wapis "
    "wapsi"
)
WAYS_BACK = RTO_WORDS | _RETURN | _BACKWARD
NEGATIONS = word_set("no non not without excl excluding excluded except never please kindly")

#: Words that may stand beside a direction in a cell without changing it.
FILLERS = word_set(
    "air aggregator awb b2b b2c bag by challan cod completed confirmed consignment courier cust "
    "customer d2c del delivery dlv dlvd done drop express flow freight from in initiated intransit "
    "journey leg load logistics manifest mode mps mvmt order orders package parcel pick pickup "
    "pickups ppd prepaid pu qc rcvd recd received sale sales seller service shipment shipments "
    "shipper standard stock surface transit trip type up"
)
_TO_SELLER = re.compile(
    r"\b(ret|rtn|return|returned|returning|back|bk)(?: ?2 ?| ?to ?)(the )?"
    r"(consignor|merchant|origin|sel|seller|sender|shipper|slr|vendor)\b|\bcourier return\b"
)
_CUSTOMER_TO_SELLER = re.compile(
    r"\b(?:(?:buyer|consignee|cust|customer|hub)(?: to |2|-)(?:the )?"
    r"(?:consignor|merchant|origin|seller|sender|shipper|vendor)"
    r"|(?:buyer|consignee|cust|customer) to (?:the )?(?:warehouse|wh)|b2s|c2[bsw])\b"
)
_SELLER_TO_CUSTOMER = re.compile(
    r"\b(?:(?:hub|merchant|origin|seller|vendor|warehouse|wh)(?: to |2|-)(?:the )?"
    r"(?:buyer|consignee|cust|customer)|s2c)\b"
)
_DELIVERED_BACK = re.compile(
    r"\b(?:delivered|handed over) (?:back )?(?:to|at) (?:the )?"
    r"(?:(?:client|merchant|seller|vendor) warehouse|warehouse|consignor|merchant|origin|seller"
    r"|sender|shipper|vendor)\b(?! (?!warehouse)\w)"
)
_AT_SELLER = re.compile(
    r"\b(?:to|at) (?:the )?(?:client |merchant |seller |vendor )?"
    r"(?:warehouse|consignor|merchant|seller|sender|shipper|vendor)\b"
)
_SPELLED = re.compile(r"\b(r[ /]t[ /]o|r[ /]v[ /]p|r[ /]t[ /]s)\b")
_CHARGED = re.compile(r"\b(forward|fwd|rto|rts) (?:charges?|freight)\b")
_RETURN_DELIVERY = re.compile(r"\bret[ -]?(?=(?:del|dlv|dlvd|delivered|delivery|pickup|pu)\b)")

#: The same words as people write them in their own scripts, and what follows a stem in these.
_NATIVE = tuple(
    (re.compile(rf"(?:{'|'.join(fold(each) for each in words.split())})[^\s,()]*"), f" {english} ")
    for english, words in (
        ("rto", "आरटीओ आर\\s?टी\\s?ओ ஆர்டிஓ ஆர்\\s?டி\\s?ஓ ఆర్టీఓ ಆರ್ಟಿಒ আরটিও આરટીઓ ആർടിഒ"),
        ("rto", "ਆਰਟੀਓ ଆରଟିଓ آر\\s?ٹی\\s?او"),
        ("return", "रिटर्न वापसी वापस ரிட்டர்ன் திரும்ப రిటర్న్ ರಿಟರ್ನ್ রিটার্ন ফেরত રિટર્ન પરત റിട്ടേൺ"),
        ("return", "परत(?:ल[ािीे]|(?=[\\s,().]|$))"),  # परतवाडा is a place
        ("return", "वापिस लौटाया ਵਾਪਸ ਰਿਟਰਨ ଫେରସ୍ତ ଫେରତ ରିଟର୍ଣ୍ଣ ରିଟର୍ନ واپس ریٹرن"),
        ("reverse", "रिवर्स ரிவர்ஸ் రివర్స్ ರಿವರ್ಸ್ রিভার্স રિવર્સ റിവേഴ്സ് ਰਿਵਰਸ ରିଭର୍ସ ریورس"),
        ("forward", "फॉरवर्ड फ़ॉरवर्ड फारवर्ड ஃபார்வர்ட் பார்வர்ட் ఫార్వర్డ్ ಫಾರ್ವರ್ಡ್ ফরোয়ার্ড ફોરવર્ડ"),
        ("forward", "ਫਾਰਵਰਡ ଫରୱାର୍ଡ فارورڈ"),
    )
)
#: Beginnings of words for delivered and cancelled in these scripts, and words for not.
_NATIVE_DELIVERED = tuple(
    map(
        fold,
        (
            *("डिलीवर", "डिलिवर", "डिलिव्हर", "डिलीव्हर", "डेलिवर", "டெலிவரி", "ডেলিভার", "ডেলিভারি"),
            *("ડિલિવર", "ડિલીવર", "డెలివర", "ಡೆಲಿವರ", "ഡെലിവറ", "ਡਿਲੀਵਰ", "ଡେଲିଭର", "ڈیلیور", "ڈلیور"),
        ),
    )
)
_NATIVE_CANCELLED = tuple(
    map(
        fold,
        (
            *("रद्द", "कैंसल", "कैंसिल", "कॅन्सल", "ரத்து", "கேன்சல்", "বাতিল", "ক্যানসেল", "ক্যান্সেল"),
            *("રદ", "કેન્સલ", "రద్దు", "క్యాన్సిల్", "ರದ್ದು", "ಕ್ಯಾನ್ಸಲ್", "റദ്ദ", "ക്യാൻസൽ", "ਰੱਦ"),
            *("ବାତିଲ", "منسوخ"),
        ),
    )
)
_NOT = tuple(map(fold, ("नहीं", "नही", "नाही", "হয়নি", "નથી", "નહીં", "ਨਹੀਂ", "ନାହିଁ", "نہیں")))
_NOT_AT_END = tuple(map(fold, ("இல்லை", "வில்லை", "లేదు", "ಇಲ್ಲ", "ಿಲ್ಲ", "ഇല്ല", "ില്ല")))
#: Waste paper, which begins like cancelled.
_WASTE = frozenset(map(fold, ("रद्दी", "રદ્દી", "ਰੱਦੀ")))
_FATE = re.compile("|".join(map(re.escape, _NATIVE_DELIVERED + _NATIVE_CANCELLED)))
#: Was not, and now was: डिलीवर नहीं हुआ था, अब हुआ.
_BEFORE = re.compile(fold("(?:^|[ ,])(?:था|थी),? .*(?:अब|आज|फिर)(?: |$)"))
_STATEMENT = 3
"""Words of a cell that says no more than that: not delivered, cancelled."""

#: Hindi, Marathi, Bengali, Tamil and Telugu in Latin letters.
_LATIN = (
    (
        re.compile(
            r"\bdeliver[a-z]{0,5}(?: (?:ho|hu[ai]|ki|kiya|[zj]h?al[aei]))? "
            r"(?:aagala|aagavillai|agala|hoy ?ni|illai|kaledu|nahin?|nhi)\b(?: (?:hai|hua|hui))*"
            r"|\b(?:nahin?|nhi) deliver[a-z]{0,5}\b(?: (?:hai|hua|hui))*"
            r"|^(?:customer ko )?(?:(?:nahin?|nhi) mil[ai]|mil[ai] (?:nahin?|nhi))$"
        ),
        "not delivered",
    ),
    (
        re.compile(
            r"\bcancel (?:aagide|aagiduchu|aayindi|ho ga(?:ya|yi)|hoyeche|kar diya|kel[aei]|kiya"
            r"|[zj]h?al[aei])\b"
            r"|\braddu?\b(?: (?:ho ga(?:ya|yi)|kar diya|kel[aei]|kiya|[zj]h?al[aei]))?"
            r"|\bbatil (?:hoyeche|kora hoyeche)\b"
        ),
        "cancelled",
    ),
    (
        re.compile(
            r"\b(?:parat (?:aal|gel|kel|pathav)|fer[ao]t (?:diy|es|gech|path)"
            r"|thirumb[ai] (?:anupp|vandh?))[a-z]{0,8}"
        ),
        "wapas",
    ),
)
SELLERS = word_set("consignor merchant origin seller sender shipper")
_UNTRUE = word_set(
    "destroyed dispute disputed fake false incorrect lost missing partial partially wrong wrongly"
)
FAILED_WORDS = _UNTRUE | word_set(
    "canceled cancelled damaged failed refused rejected undelivered unsuccessful"
)

#: Whatever these say of in the name of a tab was no delivery, the others if they say it of one.
_DISPUTED = word_set("dispute disputed disputes fake")
_NOT_SO = word_set("false incorrect partial partially wrong wrongly")
_DELIVERIES = word_set("delivered deliveries delivery pod")
OF_MONEY = word_set("bill billing cod invoice payment remittance settlement")

#: Letters that stand for the two ways where both of them are in a column that is a direction. Which
#: way back R is, reverse or RTO, nothing tells.
LETTERS: Mapping[str, Direction] = {"f": Direction.FORWARD, "r": Direction.BACK}

#: Short for a return (return order, reverse pickup, sales return) beside words for directions, RET
#: beside those of sales, too: it may be retail as well.
SHORT: Mapping[str, Direction] = {
    "ret": Direction.RETURN,
    **dict.fromkeys(
        ("r/o", "r o", "rp", "r/p", "r p", "sr", "s/r", "s r", "r/t", "r t"), Direction.BACK
    ),
}

#: The same in plain English; Inbound alone may be a hub's word.
PAIRS: Mapping[str, Direction] = {
    **dict.fromkeys(
        ("front", "fronthaul", "fw", "ob", "onward", "out", "outbound", "outgoing", "outward"),
        Direction.FORWARD,
    ),
    **dict.fromkeys(
        ("back", "backhaul", "homeward", "ib", "in", "inbound", "incoming", "inward", "rt"),
        Direction.BACK,
    ),
}
DAMAGED = "\ufffd"
"""Stands for a byte that was no text."""
_FEW, _SHORT = 12, 24

#: Subjects of a heading that make "RTO" or "return" in it a matter of place, price or rules.
HARMLESS = word_set(
    "acceptance accepted address allowed amount amt applicable assured attempts available breach "
    "cash center enabled preference shield "
    "centre charge charges city closes contact cost costs count country days dc deadline "
    "district due eligibility eligible expected expires expiry facility fee fees freight gst "
    "gstin history hub included instructions insurance insured label likelihood location mobile "
    "name past percent percentage phone pin pincode policy postcode prediction previous price "
    "prior probability promise promised propensity protection rate refund returnable risk score "
    "serviceability serviceable slip state store tax till town until valid validity value "
    "vendor warehouse weight window zip zone"
)
_TICKS, _CROSSES = "✔✓☑✅√🗸", "✗✘❌✖✕"
_VARIANT = "\ufe0f"
"""Follows a character that is shown in colour."""


def without_ticks(folded: str) -> str:
    """Return a text with a tick or a cross alone as yes or no, and words without a tick."""
    plain = folded.replace(_VARIANT, "").strip()
    if plain and not plain.strip(_TICKS):
        return "yes"
    if is_crossed(plain):
        return "no"
    return plain.strip(_TICKS)


def is_crossed(text: str) -> bool:
    """Return whether a cell is a cross and nothing else."""
    plain = text.replace(_VARIANT, "").strip()
    return plain != "" and not plain.strip(_CROSSES)


def lone_word(folded: str) -> str:
    """Return the word of a pair such as Inbound without words that do not change it."""
    words = folded.split()
    found = [word for word in words if word in PAIRS]
    return found[0] if found and len({*words} - FILLERS) == 1 else folded


def are_short(folded: Collection[str]) -> bool:
    """Return whether folded cells of a column show that its short words (``SHORT``) are directions.

    They are beside a direction, and RET where nothing but words of sales is beside it.
    """
    others = {*folded} - SHORT.keys()
    return ("ret" in folded and others <= FILLERS) or any(map(direction_of, others))


def may_hide_words(cell: str) -> bool:
    """Return whether a damaged cell may say something: it is short, or has a known word."""
    return DAMAGED in cell and (len(cell.split()) <= SHORT_TEXT or hides_a_known(cell))


def hides_a_known(cell: str) -> bool:
    """Return whether a damaged word of a cell may be one that speaks of a way or a fate."""
    return _is_strange(cell) and bool(words_like(_IN_CELL.findall(in_english(fold(cell))), _KNOWN))


def with_known_ways(folded: str) -> str:
    """Return a text whose damaged words for a way back are those words: Is RTéO, Retu?rn Flag."""
    if not _is_strange(folded):
        return folded
    return _IN_CELL.sub(
        lambda found: min(words_like([found[0]], WAYS_BACK), default=found[0]), folded
    )


def words_like(damaged: Iterable[str], known: Collection[str]) -> frozenset[str]:
    """Return which known words damaged ones may have been, a letter being another or too many.

    A byte of another encoding leaves a mark, a ``?`` or one or two strange letters.
    """
    found = set[str]()
    for word in damaged:
        if _is_strange(word) and any(map(str.isascii, filter(str.isalnum, word))):
            like = re.compile(".?".join(map(re.escape, _STRANGE.split(word))))
            found.update(each for each in known if like.fullmatch(each))
    return frozenset(found)


def _is_strange(text: str) -> bool:
    return "?" in text or not text.isascii()


_STRANGE = re.compile(r"\?+|[^\x00-\x7f]+")
_IN_CELL = re.compile(r"[^\s,;:/|()\"'!]+")
SHORT_TEXT = 4
_KNOWN = WAYS_BACK | FORWARD_WORDS | FAILED_WORDS | {"delivered"}


def may_be_directions(cells: Iterable[str]) -> bool:
    """Return whether these folded cells could all be words for a direction: few, and short."""
    words = {cell for cell in cells if not is_absent(cell)}
    return len(words) <= _FEW and all(
        len(word) <= _SHORT and len(word.split()) <= 3 for word in words
    )


def speaks_against(cell: str, milestone: int) -> bool:
    """Return whether words that no table holds say that a shipment did not come to a milestone.

    "RTO done" or "Refund - returned" beside a delivery, "Cancelled" or "Lost" beside any.
    """
    folded = fold(cell)
    words = words_in(folded)
    # A parcel that failed on the way out may well have come back.
    outward = milestone in {Milestone.BAG_PICKED, Milestone.DELIVERY_DONE}
    in_the_end = None if words & NEGATIONS else _IN_THE_END.match(folded)
    against = FAILED_WORDS if outward else _UNTRUE
    if in_the_end:
        against -= _EXCUSED if in_the_end[1] else {"damaged"}
    if words & against:
        return True
    if milestone == Milestone.DELIVERY_DONE and (
        NOT_DELIVERED.search(in_english(folded)) or re.fullmatch(rf"\W*(?:{IN_PART})\W*", folded)
    ):
        return True
    picked = {Milestone.BAG_PICKED, Milestone.RETURN_BAG_IN_TRANSIT}
    if milestone in picked and _NOT_PICKED.search(folded):
        return True
    way = way_named(cell)
    if way is Direction.RTO and is_at_seller(folded):
        way = Direction.BACK  # what a customer sends back is delivered to the seller, too
    return way is not None and not agrees(milestone, way)


def is_at_seller(cell: str) -> bool:
    """Return whether words say that the seller has it, not by an RTO: Returned to seller."""
    folded = fold(cell)
    return _AT_SELLER.search(folded) is not None and not words_in(folded) & RTO_WORDS


_IN_THE_END = re.compile(
    r"(?:(?:order|package|parcel|shipment) (?:is |was |has been )?)?(?:successfully )?delivered\b"
    r"(?: to (?:the )?(?:consignee|customer)\b)?( (?:after|in|on)\b.* attempts?\b)?"
)
_EXCUSED = word_set("damaged failed undelivered unsuccessful")
TO_ANOTHER = (
    r"(?:delivered|given|handed over) to (?:an? |the )?(?:another|different|other|wrong) "
    r"(?:address|buyer|consignee|customer|location|person)"
    r"|delivered to (?:the )?(?:(?:destination|last mile|local|nearest|vendor) )?(?:branch|courier"
    r"|franchisee?|hub|partner|pick ?up point|pudo(?: point)?|transporter)"
    r"|(?:delivered|given|handed over) to (?:the )?(?:(?:courier|delivery) (?:agent|boy|executive)"
    r"|(?:delivery|last mile) partner)"
    r"|(?:(?:awaiting|ready for) (?:customer|self)|held for(?: customer| self)?) "
    r"(?:collect|collection|pick ?up)(?: (?:at|from) .*)?"
)
"""An expression for words that somebody else has it: not the customer, and not the seller."""
_BOXES = "(?:bag|box|carton|item|packet|parcel|pc|piece|pkg)(?:es|s)?"
_PART_OF = r"(?:1 ?(?:/|of|out of) ?[2-9]|2 ?(?:/|of|out of) ?[3-9]|3 ?(?:/|of|out of) ?[4-9])"
IN_PART = (
    r"delivered\W*(?:(?:\+|&|and|/|,|\||-|\(|then|but)\W*)?"
    r"(?:rt[os]|return(?:ed)?|undelivered|partial(?:ly)?|fake|false|wrong(?:ly)?|expected"
    r"|tentative(?:ly)?|tb[acd]|to be confirmed|to confirm|not (?:yet )?(?:confirmed|verified)"
    rf"|soon|x|❌|✗|{_PART_OF})|rt[os] ?(?:\+|&|/|,|\|) ?delivered"
    r"|(?:is (?:it|this) )?delivered ?\W?\?+|partial(?:ly)? deliver(?:y|ed)"
    rf"|(?:only )?{_PART_OF} (?:{_BOXES} )?(?:delivered|received)"
    rf"|only [1-9] {_BOXES} (?:delivered|received)"
    rf"|[1-9](?:st|nd|rd|th)? {_BOXES} (?:is |are )?(?:in transit|lost|missing|pending|short)"
)
"""An expression for words that it was delivered, and another end; or not all of it, or not surely.

So are they in a cell that says nothing else: Delivered + RTO, 1 of 2 delivered.
"""
NOT_DELIVERED = re.compile(
    r"\bnot (?:been |yet |be )?delivered\b|\b(?:to|will) be (?:re-?)?(?:attempted|delivered)\b"
    r"|\bre-?attempt(?:ed)? (?:on|scheduled|tomorrow)\b|\bnot with (?:the )?customer\b"
    rf"|\b(?:{TO_ANOTHER})\b(?! \w)"
)
_NOT_PICKED = re.compile(
    r"\bnot (?:been |yet )?picked\b|\bpick ?up (?:not done|failed|cancell?ed)\b|\bqc failed\b"
)


def tells_of_attempt(words: str) -> bool:
    """Return whether a status says that nobody was met, or when it is tried again, and no delivery.

    Customer not available, Door locked, Rescheduled.
    """
    folded = fold(words)
    return "delivered" not in words_in(folded) and _ATTEMPTED.search(folded) is not None


_ATTEMPTED = re.compile(
    r"\b(?:buyer|cnee|consignee|cust|customer|cx|receiver)\b.{0,20}\b(?:not (?:at home|available"
    r"|contactable|reachable|responding)|out of station|unavailable|unreachable)\b"
    r"|\b(?:door|house|office|premises|shop) (?:is |was )?(?:closed|locked)\b"
    r"|\bno ?one (?:at )?home|\baddress (?:incomplete|incorrect|not found)\b"
    r"|\b(?:incomplete|incorrect) address\b"
    r"|\b(?:re)?attempt(?:ed)?\b|\brescheduled?\b|\bfuture delivery\b"
)


@kept
def direction_of(folded: str) -> Direction | None:
    """Return the direction that a cell's words mean anywhere, None if they mean none or other."""
    plain = in_plain_words(_CHARGED.sub(r"\1", folded))
    words = frozenset(map(_spelled, words_in(plain)))
    others = words - WAYS_BACK - FORWARD_WORDS - FILLERS
    if words & NEGATIONS or any(len(word) > 1 for word in others):
        return None
    return way_of(words)


def _spelled(word: str) -> str:
    """Return the word for a way that a misspelt one is: Forword, Revers, Retrun; else the word."""
    if not _NEAR_A_WAY.fullmatch(word) or word in _NAMES:
        return word
    return nearest(word, _MISSPELT, at_least=_NEAR) or word


_NAMES = frozenset({"reverie", "reverso"})
_NEAR_A_WAY = re.compile(r"[fr][a-z]{4,8}")
_MISSPELT = ("forward", "return", "returned", "reverse")
_NEAR = 83  # two letters of return that changed places


def way_named(name: str) -> Direction | None:
    """Return the way that the name of a tab, table or file names among other words, or None."""
    plain = _GIFTS.sub(" ", shortened(fold(visible(name))))
    words = frozenset(map(_spelled, words_in(plain)))
    return None if words & (NEGATIONS | _PLACES) else way_of(words)


#: What guests are given in India, and many a brand's name: Return Gifts Pvt Ltd.
_GIFTS = re.compile(r"\breturn[ _-]?gift(?:s|ing)?\b")

#: Parts of the names of places: Return Nagar.
_PLACES = word_set("chowk colony marg nagar")


def way_of_file(name: str) -> Direction | None:
    """Return the way that the name of a file or folder names, None where it names deliveries too.

    "Delivered & RTO" and "MIS with RTO" do, "RTO delivered" does not.
    """
    plain = shortened(fold(words_apart(name)))
    if _OF_BOTH.search(plain) or words_in(plain) & _NOT_OF_ROWS:
        return None
    return way_named(plain)


def words_apart(name: str) -> str:
    """Return a file's name with its words apart: RTO28Nov, RTOreport, deliveryRTO, ReverseMIS."""
    return _BORDER.sub(" ", _GLUED.sub(r"\1 ", name))


_GLUED = re.compile(r"(?<![A-Za-z])(RTO|RVP|RVS|DTO|[Rr]ev)(?=[a-z])(?!a|e|is|iew|olv)")
_BORDER = re.compile(
    r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z]{2})"
    r"|(?<=[A-Za-z])(?=\d)(?!2[A-Za-z](?![A-Za-z]))|(?<=\d)(?<![A-Za-z]2)(?=[A-Za-z])"  # B2S
)


_BACK_WORD = rf"(?:{'|'.join(sorted(WAYS_BACK))})"
_DELIVERY_WORD = "(?:del|deld|delivered|delivery|deliveries|dlvd)"
_NOT_UN = r"(?<![a-z])(?<!un[\W_])(?<!no[nt][\W_])(?<!yet[\W_])(?<!been[\W_])"
_MADE = f"{_NOT_UN}{_DELIVERY_WORD}"
_UNMADE = rf"(?:un|no[nt][\W_]*){_DELIVERY_WORD}\b"
_NO_WAY_BACK = rf"^(?:(?!\b{_BACK_WORD}\b).)*?"
_TOGETHER = r"(?:[\W_]*+and\b|(?=[\W_]*[&+/]))[\W_]*+"
"""Nothing that is a word, with an *and* or its sign in it; read once, however long it is."""
_NOT_MADE = r"(?![\W_]*(?:attempt|cancel|exception|fail|issue|pending|problem))"
_OF_BOTH = re.compile(
    rf"{_MADE}(?:{_TOGETHER}{_BACK_WORD}\b|, ?{_BACK_WORD} ?(?:,|and\b|&))"
    rf"|{_BACK_WORD}{_TOGETHER}{_DELIVERY_WORD}\b{_NOT_MADE}"
    rf"|{_NO_WAY_BACK}{_MADE}{_TOGETHER}{_UNMADE}"
    rf"|{_NO_WAY_BACK}{_MADE}, ?{_UNMADE} ?(?:,|and\b|&)"
    rf"|{_NO_WAY_BACK}\b{_UNMADE}(?:{_TOGETHER}|(?=[\W_]*,)[\W_]*+){_MADE}\b"
    rf"|\bfilters?\b[^:=]{{0,40}}[:=](?:.{{0,200}},)? ?{_DELIVERY_WORD} ?(?:,|$)"
    rf"|(?:\b|_)(?:incl|including|with)[\W_]+{_BACK_WORD}(?:\b|_)"
)


def is_list_of_fates(name: str) -> bool:
    """Return whether a name lists another fate beside RTO: NDR_RTO_MIS, RTO-NDR-DEL."""
    words = words_in(_RTO_DELIVERED.sub(" ", fold(words_apart(name))))
    return bool(words & _OTHER_FATES)


_RTO_DELIVERED = re.compile(rf"{_BACK_WORD}[\W_]*{_DELIVERY_WORD}(?![a-z])")
_OTHER_FATES = word_set(
    "del deld delivered deliveries delivery dlvd forward fwd intransit ndr ofd pending transit ud "
    "undelivered"
)
_NOT_OF_ROWS = word_set("percent percentage rate rates sorted team")


_DELIVERED = re.compile(rf"{_NOT_UN}delivered\b")


def fate_named(name: str) -> Direction | None:
    """Return the way that a tab or title names, or that its shipments were not delivered."""
    words = words_in(fold(name))
    if _OF_BOTH.search(shortened(fold(visible(name)))):
        return None
    way, lacks = way_named(name), "delivered" in words and bool(words & {"non", "not"})
    none = lacks and not _DELIVERED.search(fold(name))
    if way is not None or (words & _DELIVERED_TOO and not none):
        return way
    if not words & NEGATIONS and _is_disputed(words):
        return Direction.UNDELIVERED
    if "delivered" in words and words & SELLERS and words <= _BY_SELLERS:
        return Direction.BACK
    if "delivered" in words and not lacks:
        return None
    if lacks or (words & _FATES and not words & (NEGATIONS | _OF_OTHERS)):
        return Direction.UNDELIVERED
    known = WAYS_BACK | FORWARD_WORDS | _FATES
    strange = words_like(_IN_CELL.findall(in_english(fold(name))), known)
    return Direction.UNREADABLE if strange else None


#: Delivered by the seller is a sale.
_BY_SELLERS = (SELLERS | FILLERS | {"delivered"}) - {"by"}


def _is_disputed(words: frozenset[str]) -> bool:
    """Return whether words say of deliveries, not of weights or money, that they were none."""
    said = _DISPUTED | _NOT_SO if words & _DELIVERIES else _DISPUTED
    return bool(words & said) and not words & (HARMLESS | OF_MONEY)


def back_beside(name: str, others: Collection[str]) -> bool:
    """Return whether a tab is of the way back because others are of its counterpart: R beside F.

    Or of what was not delivered (UD beside DL), or an old version of another tab: 28 Nov (old).
    """
    ways = {_LONE.get(fold(other)) for other in others}
    is_back = _LONE.get(fold(name)) is Direction.BACK and Direction.FORWARD in ways
    wholesale = any(fold(other) in _WHOLESALE for other in others)
    is_back |= fold(name) in _BACK_TABS and not (fold(name) == "ret" and wholesale)
    return is_back or is_old_version(name, others)


_LONE = {**LETTERS, **PAIRS, "dl": Direction.FORWARD, "ud": Direction.BACK}
_BACK_TABS = frozenset({"c2b", "came back", "crp", "crr", "ret", "to seller"})
_WHOLESALE = frozenset({"b2b", "bulk", "retail", "whs", "wholesale"})  # RET beside it is retail
_FATES = frozenset({"cancelled", "canceled", "lost", "undelivered"})
_OF_OTHERS = word_set("bill exchange invoice invoices")  # may be cancelled or lost themselves
_DELIVERED_TOO = frozenset({"all", "and", "or", "vs"})


_ARROW = re.compile(r" *[>→➔⇒]+ *")


def in_plain_words(folded: str) -> str:
    """Return a text in which every way back to the seller is called so in one word."""
    told = _ARROW.sub(" to ", folded)
    told = _CUSTOMER_TO_SELLER.sub("backward", _TO_SELLER.sub("rto", told))
    told = _RETURN_DELIVERY.sub("return ", _SELLER_TO_CUSTOMER.sub("forward", told))
    return _SPELLED.sub(lambda found: found[0].replace(" ", "").replace("/", ""), told)


def shortened(folded: str) -> str:
    """Return such a text in which a delivery to the seller is one, too."""
    return in_plain_words(_DELIVERED_BACK.sub("rto", folded))


def way_of(words: frozenset[str]) -> Direction | None:
    """Return the way that some words name, None where they name none, or out and back."""
    ways = [
        way
        for way, named in (
            (Direction.FORWARD, FORWARD_WORDS),
            (Direction.RETURN, _RETURN),
            (Direction.RTO, RTO_WORDS),
            (Direction.BACK, _BACKWARD),
        )
        if words & named
    ]
    if len(ways) > 1 and Direction.FORWARD not in ways:
        return Direction.BACK
    return ways[0] if len(ways) == 1 else None


def words_in(folded: str) -> frozenset[str]:
    """Return the words of a folded text, those for directions in English."""
    return frozenset(WORD.findall(in_english(folded)))


def in_english(folded: str) -> str:
    """Return a text with the words for a direction or fate in English, in whatever script."""
    if folded.isascii():
        for words, english in _LATIN:
            folded = words.sub(english, folded)
        return folded
    if _FATE.search(folded):
        folded = _fate_in_english(folded)
    for native, english in _NATIVE:
        folded = native.sub(english, folded)
    return folded


def _fate_in_english(folded: str) -> str:
    """Return a text with the words that something was not delivered, or cancelled, in English."""
    if _BEFORE.search(folded):
        return folded
    words = folded.split()
    denied = {
        at for at, each in enumerate(words) if each.startswith(_NOT) or each.endswith(_NOT_AT_END)
    }
    is_short = len(words) <= _STATEMENT
    if not denied:
        told = (each for each in words if each not in _WASTE)
        cancelled = is_short and any(each.startswith(_NATIVE_CANCELLED) for each in told)
        return "cancelled" if cancelled else folded
    for at, word in enumerate(words):
        if word.startswith(_NATIVE_DELIVERED) and (is_short or denied & {at - 1, at + 1}):
            return "not delivered" if is_short else " ".join((*words[:at], "not delivered"))
    return folded
