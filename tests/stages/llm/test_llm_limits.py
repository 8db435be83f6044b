"""A gate, a rate and a breaker: what they let through, told by a clock of the test's own."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from vla_sim.stages.llm.limits import WINDOW_S, Breaker, Gate, RateLimit

# Rate


@given(st.integers(1, 5), st.lists(st.tuples(st.integers(0, 40), st.integers(0, 90)), max_size=60))
def test_never_more_than_n_in_any_minute_and_never_a_needless_wait(n: int, asks: list[tuple[int, int]]) -> None:
    rate, now_s, starts = RateLimit(n), 0.0, list[float]()
    for gap_s, patience_s in asks:
        now_s += gap_s
        first_free_s = now_s if len(starts) < n else max(now_s, starts[-n] + WINDOW_S)
        wait_s = rate.book(now_s, patience_s)
        assert (wait_s is None) == (first_free_s - now_s > patience_s)
        if wait_s is not None:
            assert wait_s == first_free_s - now_s
            starts.append(first_free_s)
    assert starts == sorted(starts)
    assert all(later - earlier >= WINDOW_S for earlier, later in zip(starts, starts[n:], strict=False))


def test_a_hundred_a_minute() -> None:
    rate = RateLimit(100)
    waits = [rate.book(0.1 * i, 0.0) for i in range(130)]
    assert waits == [0.0] * 100 + [None] * 30
    assert rate.book(59.99, 0.0) is None
    assert rate.book(60.0, 0.0) == 0.0
    assert rate.book(60.0, 0.0) is None
    assert rate.book(60.11, 0.0) == 0.0


# Breaker


def test_opens_after_failures_in_a_row_and_tries_one_after_each_rest() -> None:
    breaker = Breaker(3, 10.0)
    for _ in range(2):
        breaker.failed(0.0)
    breaker.succeeded()
    for at_s in (1.0, 2.0):
        breaker.failed(at_s)
        assert breaker.allows(at_s)
    breaker.failed(3.0)
    assert [breaker.allows(at_s) for at_s in (3.0, 12.9, 13.0, 13.1, 22.9)] == [False, False, True, False, False]
    assert breaker.allows(23.0)  # nothing was heard of the trial
    breaker.failed(24.0)
    assert [breaker.allows(at_s) for at_s in (33.9, 34.0, 34.0)] == [False, True, False]
    breaker.succeeded()
    assert all(breaker.allows(34.0) for _ in range(5))
    breaker.failed(35.0)
    assert breaker.allows(35.0)


# Gate


async def idle() -> None:
    """Let all others come as far as they can."""
    for _ in range(20):
        await asyncio.sleep(0)


@given(st.integers(1, 3), st.lists(st.integers(0, 10), max_size=12), st.sets(st.integers(0, 11)))
def test_lets_so_many_through_and_the_most_urgent_first_though_some_give_up(
    places: int, priorities: list[int], quitters: set[int]
) -> None:
    gate, inside, most, order = Gate(places), 0, 0, list[int]()

    async def visit(number: int, priority: int, leave: asyncio.Event) -> None:
        nonlocal inside, most
        async with gate.place(priority):
            inside += 1
            most = max(most, inside)
            order.append(number)
            await leave.wait()
            inside -= 1

    async def all_visit() -> None:
        leave = asyncio.Event()
        first = [asyncio.create_task(visit(-1 - i, 10, leave)) for i in range(places)]
        await idle()
        later = [asyncio.create_task(visit(i, priority, leave)) for i, priority in enumerate(priorities)]
        await idle()
        assert gate.waiting == len(priorities)
        for i in quitters & set(range(len(later))):
            later[i].cancel()
        await idle()
        leave.set()
        await asyncio.gather(*first, *later, return_exceptions=True)

    asyncio.run(all_visit())
    staying = [i for i in range(len(priorities)) if i not in quitters]
    assert order[places:] == sorted(staying, key=lambda i: (-priorities[i], i))
    assert most == places
    assert gate.waiting == 0
    asyncio.run(_all_places_are_free(gate, places))


async def _all_places_are_free(gate: Gate, places: int) -> None:
    held = [gate.place(0) for _ in range(places)]
    for place in held:
        await asyncio.wait_for(place.__aenter__(), 1.0)
    for place in held:
        await place.__aexit__(None, None, None)


def test_a_place_given_to_one_who_gives_up_just_then_is_passed_on() -> None:
    async def scene() -> None:
        gate, leave = Gate(1), asyncio.Event()

        async def hold() -> None:
            async with gate.place(5):
                await leave.wait()

        holder = asyncio.create_task(hold())
        await idle()
        unlucky, next_one = asyncio.create_task(hold()), asyncio.create_task(hold())
        await idle()
        leave.set()
        while not holder.done():
            await asyncio.sleep(0)
        unlucky.cancel()  # it has its turn, but has not run since
        await asyncio.wait_for(asyncio.gather(unlucky, next_one, return_exceptions=True), 1.0)
        assert next_one.done()
        assert not next_one.cancelled()
        await _all_places_are_free(gate, 1)

    asyncio.run(scene())
