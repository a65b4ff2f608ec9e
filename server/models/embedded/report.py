"""The figures of an evaluation as the Markdown tables that stand in the model's card."""


def report(figures: dict) -> str:
    """Markdown of what `evaluate` wrote to figures.json: a table per class and the totals below it."""
    rebuild, vocoder, text = figures["rebuild"], figures["vocoder"], figures["text"]
    judge = text["judge"]
    lines = [
        "| class | round trip, nat | vocoder | (alone) | Griffin-Lim | judge, real | judge, rebuilt | prompt | heard |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for asked in text["all"]["prompts"]:
        name = asked["class"]
        lines.append(
            f"| {name} | {rebuild['by_class'][name]:.2f} | {vocoder['vocoder']['by_class'][name]:.2f} | "
            f"{vocoder['vocoder_alone']['by_class'][name]:.2f} | {vocoder['griffin_lim']['by_class'][name]:.2f} | "
            f"{judge['real']['by_class'][name]:.2f} | "
            f"{judge['through_the_model']['by_class'][name]:.2f} | {asked['prompt']} | "
            f"{asked['hits']} of {len(asked['heard'])} |"
        )
    lines.append(
        f"| **all** | **{rebuild['nat']:.2f}** | **{vocoder['vocoder']['mean']:.2f}** | "
        f"**{vocoder['vocoder_alone']['mean']:.2f}** | **{vocoder['griffin_lim']['mean']:.2f}** | "
        f"**{judge['real']['accuracy']:.2f}** | "
        f"**{judge['through_the_model']['accuracy']:.2f}** | | **{_counted(text['all'])}** |"
    )
    lines += ["", f"Chance is {judge['chance']:.2f}. {text['all']['steps']} steps, guidance {text['all']['guidance']:g}."]
    if "best" in text:
        each = ", ".join(f"{p['prompt']} {p['hits']}/{len(p['heard'])}" for p in text["best"]["prompts"])
        lines += ["", f"The best prompts of that trial again, with other seeds: **{_counted(text['best'])}** ({each})."]
    return "\n".join(lines) + "\n"


def _counted(trial: dict) -> str:
    hits = sum(p["hits"] for p in trial["prompts"])
    return f"{hits} of {trial['clips']}"
