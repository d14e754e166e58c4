def style(wildcards):
    """The style of one figure, as JSON."""
    return getattr(settings.figures, wildcards.figure).model_dump_json()


def figure_energies(wildcards):
    """What operations cost, as JSON, for the figures that show it."""
    if wildcards.figure in ("energy_breakdown", "energy_time"):
        return hardware_energies
    return energies if wildcards.figure == "energy" else None


def figure_logs(wildcards):
    """What a figure shows beside the measures: training, tests under noise, comparisons, judgements, or activity."""
    more = {
        "training_curves": histories,
        "noise": noise_logs,
        "negative_spikes": neuron_logs,
        "certified_peers": certified_logs,
        **dict.fromkeys(("energy_breakdown", "energy_time", "layer_rates"), activity_logs),
        "widths": width_logs,
    }
    return more[wildcards.figure](wildcards) if wildcards.figure in more else []


def published_logs(wildcards):
    """Published step logs of the experiment, where somebody has put them."""
    folder = Path(PUBLISHED).with_suffix("")
    return sorted(local(str(path)) for path in folder.glob(f"{compared_with(wildcards)}/*/*.txt"))


# A rule each, because a caption cannot depend on a wildcard.
for name in FIGURES:

    rule:
        name:
            f"figure_{name}"
        input:
            measures,
            figure_logs,
            published_logs,
            published=local(PUBLISHED),
        output:
            report(
                FIGURE + ".svg",
                caption=f"../report/{name}.rst",
                category="{experiment}",
                subcategory="{budget}",
                labels={"what": "{figure}"},
            ),
            [FIGURE + "." + format for format in FORMATS if format != "svg"],
        log:
            "results/{budget}/{experiment}/jobs/{figure}.log",
        wildcard_constraints:
            figure=name,
        localrule: True
        threads: 1
        resources:
            mem_mb=1000,
            runtime=10,
        params:
            **recorded(
                f"figure {name}",
                runs=run_folders,
                style=style,
                energies=figure_energies,
                dataset=dataset,
                compared_with=compared_with,
            ),
            stem=subpath(output[0], strip_suffix=".svg"),
        message:
            "Draw {wildcards.figure} ({wildcards.experiment}, {wildcards.budget})"
        shell:
            "lossless-snn record {params.job:q} figure {wildcards.figure} {params.words} --out {params.stem}"
            " --style {params.style:q} {FORMAT_OPTIONS} --published {input.published} --energy {ENERGY} >> {log} 2>&1"
