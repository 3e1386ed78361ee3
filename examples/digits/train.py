#!/usr/bin/env python3
"""Trains the sample network of this folder and writes every other data file in it.

Made with Debian 12: python 3.11, python3-torch 1.13, python3-sklearn 1.2.1 (which ships the
images), python3-numpy 1.24, python3-pil 9.4. One thread, fixed seeds: a second run on the same
machine and versions writes the same bytes. Half a minute.

    apt-get install --no-install-recommends python3-torch python3-sklearn python3-pil
    /usr/bin/python3 train.py            # writes next to this script
"""

import argparse
import csv
import json
import pathlib
import warnings

import numpy as np
import torch
from PIL import Image
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional

SEED = 20261124
SIDE = 16  # the 8x8 originals are enlarged to this many pixels
TEST_IMAGES = 500
CALIBRATION_IMAGES = 256
PNG_PER_CLASS = 2
EPOCHS = 60
BATCH = 64
PEAK_LEARNING_RATE = 4e-3
WEIGHT_DECAY = 1e-4


def conv_bn(inputs, outputs, kernel, activation, groups=1, stride=1):
    """Conv without bias, BatchNorm, activation: the block every mobile network is made of."""
    layers = [
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
    ]
    return nn.Sequential(*layers, *([activation] if activation else []))


def separable(inputs, outputs, stride):
    """Depthwise 3x3 and pointwise 1x1 with Relu6, as in MobileNet."""
    return nn.Sequential(
        conv_bn(inputs, inputs, 3, nn.ReLU6(), groups=inputs, stride=stride),
        conv_bn(inputs, outputs, 1, nn.ReLU6()),
    )


class DigitNet(nn.Module):
    """[N,1,16,16] -> logits [N,10]. Stem, separable, MaxPool, residual, separable, pooled head."""

    def __init__(self):
        super().__init__()
        self.stem = conv_bn(1, 16, 3, nn.ReLU())
        self.separable1 = separable(16, 32, stride=1)
        self.pool = nn.MaxPool2d(2)
        self.residual1 = conv_bn(32, 32, 3, nn.ReLU())
        self.residual2 = conv_bn(32, 32, 3, None)
        self.separable2 = separable(32, 64, stride=2)
        self.head = nn.Linear(64, 10)

    def forward(self, x):
        x = self.pool(self.separable1(self.stem(x)))
        x = functional.relu(x + self.residual2(self.residual1(x)))
        x = functional.adaptive_avg_pool2d(self.separable2(x), 1)
        return self.head(torch.flatten(x, 1))


def enlarge(images):
    """[N,8,8] in 0..16 -> uint8 [N,16,16] in 0..255, bilinear with half-pixel centres."""
    side = images.shape[1]
    centre = np.clip((np.arange(SIDE) + 0.5) * side / SIDE - 0.5, 0, side - 1)
    low = np.minimum(centre.astype(int), side - 2)
    weights = np.zeros((SIDE, side))
    weights[np.arange(SIDE), low] = 1 - (centre - low)
    weights[np.arange(SIDE), low + 1] = centre - low
    return np.rint(weights @ (images * 255 / 16) @ weights.T).astype(np.uint8)


def split(labels):
    """Stratified: TEST_IMAGES held out with equal class shares, both parts shuffled."""
    rng = np.random.default_rng(SEED)
    order = rng.permutation(len(labels))
    classes = [order[labels[order] == digit] for digit in range(10)]
    per_class = TEST_IMAGES // 10
    test = np.concatenate([c[:per_class] for c in classes])
    train = np.concatenate([c[per_class:] for c in classes])
    return rng.permutation(train), rng.permutation(test)


def augment(batch, generator):
    """Random shift (1.2 pixels), rotation (10 degrees), zoom (10 %): 1297 images are few."""
    n = batch.shape[0]
    draw = torch.rand(4, n, generator=generator) * 2 - 1
    angle, zoom = draw[0] * 0.175, 1 + 0.1 * draw[1]
    cos, sin = torch.cos(angle) * zoom, torch.sin(angle) * zoom
    shift = draw[2:] * 2.4 / SIDE
    rows = [torch.stack([cos, -sin, shift[0]], 1), torch.stack([sin, cos, shift[1]], 1)]
    grid = functional.affine_grid(torch.stack(rows, 1), batch.shape, align_corners=False)
    return functional.grid_sample(batch, grid, padding_mode="border", align_corners=False)


