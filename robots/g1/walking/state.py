"""What the walker remembers, as structured arrays of one element: compiled code takes it in, and a copy saves it.

Frames: `odom` has its origin and heading where the robot was told that it starts; z is up. Feet: 0 left, 1 right.
A foot's place is the middle of its sole.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Record = Any  # the element of such an array, as compiled code sees it: fields are attributes
Records = NDArray[np.void]  # [1]

# Modes of the state machine
STAND, SHIFT, STEP, BALANCE = 0, 1, 2, 3
MODES = ("stand", "shift", "step", "balance")


def model_dtype(joints: int) -> np.dtype[np.void]:
    """The kinematic tree: joint j moves body j + 1, body 0 is the pelvis."""
    return np.dtype(
        [
            ("parent", "i8", joints),  # body that carries joint j
            ("rotation", "f8", (joints, 3, 3)),  # joint's frame in its parent body
            ("position", "f8", (joints, 3)),
            ("axis", "i8", joints),  # 0 x, 1 y, 2 z
            ("mass", "f8", joints + 1),
            ("lever", "f8", (joints + 1, 3)),  # centre of mass in the body
            ("lower", "f8", joints),
            ("upper", "f8", joints),
            ("leg", "i8", (2, 6)),  # joints of each leg, hip to ankle
            ("foot", "i8", 2),  # body of each foot
            ("sole", "f8", 3),  # middle of the sole in the foot
            ("sole_size", "f8", 2),
            ("imu", "f8", 3),  # in the pelvis
        ]
    )


def signals_dtype(joints: int) -> np.dtype[np.void]:
    """What goes into one tick and what comes out: the truth, the sensors' readings, the command, the targets."""
    return np.dtype(
        [
            # truth, read from the simulation
            ("position", "f8", 3),  # pelvis frame in the world
            ("quaternion", "f8", 4),  # x y z w
            ("joints", "f8", joints),
            ("load", "f8", 2),  # vertical force on each foot
            # command
            ("command", "f8", 3),
            ("walk", "f8"),
            ("halt", "f8"),
            # readings
            ("gyro", "f8", 3),
            ("acc", "f8", 3),
            ("encoders", "f8", joints),
            ("encoder_velocities", "f8", joints),
            ("feet", "f8", 2),
            # out
            ("target", "f8", joints),
        ]
    )


def sensors_dtype(joints: int) -> np.dtype[np.void]:
    """This episode's constants, and the truth of the last tick."""
    return np.dtype(
        [
            ("gyro_bias", "f8", 3),
            ("gyro_scale", "f8", 3),
            ("acc_bias", "f8", 3),
            ("position", "f8", 3),  # of the IMU
            ("velocity", "f8", 3),
            ("rotation", "f8", (3, 3)),
            ("joints", "f8", joints),
        ]
    )


ESTIMATE = np.dtype(
    [
        ("rotation", "f8", (3, 3)),  # pelvis in odom
        ("position", "f8", 3),
        ("velocity", "f8", 3),
        ("imu_velocity", "f8", 3),
        ("omega", "f8", 3),
        ("gyro_bias", "f8", 3),
        ("acc_bias", "f8", 3),
        ("anchor", "f8", (2, 3)),  # where each standing foot landed
        ("stands", "f8", 2),
        ("age", "f8", 2),
        ("com", "f8", 3),
        ("com_velocity", "f8", 3),
        ("sole", "f8", (2, 3)),
        ("sole_yaw", "f8", 2),
        ("sole_tilt", "f8", (2, 2)),  # roll, pitch
        ("roll", "f8"),
        ("pitch", "f8"),
        ("yaw", "f8"),
    ]
)

GAIT = np.dtype(
    [
        ("time", "f8"),
        ("mode", "i8"),
        ("since", "f8"),  # when the mode began
        ("stance", "i8"),
        ("steps", "i8"),
        ("fallen", "i8"),
        # command
        ("ramped", "f8", 3),  # commanded velocity as taken up
        ("path", "f8", 3),  # x, y, yaw to which the command leads
        ("path_velocity", "f8", 2),  # correction towards it, heading frame
        ("goal_velocity", "f8", 2),  # what steps are planned for, heading frame
        # feet
        ("foot", "f8", (2, 3)),
        ("foot_yaw", "f8", 2),
        ("foot_tilt", "f8", (2, 2)),  # roll, pitch of what a foot stands on
        ("yaw", "f8"),  # of the pelvis
        ("yaw_next", "f8"),  # of the landing foot
        ("yaw_lift", "f8"),  # of the swing foot when it lifted
        ("step_time", "f8"),
        ("retimed", "f8"),
        ("closes", "f8"),  # this step ends an emergency stop
        ("phase", "f8"),
        ("lift", "f8", 3),  # where the swing foot lifted
        ("edge", "f8", 2),  # where a foot did not find hold
        ("edge_until", "f8"),  # when that is forgotten
        ("foothold", "f8", 2),
        ("swing", "f8", 3),
        ("swing_velocity", "f8", 2),
        ("swing_acceleration", "f8", 2),
        ("swings", "f8"),
        ("toe_up", "f8"),
        # centre of mass and of pressure
        ("dcm", "f8", 2),
        ("dcm_raw", "f8", 2),
        ("dcm_started", "f8"),
        ("dcm_error", "f8", 2),
        ("cop", "f8", 2),
        ("cop_before", "f8", 2),  # where the weight comes from
        ("com", "f8", 3),  # reference
        ("com_velocity", "f8", 2),
        ("sag", "f8", 2),  # by which the measured centre of mass hangs off the reference on both feet
        ("com_shift", "f8", 2),  # where the shift began
        ("height", "f8"),  # of the centre of mass above the ground
        ("ground", "f8"),  # height the reference stands on
        ("upright", "f8", 2),  # roll and pitch added to keep the pelvis upright
        ("com_in_pelvis", "f8", 3),  # of the commanded posture, axes of odom
        # for navigation
        ("heading", "f8", 3),
        ("margin", "f8"),
    ]
)


def work_dtype(joints: int) -> np.dtype[np.void]:
    """Scratch of the kinematic tree: frame, place and speed of each body."""
    bodies = joints + 1
    return np.dtype(
        [
            ("rotation", "f8", (bodies, 3, 3)),
            ("position", "f8", (bodies, 3)),
            ("velocity", "f8", (bodies, 3)),
            ("omega", "f8", (bodies, 3)),
        ]
    )
