"""What commands do, so that none is imported to say it; ``python tests/generate.py`` writes it."""

# ruff: noqa: E501

from __future__ import annotations

#: The first paragraph of each command's help.
SAY: dict[str, str] = {
    "audit": "Compare a published table of networks with what is computed, and explain the differences.",
    "board": "RAM and flash of a network on a microcontroller, as TensorFlow Lite for Microcontrollers plans them.",
    "check": "Check networks against their budgets.",
    "claims": "Compare what others printed of a network with what is computed.",
    "compare": "Put networks side by side, and their accuracy over their MACs into a chart.",
    "convert": "Write the spec of any network, such as a torch module.",
    "cost": "What a network costs: MACs, and beside them all other work, itemised, with its formulas.",
    "diagram": "Draw a network: its layers, stages and blocks, feature maps, or where its costs are.",
    "diff": "Show what changed from one network to another.",
    "explain": "Derive each number step by step: formula, numbers, rounding, where params and MACs come from.",
    "explore": "Write a page on which networks are explored: one HTML file, which works from a folder.",
    "fit": "Find the largest configuration of a network that keeps within limits.",
    "format": "Lay spec files out in one way: indentation, blanks, the spacing of expressions.",
    "lint": "Find what is most likely a mistake in networks, or worth knowing of them.",
    "list": "List the networks of the zoo, or those whose name matches PATTERN (a part of it, or res*50).",
    "lsp": "Speak the Language Server Protocol on standard input and output, for editors.",
    "memory": "Bytes of weights, of the peak activations of an inference and of training, to the unit.",
    "new": "Write a commented spec NAME.yaml to start from, in this folder; it works as it stands.",
    "ops": "List the ops of the language, or explain OP: arguments, formulas, names elsewhere, examples.",
    "report": "Write a page about each network: figures, diagrams, every layer, cost, published figures, the spec.",
    "roofline": "Multiply-accumulates for each byte that a layer moves, and the time that no machine can beat.",
    "rules": "List the rules of `archlens lint`, or explain one: what it does, why it matters, what to use instead.",
    "schema": "Print a JSON Schema: for editors, of spec files or of [tool.archlens] in pyproject.toml; for programs, of what a command prints with --format json.",
    "search": "Find the configurations of a network that keep within limits, and the best of them.",
    "shapes": "Print every layer of a network: output shape, the arithmetic behind it, params, MACs.",
    "show": "Print the text of a network's spec.",
    "sizes": "Find the inputs that a network takes: the smallest, which fit, which lose no pixel, what they cost.",
    "source": "Print a network as readable PyTorch source.",
    "trace": "How a torch module became a network: what ran, what that became, and what is not known of it.",
    "verify": "Compare what archlens says of networks with what torch does, layer by layer.",
}
