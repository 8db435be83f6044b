"""A z-buffer rasteriser in plain float64 arithmetic: the same bits in every process, on every machine, one thread.

Each row of a triangle is a span between two edges. An edge is always walked from its upper to its lower corner, so two
triangles that share it compute the same boundary: no pixel centre between them is missed. The depth of a pixel is that
of the triangle's plane along the pixel's ray, exact in perspective and untouched by clipping. No fastmath: results must
not depend on how a compiler regroups sums.
"""

from __future__ import annotations

import math
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

NOTHING = -1
Scalars = tuple[float, float, float, float]
Corner = tuple[float, float]
Plane = tuple[float, float, float, float, float]  # 1/depth = a u + b v + c, and its least and greatest value
Buffer = NDArray[Any]


@numba.njit(cache=True)
def place_parts(camera: Buffer, poses: Buffer, light: Buffer, to_camera: Buffer, part_light: Buffer) -> None:
    """Part-to-camera transforms [k, 3, 4] and the light's direction in each part [k, 3]; all poses are rigid."""
    for k in range(poses.shape[0]):
        for i in range(3):
            for j in range(4):
                total = 0.0
                for h in range(3):
                    away = poses[k, h, j] - (camera[h, 3] if j == 3 else 0.0)
                    total += camera[h, i] * away
                to_camera[k, i, j] = total
            part_light[k, i] = poses[k, 0, i] * light[0] + poses[k, 1, i] * light[1] + poses[k, 2, i] * light[2]


@numba.njit(cache=True)
def cull(
    spheres: Buffer, piece_part: Buffer, to_camera: Buffer, lens: Scalars, width: int, height: int, near: float,
    far: float, seen: Buffer,
) -> None:  # fmt: skip
    """Which pieces [q] may be in the image: those whose sphere reaches into the pyramid that the image opens."""
    fx, fy, cx, cy = lens
    for i in range(spheres.shape[0]):
        t = to_camera[piece_part[i]]
        x, y, z, radius = spheres[i, 0], spheres[i, 1], spheres[i, 2], spheres[i, 3]
        across = t[0, 0] * x + t[0, 1] * y + t[0, 2] * z + t[0, 3]
        down = t[1, 0] * x + t[1, 1] * y + t[1, 2] * z + t[1, 3]
        depth = t[2, 0] * x + t[2, 1] * y + t[2, 2] * z + t[2, 3]
        reach = radius + 1e-6 * (1.0 + radius + abs(across) + abs(down) + abs(depth))  # rounding may not hide anything
        left, right = fx * across + cx * depth, (width - cx) * depth - fx * across
        upper, lower = fy * down + cy * depth, (height - cy) * depth - fy * down
        seen[i] = (
            near - reach <= depth <= far + reach
            and left >= -reach * math.sqrt(fx * fx + cx * cx)
            and right >= -reach * math.sqrt(fx * fx + (width - cx) ** 2)
            and upper >= -reach * math.sqrt(fy * fy + cy * cy)
            and lower >= -reach * math.sqrt(fy * fy + (height - cy) ** 2)
        )


@numba.njit(cache=True)
def project(
    vertices: Buffer, piece_vertex: Buffer, piece_part: Buffer, seen: Buffer, to_camera: Buffer, lens: Scalars,
    near: float, points: Buffer, pixels: Buffer,
) -> None:  # fmt: skip
    """Camera-frame points [n, 3] of the pieces seen; image positions [n, 2] of those at least `near` m ahead."""
    fx, fy, cx, cy = lens
    for piece in range(piece_part.shape[0]):
        if not seen[piece]:
            continue
        t = to_camera[piece_part[piece]]
        for i in range(piece_vertex[piece], piece_vertex[piece + 1]):
            x, y, z = float(vertices[i, 0]), float(vertices[i, 1]), float(vertices[i, 2])
            depth = t[2, 0] * x + t[2, 1] * y + t[2, 2] * z + t[2, 3]
            across = t[0, 0] * x + t[0, 1] * y + t[0, 2] * z + t[0, 3]
            down = t[1, 0] * x + t[1, 1] * y + t[1, 2] * z + t[1, 3]
            points[i, 0], points[i, 1], points[i, 2] = across, down, depth
            if depth >= near:
                pixels[i, 0] = fx * (across / depth) + cx
                pixels[i, 1] = fy * (down / depth) + cy


