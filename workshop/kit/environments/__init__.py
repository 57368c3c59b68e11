"""Environments in gymnasium's interface: an action in, an observation and a reward out.

`from workshop.kit.environments import car` imports the module, and gymnasium with it, when one of its names is first
asked for: `--help` of a lesson answers at once, also where gymnasium is not installed.
"""

from typing import TYPE_CHECKING

from workshop.kit.lazy import LazyModule

if TYPE_CHECKING:
    from workshop.kit.environments import blackjack as blackjack
    from workshop.kit.environments import car as car
    from workshop.kit.environments import cliff as cliff
    from workshop.kit.environments import lander as lander
else:
    blackjack = LazyModule("workshop.kit.environments.blackjack")
    car = LazyModule("workshop.kit.environments.car")
    cliff = LazyModule("workshop.kit.environments.cliff")
    lander = LazyModule("workshop.kit.environments.lander")
