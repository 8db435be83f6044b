"""What a language model is told: the contract of a plan, examples, and what the user wants. Never the user's words."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from vla_sim.stages.planner import SCHEMA, RulePlanner, to_dict
from vla_sim.types import Intent, ObjectQuery

Message = dict[str, str]

LONGEST_QUOTE = 4_000  # characters of a bad answer that are sent back
RULES = (
    "Steps are carried out in order.",
    "Go, pick, reach, place, hand over and follow only as the user wants: 'place' is where the object is or where to "
    "go, 'deliver_to' where to take it, 'destination' what to put it in.",
    "pick, reach and place need a locate of the very same object (shape and colour) before them, after the last go_to.",
    "A plan picks at most one object, and parts with it at most once.",
    "hand_over needs a go_to with the place 'person' before it.",
    "Nothing comes after follow.",
    "Use names of objects, colours and places exactly as they are given to you.",
)
EXAMPLES = (
    Intent("place", ObjectQuery("cube", "red"), ObjectQuery("tray")),
    Intent("fetch", ObjectQuery("mug"), place="kitchen", deliver_to="person"),
    Intent("go", place="living room"),
)


def ask(intent: Intent) -> list[Message]:
    """The messages that ask for a plan."""
    planner = RulePlanner()
    system = (
        "You plan for a humanoid robot. You are told in JSON what its user wants. Answer with the plan as one JSON "
        "object that follows the JSON Schema below, and with nothing else: no explanation, no markdown.\n\n"
        f"JSON Schema:\n{json.dumps(SCHEMA, separators=(',', ':'))}\n\nRules:\n" + "\n".join(f"- {r}" for r in RULES)
    )
    messages = [_message("system", system)]
    for example in EXAMPLES:
        messages.append(_message("user", json.dumps(wanted(example))))
        messages.append(_message("assistant", json.dumps(to_dict(planner(example)))))
    return [*messages, _message("user", json.dumps(wanted(intent)))]


def ask_again(messages: list[Message], answer: str, problem: str) -> list[Message]:
    """The messages that send a bad answer back with what is wrong with it."""
    complaint = f"The robot cannot use that: {problem}. Answer with the whole corrected plan as JSON and nothing else."
    return [*messages, _message("assistant", answer[:LONGEST_QUOTE]), _message("user", complaint)]


def wanted(intent: Intent) -> dict[str, Any]:
    """What a user wants as plain data, without how sure the ear was of it."""
    plain = dataclasses.asdict(intent)
    del plain["confidence"]
    return plain


def _message(role: str, content: str) -> Message:
    return {"role": role, "content": content}
