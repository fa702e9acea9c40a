"""Make resize.npz: pictures and what Pillow makes of them.

Needs Pillow==13.0.0 and numpy==2.4.6. From the repository's root:

    python3 test/golden/make_resize.py test/golden/resize.npz

The archive holds RGB (or RGBA) arrays `in_NAME`, a JSON list `cases`, and for
each case the bytes that must come out, `out_INDEX` [H, W, C]. Resizes with
antialias are Pillow's own; Pillow has none without, so those are computed here
in float64 straight from the definition and rounded once.
"""

import json
import sys

import numpy as np
import PIL
from PIL import Image, ImageOps

FILTERS = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
BACKGROUND = (200, 120, 40)


def pictures():
    rng = np.random.default_rng(20261121)
    y, x = np.mgrid[0:61, 0:97]
    gradient = np.stack([x * 255 // 96, y * 255 // 60, (x + y) % 256], -1)
    noise = rng.integers(0, 256, (53, 48, 3))
    y, x = np.mgrid[0:420, 0:640]
    edges = np.stack([
        np.where((x // 7 + y // 5) % 2, 255, 0),
        np.where((x - 300) ** 2 + (y - 200) ** 2 < 150**2, 240, 16),
        np.where((x * 3 + y * 2) % 47 < 9, 255, 30),
    ], -1)
    alpha = np.concatenate([noise, rng.integers(0, 256, (53, 48, 1))], -1)
    return {k: v.astype(np.uint8) for k, v in {
        "gradient": gradient,
        "noise": noise,
        "edges": edges,  # shrunk 20 times
        "tiny": noise[:5, :4],  # enlarged
        "row": noise[:1, :37],
        "column": noise[:37, :1],
        "pixel": noise[:1, :1],
        "alpha": alpha,
    }.items()}


def weight(name, d):
    d = abs(d)
    if name == "bilinear":
        return max(0.0, 1 - d)
    if name == "bicubic":
        if d < 1:
            return 1.5 * d**3 - 2.5 * d**2 + 1
        return -0.5 * d**3 + 2.5 * d**2 - 4 * d + 2 if d < 2 else 0.0
    return float(np.sinc(d) * np.sinc(d / 3)) if d < 3 else 0.0


def matrix(name, size_in, size_out):
    """Weights [out, in] of a filter whose support does not grow."""
    m = np.zeros((size_out, size_in))
    for i in range(size_out):
        center = (i + 0.5) * size_in / size_out
        for j in range(size_in):
            m[i, j] = weight(name, j + 0.5 - center)
        m[i] /= m[i].sum()
    return m


def plain(img, size, name):
    a = np.asarray(img, np.float64)
    a = np.einsum("ij,jkc->ikc", matrix(name, img.width, size[0]), a.transpose(1, 0, 2)).transpose(1, 0, 2)
    a = np.clip(a, 0, 255)  # Pillow's passes have 8-bit values between them
    a = np.einsum("ij,jkc->ikc", matrix(name, img.height, size[1]), a)
    return Image.fromarray(np.floor(np.clip(a, 0, 255) + 0.5).astype(np.uint8))


def resize(img, size, name, antialias):
    if antialias or name == "nearest":
        return img.resize(size, FILTERS[name])
    return plain(img, size, name)


def center_crop(img, width, height):
    """What torchvision's center_crop does to a PIL picture."""
    if width > img.width or height > img.height:
        left, top = max(0, width - img.width) // 2, max(0, height - img.height) // 2
        right, bottom = (max(0, width - img.width) + 1) // 2, (max(0, height - img.height) + 1) // 2
        img = ImageOps.expand(img, (left, top, right, bottom))
    top, left = round((img.height - height) / 2.0), round((img.width - width) / 2.0)
    return img.crop((left, top, left + width, top + height))


def expected(img, case):
    if img.mode == "RGBA":
        under = Image.new("RGB", img.size, BACKGROUND)
        under.paste(img, mask=img.getchannel("A"))
        img = under
    if case["orientation"] != 1:
        exif = Image.Exif()
        exif[0x0112] = case["orientation"]
        img.info["exif"] = exif.tobytes()
        img = ImageOps.exif_transpose(img)
    if case["color"] == "GRAY":
        img = img.convert("L")
    (w, h), name, antialias = case["size"], case["filter"], case["antialias"]
    if case["mode"] == "short-side":
        short, long = sorted(img.size)
        long = int(w * long / short)
        img = resize(img, (w, long) if img.width <= img.height else (long, w), name, antialias)
    elif case["mode"] == "exact":
        img = resize(img, (w, h), name, antialias)
    elif case["mode"] == "letterbox":
        inside = ImageOps.contain(img, (w, h)).size
        img, small = Image.new("RGB", (w, h), BACKGROUND), resize(img, inside, name, antialias)
        img.paste(small, (round((w - inside[0]) * 0.5), round((h - inside[1]) * 0.5)))
    img = center_crop(img, *case["crop"])
    a = np.asarray(img)
    return a.reshape(*a.shape[:2], -1)[..., ::-1] if case["color"] == "BGR" else a.reshape(*a.shape[:2], -1)


def cases():
    def case(picture, mode, size, crop, name, antialias, color="RGB", orientation=1):
        return {"picture": picture, "mode": mode, "size": size, "crop": crop, "filter": name,
                "antialias": antialias, "color": color, "orientation": orientation}

    shapes = [
        ("gradient", "short-side", (32, 32), (28, 28)),
        ("gradient", "exact", (23, 31), (23, 31)),
        ("gradient", "letterbox", (40, 24), (40, 24)),
        ("gradient", "short-side", (70, 70), (41, 35)),
        ("noise", "short-side", (25, 25), (22, 22)),
        ("noise", "exact", (48, 17), (48, 17)),
        ("noise", "letterbox", (19, 33), (19, 33)),
        ("edges", "short-side", (21, 21), (20, 20)),
        ("edges", "exact", (32, 21), (32, 21)),
        ("tiny", "exact", (31, 37), (31, 37)),
        ("tiny", "short-side", (30, 30), (24, 24)),
        ("row", "exact", (9, 8), (9, 8)),
        ("row", "short-side", (6, 6), (20, 6)),
        ("row", "letterbox", (48, 12), (48, 12)),
        ("column", "exact", (8, 9), (8, 9)),
        ("column", "short-side", (6, 6), (6, 21)),
        ("pixel", "exact", (5, 7), (5, 7)),
        ("alpha", "short-side", (25, 25), (22, 22)),
    ]
    for picture, mode, size, crop in shapes:
        for name in FILTERS:
            for antialias in (True, False):
                yield case(picture, mode, size, crop, name, antialias)
    for color in ("BGR", "GRAY"):
        for picture in ("noise", "alpha"):
            yield case(picture, "short-side", (25, 25), (22, 22), "bilinear", True, color)
    for crop in ((60, 60), (61, 40), (33, 58)):
        yield case("noise", "", (0, 0), crop, "bilinear", True)
    for orientation in range(1, 9):
        yield case("noise", "short-side", (25, 25), (22, 23), "bicubic", True, "RGB", orientation)


def main(path):
    inputs, todo = pictures(), list(cases())
    arrays = {"in_" + k: v for k, v in inputs.items()}
    for i, case in enumerate(todo):
        arrays[f"out_{i}"] = expected(Image.fromarray(inputs[case["picture"]]), case)
    text = {"pillow": PIL.__version__, "numpy": np.__version__, "background": BACKGROUND, "cases": todo}
    np.savez_compressed(path, meta=np.array(json.dumps(text)), **arrays)


if __name__ == "__main__":
    main(*sys.argv[1:])
