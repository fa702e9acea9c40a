"""Certify a model: keep what the training side computes, for Goshawk to compare.

    from certify import certify
    certify("flowers/parity", ["tulip.png", "garden.jpg"], preprocess, predict)

`preprocess` takes a PIL image (RGB, upright) and gives what the model is fed for
it: an array or tensor [C,H,W] or [H,W,C], with or without a leading 1. `predict`
takes that with a leading 1 and gives the scores before any softmax, [1,N] or [N].
Both are the training's own code; nothing of it is replaced here. For timm:

    import timm, torch
    from PIL import Image
    model = timm.create_model("mobilenetv3_small_100", pretrained=True).eval()
    preprocess = timm.data.create_transform(**timm.data.resolve_model_data_config(model))
    with torch.no_grad():
        certify("parity", ["cat.jpg"], preprocess, model, versions={"timm": timm.__version__})

For transformers:

    processor = AutoImageProcessor.from_pretrained(name)
    preprocess = lambda image: processor(image, return_tensors="np")["pixel_values"]
    predict = lambda batch: model(torch.from_numpy(batch)).logits

Then put `parity: parity/` into goshawk.yaml. Two or three pictures are enough:
at least one lossless (PNG), one larger than the model's input, and none whose
sides are the model's own. Needs numpy and Pillow. The files are described in
docs/reference/certificate.md.
"""

import json
import pathlib
import shutil
import sys

import numpy as np
import PIL
from PIL import Image, ImageOps


def array(value):
    """A numpy array of whatever a framework returns."""
    for step in ("detach", "cpu", "numpy"):
        if hasattr(value, step):
            value = getattr(value, step)()
    return np.ascontiguousarray(value)


def upright(path, background):
    """The picture as people see it: turned, opaque, RGB."""
    image = ImageOps.exif_transpose(Image.open(path))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        under = Image.new("RGB", image.size, tuple(background))
        under.paste(image, mask=image.getchannel("A"))
        return under
    return image.convert("RGB")


def certify(out_dir, pictures, preprocess, predict, background=(255, 255, 255), versions=None):
    """Write one case for each picture: OUT_DIR/NAME.npz and a copy of the picture.

    background lies under transparent pixels and must be the package's own.
    versions (of the framework, of the weights) are kept for people to read.
    """
    out, names = pathlib.Path(out_dir), set()
    out.mkdir(parents=True, exist_ok=True)
    for path in map(pathlib.Path, pictures):
        if path.stem in names:
            raise ValueError(f"two pictures are called {path.stem}: rename one")
        names.add(path.stem)
        image = upright(path, background)
        rgb = array(image)
        tensor = array(preprocess(image))
        batch = tensor if tensor.ndim == 4 else tensor[None]
        if batch.ndim != 4 or len(batch) != 1 or not np.isfinite(batch).all():
            raise ValueError(f"{path}: preprocess gave {tensor.shape}; want one picture, [C,H,W] or [H,W,C], of finite numbers")
        fed = batch
        if hasattr(predict, "parameters"):  # a torch module takes no arrays
            import torch

            fed = torch.from_numpy(batch)
        logits = array(predict(fed))
        logits = logits[0] if logits.ndim == 2 and len(logits) == 1 else logits
        if logits.ndim != 1 or not np.isfinite(logits).all():
            raise ValueError(f"{path}: predict gave {logits.shape}; want the scores of one picture, [N] or [1,N], finite")
        meta = {"python": sys.version.split()[0], "numpy": np.__version__, "pillow": PIL.__version__, **(versions or {})}
        np.savez_compressed(out / f"{path.stem}.npz", rgb=rgb, tensor=batch[0], logits=logits, meta=np.array(json.dumps(meta)))
        target = out / path.name
        if not target.exists() or not target.samefile(path):
            shutil.copyfile(path, target)
        print(f"{target}: {rgb.shape[1]} x {rgb.shape[0]}, tensor {batch.dtype} {list(batch.shape)}, best class {int(logits.argmax())}")
