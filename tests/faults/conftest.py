"""Failed examinations say what they saw; property tests judge results, not the speed of a machine."""

from __future__ import annotations

import pytest
from hypothesis import settings

pytest.register_assert_rewrite("fault_rig")
settings.register_profile("patient", deadline=None, max_examples=60)
settings.load_profile("patient")
