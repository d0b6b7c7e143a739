"""Pictures of nothing, drawn by code, that are learned as background (outlier exposure, Hendrycks et al. 2019)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

Picture = NDArray[np.uint8]


def draw_outliers(count: int, size: int, seed: int) -> Picture:
    """Random pictures uint8 [count, size, size, 3]: noise, gradients, stripes, checks, shapes, lines of writing."""
    random = np.random.default_rng(seed)
    painters = (_noise, _gradient, _stripes, _checks, _shapes, _writing)
    pictures = [painters[index % len(painters)](random, size) for index in range(count)]
    return np.stack([_finish(random, picture) for picture in pictures])


def shuffle_tiles(random: np.random.Generator, picture: Picture, tiles: int) -> Picture:
    """A picture uint8 [size, size, 3] cut into tiles × tiles squares that change places: texture without shapes."""
    side = picture.shape[0] // tiles
    cut = picture[: side * tiles, : side * tiles].reshape(tiles, side, tiles, side, 3).swapaxes(1, 2)
    shuffled = cut.reshape(tiles * tiles, side, side, 3)[random.permutation(tiles * tiles)]
    whole = shuffled.reshape(tiles, tiles, side, side, 3).swapaxes(1, 2).reshape(side * tiles, side * tiles, 3)
    return np.asarray(Image.fromarray(whole).resize((picture.shape[1], picture.shape[0])))


def _finish(random: np.random.Generator, picture: Image.Image) -> Picture:
    if random.random() < 0.4:
        picture = picture.convert("L").convert("RGB")
    picture = picture.filter(ImageFilter.GaussianBlur(float(random.uniform(0, 2))))
    return np.asarray(picture)


def _colour(random: np.random.Generator) -> tuple[int, int, int]:
    red, green, blue = random.integers(0, 256, 3)
    return int(red), int(green), int(blue)


def _noise(random: np.random.Generator, size: int) -> Image.Image:
    """Noise of one scale, from grain to clouds."""
    cells = int(2 ** random.uniform(2, 8))
    field = random.integers(0, 256, (cells, cells, 3), dtype=np.uint8)
    return Image.fromarray(field).resize((size, size), Image.Resampling.BICUBIC)


def _gradient(random: np.random.Generator, size: int) -> Image.Image:
    corners = random.integers(0, 256, (2, 2, 3), dtype=np.uint8)
    return Image.fromarray(corners).resize((size, size), Image.Resampling.BILINEAR)


def _waves(random: np.random.Generator, size: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Two crossed coordinates at a random angle, in periods of a random length."""
    rows, columns = np.mgrid[:size, :size] / size * random.uniform(3, 30)
    angle = random.uniform(0, np.pi)
    return rows * np.cos(angle) + columns * np.sin(angle), columns * np.cos(angle) - rows * np.sin(angle)


def _two_colours(random: np.random.Generator, share: NDArray[np.float64]) -> Image.Image:
    first, second = np.array(_colour(random)), np.array(_colour(random))
    return Image.fromarray((first * share[..., None] + second * (1 - share[..., None])).astype(np.uint8))


def _stripes(random: np.random.Generator, size: int) -> Image.Image:
    across, along = _waves(random, size)
    bend = random.uniform(0, 1.5) * np.sin(along)
    return _two_colours(random, (np.sin(2 * np.pi * across + bend) + 1) / 2)


def _checks(random: np.random.Generator, size: int) -> Image.Image:
    across, along = _waves(random, size)
    return _two_colours(random, ((np.floor(across) + np.floor(along)) % 2).astype(np.float64))


def _shapes(random: np.random.Generator, size: int) -> Image.Image:
    picture = Image.new("RGB", (size, size), _colour(random))
    draw = ImageDraw.Draw(picture)
    for _ in range(random.integers(1, 12)):
        x, y, width, height = random.integers(0, size, 4).tolist()
        box = (x - width // 2, y - height // 2, x + width // 2 + 1, y + height // 2 + 1)
        (draw.ellipse if random.random() < 0.5 else draw.rectangle)(box, fill=_colour(random))
    return picture


def _writing(random: np.random.Generator, size: int) -> Image.Image:
    """Rows of short strokes on paper, as a page or a sign looks from afar."""
    paper, ink = sorted((_colour(random), _colour(random)), key=sum, reverse=True)
    picture = Image.new("RGB", (size, size), paper)
    draw = ImageDraw.Draw(picture)
    line = int(random.integers(8, 40))
    for y in range(line, size, line):
        for x in range(4, size, max(line // 3, 3)):
            if random.random() < 0.8:
                dx, dy = random.integers(-line // 3, line // 3 + 1, 2).tolist()
                draw.line((x, y, x + dx, y + dy - line // 4), fill=ink, width=max(line // 12, 1))
    return picture.rotate(float(random.uniform(-20, 20)), fillcolor=paper)
