"""What the settings come to: the rules of folds, of identity and of stage 2, in their own units.

Reads the file that holds the key of erasures, where there is one.
"""

from dataclasses import fields

from schemas.settings import Settings
from sinks.kpis.definitions.service_level import PRESETS
from streams.erasure import erasure_key
from streams.fold.rules import FoldRules
from streams.identity.erased import Erased
from streams.identity.guards import Limits
from streams.monitor.rules import MonitorRules, ServiceLevel
from streams.parts import identifiers_of


def rules_of(settings: Settings) -> FoldRules:
    """The fold's rules in its own units, from the settings."""
    processing = settings.processing
    thresholds = {name: settings.queue(name).within_ms for name in settings.named_queues}
    return FoldRules(
        lateness_ms=round(processing.lateness_seconds * 1000),
        horizons_ms={
            channel: round(seconds * 1000)
            for channel, seconds in processing.horizon_seconds.model_dump().items()
        },
        max_skew_ms=round(processing.max_skew_seconds * 1000),
        identifiers=identifiers_of(settings),
        erased=Erased(erasure_key(settings)),
        thresholds_ms=thresholds | {"": settings.queue("").within_ms},
    )


def limits_of(settings: Settings) -> Limits:
    """What one customer may have, from the settings."""
    identity = settings.identity
    return Limits(identity.most_identifiers, dict(identity.most_of_kind))


def monitor_rules_of(settings: Settings, erased: Erased) -> MonitorRules:
    """What stage 2 is told of queues, from the settings and the catalogue of presets."""
    coefficients = [coefficient.name for coefficient in fields(ServiceLevel)][1:]
    return MonitorRules(
        queue=settings.queue,
        service_levels={
            preset.id: ServiceLevel(preset.id, *(getattr(preset, name) for name in coefficients))
            for preset in PRESETS
        },
        erased=erased,
    )
