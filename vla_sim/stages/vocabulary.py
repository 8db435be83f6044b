"""The words the stack understands, as tables. Objects and colours are those of `vla_sim.catalogue`.

A new synonym is one more word in a table. Verbs and polite words may be phrases; everything else is a single word.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping, Sequence

from vla_sim.catalogue import COLOURS, SHAPES
from vla_sim.errors import nearest


def word_set(text: str) -> frozenset[str]:
    """The words of a text."""
    return frozenset(text.split())


CONTAINERS = tuple(name for name, shape in SHAPES.items() if shape.kind == "tray")

_SHAPE_SYNONYMS = {
    "cube": "block box die dice brick",
    "mug": "cup teacup beaker tumbler",
    "bottle": "flask vial flagon",
    "ball": "sphere orb globe",
    "tray": "dish plate platter",
}
_COLOUR_SYNONYMS = {
    "red": "crimson scarlet ruby vermilion",
    "yellow": "gold golden lemon",
    "green": "emerald lime",
    "cyan": "turquoise aqua teal",
    "blue": "azure navy cobalt",
    "purple": "violet magenta lilac mauve",
}


def _by_word(synonyms: Mapping[str, str], names: Iterable[str]) -> dict[str, str]:
    return {word: name for name in names for word in (name, *synonyms.get(name, "").split())}


def _plural(word: str) -> str:
    return word + ("es" if word.endswith(("s", "sh", "x")) else "s")


SHAPE_WORDS = _by_word(_SHAPE_SYNONYMS, SHAPES)  # word -> key of SHAPES
COLOUR_WORDS = _by_word(_COLOUR_SYNONYMS, COLOURS)  # word -> key of COLOURS
PLURALS = frozenset(_plural(word) for word in SHAPE_WORDS)
# Colours people say that no paint of the catalogue has: refused by name, never taken for an idle adjective.
OTHER_COLOURS = word_set(
    "orange pink black white grey gray brown beige silver maroon tan ivory cream indigo khaki peach rose"
)

VERBS = {
    "pick": (
        "pick", "pick up", "grab", "take", "get", "lift", "fetch", "grasp", "collect", "raise", "seize", "retrieve",
        "bring", "lift up", "take up", "grab hold of", "take hold of", "get hold of", "go get", "go fetch",
    ),
    "place": (
        "place", "put", "drop", "set", "move", "lay", "deposit", "transfer", "carry", "stow", "put down", "set down",
        "lay down", "drop off", "deliver",
    ),
    "reach": (
        "reach", "touch", "tap", "reach for", "reach out for", "reach out to", "reach out", "reach out and touch",
        "reach to", "reach towards", "reach and touch",
    ),
    "go": (
        "go", "walk", "head", "come", "run", "travel", "proceed", "navigate", "drive", "march", "stroll",
        "return", "enter", "visit", "approach", "make your way", "go back", "come back", "walk back", "head back",
        "run back", "come and", "return back",
    ),
    "fetch": ("hand", "give", "pass", "hand over", "give over", "pass over"),
    "follow": (
        "follow", "accompany", "come with", "come along with", "come along", "go with", "go along with", "walk with",
        "walk behind", "walk after", "stay with", "stay behind", "tag along", "tag along with",
    ),
    "stop": (
        "stop", "halt", "freeze", "abort", "cancel", "emergency stop", "stand still", "hold still", "keep still",
        "do not move", "don't move", "dont move",
    ),
}  # fmt: skip
# Verbs that are nouns after a determiner: "with your hand" hands nothing over.
NOUNS_TOO = word_set("hand pass head walk run drive march stroll reach touch tap return visit approach")
MAY_WALK = word_set("move get")  # with no object but a place these mean going there
TRANSPORT = frozenset(  # of these "back" says where to
    ("bring", "fetch", "get", "take", "carry", "deliver", "retrieve", "return", "hand", "give", "pass",
     "go get", "go fetch", "hand over", "give over", "pass over")
)  # fmt: skip
ADDRESSED = word_set("bring hand give pass deliver")  # who is named with these gets it; "get me" may be manners
RETURNING = frozenset(("bring", "fetch", "go fetch", "retrieve"))  # from elsewhere means back to here
VERB_PHRASES = {tuple(phrase.split()): verb for verb, phrases in VERBS.items() for phrase in phrases}

# Said for manners; they carry no meaning and cost no confidence.
POLITE = frozenset(
    tuple(phrase.split())
    for phrase in (
        "please", "kindly", "robot", "hey", "hi", "hello", "ok", "okay", "thanks", "thank you", "thank you very much",
        "could you", "can you", "would you", "will you", "i want you to", "i need you to", "i would like you to",
        "i'd like you to", "go ahead and", "go and", "for me", "me", "just", "now", "then",
    )
)  # fmt: skip
# After these "me" is no manners but a person.
BEFORE_ME = word_set(
    "to toward towards with behind after near by beside at from on in into onto off follow accompany approach visit "
    "join hand give pass over bring back deliver get fetch grab take"
)

# Skipped too, but each lowers the confidence: it may have meant something.
ADVERBS = word_set(
    "um uh er erm well so like actually quickly slowly carefully gently immediately again out here there which is "
    "straight directly"
)
ADJECTIVES = word_set(
    "small little tiny big large huge tall short round square old new nice lovely pretty plain light dark bright pale "
    "coloured colored painted plastic wooden metal rubber glass ceramic coffee tea water tennis toy serving"
)
SKIPPED = ADVERBS | ADJECTIVES
DETERMINERS = word_set("the a an any some my your our that this")
PEOPLE = word_set(
    "me him her us person human man woman lady guy gentleman child kid boy girl user operator worker owner guest "
    "visitor someone somebody"
)
PARTICLES = word_set("up down and")  # belong to a verb or join two phrases
IDLE = DETERMINERS | SKIPPED | PARTICLES
BEFORE_NOUNS = DETERMINERS | word_set("left right")
PRONOUNS = word_set("it that this")
QUANTITIES = word_set("all both every each two three four five several many everything them these those")
GENERIC = word_set("one thing object item something anything")
NEGATIONS = word_set(
    "not don't dont never cannot can't cant won't shouldn't mustn't without except avoid nothing neither nor no"
)
SURFACES = word_set("table desk bench counter tabletop worktop")  # on them everything stands

# Prepositions of several words, and the single word that stands for them.
COMPOUNDS = {
    ("in", "to"): "into",
    ("on", "to"): "onto",
    ("over", "to"): "to",
    ("up", "to"): "to",
    ("over", "by"): "by",
    ("over", "here"): "here",
    ("over", "there"): "there",
    ("on", "top", "of"): "on",
    ("inside", "of"): "inside",
    ("out", "of"): "from",
    ("off", "of"): "from",
    ("next", "to"): "beside",
    ("close", "to"): "near",
    ("in", "front", "of"): "near",
}
INTO = word_set("into onto to inside in on upon within")  # lead to a destination
TOWARDS = word_set("into onto to")  # of these, the ones that cannot say where a thing is now
FROM = word_set("from off")
BESIDE = word_set("at near by beside")  # where a thing is, or where to stand
PLACE_LINKS = word_set("in inside within at of")  # the table in the kitchen
RELATIONS = word_set(
    "of with at by near behind beside besides under underneath beneath over above below between against around through "
    "across along towards toward left right"
)
FRONTED = word_set("from in at inside on to")  # with a place these may stand before the verb
PREPOSITIONS = INTO | FROM | RELATIONS

MAX_PHRASE_WORDS = max(map(len, [*VERB_PHRASES, *POLITE, *COMPOUNDS]))
ALIKE = 0.75  # similarity from which a word is taken for a misspelling


def tokenise(text: str) -> tuple[str, ...]:
    """Lower-case words without punctuation; apostrophes inside a word stay."""
    plain = unicodedata.normalize("NFKC", text).casefold().replace("’", "'")
    return tuple(re.findall(r"[^\W_]+(?:'[^\W_]+)*", plain))


def phrase_at(words: Sequence[str], start: int, phrases: Collection[tuple[str, ...]]) -> tuple[str, ...]:
    """The longest of `phrases` that begins at `words[start]`; empty when none does."""
    for end in range(min(start + MAX_PHRASE_WORDS, len(words)), start, -1):
        phrase = tuple(words[start:end])
        if phrase in phrases:
            return phrase
    return ()


def closest(word: str, table: Mapping[str, str], choices: Iterable[str]) -> str:
    """A hint: the nearest of `choices` to `word`, found also through the synonyms in `table` (word -> choice)."""
    options = tuple(choices)
    known = [synonym for synonym, name in table.items() if name in options]
    close = difflib.get_close_matches(word, known, n=1, cutoff=ALIKE)
    return nearest(table[close[0]] if close else word, options)


def closest_verb(word: str) -> str:
    """A hint that names the nearest verb."""
    return closest(word, {" ".join(phrase): verb for phrase, verb in VERB_PHRASES.items()}, VERBS)


def closest_object(word: str, choices: Iterable[str]) -> str:
    """A hint that names the nearest of some objects."""
    return closest(word, SHAPE_WORDS, choices)


def closest_colour(word: str) -> str:
    """A hint that names the nearest colour."""
    return closest(word, COLOUR_WORDS, COLOURS)
