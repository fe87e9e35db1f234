#!/usr/bin/env python3
"""Trains ResNet-20 on a data set of kiti-dist in PyTorch: what accuracy the same recipe has elsewhere.

    torchrun --nproc_per_node 2 train-cifar10-with-pytorch.py data/cifar10.h5 [--epochs 20] [--seed 1]

Needs torch==2.13.0+cpu, numpy and h5py from PyPI. The recipe, whose accuracy results/cifar10.md has beside kiti-dist's: a
global batch of 128 divided over the processes (batch norm sees a process's share), SGD at a learning rate of 0.1 with
Nesterov momentum, weight decay 5e-4 on everything, two epochs of warm-up and a cosine, crops of images padded by 4, mirrored
in every second epoch. Random numbers and initial weights are PyTorch's. Prints the test accuracy after each epoch, of the
images as they are and of the mean with their mirror images.
"""

import argparse
import math
import time

import h5py
import numpy as np
import torch
import torch.distributed as dist
from torch import nn
from torch.nn import functional as F

from reference import peers

BATCH, PADDING, WARM_UP = 128, 4, 2
RATE, DECAY = 0.1, 5e-4


def resnet20():
    network = peers.resnet(20)
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    return network.to(memory_format=torch.channels_last)


class Images:
    """Normalized images `[count, 3, 32, 32]` and their classes."""

    def __init__(self, path):
        with h5py.File(path) as file:
            read = {split: (file[f"{split}/inputs"][:], file[f"{split}/targets"][:]) for split in ("train", "test")}
        mean = read["train"][0].mean((0, 1, 2), dtype=np.float64)
        deviation = read["train"][0].std((0, 1, 2), dtype=np.float64)

        def tensors(split):
            pixels, classes = read[split]
            values = torch.from_numpy(((pixels - mean) / deviation).astype(np.float32)).permute(0, 3, 1, 2)
            return values, torch.from_numpy(classes).long()

        self.inputs, self.targets = tensors("train")
        self.test_inputs, self.test_targets = tensors("test")

    def batch(self, indices, shifts, mirrored):
        """Some training images, each padded with zeros, moved and, where told, mirrored."""
        padded = F.pad(self.inputs[indices], (PADDING,) * 4)
        batch = torch.empty(len(indices), 3, 32, 32, memory_format=torch.channels_last)
        for place, (down, right) in enumerate(shifts.tolist()):
            view = padded[place, :, down:down + 32, right:right + 32]
            batch[place] = view.flip(2) if mirrored[place] else view
        return batch, self.targets[indices]


def accuracy(network, images, rank, ranks):
    """Shares of test images that are classified rightly: as they are, and by the mean with their mirror images."""
    network.eval()
    right = torch.zeros(2)
    mine = torch.arange(rank, len(images.test_targets), ranks)
    with torch.no_grad():
        for indices in mine.split(250):
            x = images.test_inputs[indices].contiguous(memory_format=torch.channels_last)
            plain, mirrored = (network(view).softmax(1) for view in (x, x.flip(3)))
            for place, prediction in enumerate((plain, plain + mirrored)):
                right[place] += (prediction.argmax(1) == images.test_targets[indices]).sum()
    network.train()
    dist.all_reduce(right)
    return (right / len(images.test_targets)).tolist()


def learning_rate(step, steps, warm_up):
    if step < warm_up:
        return RATE * (step + 1) / warm_up
    return RATE / 2 * (1 + math.cos(math.pi * (step - warm_up) / (steps - warm_up)))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", help="written by kiti-dist data import cifar10")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(1)
    dist.init_process_group("gloo")
    rank, ranks = dist.get_rank(), dist.get_world_size()
    torch.manual_seed(options.seed)
    images = Images(options.data)
    count = len(images.targets)
    network = resnet20()
    parallel = nn.parallel.DistributedDataParallel(network)
    optimizer = torch.optim.SGD(network.parameters(), lr=RATE, momentum=0.9, nesterov=True, weight_decay=DECAY)
    # The same on all processes.
    random = torch.Generator().manual_seed(options.seed)
    first_mirrored = torch.rand(count, generator=random) < 0.5
    per_epoch = -(-count // BATCH)
    steps, step = options.epochs * per_epoch, 0
    for epoch in range(options.epochs):
        order = torch.randperm(count, generator=random)
        shifts = torch.randint(0, 2 * PADDING + 1, (count, 2), generator=random)
        start, losses = time.time(), 0.0
        for samples in order.split(BATCH):
            mine = samples.tensor_split(ranks)[rank]
            inputs, targets = images.batch(mine, shifts[mine], first_mirrored[mine] == (epoch % 2 == 0))
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(step, steps, WARM_UP * per_epoch)
            optimizer.zero_grad()
            loss = F.cross_entropy(parallel(inputs), targets)
            loss.backward()
            optimizer.step()
            losses += loss.item()
            step += 1
        seconds = time.time() - start
        plain, mirrored = accuracy(network, images, rank, ranks)
        if rank == 0:
            print(f"epoch {epoch + 1}  loss {losses / per_epoch:.4f}  test accuracy {plain:.2%}, flipped images too {mirrored:.2%}"
                  f"  {count / seconds:.0f} samples/s", flush=True)
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