@numba.njit(cache=True)
def _first_centre(position: float, size: int) -> int:
    """Index of the first pixel whose centre is not before `position`, within 0..size."""
    return int(min(max(math.ceil(position - 0.5), 0.0), float(size)))


@numba.njit(cache=True)
def _fill(p: Corner, q: Corner, r: Corner, plane: Plane, face: int, inverse: Buffer, hit: Buffer) -> None:
    """Draw a triangle with corners (u, v) into the buffers of 1/depth and of the face that is nearest."""
    if q[1] < p[1]:
        p, q = q, p
    if r[1] < q[1]:
        q, r = r, q
        if q[1] < p[1]:
            p, q = q, p
    height, width = inverse.shape
    first, middle, last = _first_centre(p[1], height), _first_centre(q[1], height), _first_centre(r[1], height)
    if first >= last:
        return
    long_slope = (r[0] - p[0]) / (r[1] - p[1])
    upper_slope = (q[0] - p[0]) / (q[1] - p[1]) if middle > first else 0.0
    lower_slope = (r[0] - q[0]) / (r[1] - q[1]) if last > middle else 0.0
    a, b, c, least, greatest = plane
    for y in range(first, last):
        v = y + 0.5
        start = p[0] + (v - p[1]) * long_slope
        end = p[0] + (v - p[1]) * upper_slope if y < middle else q[0] + (v - q[1]) * lower_slope
        if start > end:
            start, end = end, start
        row = b * v + c
        for x in range(_first_centre(start, width), _first_centre(end, width)):
            value = np.float32(min(max(a * (x + 0.5) + row, least), greatest))
            if value > inverse[y, x]:
                inverse[y, x] = value
                hit[y, x] = face


@numba.njit(cache=True)
def _cut(ahead: Buffer, behind: Buffer, lens: Scalars, near: float) -> Corner:
    """Where the edge between two camera-frame points meets the near plane, in the image."""
    fx, fy, cx, cy = lens
    share = (near - ahead[2]) / (behind[2] - ahead[2])
    across, down = ahead[0] + share * (behind[0] - ahead[0]), ahead[1] + share * (behind[1] - ahead[1])
    return fx * (across / near) + cx, fy * (down / near) + cy


@numba.njit(cache=True)
def _fill_clipped(
    corners: Buffer, points: Buffer, pixels: Buffer, plane: Plane, face: int, lens: Scalars, near: float,
    inverse: Buffer, hit: Buffer,
) -> None:  # fmt: skip
    """Draw the part of a triangle beyond the near plane, which one or two of its corners do not reach."""
    ahead_0, ahead_1 = points[corners[0], 2] >= near, points[corners[1], 2] >= near
    ahead_2 = points[corners[2], 2] >= near
    alone = 0 if ahead_1 == ahead_2 else (1 if ahead_0 == ahead_2 else 2)
    i, j, k = corners[alone], corners[(alone + 1) % 3], corners[(alone + 2) % 3]
    if points[i, 2] >= near:
        tip = (pixels[i, 0], pixels[i, 1])
        left, right = _cut(points[i], points[j], lens, near), _cut(points[i], points[k], lens, near)
        _fill(tip, left, right, plane, face, inverse, hit)
    else:
        left, right = (pixels[j, 0], pixels[j, 1]), (pixels[k, 0], pixels[k, 1])
        near_left, near_right = _cut(points[j], points[i], lens, near), _cut(points[k], points[i], lens, near)
        _fill(near_left, left, right, plane, face, inverse, hit)
        _fill(near_left, right, near_right, plane, face, inverse, hit)


@numba.njit(cache=True)
def _misses_every_centre(corners: Buffer, pixels: Buffer, height: int, width: int) -> bool:
    """Whether the box around a projected triangle holds no pixel centre of the image."""
    u, v, w = pixels[corners[0]], pixels[corners[1]], pixels[corners[2]]
    low, high = min(u[1], v[1], w[1]), max(u[1], v[1], w[1])
    if math.ceil(high - 0.5) <= max(math.ceil(low - 0.5), 0.0) or low > height - 0.5:
        return True
    low, high = min(u[0], v[0], w[0]), max(u[0], v[0], w[0])
    return bool(math.ceil(high - 0.5) <= max(math.ceil(low - 0.5), 0.0) or low > width - 0.5)


