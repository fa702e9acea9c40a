"""Make the parity certificate of a model that this repository serves or tests.

Needs Pillow==13.0.0, numpy==2.4.6 and onnxruntime==1.30.0. From the repository's
root, for the built-in model (the picture `scene` is drawn here):

    python3 test/golden/make_certificates.py imagenet internal/registry/builtin/imagenet/model.onnx \\
        internal/registry/builtin/imagenet/parity examples/cat.jpg scene

Preprocessing is said here once more, in Pillow's and numpy's words and not in
the package's, so that the certificate is a second opinion.
"""

import pathlib
import sys
import tempfile

import numpy as np
import onnxruntime
from PIL import Image, ImageDraw

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "tools"))
from certify import certify  # noqa: E402


def to_tensor(image, order, scale, mean, std):
    values = np.asarray(image, np.float32)[..., order] * np.float32(scale)
    values = (values - np.float32(mean)) / np.float32(std)
    return np.ascontiguousarray(values.transpose(2, 0, 1))


def short_side(image, size):
    w, h = image.size
    wanted = (size, int(size * h / w)) if w <= h else (int(size * w / h), size)
    return image.resize(wanted, Image.Resampling.BILINEAR)


def center(image, size):
    left, top = round((image.width - size) / 2.0), round((image.height - size) / 2.0)
    return image.crop((left, top, left + size, top + size))


def mobilenet(image):
    return to_tensor(center(short_side(image, 256), 224), [0, 1, 2], 1 / 255, [0.5] * 3, [0.5] * 3)


def squeezenet(image):
    return to_tensor(center(short_side(image, 256), 224), [2, 1, 0], 1, [104, 117, 123], [1] * 3)


def resnet20(image):
    image = image.resize((32, 32), Image.Resampling.BILINEAR)
    return to_tensor(image, [0, 1, 2], 1 / 255, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225])


def cifar10(image):
    image = center(short_side(image, 32), 32)
    return to_tensor(image, [0, 1, 2], 1 / 255, [0.4914, 0.4822, 0.4465], [0.247, 0.2435, 0.2616])


MODELS = {
    "imagenet": mobilenet,
    "mobilenetv2": mobilenet,
    "squeezenet": squeezenet,
    "resnet20": resnet20,
    "cifar10": cifar10,
}


def draw_scene(path):
    """A drawn lighthouse: edges, thin lines and slopes, so that every setting shows."""
    w, h = 480, 361
    y, x = np.mgrid[0:h, 0:w]
    sky = np.stack([90 + y // 3, 140 + y // 4, 230 - x // 12], -1)
    image = Image.fromarray(sky.astype(np.uint8))
    d = ImageDraw.Draw(image)
    d.ellipse((360, 30, 430, 100), fill=(250, 220, 90))
    d.rectangle((0, 250, w, h), fill=(25, 80, 120))
    for i in range(0, w, 6):  # waves: thinner than a pixel once shrunk
        d.line((i, 250, i - 40, h), fill=(60, 130, 170))
    d.polygon([(40, 300), (130, 240), (300, 245), (380, 320), (200, 350)], fill=(90, 75, 60))
    for i in range(6):
        c = (200, 30, 30) if i % 2 else (245, 245, 240)
        d.polygon([(180 - 4 * i, 90 + 28 * i), (240 + 4 * i, 90 + 28 * i), (244 + 4 * i, 118 + 28 * i), (176 - 4 * i, 118 + 28 * i)], fill=c)
    d.rectangle((186, 66, 234, 90), fill=(40, 40, 50))
    d.polygon([(180, 66), (240, 66), (210, 40)], fill=(120, 20, 20))
    for i in range(0, 50, 5):
        d.line((186 + i, 60, 186 + i, 92), fill=(230, 230, 210))
    image.save(path, optimize=True)


def main(name, model, out, *pictures):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    feed = session.get_inputs()[0].name

    def predict(batch):
        return session.run(["logits"], {feed: batch})[0]

    with tempfile.TemporaryDirectory() as folder:
        scene = pathlib.Path(folder, "scene.png")
        draw_scene(scene)
        certify(out, [scene if p == "scene" else p for p in pictures], MODELS[name], predict,
                versions={"onnxruntime": onnxruntime.__version__})


if __name__ == "__main__":
    main(*sys.argv[1:])
