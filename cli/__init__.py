"""The command-line program ``checkout``: a composition root, like ``worker.py``."""
