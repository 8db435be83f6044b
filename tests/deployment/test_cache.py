"""Caches: what they promise whatever is asked of them, and hit rates beside what theory says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq

from vla_sim.clock import NS, VirtualClock
from vla_sim.deployment.cache import MISSING, AdaptiveMapping, Cache, CacheSpec, Policy, Store, build
from vla_sim.errors import ConfigError
from vla_sim.mapping import read
from vla_sim.rng import stream
from vla_sim.types import Array, Detections, Frame, Intent, Intrinsics, ObjectQuery

POLICIES: tuple[Policy, ...] = get_args(Policy)
N_KEYS, CAPACITY = 200, 20
policies = st.sampled_from(POLICIES)
traces = st.lists(st.integers(0, 12), max_size=120)


def at_zero() -> float:
    return 0.0


def store(policy: Policy, capacity: int) -> Store:
    return build(CacheSpec(policy, capacity), at_zero).store


def ask(cache: Store, key: str) -> bool:
    """Whether it was a hit; what is missed is computed and kept."""
    hit = cache.get(key) is not MISSING
    if not hit:
        cache.put(key, key)
    return hit


def zipf(n: int = N_KEYS, exponent: float = 1.0) -> Array:
    """[n] popularity of keys, most popular first."""
    weight = 1.0 / np.arange(1, n + 1) ** exponent
    return weight / weight.sum()


def draws(popularity: Array, n: int, name: str = "requests") -> list[str]:
    """Requests by the independent reference model."""
    return [str(key) for key in stream(0, 0, name).choice(len(popularity), n, p=popularity)]


def hit_rate(cache: Store, requests: Sequence[str], warm: int = 0) -> float:
    hits = [ask(cache, key) for key in requests]
    return float(np.mean(hits[warm:]))


# Whatever is asked


@given(policies, st.integers(1, 6), traces)
def test_never_holds_more_than_its_capacity_and_gives_back_what_was_put(
    policy: Policy, capacity: int, trace: list[int]
) -> None:
    cache, newest = store(policy, capacity), dict[str, int]()
    for turn, number in enumerate(trace):
        key = str(number)
        value = cache.get(key)
        assert value is MISSING or value == newest[key]
        if value is MISSING or turn % 3 == 0:  # an answer may also come when another has come meanwhile
            newest[key] = turn
            cache.put(key, turn)
            assert cache.get(key) == turn
        assert len(cache) <= capacity
    assert cache.get("never asked") is MISSING


@given(policies, traces)
def test_a_cache_as_large_as_the_world_misses_each_key_once(policy: Policy, trace: list[int]) -> None:
    cache = store(policy, 13)
    for number in trace:
        ask(cache, str(number))
    assert (cache.misses, cache.hits) == (len(set(trace)), len(trace) - len(set(trace)))


def test_what_makes_room() -> None:
    lru, lfu = store("lru", 2), store("lfu", 2)
    for cache in (lru, lfu):
        for key in "aaab":
            ask(cache, key)
        ask(cache, "b")
        ask(cache, "c")
    assert (lru.get("a"), lru.get("b")) == (MISSING, "b")
    assert (lfu.get("a"), lfu.get("b")) == ("a", MISSING)


@given(policies, st.lists(st.tuples(st.integers(0, 5), st.integers(0, 4)), max_size=80), st.integers(1, 8))
def test_an_answer_lives_to_its_last_nanosecond(policy: Policy, trace: list[tuple[int, int]], ttl_ns: int) -> None:
    clock, now_ns = VirtualClock(), 0
    cache = build(CacheSpec(policy, 6, ttl_ns / NS), lambda: clock.now_s)
    put_ns: dict[str, int] = {}
    for number, wait_ns in trace:
        now_ns += wait_ns
        clock.call_at_ns(now_ns, lambda: None)
        clock.run(lambda: False)
        key = str(number)
        good = key in put_ns and now_ns - put_ns[key] < ttl_ns
        assert (cache.store.get(key) is not MISSING) is good
        if not good:
            cache.store.put(key, 1)
            put_ns[key] = now_ns
        assert len(cache) == sum(now_ns - put < ttl_ns for put in put_ns.values())


@pytest.mark.parametrize("policy", POLICIES)
def test_expired_answers_make_room_before_good_ones(policy: Policy) -> None:
    now = [0.0]
    cache = build(CacheSpec(policy, 2, 1.0), lambda: now[0]).store
    for _ in range(5):
        ask(cache, "old")  # often asked for, but over soon
    now[0] = 0.9
    ask(cache, "young")
    now[0] = 1.0
    ask(cache, "new")
    assert cache.get("young") == "young"
    assert cache.get("old") is MISSING


def test_memory_stays_bounded_when_answers_live_long() -> None:
    now = [0.0]
    cache = build(CacheSpec("lru", 3, 1e6), lambda: now[0]).store
    for i in range(1000):
        now[0] += 1.0
        ask(cache, str(i))
    assert len(cache._ends_ns) <= 6  # type: ignore[attr-defined]


# Theory


def che_hit_rate(popularity: Array, capacity: int) -> float:
    """Che, Tung and Wang (2002): a key is there if it was asked for within the cache's characteristic time."""

    def excess(time: float) -> float:
        return float((1 - np.exp(-popularity * time)).sum()) - capacity

    time = brentq(excess, 1e-6, 1e9)
    return float((popularity * (1 - np.exp(-popularity * time))).sum())


