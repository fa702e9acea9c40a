#!/usr/bin/env python3
"""Writes the package's parity certificate with the training framework itself.

usage: certificate.py --checkpoint FILE --out PACKAGE/parity PICTURE…
"""
import argparse
import pathlib
import sys

import numpy as np
import torch
from PIL import Image

from net import Net, tensor

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tools"))
from certify import certify  # noqa: E402


def preprocess(image):
    """As the training saw photos: short side to 32, centre crop, normalized."""
    w, h = image.size
    size = (32, int(32 * h / w)) if w <= h else (int(32 * w / h), 32)
    image = image.resize(size, Image.Resampling.BILINEAR)
    left, top = round((size[0] - 32) / 2), round((size[1] - 32) / 2)
    return tensor(np.array(image.crop((left, top, left + 32, top + 32)))[None]).contiguous()


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--checkpoint", required=True)
    p.add_argument("--out", required=True)
    p.add_argument("pictures", nargs="+")
    a = p.parse_args()
    torch.set_num_threads(1)
    net = Net()
    net.load_state_dict(torch.load(a.checkpoint, weights_only=True)["mean"])
    net.eval()
    with torch.no_grad():
        certify(a.out, a.pictures, preprocess, lambda x: net(torch.from_numpy(np.asarray(x)))[0],
                versions={"torch": torch.__version__})


if __name__ == "__main__":
    main()
