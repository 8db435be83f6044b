"""Caches of a stage's answers, in simulated time: least recently used, least frequently used, and adaptive (ARC)."""

from __future__ import annotations

import dataclasses
import math
from collections import OrderedDict
from collections.abc import Callable, Iterator, MutableMapping
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol, get_args

from cachetools import LFUCache, LRUCache

from vla_sim.clock import to_ns
from vla_sim.deployment.cache_keys import ExactKeys, Keys, Kind, SimilarKeys
from vla_sim.errors import ConfigError, nearest

Policy = Literal["lru", "lfu", "adaptive"]


class _Missing:
    def __repr__(self) -> str:
        return "MISSING"


MISSING: Final = _Missing()  # None may be an answer


@dataclass(frozen=True)
class CacheSpec:
    """A cache of one stage's answers at one site.

    `key` "similar" answers a frame with what was seen in a similar one (see `vla_sim.deployment.cache_keys`), "exact"
    only the very same input. Raises ConfigError for what is no cache.
    """

    policy: Policy
    capacity: int  # answers
    ttl_s: float | None = None  # how long an answer may be given after it was made; None = for ever
    key: Kind = "exact"
    hit_ms: float = 0.2  # time an answer from the cache takes; a placeholder

    def __post_init__(self) -> None:
        for name, kind in (("policy", Policy), ("key", Kind)):
            word = getattr(self, name)
            if word not in get_args(kind):
                raise ConfigError(name, f"unknown {word!r}", nearest(str(word), get_args(kind)))
        if self.capacity < 1:
            raise ConfigError("capacity", f"must be at least 1, got {self.capacity}", "leave the cache out instead")
        if self.ttl_s is not None and not 0 < self.ttl_s < math.inf:
            raise ConfigError("ttl_s", f"must be a positive number of seconds, got {self.ttl_s:g}", "null = for ever")
        if not 0 <= self.hit_ms < math.inf:
            raise ConfigError("hit_ms", f"must not be negative or infinite, got {self.hit_ms:g}")


class Store(Protocol):
    """Keeps values under keys, as many as it can and for as long as it may."""

    hits: int
    misses: int

    def get(self, key: str) -> Any:
        """The value put under `key`, or MISSING; counted as a hit or a miss."""

    def put(self, key: str, value: Any) -> None:
        """Keep a value, in place of another if there is no room; a key that is known gets the new value."""

    def __len__(self) -> int: ...


class TimedStore:
    """A store by `policy` whose entries live less than `ttl_ns` from when they were put; a hit does not renew them.

    `now_ns` tells the time, which never goes back.
    """

    def __init__(self, policy: Policy, capacity: int, ttl_ns: int | None, now_ns: Callable[[], int]) -> None:
        self._entries: MutableMapping[str, Any] = _MAPPINGS[policy](capacity)
        self._capacity, self._ttl_ns, self._now_ns = capacity, ttl_ns, now_ns
        self._ends_ns: OrderedDict[str, int] = OrderedDict()  # in the order they come
        self.hits = self.misses = 0

    def get(self, key: str) -> Any:
        self._expire()
        try:
            value = self._entries[key]
        except KeyError:
            self.misses += 1
            return MISSING
        self.hits += 1
        return value

    def put(self, key: str, value: Any) -> None:
        self._expire()
        self._entries[key] = value
        if self._ttl_ns is None:
            return
        self._ends_ns[key] = self._now_ns() + self._ttl_ns
        self._ends_ns.move_to_end(key)
        if len(self._ends_ns) > 2 * self._capacity:  # most are of entries that had to make room
            self._ends_ns = OrderedDict((k, end) for k, end in self._ends_ns.items() if k in self._entries)

    def __contains__(self, key: object) -> bool:
        self._expire()
        return key in self._entries

    def __len__(self) -> int:
        self._expire()
        return len(self._entries)

    def _expire(self) -> None:
        """Entries whose time is over make room before others that are still good would have to."""
        now_ns = self._now_ns()
        while self._ends_ns:
            key = next(iter(self._ends_ns))
            if self._ends_ns[key] > now_ns:
                return
            del self._ends_ns[key]
            if key in self._entries:
                del self._entries[key]