@pytest.mark.parametrize(("exponent", "capacity"), [(0.8, 40), (1.0, 20), (1.2, 10)])
def test_lru_hits_as_often_as_che_says(exponent: float, capacity: int) -> None:
    popularity = zipf(exponent=exponent)
    measured = hit_rate(store("lru", capacity), draws(popularity, 40_000), warm=2_000)
    assert measured == pytest.approx(che_hit_rate(popularity, capacity), abs=0.01)


def test_lfu_keeps_the_most_popular_in_the_long_run() -> None:
    """Counts of what is not there are forgotten, so one place is left to whatever was asked for last."""
    popularity = zipf()
    cache = store("lfu", CAPACITY)
    for key in range(CAPACITY - 1):
        for _ in range(10_000):
            ask(cache, str(key))
    rest = popularity[CAPACITY - 1 :]
    theory = popularity[: CAPACITY - 1].sum() + (rest**2).sum() / rest.sum()
    assert hit_rate(cache, draws(popularity, 40_000)) == pytest.approx(theory, abs=0.01)


def test_from_cold_lfu_and_adaptive_come_nearer_to_the_best_than_lru() -> None:
    popularity = zipf()
    best = popularity[:CAPACITY].sum()
    requests = draws(popularity, 40_000)
    lru, lfu, arc = (hit_rate(store(policy, CAPACITY), requests, warm=2_000) for policy in POLICIES)
    assert lru + 0.05 < arc < best
    assert lru + 0.05 < lfu < best
    assert lfu > 0.88 * best


def test_hits_of_a_cache_that_only_forgets() -> None:
    """Poisson requests at rate r and answers that live T: one miss is followed by r T hits on average."""
    popularity, rate_hz, ttl_s, n = zipf(50), 20.0, 3.0, 40_000
    now = [0.0]
    cache = build(CacheSpec("lru", 1000, ttl_s), lambda: now[0]).store
    gaps = stream(0, 0, "gaps").exponential(1 / rate_hz, n)
    hits = []
    for key, gap in zip(draws(popularity, n), gaps, strict=True):
        now[0] += gap
        hits.append(ask(cache, key))
    per_life = popularity * rate_hz * ttl_s
    theory = float((popularity * per_life / (1 + per_life)).sum())
    assert float(np.mean(hits)) == pytest.approx(theory, abs=0.01)


def loop_and_scan() -> Iterator[str]:
    """A few keys over and over, and now and then a long row of keys that never come again."""
    rng, scanned = stream(0, 0, "loop"), 0
    for _ in range(40):
        yield from (f"hot {i}" for i in rng.integers(0, 30, 300))
        yield from (f"once {i}" for i in range(scanned, scanned + 100))
        scanned += 100


def test_adaptive_is_not_flooded_by_a_scan() -> None:
    requests = list(loop_and_scan())
    lru, arc = hit_rate(store("lru", 50), requests), hit_rate(store("adaptive", 50), requests)
    possible = 0.75 - 30 / len(requests)
    assert arc == pytest.approx(possible, abs=0.005)
    assert lru < possible - 0.05


# The adaptive policy by a second method: the paper's figure 4, on lists, a request at a time


class PaperArc:
    def __init__(self, c: int) -> None:
        self.c, self.p = c, 0.0
        self.t1: list[str] = []
        self.t2: list[str] = []
        self.b1: list[str] = []
        self.b2: list[str] = []

    def request(self, x: str) -> bool:
        hit = x in self.t1 or x in self.t2
        if hit:
            (self.t1 if x in self.t1 else self.t2).remove(x)
        elif x in self.b1:
            self.p = min(self.p + max(len(self.b2) / len(self.b1), 1), self.c)
            self.replace(x)
            self.b1.remove(x)
        elif x in self.b2:
            self.p = max(self.p - max(len(self.b1) / len(self.b2), 1), 0)
            self.replace(x)
            self.b2.remove(x)
        else:
            self.new(x)
            return False
        self.t2.append(x)
        return hit

    def new(self, x: str) -> None:
        l1, l2 = len(self.t1) + len(self.b1), len(self.t2) + len(self.b2)
        if l1 == self.c:
            if len(self.t1) < self.c:
                self.b1.pop(0)
                self.replace(x)
            else:
                self.t1.pop(0)
        elif l1 + l2 >= self.c:
            if l1 + l2 == 2 * self.c:
                self.b2.pop(0)
            self.replace(x)
        self.t1.append(x)

    def replace(self, x: str) -> None:
        if self.t1 and (len(self.t1) > self.p or (x in self.b2 and len(self.t1) == self.p)):
            self.b1.append(self.t1.pop(0))
        else:
            self.b2.append(self.t2.pop(0))


