"""What perception still finds in an image that went over the wire."""

from __future__ import annotations

import envs
from vla_sim.deployment.wire import Wire
from vla_sim.stages.perception import ColourShapeDetector


def test_a_far_object_is_found_in_what_arrives() -> None:
    """With half the chroma, JPEG's default, four in five of these were lost."""
    env = envs.make("VlaSim/PickMoving-v0")
    wire, detect = Wire(), ColourShapeDetector()
    found = 0
    for seed in range(20):
        env.restart(seed)
        query = env.world.layout.target.query
        arrived = wire.decode(wire.encode(env.capture("head")))
        found += any((d.shape, d.colour) == (query.shape, query.colour) for d in detect(arrived).items)
    env.close()
    assert found >= 18
