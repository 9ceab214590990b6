#!/usr/bin/env python3
"""Makes the reference for handwritten digits: what two small nets reach in f32, over three seeds.

PyTorch, f32 on one thread, AdamW (lr 1e-3, betas 0.9 and 0.999, eps 1e-8, weight decay 0.01 on every parameter), the
rate falling as half a cosine to 0 over all steps, batches of 64 in an order shuffled anew each epoch, the last batch
short, no augmentation. Pixels are divided by 255. Weights and biases begin uniform in ±1/√(fan-in), PyTorch's default.

    mlp   linear 784 → 256, ReLU, linear 256 → 10; 5 epochs
    cnn   convolution 5×5 of 1 → 16 channels (stride 1, 2 of padding), ReLU, largest of 2×2;
          convolution 5×5 of 16 → 32 channels (same), ReLU, largest of 2×2; linear 32·7·7 → 10; 3 epochs

Prints a JSON line a run and appends it to mnist/accuracy.jsonl (places.py says where): the net, the seed, the accuracy on
the 10,000 test images and the mean training loss of each epoch, and of the last one.

    VENV/bin/python bench/python/mnist_reference.py [mlp] [cnn] [SEED ...]     # default: both, seeds 1, 2, 3
"""
import json
import sys
import time

import numpy
import torch
from torch import nn

import places

BATCH = 64
SEEDS = (1, 2, 3)


def mlp():
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 10))


def cnn():
    return nn.Sequential(
        nn.Conv2d(1, 16, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(32 * 7 * 7, 10))


NETS = {"mlp": (mlp, 5), "cnn": (cnn, 3)}


def images(part):
    """Images F32 [count, 1, 28, 28] and labels of "train" or "t10k", from IDX files."""
    folder = places.MODELS / "mnist"
    pixels = numpy.frombuffer((folder / f"{part}-images-idx3-ubyte").read_bytes(), numpy.uint8, offset=16)
    labels = numpy.frombuffer((folder / f"{part}-labels-idx1-ubyte").read_bytes(), numpy.uint8, offset=8)
    return (torch.from_numpy(pixels.astype(numpy.float32) / 255).reshape(-1, 1, 28, 28),
            torch.from_numpy(labels.astype(numpy.int64)))


def run(name, seed, train, test):
    make, epochs = NETS[name]
    torch.manual_seed(seed)
    begun, net = time.perf_counter(), make()
    optimiser = torch.optim.AdamW(net.parameters(), lr=1e-3, weight_decay=0.01)
    batches = -(-len(train[0]) // BATCH)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, epochs * batches)
    losses = []
    for _ in range(epochs):
        total = 0.0
        for at in torch.randperm(len(train[0])).split(BATCH):
            loss = nn.functional.cross_entropy(net(train[0][at]), train[1][at])
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            schedule.step()
            total += loss.item() * len(at)
        losses.append(round(total / len(train[0]), 5))
    with torch.inference_mode():
        scores = torch.cat([net(part) for part in test[0].split(1000)])
    accuracy = (scores.argmax(1) == test[1]).double().mean().item()
    return {"net": name, "seed": seed, "accuracy": round(accuracy, 4), "losses": losses, "loss": losses[-1],
            "epochs": epochs, "seconds": round(time.perf_counter() - begun, 1), "torch": torch.__version__}


def main():
    torch.set_num_threads(1)
    train, test = images("train"), images("t10k")
    folder = places.REFERENCES / "mnist"
    folder.mkdir(parents=True, exist_ok=True)
    seeds = [int(word) for word in sys.argv[1:] if word.isdigit()]
    for name in [word for word in sys.argv[1:] if not word.isdigit()] or NETS:
        for seed in seeds or SEEDS:
            line = json.dumps(run(name, seed, train, test))
            print(line, flush=True)
            with open(folder / "accuracy.jsonl", "a") as file:
                file.write(line + "\n")


if __name__ == "__main__":
    main()
