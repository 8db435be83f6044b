"""From what a language model wrote to a plan that may be carried out, or why there is none."""

from __future__ import annotations

import json
import re
import reprlib
from collections.abc import Iterator
from typing import Any

from vla_sim.errors import PlanInvalid, VlaSimError
from vla_sim.stages.planner import MOVES, from_dict
from vla_sim.types import ObjectQuery, Plan, PlanStep

LONGEST_ANSWER = 32_000  # characters that are looked at, without what a reasoning model thought before
_FENCE = re.compile(r"```[^\n`]*\n(.*?)```", re.DOTALL)
_THOUGHT = "</think>"


class Unusable(VlaSimError):
    """An answer is no plan; `reason` is a word for the count, `problem` one line for the model and the record."""

    def __init__(self, reason: str, problem: str) -> None:
        self.reason, self.problem = reason, problem
        super().__init__(f"{reason}: {problem}")


def read(text: str, by_rule: Plan) -> Plan:
    """The plan in an answer: bare JSON, or JSON in markdown fences or among words.

    `by_rule` is what the rules make of the same question: the answer may say and look for more, but it moves the robot
    to nothing else and ends in the same deed. Raises Unusable: "nonsense" (no JSON object), "invalid" (no valid plan)
    or "unasked" (another deed than the user's).
    """
    try:
        plan = from_dict(_object(text.rpartition(_THOUGHT)[2][:LONGEST_ANSWER]))
    except PlanInvalid as error:
        raise Unusable("invalid", str(error)) from None
    ours, theirs = list(map(_deed, _moves(by_rule))), list(map(_deed, _moves(plan)))
    for step, deed in zip(_moves(plan), theirs, strict=True):
        if deed not in ours:
            raise Unusable("unasked", f"the user did not ask to {_told(step)}")
    for step, deed in zip(_moves(by_rule), ours, strict=True):
        if deed not in theirs:
            raise Unusable("unasked", f"the user asked to {_told(step)}, too")
    if theirs[-1] != ours[-1]:
        raise Unusable("unasked", f"the last thing to do is to {_told(_moves(by_rule)[-1])}")
    return plan


def _object(text: str) -> dict[str, Any]:
    """The JSON object that a text is, has in fences or has among its words; the first with steps, if there is one."""
    found = [*_fenced(text), *_objects_in(text)]
    if not found:
        raise Unusable("nonsense", f"no JSON object in {reprlib.repr(text)}")
    return next((plain for plain in found if "steps" in plain), found[0])


def _fenced(text: str) -> Iterator[dict[str, Any]]:
    for part in (text, *_FENCE.findall(text)):
        try:
            found = json.loads(part)
        except (ValueError, RecursionError):
            continue
        if isinstance(found, dict):
            yield found


def _objects_in(text: str) -> Iterator[dict[str, Any]]:
    decoder, start = json.JSONDecoder(), text.find("{")
    while start >= 0:
        end = start + 1
        try:
            found, end = decoder.raw_decode(text, start)
        except (ValueError, RecursionError):
            found = None
        if isinstance(found, dict) and found:
            yield found
        start = text.find("{", end)


def _moves(plan: Plan) -> list[PlanStep]:
    return [step for step in plan.steps if step.kind in MOVES]


def _deed(step: PlanStep) -> tuple[str, ObjectQuery | None, str]:
    return step.action, step.target, step.place


def _told(step: PlanStep) -> str:
    object_or_place = f" the {step.target}" if step.target is not None else f" '{step.place}'" if step.place else ""
    return f"{step.action}{object_or_place}"