class AdaptiveMapping(MutableMapping[str, Any]):
    """ARC, the adaptive replacement cache of Megiddo and Modha (FAST 2003), split into looking up and putting.

    Entries asked for once and entries asked for again are kept in two lists, oldest first. The keys of entries that had
    to go are remembered in two more ("ghosts"): one that comes back shows which list was too short, and moves
    `target`, the length wanted of the first.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.target = 0.0  # p in the paper
        self._once: OrderedDict[str, Any] = OrderedDict()  # T1
        self._again: OrderedDict[str, Any] = OrderedDict()  # T2
        self._once_ghosts: OrderedDict[str, None] = OrderedDict()  # B1
        self._again_ghosts: OrderedDict[str, None] = OrderedDict()  # B2

    @property
    def ghosts(self) -> int:
        """Keys remembered without their entries: at most `capacity` together with those asked for once."""
        return len(self._once_ghosts) + len(self._again_ghosts)

    def __getitem__(self, key: str) -> Any:
        value = self._once.pop(key) if key in self._once else self._again.pop(key)
        self._again[key] = value
        return value

    def __setitem__(self, key: str, value: Any) -> None:
        again = key in self
        if again:
            del self[key]
        elif key in self._once_ghosts:
            again = True
            step = max(len(self._again_ghosts) / len(self._once_ghosts), 1.0)
            self.target = min(self.target + step, float(self.capacity))
            self._make_room(known_again=False)
            del self._once_ghosts[key]
        elif key in self._again_ghosts:
            again = True
            step = max(len(self._once_ghosts) / len(self._again_ghosts), 1.0)
            self.target = max(self.target - step, 0.0)
            self._make_room(known_again=True)
            del self._again_ghosts[key]
        else:
            self._make_room_for_new()
        (self._again if again else self._once)[key] = value

    def __delitem__(self, key: str) -> None:
        del (self._once if key in self._once else self._again)[key]

    def __contains__(self, key: object) -> bool:
        return key in self._once or key in self._again

    def __iter__(self) -> Iterator[str]:
        yield from self._once
        yield from self._again

    def __len__(self) -> int:
        return len(self._once) + len(self._again)

    def _make_room_for_new(self) -> None:
        """Case IV of the paper: nothing is known of the key."""
        once = len(self._once) + len(self._once_ghosts)
        if once >= self.capacity:
            if not self._once_ghosts:
                self._once.popitem(last=False)
                return
            self._once_ghosts.popitem(last=False)
        elif len(self) + self.ghosts >= 2 * self.capacity:
            self._again_ghosts.popitem(last=False)
        self._make_room(known_again=False)

    def _make_room(self, *, known_again: bool) -> None:
        """The paper's REPLACE; `known_again`: the key to come is a ghost of one that was asked for again."""
        if len(self) < self.capacity:
            return
        n_once = len(self._once)
        too_long = n_once > self.target or (known_again and n_once == self.target)
        if self._once and (too_long or not self._again):
            self._once_ghosts[self._once.popitem(last=False)[0]] = None
        else:
            self._again_ghosts[self._again.popitem(last=False)[0]] = None


_MAPPINGS: dict[Policy, Callable[[int], MutableMapping[str, Any]]] = {
    "lru": LRUCache,
    "lfu": LFUCache,
    "adaptive": AdaptiveMapping,
}


class Cache:
    """What a site remembers of one stage: answers by the questions they answer."""

    def __init__(self, spec: CacheSpec, store: Store, keys: Keys) -> None:
        self.spec, self.store = spec, store
        self._keys = keys

    @property
    def hit_s(self) -> float:
        """Time an answer from the cache takes, s."""
        return self.spec.hit_ms / 1e3

    @property
    def hits(self) -> int:
        return self.store.hits

    @property
    def misses(self) -> int:
        return self.store.misses

    def __len__(self) -> int:
        return len(self.store)

    def recall(self, question: Any) -> Any:
        """The answer to `question`, or MISSING. It has the time stamp of the question, as a computed one would."""
        answer = self.store.get(self._keys.find(question))
        if hasattr(question, "time_s") and dataclasses.is_dataclass(answer) and hasattr(answer, "time_s"):
            return dataclasses.replace(answer, time_s=question.time_s)  # type: ignore[type-var]
        return answer

    def remember(self, question: Any, answer: Any) -> None:
        """Keep an answer."""
        self.store.put(self._keys.assign(question), answer)


def build(spec: CacheSpec, now_s: Callable[[], float]) -> Cache:
    """An empty cache on a clock, whose time is given to the nanosecond."""
    ttl_ns = None if spec.ttl_s is None else to_ns(spec.ttl_s)
    store = TimedStore(spec.policy, spec.capacity, ttl_ns, lambda: to_ns(now_s()))
    if spec.key == "exact":
        return Cache(spec, store, ExactKeys())
    # Names outlive entries: the adaptive policy knows its ghosts by them.
    return Cache(spec, store, SimilarKeys(2 * spec.capacity, store.__contains__))
