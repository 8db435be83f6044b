"""The numbers of the walking controller and of its sensors. Units stand in the names; the defaults are measured.

`*_per_tick` are fractions taken over in one tick of 4 ms.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from vla_sim.errors import ConfigError

RATE_HZ = 250.0  # of the controller; its gains belong to it
PERIOD_S = 1.0 / RATE_HZ
GRAVITY_M_S2 = 9.81


@dataclass(frozen=True)
class WalkerConfig:
    """How the G1 walks. ConfigError for a value that cannot work."""

    # The gait
    step_time_s: float = 0.36  # nominal, from landing to landing
    double_support_s: float = 0.03  # in which the weight passes to the new foot
    com_height_m: float = 0.62  # of the centre of mass above the floor
    stand_height_m: float = 0.69  # of the centre of mass when it stands to work with its hands
    rise_m_s: float = 0.12  # from the height of the walk to that of standing
    sink_m_s: float = 0.25  # and back, before it steps
    step_width_m: float = 0.20  # between the feet's middles
    step_height_m: float = 0.06  # of the swing foot at its highest
    swing_up: float = 0.35  # part of a step in which the swing foot rises
    swing_down: float = 0.5  # ... and comes down
    toe_up_rad: float = 0.05  # by which the swing foot lifts its toe over what it might hit
    accel_ahead_m_s2: float = 0.4  # how fast the commanded velocity is taken up
    accel_aside_m_s2: float = 0.3
    accel_turn_rad_s2: float = 0.8
    halt_accel_m_s2: float = 4.0  # how fast it is given up in an emergency
    halt_step_time_s: float = 0.30  # nominal step time in an emergency
    astride_error_m: float = 0.055  # of the divergent component from the line between the feet: it can stop so
    astride_part: float = 0.25  # ... this part of the way from their middle to either
    astride_aside_m: float = 0.14  # ... and with the feet at least this far apart
    close_from_m: float = 0.06  # a step begun with the divergent component this near the standing foot is the last,
    close_time_s: float = 0.30  # takes this long,
    close_time_min_s: float = 0.26  # at least: a hastier one rocks the body
    close_ahead: float = 1.2  # and goes this part of the way to where the divergent component will be
    close_error_m: float = 0.06  # from the middle of the feet, for the stop to be over
    dead_band: float = 0.02  # m/s and rad/s: slower commands mean standing still

    # Footholds, relative to the standing foot
    foothold_ahead_max_m: float = 0.55
    foothold_aside_min_m: float = 0.09
    foothold_aside_max_m: float = 0.65
    turn_max_rad: float = 0.35  # of one step
    foothold_per_tick: float = 0.2  # of the way to the newly best foothold
    foothold_speed_max_m_s: float = 3.0
    foothold_fixed_from: float = 0.85  # part of the step after which the foothold stays
    swing_speed_max_m_s: float = 3.5
    search_m_s: float = 0.2  # speed at which a late foot feels for the floor
    search_max_m: float = 0.02
    landing_wait_s: float = 0.03  # for the load of a foot that should have landed
    landing_n: float = 20.0  # load that says it has

    edge_height_m: float = 0.012  # a foot this much above the last, from which the body falls back, stands on an edge
    edge_error_m: float = 0.15  # ... by this error of the divergent component
    edge_before_m: float = 0.04  # later footholds stay this far before it
    edge_beyond_m: float = 0.18  # ... or this far beyond
    edge_speed_m_s: float = 0.5  # ... and the steps get at least this fast
    edge_memory_s: float = 6.0
    climb_from_m: float = 0.008  # a foot that lifts from this far below the standing one,
    climb_height_m: float = 0.03  # or near a remembered edge, is lifted this much higher
    climb_toe_up_rad: float = 0.10
    climb_up: float = 0.22  # ... rises faster,
    climb_down: float = 0.35  # and comes down later

    # Step timing
    step_time_min_s: float = 0.18
    step_time_max_s: float = 0.42
    residual_weight: float = 100.0  # of what a step cannot catch, squared
    foothold_weight: float = 1.0  # of the distance from the nominal foothold, squared
    time_weight: float = 1.0  # of the difference from the nominal time, squared
    keep_m: float = 0.03  # a new time must be better by this squared

    # Centre of pressure
    cop_gain: float = 4.0  # of the divergent component's error, stepping
    cop_ahead_m: float = 0.05
    cop_aside_m: float = 0.02
    balance_cop_gain: float = 3.5  # on both feet
    balance_cop_ahead_m: float = 0.065
    balance_cop_aside_m: float = 0.12
    balance_cop_stagger: float = 0.4  # of the feet's distance ahead is added to the way the pressure may go
    com_pull_per_tick: float = 0.05  # the pendulum model follows what is measured
    sag_per_tick: float = 0.03  # ... on both feet but for a steady difference, which would drag it along
    upright_gain_per_s: float = 2.0

    # Observer of the divergent component
    observer_step_per_tick: float = 0.10
    observer_stand_per_tick: float = 0.20

    # Following the commanded path
    path_gain_per_s: float = 1.5
    path_lag_max_m: float = 0.25
    path_ahead_max_m_s: float = 0.10
    path_aside_max_m_s: float = 0.20
    foot_follow_per_tick: float = 0.05  # the standing foot's place follows the estimate

    height_follow_per_tick: float = 0.02  # ... and so does its height
    tilt_from_rad: float = 0.03  # a sole more askew than this stands on an edge, and
    tilt_per_tick: float = 0.05  # ... is held so,
    tilt_max_rad: float = 0.15  # by at most this
    balance_height_per_tick: float = 0.02  # of both feet: feet at odds with the floor would tilt the body
    ground_follow_per_tick: float = 0.01  # height of the floor that the centre of mass is held above

    # Standing
    stand_com_gain: float = 0.3
    stand_com_m_s: float = 0.02  # fastest it creeps
    shift_time_s: float = 0.6  # of the weight towards the first standing foot
    shift_short: float = 0.35  # of its way left out
    balance_from_m: float = 0.03  # error of the divergent component at which standing becomes balancing
    step_ahead_from_m: float = 0.075  # ... and balancing becomes a step
    step_aside_from_m: float = 0.10
    settle_time_s: float = 0.3  # after the start before balance is watched
    settle_m: float = 0.015
    settle_m_s: float = 0.06

    # Estimator
    gravity_gain: float = 0.03  # rad/s per rad between the accelerometer and up
    tilt_gain: float = 0.3  # rad/s per m/s between the legs' velocity and the integrated one
    gyro_bias_gain: float = 0.1
    velocity_rate_per_s: float = 4.0
    position_rate_per_s: float = 10.0
    contact_n: float = 30.0  # load from which a foot stands
    floor_pull: float = 0.3  # of a landing foot's height towards the floor the robot started on, against drift
    contact_age_s: float = 0.02  # before its odometry counts in full
    slip_m_s: float = 0.035  # a foot that seems to slide this fast counts half, and half of its sliding is believed
    calibration_s: float = 10.0  # of standing still before the start, over which biases are averaged

    # Limits
    ik_iterations: int = 2
    fallen_pelvis_m: float = 0.42  # below this it has fallen
    fallen_tilt_cos: float = 0.64  # beyond this tilt too

    def __post_init__(self) -> None:
        for name in ("step_time_s", "double_support_s", "com_height_m", "step_width_m", "step_height_m", "contact_n"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"walker.{name}", f"{getattr(self, name)} is not above 0")
        if not self.double_support_s < self.step_time_min_s <= self.step_time_s <= self.step_time_max_s:
            raise ConfigError(
                "walker.step_time_s",
                f"{self.step_time_s} s is not between step_time_min_s and step_time_max_s, double_support_s below all",
                f"choose {self.step_time_min_s}...{self.step_time_max_s}",
            )
        if not 0.45 <= self.com_height_m <= 0.70:
            raise ConfigError("walker.com_height_m", f"{self.com_height_m} m is out of the legs' reach", "0.45...0.70")
        if not self.com_height_m <= self.stand_height_m <= 0.72:
            problem = f"{self.stand_height_m} m is not between the height of the walk and the legs' reach"
            raise ConfigError("walker.stand_height_m", problem, f"{self.com_height_m}...0.72")
        if not 0 < self.foothold_aside_min_m < self.step_width_m < self.foothold_aside_max_m:
            raise ConfigError(
                "walker.step_width_m",
                f"{self.step_width_m} m is not between foothold_aside_min_m and foothold_aside_max_m",
                f"choose {self.foothold_aside_min_m}...{self.foothold_aside_max_m}",
            )
        for name in (f.name for f in fields(self) if f.name.endswith("_per_tick")):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"walker.{name}", f"{getattr(self, name)} is not a part of a whole", "0...1")
        if self.ik_iterations < 1:
            raise ConfigError("walker.ik_iterations", f"{self.ik_iterations} iterations solve nothing", "at least 1")


@dataclass(frozen=True)
class SensorNoise:
    """How wrong the walker's sensors are: white noise a tick, and per-episode constants. All zero is perfect.

    Values of a G1-class robot; the source is `experiments/walking`.
    """

    gyro_rad_s: float = 0.005
    gyro_bias_rad_s: float = 0.0035
    gyro_scale: float = 0.002
    acc_m_s2: float = 0.05
    acc_bias_m_s2: float = 0.05
    encoder_rad: float = 2e-4
    joint_velocity_rad_s: float = 0.05
    foot_force_n: float = 5.0

    def __post_init__(self) -> None:
        for field in fields(self):
            if not getattr(self, field.name) >= 0:
                raise ConfigError(
                    f"noise.{field.name}", f"{getattr(self, field.name)} is below 0", "0 is a perfect sensor"
                )

    @classmethod
    def none(cls) -> SensorNoise:
        """Perfect sensors."""
        return cls(**{field.name: 0.0 for field in fields(cls)})


def as_record(values: WalkerConfig | SensorNoise) -> NDArray[np.void]:
    """[1] the same numbers as a structured array, every field float64, for compiled code."""
    names = [field.name for field in fields(values)]
    record = np.zeros(1, np.dtype([(name, "f8") for name in names]))
    for name in names:
        record[name] = getattr(values, name)
    return record
