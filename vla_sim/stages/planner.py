"""Plan: from what the user wants to an ordered list of steps, and the contract of every plan, whoever made it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from vla_sim.catalogue import COLOURS, GRASPABLE, SHAPES
from vla_sim.errors import PlanInvalid, Refused, nearest
from vla_sim.stages.schema import SchemaViolation, check
from vla_sim.stages.vocabulary import CONTAINERS, VERBS
from vla_sim.types import Intent, ObjectQuery, Plan, PlanStep

MAX_STEPS, MAX_TEXT = 16, 200


def _step(kind: str, action: str, *required: str, shapes: Sequence[str] = (), text: bool = False) -> dict[str, Any]:
    properties: dict[str, Any] = {"kind": {"const": kind}, "action": {"const": action}}
    if shapes:
        colour = {"type": ["string", "null"], "enum": [*COLOURS, None]}
        shape = {"type": "string", "enum": list(shapes)}
        properties["target"] = {
            "type": "object",
            "properties": {"shape": shape, "colour": colour},
            "required": ["shape"],
            "additionalProperties": False,
        }
    if text:
        properties["text"] = {"type": "string", "minLength": 1, "maxLength": MAX_TEXT}
    return {
        "type": "object",
        "properties": properties,
        "required": ["kind", "action", *required],
        "additionalProperties": False,
    }


# What a plan looks like as plain data; a JSON Schema, so that a language model can be asked to follow it.
# The target of `place` is the destination: what is placed is what was picked before.
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "steps": {
            "type": "array",
            "minItems": 1,
            "maxItems": MAX_STEPS,
            "items": {
                "discriminator": {"propertyName": "action"},
                "oneOf": [
                    _step("perceive", "locate", "target", shapes=tuple(SHAPES)),
                    _step("manipulate", "pick", "target", shapes=GRASPABLE),
                    _step("manipulate", "place", "target", shapes=CONTAINERS),
                    _step("manipulate", "stop"),
                    _step("communicate", "say", "text", text=True),
                ],
            },
        }
    },
    "required": ["steps"],
    "additionalProperties": False,
}


class RulePlanner:
    """Plans by rule: find it, take it, find where it goes, put it there, say so."""

    def __call__(self, intent: Intent) -> Plan:
        """A valid plan.

        Raises Refused("planning", ...) for an intent that lacks something, PlanInvalid for one that names no object.
        """
        plan = Plan(tuple(_steps(intent)))
        validate(plan)
        return plan


def _steps(intent: Intent) -> Iterator[PlanStep]:
    if intent.verb == "stop":
        yield PlanStep("manipulate", "stop")
        return
    if intent.verb not in VERBS:
        raise Refused("planning", f"no plan for the verb {intent.verb!r}", nearest(intent.verb, VERBS))
    if intent.target is None:
        raise Refused("planning", f"{intent.verb} needs a target", nearest("", GRASPABLE))
    yield PlanStep("perceive", "locate", intent.target)
    yield PlanStep("manipulate", "pick", intent.target)
    if intent.verb == "place":
        if intent.destination is None:
            raise Refused("planning", "place needs a destination", nearest("", CONTAINERS))
        yield PlanStep("perceive", "locate", intent.destination)
        yield PlanStep("manipulate", "place", intent.destination)
    yield PlanStep("communicate", "say", text="done")


def to_dict(plan: Plan) -> dict[str, Any]:
    """Plain data that follows `SCHEMA`; fields a step does not use are left out."""
    steps: list[dict[str, Any]] = []
    for step in plan.steps:
        plain: dict[str, Any] = {"kind": step.kind, "action": step.action}
        if step.target is not None:
            plain["target"] = {"shape": step.target.shape, "colour": step.target.colour}
        if step.text:
            plain["text"] = step.text
        steps.append(plain)
    return {"steps": steps}


def from_dict(data: Any) -> Plan:
    """A plan out of data nobody vouches for, as a language model might answer.

    Raises PlanInvalid with the index of the offending step (0 when it is the plan as a whole) and one line that says
    what is wrong with it.
    """
    try:
        check(data, SCHEMA)
    except SchemaViolation as error:
        raise _as_plan_error(error) from None
    steps = []
    for plain in data["steps"]:
        target = plain.get("target")
        query = None if target is None else ObjectQuery(target["shape"], target.get("colour"))
        steps.append(PlanStep(plain["kind"], plain["action"], query, plain.get("text", "")))
    plan = Plan(tuple(steps))
    _check_order(plan)
    return plan


def validate(plan: Plan) -> None:
    """Raise PlanInvalid for a plan that does not follow `SCHEMA`, or whose steps cannot follow each other."""
    from_dict(to_dict(plan))


def _as_plan_error(error: SchemaViolation) -> PlanInvalid:
    if len(error.path) >= 2 and isinstance(error.path[1], int):
        field = ".".join(map(str, error.path[2:]))
        return PlanInvalid(error.path[1], f"{field}: {error.problem}" if field else error.problem)
    field = ".".join(map(str, error.path)) or "the plan"
    return PlanInvalid(0, f"{field}: {error.problem}")


def _check_order(plan: Plan) -> None:
    """The steps as a story: what is picked was located, what is placed was picked, one object in all."""
    located: set[ObjectQuery | None] = set()
    picked: ObjectQuery | None = None
    placed = False
    for i, step in enumerate(plan.steps):
        if step.action == "locate":
            located.add(step.target)
        elif step.action == "stop" and any(other.action in ("pick", "place") for other in plan.steps):
            raise PlanInvalid(i, "stop stands alone: a plan that stops moves nothing")
        elif step.action in ("pick", "place") and step.target not in located:
            raise PlanInvalid(i, f"{step.action}: the {step.target} was not located before")
        elif step.action == "pick":
            if picked is not None:
                raise PlanInvalid(i, f"pick: the {picked} was picked before; a plan handles one object")
            picked = step.target
        elif step.action == "place":
            if picked is None:
                raise PlanInvalid(i, "place: nothing was picked before")
            if placed:
                raise PlanInvalid(i, f"place: the {picked} was placed before")
            placed = True
    if not any(step.kind == "manipulate" for step in plan.steps):
        raise PlanInvalid(len(plan.steps) - 1, "the plan does nothing; it needs a pick, a place or a stop")
