"""What a run survives: the demo, killed at random moments again and again, compared with one that nobody killed.

`python benchmarks/kills.py [--kills N] [--seed N]` ends with status 1 where a byte differs. Not compared are files that
hold seconds or times of day: training histories, their table, job logs, and records.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from lossless_snn.files.digests import sha256

ROOT = Path(__file__).parents[1]
RESULTS = Path("results/quick/digits-lenet")
COMMAND = [sys.executable, "-m", "lossless_workflow.run", "demo"]
TIMED = {"history.csv", "training.csv", "provenance.json"}
LATEST = 0.8  # of the time that the demo takes


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--kills", type=int, default=20, help="how many (20)")
    options.add_argument("--seed", type=int, default=0, help="of the moments (0)")
    chosen = options.parse_args()
    moments = random.Random(chosen.seed)  # noqa: S311 (no secret)
    with TemporaryDirectory() as folder:
        began = time.monotonic()
        expected, _ = made(Path(folder, "whole"), [])
        longest = LATEST * (time.monotonic() - began)
        killed, runs, compared = 0, 0, 0
        while killed < chosen.kills:
            plan = [(moments.uniform(1, longest), moments.random() < 0.5) for _ in range(moments.randint(1, 4))]
            plan = plan[: chosen.kills - killed]
            found, kills = made(Path(folder, f"killed{runs}"), plan)
            runs, killed, compared = runs + 1, killed + kills, compared + len(found)
            if different := sorted(path for path in expected | found if expected.get(path) != found.get(path)):
                sys.exit(f"after kills at {plan}: {', '.join(different)} differ")
            print(f"{killed} kills in {runs} runs: {compared} files compared, none differs", flush=True)


def made(folder: Path, kills: list[tuple[float, bool]]) -> tuple[dict[str, str], int]:
    """SHA-256 of what the demo makes in a clone in `folder`, by path; and how many of its runs came to be killed.

    Args:
        folder: Where nothing is yet.
        kills: After how many seconds, run for run, and whether Snakemake alone is killed or its jobs, too. The run
            after the last one ends by itself.
    """
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(folder)], check=True)
    subprocess.run(["rm", "--recursive", str(RESULTS)], cwd=folder, check=True)
    environment = {**os.environ, "PYTHONPATH": str(folder / "src")}
    killed = 0
    with open(folder.with_suffix(".log"), "w", encoding="utf-8") as log:
        for seconds, with_jobs in kills:
            run = subprocess.Popen(COMMAND, cwd=folder, env=environment, stdout=log, stderr=log, start_new_session=True)
            try:
                run.wait(seconds)
            except subprocess.TimeoutExpired:
                os.killpg(run.pid, signal.SIGKILL) if with_jobs else run.kill()
                run.wait()
                killed += 1
        if subprocess.run(COMMAND, cwd=folder, env=environment, stdout=log, stderr=log, check=False).returncode:
            sys.exit(f"after kills at {kills}:\n{folder.with_suffix('.log').read_text(encoding='utf-8')[-2000:]}")
    files = [path for path in (folder / RESULTS).rglob("*") if path.is_file() and path.parent.name != "jobs"]
    return {str(path.relative_to(folder)): sha256(path) for path in files if path.name not in TIMED}, killed


if __name__ == "__main__":
    main()
