"""Plan: from what the user wants to an ordered list of steps, and the contract of every plan, whoever made it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from vla_sim.catalogue import COLOURS, GRASPABLE, SHAPES
from vla_sim.errors import PlanInvalid, Refused, nearest
from vla_sim.stages.schema import SchemaViolation, check
from vla_sim.stages.vocabulary import CONTAINERS, VERBS
from vla_sim.types import Intent, ObjectQuery, Plan, PlanStep

MAX_STEPS, MAX_TEXT, MAX_PLACE = 16, 200, 60
MOVES = ("navigate", "manipulate")  # kinds of steps that move something, or stop it


def _step(kind: str, action: str, *required: str, shapes: Sequence[str] = ()) -> dict[str, Any]:
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
    for name, longest in (("text", MAX_TEXT), ("place", MAX_PLACE)):
        if name in required:
            properties[name] = {"type": "string", "minLength": 1, "maxLength": longest}
    return {
        "type": "object",
        "properties": properties,
        "required": ["kind", "action", *required],
        "additionalProperties": False,
    }


# What a plan looks like as plain data; a JSON Schema, so that a language model can be asked to follow it.
# The target of `place` is the destination: what is placed, or handed over, is what was picked before.
# The place of `go_to` is a room or surface of the site map, "person" or "start": where the robot stood before the plan.
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
                    _step("navigate", "go_to", "place"),
                    _step("navigate", "follow"),
                    _step("perceive", "locate", "target", shapes=tuple(SHAPES)),
                    _step("manipulate", "pick", "target", shapes=GRASPABLE),
                    _step("manipulate", "place", "target", shapes=CONTAINERS),
                    _step("manipulate", "hand_over"),
                    _step("manipulate", "reach", "target", shapes=GRASPABLE),
                    _step("manipulate", "stop"),
                    _step("communicate", "say", "text"),
                ],
            },
        }
    },
    "required": ["steps"],
    "additionalProperties": False,
}


class RulePlanner:
    """Plans by rule: go there, find it, take it, bring it, find where it goes, put it there, say so."""

    def __call__(self, intent: Intent) -> Plan:
        """A valid plan; whether a scene has its places is told by `vla_sim.stages.places.check_places`.

        Raises Refused("planning", ...) for an intent that lacks something, PlanInvalid for one that names no object.
        """
        if intent.verb not in VERBS:
            raise Refused("planning", f"no plan for the verb {intent.verb!r}", nearest(intent.verb, VERBS))
        plan = Plan(tuple(_steps(intent)))
        validate(plan)
        return plan


def _steps(intent: Intent) -> Iterator[PlanStep]:
    if intent.verb == "stop":
        yield PlanStep("manipulate", "stop")
    elif intent.verb == "follow":
        yield PlanStep("navigate", "follow")
    else:
        yield from _go(intent) if intent.verb == "go" else _handle(intent)
        yield PlanStep("communicate", "say", text="done")


def _go(intent: Intent) -> Iterator[PlanStep]:
    if not intent.place:
        raise Refused("planning", "go needs a place", "say where to, for example 'go to the kitchen'")
    yield _go_to(intent.place)


def _handle(intent: Intent) -> Iterator[PlanStep]:
    if intent.target is None:
        raise Refused("planning", f"{intent.verb} needs a target", nearest("", GRASPABLE))
    if intent.verb == "place" and intent.destination is None:
        raise Refused("planning", "place needs a destination", nearest("", CONTAINERS))
    if intent.place:
        yield _go_to(intent.place)
    yield PlanStep("perceive", "locate", intent.target)
    if intent.verb == "reach":
        yield PlanStep("manipulate", "reach", intent.target)
        return
    yield PlanStep("manipulate", "pick", intent.target)
    yield from _deliver(intent)


def _deliver(intent: Intent) -> Iterator[PlanStep]:
    """What is done with the object in hand."""
    to_person = intent.deliver_to == "person"
    if intent.deliver_to and (to_person or intent.deliver_to != intent.place):
        yield _go_to(intent.deliver_to)
    if to_person and intent.destination is not None:
        raise Refused("planning", "an object is handed over or put in a tray, not both", "name one of the two")
    if to_person:
        yield PlanStep("manipulate", "hand_over")
    if intent.destination is not None:
        yield PlanStep("perceive", "locate", intent.destination)
        yield PlanStep("manipulate", "place", intent.destination)


def _go_to(place: str) -> PlanStep:
    return PlanStep("navigate", "go_to", place=place)


def to_dict(plan: Plan) -> dict[str, Any]:
    """Plain data that follows `SCHEMA`; fields a step does not use are left out."""
    steps: list[dict[str, Any]] = []
    for step in plan.steps:
        plain: dict[str, Any] = {"kind": step.kind, "action": step.action}
        if step.target is not None:
            plain["target"] = {"shape": step.target.shape, "colour": step.target.colour}
        if step.text:
            plain["text"] = step.text
        if step.place:
            plain["place"] = step.place
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
        text, place = plain.get("text", ""), plain.get("place", "")
        steps.append(PlanStep(plain["kind"], plain["action"], query, text, place))
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
    """The steps as a story that can be told."""
    story = _Story(moves=any(step.kind in MOVES and step.action != "stop" for step in plan.steps))
    for i, step in enumerate(plan.steps):
        problem = story.problem(step)
        if problem:
            raise PlanInvalid(i, problem)
        story.tell(step)
    if not any(step.kind in MOVES for step in plan.steps):
        last = len(plan.steps) - 1
        raise PlanInvalid(last, "the plan does nothing; it needs to go, follow, pick, place, hand over, reach or stop")


@dataclass
class _Story:
    """How far a plan has come. What is handled was located where the robot is now; one object in all."""

    moves: bool  # whether the whole plan has a step that moves something
    here: str = ""  # the place gone to last
    located: set[ObjectQuery | None] = field(default_factory=set)
    picked: ObjectQuery | None = None
    parted: str = ""  # how the picked object left the hand
    following: bool = False

    def problem(self, step: PlanStep) -> str:
        """Why `step` cannot come now; empty when it can."""
        if self.following:
            return f"{step.action}: nothing comes after follow, which ends only with a stop"
        if step.action == "stop" and self.moves:
            return "stop stands alone: a plan that stops moves nothing"
        if step.action == "follow" and self.picked is not None and not self.parted:
            return f"follow: the {self.picked} is still in the hand"
        if step.action in ("pick", "place", "reach") and step.target not in self.located:
            return f"{step.action}: the {step.target} was not located before{', at this place' if self.here else ''}"
        if step.action in ("pick", "reach") and self.picked is not None:
            return f"{step.action}: the {self.picked} was picked before; a plan handles one object"
        if step.action in ("place", "hand_over"):
            return self._problem_of_parting(step.action)
        return ""

    def _problem_of_parting(self, action: str) -> str:
        if self.picked is None:
            return f"{action}: nothing was picked before"
        if self.parted:
            return f"{action}: the {self.picked} was {self.parted} before"
        if action == "hand_over" and self.here != "person":
            return "hand_over: needs a go_to with the place 'person' before it"
        return ""

    def tell(self, step: PlanStep) -> None:
        """Take in a step without a problem."""
        if step.action == "go_to":
            self.here = step.place
            self.located.clear()
        elif step.action == "locate":
            self.located.add(step.target)
        elif step.action == "pick":
            self.picked = step.target
        elif step.action in ("place", "hand_over"):
            self.parted = "placed" if step.action == "place" else "handed over"
        self.following = self.following or step.action == "follow"
