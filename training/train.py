#!/usr/bin/env python3
"""Trains the built-in cifar10 model. Float32, one thread, resumable.

usage: train.py --data DIR --checkpoints DIR [--cycles 30:0.12,20:0.06] [--log FILE]
"""
import argparse
import copy
import json
import os
import shutil
import time

import numpy as np
import torch
from torch.nn import functional as F

import data
from net import Net, tensor


def accuracy(net, pixels, labels, batch=500):
    net.eval()
    right = 0
    with torch.no_grad():
        for i in range(0, len(pixels), batch):
            logits, _ = net(tensor(pixels[i:i + batch]))
            right += int((logits.argmax(1).numpy() == labels[i:i + batch]).sum())
    return 100 * right / len(pixels)


def rate(at, cycles, warm=0.2):
    """Learning rate `at` a point in epochs. Each cycle of (epochs, peak) goes linearly up to its
    peak in the first `warm` share, then linearly down to nothing; a later cycle starts from where
    the one before it ended."""
    for length, peak in cycles:
        if at < length:
            share = at / length
            return peak * share / warm if share < warm else peak * (1 - share) / (1 - warm)
        at -= length
    return 0.0


def cycles(text):
    """"30:0.12,20:0.06" -> [(30, 0.12), (20, 0.06)]: epochs and peak learning rate of each cycle."""
    pairs = [part.split(":") for part in text.split(",")]
    return [(int(length), float(peak)) for length, peak in pairs]


def save(path, state):
    torch.save(state, path + ".tmp")
    os.replace(path + ".tmp", path)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--data", required=True, help="folder of train.zip")
    p.add_argument("--checkpoints", required=True)
    p.add_argument("--second", help="where every fifth checkpoint is copied to")
    p.add_argument("--log", help="a line of JSON an epoch is added to it")
    p.add_argument("--cycles", type=cycles, default="30:0.12,20:0.06", help="epochs:peak rate of each cycle")
    p.add_argument("--batch", type=int, default=128)
    p.add_argument("--decay", type=float, default=5e-4)
    p.add_argument("--smoothing", type=float, default=0.05)
    p.add_argument("--share", type=float, default=0.4, help="pictures of a batch that go by upload-and-shrink")
    p.add_argument("--seed", type=int, default=1)
    a = p.parse_args()

    torch.set_num_threads(1)
    torch.manual_seed(a.seed)
    os.makedirs(a.checkpoints, exist_ok=True)
    pixels, labels = data.load(os.path.join(a.data, "train.zip"))
    held = pixels[-data.HOLD_OUT:], labels[-data.HOLD_OUT:]
    pixels, labels = pixels[:-data.HOLD_OUT], labels[:-data.HOLD_OUT]

    net = Net().to(memory_format=torch.channels_last)
    mean = copy.deepcopy(net)  # exponential moving average of the weights: what is exported
    weights = [w for w in net.parameters() if w.ndim > 1]
    others = [w for w in net.parameters() if w.ndim <= 1]
    optimizer = torch.optim.SGD([{"params": weights, "weight_decay": a.decay}, {"params": others}],
                                lr=0.0, momentum=0.9, nesterov=True)
    epoch, path = 0, os.path.join(a.checkpoints, "last.pt")
    if os.path.exists(path):
        state = torch.load(path, weights_only=True)
        net.load_state_dict(state["net"])
        mean.load_state_dict(state["mean"])
        optimizer.load_state_dict(state["optimizer"])
        epoch = state["epoch"]
    steps = len(pixels) // a.batch
    for epoch in range(epoch, sum(length for length, _ in a.cycles)):
        began, cpu, total = time.time(), time.process_time(), 0.0
        rng = np.random.default_rng((a.seed, epoch))  # resumed or not, an epoch sees the same pictures
        order = rng.permutation(len(pixels))
        net.train()
        for step in range(steps):
            pick = order[step * a.batch:(step + 1) * a.batch]
            x = tensor(data.augment(pixels[pick], rng, a.share))
            y = torch.from_numpy(labels[pick])
            for group in optimizer.param_groups:
                group["lr"] = rate(epoch + step / steps, a.cycles)
            logits, _ = net(x)
            loss = F.cross_entropy(logits, y, label_smoothing=a.smoothing)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            total += loss.item()
            with torch.no_grad():
                keep = 0.998 if epoch > 0 else 0.98
                for m, w in zip(mean.state_dict().values(), net.state_dict().values()):
                    if m.dtype.is_floating_point:
                        m.mul_(keep).add_(w, alpha=1 - keep)
                    else:
                        m.copy_(w)
        line = {"epoch": epoch + 1, "loss": round(total / steps, 4), "held_out": accuracy(mean, *held),
                "seconds": round(time.time() - began, 1), "cpu_seconds": round(time.process_time() - cpu, 1)}
        print(json.dumps(line), flush=True)
        if a.log:
            with open(a.log, "a") as log:
                log.write(json.dumps(line) + "\n")
        save(path, {"net": net.state_dict(), "mean": mean.state_dict(), "optimizer": optimizer.state_dict(), "epoch": epoch + 1})
        if a.second and (epoch + 1) % 5 == 0:
            os.makedirs(a.second, exist_ok=True)
            shutil.copy(path, os.path.join(a.second, f"epoch-{epoch + 1:02d}.pt"))


if __name__ == "__main__":
    main()
