"""The workflow on a real SLURM of one node, from Debian's packages: `make test-slurm`, as root.

Jobs are cut off by the code itself, once each, in the copy of the project that a test runs; so no test depends on how
fast the machine is. What comes out is compared with the bytes of a run without any scheduler.
"""

import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from projects import EXPERIMENT, PARTS, ROOT, copy, edit, python

pytestmark = pytest.mark.long

CONFIGURATION = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={home}/munge.socket
CredType=cred/munge
SlurmctldPort=16827
SlurmdPort=16828
SlurmctldPidFile={home}/slurmctld.pid
SlurmdPidFile={home}/slurmd.pid
SlurmctldLogFile={home}/slurmctld.log
SlurmdLogFile={home}/slurmd.log
StateSaveLocation={home}/state
SlurmdSpoolDir={home}/spool
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerParameters=sched_interval=2,bf_interval=2,sched_min_interval=0
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=2
JobAcctGatherParams=OverMemoryKill
ReturnToService=2
KillWait=2
SlurmdParameters=config_overrides
NodeName={host} NodeAddr=127.0.0.1 CPUs=4 Sockets=1 CoresPerSocket=4 ThreadsPerCore=1 RealMemory=16000 State=UNKNOWN
PartitionName=main Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""
LINK = Path("/etc/slurm/slurm.conf")
NODE = socket.gethostname().split(".")[0]


def is_ready() -> bool:
    run = subprocess.run(["sinfo", "-h", "-o", "%T"], capture_output=True, text=True)
    return run.returncode == 0 and run.stdout.split()[:1] in (["idle"], ["mixed"], ["allocated"])


