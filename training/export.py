#!/usr/bin/env python3
"""Turns a checkpoint into the model package's model.onnx, and measures it.

usage: export.py --data DIR --checkpoint FILE --package DIR

The batch norms are folded into the convolutions in float64. The temperature is
fitted on the held-out training pictures, half of them as uploads; the test
pictures are looked at only to report. Prints the figures as JSON.
"""
import argparse
import json
import os

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

import data
from net import MEAN, STD, Block, Net, Residual


class Graph:
    """Collects the nodes of a chain; the names count up."""

    def __init__(self):
        self.nodes, self.weights = [], []

    def add(self, op, inputs, output=None, **attributes):
        output = output or f"{op.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, inputs, [output], **attributes))
        return output

    def weight(self, name, array):
        self.weights.append(numpy_helper.from_array(np.asarray(array, np.float32), name))
        return name

    def block(self, block, x):
        conv, norm = block[0], block[1]
        gain = norm.weight.double() / torch.sqrt(norm.running_var.double() + norm.eps)
        kernel = conv.weight.double() * gain[:, None, None, None]
        bias = norm.bias.double() - norm.running_mean.double() * gain
        at = len(self.nodes)
        x = self.add("Conv", [x, self.weight(f"w{at}", kernel.detach()), self.weight(f"b{at}", bias.detach())],
                     kernel_shape=[3, 3], pads=[1, 1, 1, 1])
        x = self.add("Relu", [x])
        return self.add("MaxPool", [x], kernel_shape=[2, 2], strides=[2, 2]) if len(block) > 3 else x


def build(net):
    g, x = Graph(), "input"
    for part in net.features:
        if isinstance(part, Residual):
            y = x
            for block in part.body:
                y = g.block(block, y)
            x = g.add("Add", [x, y])
        else:
            assert isinstance(part, Block)
            x = g.block(part, x)
    x = g.add("GlobalAveragePool", [x])
    embedding = g.add("Flatten", [x], "embedding", axis=1)
    g.add("Gemm", [embedding, g.weight("head.w", net.head.weight.detach()), g.weight("head.b", net.head.bias.detach())],
          "logits", transB=1)
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        g.nodes, "goshawk-cifar10", [value("input", TensorProto.FLOAT, ["N", 3, 32, 32])],
        [value("logits", TensorProto.FLOAT, ["N", net.head.out_features]),
         value("embedding", TensorProto.FLOAT, ["N", net.head.in_features])], g.weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=7,
                              producer_name="goshawk training/export.py")
    onnx.checker.check_model(model, full_check=True)
    return model


def normalized(pixels):
    """What the package's preprocessing makes of 32 x 32 pictures."""
    x = pixels.astype(np.float32) / 255
    return np.ascontiguousarray(((x - np.float32(MEAN)) / np.float32(STD)).transpose(0, 3, 1, 2))


def run(session, pixels):
    return np.concatenate([session.run(["logits"], {"input": normalized(pixels[i:i + 500])})[0]
                           for i in range(0, len(pixels), 500)])


def photo(pixels, size=500, quality=90):
    """A test picture as an ordinary photo: enlarged, saved as JPEG, then shrunk by the server."""
    big = Image.fromarray(pixels).resize((size, size), Image.Resampling.BICUBIC)
    return np.asarray(data.jpeg(big, quality, 2).resize((32, 32), Image.Resampling.BILINEAR))


def softmax(logits, temperature):
    z = logits / temperature
    z = np.exp(z - z.max(1, keepdims=True))
    return z / z.sum(1, keepdims=True)


def nll(logits, labels, temperature):
    return -np.log(softmax(logits, temperature)[np.arange(len(labels)), labels] + 1e-12).mean()


def fit(logits, labels):
    """Temperature of least negative log-likelihood, by golden-section search."""
    low, high, ratio = 0.2, 5.0, (5 ** 0.5 - 1) / 2
    while high - low > 1e-4:
        a, b = high - ratio * (high - low), low + ratio * (high - low)
        if nll(logits, labels, a) < nll(logits, labels, b):
            high = b
        else:
            low = a
    return round((low + high) / 2, 3)


def ece(logits, labels, temperature, bins=15):
    """Expected calibration error in percent (Guo et al. 2017, equal-width bins)."""
    p = softmax(logits, temperature)
    sure, right = p.max(1), p.argmax(1) == labels
    at, total = np.minimum((sure * bins).astype(int), bins - 1), 0.0
    for i in range(bins):
        if (at == i).any():
            total += (at == i).mean() * abs(right[at == i].mean() - sure[at == i].mean())
    return round(100 * total, 2)


def top1(logits, labels):
    return round(100 * float((logits.argmax(1) == labels).mean()), 2)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--data", required=True)
    p.add_argument("--checkpoint", required=True)
    p.add_argument("--package", required=True)
    p.add_argument("--photos", type=int, default=10000, help="how many test pictures are tried as 500 x 500 photos")
    a = p.parse_args()
    torch.set_num_threads(1)

    state = torch.load(a.checkpoint, weights_only=True)
    net = Net()
    net.load_state_dict(state["mean"])
    net.eval()
    path = os.path.join(a.package, "model.onnx")
    os.makedirs(a.package, exist_ok=True)
    onnx.save(build(net), path)

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    pixels, labels = data.load(os.path.join(a.data, "train.zip"))
    held, held_labels = pixels[-data.HOLD_OUT:], labels[-data.HOLD_OUT:]
    rng = np.random.default_rng(0)
    uploads = np.stack([data.upload(x, rng) for x in held])
    both = np.concatenate([run(session, held), run(session, uploads)])
    temperature = fit(both, np.concatenate([held_labels, held_labels]))

    pixels, labels = data.load(os.path.join(a.data, "test.zip"))
    clean = run(session, pixels)
    with torch.no_grad():
        framework = np.concatenate([net(torch.from_numpy(normalized(pixels[i:i + 500])))[0].numpy() for i in range(0, len(pixels), 500)])
    photos = run(session, np.stack([photo(x) for x in pixels[:a.photos]]))
    print(json.dumps({
        "epochs": state["epoch"], "bytes": os.path.getsize(path), "temperature": temperature,
        "test_top1": top1(clean, labels), "framework_top1": top1(framework, labels),
        "largest_logit_difference": float(np.abs(clean - framework).max()),
        "test_ece_before": ece(clean, labels, 1), "test_ece_after": ece(clean, labels, temperature),
        "photo_top1": top1(photos, labels[:a.photos]), "photo_pictures": a.photos,
        "photo_ece_before": ece(photos, labels[:a.photos], 1), "photo_ece_after": ece(photos, labels[:a.photos], temperature),
    }, indent=1))


if __name__ == "__main__":
    main()
