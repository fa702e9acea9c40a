"""CIFAR-10 from the two archives, and the augmentation that resembles upload-and-shrink.

The archives hold one lossless picture a member, named NNNNN_label.ext, in one fixed
random order, so the last pictures of the training archive are a fair hold-out.
"""
import io
import zipfile

import numpy as np
from PIL import Image

HOLD_OUT = 1000  # pictures kept from training: the temperature is fitted on them

FILTERS = (Image.Resampling.BILINEAR, Image.Resampling.BICUBIC, Image.Resampling.LANCZOS)


def load(path):
    """Returns pixels [N,32,32,3] uint8 and labels [N] int64, in the archive's order."""
    with zipfile.ZipFile(path) as archive:
        names = sorted(archive.namelist())
        pixels = np.empty((len(names), 32, 32, 3), np.uint8)
        labels = np.empty(len(names), np.int64)
        for i, name in enumerate(names):
            with Image.open(io.BytesIO(archive.read(name))) as picture:
                pixels[i] = np.asarray(picture.convert("RGB"))
            labels[i] = int(name.rsplit("_", 1)[1].split(".")[0])
    return pixels, labels


def jpeg(picture, quality, subsampling):
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=quality, subsampling=subsampling)
    buffer.seek(0)
    return Image.open(buffer).convert("RGB")


def upload(pixels, rng):
    """What a photo suffers on its way: it is larger than 32 x 32, it is a JPEG, and the
    server shrinks it with an antialiased bilinear filter."""
    picture = Image.fromarray(pixels)
    quality = int(rng.integers(50, 96))
    subsampling = int(rng.choice((0, 2)))
    if rng.random() < 0.3:  # a small JPEG, sent as it is
        return np.asarray(jpeg(picture, quality, subsampling))
    size = int(rng.integers(48, 161))
    picture = picture.resize((size, size), FILTERS[rng.integers(len(FILTERS))])
    picture = jpeg(picture, quality, subsampling)
    return np.asarray(picture.resize((32, 32), Image.Resampling.BILINEAR))


def augment(batch, rng, share):
    """Crop, flip, upload-and-shrink for a share of the pictures, and one 8 x 8 hole each."""
    n = len(batch)
    padded = np.pad(batch, ((0, 0), (4, 4), (4, 4), (0, 0)), mode="reflect")
    out = np.empty_like(batch)
    dy, dx = rng.integers(0, 9, n), rng.integers(0, 9, n)
    flip, shrink = rng.random(n) < 0.5, rng.random(n) < share
    hy, hx = rng.integers(0, 32, n), rng.integers(0, 32, n)
    for i in range(n):
        picture = padded[i, dy[i]:dy[i] + 32, dx[i]:dx[i] + 32]
        if flip[i]:
            picture = picture[:, ::-1]
        picture = np.ascontiguousarray(picture)
        if shrink[i]:
            picture = upload(picture, rng).copy()
        picture[max(0, hy[i] - 4):hy[i] + 4, max(0, hx[i] - 4):hx[i] + 4] = (125, 123, 114)
        out[i] = picture
    return out