@pytest.fixture(scope="module")
def slurm(tmp_path_factory):
    """SLURM, started and stopped here; one that runs already is taken as it is."""
    if shutil.which("slurmctld") is None or shutil.which("munged") is None:
        install = "apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q slurm-wlm munge"
        if os.geteuid() or subprocess.run(install, shell=True, capture_output=True).returncode:
            pytest.skip("SLURM cannot be had: not root, or no packages slurm-wlm and munge of Debian")
    if is_ready():
        yield
        return
    if os.geteuid() or LINK.exists():
        pytest.skip(f"SLURM cannot be started: not root, or {LINK} is another one's")
    home = tmp_path_factory.mktemp("slurm")
    for name in ("state", "spool", "keys"):
        (home / name).mkdir()
    (home / "slurm.conf").write_text(CONFIGURATION.format(home=home, host=NODE))
    LINK.parent.mkdir(exist_ok=True)
    # Where Debian's SLURM looks; the plugin takes SLURM_CONF away from its jobs.
    LINK.symlink_to(home / "slurm.conf")
    key = home / "keys" / "munge.key"
    key.write_bytes(os.urandom(1024))
    key.chmod(0o600)
    munge = [f"--{name}-file={home / 'keys' / f'munge.{name}'}" for name in ("key", "pid", "log", "seed")]
    daemons = [
        ["munged", "--force", "--foreground", f"--socket={home}/munge.socket", *munge],
        ["slurmctld", "-D", "-f", str(LINK)],
        ["slurmd", "-D", "-f", str(LINK), "-N", NODE],
    ]
    running = []
    try:
        for command in daemons:
            running.append(subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
            time.sleep(1)
        for _ in range(240):
            if is_ready():
                break
            time.sleep(0.5)
        else:
            pytest.fail(f"SLURM's node does not get ready; see {home}")
        yield
        subprocess.run(["scancel", "--partition=main"], check=False)
    finally:
        for process in reversed(running):
            process.send_signal(signal.SIGTERM)
            process.wait()
        LINK.unlink()


LONGER = EXPERIMENT.replace("epochs: 1", "epochs: 4").replace("batch_size: 250", "batch_size: 50")
# Written into the copy's code: how a job ends that finds a file of its name, which it finds once.
INTERRUPTION = """

def interrupt(name):
    import os, subprocess, time
    try:
        os.rename(name, name + ".done")
    except FileNotFoundError:
        return
    with open(name + ".done") as file:
        how = file.read()
    if how == "kill":
        os.kill(os.getpid(), 9)
    if how == "memory":
        held = b"x" * (6 << 30)
    if how == "node":
        node = "nodename=" + os.uname().nodename.split(".")[0]
        subprocess.run(["scontrol", "update", node, "state=down", "reason=test"])
    time.sleep(10_000)
"""


def copied(folder: Path) -> Path:
    """A copy of the project's parts in `folder`."""
    for part in PARTS:
        source = ROOT / part
        (copy if source.is_dir() else shutil.copy2)(source, folder / part)
    return folder


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    """A small copy of the project whose trainings and simulations end early where a file says so."""
    root = copied(tmp_path_factory.mktemp("project"))
    (root / "config/experiments/tiny.yaml").write_text(LONGER)
    # The training of one seed gets the least that SLURM gives; a machine that is busy with other things needs more.
    edit(root / "config/costs.yaml", "shortest_minutes: 10", f"shortest_minutes: {os.environ.get('SLURM_MINUTES', 1)}")
    runtime = 'runtime=lambda wildcards, threads, attempt: (1 if wildcards.seed == "2" else 30) * '
    runtime += 'minutes("train")(wildcards, threads, attempt)'
    edit(root / "workflow/rules/train.smk", 'runtime=minutes("train")', runtime)
    package = root / "src/lossless_snn"
    training = package / "training/training.py"
    edit(
        training,
        "            histories.write(history_path, history)\n",
        "            histories.write(history_path, history)\n"
        "            if epoch == 1:\n"
        "                interrupt(f\"interrupt-train-{job.identity['seed']}\")\n",
    )
    training.write_text(training.read_text() + INTERRUPTION)
    simulation = package / "simulation/test_set.py"
    edit(
        simulation,
        "        progress.save(metrics, certificate)\n",
        "        progress.save(metrics, certificate)\n"
        '        if certificate.images == 100:\n            interrupt(f"interrupt-simulate-{network.metadata.seed}")\n',
    )
    simulation.write_text(simulation.read_text() + INTERRUPTION)
    edit(package / "simulation/state.py", "INTERVAL = 10.0", "INTERVAL = 0.0")
    return root


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    return python(folder, "-m", "snakemake", *arguments)


def on_slurm(folder: Path, *targets: str) -> subprocess.CompletedProcess:
    # Each run a job of its own.
    return run(folder, "--profile", "workflow/profiles/slurm", "--group-components", "short=1", "--", *targets)


# By seed: which step ends how, what is said then, and how its next attempt begins.
AGAIN = "attempt 1 of 3; submitted again"
ENDS = {
    1: ("train", "kill", f"killed, {AGAIN}\n", "going on after epoch 2"),
    2: ("train", "time", f"min asked for), {AGAIN} with more of it\n", "going on after epoch 2"),
    3: ("train", "memory", f"MB asked for), {AGAIN} with more of it\n", "going on after epoch 2"),
    4: ("simulate", "kill", f"killed, {AGAIN}\n", "going on after 100 images"),
    5: ("train", "node", f"its node was lost, {AGAIN}\n", "going on after epoch 2"),
}


def target(seed: int) -> str:
    """A run's last file; of the one that is out of time only the network, so that its training is a job by itself."""
    is_network = ENDS[seed][1] == "time"
    return f"results/quick/tiny/checkpoints/k1/seed{seed}.safetensors" if is_network else f"{logs(seed)}/snn.json"


def logs(seed: int) -> str:
    return f"results/quick/tiny/logs/k1/seed{seed}"


def made(folder: Path, seed: int) -> dict[str, bytes]:
    """All that was made of one run."""
    files = [
        *folder.glob(f"results/quick/tiny/checkpoints/k1/seed{seed}*.safetensors"),
        *(folder / logs(seed)).iterdir(),
    ]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.fixture(scope="module")
def locally(project) -> dict[int, dict[str, bytes]]:
    """By seed: what a run without scheduler makes; it is deleted again."""
    done = run(project, "--cores", "2", *map(target, ENDS))
    assert done.returncode == 0, done.stderr
    expected = {seed: made(project, seed) for seed in ENDS}
    shutil.rmtree(project / "results")
    return expected


@pytest.mark.parametrize("seeds", [(1, 2, 3, 4), (5,)], ids=["jobs", "node"])
def test_jobs_that_are_cut_off_go_on_and_give_the_bytes_of_a_local_run(slurm, project, locally, seeds):
    for seed in seeds:
        step, how, _, _ = ENDS[seed]
        (project / f"interrupt-{step}-{seed}").write_text(how)
    with resuming(seeds):
        done = on_slurm(project, *map(target, seeds))
    assert done.returncode == 0, done.stderr
    for seed in seeds:
        step, how, says, goes_on = ENDS[seed]
        assert says in done.stderr, how
        first, last = (
            project / f"results/quick/tiny/jobs/{step}-k1-seed{seed}{name}.log" for name in (".attempt1", "")
        )
        assert goes_on in last.read_text(), how
        assert first.read_text().count(", slurm job ") == last.read_text().count(", slurm job ") == 1, how
        assert made(project, seed) == locally[seed], how


@contextmanager
def resuming(seeds) -> Iterator[None]:
    """Bring the node back once it is down, where one of the jobs loses it."""
    if not any(ENDS[seed][1] == "node" for seed in seeds):
        yield
        return
    is_down = "sinfo -h -o %T | grep -q down"
    script = f"until {is_down}; do sleep 1; done; sleep 3; scontrol update nodename={NODE} state=resume"
    with subprocess.Popen(["bash", "-c", script]) as process:
        yield
        process.kill()


# 8 runs, which are two jobs.
SWEEP = """
experiments: [tiny]
budget: quick
precisions: [k0, k1]
seeds: [0, 1]
grid: {width: [0.5, 1]}
figures: [{y: snn_accuracy, x: width}]
"""


@pytest.mark.parametrize(("target", "scheduled"), [("demo", 1), ("sweep_tiny", 2)])
def test_one_command_gives_the_bytes_of_a_local_run(slurm, tmp_path, target, scheduled):
    folders = {"slurm": ["--profile", "workflow/profiles/slurm"], "local": []}
    for name, options in folders.items():
        (tmp_path / name).mkdir()
        copied(tmp_path / name)
        (tmp_path / name / "config/experiments/tiny.yaml").write_text(LONGER)
        (tmp_path / name / "config/sweeps/tiny.yaml").write_text(SWEEP)
        started = time.monotonic()
        done = run(tmp_path / name, *options, target)
        print(f"{name}: {time.monotonic() - started:.0f} s")
        assert done.returncode == 0, done.stderr
    first, second = (
        {
            str(path.relative_to(tmp_path / name)): path.read_bytes()
            for path in (tmp_path / name / "results").rglob("*")
            if path.is_file() and path.parent.name != "jobs"
        }
        for name in folders
    )
    assert first == second
    logs = [path.read_text() for path in (tmp_path / "slurm/results").rglob("jobs/train-*.log")]
    assert len({number for log in logs for number in re.findall(r", slurm job (\d+)", log)}) == scheduled


def test_code_that_is_edited_while_a_run_goes_on_runs_on_no_node(slurm, tmp_path):
    """The training's job edits, once, the code of the conversion's, which comes after it."""
    root = copied(tmp_path)
    (root / "config/experiments/tiny.yaml").write_text(EXPERIMENT)
    module = root / "src/lossless_snn/conversion/convert.py"
    text = module.read_text()
    edit(
        root / "workflow/rules/train.smk",
        '"lossless-snn record',
        f"\"mkdir edited 2> /dev/null && echo 'print(1)' >> {module.relative_to(root)}; lossless-snn record",
    )
    network = root / "results/quick/tiny/checkpoints/k1/seed1.snn.safetensors"
    done = on_slurm(root, str(network.relative_to(root)))
    assert done.returncode == 1
    said = (root / "results/quick/tiny/jobs/convert-k1-seed1.log").read_text()
    assert "the code was edited after this run began (src/lossless_snn/conversion/convert.py)" in said
    assert not network.exists()
    module.write_text(text)
    done = on_slurm(root, str(network.relative_to(root)))
    assert (done.returncode, network.exists()) == (0, True), done.stderr
