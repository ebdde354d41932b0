"""A mock Symphony pod on one loopback port: an independent reading of the vendor's contract.

It imports nothing of the product and nothing of the connector it is there to test. `SymphonyPod` is the way
in; `FAULTS` lists everything that can be made to go wrong; `run_pod` serves one as a process.
"""

from connectors.symphony.mock.faults import FAULTS, UnknownFault
from connectors.symphony.mock.pod import SymphonyPod, run_pod
from connectors.symphony.mock.world import Refusal

__all__ = ["FAULTS", "Refusal", "SymphonyPod", "UnknownFault", "run_pod"]