@numba.njit(cache=True)
def _normal(a: Buffer, b: Buffer, c: Buffer) -> tuple[float, float, float, float]:
    """Normal of a triangle (not unit length) and its product with a corner: negative when the face is seen."""
    bx, by, bz, cx, cy, cz = b[0] - a[0], b[1] - a[1], b[2] - a[2], c[0] - a[0], c[1] - a[1], c[2] - a[2]
    x, y, z = by * cz - bz * cy, bz * cx - bx * cz, bx * cy - by * cx
    return x, y, z, x * a[0] + y * a[1] + z * a[2]


@numba.njit(cache=True)
def draw(
    faces: Buffer, two_sided: Buffer, piece_face: Buffer, seen: Buffer, points: Buffer, pixels: Buffer, lens: Scalars,
    near: float, inverse: Buffer, hit: Buffer,
) -> None:  # fmt: skip
    """Draw the faces of all pieces seen into 1/depth (float32[H, W]) and the nearest face (int32[H, W])."""
    for piece in range(seen.shape[0]):
        if seen[piece]:
            first, last = piece_face[piece], piece_face[piece + 1]
            _draw_faces(first, last, faces, two_sided, points, pixels, lens, near, inverse, hit)


@numba.njit(cache=True)
def _draw_faces(
    first: int, last: int, faces: Buffer, two_sided: Buffer, points: Buffer, pixels: Buffer, lens: Scalars,
    near: float, inverse: Buffer, hit: Buffer,
) -> None:  # fmt: skip
    fx, fy, cx, cy = lens
    height, width = inverse.shape
    for face in range(first, last):
        corners = faces[face]
        a, b, c = points[corners[0]], points[corners[1]], points[corners[2]]
        nearest, farthest = min(a[2], b[2], c[2]), max(a[2], b[2], c[2])
        if farthest < near or (nearest >= near and _misses_every_centre(corners, pixels, height, width)):
            continue
        nx, ny, nz, facing = _normal(a, b, c)
        if not (facing < 0.0 or (facing > 0.0 and two_sided[face])):  # so written, it stops NaN as well
            continue
        per_u, per_v = nx / (facing * fx), ny / (facing * fy)
        offset = nz / facing - per_u * cx - per_v * cy
        plane = (per_u, per_v, offset, 1.0 / farthest, 1.0 / max(nearest, near))
        if nearest >= near:
            p, q = (pixels[corners[0], 0], pixels[corners[0], 1]), (pixels[corners[1], 0], pixels[corners[1], 1])
            _fill(p, q, (pixels[corners[2], 0], pixels[corners[2], 1]), plane, face, inverse, hit)
        else:
            _fill_clipped(corners, points, pixels, plane, face, lens, near, inverse, hit)


@numba.njit(cache=True)
def shade(
    faces: Buffer, piece_face: Buffer, piece_part: Buffer, seen: Buffer, normals: Buffer, colours: Buffer,
    points: Buffer, part_light: Buffer, ambient: float, diffuse: float, painted: Buffer,
) -> None:  # fmt: skip
    """Lambert: what each face [m, 3] of the pieces seen looks like from the side that is seen, as 8-bit RGB."""
    for piece in range(piece_part.shape[0]):
        if not seen[piece]:
            continue
        light = part_light[piece_part[piece]]
        for face in range(piece_face[piece], piece_face[piece + 1]):
            a, b, c = points[faces[face, 0]], points[faces[face, 1]], points[faces[face, 2]]
            n = normals[face]
            cosine = n[0] * light[0] + n[1] * light[1] + n[2] * light[2]
            if _normal(a, b, c)[3] > 0.0:
                cosine = -cosine
            level = ambient + diffuse * max(cosine, 0.0)
            for channel in range(3):
                painted[face, channel] = np.uint8(min(colours[face, channel] * level + 0.5, 255.0))


@numba.njit(cache=True)
def resolve(
    inverse: Buffer, hit: Buffer, painted: Buffer, labels: Buffer, background: Buffer, rgb: Buffer, depth: Buffer,
    segmentation: Buffer,
) -> None:  # fmt: skip
    """Turn the buffers into the three images."""
    height, width = hit.shape
    for y in range(height):
        for x in range(width):
            face = hit[y, x]
            if face == NOTHING:
                depth[y, x], segmentation[y, x] = np.inf, NOTHING
                rgb[y, x, 0], rgb[y, x, 1], rgb[y, x, 2] = background[0], background[1], background[2]
            else:
                depth[y, x], segmentation[y, x] = np.float32(1.0) / inverse[y, x], labels[face]
                rgb[y, x, 0], rgb[y, x, 1], rgb[y, x, 2] = painted[face, 0], painted[face, 1], painted[face, 2]
