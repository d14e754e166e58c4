from lossless_snn.analysis.viewer.page import SOURCES
from lossless_snn.files.digests import sha256

VIEWER = "results/{budget}/{experiment}/figures/viewer.html"

networks_to_view = of_first_seed(SPIKING)


def images_to_view(wildcards):
    """Which test images, as the command's options."""
    if settings.viewer.images is None:
        return f"--count {settings.viewer.count}"
    return " ".join(f"--image {index}" for index in settings.viewer.images)


rule viewer:
    input:
        data_files,
        spiking=networks_to_view,
    output:
        VIEWER,
    log:
        "results/{budget}/{experiment}/jobs/viewer.log",
    threads: 1
    resources:
        mem_mb=growing(4000, 1.5),
        runtime=growing(60, 2),
    params:
        **recorded(
            "viewer",
            images=images_to_view,
            energies=energies,
            dataset=dataset,
            page=lambda _: json.dumps([sha256(path) for path in SOURCES]),
        ),
    message:
        "Show images step by step ({wildcards.experiment}, {wildcards.budget})"
    shell:
        "lossless-snn record {params.job:q} viewer {input.spiking} --out {output} {params.images} --energy {ENERGY} >> {log} 2>&1"
