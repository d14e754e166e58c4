import re

from lossless_snn.datasets.descriptions import described as described_datasets
from lossless_snn.datasets.image_folders import present_listing
from lossless_snn.datasets.spec import decoded_folder, decoded_paths


def pictures(name):
    """A param: the digest of the names and sizes of a data set's pictures, taken only if its rule is in use."""

    def of_job(wildcards):
        local = os.environ.get("LOSSLESS_SNN_DATA")
        try:
            return present_listing(name, Path("data"), local and Path(local)) or "none at hand"
        except LosslessError as error:
            sys.exit(f"snakemake: {error}")

    return of_job


# The files are fixed by their digests, whatever source they came from: no code or setting makes them stale.
for name, spec in DATASETS.items():

    rule:
        name:
            f"fetch_{name.replace('-', '_')}"
        output:
            list(spec.paths().values()),
        log:
            f"data/{spec.folder}/fetch.log",
        localrule: True
        threads: 1
        resources:
            mem_mb=500,
            runtime=30,
        params:
            dataset=name,
        message:
            "Fetch {params.dataset}"
        shell:
            "lossless-snn fetch {params.dataset} > {log} 2>&1"


# Pictures are inputs that Snakemake does not list: there may be tens of thousands of them.
for name in described_datasets():

    rule:
        name:
            "decode_" + re.sub(r"\W", "_", name)
        output:
            list(decoded_paths(name).values()),
        log:
            f"data/{decoded_folder(name)}/decode.log",
        threads: 1
        resources:
            mem_mb=growing(2000, 1.5),
            runtime=growing(60, 2),
        params:
            dataset=name,
            pictures=pictures(name),
        message:
            "Decode the pictures of {params.dataset}"
        shell:
            "lossless-snn fetch {params.dataset:q} > {log:q} 2>&1"
