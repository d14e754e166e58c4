"""What is known of the processor, by what a system says of it."""

import platform

import pytest

from lossless_snn import processor

ZEN_4 = "vendor_id\t: AuthenticAMD\nmodel name\t: AMD EPYC\nflags\t\t: fpu avx2 avx512f avx512_bf16 sse\n"
ZEN_3 = "vendor_id\t: AuthenticAMD\nmodel name\t: AMD EPYC\nflags\t\t: fpu avx avx2\n\nmodel name\t: other\n"
ARM = "processor\t: 0\nFeatures\t: fp asimd bf16\nCPU implementer\t: 0x41\n"


@pytest.mark.parametrize(
    ("said", "model", "maker", "kind", "lacks_bfloat16"),
    [
        (ZEN_4, "AMD EPYC", "AuthenticAMD", "avx512_bf16 avx512f avx2", False),
        (ZEN_3, "AMD EPYC", "AuthenticAMD", "avx2", True),
        (ARM, platform.machine(), "0x41", "bf16", False),
        ("Features\t: fp asimd\n", platform.machine(), "", "", True),
        (None, platform.machine(), "", "", False),
    ],
)
def test_what_a_system_says(tmp_path, monkeypatch, said, model, maker, kind, lacks_bfloat16):
    monkeypatch.setattr(processor, "_CPUINFO", tmp_path / "cpuinfo")
    if said is not None:
        (tmp_path / "cpuinfo").write_text(said)
    assert processor.model() == model
    assert processor.maker() == maker
    assert processor.kind() == f"{platform.machine()} {kind}".strip()
    assert processor.lacks_bfloat16() is lacks_bfloat16
