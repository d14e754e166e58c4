"""The page of all commands, from what each says of itself."""

import click

from lossless_snn.cli.main import cli

HEADING = """# Commands

`lossless-snn COMMAND --help` says the same. Names that are close to a known one are answered with it: commands,
experiments, precisions, figures, data sets.

## Exit status

| status | of `lossless-snn` | of `snakemake` and `make` |
| --- | --- | --- |
| 0 | all went well | all went well |
| 1 | a mistake, in one line on standard error; `verify` found faults | a step failed, or a setting is wrong |
| 2 | a command line that cannot be read | a command line that cannot be read; `make`: any failure of its command |

`make restore` and `make verify` fail where something is left out, altered or missing, after all else is done.

## For programs

`evaluate`, `simulate`, `verify` and `provenance` take `--json`: standard output is then one JSON document and nothing
else. Messages and progress bars go to standard error, and bars appear at a terminal alone.

    lossless-snn evaluate results/paper/mnist-lenet/checkpoints/k1/seed0.safetensors --json
    lossless-snn provenance results/paper/mnist-lenet/figures/sops.svg --json

## Completion in the shell

Commands, options, experiments, precisions and figures are completed in bash (4.4 and later), zsh and fish. Experiments
are those of the folder that you are in. In a shell where the environment is activated:

    # bash, in ~/.bashrc
    eval "$(_LOSSLESS_SNN_COMPLETE=bash_source lossless-snn)"
    # zsh, in ~/.zshrc
    eval "$(_LOSSLESS_SNN_COMPLETE=zsh_source lossless-snn)"
    # fish, in ~/.config/fish/completions/lossless-snn.fish
    _LOSSLESS_SNN_COMPLETE=fish_source lossless-snn | source
"""


def commands_page() -> str:
    """A section for each command: its help text."""
    context = click.Context(cli, info_name="lossless-snn")
    parts = [HEADING]
    for name in cli.list_commands(context):
        inner = click.Context(cli.get_command(context, name), context, info_name=name, terminal_width=76)
        with inner:
            parts.append(f"## {name}\n\n```text\n{inner.get_help()}\n```\n")
    return "\n".join(parts)
