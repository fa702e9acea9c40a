"""Make processors-N.npz: what transformers' image processors make of a picture.

Needs Pillow==13.0.0, numpy==2.4.6, torch (for its arrays alone) and one of the
releases that the reader of such files was written after. From the repository's
root, with transformers==4.57.1 and then with transformers==5.23.0:

    python3 test/golden/make_processors.py test/golden/processors-4.npz
    python3 test/golden/make_processors.py test/golden/processors-5.npz

`in` is the picture [H, W, 3]; `meta` names the release and holds the settings
of each case as a preprocessor_config.json would; `out_INDEX` [3, H, W] is what
came out, and has no elements where the release refuses the settings. The
processors that compute with Pillow are taken: torchvision's round otherwise.
"""

import json
import sys

import numpy as np
import PIL
import transformers

H, W = 29, 40
CASES = [
    ("ViT", {"size": {"height": 12, "width": 10}}),
    ("ViT", {"size": 12, "resample": 3, "image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}),
    ("ViT", {"size": 12, "do_rescale": False, "do_normalize": False}),
    ("ViT", {"size": 12, "do_normalize": False}),
    ("DeiT", {"size": {"height": 17, "width": 15}, "crop_size": {"height": 10, "width": 10}}),
    ("DeiT", {"size": 17, "crop_size": 12}),
    ("Beit", {"size": 12, "do_center_crop": False}),
    ("Beit", {"size": 15, "crop_size": 12, "do_center_crop": True}),
    ("Siglip", {"size": {"height": 12, "width": 12}}),
    ("Pvt", {"size": {"height": 12, "width": 12}, "resample": 2}),
    ("Segformer", {"size": {"height": 12, "width": 9}}),
    ("CLIP", {"size": {"shortest_edge": 12}, "crop_size": {"height": 12, "width": 12}}),
    ("CLIP", {"size": 13, "crop_size": 10}),
    ("Bit", {"size": {"shortest_edge": 16}, "crop_size": {"height": 11, "width": 11}, "image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}),
    ("Bit", {"size": {"height": 14, "width": 16}, "crop_size": 11}),
    ("MobileNetV1", {"size": 14, "crop_size": 11}),
    ("MobileNetV2", {"size": {"shortest_edge": 14}, "crop_size": {"height": 11, "width": 12}}),
    ("ConvNext", {"size": {"shortest_edge": 12}, "resample": 3}),
    ("ConvNext", {"size": 12, "crop_pct": 0.95, "resample": 2}),
    ("ConvNext", {"size": 12, "crop_pct": None, "resample": 3}),
    ("ConvNext", {"size": {"height": 12, "width": 12}, "resample": 3}),
    ("PoolFormer", {"size": {"shortest_edge": 12}, "crop_size": 12}),
    ("PoolFormer", {"size": {"height": 12, "width": 12}, "crop_pct": 0.95, "crop_size": 12}),
    ("PoolFormer", {"size": {"height": 12, "width": 15}, "crop_pct": 0.95, "crop_size": 12}),
    ("Levit", {"size": {"shortest_edge": 12}, "crop_size": 11}),
    ("Levit", {"size": {"height": 13, "width": 14}, "crop_size": 11}),
    ("EfficientNet", {"size": {"height": 12, "width": 12}, "resample": 0, "image_mean": [0.485, 0.456, 0.406], "image_std": [0.478, 0.473, 0.474]}),
    ("EfficientNet", {"size": 13, "resample": 2, "rescale_offset": True, "rescale_factor": 1 / 127.5, "include_top": False, "do_center_crop": True, "crop_size": 10}),
    ("EfficientNet", {"size": 13, "resample": 3, "rescale_offset": True}),
    ("EfficientNet", {"size": 13, "resample": 3, "rescale_offset": True, "do_normalize": False}),
    ("MobileViT", {"size": {"shortest_edge": 14}, "crop_size": {"height": 12, "width": 12}, "resample": 2}),
    ("MobileViT", {"size": 14, "crop_size": 12, "resample": 2, "do_flip_channel_order": False}),
]
# What they are when nothing is said, but for what keeps a case small.
NAMES = ["ViT", "DeiT", "Beit", "Siglip", "Pvt", "Segformer", "CLIP", "Bit", "MobileNetV1", "MobileNetV2", "ConvNext", "PoolFormer", "Levit", "EfficientNet", "MobileViT"]


def processor(name):
    return getattr(transformers, name + "ImageProcessor" + ("" if transformers.__version__ < "5" else "Pil"))


def defaults(name):
    keys = ["size", "crop_size", "crop_pct", "resample", "do_resize", "do_center_crop", "do_rescale", "rescale_factor", "rescale_offset", "do_normalize", "image_mean", "image_std", "include_top", "do_flip_channel_order"]
    p = processor(name)()
    out = {key: getattr(p, key) for key in keys if getattr(p, key, None) is not None}
    for key in ("size", "crop_size"):
        if key in out:
            out[key] = {k: v for k, v in dict(out[key]).items() if v is not None}
    if "resample" in out:
        out["resample"] = int(out["resample"])
    for key in ("image_mean", "image_std"):
        if key in out:
            out[key] = list(out[key])
    return out


def main(path):
    y, x = np.mgrid[0:H, 0:W]
    rng = np.random.default_rng(20261121)
    picture = np.stack([x * 255 // (W - 1), y * 255 // (H - 1), np.where((x // 5 + y // 3) % 2, 250, 5)], -1)
    picture = np.clip(picture + rng.integers(-20, 21, picture.shape), 0, 255).astype(np.uint8)
    arrays, cases = {"in": picture}, []
    for i, (name, settings) in enumerate(CASES):
        cases.append({"image_processor_type": name + "ImageProcessor", **settings})
        try:
            p = processor(name)(**settings)
            out = np.asarray(p(PIL.Image.fromarray(picture), return_tensors="np")["pixel_values"][0], np.float32)
        except (AttributeError, TypeError, ValueError) as refused:
            print(name, settings, "is refused:", refused)
            out = np.zeros((3, 0, 0), np.float32)
        arrays[f"out_{i}"] = out
    meta = {"transformers": transformers.__version__, "cases": cases, "defaults": {name: defaults(name) for name in NAMES}}
    np.savez_compressed(path, meta=np.array(json.dumps(meta)), **arrays)


if __name__ == "__main__":
    main(*sys.argv[1:])