@given(st.integers(1, 6), st.lists(st.integers(0, 15), max_size=300))
def test_adaptive_is_the_paper_s(capacity: int, trace: list[int]) -> None:
    ours, theirs = AdaptiveMapping(capacity), PaperArc(capacity)
    for number in trace:
        key = str(number)
        hit = key in ours
        if hit:
            assert ours[key] == key
        else:
            ours[key] = key
        assert hit == theirs.request(key)
        assert list(ours) == theirs.t1 + theirs.t2
        assert ours.target == theirs.p
        assert ours.ghosts == len(theirs.b1) + len(theirs.b2)


@given(
    st.integers(1, 5),
    st.lists(st.tuples(st.sampled_from(["get", "put", "put", "del"]), st.integers(0, 12)), max_size=200),
)
def test_adaptive_stays_bounded_when_entries_are_taken_out(capacity: int, trace: list[tuple[str, int]]) -> None:
    cache = AdaptiveMapping(capacity)
    for what, number in trace:
        key = str(number)
        if what == "put":
            cache[key] = number
            assert cache[key] == number
        elif key in cache:
            assert cache[key] == number
            if what == "del":
                del cache[key]
                assert key not in cache
        assert len(cache) == len(list(cache)) <= capacity
        assert len(cache) + cache.ghosts <= 2 * capacity
        assert 0 <= cache.target <= capacity


def test_adaptive_knows_no_key_it_was_not_given() -> None:
    cache = AdaptiveMapping(2)
    with pytest.raises(KeyError):
        cache["a"]
    with pytest.raises(KeyError):
        del cache["a"]


# Questions and answers


def frame(time_s: float = 0.0) -> Frame:
    return Frame("head", time_s, np.zeros((24, 32, 3), np.uint8), Intrinsics.from_fov(32, 24, 1.0), np.eye(4))


def test_an_answer_recalled_has_the_time_of_its_question() -> None:
    cache = build(CacheSpec("lru", 4), at_zero)
    seen = Detections(1.0, ())
    assert cache.recall(frame(1.0)) is MISSING
    cache.remember(frame(1.0), seen)
    assert cache.recall(frame(1.0)) == seen
    assert cache.recall(frame(2.5)) == Detections(2.5, ())
    assert (cache.hits, cache.misses, len(cache)) == (2, 1, 1)


def test_none_is_an_answer_and_a_question_need_have_no_time() -> None:
    cache = build(CacheSpec("adaptive", 4, hit_ms=3.0), at_zero)
    intent = Intent("pick", ObjectQuery("cube", "red"))
    cache.remember(intent, None)
    assert cache.recall(Intent("pick", ObjectQuery("cube", "red"))) is None
    assert cache.recall(Intent("pick", ObjectQuery("cube", "blue"))) is MISSING
    assert cache.hit_s == pytest.approx(3e-3)


def test_two_caches_know_nothing_of_each_other() -> None:
    def rates(caches: Sequence[Cache]) -> list[int]:
        for key in draws(zipf(), 500):
            for cache in caches:
                ask(cache.store, key)
        return [cache.hits for cache in caches]

    alone = rates([build(CacheSpec("adaptive", 8), at_zero)])
    assert rates([build(CacheSpec("adaptive", 8), at_zero) for _ in range(2)]) == alone * 2


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"policy": "lur"}, "cache.policy: unknown 'lur'; did you mean 'lru'?"),
        ({"key": "similiar"}, "cache.key: unknown 'similiar'; did you mean 'similar'?"),
        ({"capacity": 0}, "cache.capacity: must be at least 1, got 0"),
        ({"ttl_s": 0.0}, "cache.ttl_s: must be a positive number of seconds, got 0"),
        ({"ttl_s": float("nan")}, "cache.ttl_s: must be a positive number of seconds, got nan"),
        ({"hit_ms": -1.0}, "cache.hit_ms: must not be negative or infinite, got -1"),
        ({"size": 3}, "cache.size: there is no such key"),
    ],
)
def test_what_is_no_cache_is_named(change: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(CacheSpec, {"policy": "lru", "capacity": 8, **change}, "cache")
    assert str(caught.value).startswith(complaint)


@pytest.mark.parametrize(("field", "value"), [("policy", "lur"), ("key", "similiar")])
def test_a_spec_made_in_code_is_checked_too(field: str, value: str) -> None:
    given: dict[str, Any] = {"policy": "lru", "capacity": 8, field: value}
    with pytest.raises(ConfigError, match="did you mean"):
        CacheSpec(**given)
