"""The nearest face against brute force."""

import torch

from src.image.pixels import to_bytes, to_network
from src.method.nearest_face import NearestFace

CPU = torch.device("cpu")


def dictionary(count: int) -> dict[str, torch.Tensor]:
    random = torch.Generator().manual_seed(3)
    lr = torch.randint(0, 256, (count, 16, 16, 3), generator=random).to(torch.uint8)
    hr = torch.randint(0, 256, (count, 128, 128, 3), generator=random).to(torch.uint8)
    return {"lr": lr, "hr": hr}


def test_it_is_the_face_of_the_smallest_squared_distance() -> None:
    tensors, lr = dictionary(30), torch.rand(9, 3, 16, 16, generator=torch.Generator().manual_seed(1)) * 2 - 1
    image = NearestFace(tensors, CPU)(lr).image
    for face, found in zip(lr, image, strict=True):
        distances = [(face - small).double().square().sum().item() for small in to_network(tensors["lr"])]
        assert torch.equal(to_bytes(found[None])[0], tensors["hr"][distances.index(min(distances))])


def test_a_training_face_gives_its_own_hr_also_beside_one_that_differs_by_a_level() -> None:
    tensors = dictionary(6)
    tensors["lr"][5] = tensors["lr"][4]
    tensors["lr"][5, 3, 3, 1] ^= 1
    image = NearestFace(tensors, CPU)(to_network(tensors["lr"])).image
    assert torch.equal(to_bytes(image), tensors["hr"])
