"""/metrics: everything, as Prometheus reads it."""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from cumulo.services.compute.public import Tools
from cumulo.services.metrics.figures import Figure, figures
from cumulo.web import Call, Reply, Routes
from cumulo.web.meters import REQUESTS

routes = Routes()


class _Shown(Collector):
    """Figures as prometheus_client wants them."""

    def __init__(self, found: Iterable[Figure]) -> None:
        self._found = found

    def collect(self) -> Iterable[Metric]:
        """Yield each."""
        for figure in self._found:
            counts = figure.name.endswith("_total") and not figure.labels
            kind = CounterMetricFamily if counts else GaugeMetricFamily
            metric = kind(figure.name, figure.help, labels=figure.labels)
            for labels, value in figure.values.items():
                metric.add_metric(list(labels), value)
            yield metric


@routes.get("/metrics", policy=None)
def show_metrics(call: Call[Tools]) -> Reply:
    """Tell how many requests there were, and what the cloud consists of."""
    registry = CollectorRegistry()
    registry.register(_Shown(call.db.read(figures, call.tools)))
    body = generate_latest(REQUESTS) + generate_latest(registry)
    return Reply(body, content_type=CONTENT_TYPE_LATEST)
