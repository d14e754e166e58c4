"""What samples of several seeds say: intervals, and tests of whether two networks are equally accurate.

Seeds are the sample: a seed draws initial weights and the order of images, and each precision is trained with the same
seeds, so that networks are compared in pairs. Intervals of a mean are Student's, for values that are about normal:

    mean ± t(0.975; n - 1) s / sqrt(n)
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

CONFIDENCE = 0.95
LEAST_SEEDS = 3
"""For an interval to be shown in place of a range: that of two values is nine times as wide as their deviation."""
MARGIN = 0.001
"""As a share of the images: a network no more than 0.1 points less accurate counts as equally accurate."""


def interval(values: Sequence[float] | np.ndarray) -> tuple[float, float]:
    """The 95 % interval of the mean of a sample, by Student's t.

    Args:
        values: The sample, (n,).

    Returns:
        Its lower and upper end; NaN, both, where there are fewer than two values, or one of them is NaN.
    """
    sample = np.asarray(values, float)
    if len(sample) < 2:
        return np.nan, np.nan
    reach = stats.t.ppf((1 + CONFIDENCE) / 2, len(sample) - 1) * sample.std(ddof=1) / np.sqrt(len(sample))
    return sample.mean() - reach, sample.mean() + reach


@dataclass(frozen=True)
class PairedComparison:
    """Accuracies of one network less those of another, seed by seed; all but the p-values as shares of the images.

    Attributes:
        seeds: How many pairs.
        difference: Mean of the differences.
        low: Lower end of their 95 % interval.
        high: Upper end.
        p_equal: Of the paired t-test, two-sided: how often as large a difference would be seen if there were none.
        p_lower: Of the paired t-test, one-sided: how often as favourable a difference if `MARGIN` or more were lost.
    """

    seeds: int
    difference: float
    low: float
    high: float
    p_equal: float
    p_lower: float

    @property
    def conclusion(self) -> str:
        """What the interval says, in words: where it lies, seen from no difference and from the margin."""
        margin = f"{100 * MARGIN:g} points"
        if self.seeds < 2:
            return "one seed: no test"
        if self.high < -MARGIN:
            return f"less accurate by more than {margin}"
        if self.low > -MARGIN:
            return f"less accurate, by less than {margin}" if self.high < 0 else f"not less accurate by {margin}"
        return "less accurate" if self.high < 0 else f"undecided: a loss of {margin} is not excluded"


def compare_pairs(accuracies: Sequence[float], reference: Sequence[float]) -> PairedComparison:
    """Compare accuracies with those of a reference, both by the same seeds in the same order.

    Differences that do not vary have no t: their p-values are those of the limit, 0, 1 or, at no difference, 1.

    Args:
        accuracies: Shares of the images predicted right, (n,).
        reference: The same of the reference, (n,).

    Returns:
        The comparison; NaN for interval and p-values where n is below 2.
    """
    differences = np.asarray(accuracies, float) - np.asarray(reference, float)
    low, high = interval(differences)
    count, mean = len(differences), float(differences.mean())
    if count < 2:
        return PairedComparison(count, mean, np.nan, np.nan, np.nan, np.nan)
    if np.ptp(differences) == 0:
        return PairedComparison(count, mean, low, high, float(mean == 0), float(mean <= -MARGIN))
    equal = stats.ttest_1samp(differences, 0.0).pvalue
    lower = stats.ttest_1samp(differences, -MARGIN, alternative="greater").pvalue
    return PairedComparison(count, mean, low, high, float(equal), float(lower))


@dataclass(frozen=True)
class McNemar:
    """Two networks on the same images, by the images that one of them alone predicts right.

    Attributes:
        first_only: Images that the first network alone predicts right.
        second_only: Those that the second alone predicts right.
        p: Of McNemar's exact test, two-sided: how often as unequal counts would be seen of equally accurate networks.
    """

    first_only: int
    second_only: int
    p: float


def mcnemar(first: np.ndarray, second: np.ndarray) -> McNemar:
    """McNemar's test, exact: images that one network alone predicts right are either's with probability 1/2.

    Q. McNemar, Psychometrika 12, 1947. Unlike the comparison over seeds, it holds for these two networks only.

    Args:
        first: Whether each image is predicted right, bool (images,).
        second: The same of the other network.
    """
    first_only, second_only = int((first & ~second).sum()), int((second & ~first).sum())
    if not first_only + second_only:
        return McNemar(0, 0, 1.0)
    return McNemar(first_only, second_only, float(stats.binomtest(first_only, first_only + second_only).pvalue))