def train(net, images, labels):
    """Fixed schedule, last weights: the test split is never looked at while training."""
    generator = torch.Generator().manual_seed(SEED)
    optimizer = torch.optim.AdamW(net.parameters(), weight_decay=WEIGHT_DECAY)
    steps = EPOCHS * (len(images) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, PEAK_LEARNING_RATE, steps)
    net.train()
    for epoch in range(EPOCHS):
        order = torch.randperm(len(images), generator=generator)
        total = 0.0
        for start in range(0, len(images) - BATCH + 1, BATCH):
            pick = order[start : start + BATCH]
            logits = net(augment(images[pick], generator))
            loss = functional.cross_entropy(logits, labels[pick], label_smoothing=0.05)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item()
        if epoch % 10 == 9:
            print(f"epoch {epoch + 1}: loss {total / (len(images) // BATCH):.4f}", flush=True)
    net.eval()


def accuracy(net, images, labels):
    with torch.no_grad():
        return (net(images).argmax(1) == labels).float().mean().item()


def export(net, path):
    """Opset 13, free batch dimension N, BatchNormalization nodes left as they are."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PRESERVE on a network in eval mode is what we want
        torch.onnx.export(
            net,
            torch.zeros(1, 1, SIDE, SIDE),
            str(path),
            opset_version=13,
            training=torch.onnx.TrainingMode.PRESERVE,
            do_constant_folding=False,
            input_names=["image"],
            output_names=["logits"],
            dynamic_axes={"image": {0: "N"}, "logits": {0: "N"}},
        )


def write_data(folder, images, labels, train_index, test_index):
    """RGB copies (R = G = B) of the grey images: a rank-4 uint8 .npy holds colour images."""
    parts = {"calibration": train_index[:CALIBRATION_IMAGES], "test": test_index}
    for name, index in parts.items():
        rgb = np.repeat(images[index][..., None], 3, axis=3)
        np.save(folder / f"{name}_images.npy", rgb)
        np.save(folder / f"{name}_labels.npy", labels[index].astype(np.int64))
    png_folder = folder / "images"
    png_folder.mkdir(exist_ok=True)
    with open(png_folder / "labels.csv", "w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["path", "label"])
        for digit in range(10):
            for i, index in enumerate(test_index[labels[test_index] == digit][:PNG_PER_CLASS]):
                name = f"digit_{digit}_{i}.png"
                Image.fromarray(images[index]).save(png_folder / name, optimize=True)
                writer.writerow([name, digit])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path(__file__).parent)
    folder = parser.parse_args().out
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(SEED)

    digits = load_digits()
    images, labels = enlarge(digits.images), digits.target
    train_index, test_index = split(labels)
    mean = round(float(images[train_index].mean()), 1)
    std = round(float(images[train_index].std()), 1)
    tensor = ((torch.from_numpy(images).float() - mean) / std).unsqueeze(1)
    target = torch.from_numpy(labels)

    net = DigitNet()
    train(net, tensor[train_index], target[train_index])
    print(f"parameters {sum(p.numel() for p in net.parameters())}")
    print(f"training split {accuracy(net, tensor[train_index], target[train_index]):.4f}")
    print(f"test split     {accuracy(net, tensor[test_index], target[test_index]):.4f}")

    export(net, folder / "model.onnx")
    write_data(folder, images, labels, train_index, test_index)
    preprocess = {
        "resize": None,
        "crop": None,
        "interpolation": "bilinear",
        "color": "gray",
        "mean": [mean],
        "std": [std],
        "layout": "nchw",
    }
    (folder / "preprocess.json").write_text(json.dumps(preprocess, indent=2) + "\n")


if __name__ == "__main__":
    main()
