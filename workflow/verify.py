"""`make verify`: hash again all that records name, and hold it against the code, parameters and data of now."""

import sys

from chain import chain, recorded_targets

from lossless_snn.errors import LosslessError
from lossless_snn.provenance.verification import told, verify


def main() -> None:
    with chain(recorded_targets()) as found:
        expected = found.jobs
    try:
        faults, checked = verify(expected=expected)
    except LosslessError as error:
        sys.exit(f"verify: {error}")
    print(told(faults, checked))
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
