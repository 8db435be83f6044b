"""Reading what a language model wrote: whatever it is, it is a plan of the user's deed or it is unusable."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.stages.test_planner import anything, intents
from vla_sim.stages.llm.answer import LONGEST_ANSWER, Unusable, read
from vla_sim.stages.planner import RulePlanner, to_dict
from vla_sim.types import Intent, ObjectQuery, Plan, PlanStep

CUBE, MUG, TRAY = ObjectQuery("cube", "red"), ObjectQuery("mug"), ObjectQuery("tray")
FETCH = RulePlanner()(Intent("fetch", MUG, place="kitchen", deliver_to="person"))
GO, LOCATE, PICK, BACK, HAND_OVER, SAY = FETCH.steps
GOOD = json.dumps(to_dict(FETCH))


@given(
    intents, st.sampled_from(["{}", " {}\n", "```json\n{}\n```", "```\n{}```", "Here: {} Done.", "<think>no</think>{}"])
)
def test_a_good_plan_is_found_in_any_wrapping(intent: Intent, wrapping: str) -> None:
    plan = RulePlanner()(intent)
    text = wrapping.replace("{}", json.dumps(to_dict(plan)))
    assert read(text, plan) == plan


@given(st.text(alphabet='{}[]":,`\\n abcsteps019-', max_size=60) | anything.map(json.dumps))
def test_anything_else_is_unusable_with_one_line(text: str) -> None:
    with pytest.raises(Unusable) as caught:
        read(text, FETCH)
    assert caught.value.reason in ("nonsense", "invalid")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    "text",
    ["{" * 100_000, '{"a":' * 20_000, "[" * 100_000, '{"steps": ' + "9" * 10_000 + "}", "```" * 30_000, "\ud800", ""],
)
def test_absurd_texts_are_only_unusable(text: str) -> None:
    with pytest.raises(Unusable):
        read(text, FETCH)


def test_long_thoughts_before_an_answer_do_not_hide_it() -> None:
    assert read(f"<think>{'so {} ' * LONGEST_ANSWER}</think>{GOOD}", FETCH) == FETCH


def test_the_object_with_steps_is_taken_before_others() -> None:
    assert read(f'For {{"verb": "fetch"}} I would do {GOOD}', FETCH) == FETCH
    with pytest.raises(Unusable, match="unknown key 'verb'"):
        read('For {"verb": "fetch"} I would do nothing.', FETCH)


def written(*steps: PlanStep) -> str:
    return json.dumps(to_dict(Plan(steps)))


@pytest.mark.parametrize(
    "steps",
    [
        FETCH.steps,
        FETCH.steps[:-1],
        (PlanStep("communicate", "say", text="on my way"), *FETCH.steps),
        (GO, PlanStep("perceive", "locate", TRAY), *FETCH.steps[1:]),
        (BACK, *FETCH.steps),
    ],
)
def test_it_may_say_and_look_for_more(steps: tuple[PlanStep, ...]) -> None:
    assert read(written(*steps), FETCH) == Plan(steps)


@pytest.mark.parametrize(
    ("steps", "problem"),
    [
        ((PlanStep("navigate", "go_to", place="stairs"), *FETCH.steps), "did not ask to go_to 'stairs'"),
        ((PlanStep("navigate", "follow"),), "did not ask to follow"),
        ((PlanStep("manipulate", "stop"),), "did not ask to stop"),
        (
            (GO, PlanStep("perceive", "locate", CUBE), PlanStep("manipulate", "pick", CUBE), BACK, HAND_OVER),
            "did not ask to pick the red cube",
        ),
        ((GO, LOCATE, PICK, BACK, SAY), "asked to hand_over, too"),
        ((GO, SAY), "asked to pick the mug, too"),
        ((*FETCH.steps, GO), "the last thing to do is to hand_over"),
    ],
)
def test_it_moves_the_robot_to_nothing_the_user_did_not_want(steps: tuple[PlanStep, ...], problem: str) -> None:
    with pytest.raises(Unusable) as caught:
        read(written(*steps), FETCH)
    assert caught.value.reason == "unasked"
    assert problem in caught.value.problem


@pytest.mark.parametrize("change", [{"steps": []}, {"steps": [1]}, {"stps": []}, {"steps": "go"}])
def test_what_breaks_the_contract_is_invalid(change: Any) -> None:
    with pytest.raises(Unusable) as caught:
        read(json.dumps(change), FETCH)
    assert caught.value.reason == "invalid"
    assert caught.value.problem.startswith("plan step 0: ")
