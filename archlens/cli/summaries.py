"""What commands do, so that none is imported to say it; ``python tests/generate.py`` writes it."""

from __future__ import annotations

#: The first paragraph of each command's help.
SAY: dict[str, str] = {
    "audit": "Explain where a published table differs from computed figures.",
    "board": "Compute the RAM and flash that a network needs on a board.",
    "check": "Check networks against their budgets.",
    "claims": "Compare the published figures of networks with computed ones.",
    "compare": "Compare networks in a table, and plot accuracy against MACs.",
    "convert": "Write the spec of any network, such as a torch module.",
    "cost": "Itemise the work of a network: MACs and all other operations.",
    "diagram": "Draw a network: layers, stages and blocks, or feature maps.",
    "diff": "Show the changes from one network to another.",
    "explain": "Derive each number of a layer step by step, with formulas.",
    "explore": "Write an interactive page of networks as a single HTML file.",
    "fit": "Find the largest configuration of a network within limits.",
    "format": "Format spec files: indentation and spacing.",
    "lint": "Find probable mistakes in networks.",
    "list": "List the networks of the zoo.",
    "lsp": "Run a language server on standard input and output, for editors.",
    "memory": "Compute the memory of weights, inference and training.",
    "new": "Write a commented spec to start from.",
    "ops": "List the ops of the language, or explain one.",
    "report": "Write a page about each network, with figures and diagrams.",
    "roofline": "Compute arithmetic intensities and lower bounds on the time.",
    "rules": "List the rules of `archlens lint`, or explain one.",
    "schema": "Print a JSON Schema of specs, settings or JSON output.",
    "search": "Find the best configurations of a network within limits.",
    "shapes": "Print every layer: output shape, arithmetic, params, MACs.",
    "show": "Print the spec of a network.",
    "sizes": "Find the input sizes that a network accepts.",
    "source": "Print a network as readable PyTorch source.",
    "trace": "Show how a torch module became a network.",
    "verify": "Check networks against torch, layer by layer.",
}
