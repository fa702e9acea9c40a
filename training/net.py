"""A narrow ResNet-9: 0.70 M parameters, 48 M multiply-adds a picture."""
import torch
from torch import nn
from torch.nn import functional as F

MEAN = (0.4914, 0.4822, 0.4465)
STD = (0.2470, 0.2435, 0.2616)
WIDTHS = (24, 48, 96, 160)


class Block(nn.Sequential):
    """3x3 convolution, batch norm, ReLU and, where the picture shrinks, 2x2 max pooling."""

    def __init__(self, inside, outside, pool=False):
        layers = [nn.Conv2d(inside, outside, 3, padding=1, bias=False), nn.BatchNorm2d(outside), nn.ReLU(inplace=True)]
        super().__init__(*layers, *([nn.MaxPool2d(2)] if pool else []))


class Residual(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.body = nn.Sequential(Block(width, width), Block(width, width))

    def forward(self, x):
        return x + self.body(x)


class Net(nn.Module):
    """[N,3,32,32] normalized RGB -> logits [N,10], embedding [N,160]."""

    def __init__(self, widths=WIDTHS, classes=10):
        super().__init__()
        a, b, c, d = widths
        self.features = nn.Sequential(
            Block(3, a), Block(a, b, pool=True), Residual(b), Block(b, c, pool=True), Block(c, d, pool=True), Residual(d))
        self.head = nn.Linear(d, classes)

    def forward(self, x):
        embedding = F.adaptive_avg_pool2d(self.features(x), 1).flatten(1)
        return self.head(embedding), embedding


def tensor(pixels):
    """uint8 [N,32,32,3] -> float32 [N,3,32,32], as the model package's preprocessing does."""
    x = torch.from_numpy(pixels).permute(0, 3, 1, 2).float().div_(255)
    mean, std = torch.tensor(MEAN).view(1, 3, 1, 1), torch.tensor(STD).view(1, 3, 1, 1)
    return ((x - mean) / std).contiguous(memory_format=torch.channels_last)
