"""Makes the WebP fixtures and what they must decode to. Run with Pillow 13.0.0:

    python make_webp.py

The pictures are drawn here; NAME.png beside NAME.webp is Pillow's (libwebp's)
decoding of it. Go's libraries have no WebP encoder.
"""

import math
import random

from PIL import Image, ImageDraw


def scene(w, h, mode="RGB"):
    im = Image.new("RGB", (w, h))
    im.putdata([(x * 255 // w, y * 255 // h, (x * 7 + y * 3) % 256) for y in range(h) for x in range(w)])
    d = ImageDraw.Draw(im)
    for at, color in (((0, 0), "red"), ((w - 9, 0), "lime"), ((w - 9, h - 9), "blue"), ((0, h - 9), "yellow")):
        d.rectangle([at, (at[0] + 8, at[1] + 8)], fill=color)
    if mode == "RGBA":
        im.putalpha(Image.linear_gradient("L").resize((w, h)))
    return im


def grainy(w, h):
    """Looks like a photo to the encoder: it uses all of its transforms."""
    rng = random.Random(7)
    im = Image.new("RGB", (w, h))
    wave = lambda x, y, k: 128 + 70 * math.sin(x / (5 + k)) + 40 * math.cos(y / (3 + k))
    im.putdata([tuple(int(wave(x, y, k)) + rng.randrange(-6, 7) for k in range(3)) for y in range(h) for x in range(w)])
    return im


def few_colors(n):
    im = scene(37, 23).quantize(n)
    return im.convert("RGB")


def main():
    exif = Image.Exif()
    exif[274] = 6
    scene(47, 33).save("lossy.webp", quality=80, exif=exif)
    scene(47, 33, "RGBA").save("lossy-alpha.webp", quality=70, alpha_quality=100)
    scene(47, 33).save("lossless.webp", lossless=True)
    scene(47, 33, "RGBA").save("lossless-alpha.webp", lossless=True, exact=True)
    grainy(61, 47).save("lossless-photo.webp", lossless=True, quality=100, method=6)
    for n in (2, 4, 16):
        few_colors(n).save(f"palette{n}.webp", lossless=True)
    frames = [scene(40, 30), scene(40, 30).rotate(90, expand=False)]
    frames[0].save("animated.webp", save_all=True, append_images=frames[1:], duration=100, lossless=True)
    for name in ("lossy", "lossy-alpha", "lossless", "lossless-alpha", "lossless-photo", "palette2", "palette4", "palette16", "animated"):
        im = Image.open(name + ".webp")
        im.load()
        im.save(name + ".png", optimize=True)


if __name__ == "__main__":
    main()
