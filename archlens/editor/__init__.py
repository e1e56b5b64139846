"""archlens behind an editor: what is wrong with a spec that is being written, and what its words mean.

The playground asks it in a page, and ``archlens lsp`` in editors.
"""
