"""The data sets: what is known of each, where its files come from, and reading them into arrays.

Nothing here imports torch, and scikit-learn and torchvision are imported only by the sources
that need them: each takes seconds, and most commands only want the catalogue.
"""

from .loading import Images, load

__all__ = ["Images", "load"]
