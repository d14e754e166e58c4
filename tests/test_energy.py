"""Energies of operations: config/energy.yaml and the estimates made with it."""

from pathlib import Path

import pytest

from lossless_snn.config.energy import read_energies
from lossless_snn.errors import LosslessError

SHIPPED = Path(__file__).parents[1] / "config" / "energy.yaml"


def test_mnist_at_45_nm():
    energies = read_energies(SHIPPED)
    # mnist-lenet without its first layer: 12 x 12 x 20 outputs of 2 x 2 x 20 inputs, 8 x 8 x 50 of 5 x 5 x 20,
    # 4 x 4 x 50 of 2 x 2 x 50, 500 of 4 x 4 x 50, 10 of 500
    multiply_accumulates = 230_400 + 1_600_000 + 160_000 + 400_000 + 5_000
    assert energies.of_ann(3 * multiply_accumulates) == pytest.approx(multiply_accumulates * 4.6e-12)
    assert energies.of_ann(7_186_200) == pytest.approx(11.01884e-6)
    assert energies.of_snn(1_510_511) == pytest.approx(1.3594599e-6)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("addition: 0.9", "addition: 0", r"addition: input should be greater than 0 \(found 0\)"),
        ("addition:", "add:", "addition: field required; add: unknown key"),
        ("technology:", "technology: [", "not valid YAML"),
    ],
)
def test_a_mistake_is_one_line_that_names_file_and_key(tmp_path, old, new, message):
    path = tmp_path / "energy.yaml"
    path.write_text(SHIPPED.read_text().replace(old, new))
    with pytest.raises(LosslessError, match=rf"^{path}: (?i:{message})") as caught:
        read_energies(path)
    assert "\n" not in str(caught.value)
