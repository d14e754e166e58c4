# What a job asks a scheduler for, by measured costs (config/costs.yaml): twice the run time and half as much memory again
# with each attempt. Nothing of it is a param, because nothing of it decides what a job gives.

from lossless_snn.config.costs import read_costs

try:
    costs = read_costs()
except LosslessError as error:
    sys.exit(f"snakemake: {error}")


def of_cluster(name):
    """What the profile's `default-resources` say of the cluster, None without such a key."""
    resource = (workflow.resource_settings.default_resources or {}).get(name)
    # As it was written: Snakemake evaluates it for each job.
    return resource and resource.raw


LONGEST_RUNTIME = int(of_cluster("longest_runtime") or sys.maxsize)


@cache
def estimate(step, budget, name, precision):
    try:
        return costs.estimate(step, name, budget, precision)
    except LosslessError as error:
        sys.exit(f"snakemake: {error}")


def estimated(step, wildcards):
    return estimate(step, wildcards.budget, wildcards.experiment, wildcards.precision)


def minutes(step, times=1):
    """A resource: run time of a step that does what is measured so many times."""

    def of_job(wildcards, threads, attempt):
        once = estimated(step, wildcards)
        return min(costs.minutes(once._replace(seconds=times * once.seconds), attempt, threads), LONGEST_RUNTIME)

    return of_job


def megabytes(step):
    """A resource: memory of a step."""
    return lambda wildcards, attempt: costs.megabytes(estimated(step, wildcards), attempt)


def growing(value, factor):
    """A resource: what is not measured, and so much more of it with each attempt."""
    return lambda wildcards, attempt: min(int(value * factor ** (attempt - 1)), LONGEST_RUNTIME)


# One GPU for each job that computes on one. The steps of a run have one partition, so that they can be one job.
PARTITION = {"slurm_partition": of_cluster("gpu_partition")} if settings.device == "cuda" else {}
PARTITION = {name: value for name, value in PARTITION.items() if value}
GPU = {"gpu": 1, **PARTITION} if settings.device == "cuda" else {}


def scheduled_with(wildcards):
    """A group: what one scheduled job does. Of a short run everything, of others what follows the training."""
    # Where the profile says how many short runs make one job. A dry run shows groups, which one machine has no use for.
    if "short" not in workflow.group_settings.group_components:
        return None
    name, budget, precision = wildcards.experiment, wildcards.budget, wildcards.precision
    is_short = estimate("train", budget, name, precision).seconds <= 60 * costs.short_minutes
    return "short" if is_short else f"tests-{budget}-{name}-{precision}-seed{wildcards.seed}"


def trained_with(wildcards):
    """A group: of a short run everything; a longer training is a job of its own, never begun anew because of others."""
    return "short" if scheduled_with(wildcards) == "short" else None
