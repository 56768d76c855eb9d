"""seed.py - what a test that goes by chance goes by.

    chance = random.Random(seed())

The same each time unless the environment's SEED is another number, or `random` (make crash says so): then one is chosen,
and the test prints it.
"""

import os
import random

USUAL = "20261123"


def seed():
    given = os.environ.get("SEED") or USUAL
    return str(random.randrange(1 << 30)) if given == "random" else given
