"""Images of a world: a deterministic software rasteriser, and PyBullet's TinyRenderer as its reference."""
