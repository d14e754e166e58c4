"""`python -m lossless_workflow.run [--brief] ARGUMENTS...`: Snakemake, past the locks of one that was killed."""

import os
import re
import shutil
import subprocess
import sys
from collections import deque
from collections.abc import Iterable, Iterator

from .processes import free_locks
from .program import program

# Lines of a run that failed which say why.
_LAST_WORDS = 40
_STARTED = re.compile(r"Job (\d+): (.+)")
_FINISHED = re.compile(r"Finished jobid: (\d+) ")
_DONE = re.compile(r"(\d+) of (\d+) steps \(")
_EPOCH = re.compile(r".*epoch \d+/\d+")


def main() -> None:
    """Become Snakemake, with the arguments of this program; with --brief, print a line for each step alone."""
    free_locks("make")
    command = [sys.executable, "-m", "snakemake", *sys.argv[1:]]
    if command[3:4] != ["--brief"]:
        os.execv(sys.executable, command)  # noqa: S606 (in place of this program)
    sys.exit(_run_briefly(command[:3] + command[4:]))


def _run_briefly(command: list[str]) -> int:
    """Run Snakemake with a line a step; if it fails, print its last words, too. Returns its exit status."""
    last: deque[str] = deque(maxlen=_LAST_WORDS)

    def heard(lines: Iterable[str]) -> Iterator[str]:
        for line in lines:
            last.append(line)
            yield line

    # Those of the terminal's keys reach Snakemake, too, which ends its jobs before it ends.
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8", errors="replace"
    ) as run:
        try:
            _show(steps(heard(run.stdout)))
        except KeyboardInterrupt:
            run.wait()
    if run.returncode:
        sys.stderr.writelines(last)
    return run.returncode


def steps(lines: Iterable[str]) -> Iterator[tuple[str, bool]]:
    """From what Snakemake prints: a line for each step that is done, "[ 3/21] Train k1, seed 0", which is to stay.

    Between them, lines that are to be replaced by the next one: which epoch a training has come to.
    """
    messages: dict[str, str] = {}
    finished: list[str] = []
    for line in lines:
        if found := _STARTED.match(line):
            messages[found[1]] = found[2]
        elif found := _FINISHED.match(line):
            finished.append(messages.get(found[1], ""))
        elif found := _DONE.match(line):
            done, total = int(found[1]), int(found[2])
            for place, message in enumerate(finished, done - len(finished) + 1):
                yield f"[{place:{len(str(total))}}/{total}] {message}", True
            finished = []
        elif found := _EPOCH.match(line):
            yield found[0], False


def _show(lines: Iterable[tuple[str, bool]]) -> None:
    """Print lines that stay; at a terminal those that do not, too, until the next one."""
    at_terminal = sys.stdout.isatty()
    width = min(shutil.get_terminal_size().columns, 80) - 1
    for line, stays in lines:
        if at_terminal:
            print(f"\r{line[:width]:{width}}", end="\n" if stays else "", flush=True)
        elif stays:
            print(line, flush=True)


if __name__ == "__main__":
    with program("make"):
        main()
