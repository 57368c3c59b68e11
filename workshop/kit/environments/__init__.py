"""Environments in gymnasium's interface: an action in, an observation and a reward out.

`from workshop.kit.environments import car` imports the module, and gymnasium with it, when one of its names is first
asked for: `--help` of a lesson answers at once, also where gymnasium is not installed.
"""

from typing import TYPE_CHECKING

from workshop.kit.lazy import LazyModule

if TYPE_CHECKING:
    from workshop.kit.environments import car as car
    from workshop.kit.environments import lander as lander
else:
    car = LazyModule("workshop.kit.environments.car")
    lander = LazyModule("workshop.kit.environments.lander")
