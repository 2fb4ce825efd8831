"""What experiments are done on."""

from PIL import Image

from modbp.study import experiments


def test_a_network_for_imagenet_gets_its_pictures_or_photographs(tmp_path, monkeypatch):
    monkeypatch.setenv("MODBP_DATA", str(tmp_path))
    about = experiments.subject("efficientnet_lite0", count=1)
    assert "photographs" in about.images.source and about.target == "predicted"
    for label in range(3):
        place = tmp_path / "imagenet-1000" / f"n{label}"
        place.mkdir(parents=True)
        Image.new("RGB", (300, 260)).save(place / f"{label}.png")
    about = experiments.subject("efficientnet_lite0", count=2)
    assert "ImageNet" in about.images.source and about.target == "true"
    assert about.read([0])[1].item() == int(about.images.names[0])
    named = experiments.subject("efficientnet_lite0", count=2, folder="imagenet")
    assert named.target == "true" and named.images.names == about.images.names
    # Others are asked for by name.
    about = experiments.subject("efficientnet_lite0", count=1, folder="photographs")
    assert about.target == "predicted"
