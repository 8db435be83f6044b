"""The smallest robot: joints that follow perfectly, a grey camera, no world. It serves the tests."""

from __future__ import annotations

import numpy as np

from vla_sim.spec import CameraSpec, RobotSpec
from vla_sim.types import Command, Frame, Intrinsics, Mode, Observation, RobotState, SiteMap, Verdict

INTRINSICS = Intrinsics.from_fov(32, 24, np.radians(70))


def mock_spec(control_rate_hz: float = 100.0) -> RobotSpec:
    """Two arm joints, one hand, one camera."""
    limit = np.full(2, 1.5)
    cameras = {"head": CameraSpec("head", INTRINSICS, depth=True, link="head")}
    return RobotSpec(
        "mock", control_rate_hz, ("ankle", "shoulder", "elbow"), ("shoulder", "elbow"), ("right",),
        -limit, limit, np.full(2, 4.0), cameras,
    )  # fmt: skip


class MockRobot:
    """A robot without a body. Its episode never ends by itself before `time_limit_s`."""

    def __init__(
        self, control_rate_hz: float = 100.0, time_limit_s: float = 2.0, instruction: str | None = None
    ) -> None:
        self._spec = mock_spec(control_rate_hz)
        self._time_limit_s, self._instruction = time_limit_s, instruction
        self.sent: list[Command] = []
        self.late_s: list[float] = []  # of each `act`
        self.stopped = ""
        self._targets = np.zeros(3)
        self._grips = np.ones(1)

    @property
    def spec(self) -> RobotSpec:
        return self._spec

    @property
    def instruction(self) -> str | None:
        return self._instruction

    def reset(self, seed: int) -> Observation:
        """Joints to zero. The seed changes nothing: there is no world to vary."""
        self.sent.clear()
        self.late_s.clear()
        self.stopped = ""
        self._targets, self._grips = np.zeros(3), np.ones(1)
        return self.observe()

    def observe(self, cameras: tuple[str, ...] = (), *, scan: bool = False) -> Observation:
        """State now; images are grey with nothing in reach of the depth camera."""
        now_s = len(self.sent) / self._spec.control_rate_hz
        state = RobotState(now_s, self._targets.copy(), np.zeros(3), self._grips.copy(), self._targets.copy())
        return Observation(state, {name: self._image(name, now_s) for name in cameras})

    def _image(self, name: str, now_s: float) -> Frame:
        i = self._spec.cameras[name].intrinsics
        rgb = np.full((i.height, i.width, 3), 128, np.uint8)
        return Frame(name, now_s, rgb, i, np.eye(4), np.full((i.height, i.width), np.inf, np.float32))

    def act(self, command: Command, late_s: float = 0.0) -> Command:
        """Follow at once, unless stopped or told to hold."""
        self._spec.check(command)
        self.late_s.append(late_s)
        if self.stopped or command.mode is not Mode.TRACK:
            return self.hold()
        self._targets[1:], self._grips = command.joints_rad, command.grips.copy()
        self.sent.append(command)
        return command

    def hold(self) -> Command:
        """Stay."""
        held = Command(self._targets[1:].copy(), self._grips.copy(), mode=Mode.HOLD)
        self.sent.append(held)
        return held

    def stop(self, reason: str) -> None:
        """Stay for good."""
        self.stopped = reason

    def verdict(self) -> Verdict | None:
        """`time_out` once the time is up."""
        over = len(self.sent) / self._spec.control_rate_hz >= self._time_limit_s
        return Verdict(False, "time_out") if over else None

    @property
    def site_map(self) -> SiteMap | None:
        return None

    def heard(self) -> str | None:
        """Nothing: nobody speaks to it."""

    def close(self) -> None:
        """Nothing to release."""
